"""What became of a notice: its statements, what was sent to whom and when, and who holds it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange
from registry.domain.deliveries import OUTBOX, TAKEN_STATES
from registry.domain.effect import Hold
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.terms import find_terms, find_zone
from registry.steps.approvals import COMMAND_LINE
from registry.steps.lookup import read_facts
from registry.steps.revise_draft import list_changes
from registry.steps.take_effect import find_holds
from registry.tables import (
    Address,
    Approval,
    Attempt,
    Customer,
    Delivery,
    Event,
    Notice,
    NoticeCustomer,
    Objection,
    Publisher,
    Statement,
    Subscription,
)


@dataclass(frozen=True)
class AttemptStatus:
    """One try: when it began and ended (UTC), over which road, the bytes' SHA-256, and the answer."""

    n: int
    road: str
    started_at: datetime | None
    finished_at: datetime | None
    sha256: str | None
    answer_class: str | None
    code: int | None
    answer: str | None


@dataclass(frozen=True)
class DeliveryStatus:
    """One statement to one recipient. `address` is None once erased. `due_at` counts while it waits.

    `delivery` is its number, by which the worker's log names it.
    """

    delivery: int
    statement: int
    kind: str
    audience: str
    customer: str | None
    address: str | None
    state: str
    skip_reason: str | None
    note: str | None
    due_at: datetime | None
    accepted_at: datetime | None
    delivered_at: datetime | None
    deadline_at: datetime | None
    message_id: str | None
    possible_duplicate: bool
    attempts: tuple[AttemptStatus, ...]

    @property
    def is_in_outbox(self) -> bool:
        """Whether it was written to the outbox, and taken by no server, whatever its state (R12)."""
        return self.state in TAKEN_STATES and bool(self.attempts) and self.attempts[-1].road == OUTBOX


@dataclass(frozen=True)
class CustomerStatus:
    """How one customer stands: received when, clock run when (UTC), and by which basis where a person decided."""

    key: str
    name: str
    state: str
    time_zone: str
    notice_days: int | None
    received_at: datetime | None
    earliest_at: datetime | None
    objection_ends_at: datetime | None
    basis: str | None


@dataclass(frozen=True)
class NoticeStatus:
    """The whole of one notice for those who run it. Instants are UTC, `effective_on` a date of `time_zone`."""

    publisher: str
    number: str
    state: str
    time_zone: str
    planned_on: date
    effective_on: date | None
    effective_at: datetime | None
    announce_at: datetime | None
    announced_at: datetime | None
    took_effect_at: datetime | None
    withdrawn_at: datetime | None
    emergency_reason: str | None
    digest: str
    approved_by: tuple[str, ...]
    changes: tuple[EntryChange, ...]
    holds: tuple[Hold, ...]
    customers: tuple[CustomerStatus, ...]
    statements: tuple[tuple[int, str, datetime], ...]
    deliveries: tuple[DeliveryStatus, ...]
    objections: tuple[tuple[str | None, str, bool, datetime], ...]
    events: tuple[tuple[datetime, str, str, dict[str, object]], ...]


