"""Workers in processes of their own, killed where a test says: the real sweeps, the real database, a real mail server.

Only dying is added to the product, in the child process alone: at the given point it kills itself with SIGKILL, which
runs no clean-up and asks nobody.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import secrets
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Event
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any

from apscheduler.jobstores.memory import MemoryJobStore
from sqlalchemy import event
from sqlalchemy.orm import Session

import registry.steps.claim_deliveries as claim_deliveries
import registry.steps.make_statement as make_statement
import registry.steps.merge_letter as merge_letter
import registry.steps.persist as persist
import registry.steps.prepare_letters as prepare_letters
import registry.steps.roads as roads
import registry.steps.send_deliveries as send_deliveries
from registry.channels.base import Answer, Channel, Envelope
from registry.steps.merge_letter import Addressee
from registry.steps.sweeps import list_sweeps
from registry.worker import StopRequest, run_worker
from tests.faults.post import count_unfinished
from tests.steps.post_office import intercept
from tests.world import World, settings_for

PATIENCE = 60
LONGEST_LIFE = 300
"""Seconds. A worker whose test is gone ends by itself."""


class Point(StrEnum):
    """Where a worker dies."""

    CLAIMED = "rows are leased and nothing is begun"
    MAKING = "a letter is being made"
    STARTED = "the start is committed and nothing is on the wire"
    ANSWERED = "the server took the letter and nothing of that is committed"
    ANNOUNCING = "the deliveries are inserted and the announcement is not done"
    COMMITTING = "all of a transaction is done and nothing is committed"


class Task(StrEnum):
    """What a worker does before it ends by itself."""

    TICK = "every sweep once"
    SEND = "one run of sending"
    KEEP_SENDING = "take back leases and send, until nothing waits"
    PUBLISH = "publish a notice, and with that announce it"
    BREAK = "be a whole worker, whose scheduler's thread dies once it has begun to send"


@dataclass(frozen=True)
class Orders:
    """One worker's installation, time, task and death: at `die_at`, the `die_after`th time it gets there.

    With a `name` its leases can be told from the others'. It dies over the letter to `dies_over`, at MAKING. No file
    that it writes may grow beyond `largest_file` bytes.
    """

    database_url: str
    instance: Path
    mail_url: str
    at: datetime
    task: Task
    die_at: Point | None = None
    die_after: int = 1
    notice: str = ""
    name: str = ""
    dies_over: str = ""
    largest_file: int = 0


@dataclass(frozen=True)
class Held:
    """Where a worker waits with a letter that was taken: it tells that it is there, and goes on when it may."""

    is_there: Event
    may_go_on: Event


class Workers:
    """Starts worker processes for one world, and ends those that a failed test leaves behind."""

    def __init__(self, world: World) -> None:
        self._world = world
        # A fresh server process forks each worker: as quick as a fork, without this one's threads and sockets.
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([__name__])
        self._started: list[BaseProcess] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._started:
            process.kill()
            process.join(PATIENCE)
            process.close()

    def start(self, task: Task, go: Event | None = None, held: Held | None = None, **orders: Any) -> BaseProcess:
        """Start a worker at the world's time; with `go` it gets ready, and begins when that is set."""
        settings = self._world.settings
        given = Orders(settings.database_url, settings.instance, settings.mail_url, self._world.at, task=task, **orders)
        process = self._context.Process(target=work, args=(given, go, held), daemon=True)
        process.start()
        self._started.append(process)
        return process

    def run_until_killed(self, task: Task, die_at: Point, **orders: Any) -> None:
        """Run a worker that dies at a point, and see it killed there."""
        process = self.start(task, die_at=die_at, **orders)
        process.join(PATIENCE)
        assert process.exitcode == -signal.SIGKILL, f"the worker ended with {process.exitcode} and did not get there"

    def make_hold(self) -> Held:
        """Make a place for a worker to wait at."""
        return Held(self._context.Event(), self._context.Event())

    def run_at_once(self, task: Task, count: int) -> None:
        """Run several workers that begin together, and see all of them end well."""
        go = self._context.Event()
        ready = [self.start(task, go) for _ in range(count)]
        go.set()
        for process in ready:
            process.join(PATIENCE)
        assert [process.exitcode for process in ready] == [0] * count


