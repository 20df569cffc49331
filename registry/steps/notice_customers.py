"""Customers of a notice who come and go: contracts that ended, receipt that is deemed, and one that was forgotten."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, func, select, update
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState, SkipReason
from registry.domain.errors import IllegalTransition
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.notices import local_date, plan_deemed_receipt_at
from registry.domain.standings import StandingState
from registry.domain.terms import find_terms
from registry.steps.errors import ContractNotRunning
from registry.steps.lookup import get_customer, list_running_customers, lock_publisher, read_facts
from registry.steps.make_statement import TOLD_TO_JOINERS, deliver_notice_to
from registry.steps.receipts import start_clock, starts_clocks, update_clock
from registry.steps.record import WORKER, Actor, record_event
from registry.tables import Attempt, Customer, Delivery, Notice, NoticeCustomer, Publisher, Statement, Subscription

FINAL_WITHOUT_RECEIPT = (
    DeliveryState.FAILED.value,
    DeliveryState.BOUNCED.value,
    DeliveryState.SKIPPED.value,
    DeliveryState.NEEDS_ATTENTION.value,
)


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
            standing.state = StandingState.DROPPED.value
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


def add_forgotten_customer(
    session: Session, now: datetime, publisher: Publisher, notice: Notice, customer_key: str, actor: Actor
) -> NoticeCustomer:
    """Add a customer that a pending notice should have concerned, and tell its contacts (R17).

    It holds the notice from now on, with the terms that count for it now; a letter that reached it already counts. One
    that stands in the notice stays as it is, but for terms that cannot be read: they are set anew, by those that count
    for it now, and its clock runs by them from the receipt on record. One that dropped out is back. Raises
    `IllegalTransition` for a notice that is not pending, `UnknownCustomer`, and `ContractNotRunning`.
    """
    lock_publisher(session, publisher, notice)
    if NoticeState(notice.state) not in PENDING_STATES:
        raise IllegalTransition(machine="notice", state=notice.state, event="add_customer")
    customer = get_customer(session, publisher, customer_key)
    standing = session.get(NoticeCustomer, (notice.id, customer.id))
    is_readable = standing is not None and find_terms(standing.terms) is not None
    if standing is not None and standing.state != StandingState.DROPPED and is_readable:
        return standing
    running = list_running_customers(session, publisher, read_facts(session, publisher).notice, now)
    terms = next((value.terms for row, value in running if row.id == customer.id), None)
    if terms is None:
        raise ContractNotRunning(customer=customer_key)
    if standing is None:
        standing = NoticeCustomer(
            notice_id=notice.id,
            customer_id=customer.id,
            publisher_id=publisher.id,
            terms=terms.model_dump(mode="json"),
            state=StandingState.WAITING.value,
        )
        session.add(standing)
    elif not is_readable:
        standing.terms = terms.model_dump(mode="json")
        start_clock(standing, standing.received_at, state=standing.state)
    if standing.state == StandingState.DROPPED:
        standing.state, standing.basis = StandingState.WAITING.value, None
    session.flush()
    record_event(
        session,
        now,
        actor,
        "customer.added_to_notice",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        customer_id=customer.id,
    )
    contacts = session.scalars(
        select(Subscription).where(Subscription.customer_id == customer.id).order_by(Subscription.rank, Subscription.id)
    ).all()
    _undo_skips(session, now, notice, [contact.id for contact in contacts])
    for contact in contacts:
        deliver_notice_to(session, now, notice, contact)
    update_clock(session, now, standing)
    session.flush()
    return standing


def _undo_skips(session: Session, now: datetime, notice: Notice, contacts: list[int]) -> None:
    """Let the letters go that were skipped because the contract seemed to have ended; none of them was tried."""
    of_notice = select(Statement.id).where(Statement.notice_id == notice.id, Statement.kind.in_(TOLD_TO_JOINERS))
    session.execute(
        update(Delivery)
        .where(
            Delivery.statement_id.in_(of_notice),
            Delivery.subscription_id.in_(contacts),
            Delivery.state == DeliveryState.SKIPPED.value,
            Delivery.skip_reason == SkipReason.CONTRACT_ENDED.value,
        )
        .values(state=DeliveryState.PENDING.value, skip_reason=None, due_at=now)
    )
