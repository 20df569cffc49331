"""What becomes of a notice's letters: how far they are, each of them, and one with all that is known of it.

Counts are grouped by the database, and lists are cut to a page by it: what is loaded does not grow with the list of
recipients.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, Select, and_, case, func, or_, select, text
from sqlalchemy.orm import Session

from registry.domain.deliveries import ON_ITS_WAY, OUTBOX, DeliveryState
from registry.domain.vocabulary import Audience
from registry.tables import (
    Address,
    Attempt,
    Customer,
    Delivery,
    Notice,
    Outcome,
    Publisher,
    Statement,
    Subscription,
)
from registry.tables.deliveries import TO_CONTACTS

RETRYING = (DeliveryState.RETRY_WAIT, DeliveryState.AMBIGUOUS)
TAKEN = (DeliveryState.ACCEPTED, DeliveryState.DELIVERED)
REFUSED = (DeliveryState.FAILED, DeliveryState.BOUNCED)


@dataclass
class Tally:
    """How many letters are in each state, those that were skipped by their reason apart.

    `not_sent` of those taken were written to the outbox, and went to nobody (R12).
    """

    states: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    not_sent: int = 0

    def of(self, *states: DeliveryState | str) -> int:
        """Return how many letters are in one of these states."""
        return sum(self.states[str(state)] for state in states)

    @property
    def letters(self) -> int:
        """All letters that were to be sent."""
        return self.states.total()

    @property
    def taken(self) -> int:
        """Letters that a server took, whether it reported since or not."""
        return self.of(*TAKEN)

    @property
    def under_way(self) -> int:
        """Letters that wait, are being sent, or will be tried again."""
        return self.of(*ON_ITS_WAY)

    def add(self, state: str, skip_reason: str | None, count: int, *, in_outbox: bool) -> None:
        """Count letters of one state; `in_outbox`: their last try was written there."""
        if in_outbox and state in {each.value for each in TAKEN}:
            self.not_sent += count
        if skip_reason is None:
            self.states[state] += count
        else:
            self.skipped[skip_reason] += count


@dataclass
class StatementProgress:
    """One statement of a notice, and how far its letters are, in whole and by audience. `made_at` is UTC."""

    id: int
    seq: int
    kind: str
    made_at: datetime
    all: Tally = field(default_factory=Tally)
    by_audience: dict[Audience, Tally] = field(default_factory=dict)


@dataclass
class Progress:
    """How far a notice's letters are, in whole and by statement. A server last took one at `last_taken_at` (UTC)."""

    statements: list[StatementProgress] = field(default_factory=list)
    all: Tally = field(default_factory=Tally)
    last_taken_at: datetime | None = None

    @property
    def is_under_way(self) -> bool:
        """Whether anything may still change by itself."""
        return self.all.under_way > 0


def count_progress(session: Session, notice: Notice) -> Progress:
    """Count a notice's letters by statement, audience and state, in one query."""
    is_contact = case((text(f"deliveries.{TO_CONTACTS}"), 1), else_=0)
    in_outbox = case((Attempt.channel == OUTBOX, 1), else_=0)
    rows = session.execute(
        select(
            Statement.id,
            Statement.seq,
            Statement.kind,
            Statement.made_at,
            Delivery.state,
            Delivery.skip_reason,
            is_contact,
            in_outbox,
            func.count(Delivery.id),
            func.max(Delivery.accepted_at),
        )
        .outerjoin(Delivery, Delivery.statement_id == Statement.id)
        .outerjoin(Attempt, is_last_try())
        .where(Statement.notice_id == notice.id)
        .group_by(
            Statement.id,
            Statement.seq,
            Statement.kind,
            Statement.made_at,
            Delivery.state,
            Delivery.skip_reason,
            is_contact,
            in_outbox,
        )
        .order_by(Statement.seq, is_contact.desc())
    )
    progress = Progress()
    for row, seq, kind, made_at, state, skip_reason, of_contact, outboxed, count, taken_at in rows:
        if not progress.statements or progress.statements[-1].id != row:
            progress.statements.append(StatementProgress(row, seq, kind, made_at))
        if state is None:
            continue
        statement = progress.statements[-1]
        audience = Audience.CUSTOMER if of_contact else Audience.FOLLOWER
        for tally in (progress.all, statement.all, statement.by_audience.setdefault(audience, Tally())):
            tally.add(state, skip_reason, count, in_outbox=bool(outboxed))
        if taken_at is not None:
            progress.last_taken_at = max(taken_at, progress.last_taken_at or taken_at)
    return progress


