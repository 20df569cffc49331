"""What needs a person at one publisher now: facts in a fixed number of queries, whatever the size of the list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, and_, case, cast, exists, func, literal, null, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.objections import OPEN_OBJECTION_STATES
from registry.domain.transfers import find_ground_end, grounds_that_end
from registry.steps.propose import CORRECTED, CORRECTION_PROPOSED, OVERRIDE_PROPOSED
from registry.steps.propose_terms import ANSWERS as TERMS_ANSWERS
from registry.steps.propose_terms import PROPOSED as TERMS_PROPOSED
from registry.steps.record_objection import HOLDING
from registry.tables import (
    Customer,
    Entry,
    EntryInternal,
    EntryVersion,
    Event,
    ListPeriod,
    Notice,
    NoticeChange,
    NoticeCustomer,
    Objection,
    PendingEdit,
    Proposal,
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
class SecondYes:
    """Something one person proposed that waits for another: `settings`, a customer's shorter `terms`, a `correction`
    of a notice, or an `override` of a customer's hold on one. `subject` is its key, of an override `number/customer`.
    """

    kind: str
    subject: str
    proposed_by: str
    proposed_at: datetime


@dataclass(frozen=True)
class Today:
    """Everything that needs a person now."""

    waiting: tuple[WaitingNotice, ...]
    pending: tuple[PendingNotice, ...]
    objections: tuple[OpenObjection, ...]
    tasks: tuple[OpenTask, ...]
    second_yes: tuple[SecondYes, ...]
    loose_edits: int
    reviews: tuple[DueEntry, ...]
    grounds: tuple[DueEntry, ...]


def load_today(session: Session, now: datetime, today: date, publisher: Publisher) -> Today:
    """Load what needs a person at `now` (UTC), which is the date `today` in the publisher's zone."""
    second_yes, loose_edits = _second_yes(session, publisher)
    return Today(
        waiting=_waiting(session, publisher),
        pending=_pending(session, now, publisher),
        objections=_objections(session, publisher),
        tasks=_tasks(session, publisher),
        second_yes=second_yes,
        loose_edits=loose_edits,
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


def _second_yes(session: Session, publisher: Publisher) -> tuple[tuple[SecondYes, ...], int]:
    """Find what waits for a second person, and count the edits no notice tells of, in one query."""
    of_record = (Event.subject, Event.actor, Event.at)
    customer = and_(
        Event.subject == Notice.number + "/" + Customer.key,
        NoticeCustomer.notice_id == Notice.id,
        NoticeCustomer.customer_id == Customer.id,
        NoticeCustomer.state.in_(HOLDING),
    )
    is_pending = and_(Notice.publisher_id == publisher.id, Notice.state.in_([state.value for state in PENDING_STATES]))
    nobody: tuple[ColumnElement[Any], ...] = (null(), literal(publisher.created_at, Event.at.type))
    carried = exists().where(NoticeChange.entry_id == PendingEdit.entry_id, NoticeChange.is_open)
    loose = (
        select(cast(func.count(), Text))
        .select_from(PendingEdit)
        .where(PendingEdit.publisher_id == publisher.id, ~carried)
    )
    rows = session.execute(
        union_all(
            select(literal("settings"), Proposal.subject, Proposal.author, Proposal.made_at).where(
                Proposal.publisher_id == publisher.id, Proposal.closed_at.is_(None)
            ),
            select(literal("terms"), *of_record).where(_last_of(publisher, TERMS_PROPOSED, *TERMS_ANSWERS)),
            select(literal("correction"), *of_record)
            .join(Notice, and_(is_pending, Notice.number == Event.subject))
            .where(_last_of(publisher, CORRECTION_PROPOSED, CORRECTED)),
            select(literal("override"), *of_record).where(_last_of(publisher, OVERRIDE_PROPOSED), is_pending, customer),
            select(literal("loose"), loose.scalar_subquery(), *nobody),
        )
    ).all()
    found = [SecondYes(kind, subject, actor.rpartition(" (")[0] or actor, at) for kind, subject, actor, at in rows[:-1]]
    return tuple(sorted(found, key=lambda each: each.proposed_at)[:MOST]), int(rows[-1][1])


def _last_of(publisher: Publisher, proposed: str, *answers: str) -> ColumnElement[bool]:
    """On what an event is the last of its subject: somebody proposed it, and nobody proposed or did it since."""
    later = aliased(Event)
    answered = exists().where(
        later.publisher_id == publisher.id,
        later.subject_kind == Event.subject_kind,
        later.subject == Event.subject,
        later.kind.in_([proposed, *answers]),
        later.id > Event.id,
    )
    return and_(Event.publisher_id == publisher.id, Event.kind == proposed, ~answered)


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
