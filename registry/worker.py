"""The worker: the clock by which every sweep runs, and the only import of APScheduler.

```
scheduler ──▶ pulse   heartbeat             one thread each, so that a long run of letters keeps neither the
          ├─▶ sweeps  all but these          pulse nor the effect of a notice waiting, a mail server that
          ├─▶ post    send, by mail          hangs neither a webhook nor, where it hangs on a test letter,
          ├─▶ web     send_by_web            a notice, and nothing keeps an alert waiting
          ├─▶ tests   check_addresses
          └─▶ alarm   alert, ping
```

Each job is an idempotent sweep of `registry.steps.sweeps`: it may run late, twice, or not at all for a day. What a
sweep raises is logged, and its next run is a new try. Any number of workers may run on a database server: of all of
them one runs each slot of a sweep, but for the heartbeat and for sending, which all do. Whether a sweep fails stands in
the database, since each run of it may be another worker's; a worker in which one hangs has no heartbeat.
"""

from __future__ import annotations

import dataclasses
import fcntl
import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, timedelta
from pathlib import Path
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger
from sqlalchemy.exc import SQLAlchemyError

from registry import clock
from registry.channels.base import Channel
from registry.domain.vocabulary import ChannelKind
from registry.log_lines import describe_error, log_to
from registry.steps.installation import dispatch_pause
from registry.steps.pacing import free_connections, renewed_by_heartbeat
from registry.steps.sweep_slots import (
    IN_EVERY_WORKER,
    forget_other_sweeps,
    note_failure,
    note_success,
    take_this_slot,
)
from registry.steps.sweeps import Sweeping, list_sweeps
from registry.steps.watch import HEARTBEAT_LATE_AFTER
from registry.tables.engine import GIVES_UP_LOCKS, reading, writing
from registry.wiring import Wiring

__all__ = [
    "IN_EVERY_WORKER",
    "LEFT_OUT",
    "SCHEDULE",
    "STALLED_AFTER",
    "StopRequest",
    "WorkerRunning",
    "log_to",
    "only_worker",
    "run_worker",
]

PULSE: Final = "pulse"
POST: Final = "post"
WEB: Final = "web"
TESTS: Final = "tests"
SWEEPS: Final = "sweeps"
ALARM: Final = "alarm"

SCHEDULE: Final[dict[str, tuple[timedelta, str]]] = {
    "heartbeat": (timedelta(seconds=10), PULSE),
    "send": (timedelta(seconds=5), POST),
    "send_by_web": (timedelta(seconds=5), WEB),
    "announce": (timedelta(seconds=30), SWEEPS),
    "take_effect": (timedelta(seconds=30), SWEEPS),
    "artefacts": (timedelta(seconds=30), SWEEPS),
    "match_outcomes": (timedelta(minutes=1), SWEEPS),
    "recover_leases": (timedelta(minutes=1), SWEEPS),
    "watch": (timedelta(minutes=1), SWEEPS),
    "alert": (timedelta(minutes=1), ALARM),
    "ping": (timedelta(minutes=1), ALARM),
    "call_in": (timedelta(minutes=1), SWEEPS),
    "remind": (timedelta(minutes=5), SWEEPS),
    "check_addresses": (timedelta(hours=1), TESTS),
    "reconcile": (timedelta(minutes=15), SWEEPS),
    "tell_owners": (timedelta(hours=1), SWEEPS),
    "retire_secrets": (timedelta(hours=1), SWEEPS),
    "expire_requests": (timedelta(hours=1), SWEEPS),
    "erase_expired": (timedelta(hours=1), SWEEPS),
}
"""How often each sweep runs, and on which thread."""

# `send` of a worker is by mail alone. On the one of `registry tick` all roads go, one after the other.
LEFT_OUT: Final = {"send_effect": "the same as send; it is there so that one tick also sends what its effects say"}

WAIT_FOR_OTHERS: Final = frozenset({"send", "send_by_web", "check_addresses"})
"""These rightly take as long as the other side does: a letter a quarter of an hour, and a long list for hours."""

HANGS_AFTER: Final = timedelta(minutes=10)
"""How long any other sweep may run. Most take less than a second, all pages of a list of 2,000 entries seven; and while
one runs, those that share its thread wait, so that nothing takes effect."""

STALLED_AFTER: Final = HEARTBEAT_LATE_AFTER

LOOK_EVERY: Final = 0.25
LOCK_SUFFIX: Final = "-worker.lock"

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


class Standing:
    """Whether this worker does its work: one whose sweep failed last, or hangs, is in no state to report as well.

    Any of them: a `watch` that fails opens no task, so that nobody would hear of what else goes wrong. How a sweep that
    is done in turns stands with the whole installation, the database knows: what another worker did is no failure here.
    """

    def __init__(self) -> None:
        self._failing: set[str] = set()
        self._running: dict[str, float] = {}
        self._told: set[str] = set()
        self._telling = threading.Lock()

    def begin(self, sweep: str) -> None:
        """Note that a sweep begins."""
        self._running[sweep] = time.monotonic()

    def note(self, sweep: str, *, has_failed: bool) -> None:
        """Note how a sweep ended."""
        self._running.pop(sweep, None)
        self._told.discard(sweep)
        (self._failing.add if has_failed else self._failing.discard)(sweep)

    def is_well(self) -> bool:
        """Return whether no sweep hangs, and the last run of every one went well, or none has been yet.

        The ping itself is not asked, or it would never come back.
        """
        return not self._failing - {"ping"} and not self.is_stuck()

    def is_stuck(self) -> bool:
        """Return whether any sweep hangs. The first time that one is found to, the log says so."""
        ends_at = time.monotonic() - HANGS_AFTER.total_seconds()
        hanging = {
            sweep: began
            for sweep, began in self._running.copy().items()
            if began < ends_at and sweep not in WAIT_FOR_OTHERS
        }
        with self._telling:
            for sweep in hanging.keys() - self._told:
                self._told.add(sweep)
                _log(logging.CRITICAL, "sweep-hangs", sweep=sweep, seconds=_since(hanging[sweep]))
        return bool(hanging)


