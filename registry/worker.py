"""The worker: the clock by which every sweep runs, and the only import of APScheduler.

```
scheduler ──▶ pulse   heartbeat             one thread each, so that a long run of letters keeps neither the
          ├─▶ sweeps  all but these two      pulse nor the effect of a notice waiting
          └─▶ post    send
```

Each job is an idempotent sweep of `registry.steps.sweeps`: it may run late, twice, or not at all for a day. What a
sweep raises is logged, and its next run is a new try.
"""

from __future__ import annotations

import dataclasses
import fcntl
import json
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TextIO

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy.exc import DBAPIError, OperationalError

from registry import clock
from registry.channels.base import Channel
from registry.steps.installation import dispatch_pause
from registry.steps.sweeps import list_sweeps
from registry.tables.engine import reading
from registry.wiring import Wiring

PULSE: Final = "pulse"
POST: Final = "post"
SWEEPS: Final = "sweeps"

SCHEDULE: Final[dict[str, tuple[timedelta, str]]] = {
    "heartbeat": (timedelta(seconds=10), PULSE),
    "send": (timedelta(seconds=5), POST),
    "announce": (timedelta(seconds=30), SWEEPS),
    "take_effect": (timedelta(seconds=30), SWEEPS),
    "artefacts": (timedelta(seconds=30), SWEEPS),
    "match_outcomes": (timedelta(minutes=1), SWEEPS),
    "recover_leases": (timedelta(minutes=1), SWEEPS),
    "remind": (timedelta(minutes=5), SWEEPS),
    "expire_requests": (timedelta(hours=1), SWEEPS),
}
"""How often each sweep runs, and on which thread."""

LEFT_OUT: Final = {"send_effect": "the same as send; it is there so that one tick also sends what its effects say"}

STALLED_AFTER: Final = timedelta(minutes=2)
"""Longer than the heartbeat can wait for a busy SQLite database, twice over."""

LOOK_EVERY: Final = 0.25
LOCK_NAME: Final = "worker.lock"

logger = logging.getLogger("registry.worker")


class WorkerRunning(Exception):
    """Another worker has the embedded database. `process` is its number where it is known."""

    def __init__(self, lock: Path, process: str) -> None:
        self.lock, self.process = lock, process
        super().__init__(f"{lock} is held by process {process or 'unknown'}")


class StopRequest:
    """Whether the worker is to stop. A plain flag, since a signal may come while a lock of this thread is held."""

    def __init__(self) -> None:
        self.asked = False

    def ask(self, *_: object) -> None:
        """Ask for the stop; usable as a signal's function."""
        self.asked = True


class Pulse:
    """When the scheduler last ran its heartbeat, by this process's monotonic clock."""

    def __init__(self) -> None:
        self._at = time.monotonic()

    def beat(self) -> None:
        """Note that the scheduler runs, whatever the database says."""
        self._at = time.monotonic()

    @property
    def age(self) -> timedelta:
        """How long ago it last ran."""
        return timedelta(seconds=time.monotonic() - self._at)


@contextmanager
def only_worker(instance: Path) -> Iterator[None]:
    """Hold the lock of the one worker that an embedded database has, or raise `WorkerRunning`.

    The lock ends with the process, however that ends. It is the operating system's: what the file says is for people.
    """
    path = instance / LOCK_NAME
    with path.open("a+", encoding="ascii") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise WorkerRunning(path, file.read(20).strip()) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield


