"""One's own account: how one signs in, and from where one is signed in just now."""

from __future__ import annotations

from typing import Any

from registry.web.team.access import Desk, own_screen
from registry.web.team.frame import show


@own_screen("/account/")
def account(desk: Desk) -> Any:
    """Show how this person signs in, and their open sessions."""
    return show("team/account.html")
