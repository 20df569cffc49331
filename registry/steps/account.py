"""What people do to their own account, besides what the sign-in itself keeps: ending sessions, removing passkeys."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from registry.steps.record import Actor, record_event
from registry.tables import Passkey, Person, SignIn


def end_session(session: Session, now: datetime, person_id: int, sign_in_id: int, actor: Actor) -> bool:
    """End one open session of a person; return whether there was one. The browser learns it by its next click."""
    found = session.scalar(_open(person_id).where(SignIn.id == sign_in_id))
    if found is None:
        return False
    _end(session, now, found, actor)
    session.flush()
    return True


def end_other_sessions(session: Session, now: datetime, person_id: int, keep: int | None, actor: Actor) -> int:
    """End all open sessions of a person but `keep`, if that is one; return how many that were."""
    found = session.scalars(_open(person_id).order_by(SignIn.id)).all()
    ended = [each for each in found if each.id != keep]
    for each in ended:
        _end(session, now, each, actor)
    session.flush()
    return len(ended)


def remove_passkey(session: Session, now: datetime, person_id: int, passkey_id: int, actor: Actor) -> str | None:
    """Have a passkey of a person open nothing any more; return its name, or None where they have no such passkey.

    Recovery codes stand in for the second factor: where none is left, they are taken away too.
    """
    found = find_passkey(session, person_id, passkey_id)
    if found is None:
        return None
    name = found.name
    session.delete(found)
    session.flush()
    person = session.get_one(Person, person_id)
    if person.tf_primary_method is None and not _has_second_passkey(session, person_id):
        person.mf_recovery_codes = None
    record_event(session, now, actor, "person.passkey_removed", subject=("person", str(person_id)), usage=found.usage)
    session.flush()
    return name


def take_second_factors(session: Session, now: datetime, person_id: int, actor: Actor) -> bool:
    """Have a person who lost phone and key sign in by password alone again; return whether there was anything to take.

    For whoever runs the installation, after making sure who asks: codes, recovery codes and every passkey go, and all
    sessions end.
    """
    person = session.get_one(Person, person_id)
    passkeys = session.scalars(select(Passkey).where(Passkey.person_id == person_id)).all()
    if person.tf_primary_method is None and not person.mf_recovery_codes and not passkeys:
        return False
    had_codes = person.tf_primary_method is not None
    person.tf_primary_method = person.tf_totp_secret = person.tf_last_counter = person.mf_recovery_codes = None
    for passkey in passkeys:
        session.delete(passkey)
    end_other_sessions(session, now, person_id, None, actor)
    subject = ("person", str(person_id))
    record_event(
        session, now, actor, "person.second_factors_taken", subject=subject, codes=had_codes, passkeys=len(passkeys)
    )
    session.flush()
    return True


def find_passkey(session: Session, person_id: int, passkey_id: int) -> Passkey | None:
    """Return one passkey of a person, or None where they have no such passkey."""
    return session.scalar(select(Passkey).where(Passkey.id == passkey_id, Passkey.person_id == person_id))


def _has_second_passkey(session: Session, person_id: int) -> bool:
    second = select(Passkey.id).where(Passkey.person_id == person_id, Passkey.usage == "secondary")
    return session.scalar(second.limit(1)) is not None


def _open(person_id: int) -> Select[SignIn]:
    return select(SignIn).where(SignIn.person_id == person_id, SignIn.ended_at.is_(None))


def _end(session: Session, now: datetime, sign_in: SignIn, actor: Actor) -> None:
    sign_in.ended_at = now
    subject = ("person", str(sign_in.person_id))
    record_event(session, now, actor, "person.session_ended", subject=subject, sign_in=sign_in.id)
