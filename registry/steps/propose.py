"""What takes two people is proposed by one in words that the other then agrees to: corrections and overrides.

An approval binds to a digest of these words (R16, R23), so the second person must be shown the first one's exactly.
They stand in the record, where everything proposed stays. They are about a notice and not about a person.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.text import refuse_unclean
from registry.steps.errors import ReasonMissing
from registry.steps.lookup import lock_publisher
from registry.steps.override_hold import refuse_unless_holding
from registry.steps.receipts import find_told_at
from registry.steps.record import Actor, record_event
from registry.steps.record_objection import get_standing
from registry.tables import Event, Notice, Publisher

CORRECTION_PROPOSED = "correction.proposed"
CORRECTED = "notice.corrected"
OVERRIDE_PROPOSED = "override.proposed"


@dataclass(frozen=True)
class ProposedCorrection:
    """The words somebody proposes for a correction: the reason customers read, and a summary or none of one's own."""

    reason: str
    summary: str
    proposed_by: str
    proposed_at: datetime


def propose_correction(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    actor: Actor,
    *,
    reason: str,
    summary: str = "",
) -> None:
    """Put the words of a correction on record, for a second person to approve. Raises `ReasonMissing`."""
    refuse_unclean(reason=reason, summary=summary)
    if not reason.strip():
        raise ReasonMissing(what="reason")
    lock_publisher(session, publisher, notice)
    record_event(
        session,
        now,
        actor,
        CORRECTION_PROPOSED,
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        reason=reason.strip(),
        summary=summary.strip(),
    )
    session.flush()


def find_proposed_correction(session: Session, publisher: Publisher, notice: Notice) -> ProposedCorrection | None:
    """Return the newest correction proposed since the last one was sent, or None."""
    event = session.scalar(
        select(Event)
        .where(
            Event.publisher_id == publisher.id,
            Event.subject_kind == "notice",
            Event.subject == notice.number,
            Event.kind.in_([CORRECTION_PROPOSED, CORRECTED]),
        )
        .order_by(Event.id.desc())
        .limit(1)
    )
    if event is None or event.kind == CORRECTED:
        return None
    said = event.payload
    return ProposedCorrection(str(said.get("reason", "")), str(said.get("summary", "")), event.actor, event.at)


def list_correction_proposers(session: Session, publisher: Publisher, notice: Notice) -> set[str]:
    """Return who proposed words for a correction since the last one was sent: these words are theirs too (R16)."""
    about = (Event.publisher_id == publisher.id, Event.subject_kind == "notice", Event.subject == notice.number)
    last_sent = select(func.max(Event.id)).where(*about, Event.kind == CORRECTED).scalar_subquery()
    proposed = select(Event.actor).where(
        *about, Event.kind == CORRECTION_PROPOSED, Event.id > func.coalesce(last_sent, 0)
    )
    # An actor stands on record with the road they came by.
    return {actor.rpartition(" (")[0] for actor in session.scalars(proposed)}


@dataclass(frozen=True)
class ProposedOverride:
    """The reason somebody gives for setting a customer's hold aside."""

    reason: str
    proposed_by: str
    proposed_at: datetime


def propose_override(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    customer_key: str,
    actor: Actor,
    *,
    reason: str,
) -> None:
    """Put on record why a customer's hold is to be set aside, for a second person to agree.

    Raises `ReasonMissing`, and `NotHolding` for a customer that holds the notice no more.
    """
    refuse_unclean(reason=reason)
    if not reason.strip():
        raise ReasonMissing(what="reason")
    standing = get_standing(session, publisher, notice, customer_key)
    refuse_unless_holding(notice, standing, customer_key)
    record_event(
        session,
        now,
        actor,
        OVERRIDE_PROPOSED,
        subject=("override", f"{notice.number}/{customer_key}"),
        publisher_id=publisher.id,
        reason=reason.strip(),
    )
    session.flush()


def find_proposed_override(
    session: Session, publisher: Publisher, notice: Notice, customer_key: str
) -> ProposedOverride | None:
    """Return the newest reason given for setting a customer's hold on this notice aside, or None.

    One that was given before the clocks began anew was about what was told until then, and counts no more (R20).
    """
    told_at = find_told_at(session, notice.id)
    event = session.scalar(
        select(Event)
        .where(
            Event.publisher_id == publisher.id,
            Event.subject_kind == "override",
            Event.subject == f"{notice.number}/{customer_key}",
            Event.kind == OVERRIDE_PROPOSED,
            Event.at >= told_at,
        )
        .order_by(Event.id.desc())
        .limit(1)
    )
    return ProposedOverride(str(event.payload.get("reason", "")), event.actor, event.at) if event else None
