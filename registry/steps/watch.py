"""What needs a person right now: opens a task for each thing that is so, and closes it once it is so no more.

    find what is so ──▶ no task open yet: open one
                   └──▶ a task open for what is so no more: close it

It runs over the whole database as it stands, so it may run twice, late or beside another worker.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import BigInteger, Engine, String, and_, cast, exists, func, or_, select, text
from sqlalchemy.orm import Session

from registry.domain.notice_life import NoticeState
from registry.steps.contract_runs_again import find_contracts_that_run_again
from registry.steps.one_by_one import NoteTrouble, find_in_one
from registry.steps.record import WORKER
from registry.steps.standstill import KnownStandstill, does_mail_wait, find_mail_road, find_standstill
from registry.steps.sweep_slots import shared_clock
from registry.steps.tasks import NO_LONGER_TRUE, TaskKind, close_task, find_closed_by_hand, open_task
from registry.steps.unreached import find_unreached, find_unreadable_terms
from registry.steps.untold import OpenTask, find_untold
from registry.tables import (
    Attempt,
    Delivery,
    Installation,
    Letter,
    Notice,
    Outcome,
    ProviderPacing,
    Publisher,
    Statement,
    Task,
)
from registry.tables.engine import reading, writing

OVERDUE_AFTER: Final = timedelta(hours=1)
STANDS_STILL_AFTER: Final = timedelta(minutes=30)
SEEN_AGAIN_AFTER: Final = timedelta(minutes=15)
"""So often it is noted that mail was seen to stand still yet: not at every look, for that would be a write each."""
BLOCKED_FOR: Final = timedelta(minutes=30)
CALM_AFTER: Final = timedelta(minutes=10)
"""A provider that was asked again and took letters for as long has forgiven."""
UNMATCHED_AFTER: Final = timedelta(hours=1)
HEARTBEAT_LATE_AFTER: Final = timedelta(minutes=2)
"""Longer than the heartbeat can wait for a busy SQLite database, twice over."""

LONG_AGO: Final = datetime(1970, 1, 1, tzinfo=UTC)
MOST_AT_A_TIME: Final = 1_000
"""Letters whose tasks are opened or closed in one run; the rest waits for the next."""
LETTER: Final = "delivery"
# The index of what needs attention is used only by queries that say these very words.
NEEDS_A_PERSON = text("deliveries.state = 'needs_attention'")


@dataclass(frozen=True)
class _Condition:
    """One thing that is so now, and the task it asks for."""

    kind: TaskKind
    subject: tuple[str, str]
    publisher_id: int | None = None
    due_at: datetime | None = None
    facts: dict[str, object] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.kind.value, *self.subject)

    def is_as(self, task: Task | None) -> bool:
        """Return whether an open task says just this."""
        return task is not None and (task.due_at, task.facts) == (self.due_at, self.facts)


_Standing = dict[tuple[str, str, str], Task]
"""Open tasks by kind and subject."""


def watch(engine: Engine, clock: Callable[[], datetime]) -> dict[str, int]:
    """Open the tasks that are missing and close those that are no longer true; return how many of each.

    It looks without keeping any writer waiting, and writes only where something differs. `clock` gives aware UTC.
    Where one thing cannot be looked at, tasks of its kind stay as they are, the others are looked at all the same, and
    the error is raised at the end.
    """
    now = clock()
    troubles: list[Exception] = []
    with reading(engine) as session:
        standing = _find_standing(session)
        wanted, unsure = _find(session, now, standing, troubles)
        wanted_keys = {condition.key for condition in wanted}
        missing = [each for each in wanted if not each.is_as(standing.get(each.key))]
        over = [task.id for key, task in standing.items() if key not in wanted_keys and task.kind not in unsure]
        missing += _letters_without_a_task(session)
        over += _tasks_without_a_letter(session)
    opened = closed = 0
    if missing or over:
        with writing(engine) as session:
            for each in missing:
                opened += each.key not in standing
                open_task(
                    session,
                    now,
                    each.kind,
                    subject=each.subject,
                    publisher_id=each.publisher_id,
                    due_at=each.due_at,
                    actor=WORKER,
                    **each.facts,
                )
            for task_id in over:
                closed += close_task(session, now, session.get_one(Task, task_id), WORKER, NO_LONGER_TRUE)
    if troubles:
        raise troubles[0]
    return {"opened": opened, "closed": closed}


def _find(
    session: Session, now: datetime, standing: _Standing, troubles: list[Exception]
) -> tuple[list[_Condition], set[str]]:
    """Return what is so now, and the kinds of task of which not everything could be looked at."""
    finders: dict[TaskKind, Callable[[], Iterable[_Condition]]] = {
        TaskKind.CUSTOMER_NOT_REACHED: lambda: _customers_not_reached(session, now, standing, troubles.append),
        TaskKind.CUSTOMER_NOT_TOLD: lambda: _customers_not_told(session, now, standing, troubles.append),
        TaskKind.CONTRACT_RUNS_AGAIN: lambda: _contracts_that_run_again(session, now, standing, troubles.append),
        TaskKind.TERMS_UNREADABLE: lambda: _unreadable_terms(session),
        TaskKind.NOTICE_OVERDUE: lambda: _overdue_notices(session, now),
        TaskKind.PROVIDER_BLOCKED: lambda: _blocked_providers(session, now),
        TaskKind.MAIL_STANDS_STILL: lambda: _standing_mail(session, now, standing),
        TaskKind.HEARTBEAT_LATE: lambda: _late_heartbeat(session, now),
        TaskKind.CALLBACK_UNMATCHED: lambda: _unmatched_callbacks(session, now),
    }
    found: list[_Condition] = []
    unsure: set[str] = set()
    for kind, find in finders.items():
        before = len(troubles)
        found += find_in_one(find, troubles.append)
        if len(troubles) > before:
            unsure.add(kind.value)
    return found, unsure


def _find_standing(session: Session) -> _Standing:
    """Return the open tasks of the kinds that are found by what is so. Letters that need a person are found apart."""
    kinds = (
        *(TaskKind.CUSTOMER_NOT_REACHED, TaskKind.CUSTOMER_NOT_TOLD, TaskKind.CONTRACT_RUNS_AGAIN),
        *(TaskKind.TERMS_UNREADABLE, TaskKind.NOTICE_OVERDUE),
        *(TaskKind.PROVIDER_BLOCKED, TaskKind.MAIL_STANDS_STILL),
        *(TaskKind.HEARTBEAT_LATE, TaskKind.CALLBACK_UNMATCHED),
    )
    tasks = session.scalars(select(Task).where(Task.kind.in_(kinds), Task.closed_at.is_(None)).order_by(Task.id))
    return {(task.kind, task.subject_kind, task.subject): task for task in tasks}


def _customers_not_reached(
    session: Session, now: datetime, standing: _Standing, note_trouble: NoteTrouble
) -> Iterator[_Condition]:
    of_kind = [task for task in standing.values() if task.kind == TaskKind.CUSTOMER_NOT_REACHED.value]
    known = {task.subject: task.facts.get("why") for task in of_kind}
    for each in find_unreached(session, now, note_trouble, known):
        yield _Condition(
            TaskKind.CUSTOMER_NOT_REACHED,
            each.subject,
            each.publisher_id,
            each.latest_receipt_at,
            {
                "notice": each.notice,
                "customer": each.customer,
                "why": each.why.value,
                "contacts": each.contacts,
                "time_zone": each.time_zone,
            },
        )


def _customers_not_told(
    session: Session, now: datetime, standing: _Standing, note_trouble: NoteTrouble
) -> Iterator[_Condition]:
    """Customers that did not get what a notice said. What a person has closed stays so until a further try fails."""
    open_tasks = [
        OpenTask(task.publisher_id, task.facts["notice"], task.facts["customer"], task.facts["statement"])
        for task in standing.values()
        if task.kind == TaskKind.CUSTOMER_NOT_TOLD.value
    ]
    seen_at = find_closed_by_hand(session, TaskKind.CUSTOMER_NOT_TOLD)
    for each in find_untold(session, now, note_trouble, open_tasks):
        if not each.was_seen_to(seen_at.get(each.subject[1])):
            yield _Condition(TaskKind.CUSTOMER_NOT_TOLD, each.subject, each.publisher_id, facts=each.facts)


def _contracts_that_run_again(
    session: Session, now: datetime, standing: _Standing, note_trouble: NoteTrouble
) -> Iterator[_Condition]:
    """Customers that a notice leaves out though their contract runs. What a person has closed stays so until news."""
    kind = TaskKind.CONTRACT_RUNS_AGAIN
    known = [(task.publisher_id, task.facts["notice"]) for task in standing.values() if task.kind == kind.value]
    seen_at = find_closed_by_hand(session, kind)
    for each in find_contracts_that_run_again(session, now, note_trouble, known):
        if not each.was_seen_to(seen_at.get(each.subject[1])):
            yield _Condition(kind, each.subject, each.publisher_id, each.due_at, each.facts)


def _unreadable_terms(session: Session) -> Iterator[_Condition]:
    for each in find_unreadable_terms(session):
        subject = ("customer", f"{each.publisher}/{each.notice}/{each.customer}")
        facts: dict[str, object] = {"notice": each.notice, "customer": each.customer}
        yield _Condition(TaskKind.TERMS_UNREADABLE, subject, each.publisher_id, facts=facts)


def _overdue_notices(session: Session, now: datetime) -> Iterator[_Condition]:
    """A notice whose hour has come and passed, and that is neither announced, in effect nor held."""
    not_taken = and_(Notice.state == NoticeState.ANNOUNCED.value, Notice.effective_at < now - OVERDUE_AFTER)
    not_told = and_(Notice.state == NoticeState.PUBLISHED.value, Notice.announce_at < now - OVERDUE_AFTER)
    rows = session.execute(
        select(Notice, Publisher.slug)
        .join(Publisher, Publisher.id == Notice.publisher_id)
        .where(or_(not_taken, not_told))
        .order_by(Notice.id)
    )
    for notice, slug in rows:
        is_told = notice.state == NoticeState.ANNOUNCED.value
        was_due_at = notice.effective_at if is_told else notice.announce_at
        facts: dict[str, object] = {"notice": notice.number, "what": "effect" if is_told else "announcement"}
        subject = ("notice", f"{slug}/{notice.number}")
        yield _Condition(TaskKind.NOTICE_OVERDUE, subject, notice.publisher_id, was_due_at, facts)


def _blocked_providers(session: Session, now: datetime) -> Iterator[_Condition]:
    """A provider that asked to be left alone for more than half an hour, until letters go again."""
    at = shared_clock(session, now)
    has_task = exists().where(
        Task.kind == TaskKind.PROVIDER_BLOCKED.value, Task.subject == ProviderPacing.account, Task.closed_at.is_(None)
    )
    rows = session.scalars(
        select(ProviderPacing)
        .where(
            or_(
                ProviderPacing.blocked_until > at + BLOCKED_FOR,
                and_(ProviderPacing.blocked_until > at - CALM_AFTER, has_task),
            )
        )
        .order_by(ProviderPacing.account)
    )
    for row in rows:
        until = row.blocked_until.isoformat() if row.blocked_until else None
        facts: dict[str, object] = {"account": row.account, "until": until}
        yield _Condition(TaskKind.PROVIDER_BLOCKED, ("provider", row.account), facts=facts)


def _standing_mail(session: Session, now: datetime, standing: _Standing) -> Iterator[_Condition]:
    """A mail server or provider that takes no letter of anybody's, and has not for half an hour, while some wait."""
    road = find_mail_road(session) if does_mail_wait(session) else None
    if road is None:
        return
    subject = ("road", road)
    task = standing.get((TaskKind.MAIL_STANDS_STILL.value, *subject))
    known, noted = None, None
    if task is not None:
        # The last look stands in the task itself: this sweep may have been away for hours since.
        noted = task.facts.get("seen_at")
        seen_at = datetime.fromisoformat(noted) if noted else task.opened_at
        known = KnownStandstill(datetime.fromisoformat(task.facts["since"]), min(seen_at, now))
        if now - seen_at >= SEEN_AGAIN_AFTER:
            noted = now.isoformat()
    since = find_standstill(session, road, known)
    if since is not None and since <= now - STANDS_STILL_AFTER:
        facts: dict[str, object] = {"road": road, "since": since.isoformat()}
        yield _Condition(TaskKind.MAIL_STANDS_STILL, subject, facts=facts | ({"seen_at": noted} if noted else {}))


