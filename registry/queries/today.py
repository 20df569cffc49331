"""What needs a person at one publisher now: facts in a fixed number of queries, whatever the size of the list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Text, and_, case, cast, exists, func, or_, select
from sqlalchemy.orm import Session

from registry.domain.notice_life import NoticeState
from registry.domain.objections import OPEN_OBJECTION_STATES
from registry.domain.transfers import find_ground_end, grounds_that_end
from registry.tables import (
    Customer,
    Entry,
    EntryInternal,
    EntryVersion,
    ListPeriod,
    Notice,
    NoticeChange,
    NoticeCustomer,
    Objection,
    PendingEdit,
    Publisher,
    Task,
)

MOST: Final = 50
"""Rows of one kind that are shown; the screens behind them show all."""
LOOK_AHEAD: Final = timedelta(days=30)
"""How long before a review, a ground's end or an effect it is shown."""

_OF_A_PERSON: Final = (NoticeState.DRAFT, NoticeState.SUBMITTED, NoticeState.APPROVED)
_PENDING: Final = (NoticeState.PUBLISHED, NoticeState.ANNOUNCED, NoticeState.HELD)


@dataclass(frozen=True)
class WaitingNotice:
    """A notice that a person moves on: draft, submitted or approved. `authors` are those who do not approve it."""

    number: str
    state: str
    summary: str
    planned_on: date
    authors: frozenset[str]


@dataclass(frozen=True)
class PendingNotice:
    """A published notice: how many of its customers have not received it, and whose clocks or objections hold it."""

    number: str
    state: str
    summary: str
    announce_at: datetime | None
    effective_on: date | None
    customers: int
    not_received: int
    clocks_running: int
    clocks_end_at: datetime | None
    open_objections: int


@dataclass(frozen=True)
class OpenObjection:
    """An objection nobody has resolved, and whether it came in time to hold its notice."""

    id: int
    customer: str | None
    number: str
    state: str
    is_in_time: bool
    received_at: datetime


@dataclass(frozen=True)
class OpenTask:
    """An open task of the team; its facts name customers by name. `due_at` (UTC) is when it is too late."""

    kind: str
    facts: dict[str, Any]
    due_at: datetime | None


@dataclass(frozen=True)
class DueEntry:
    """An entry whose review, or the ground of one of its transfers, is due; `ends_on` None: it was never checked."""

    key: str
    name: str
    ends_on: date | None
    mechanism: str | None = None


@dataclass(frozen=True)
class Today:
    """Everything that needs a person now."""

    waiting: tuple[WaitingNotice, ...]
    pending: tuple[PendingNotice, ...]
    objections: tuple[OpenObjection, ...]
    tasks: tuple[OpenTask, ...]
    loose_edits: int
    reviews: tuple[DueEntry, ...]
    grounds: tuple[DueEntry, ...]


def load_today(session: Session, now: datetime, today: date, publisher: Publisher) -> Today:
    """Load what needs a person at `now` (UTC), which is the date `today` in the publisher's zone."""
    return Today(
        waiting=_waiting(session, publisher),
        pending=_pending(session, now, publisher),
        objections=_objections(session, publisher),
        tasks=_tasks(session, publisher),
        loose_edits=_count_loose_edits(session, publisher),
        reviews=_reviews(session, today, publisher),
        grounds=_grounds(session, today, publisher),
    )


def _waiting(session: Session, publisher: Publisher) -> tuple[WaitingNotice, ...]:
    rows = session.scalars(
        select(Notice)
        .where(Notice.publisher_id == publisher.id, Notice.state.in_([state.value for state in _OF_A_PERSON]))
        .order_by(Notice.planned_on, Notice.id)
        .limit(MOST)
    )
    return tuple(
        WaitingNotice(each.number, each.state, each.summary, each.planned_on, frozenset({each.author, *each.authors}))
        for each in rows
    )


def _pending(session: Session, now: datetime, publisher: Publisher) -> tuple[PendingNotice, ...]:
    holds = NoticeCustomer.state.not_in(["exempt", "dropped"])
    runs = holds & NoticeCustomer.earliest_at.is_not(None) & (NoticeCustomer.earliest_at > now)
    objections = (
        select(func.count(Objection.id))
        .where(
            Objection.notice_id == Notice.id,
            Objection.is_in_time,
            Objection.state.in_([state.value for state in OPEN_OBJECTION_STATES]),
        )
        .correlate(Notice)
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            Notice,
            func.count(NoticeCustomer.customer_id),
            func.coalesce(func.sum(case((holds & NoticeCustomer.earliest_at.is_(None), 1), else_=0)), 0),
            func.coalesce(func.sum(case((runs, 1), else_=0)), 0),
            func.max(case((runs, NoticeCustomer.earliest_at))),
            objections,
        )
        .outerjoin(NoticeCustomer, NoticeCustomer.notice_id == Notice.id)
        .where(Notice.publisher_id == publisher.id, Notice.state.in_([state.value for state in _PENDING]))
        .group_by(Notice.id)
        .order_by(Notice.effective_at, Notice.id)
        .limit(MOST)
    )
    return tuple(
        PendingNotice(
            notice.number,
            notice.state,
            notice.summary,
            notice.announce_at if notice.announced_at is None else None,
            notice.effective_on or (notice.planned_on if notice.announced_at is None else None),
            customers,
            not_received,
            clocks_running,
            clocks_end_at,
            open_objections,
        )
        for notice, customers, not_received, clocks_running, clocks_end_at, open_objections in rows
    )