@dataclass(frozen=True)
class DeliveryFilter:
    """Which deliveries of a notice are wanted; what is None or empty limits nothing.

    `customer` is a part of a customer's key or name, `statement` a statement's number in the notice.
    """

    state: DeliveryState | None = None
    audience: Audience | None = None
    channel: str | None = None
    customer: str = ""
    statement: int | None = None

    @property
    def is_set(self) -> bool:
        """Whether anything is limited."""
        return self != DeliveryFilter()


@dataclass(frozen=True)
class ListedDelivery:
    """One delivery as a list shows it. `address` is None once erased; `due_at` (UTC) counts while it waits.

    `road`, `tried_at`, `answer_class`, `code` and `answer` are of the last try.
    """

    id: int
    seq: int | None
    kind: str | None
    audience: str
    customer_key: str | None
    customer_name: str | None
    address: str | None
    channel: str
    state: str
    skip_reason: str | None
    note: str | None
    tries: int
    due_at: datetime
    created_at: datetime
    accepted_at: datetime | None
    delivered_at: datetime | None
    possible_duplicate: bool
    message_id: str | None
    road: str | None
    tried_at: datetime | None
    answer_class: str | None
    code: int | None
    answer: str | None


def list_deliveries(
    session: Session, progress: Progress, wanted: DeliveryFilter, number: int, size: int
) -> list[ListedDelivery]:
    """Return a page of a notice's deliveries and one more where another follows: contacts first, then by their turn."""
    chosen = (
        choose_deliveries(progress, wanted)
        .order_by(Delivery.priority, Delivery.id)
        .offset((number - 1) * size)
        .limit(size + 1)
        .subquery()
    )
    rows = session.execute(describe_deliveries().join(chosen, chosen.c.id == Delivery.id))
    return [read_listed(row) for row in sorted(rows, key=lambda row: (row.priority, row.id))]


def choose_deliveries(progress: Progress, wanted: DeliveryFilter) -> Select[int]:
    """Choose the ids of a notice's deliveries that a filter leaves."""
    statements = [each.id for each in progress.statements if wanted.statement in (None, each.seq)]
    query = select(Delivery.id).where(Delivery.statement_id.in_(statements))
    if wanted.state is not None:
        query = query.where(Delivery.state == wanted.state.value)
    if wanted.audience is not None:
        not_of = "" if wanted.audience is Audience.CUSTOMER else "NOT "
        query = query.where(text(f"{not_of}deliveries.{TO_CONTACTS}"))
    if wanted.channel:
        query = query.where(Delivery.channel == wanted.channel)
    if wanted.customer:
        query = query.join(Subscription, Subscription.id == Delivery.subscription_id).join(
            Customer, Customer.id == Subscription.customer_id
        )
        query = query.where(_names_customer(wanted.customer))
    return query


def _names_customer(part: str) -> ColumnElement[bool]:
    return or_(
        Customer.key.icontains(part, autoescape=True),
        Customer.name.icontains(part, autoescape=True),
    )


_DESCRIBED: Final[tuple[Any, ...]] = (
    Delivery.id,
    Statement.seq,
    Statement.kind,
    Subscription.audience,
    Customer.key,
    Customer.name,
    Address.value,
    Delivery.channel,
    Delivery.state,
    Delivery.skip_reason,
    Delivery.note,
    Delivery.attempt_count,
    Delivery.due_at,
    Delivery.created_at,
    Delivery.accepted_at,
    Delivery.delivered_at,
    Delivery.possible_duplicate,
    Delivery.message_id,
    Attempt.channel,
    Attempt.send_started_at,
    Attempt.answer_class,
    Attempt.code,
    Attempt.answer,
    Delivery.priority,
)