def work(orders: Orders, go: Event | None, held: Held | None) -> None:
    """Be the worker, in the child process."""
    settings = settings_for(orders.database_url, orders.instance, orders.mail_url)
    world = World(settings, orders.at)
    if orders.task is not Task.KEEP_SENDING:
        # Small, so that few letters are several batches.
        setattr(roads, "BATCH", 10)  # noqa: B010 - the module's own, in this process alone
    if orders.name:
        setattr(claim_deliveries, "secrets", _Named(orders.name))  # noqa: B010 - the module's own, in this process alone
    if orders.die_at is not None:
        _arrange_death(world, orders)
    if held is not None:
        _hold_after_the_first_letter(world, held)
    # What is made on first use is made before the others begin.
    sweeping = world.wiring.make_sweeping(world.channels, world.clock)
    if go is not None:
        go.wait(PATIENCE)
    if orders.largest_file:
        setattr(persist, "PAUSES_FOR_THE_DATABASE", (0.05, 0.1))  # noqa: B010 - the module's own, in this process alone
        # By default the signal would end the process before the error reaches it.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (orders.largest_file, orders.largest_file))
    match orders.task:
        case Task.PUBLISH:
            world.publish(orders.notice)
        case Task.SEND:
            list_sweeps(sweeping)["send"]()
        case Task.KEEP_SENDING:
            _keep_sending(world, list_sweeps(sweeping))
        case Task.TICK:
            world.tick()
        case Task.BREAK:
            code = run_worker(
                world.wiring,
                StopRequest(),
                channels=world.channels,
                job_store=_BreakingStore(),
                stalled_after=timedelta(seconds=1),
            )
            sys.exit(code)
    world.close()


class _BreakingStore(MemoryJobStore):  # type: ignore[misc] # the library has no types
    """Fails when sending is to be scheduled again, which ends the scheduler's thread."""

    def update_job(self, job: Any) -> None:
        if job.id == "send":
            raise RuntimeError("the job store broke")
        super().update_job(job)


def _keep_sending(world: World, sweeps: dict[str, Callable[[], object]]) -> None:
    ends = time.monotonic() + LONGEST_LIFE
    while count_unfinished(world) and time.monotonic() < ends:
        sweeps["recover_leases"]()
        sweeps["send"]()
        time.sleep(0.05)


class _Named:
    """Makes tokens that tell whose they are."""

    def __init__(self, name: str) -> None:
        self._name = name

    def token_hex(self, size: int) -> str:
        return f"{self._name}-{secrets.token_hex(size)}"


def _hold_after_the_first_letter(world: World, held: Held) -> None:
    def wait(envelope: Envelope) -> None:
        held.is_there.set()
        held.may_go_on.wait(PATIENCE)

    intercept(world.channels["email"], [wait])


def _arrange_death(world: World, orders: Orders) -> None:
    left = orders.die_after

    def die_in_time() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def dying_before(function: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*arguments: Any, **options: Any) -> Any:
            die_in_time()
            return function(*arguments, **options)

        return dying

    def dying_after(function: Callable[..., Any]) -> Callable[..., Any]:
        def dying(*arguments: Any, **options: Any) -> Any:
            result = function(*arguments, **options)
            die_in_time()
            return result

        return dying

    def replace(
        module: ModuleType | type, name: str, dying: Callable[[Callable[..., Any]], Callable[..., Any]]
    ) -> None:
        setattr(module, name, dying(getattr(module, name)))

    def dying_over_one(function: Callable[..., Any]) -> Callable[..., Any]:
        def dying(letter: object, addressee: Addressee, *arguments: Any, **options: Any) -> Any:
            if addressee.address == orders.dies_over:
                die_in_time()
            return function(letter, addressee, *arguments, **options)

        return dying

    match orders.die_at:
        case Point.CLAIMED:
            replace(send_deliveries.Run, "settle_and_start", dying_before)
        case Point.MAKING:
            replace(merge_letter, "fill_letter", dying_over_one)
            replace(prepare_letters, "fill_letter", dying_over_one)
        case Point.STARTED | Point.ANSWERED:
            dies_before = orders.die_at is Point.STARTED
            world.channels["email"] = _DeadlyChannel(world.channels["email"], die_in_time, dies_before)
        case Point.ANNOUNCING:
            replace(make_statement, "fan_out", dying_after)
        case Point.COMMITTING:
            event.listen(Session, "before_commit", lambda session: die_in_time())


class _DeadlyChannel:
    """A real channel, before or after whose letters the process dies."""

    def __init__(self, channel: Channel, die_in_time: Callable[[], None], dies_before: bool) -> None:
        self._channel = channel
        self._die_in_time = die_in_time
        self._dies_before = dies_before
        self.name, self.kind, self.is_real = channel.name, channel.kind, channel.is_real

    def send(self, envelope: Envelope) -> Answer:
        """Send for real."""
        if self._dies_before:
            self._die_in_time()
        answer = self._channel.send(envelope)
        if not self._dies_before:
            self._die_in_time()
        return answer

    def close(self) -> None:
        """Close the real one."""
        self._channel.close()