def load_notice_status(session: Session, now: datetime, publisher: Publisher, notice: Notice) -> NoticeStatus:
    """Load everything on record of a notice. Holds are those as things stand, also before its day."""
    facts = read_facts(session, publisher)
    is_pending = NoticeState(notice.state) in PENDING_STATES
    approvals = session.scalars(
        select(Approval)
        .where(Approval.subject == "notice", Approval.subject_id == notice.id, Approval.digest == notice.digest)
        .order_by(Approval.id)
    )
    statements = session.scalars(select(Statement).where(Statement.notice_id == notice.id).order_by(Statement.seq))
    events = session.scalars(
        select(Event)
        .where(Event.publisher_id == publisher.id, Event.subject_kind == "notice", Event.subject == notice.number)
        .order_by(Event.id)
    )
    objections = session.execute(
        select(Objection, Customer.name)
        .outerjoin(Customer, Customer.id == Objection.customer_id)
        .where(Objection.notice_id == notice.id)
        .order_by(Objection.id)
    )
    return NoticeStatus(
        publisher=publisher.slug,
        number=notice.number,
        state=notice.state,
        time_zone=facts.time_zone,
        planned_on=notice.planned_on,
        effective_on=notice.effective_on,
        effective_at=notice.effective_at,
        announce_at=notice.announce_at,
        announced_at=notice.announced_at,
        took_effect_at=notice.took_effect_at,
        withdrawn_at=notice.withdrawn_at,
        emergency_reason=notice.emergency_reason,
        digest=notice.digest,
        approved_by=tuple(_approver(approval) for approval in approvals),
        changes=tuple(EntryChange.from_document(row.change) for row in list_changes(session, notice)),
        holds=find_holds(session, now, notice) if is_pending else (),
        customers=_customers(session, notice),
        statements=tuple((each.seq, each.kind, each.made_at) for each in statements),
        deliveries=_deliveries(session, notice),
        objections=tuple((name, row.state, row.is_in_time, row.received_at) for row, name in objections),
        events=tuple((event.at, event.actor, event.kind, event.payload) for event in events),
    )


def _approver(approval: Approval) -> str:
    """Name who approved, marked where the name was only claimed, on the command line (R16)."""
    return f"{approval.actor} ({COMMAND_LINE})" if approval.via == COMMAND_LINE else approval.actor


def _customers(session: Session, notice: Notice) -> tuple[CustomerStatus, ...]:
    rows = session.execute(
        select(NoticeCustomer, Customer.key, Customer.name)
        .join(Customer, Customer.id == NoticeCustomer.customer_id)
        .where(NoticeCustomer.notice_id == notice.id)
        .order_by(Customer.key)
    )
    return tuple(
        CustomerStatus(
            key=key,
            name=name,
            state=row.state,
            time_zone=find_zone(row.terms, notice.terms["time_zone"]),
            notice_days=terms.days if (terms := find_terms(row.terms)) else None,
            received_at=row.received_at,
            earliest_at=row.earliest_at,
            objection_ends_at=row.objection_ends_at,
            basis=row.basis,
        )
        for row, key, name in rows
    )


def _deliveries(session: Session, notice: Notice) -> tuple[DeliveryStatus, ...]:
    rows = session.execute(
        select(Delivery, Statement.seq, Statement.kind, Subscription.audience, Customer.key, Address.value)
        .join(Statement, Statement.id == Delivery.statement_id)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Address, Address.id == Subscription.address_id)
        .outerjoin(Customer, Customer.id == Subscription.customer_id)
        .where(Statement.notice_id == notice.id)
        .order_by(Statement.seq, Subscription.audience, Delivery.id)
    ).all()
    attempts: dict[int, list[AttemptStatus]] = {}
    tried = session.scalars(
        select(Attempt)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .join(Statement, Statement.id == Delivery.statement_id)
        .where(Statement.notice_id == notice.id)
        .order_by(Attempt.delivery_id, Attempt.n)
    )
    for each in tried:
        status = AttemptStatus(
            each.n,
            each.channel,
            each.send_started_at,
            each.finished_at,
            each.sha256,
            each.answer_class,
            each.code,
            each.answer,
        )
        attempts.setdefault(each.delivery_id, []).append(status)
    return tuple(
        DeliveryStatus(
            delivery=delivery.id,
            statement=seq,
            kind=kind,
            audience=audience,
            customer=customer,
            address=address,
            state=delivery.state,
            skip_reason=delivery.skip_reason,
            note=delivery.note,
            due_at=delivery.due_at if delivery.state in {"pending", "retry_wait", "ambiguous"} else None,
            accepted_at=delivery.accepted_at,
            delivered_at=delivery.delivered_at,
            deadline_at=delivery.deadline_at,
            message_id=delivery.message_id,
            possible_duplicate=delivery.possible_duplicate,
            attempts=tuple(attempts.get(delivery.id, ())),
        )
        for delivery, seq, kind, audience, customer, address in rows
    )
