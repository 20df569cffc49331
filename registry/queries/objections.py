"""The inbox of objections and one objection whole: who objects to what, until when, and what it does to the notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, case, exists, func, select
from sqlalchemy.orm import Session

from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.objections import OPEN_OBJECTION_STATES, ObjectionState
from registry.domain.standings import NO_LONGER_HOLDING, StandingState
from registry.domain.terms import find_terms, find_zone
from registry.domain.vocabulary import Weight
from registry.steps.objection_period import last_day_of
from registry.tables import Customer, Notice, NoticeChange, NoticeCustomer, Objection, Publisher

BEGINNING: Final = 160
"""Characters of a ground that the inbox shows."""

_OPEN = Objection.state.in_([state.value for state in OPEN_OBJECTION_STATES])
_PENDING = Notice.state.in_([state.value for state in PENDING_STATES])
_BINDS = exists().where(NoticeChange.notice_id == Notice.id, NoticeChange.weight == Weight.BINDING.value)


@dataclass(frozen=True)
class ObjectionFilter:
    """Which objections are shown: `show` is open, late, closed or all; by a notice's number and a customer's key."""

    show: str = "open"
    notice: str | None = None
    customer: str | None = None


@dataclass(frozen=True)
class ListedObjection:
    """One objection in the inbox. Instants are UTC; `last_on` is a date of the customer's own `zone`."""

    id: int
    customer_key: str
    customer: str
    number: str
    notice_state: str
    effective_on: date | None
    received_at: datetime
    last_on: date | None
    zone: str
    is_in_time: bool
    state: str
    is_open: bool
    holds: bool
    ground: str | None
    is_cut: bool


@dataclass(frozen=True)
class ObjectionCounts:
    """How many objections there are of each sort, whatever else is filtered by."""

    open: int
    late: int
    all: int


def list_objections(
    session: Session, publisher: Publisher, wanted: ObjectionFilter, page: int, size: int
) -> list[ListedObjection]:
    """Return one page of the inbox, with one row more than `size` where another page follows.

    Open ones come first, by the day on which the notice they are about takes effect, and among those the oldest. One
    that keeps a notice from any date at all comes before them.
    """
    query = _inbox().where(Objection.publisher_id == publisher.id, *_narrow(wanted))
    is_first = case((_OPEN, 0), else_=1)
    rows = session.execute(
        query.order_by(
            is_first,
            case((and_(_OPEN, _PENDING), 0), else_=1),
            case((_OPEN, Notice.effective_at)).asc().nulls_first(),
            case((_OPEN, Objection.received_at)).asc().nulls_last(),
            Objection.resolved_at.desc().nulls_last(),
            Objection.id.desc(),
        )
        .offset((page - 1) * size)
        .limit(size + 1)
    )
    return [_listed(row) for row in rows]


def count_objections(session: Session, publisher: Publisher) -> ObjectionCounts:
    """Count the publisher's objections for the inbox's filters, in one query."""
    row = session.execute(
        select(
            func.count(case((_OPEN, 1))),
            func.count(case((Objection.is_in_time.is_(False), 1))),
            func.count(Objection.id),
        ).where(Objection.publisher_id == publisher.id)
    ).one()
    return ObjectionCounts(*row)


def _inbox() -> Select[Any]:
    return (
        select(
            Objection.id,
            Objection.received_at,
            Objection.deadline_at,
            Objection.is_in_time,
            Objection.state,
            func.substr(Objection.ground, 1, BEGINNING + 1).label("ground"),
            Customer.key.label("customer_key"),
            Customer.name.label("customer"),
            Notice.number,
            Notice.state.label("notice_state"),
            Notice.effective_on,
            Notice.emergency_reason,
            Notice.terms.label("own_terms"),
            NoticeCustomer.state.label("standing"),
            NoticeCustomer.terms,
            _BINDS.label("binds"),
        )
        .join(Notice, Notice.id == Objection.notice_id)
        .join(Customer, Customer.id == Objection.customer_id)
        .outerjoin(
            NoticeCustomer,
            and_(NoticeCustomer.notice_id == Notice.id, NoticeCustomer.customer_id == Objection.customer_id),
        )
    )


def _narrow(wanted: ObjectionFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.show == "open":
        conditions.append(_OPEN)
    elif wanted.show == "late":
        conditions.append(Objection.is_in_time.is_(False))
    elif wanted.show == "closed":
        conditions.append(~_OPEN)
    if wanted.notice:
        conditions.append(Notice.number == wanted.notice)
    if wanted.customer:
        conditions.append(Customer.key == wanted.customer)
    return conditions


def _listed(row: Any) -> ListedObjection:
    terms = row.terms if row.standing is not None else row.own_terms
    zone = find_zone(terms, row.own_terms["time_zone"])
    is_open = ObjectionState(row.state) in OPEN_OBJECTION_STATES
    holds = (
        is_open
        and row.is_in_time
        and NoticeState(row.notice_state) in PENDING_STATES
        and row.emergency_reason is None
        and bool(row.binds)
        and row.standing is not None
        and row.standing not in (*NO_LONGER_HOLDING, StandingState.DROPPED)
        and ((own := find_terms(terms)) is None or own.objection == "hold")
    )
    return ListedObjection(
        id=row.id,
        customer_key=row.customer_key,
        customer=row.customer,
        number=row.number,
        notice_state=row.notice_state,
        effective_on=row.effective_on,
        received_at=row.received_at,
        last_on=last_day_of(row.deadline_at, zone),
        zone=zone,
        is_in_time=row.is_in_time,
        state=row.state,
        is_open=is_open,
        holds=holds,
        ground=" ".join(row.ground[:BEGINNING].split()) if row.ground is not None else None,
        is_cut=row.ground is not None and len(row.ground) > BEGINNING,
    )


def list_announced(session: Session, publisher: Publisher, most: int = 100) -> Sequence[Any]:
    """Return the notices that somebody may have objected to, the newest first: number, summary and state."""
    return session.execute(
        select(Notice.number, Notice.summary, Notice.state)
        .where(Notice.publisher_id == publisher.id, Notice.announced_at.is_not(None))
        .order_by(Notice.announced_at.desc(), Notice.id.desc())
        .limit(most)
    ).all()


def list_customers_to_choose(session: Session, publisher: Publisher, most: int = 300) -> Sequence[Any]:
    """Return the first customers by name, key and name each, to be suggested while one is typed."""
    return session.execute(
        select(Customer.key, Customer.name)
        .where(Customer.publisher_id == publisher.id)
        .order_by(Customer.name, Customer.key)
        .limit(most)
    ).all()
