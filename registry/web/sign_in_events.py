"""What people change about how they sign in: put on record, and told to them by a letter, in case it was not they.

Flask-Security says what happened by its signals, and commits afterwards.
"""

from __future__ import annotations

from typing import Any, Final

from flask import Flask, current_app, request, session
from flask_security.signals import (
    password_changed,
    password_reset,
    tf_disabled,
    tf_profile_changed,
    wan_registered,
)
from sqlalchemy import select

from registry.database import db
from registry.steps.account import end_other_sessions
from registry.steps.record import Actor, record_event
from registry.web.current import now
from registry.web.people import Member
from registry.web.sessions import find_sign_in, note_second_proof
from registry.web.sign_in_browsers import describe_browser
from registry.web.sign_in_limits import may_write_to
from registry.web.sign_in_mail import LetterNotSent, send_later, send_letter
from registry.web.sign_in_pages import render
from registry.web.sign_in_words import NOTICES

NEW_CODES: Final = "new_recovery_codes"
"""In the session: the recovery codes that were just made have not been shown yet."""


def follow_changes(app: Flask) -> None:
    """Put on record what people change about their sign-in to `app`, and write to them."""
    password_reset.connect(_password_reset, app)
    password_changed.connect(_password_changed, app)
    tf_profile_changed.connect(_codes_on, app)
    tf_disabled.connect(_codes_off, app)
    wan_registered.connect(_passkey_added, app)


def tell(user: Member, kind: str) -> None:
    """Write to somebody what happened to their account, of the kind that is on record."""
    browser = describe_browser(request.user_agent.string)
    is_guessing = kind == "person.codes_refused"
    send_later(*_write(user.email, kind, address=request.remote_addr, browser=browser, is_guessing=is_guessing))


def tell_factors_taken(email: str) -> bool:
    """Write to somebody whose second proofs whoever runs the installation took away; return whether the letter went.

    Needs an app context, and no request.
    """
    try:
        send_letter(*_write(email, "person.second_factors_taken", address=None, browser=None, is_guessing=False))
    except LetterNotSent:
        return False
    return True


def _write(email: str, kind: str, **given: Any) -> tuple[str, str, str, str]:
    notice = NOTICES[kind]
    given |= {"title": notice.subject, "said": notice.said, "at": now()}
    text, html = (render(f"security/email/notice.{ending}", **given) for ending in ("txt", "html"))
    return notice.subject, email, text, html


def note_recovery_code_used(user: Member) -> None:
    """Put on record that somebody signed in with a recovery code, and tell them how many are left."""
    _put_on_record(user, "person.recovery_code_used", left=len(user.mf_recovery_codes or []))


def note_codes_made(user: Member) -> None:
    """Put on record that recovery codes were made; tell whoever asked for other ones."""
    is_asked_for = request.endpoint == "security.mf_recovery_codes"
    _put_on_record(user, "person.recovery_codes_made", tells=is_asked_for)


def note_codes_refused(uniquifier: str) -> None:
    """Put on record that a right password was followed by wrong codes alone, and tell whose it is, not too often."""
    user = db.session.scalar(select(Member).where(Member.fs_uniquifier == uniquifier))
    if user is None:
        return
    subject = ("person", str(user.id))
    record_event(db.session(), now(), Actor("somebody", "web"), "person.codes_refused", subject=subject)
    if may_write_to(f"codes refused: {user.email}"):
        tell(user, "person.codes_refused")
    db.session.commit()


def _password_reset(app: Flask, user: Member, **more: Any) -> None:
    del app, more
    end_other_sessions(db.session(), now(), user.id, None, _actor(user))
    _put_on_record(user, "person.password_set" if user.joined_at is None else "person.password_reset")


def _password_changed(app: Flask, user: Member, **more: Any) -> None:
    del app, more
    end_other_sessions(db.session(), now(), user.id, _actor(user).sign_in, _actor(user))
    _put_on_record(user, "person.password_changed")


def _codes_on(app: Flask, user: Member, **more: Any) -> None:
    del app, more
    _end_sessions_without(user)
    _put_on_record(user, "person.second_factor_on", by="codes")
    _make_codes_once(user)


def _codes_off(app: Flask, user: Member, **more: Any) -> None:
    del app, more
    user.tf_last_counter = None
    if not any(passkey.usage == "secondary" for passkey in user.webauthn):
        user.mf_recovery_codes = None
    _put_on_record(user, "person.second_factor_off", by="codes")


def _passkey_added(app: Flask, user: Member, name: str, **more: Any) -> None:
    del app, more
    usage = next(passkey.usage for passkey in user.webauthn if passkey.name == name)
    _put_on_record(user, "person.passkey_added", usage=usage)
    if usage == "secondary":
        _end_sessions_without(user)
        _make_codes_once(user)
    else:
        note_second_proof()


def _end_sessions_without(user: Member) -> None:
    """End all sessions but this one: they began without what is asked for from now on."""
    note_second_proof()
    end_other_sessions(db.session(), now(), user.id, _actor(user).sign_in, _actor(user))


def _make_codes_once(user: Member) -> None:
    """Make recovery codes together with the first thing that they can stand in for."""
    if user.mf_recovery_codes:
        return
    current_app.extensions["security"].mf_recovery_codes_util.create_recovery_codes(user)
    session[NEW_CODES] = True


def _put_on_record(user: Member, kind: str, *, tells: bool = True, **payload: Any) -> None:
    record_event(db.session(), now(), _actor(user), kind, subject=("person", str(user.id)), **payload)
    if tells:
        tell(user, kind)


def _actor(user: Member) -> Actor:
    sign_in = find_sign_in(db.session(), user.id)
    return Actor(user.email, "web", sign_in=sign_in.id if sign_in else None)