@contextmanager
def only_worker(database: Path) -> Iterator[None]:
    """Hold the lock of the one worker that an embedded database has, or raise `WorkerRunning`.

    It lies beside the database's file, by whichever name that is reached: two instances may share one file. The lock
    ends with the process, however that ends. It is the operating system's: what the file says is for people.
    """
    found = database.resolve()
    path = found.with_name(found.name + LOCK_SUFFIX)
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


@renewed_by_heartbeat()
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
    standing = Standing()
    sweeping = dataclasses.replace(
        wiring.make_sweeping(used),
        should_stop=lambda: stop.asked,
        is_well=standing.is_well,
        is_stuck=standing.is_stuck,
    )
    by_mail = {kind: channel for kind, channel in used.items() if kind == ChannelKind.EMAIL.value}
    by_web = {kind: channel for kind, channel in used.items() if kind not in by_mail}
    sweeps = list_sweeps(_limited_to(by_mail, sweeping))
    sweeps["send_by_web"] = list_sweeps(_limited_to(by_web, sweeping))["send"]
    carriers = {"send": by_mail, "send_by_web": by_web}
    unknown = sweeps.keys() ^ (SCHEDULE.keys() | LEFT_OUT.keys())
    if unknown:
        raise RuntimeError(f"the schedule and the sweeps differ in {', '.join(sorted(unknown))}")
    pulse = Pulse()
    scheduler = _make_scheduler(job_store or MemoryJobStore())
    for name, (every, thread) in SCHEDULE.items():
        sweep = _noted(wiring, name, sweeps[name])
        if name not in IN_EVERY_WORKER:
            sweep = _in_turn(wiring, name, every, sweep)
        job = _make_job(name, sweep, pulse, standing, carriers.get(name, {}))
        trigger = IntervalTrigger(seconds=int(every.total_seconds()), timezone=UTC)
        scheduler.add_job(job, trigger, id=name, executor=thread, next_run_time=clock.now())
    _clear_up(wiring)
    # What there is by now stays until the end. To look through all of it for rubbish stops every letter for a while.
    gc.collect()
    gc.freeze()
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


def _limited_to(channels: dict[str, Channel], sweeping: Sweeping) -> Sweeping:
    """Let the sweeps send by these channels alone: a channel is used by one thread."""
    return dataclasses.replace(sweeping, dispatch=dataclasses.replace(sweeping.dispatch, channels=channels))


def _make_scheduler(job_store: MemoryJobStore) -> BackgroundScheduler:
    # It warns whenever a sweep is still at work when its next run is due, which is what coalescing is for.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    return BackgroundScheduler(
        timezone=UTC,
        jobstores={"default": job_store},
        executors={name: ThreadPoolExecutor(1) for name in (PULSE, POST, WEB, TESTS, SWEEPS, ALARM)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )


def _clear_up(wiring: Wiring) -> None:
    """Free what a worker before this one left behind and nobody else would."""
    with writing(wiring.engine) as session:
        forget_other_sweeps(session, SCHEDULE)
        if wiring.uses_sqlite:
            free_connections(session, clock.now())


def _in_turn(wiring: Wiring, name: str, every: timedelta, sweep: Callable[[], object]) -> Callable[[], object]:
    """Let a sweep run only where this worker is the first to take its slot of time.

    An embedded database has one worker, and every slot is its own.
    """
    engine = wiring.engine.execution_options(**GIVES_UP_LOCKS)

    def is_ours() -> bool:
        with writing(engine) as session:
            return take_this_slot(session, clock.now(), name, every)

    return lambda: sweep() if wiring.uses_sqlite or is_ours() else None


def _noted(wiring: Wiring, name: str, sweep: Callable[[], object]) -> Callable[[], object]:
    """Keep for all whether a sweep fails."""
    engine = wiring.engine.execution_options(**GIVES_UP_LOCKS)

    def run() -> object:
        try:
            did = sweep()
        except Exception:
            # Where the database is away nothing can be noted, and the ping does not go out either.
            with suppress(SQLAlchemyError), writing(engine) as session:
                note_failure(session, clock.now(), name)
            raise
        note_success(engine, name)
        return did

    return run


def _make_job(
    name: str, sweep: Callable[[], object], pulse: Pulse, standing: Standing, carried_by: dict[str, Channel]
) -> Callable[[], None]:
    def run() -> None:
        began = time.monotonic()
        if name == "heartbeat":
            pulse.beat()
        standing.begin(name)
        try:
            did = sweep()
            standing.note(name, has_failed=False)
        except Exception as error:  # noqa: BLE001 - it is logged, and must end neither the other sweeps nor its own next run
            standing.note(name, has_failed=True)
            _log(logging.ERROR, "sweep-failed", sweep=name, seconds=_since(began), **describe_error(error))
        else:
            if _is_worth_telling(did):
                _log(logging.INFO, "sweep", sweep=name, seconds=_since(began), did=did)
        finally:
            # A server drops a connection that idles until the next letter, which may be weeks away.
            for channel in carried_by.values():
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


def _log(level: int, event: str, **facts: object) -> None:
    logger.log(level, event, extra={"facts": facts})
