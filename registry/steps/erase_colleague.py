"""Erasing what is known of somebody who worked for a publisher, because they asked. The record keeps their address."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, delete, or_, select, update
from sqlalchemy.orm import Session

from registry.steps.audience_errors import LegalHoldStands
from registry.steps.legal_holds import describe_hold
from registry.steps.record import Actor, record_event
from registry.tables import EntryDraft, LegalHold, Membership, Passkey, Person, Publisher, SignIn


def works_for(session: Session, publisher: Publisher, email: str) -> bool:
    """Return whether somebody with this address works for the publisher."""
    held = select(Membership.id).join(Person, Person.id == Membership.person_id)
    return (
        session.scalar(held.where(Membership.publisher_id == publisher.id, Person.email == email.lower())) is not None
    )


def erase_colleague(session: Session, now: datetime, publisher: Publisher, email: str, actor: Actor) -> bool:
    """Erase the drafts of somebody who works for the publisher no more; return whether anything was there to erase.

    Of whoever works for no publisher any more everything goes: the name, what they signed in with, and from where. The
    address stays, for the record names by it who did what; GDPR art. 17(3)(b) and (e) let it. Raises `LegalHoldStands`
    while any hold stands that may need it: nobody can say what a session will have to prove.
    """
    person = session.scalar(select(Person).where(Person.email == email.lower()))
    if person is None:
        return False
    _refuse_held(session, publisher)
    drafts = _count(
        session.execute(
            delete(EntryDraft).where(EntryDraft.publisher_id == publisher.id, EntryDraft.person_id == person.id)
        )
    )
    works = session.scalar(select(Membership.id).where(Membership.person_id == person.id).limit(1)) is not None
    wholly = not works and _erase_sign_in(session, now, person)
    if drafts or wholly:
        record_event(
            session,
            now,
            actor,
            "person.erased",
            subject=("person", str(person.id)),
            publisher_id=publisher.id,
            drafts=drafts,
            sign_in=wholly,
        )
    session.flush()
    return bool(drafts) or wholly


def _erase_sign_in(session: Session, now: datetime, person: Person) -> bool:
    """Erase with what and from where a person signed in; return whether anything of it was there."""
    mine = SignIn.person_id == person.id
    session.execute(update(SignIn).where(mine, SignIn.ended_at.is_(None)).values(ended_at=now))
    sessions = _count(
        session.execute(
            update(SignIn)
            .where(mine, or_(SignIn.address.is_not(None), SignIn.agent.is_not(None)))
            .values(address=None, agent=None)
        )
    )
    passkeys = _count(session.execute(delete(Passkey).where(Passkey.person_id == person.id)))
    proofs = (person.name, person.password, person.tf_totp_secret, person.fs_webauthn_user_handle)
    if not (sessions or passkeys or any(proofs)):
        return False
    person.name = person.password = person.fs_webauthn_user_handle = None
    person.tf_primary_method = person.tf_totp_secret = None
    person.tf_last_counter = None
    person.mf_recovery_codes = None
    # Should they come back, they are invited like anybody who was never here.
    person.invited_at = person.joined_at = None
    person.fs_uniquifier = secrets.token_hex(16)
    return True


def _refuse_held(session: Session, publisher: Publisher) -> None:
    # The publisher's own first, since those are the ones its people know of.
    hold = session.scalar(
        select(LegalHold)
        .where(LegalHold.lifted_at.is_(None))
        .order_by(LegalHold.publisher_id != publisher.id, LegalHold.id)
        .limit(1)
    )
    if hold is not None:
        described = describe_hold(session, hold)
        raise LegalHoldStands(
            publisher=session.get_one(Publisher, hold.publisher_id).slug,
            hold=hold.id,
            scope=described.scope,
            subject=described.subject,
            reason=hold.reason,
        )


def _count(result: Any) -> int:
    return int(result.rowcount) if isinstance(result, CursorResult) else 0
