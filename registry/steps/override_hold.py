"""Setting a customer's hold aside: two people, one reason, on record (R23)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from registry.domain.entries import digest_of
from registry.domain.standings import HOLDING, StandingState
from registry.domain.text import refuse_unclean
from registry.steps.approvals import count_approvals, give_approval
from registry.steps.errors import NotHolding, ReasonMissing
from registry.steps.lookup import read_facts
from registry.steps.receipts import find_told_at
from registry.steps.record import Actor, record_event
from registry.steps.record_objection import get_standing, refuse_unless_pending
from registry.tables import Notice, NoticeCustomer, Publisher

PEOPLE_NEEDED = 2


def override_hold(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    customer_key: str,
    actor: Actor,
    *,
    reason: str,
) -> bool:
    """Set a customer's hold aside, with a reason and a second person (R23); return whether it is set aside now.

    The first person asks, the second says the same with the same reason; nothing happens before. It is neither receipt
    nor consent, and stands on record as what it is. Where a correction lets the clocks begin anew it lapses, and takes
    two people again. Raises `NotHolding` for a customer that people, or the end of its contract, took out of it.
    """
    refuse_unclean(reason=reason)
    standing = get_standing(session, publisher, notice, customer_key)
    refuse_unless_pending(notice, "override")
    refuse_unless_holding(notice, standing, customer_key)
    if not reason.strip():
        raise ReasonMissing(what="reason")
    digest = digest_of([notice.id, standing.customer_id, reason.strip(), _clocks_began(session, notice)])
    facts = read_facts(session, publisher)
    name = f"{notice.number}/{customer_key}"
    subject = ("override", notice.id, name)
    give_approval(session, now, publisher, facts, subject, digest, set(), actor, required=PEOPLE_NEEDED)
    if count_approvals(session, publisher, "override", notice.id, digest) < PEOPLE_NEEDED:
        return False
    standing.state = StandingState.OVERRIDDEN.value
    standing.basis = reason.strip()
    record_event(
        session,
        now,
        actor,
        "customer.overridden",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        customer_id=standing.customer_id,
    )
    session.flush()
    return True


def refuse_unless_holding(notice: Notice, standing: NoticeCustomer, customer_key: str) -> None:
    """Raise `NotHolding` for a customer whose state can hold the notice no more: that state stays on record."""
    if standing.state not in HOLDING:
        raise NotHolding(customer=customer_key, number=notice.number, state=standing.state)


def _clocks_began(session: Session, notice: Notice) -> str | None:
    told_at = find_told_at(session, notice.id)
    return told_at.isoformat() if told_at else None
