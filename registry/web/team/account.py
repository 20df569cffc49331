"""One's own account: how one signs in, and from where one is signed in just now."""

from __future__ import annotations

from typing import Any, Final

from flask import request
from werkzeug.exceptions import NotFound

from registry.domain.errors import RegistryError
from registry.queries.account import load_own_account
from registry.steps.account import end_other_sessions, end_session, find_passkey, remove_passkey
from registry.steps.people import rename_oneself
from registry.tables.engine import reading, writing
from registry.web.current import wiring
from registry.web.people import Member
from registry.web.sessions import SEEN_EVERY
from registry.web.sign_in import SIGNED_IN_FOR
from registry.web.sign_in_browsers import describe_browser
from registry.web.sign_in_events import tell
from registry.web.team.access import Desk, own_screen
from registry.web.team.frame import errors_of, go, show, status_of

ZONE: Final = "UTC"
"""An account belongs to no publisher, so that no publisher's zone is the right one."""


@own_screen("/account/")
def account(desk: Desk) -> Any:
    """Show how this person signs in, and their open sessions."""
    return _show(desk, values={"name": desk.name})


@own_screen("/account/name", get=False)
def rename_account(desk: Desk) -> Any:
    """Take the name this person gives themselves."""
    try:
        with writing(wiring().engine) as session:
            rename_oneself(session, desk.now, desk.person_id, request.form.get("name"), desk.actor)
    except RegistryError as error:
        return _show(desk, status_of(error), errors=errors_of(error), values=request.form)
    return go("account", said="Your name is saved.")


@own_screen("/account/sessions/<int:session_id>/end", get=False)
def end_account_session(desk: Desk, session_id: int) -> Any:
    """End one of this person's sessions."""
    with writing(wiring().engine) as session:
        if not end_session(session, desk.now, desk.person_id, session_id, desk.actor):
            raise NotFound
    return go("account", said="That browser is signed out.")


@own_screen("/account/sessions/end-others", get=False)
def end_other_account_sessions(desk: Desk) -> Any:
    """End all of this person's sessions but the one this is asked in."""
    with writing(wiring().engine) as session:
        ended = end_other_sessions(session, desk.now, desk.person_id, desk.sign_in_id, desk.actor)
    said = "You are signed out everywhere else." if ended else "You were signed in nowhere else."
    return go("account", said=said)


@own_screen("/account/passkeys/<int:passkey_id>/remove", post=True, is_fresh=True)
def remove_account_passkey(desk: Desk, passkey_id: int) -> Any:
    """Ask whether a passkey is to be removed, and remove it."""
    if request.method == "GET":
        with reading(wiring().engine) as session:
            passkey = find_passkey(session, desk.person_id, passkey_id)
            if passkey is None:
                raise NotFound
            mine = load_own_account(session, desk.now, desk.person_id, SIGNED_IN_FOR)
            return show("team/account_passkey.html", passkey=passkey, mine=mine)
    with writing(wiring().engine) as session:
        name = remove_passkey(session, desk.now, desk.person_id, passkey_id, desk.actor)
        if name is None:
            raise NotFound
        tell(session.get_one(Member, desk.person_id), "person.passkey_removed")
    return go("account", said=f"The passkey “{name}” is removed.")


def _show(desk: Desk, status: int = 200, **more: Any) -> Any:
    with reading(wiring().engine) as session:
        mine = load_own_account(session, desk.now, desk.person_id, SIGNED_IN_FOR + SEEN_EVERY)
    sessions = [(each, describe_browser(each.agent), each.id == desk.sign_in_id) for each in mine.sessions]
    return show("team/account.html", status, mine=mine, sessions=sessions, zone=ZONE, **more)
