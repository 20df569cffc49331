"""One's own account, as its screen shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.tables import Passkey, Person, SignIn

MOST_SESSIONS: Final = 20
"""How many open sessions are listed, the last used first; more than these is a reason to end them all."""


@dataclass(frozen=True)
class OwnPasskey:
    """A passkey: whether it stands `instead_of_password`, or comes after it; `last_used_at` is a UTC instant."""

    id: int
    name: str
    instead_of_password: bool
    is_synced: bool
    last_used_at: datetime


@dataclass(frozen=True)
class OpenSession:
    """A session that is open: since when, when it was last seen (to a quarter of an hour), from where. All in UTC."""

    id: int
    address: str | None
    agent: str | None
    began_at: datetime
    seen_at: datetime


@dataclass(frozen=True)
class OwnAccount:
    """How a person signs in, and where they are signed in."""

    name: str | None
    email: str
    has_password: bool
    has_codes: bool
    recovery_codes_left: int
    passkeys: tuple[OwnPasskey, ...]
    sessions: tuple[OpenSession, ...]
    has_more_sessions: bool

    @property
    def has_recovery_codes_use(self) -> bool:
        """Whether recovery codes could ever be asked for: in place of a code or of a passkey after the password."""
        return self.has_codes or any(not passkey.instead_of_password for passkey in self.passkeys)


def load_own_account(session: Session, now: datetime, person_id: int, alive_for: timedelta) -> OwnAccount:
    """Return a person's own account. Sessions not seen for `alive_for` are closed by their browser, and not listed."""
    person = session.get_one(Person, person_id)
    passkeys = session.scalars(select(Passkey).where(Passkey.person_id == person_id).order_by(Passkey.id))
    sessions = session.scalars(
        select(SignIn)
        .where(SignIn.person_id == person_id, SignIn.ended_at.is_(None), SignIn.seen_at > now - alive_for)
        .order_by(SignIn.seen_at.desc(), SignIn.id.desc())
        .limit(MOST_SESSIONS + 1)
    ).all()
    return OwnAccount(
        name=person.name,
        email=person.email,
        has_password=person.password is not None,
        has_codes=person.tf_primary_method is not None,
        recovery_codes_left=len(person.mf_recovery_codes or []),
        passkeys=tuple(
            OwnPasskey(each.id, each.name, each.usage == "first", each.backup_state, each.lastuse_datetime)
            for each in passkeys
        ),
        sessions=tuple(
            OpenSession(each.id, each.address, each.agent, each.began_at, each.seen_at)
            for each in sessions[:MOST_SESSIONS]
        ),
        has_more_sessions=len(sessions) > MOST_SESSIONS,
    )