def _late_heartbeat(session: Session, now: datetime) -> Iterator[_Condition]:
    """This sweep runs and the heartbeat does not: the worker is ill, or has just come back after a silence."""
    # A beat from ahead was made by a clock that was wrong, and is no sign of life until it comes.
    is_late = or_(
        Installation.heartbeat_at < now - HEARTBEAT_LATE_AFTER, Installation.heartbeat_at > now + HEARTBEAT_LATE_AFTER
    )
    installation = session.scalar(select(Installation).where(is_late))
    if installation is not None and installation.heartbeat_at is not None:
        facts: dict[str, object] = {"since": installation.heartbeat_at.isoformat()}
        yield _Condition(TaskKind.HEARTBEAT_LATE, ("installation", installation.installation_id), facts=facts)


def _unmatched_callbacks(session: Session, now: datetime) -> Iterator[_Condition]:
    """Reports that no letter of ours is known for, a task for each provider. What a person has seen does not count."""
    seen_at = find_closed_by_hand(session, TaskKind.CALLBACK_UNMATCHED)
    # What came in the last hour before a person closed the task was not in it yet.
    seen_until = {provider: closed_at - UNMATCHED_AFTER for provider, closed_at in seen_at.items()}
    unmatched = (Outcome.delivery_id.is_(None), Outcome.recorded_at < now - UNMATCHED_AFTER)
    for provider in session.scalars(select(Outcome.provider).where(*unmatched).distinct().order_by(Outcome.provider)):
        count = session.scalars(
            select(func.count()).where(
                *unmatched,
                Outcome.provider == provider,
                Outcome.recorded_at >= seen_until.get(provider, LONG_AGO),
            )
        ).one()
        if count:
            facts: dict[str, object] = {"provider": provider, "count": count}
            yield _Condition(TaskKind.CALLBACK_UNMATCHED, ("provider", provider), facts=facts)


