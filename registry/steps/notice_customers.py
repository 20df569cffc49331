"""Customers of a notice whom time or a clause takes out of waiting: contracts that ended, receipt that is deemed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState
from registry.domain.notices import local_date, plan_deemed_receipt_at
from registry.domain.terms import Terms
from registry.domain.vocabulary import StatementKind
from registry.steps.receipts import start_clock
from registry.steps.record import WORKER, record_event
from registry.tables import Attempt, Customer, Delivery, Notice, NoticeCustomer, Publisher, Statement, Subscription

FINAL_WITHOUT_RECEIPT = (
    DeliveryState.FAILED.value,
    DeliveryState.BOUNCED.value,
    DeliveryState.SKIPPED.value,
    DeliveryState.NEEDS_ATTENTION.value,
)


def drop_ended_contracts(session: Session, now: datetime, publisher: Publisher, notice: Notice) -> None:
    """A customer whose contract ended drops out, recorded (R17). The last day is one of the customer's own zone."""
    rows = session.execute(
        select(NoticeCustomer, Customer)
        .join(Customer, Customer.id == NoticeCustomer.customer_id)
        .where(
            NoticeCustomer.notice_id == notice.id,
            NoticeCustomer.state != "dropped",
            Customer.contract_until.is_not(None),
        )
    ).all()
    for standing, customer in rows:
        zone = Terms.model_validate(standing.terms).time_zone
        if customer.contract_until is not None and customer.contract_until < local_date(now, zone):
            standing.state = "dropped"
            standing.basis = f"contract ended on {customer.contract_until.isoformat()}"
            record_event(
                session,
                now,
                WORKER,
                "customer.dropped",
                subject=("notice", notice.number),
                publisher_id=publisher.id,
                customer_id=customer.id,
            )


def deem_receipts(session: Session, now: datetime, notice: Notice) -> None:
    """Start the clock of customers nobody can reach, where their contract has a clause for it (R13)."""
    waiting = session.scalars(
        select(NoticeCustomer).where(NoticeCustomer.notice_id == notice.id, NoticeCustomer.state == "waiting")
    ).all()
    for standing in waiting:
        terms = Terms.model_validate(standing.terms)
        if terms.undeliverable == "hold":
            continue
        tried = session.execute(
            select(Delivery.state, func.max(Attempt.finished_at))
            .join(Statement, Statement.id == Delivery.statement_id)
            .join(Subscription, Subscription.id == Delivery.subscription_id)
            .outerjoin(Attempt, Attempt.delivery_id == Delivery.id)
            .where(
                Statement.notice_id == notice.id,
                Statement.kind == StatementKind.ANNOUNCEMENT.value,
                Subscription.customer_id == standing.customer_id,
            )
            .group_by(Delivery.id, Delivery.state)
        ).all()
        tried_at = max((at for _, at in tried if at is not None), default=None)
        every = bool(tried) and all(state in FINAL_WITHOUT_RECEIPT for state, _ in tried)
        deemed_at = plan_deemed_receipt_at(tried_at, terms, every_contact_tried=every) if tried_at else None
        if deemed_at is not None and deemed_at <= now:
            start_clock(standing, deemed_at, state="deemed")
            standing.basis = terms.undeliverable.clause
            record_event(
                session,
                now,
                WORKER,
                "customer.deemed",
                subject=("notice", notice.number),
                publisher_id=notice.publisher_id,
                customer_id=standing.customer_id,
            )
