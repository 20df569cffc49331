"""What the public forms share: whose link it is, what was typed, and what is wrong with it."""

from __future__ import annotations

from typing import Any, Final

from flask import request
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput
from registry.i18n import say_problem
from registry.language import LANGUAGES, spoken
from registry.language import gettext as _
from registry.pages.selection import CHOICES, QUERY_LENGTH
from registry.steps.audience_errors import UnknownToken
from registry.steps.end_subscription import find_subscription
from registry.steps.keyring import Keyring, Purpose, load_keyring
from registry.steps.preferences import Preferences
from registry.tables import Subscription
from registry.web.current import now
from registry.web.publishers import Chosen

MOST_PAIRS: Final = 40
"""Parts of a filter that a page keeps; nobody chooses as many by hand."""
LONGEST_ROW: Final = 18
"""Digits of a row's number that every database can compare."""


def open_subscription(
    session: Session, chosen: Chosen, purpose: Purpose, token: str, *, lock: bool = False
) -> Subscription:
    """Return the subscription that a link token opens for `purpose` at this publisher, or raise `UnknownToken`."""
    keyring = load_keyring(session, now())
    number = keyring.verify(purpose, token)
    subscription = None
    if number is not None:
        subscription = find_subscription(session, number) if lock else session.get(Subscription, number)
    if subscription is None or subscription.publisher_id != chosen.row.id:
        raise UnknownToken
    if not keyring.could_sign_for(token, subscription.created_at):
        raise UnknownToken
    return subscription


def manage_url(chosen: Chosen, keyring: Keyring, subscription_id: int) -> str:
    """Return the address of the page by which a subscription is managed."""
    return chosen.addresses.at(f"manage/{keyring.sign('manage', subscription_id)}")


def read_wishes() -> dict[str, Any]:
    """Return what was chosen in a form: products, kinds, which letters, and the language."""
    return {
        "products": list(dict.fromkeys(request.form.getlist("products"))),
        "kinds": list(dict.fromkeys(request.form.getlist("kinds"))),
        "effect": "effect" in request.form,
        "reminders": "reminders" in request.form,
        "language": request.form.get("language", "").strip() or spoken(),
    }


def was_asked(field: str) -> bool:
    """Return whether the form that was sent asks for a field at all: what it does not ask for stays as it is."""
    return field in request.form.get("asked", "").split()


def read_filter() -> list[tuple[str, str]]:
    """Return the filter that this address carries, as pairs; whether there is such a thing is for the feed to say."""
    pairs = [(field, value) for field in ("q", *CHOICES) for value in request.args.getlist(field)]
    clean = [(field, " ".join(value.split())[:QUERY_LENGTH]) for field, value in pairs]
    return [(field, value) for field, value in clean if value and value.isprintable()][:MOST_PAIRS]


def read_row(name: str) -> int | None:
    """Return the number of a row that the address names, or None where it names none."""
    text = request.args.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= LONGEST_ROW else None


def sentences(error: InvalidInput, **renamed: str) -> dict[str, str]:
    """Return one sentence per field of a form, the first where there are several. `renamed`: a step's name of a field
    that the form calls otherwise."""
    found: dict[str, str] = {}
    for problem in error.problems:
        field = problem.field.partition(".")[0] or "form"
        found.setdefault(renamed.get(field, field), say_problem(problem))
    return found


def letter_languages() -> list[tuple[str, str]]:
    """Return the languages that letters are written in, each by its own name."""
    return list(LANGUAGES.items())


def somebody() -> str:
    """Return what stands for an address that was erased."""
    return _("This address")


def of_reader(who: Preferences) -> dict[str, Any]:
    """Return what templates show of whoever a link belongs to."""
    return {"recipient": who.email or somebody(), "audience": who.audience.value, "customer_name": who.customer}