def _letters_without_a_task(session: Session) -> list[_Condition]:
    """Letters that need a person and have no task. One that a person has closed stays so until a further try."""
    last_try_at = (
        select(func.max(func.coalesce(Attempt.finished_at, Attempt.claimed_at)))
        .where(Attempt.delivery_id == Delivery.id)
        .correlate(Delivery)
        .scalar_subquery()
    )
    is_known = exists().where(
        Task.kind == TaskKind.NEEDS_ATTENTION.value,
        Task.subject_kind == LETTER,
        Task.subject == cast(Delivery.id, String),
        or_(
            Task.closed_at.is_(None),
            and_(Task.closed_because != NO_LONGER_TRUE, or_(last_try_at.is_(None), Task.closed_at >= last_try_at)),
        ),
    )
    rows = session.execute(
        select(Delivery.id, Delivery.publisher_id, Delivery.channel, Delivery.note, Letter.kind, Notice.number)
        .join(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Statement, Statement.id == Delivery.statement_id)
        .outerjoin(Notice, Notice.id == Statement.notice_id)
        .where(NEEDS_A_PERSON, ~is_known)
        .order_by(Delivery.id)
        .limit(MOST_AT_A_TIME)
    )
    return [
        _Condition(
            TaskKind.NEEDS_ATTENTION,
            (LETTER, str(delivery_id)),
            publisher_id,
            facts={
                "notice": number,
                "letter": kind,
                "channel": channel,
                # What stands before a colon is a code; behind it may stand the name of an error.
                "note": (note or "").partition(":")[0] or None,
            },
        )
        for delivery_id, publisher_id, channel, note, kind, number in rows
    ]


def _tasks_without_a_letter(session: Session) -> Sequence[int]:
    needs_one = exists().where(NEEDS_A_PERSON, Delivery.id == cast(Task.subject, BigInteger))
    return session.scalars(
        select(Task.id)
        .where(
            Task.kind == TaskKind.NEEDS_ATTENTION.value,
            Task.subject_kind == LETTER,
            Task.closed_at.is_(None),
            ~needs_one,
        )
        .order_by(Task.id)
        .limit(MOST_AT_A_TIME)
    ).all()
