"""What needs a person at one publisher now: facts in a fixed number of queries, whatever the size of the list."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Text, and_, cast, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from registry.domain.changes import diff_entry
from registry.domain.objections import OPEN_OBJECTION_STATES
from registry.domain.transfers import find_ground_end, grounds_that_end
from registry.domain.vocabulary import Weight
from registry.queries.open_notices import PendingNotice, WaitingNotice, load_open_notices
from registry.queries.second_person import WaitingProposal, list_waiting_proposals
from registry.steps.lookup import read_content
from registry.tables import (
    Customer,
    Entry,
    EntryInternal,
    EntryVersion,
    ListPeriod,
    Notice,
    NoticeChange,
    Objection,
    PendingEdit,
    Publisher,
    Task,
)

MOST: Final = 50
"""Rows of one kind that are shown; the screens behind them show all."""
LOOK_AHEAD: Final = timedelta(days=30)
"""How long before a review, a ground's end or an effect it is shown."""


@dataclass(frozen=True)
class WaitingEdits:
    """Edits in no open notice: `loose` ones, of which nobody will hear, and `editorial` ones to be approved."""

    loose: int
    editorial: int


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
    customer_key: str | None


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
    proposals: tuple[WaitingProposal, ...]
    edits: WaitingEdits
    reviews: tuple[DueEntry, ...]
    grounds: tuple[DueEntry, ...]


def load_today(session: Session, now: datetime, today: date, publisher: Publisher, me: str) -> Today:
    """Load what needs a person at `now` (UTC), which is the date `today` in the publisher's zone, as `me` sees it."""
    waiting, pending = load_open_notices(session, now, publisher, me, MOST)
    reviews, grounds = _entries_due(session, today, publisher)
    return Today(
        waiting=waiting,
        pending=pending,
        objections=_objections(session, publisher),
        tasks=_tasks(session, publisher),
        proposals=list_waiting_proposals(session, publisher),
        edits=_edits(session, publisher),
        reviews=reviews,
        grounds=grounds,
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
        OpenTask(task.kind, task.facts | ({"customer": name} if name else {}), task.due_at, task.facts.get("customer"))
        for task, name in rows
    )


def _edits(session: Session, publisher: Publisher) -> WaitingEdits:
    """Count the edits that wait and stand in no open notice, those apart that only wait to be approved (R3)."""
    wanted, current = aliased(EntryVersion), aliased(EntryVersion)
    carried = exists().where(NoticeChange.entry_id == PendingEdit.entry_id, NoticeChange.is_open)
    rows = session.execute(
        select(wanted, current, func.count().over())
        .select_from(PendingEdit)
        .join(wanted, wanted.id == PendingEdit.version_id)
        .outerjoin(ListPeriod, and_(ListPeriod.entry_id == PendingEdit.entry_id, ListPeriod.to_at.is_(None)))
        .outerjoin(current, current.id == ListPeriod.version_id)
        .where(PendingEdit.publisher_id == publisher.id, ~carried)
        .order_by(PendingEdit.entry_id)
        .limit(MOST)
    ).all()
    changes = [diff_entry("", read_content(before), read_content(after)) for after, before, _ in rows]
    editorial = sum(change is not None and change.weight is Weight.EDITORIAL for change in changes)
    if not publisher.facts.get("approvals_required"):
        editorial = 0
    return WaitingEdits(loose=(rows[0][2] if rows else 0) - editorial, editorial=editorial)


def _entries_due(
    session: Session, today: date, publisher: Publisher
) -> tuple[tuple[DueEntry, ...], tuple[DueEntry, ...]]:
    """Find the entries on the list whose review is due, and the transfers whose ground is.

    A ground is due that has ended, ends soon, or was never checked though it must be.
    """
    document = cast(EntryVersion.document, Text)
    rests_on_one = or_(*(document.contains(json.dumps(mechanism)) for mechanism in grounds_that_end()))
    rows = session.execute(
        select(Entry.key, EntryVersion.document, EntryInternal.review_due_on)
        .join(ListPeriod, ListPeriod.entry_id == Entry.id)
        .join(EntryVersion, EntryVersion.id == ListPeriod.version_id)
        .outerjoin(EntryInternal, EntryInternal.entry_id == Entry.id)
        .where(
            Entry.publisher_id == publisher.id,
            ListPeriod.to_at.is_(None),
            or_(EntryInternal.review_due_on <= today + LOOK_AHEAD, rests_on_one),
        )
    ).all()
    reviews = [
        DueEntry(key, content["name"], due_on)
        for key, content, due_on in rows
        if due_on is not None and due_on <= today + LOOK_AHEAD
    ]
    grounds = [
        DueEntry(key, content["name"], None if end == date.min else end, transfer["mechanism"])
        for key, content, _ in rows
        for transfer in content.get("transfers") or ()
        if (end := _end_of(transfer)) is not None and end <= today + LOOK_AHEAD
    ]
    return _soonest(reviews), _soonest(grounds)


def _soonest(found: list[DueEntry]) -> tuple[DueEntry, ...]:
    return tuple(sorted(found, key=lambda each: (each.ends_on or date.min, each.key))[:MOST])


def _end_of(transfer: dict[str, Any]) -> date | None:
    checked = transfer.get("checked_on")
    checked_on = date.fromisoformat(checked) if checked else None
    return find_ground_end(transfer.get("mechanism") or "", transfer.get("destination"), checked_on)