def run_worker(
    wiring: Wiring,
    stop: StopRequest,
    *,
    channels: dict[str, Channel] | None = None,
    job_store: MemoryJobStore | None = None,
    stalled_after: timedelta = STALLED_AFTER,
) -> int:
    """Run every sweep at its interval until `stop` is asked for; return 0, or 1 where the scheduler has died.

    On a stop the letter on the wire is finished and settled first. A scheduler's thread that dies leaves no other
    sign, so the age of the last heartbeat tells; whoever started this process starts it again.
    """
    used = wiring.make_channels() if channels is None else channels
    sweeping = dataclasses.replace(wiring.make_sweeping(used), should_stop=lambda: stop.asked)
    sweeps = list_sweeps(sweeping)
    unknown = sweeps.keys() ^ (SCHEDULE.keys() | LEFT_OUT.keys())
    if unknown:
        raise RuntimeError(f"the schedule and the sweeps differ in {', '.join(sorted(unknown))}")
    pulse = Pulse()
    scheduler = _make_scheduler(job_store or MemoryJobStore())
    for name, (every, thread) in SCHEDULE.items():
        job = _make_job(name, sweeps[name], pulse, used)
        trigger = IntervalTrigger(seconds=int(every.total_seconds()), timezone=UTC)
        scheduler.add_job(job, trigger, id=name, executor=thread, next_run_time=clock.now())
    _log(logging.INFO, "worker-started", process=os.getpid(), paused=_why_paused(wiring))
    scheduler.start()
    is_stalled = False
    while not stop.asked and not is_stalled:
        time.sleep(LOOK_EVERY)
        is_stalled = pulse.age > stalled_after
    if is_stalled:
        # Whatever holds the scheduler may hold its locks too, so it is not asked to stop: the process ends around it.
        stop.ask()
        _log(logging.CRITICAL, "scheduler-stalled", heartbeat_age_seconds=round(pulse.age.total_seconds()))
        return 1
    # Paused first, or its thread may hand a job to an executor that takes none any more.
    scheduler.pause()
    scheduler.shutdown(wait=True)
    _log(logging.INFO, "worker-stopped", process=os.getpid())
    return 0


def _make_scheduler(job_store: MemoryJobStore) -> BackgroundScheduler:
    # It warns whenever a sweep is still at work when its next run is due, which is what coalescing is for.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    return BackgroundScheduler(
        timezone=UTC,
        jobstores={"default": job_store},
        executors={name: ThreadPoolExecutor(1) for name in (PULSE, POST, SWEEPS)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )


def _make_job(name: str, sweep: Callable[[], object], pulse: Pulse, channels: dict[str, Channel]) -> Callable[[], None]:
    def run() -> None:
        began = time.monotonic()
        if name == "heartbeat":
            pulse.beat()
        try:
            did = sweep()
        except Exception as error:  # noqa: BLE001 - it is logged, and must end neither the other sweeps nor its own next run
            _log(logging.ERROR, "sweep-failed", sweep=name, seconds=_since(began), **describe_error(error))
        else:
            if _is_worth_telling(did):
                _log(logging.INFO, "sweep", sweep=name, seconds=_since(began), did=did)
        finally:
            if name == "send":
                # A server drops a connection that idles until the next letter, which may be weeks away.
                for channel in channels.values():
                    channel.close()

    return run


def _is_worth_telling(did: object) -> bool:
    return any(did.values()) if isinstance(did, dict) else bool(did)


def _since(began: float) -> float:
    return round(time.monotonic() - began, 3)


def _why_paused(wiring: Wiring) -> str | None:
    with reading(wiring.engine) as session:
        installation = dispatch_pause(session)
        return installation.paused_because if installation else None


def describe_error(error: BaseException) -> dict[str, object]:
    """Return what a log may say of an error: its kind and where it arose, and never its words or parameters.

    Messages of mail and database libraries quote addresses. Those of a database that cannot be used at all do not.
    """
    described: dict[str, object] = {"error": type(error).__qualname__}
    if isinstance(error, DBAPIError):
        described["database_error"] = type(error.orig).__qualname__
        described["sqlstate"] = getattr(error.orig, "sqlstate", None)
        if isinstance(error, OperationalError):
            described["why"] = str(error.orig).partition("\n")[0]
    described["trace"] = [
        f"{frame.filename.rpartition('/registry/')[2]}:{frame.lineno} {frame.name}"
        for frame in traceback.extract_tb(error.__traceback__)
    ]
    return described


class JsonLines(logging.Formatter):
    """One JSON object a line: when (UTC), how grave, what happened, and its facts."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of one record. Of another library's record it says where it came from, not its words."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {"at": at, "level": record.levelname.lower()}
        if record.name == logger.name:
            line |= {"event": record.getMessage(), **getattr(record, "facts", {})}
        else:
            line |= {"event": "log", "logger": record.name, "where": f"{record.module}:{record.lineno}"}
        return json.dumps({name: value for name, value in line.items() if value is not None}, default=str)


def log_to(stream: TextIO | None = None) -> None:
    """Send this process's log to `stream` (standard error), one JSON object a line."""
    target = logging.StreamHandler(stream or sys.stderr)
    target.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [target]
    root.setLevel(logging.INFO)


def _log(level: int, event: str, **facts: object) -> None:
    logger.log(level, event, extra={"facts": facts})
