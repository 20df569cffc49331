"""The record: who did what and when. Every step writes here in the transaction of its act (R39)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from registry.tables import Event


@dataclass(frozen=True)
class Actor:
    """Who acts. `name` is what four eyes compare; `via` is the road: web, command line, worker or public page.

    On the command line `name` is claimed, and `login` is the operating system's user who claims it (R16). In the
    workbench `sign_in` is the number of the session, which says from where.
    """

    name: str
    via: str
    login: str | None = None
    sign_in: int | None = None

    def __str__(self) -> str:
        return f"{self.name} ({self.via}, as {self.login})" if self.login else f"{self.name} ({self.via})"


WORKER = Actor("registry", "worker")


def record_event(
    session: Session,
    now: datetime,
    actor: Actor,
    kind: str,
    *,
    subject: tuple[str, str],
    publisher_id: int | None = None,
    **payload: object,
) -> Event:
    """Append one act to the record. `subject` is its kind and key; the payload must hold no personal data (R39)."""
    event = Event(
        publisher_id=publisher_id,
        at=now,
        actor=str(actor),
        kind=kind,
        subject_kind=subject[0],
        subject=subject[1],
        payload=dict(payload),
        sign_in_id=actor.sign_in,
    )
    session.add(event)
    return event