def describe_deliveries() -> Select[Any]:
    """The columns of `ListedDelivery`, and the priority, of deliveries yet to be chosen."""
    return (
        select(*_DESCRIBED)
        .select_from(Delivery)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Address, Address.id == Subscription.address_id)
        .outerjoin(Statement, Statement.id == Delivery.statement_id)
        .outerjoin(Customer, Customer.id == Subscription.customer_id)
        .outerjoin(Attempt, is_last_try())
    )


def is_last_try() -> ColumnElement[bool]:
    """Return the condition that a try (`Attempt`) is the last one of a delivery (`Delivery`)."""
    return and_(Attempt.delivery_id == Delivery.id, Attempt.n == Delivery.attempt_count)


def read_listed(row: Row[Any]) -> ListedDelivery:
    """Return a row of `describe_deliveries` as a value."""
    return ListedDelivery(*tuple(row)[:-1])


def find_customer_names(session: Session, publisher_id: int, keys: Collection[str]) -> dict[str, str]:
    """Return the names of a publisher's customers by their keys."""
    if not keys:
        return {}
    query = select(Customer.key, Customer.name).where(Customer.publisher_id == publisher_id, Customer.key.in_(keys))
    return {row.key: row.name for row in session.execute(query)}


def find_delivery(session: Session, publisher: Publisher, number: int) -> Delivery | None:
    """Return one delivery of the publisher, or None where it has none of this number."""
    return session.scalar(select(Delivery).where(Delivery.publisher_id == publisher.id, Delivery.id == number))


def list_attempts(session: Session, delivery: Delivery) -> list[Attempt]:
    """Return every try at a delivery, the first one first."""
    return list(session.scalars(select(Attempt).where(Attempt.delivery_id == delivery.id).order_by(Attempt.n)))


def list_outcomes(session: Session, delivery: Delivery) -> list[Outcome]:
    """Return what was reported of a delivery later, the first report first."""
    query = select(Outcome).where(Outcome.publisher_id == delivery.publisher_id, Outcome.delivery_id == delivery.id)
    return list(session.scalars(query.order_by(Outcome.happened_at, Outcome.id)))


@dataclass(frozen=True)
class ContactTold:
    """A contact of a customer, and what it was sent of one statement. `delivery_id` is None where nothing was."""

    subscription_id: int
    name: str | None
    address: str
    channel: str
    is_standby: bool
    delivery_id: int | None
    state: str | None
    skip_reason: str | None

    @property
    def can_be_told(self) -> bool:
        """Whether the statement can still be sent here: nothing was made for it, or it stands by."""
        return self.delivery_id is None or (self.state == DeliveryState.SKIPPED.value and self.skip_reason == "standby")


def list_contacts_told(session: Session, customer_id: int, statement_id: int) -> list[ContactTold]:
    """Return a customer's standing contacts in their order, each with what it was sent of a statement."""
    rows = session.execute(
        select(
            Subscription.id,
            Subscription.name,
            Address.value,
            Address.channel,
            Subscription.is_standby,
            Delivery.id,
            Delivery.state,
            Delivery.skip_reason,
        )
        .join(Address, Address.id == Subscription.address_id)
        .outerjoin(Delivery, and_(Delivery.subscription_id == Subscription.id, Delivery.statement_id == statement_id))
        .where(
            Subscription.customer_id == customer_id,
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
            Address.value.is_not(None),
        )
        .order_by(Subscription.rank, Subscription.id)
    )
    return [
        ContactTold(row, name, address or "", channel, is_standby, delivery, state, skip_reason)
        for row, name, address, channel, is_standby, delivery, state, skip_reason in rows
    ]


def list_sent_to(session: Session, notice: Notice, customer_id: int) -> list[ListedDelivery]:
    """Return what was sent of a notice to a customer's contacts, statement by statement."""
    query = describe_deliveries().where(Statement.notice_id == notice.id, Subscription.customer_id == customer_id)
    return [read_listed(row) for row in session.execute(query.order_by(Statement.seq, Delivery.id))]
