"""Telling operators: an alert for each open task by another road than the mail, and a ping while all is well.

Nothing is open in the database while the other side is spoken to. A task counts as told only once it was heard, so what
fails is told at the next slot, and one alert too many is possible where one too few is not.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from registry.channels.alerts import AlertRoad, NotHeard
from registry.steps.sweep_slots import is_any_failing, take_this_slot
from registry.steps.task_words import say_remedy, say_task, say_time_left
from registry.steps.tasks import ListedTask
from registry.steps.watch import HEARTBEAT_LATE_AFTER
from registry.tables import Installation, Publisher, Task
from registry.tables.engine import reading, writing

PING: Final = "ping"
PING_EVERY: Final = timedelta(minutes=1)
MOST_OF_A_KIND: Final = 5
"""Alerts about one kind of task at a time. More than these are one alert together: a flood hides what it says."""

# No fact should hold one. What leaves the house is looked at once more all the same.
_ADDRESS: Final = re.compile(r"[^\s@<>,;:/]+@[^\s@<>,;:/]+")

logger = logging.getLogger("registry.alerts")


def send_alerts(engine: Engine, clock: Callable[[], datetime], road: AlertRoad, base_url: str) -> dict[str, int]:
    """Tell operators of every open task they have not heard of; return how many tasks were told, and not heard.

    Sends nothing where no address is set. After the first alert that is not heard the rest waits for the next slot.
    """
    counts = {"told": 0, "not_heard": 0}
    if road.alert_url is None:
        return counts
    with reading(engine) as session:
        waiting = _find_untold(session)
    for group in _in_groups(waiting):
        now = clock()
        try:
            road.alert(_document(group, now, base_url))
        except NotHeard as why:
            logger.warning("alert-not-heard", extra={"facts": {"why": str(why), "tasks": len(waiting)}})
            counts["not_heard"] = len(waiting) - counts["told"]
            break
        with writing(engine) as session:
            ids = [each.task.id for each in group]
            session.execute(update(Task).where(Task.id.in_(ids), Task.alerted_at.is_(None)).values(alerted_at=now))
        counts["told"] += len(group)
    return counts


def send_ping(engine: Engine, clock: Callable[[], datetime], road: AlertRoad, is_well: Callable[[], bool]) -> bool:
    """Say once a minute that all is well, and return whether that was heard.

    It stays away where `is_well` says no of this worker, where the last run of any sweep failed, by whichever worker,
    where the heartbeat is late, and where the database takes no writing: taking the minute's slot is the proof of it.
    """
    if road.ping_url is None or not is_well():
        return False
    with writing(engine) as session:
        now = clock()
        beat_at = session.scalar(select(Installation.heartbeat_at))
        if beat_at is None or abs(now - beat_at) > HEARTBEAT_LATE_AFTER:
            return False
        if is_any_failing(session):
            return False
        if not take_this_slot(session, now, PING, PING_EVERY):
            return False
    try:
        road.ping()
    except NotHeard as why:
        logger.warning("ping-not-heard", extra={"facts": {"why": str(why)}})
        return False
    return True


def _find_untold(session: Session) -> list[ListedTask]:
    rows = session.execute(
        select(Task, Publisher.slug)
        .outerjoin(Publisher, Publisher.id == Task.publisher_id)
        .where(Task.closed_at.is_(None), Task.alerted_at.is_(None))
        .order_by(Task.kind, Task.due_at.is_(None), Task.due_at, Task.id)
    )
    return [ListedTask(task, slug) for task, slug in rows]


def _in_groups(tasks: Sequence[ListedTask]) -> Iterator[list[ListedTask]]:
    for _, same in groupby(tasks, key=lambda each: each.task.kind):
        group = list(same)
        if len(group) > MOST_OF_A_KIND:
            yield group
        else:
            yield from ([each] for each in group)


def _document(group: Sequence[ListedTask], now: datetime, base_url: str) -> dict[str, object]:
    first = group[0]
    task, slug = first.task, first.publisher
    said = say_task(task.kind, slug, task.facts)
    parts = [said]
    if task.due_at is not None:
        parts.append(f"{say_time_left(task.due_at, now).capitalize()} (until {_stamp(task.due_at)}).")
    if len(group) > 1:
        parts.append(f"And {len(group) - 1} more of the kind: registry task list shows all.")
    elif remedy := say_remedy(task.kind, slug, task.facts):
        parts.append(remedy)
    return {
        "text": _without_addresses(" ".join(parts)),
        "kind": task.kind,
        "subject": _without_addresses(f"{task.subject_kind} {task.subject}"),
        "publisher": slug,
        "tasks": [each.task.id for each in group],
        "opened_at": _stamp(task.opened_at),
        "due_at": _stamp(task.due_at) if task.due_at is not None else None,
        "at": _stamp(now),
        "installation": base_url,
    }


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _without_addresses(text: str) -> str:
    return _ADDRESS.sub("(address)", text)
