"""Tasks for the team: what needs a person, once per subject while it is open, and on record when it opens and closes.

Most tasks open and close by what is true (`registry.steps.watch`); those that state something which happened stay
until a person closes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from registry.domain.errors import RegistryError
from registry.domain.text import refuse_unclean
from registry.steps.insert_once import insert_once
from registry.steps.record import WORKER, Actor, record_event
from registry.tables import Publisher, Task

NO_LONGER_TRUE: Final = "no-longer-true"
"""Why a task closed by itself."""
BY_A_PERSON: Final = "by-a-person"
"""What the record says of a person's reason: their own words may name people (R39)."""


class TaskKind(StrEnum):
    """What a task is about. A step may open others; what it opens needs a sentence in `registry.steps.task_words`."""

    CUSTOMER_NOT_REACHED = "customer_not_reached"
    CUSTOMER_NOT_TOLD = "customer_not_told"
    CONTRACT_RUNS_AGAIN = "contract_runs_again"
    TERMS_UNREADABLE = "terms_unreadable"
    NEEDS_ATTENTION = "needs_attention"
    NOTICE_OVERDUE = "notice_overdue"
    PROVIDER_BLOCKED = "provider_blocked"
    MAIL_STANDS_STILL = "mail_stands_still"
    HEARTBEAT_LATE = "heartbeat_late"
    CALLBACK_UNMATCHED = "callback_unmatched"
    RECIPIENTS_MISSING = "recipients_missing"
    ADDRESS_FAILS = "address_fails"
    MAIL_TO_READ = "mail_to_read"
    OWNER_NOT_TOLD = "owner_not_told"


CLOSE_BY_THEMSELVES: Final = frozenset(
    {
        TaskKind.CUSTOMER_NOT_REACHED.value,
        TaskKind.TERMS_UNREADABLE.value,
        TaskKind.NOTICE_OVERDUE.value,
        TaskKind.PROVIDER_BLOCKED.value,
        TaskKind.MAIL_STANDS_STILL.value,
        TaskKind.HEARTBEAT_LATE.value,
    }
)
"""No person closes these: what they say would still be true, and a duty would go out of sight."""


class UnknownTask(RegistryError):
    """There is no task of this number. Params: number."""

    code = "unknown-task"


class TaskClosed(RegistryError):
    """The task was closed before. Params: number, closed_at."""

    code = "task-closed"


class TaskClosesItself(RegistryError):
    """The task closes once what it says is no longer true, and not by a person's word. Params: number, kind."""

    code = "task-closes-itself"


@dataclass(frozen=True)
class ListedTask:
    """A task with the slug of the publisher it is about, None where it is about the installation."""

    task: Task
    publisher: str | None


def open_task(
    session: Session,
    now: datetime,
    kind: str,
    *,
    subject: tuple[str, str],
    publisher_id: int | None = None,
    due_at: datetime | None = None,
    actor: Actor = WORKER,
    **facts: object,
) -> Task:
    """Open a task, or bring the one that is open for this subject up to date, and return it.

    `subject` is its kind and a key that no other publisher has. `due_at` (UTC) is when it is too late, None where
    nothing ends. `facts` are values of JSON and hold no personal data. Only the opening is an event.
    """
    values = {
        "publisher_id": publisher_id,
        "kind": str(kind),
        "subject_kind": subject[0],
        "subject": subject[1],
        "facts": facts,
        "opened_at": now,
        "due_at": due_at,
    }
    is_new = insert_once(session, Task, values)
    task = session.scalars(
        select(Task)
        .where(
            Task.kind == str(kind),
            Task.subject_kind == subject[0],
            Task.subject == subject[1],
            Task.closed_at.is_(None),
        )
        .execution_options(populate_existing=True)
    ).one()
    if is_new:
        record_event(
            session,
            now,
            actor,
            "task.opened",
            subject=("task", str(task.id)),
            publisher_id=publisher_id,
            task=str(kind),
            about=list(subject),
            due_at=due_at.isoformat() if due_at else None,
            facts=facts,
        )
    elif (task.due_at, task.facts) != (due_at, facts):
        task.due_at, task.facts = due_at, facts
    session.flush()
    return task


def close_task(session: Session, now: datetime, task: Task, actor: Actor, because: str) -> bool:
    """Close a task, and return False where it was closed already. `because` is a code, or a person's own words."""
    closed = session.scalar(
        update(Task)
        .where(Task.id == task.id, Task.closed_at.is_(None))
        .values(closed_at=now, closed_by=str(actor), closed_because=because)
        .returning(Task.id)
        .execution_options(synchronize_session="fetch")
    )
    if closed is None:
        return False
    record_event(
        session,
        now,
        actor,
        "task.closed",
        subject=("task", str(task.id)),
        publisher_id=task.publisher_id,
        task=task.kind,
        about=[task.subject_kind, task.subject],
        because=because if actor == WORKER else BY_A_PERSON,
    )
    session.flush()
    return True


def close_task_by_hand(session: Session, now: datetime, number: int, actor: Actor, reason: str) -> Task:
    """Close a task by a person's word, with their reason.

    Raises `UnknownTask`, `TaskClosed`, `TaskClosesItself`, and `InvalidInput` for a reason that cannot be shown.
    """
    refuse_unclean(reason=reason)
    task = session.get(Task, number)
    if task is None:
        raise UnknownTask(number=number)
    if task.closed_at is None and task.kind in CLOSE_BY_THEMSELVES:
        raise TaskClosesItself(number=number, kind=task.kind)
    if not close_task(session, now, task, actor, reason):
        session.refresh(task)
        raise TaskClosed(number=number, closed_at=task.closed_at)
    return task


def find_closed_by_hand(session: Session, kind: TaskKind, subject: str | None = None) -> dict[str, datetime]:
    """Return when (UTC) a person last closed the tasks of a kind, by subject; of one subject alone if it is given."""
    query = select(Task.subject, func.max(Task.closed_at)).where(
        Task.kind == kind.value, Task.closed_because != NO_LONGER_TRUE
    )
    if subject is not None:
        query = query.where(Task.subject == subject)
    return {about: at for about, at in session.execute(query.group_by(Task.subject)) if at is not None}


def list_tasks(
    session: Session, *, publisher: Publisher | None = None, include_closed: bool = False
) -> list[ListedTask]:
    """Return tasks, what is too late soonest first, then the oldest; closed ones last, if they are wanted."""
    query = (
        select(Task, Publisher.slug)
        .outerjoin(Publisher, Publisher.id == Task.publisher_id)
        .order_by(Task.closed_at.is_not(None), Task.due_at.is_(None), Task.due_at, Task.id)
    )
    if publisher is not None:
        query = query.where(Task.publisher_id == publisher.id)
    if not include_closed:
        query = query.where(Task.closed_at.is_(None))
    return [ListedTask(task, slug) for task, slug in session.execute(query)]


def count_open_tasks(session: Session) -> dict[str, int]:
    """Return how many tasks of each kind are open."""
    rows = session.execute(select(Task.kind, func.count()).where(Task.closed_at.is_(None)).group_by(Task.kind))
    return {row[0]: row[1] for row in rows}
