"""The worker: the clock by which every sweep runs, and the only import of APScheduler.

```
scheduler ──▶ pulse   heartbeat             one thread each, so that a long run of letters keeps neither the
          ├─▶ sweeps  all but these          pulse nor the effect of a notice waiting, and nothing keeps an
          ├─▶ post    send                   alert waiting
          └─▶ alarm   alert, ping
```

Each job is an idempotent sweep of `registry.steps.sweeps`: it may run late, twice, or not at all for a day. What a
sweep raises is logged, and its next run is a new try. Any number of workers may run on a database server: of all of
them one runs each slot of a sweep, but for the heartbeat and for sending, which all do.
"""

from __future__ import annotations

import dataclasses
import fcntl
import gc
import logging
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Final

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.memory import MemoryJobStore
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from registry import clock
from registry.channels.base import Channel
from registry.log_lines import describe_error, log_to
from registry.steps.installation import dispatch_pause
from registry.steps.sweep_slots import take_this_slot
from registry.steps.sweeps import list_sweeps
from registry.steps.watch import HEARTBEAT_LATE_AFTER
from registry.tables.engine import reading, writing
from registry.wiring import Wiring

__all__ = [
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
SWEEPS: Final = "sweeps"
ALARM: Final = "alarm"

SCHEDULE: Final[dict[str, tuple[timedelta, str]]] = {
    "heartbeat": (timedelta(seconds=10), PULSE),
    "send": (timedelta(seconds=5), POST),
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
    "check_addresses": (timedelta(hours=1), POST),
    "reconcile": (timedelta(minutes=15), SWEEPS),
    "tell_owners": (timedelta(hours=1), SWEEPS),
    "retire_secrets": (timedelta(hours=1), SWEEPS),
    "expire_requests": (timedelta(hours=1), SWEEPS),
    "erase_expired": (timedelta(hours=1), SWEEPS),
}
"""How often each sweep runs, and on which thread."""

LEFT_OUT: Final = {"send_effect": "the same as send; it is there so that one tick also sends what its effects say"}

IN_EVERY_WORKER: Final = frozenset({"heartbeat", "send", "ping"})
"""Not done in turns: each worker lives and sends for itself, and the ping takes its own slot where all is well."""

STALLED_AFTER: Final = HEARTBEAT_LATE_AFTER

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


class Standing:
    """Whether this worker has done its work: one whose sweep failed last is no state to report as well.

    Any of them: a `watch` that fails opens no task, so that nobody would hear of what else goes wrong.
    """

    def __init__(self) -> None:
        self._failing: set[str] = set()

    def note(self, sweep: str, *, has_failed: bool) -> None:
        """Note how a sweep ended."""
        (self._failing.add if has_failed else self._failing.discard)(sweep)

    def is_well(self) -> bool:
        """Return whether the last run of every sweep went well, or none has been yet.

        The ping itself is not asked, or it would never come back.
        """
        return not self._failing - {"ping"}


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
    standing = Standing()
    sweeping = dataclasses.replace(wiring.make_sweeping(used), should_stop=lambda: stop.asked, is_well=standing.is_well)
    sweeps = list_sweeps(sweeping)
    unknown = sweeps.keys() ^ (SCHEDULE.keys() | LEFT_OUT.keys())
    if unknown:
        raise RuntimeError(f"the schedule and the sweeps differ in {', '.join(sorted(unknown))}")
    pulse = Pulse()
    scheduler = _make_scheduler(job_store or MemoryJobStore())
    for name, (every, thread) in SCHEDULE.items():
        sweep = sweeps[name]
        if not wiring.uses_sqlite and name not in IN_EVERY_WORKER:
            sweep = _in_turn(wiring, name, every, sweep)
        job = _make_job(name, sweep, pulse, standing, used)
        trigger = IntervalTrigger(seconds=int(every.total_seconds()), timezone=UTC)
        scheduler.add_job(job, trigger, id=name, executor=thread, next_run_time=clock.now())
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


def _make_scheduler(job_store: MemoryJobStore) -> BackgroundScheduler:
    # It warns whenever a sweep is still at work when its next run is due, which is what coalescing is for.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    return BackgroundScheduler(
        timezone=UTC,
        jobstores={"default": job_store},
        executors={name: ThreadPoolExecutor(1) for name in (PULSE, POST, SWEEPS, ALARM)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )


def _in_turn(wiring: Wiring, name: str, every: timedelta, sweep: Callable[[], object]) -> Callable[[], object]:
    """Let a sweep run only where this worker is the first to take its slot of time."""

    def run() -> object:
        with writing(wiring.engine) as session:
            is_ours = take_this_slot(session, clock.now(), name, every)
        return sweep() if is_ours else None

    return run


def _make_job(
    name: str, sweep: Callable[[], object], pulse: Pulse, standing: Standing, channels: dict[str, Channel]
) -> Callable[[], None]:
    def run() -> None:
        began = time.monotonic()
        if name == "heartbeat":
            pulse.beat()
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


def _log(level: int, event: str, **facts: object) -> None:
    logger.log(level, event, extra={"facts": facts})
