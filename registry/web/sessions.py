"""Sessions that can be seen and ended: one row for each sign-in, whose key stands in the cookie.

Flask-Security ends all of a person's sessions at once by changing `fs_uniquifier`; these rows end a single one, and say
from where somebody acted.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any, Final

from flask import Flask, request, session
from flask_login import user_logged_out
from flask_security import logout_user
from flask_security.signals import user_authenticated, user_failed_authn
from sqlalchemy import ColumnElement, and_, select
from sqlalchemy.orm import Session

from registry.channels.base import clean_answer
from registry.database import db, may_write
from registry.steps.record import Actor, record_event
from registry.tables import SignIn
from registry.tables.engine import writing
from registry.web.current import now, wiring
from registry.web.people import Member

KEY: Final = "sign_in"
TWO_PROOFS: Final = "two_proofs"
"""In the session: whether its person proved in two ways who they are, when it began or since."""
SEEN_EVERY: Final = timedelta(minutes=15)
"""How much older than the last request of a session `seen_at` may be."""
LONGEST_AGENT: Final = 300
_WAYS: Final = {"webauthn": "passkey", "oauth": "company"}
"""How a way of signing in is named on record, by Flask-Security's name; a second proof after it names none there."""


def follow_sessions(app: Flask) -> None:
    """Keep a row of every sign-in to `app`, and put sign-ins, failed ones and sign-outs on record."""
    user_authenticated.connect(_begin, app)
    user_failed_authn.connect(_note_failure, app)
    user_logged_out.connect(_end, app)


def is_of_this_request(person_id: int) -> ColumnElement[bool]:
    """On what a row is the open session of this request: its key, its person, and that nobody has ended it."""
    return and_(SignIn.key == str(session.get(KEY)), SignIn.person_id == person_id, SignIn.ended_at.is_(None))


def find_sign_in(session_: Session, person_id: int) -> SignIn | None:
    """Return the open session of this request, or None where it was ended, or belongs to somebody else."""
    return session_.scalar(select(SignIn).where(is_of_this_request(person_id)))


def note_second_proof() -> None:
    """Keep that this session's person has just proved in a second way who they are: by setting it up."""
    session[TWO_PROOFS] = True


def has_one_proof(person: Member) -> bool:
    """Return whether this session rests on one proof of who its person is, while by now they have two."""
    return not session.get(TWO_PROOFS) and person.has_second_factor


def end_this_session() -> None:
    """End the session of this request, by whatever method it came, and have its person sign in anew."""
    # What was read so far was read in a transaction that cannot write.
    db.session.rollback()
    may_write()
    logout_user()


def note_seen(sign_in: SignIn) -> None:
    """Keep when the session was last used, not on every request."""
    if now() - sign_in.seen_at < SEEN_EVERY:
        return
    with writing(wiring().engine) as writer:
        row = writer.get(SignIn, sign_in.id)
        if row is not None:
            row.seen_at = now()


def _begin(app: Flask, user: Member, authn_via: list[str] | None = None, **more: Any) -> None:
    del app, more
    if authn_via == ["change"]:
        # Flask-Security signs in anew whoever changes their password. Their session is the one it was.
        return
    agent = request.user_agent.string
    sign_in = SignIn(
        person_id=user.id,
        key=secrets.token_urlsafe(24),
        address=request.remote_addr,
        agent=clean_answer(agent)[:LONGEST_AGENT] or None,
        began_at=now(),
        seen_at=now(),
    )
    db.session.add(sign_in)
    db.session.flush()
    if user.joined_at is None:
        user.joined_at = now()
    actor = Actor(user.email, "web", sign_in=sign_in.id)
    by = _WAYS.get(authn_via[0], authn_via[0]) if authn_via else "two proofs"
    record_event(_session(), now(), actor, "person.signed_in", subject=("person", str(user.id)), by=by)
    db.session.commit()
    session.permanent = True
    session[KEY] = sign_in.key
    # A passkey instead of the password verifies the person, and so is two.
    session[TWO_PROOFS] = authn_via in (None, ["webauthn"])


def _note_failure(app: Flask, user: Member, auth_type: str, tfa: bool, **more: Any) -> None:
    # Somebody who knows the address and not the secret: the person did nothing, so they are not the actor.
    del app, more
    actor = Actor("somebody", "web")
    factor = "second" if tfa else "first"
    subject = ("person", str(user.id))
    record_event(_session(), now(), actor, "person.sign_in_failed", subject=subject, by=auth_type, factor=factor)
    db.session.commit()


def _end(app: Flask, user: Member, **more: Any) -> None:
    del app, more
    key = session.pop(KEY, None)
    row = _session().scalar(select(SignIn).where(SignIn.key == key, SignIn.ended_at.is_(None))) if key else None
    if row is None:
        return
    row.ended_at = now()
    actor = Actor(user.email, "web", sign_in=row.id)
    record_event(_session(), now(), actor, "person.signed_out", subject=("person", str(user.id)))
    db.session.commit()


def _session() -> Session:
    return db.session()
