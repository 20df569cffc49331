"""The addresses that letters of the sign-in lead to. They are made from settings, whatever host was asked (R33)."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from flask_security.recoverable import generate_reset_password_token

from registry.domain.people import INVITATION_GOOD_FOR
from registry.tables import Person
from registry.web.current import wiring

ACCOUNT: Final = "/team/account"
"""Where everything about signing in is."""
INVITATION_LINK_FOR: Final = INVITATION_GOOD_FOR
"""How long a link to choose the first password is good for: it may lie over a weekend and a holiday."""
FORGOTTEN_LINK_FOR: Final = timedelta(days=1)
"""How long a link to replace a password is good for: whoever asks for it is waiting."""


def make_password_link(member: Person) -> str:
    """Return the full address at which a person chooses a password, the first one or another.

    Whoever opens it needs nothing else. It is good for `INVITATION_LINK_FOR`, or `FORGOTTEN_LINK_FOR` where there is a
    password to be replaced, and until a password is set or all the person's sessions are ended. Needs an app context,
    and no request.
    """
    return password_address(generate_reset_password_token(member))  # type: ignore[no-untyped-call]  # it has no types


def password_address(token: str) -> str:
    """Return the full address for a token of Flask-Security's that lets a password be chosen."""
    return f"{wiring().letterhead.base_url}{ACCOUNT}/reset/{token}"


def account_address() -> str:
    """Return the full address of a person's own account."""
    return f"{wiring().letterhead.base_url}{ACCOUNT}/"
