"""Receipts: from accepted and delivered letters to a customer's running clock, and back when one bounces (R12)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import OUTBOX, DeliveryState, EvidenceGrade, Receipt, choose_grade, choose_receipt_at
from registry.domain.notices import CustomerClock, local_date, plan_clock
from registry.domain.standings import DECIDED, StandingState
from registry.domain.terms import Terms
from registry.steps.record import WORKER, record_event
from registry.steps.working_days import working_days_for
from registry.tables import (
    Acknowledgement,
    Attempt,
    Delivery,
    Installation,
    Notice,
    NoticeCustomer,
    Statement,
    Subscription,
)


def note_receipt(session: Session, now: datetime, delivery: Delivery) -> None:
    """Bring the clock of the customer whom `delivery` was for up to date, whatever became of the delivery."""
    subscription = session.get_one(Subscription, delivery.subscription_id)
    if delivery.statement_id is None or subscription.customer_id is None:
        return
    statement = session.get_one(Statement, delivery.statement_id)
    if statement.id != session.scalar(starts_clocks(statement.notice_id)):
        return
    # Locked: two workers settle letters to two contacts at once, and the later one must see what the first one stored.
    standing = session.get(
        NoticeCustomer,
        (statement.notice_id, subscription.customer_id),
        populate_existing=True,
        with_for_update={"key_share": True},
    )
    if standing is not None:
        update_clock(session, now, standing)


def update_clock(session: Session, now: datetime, standing: NoticeCustomer) -> None:
    """Fold the customer's receipts anew: its clock starts at the earliest that stands and counts (R12).

    A bounce can take the last one away; after effect that is on record and a task (`untold`), never a reversal, and
    what stood at the effect stays. What a person decided (service by other means, exemption) is left as it is, and so
    is a receipt deemed by a clause unless a real one came before it (R13).
    """
    if standing.state in DECIDED:
        return
    terms = Terms.model_validate(standing.terms)
    received_at = choose_receipt_at(_receipts(session, standing, terms), terms, _is_demo(session))
    is_later = standing.received_at is not None and (received_at is None or received_at > standing.received_at)
    if received_at == standing.received_at or (is_later and standing.state == StandingState.DEEMED):
        return
    notice = session.get_one(Notice, standing.notice_id)
    if is_later and notice.took_effect_at is not None:
        earliest_at = _plan_clock(received_at, terms).earliest_at if received_at else None
        if earliest_at is None or earliest_at > notice.took_effect_at:
            _record(session, now, notice, standing, "customer.receipt_revoked", after_effect=True)
        return
    start_clock(
        standing, received_at, state=StandingState.RECEIVED.value if received_at else StandingState.WAITING.value
    )
    if received_at is None:
        _record(session, now, notice, standing, "customer.receipt_revoked", after_effect=False)
    else:
        _record(session, now, notice, standing, "customer.received", received_at=received_at.isoformat())


def start_clock(standing: NoticeCustomer, received_at: datetime | None, *, state: str) -> None:
    """Set the customer's clock to run from `received_at` (UTC), or to stand still for None."""
    standing.received_at = received_at
    standing.state = state
    if received_at is None:
        standing.earliest_at = standing.objection_ends_at = None
        return
    clock = _plan_clock(received_at, Terms.model_validate(standing.terms))
    standing.earliest_at, standing.objection_ends_at = clock.earliest_at, clock.objection_ends_at


def starts_clocks(notice_id: int) -> Select[int]:
    """The one statement of a notice whose receipt starts its customers' clocks."""
    return (
        select(Statement.id)
        .where(Statement.notice_id == notice_id, Statement.restarts_clocks)
        .order_by(Statement.seq.desc())
        .limit(1)
    )


def find_told_at(session: Session, notice_id: int) -> datetime | None:
    """Return the instant (UTC) at which the statement that clocks run from was made; None before any was."""
    return session.scalar(select(Statement.made_at).where(Statement.id == starts_clocks(notice_id).scalar_subquery()))


def _plan_clock(received_at: datetime, terms: Terms) -> CustomerClock:
    return plan_clock(received_at, terms, working_days_for(terms, local_date(received_at, terms.time_zone)))


def _receipts(session: Session, standing: NoticeCustomer, terms: Terms) -> list[Receipt]:
    last_road = (
        select(Attempt.channel)
        .where(Attempt.delivery_id == Delivery.id, Attempt.answer_class == "accepted")
        .order_by(Attempt.n.desc())
        .limit(1)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            Delivery.state,
            Delivery.accepted_at,
            Delivery.delivered_at,
            func.coalesce(last_road, "mail"),
            Delivery.channel,
        )
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .where(
            Delivery.statement_id == starts_clocks(standing.notice_id).scalar_subquery(),
            Subscription.customer_id == standing.customer_id,
        )
    )
    receipts = []
    for state, accepted_at, delivered_at, road, channel in rows:
        grade = choose_grade(DeliveryState(state), outbox=road == OUTBOX)
        is_late_proof = grade is EvidenceGrade.DELIVERED and terms.clock_starts_on == "delivered"
        at = delivered_at if is_late_proof else accepted_at or delivered_at
        if grade is not None and at is not None:
            receipts.append(Receipt(at, grade, channel))
    said = select(Acknowledgement.acknowledged_at).where(
        Acknowledgement.statement_id == starts_clocks(standing.notice_id).scalar_subquery(),
        Acknowledgement.customer_id == standing.customer_id,
    )
    # No bounce takes it back: whoever says so has the letter.
    receipts += [Receipt(at, EvidenceGrade.ACKNOWLEDGED) for at in session.scalars(said)]
    return receipts


def _is_demo(session: Session) -> bool:
    return bool(session.scalar(select(Installation.is_demo)))


def _record(
    session: Session, now: datetime, notice: Notice, standing: NoticeCustomer, kind: str, **facts: object
) -> None:
    record_event(
        session,
        now,
        WORKER,
        kind,
        subject=("notice", notice.number),
        publisher_id=notice.publisher_id,
        customer_id=standing.customer_id,
        **facts,
    )
