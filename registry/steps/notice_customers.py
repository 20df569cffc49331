"""Customers of a notice whose contract ended, and those whose receipt is deemed."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState
from registry.domain.notices import local_date, plan_deemed_receipt_at
from registry.domain.standings import StandingState, with_basis
from registry.domain.terms import find_terms
from registry.steps.receipts import start_clock, starts_clocks
from registry.steps.record import WORKER, record_event
from registry.tables import Attempt, Customer, Delivery, Notice, NoticeCustomer, Publisher, Subscription

FINAL_WITHOUT_RECEIPT = (
    DeliveryState.FAILED.value,
    DeliveryState.BOUNCED.value,
    DeliveryState.SKIPPED.value,
    DeliveryState.NEEDS_ATTENTION.value,
)


DROPPED_OUT: Final = "customer.dropped"


def drop_ended_contracts(session: Session, now: datetime, publisher: Publisher, notice: Notice) -> None:
    """A customer whose contract ended drops out, recorded (R17). The last day is one of the customer's own zone.

    One whose terms cannot be read stays and holds: nobody can say in which zone its last day ended.
    """
    rows = session.execute(
        select(NoticeCustomer, Customer)
        .join(Customer, Customer.id == NoticeCustomer.customer_id)
        .where(
            NoticeCustomer.notice_id == notice.id,
            NoticeCustomer.state != StandingState.DROPPED.value,
            Customer.contract_until.is_not(None),
        )
        # A letter may be settling at this moment, and must not undo what is written here.
        .with_for_update(of=NoticeCustomer, key_share=True)
    ).all()
    for standing, customer in rows:
        terms = find_terms(standing.terms)
        if terms is None or customer.contract_until is None:
            continue
        if customer.contract_until < local_date(now, terms.time_zone):
            record_event(
                session,
                now,
                WORKER,
                DROPPED_OUT,
                subject=("notice", notice.number),
                publisher_id=publisher.id,
                customer_id=customer.id,
                was=standing.state,
            )
            standing.state = StandingState.DROPPED.value
            standing.basis = with_basis(standing.basis, f"contract ended on {customer.contract_until.isoformat()}")


def deem_receipts(session: Session, now: datetime, notice: Notice) -> None:
    """Start the clock of customers nobody can reach, where their contract has a clause for it (R13)."""
    waiting = session.scalars(
        select(NoticeCustomer)
        .where(NoticeCustomer.notice_id == notice.id, NoticeCustomer.state == StandingState.WAITING.value)
        .with_for_update(key_share=True)
    ).all()
    for standing in waiting:
        terms = find_terms(standing.terms)
        if terms is None or terms.undeliverable == "hold":
            continue
        # Only a try that began counts as one: a letter that could not be made, or a row let go, proves nothing tried.
        really = and_(Attempt.delivery_id == Delivery.id, Attempt.send_started_at.is_not(None))
        tried = session.execute(
            select(Delivery.state, func.max(Attempt.finished_at))
            .join(Subscription, Subscription.id == Delivery.subscription_id)
            .outerjoin(Attempt, really)
            .where(
                Delivery.statement_id == starts_clocks(notice.id).scalar_subquery(),
                Subscription.customer_id == standing.customer_id,
            )
            .group_by(Delivery.id, Delivery.state)
        ).all()
        tried_at = max((at for _, at in tried if at is not None), default=None)
        every = bool(tried) and all(
            state in FINAL_WITHOUT_RECEIPT and (at is not None or state == DeliveryState.SKIPPED.value)
            for state, at in tried
        )
        deemed_at = plan_deemed_receipt_at(tried_at, terms, every_contact_tried=every) if tried_at else None
        if deemed_at is not None and deemed_at <= now:
            start_clock(standing, deemed_at, state=StandingState.DEEMED.value)
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