def _objections(session: Session, publisher: Publisher) -> tuple[OpenObjection, ...]:
    rows = session.execute(
        select(Objection, Notice.number, Customer.name)
        .join(Notice, Notice.id == Objection.notice_id)
        .outerjoin(Customer, Customer.id == Objection.customer_id)
        .where(
            Objection.publisher_id == publisher.id,
            Objection.state.in_([state.value for state in OPEN_OBJECTION_STATES]),
        )
        .order_by(Objection.received_at, Objection.id)
        .limit(MOST)
    )
    return tuple(
        OpenObjection(row.id, customer, number, row.state, row.is_in_time, row.received_at)
        for row, number, customer in rows
    )


def _tasks(session: Session, publisher: Publisher) -> tuple[OpenTask, ...]:
    rows = session.execute(
        select(Task, Customer.name)
        .outerjoin(
            Customer, and_(Customer.publisher_id == publisher.id, Customer.key == Task.facts["customer"].as_string())
        )
        .where(Task.publisher_id == publisher.id, Task.closed_at.is_(None))
        .order_by(Task.due_at.is_(None), Task.due_at, Task.id)
        .limit(MOST)
    )
    return tuple(
        OpenTask(task.kind, task.facts | ({"customer": name} if name else {}), task.due_at) for task, name in rows
    )


def _count_loose_edits(session: Session, publisher: Publisher) -> int:
    """Count the edits that wait and stand in no open notice: nobody will ever hear of them."""
    carried = exists().where(NoticeChange.entry_id == PendingEdit.entry_id, NoticeChange.is_open)
    query = select(func.count()).select_from(PendingEdit).where(PendingEdit.publisher_id == publisher.id, ~carried)
    return session.scalar(query) or 0


def _reviews(session: Session, today: date, publisher: Publisher) -> tuple[DueEntry, ...]:
    rows = session.execute(
        select(Entry.key, EntryVersion.document, EntryInternal.review_due_on)
        .join(EntryInternal, EntryInternal.entry_id == Entry.id)
        .join(ListPeriod, ListPeriod.entry_id == Entry.id)
        .join(EntryVersion, EntryVersion.id == ListPeriod.version_id)
        .where(
            Entry.publisher_id == publisher.id,
            ListPeriod.to_at.is_(None),
            EntryInternal.review_due_on <= today + LOOK_AHEAD,
        )
        .order_by(EntryInternal.review_due_on, Entry.key)
        .limit(MOST)
    )
    return tuple(DueEntry(key, document["name"], due_on) for key, document, due_on in rows)


def _grounds(session: Session, today: date, publisher: Publisher) -> tuple[DueEntry, ...]:
    """Find the transfers on the list whose ground has ended, ends soon, or was never checked though it must be."""
    document = cast(EntryVersion.document, Text)
    rests_on_one = or_(*(document.contains(json.dumps(mechanism)) for mechanism in grounds_that_end()))
    rows = session.execute(
        select(Entry.key, EntryVersion.document)
        .join(ListPeriod, ListPeriod.entry_id == Entry.id)
        .join(EntryVersion, EntryVersion.id == ListPeriod.version_id)
        .where(Entry.publisher_id == publisher.id, ListPeriod.to_at.is_(None), rests_on_one)
    )
    found = [
        DueEntry(key, content["name"], None if end == date.min else end, transfer["mechanism"])
        for key, content in rows
        for transfer in content.get("transfers") or ()
        if (end := _end_of(transfer)) is not None and end <= today + LOOK_AHEAD
    ]
    return tuple(sorted(found, key=lambda each: (each.ends_on or date.min, each.key))[:MOST])


def _end_of(transfer: dict[str, Any]) -> date | None:
    checked = transfer.get("checked_on")
    checked_on = date.fromisoformat(checked) if checked else None
    return find_ground_end(transfer.get("mechanism") or "", transfer.get("destination"), checked_on)
