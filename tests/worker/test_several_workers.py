"""Several workers on one database: who may run, who runs which slot of a sweep, and who goes on for one that died."""

from __future__ import annotations

import dataclasses
import json
import signal
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry import worker as worker_module
from registry.clock import now
from registry.steps.claim_deliveries import LEASE
from registry.steps.pacing import (
    CONNECTION_LEASE,
    connection_lease,
    give_back_connections,
    renewed_by_heartbeat,
    take_connections,
)
from registry.steps.sweep_slots import take_this_slot
from registry.steps.sweeps import Sweeping
from registry.tables import ProviderConnection, SweepSlot
from registry.worker import IN_EVERY_WORKER, LEFT_OUT, SCHEDULE, WorkerRunning, only_worker
from tests.processes import running, wait_for
from tests.worker.workers import Running, announce, environ_of, heartbeat_of
from tests.world import World, settings_for


def test_an_embedded_database_has_one_worker_by_whichever_name(tmp_path: Path) -> None:
    database, beside = tmp_path / "registry.db", tmp_path / "of-another-instance"
    beside.mkdir()
    (beside / "linked.db").symlink_to(database)
    with only_worker(database):
        for name in (database, beside / ".." / "registry.db", beside / "linked.db"):
            with pytest.raises(WorkerRunning) as refused, only_worker(name):
                pytest.fail("two workers ran")
            assert refused.value.process.isdecimal()
        with only_worker(tmp_path / "other.db"):
            pass
    with only_worker(database):
        assert (tmp_path / "registry.db-worker.lock").exists()


@pytest.mark.timeout(60)
def test_two_instances_with_one_database_file_have_one_worker(sqlite_url: str, tmp_path: Path) -> None:
    log = tmp_path / "one.log"
    one = environ_of(sqlite_url, tmp_path, "outbox:")
    other = one | {
        "REGISTRY_INSTANCE": str(tmp_path / "other"),
        "REGISTRY_SECRET_KEY": one["REGISTRY_SECRET_KEY"],
    }
    with running(one, log, "worker"):
        wait_for(lambda: "worker-started" in log.read_text(), "worker")
        with running(other, tmp_path / "other.log", "worker") as refused:
            assert refused.wait(timeout=30) == 2
    assert "A worker runs on this database already" in (tmp_path / "other.log").read_text()


class Runs:
    """What workers did: the sweeps that each ran, and the slots that were taken, each with who took it."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, failing: str | None = None) -> None:
        self.ran: list[tuple[str, str]] = []
        self.taken: list[tuple[str, datetime]] = []
        self._failing = failing
        every_second = {name: (timedelta(seconds=1), thread) for name, (_, thread) in SCHEDULE.items()}
        monkeypatch.setattr(worker_module, "SCHEDULE", every_second)
        monkeypatch.setattr(worker_module, "list_sweeps", self._list_sweeps)
        monkeypatch.setattr(worker_module, "take_this_slot", self._take)

    def _list_sweeps(self, sweeping: Sweeping) -> dict[str, Callable[[], object]]:
        who = sweeping.build

        def sweep(name: str) -> Callable[[], object]:
            def run() -> None:
                self.ran.append((who, name))
                if who == self._failing and name not in IN_EVERY_WORKER:
                    raise RuntimeError("this worker does nothing in its slots")

            return run

        made = {name: sweep(name) for name in [*SCHEDULE, *LEFT_OUT]}
        return made if "email" in sweeping.dispatch.channels else {**made, "send": made["send_by_web"]}

    def _take(self, session: Session, at: datetime, name: str, every: timedelta) -> bool:
        is_ours = take_this_slot(session, at, name, every)
        if is_ours:
            # Nobody else takes the next one before this transaction has ended.
            slot = session.scalars(select(SweepSlot.slot_at).where(SweepSlot.sweep == name)).one()
            self.taken.append((name, slot))
        return is_ours

    def of(self, who: str, name: str) -> int:
        return self.ran.count((who, name))


def named(postgresql_url: str, tmp_path: Path, name: str) -> World:
    world = World(settings_for(postgresql_url, tmp_path / name), now())
    world.wiring = dataclasses.replace(world.wiring, build=name)
    return world


def test_of_two_workers_on_a_database_server_one_runs_each_slot_of_a_sweep(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    runs = Runs(monkeypatch)
    first, second = (named(postgresql_url, tmp_path, name) for name in ("first", "second"))
    with Running(first), Running(second):
        wait_for(lambda: sum(name == "announce" for name, _ in runs.taken) >= 5, "five slots")
    first.close()
    second.close()
    in_turns = {name for name, _ in runs.taken}
    assert in_turns == SCHEDULE.keys() - IN_EVERY_WORKER
    assert len(set(runs.taken)) == len(runs.taken), "no slot was taken twice"
    for name in in_turns:
        ran = runs.of("first", name) + runs.of("second", name)
        assert ran == sum(taken == name for taken, _ in runs.taken), "and each that was taken was run, once"
    for name in IN_EVERY_WORKER:
        assert min(runs.of("first", name), runs.of("second", name)) >= 3, "each worker lives and sends for itself"


def test_the_slots_of_a_worker_that_does_nothing_any_more_are_the_others(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    runs = Runs(monkeypatch, failing="first")
    first, second = (named(postgresql_url, tmp_path, name) for name in ("first", "second"))
    with Running(first) as ill:
        wait_for(lambda: runs.of("first", "announce") >= 1, "a slot that was taken and not used")
        with Running(second):
            ill.stop.ask()
            wait_for(lambda: runs.of("second", "announce") >= 2, "the other worker's slots")
    first.close()
    second.close()


def test_one_worker_of_an_embedded_database_has_all_connections_at_its_start(
    sqlite_url: str, tmp_path: Path, log: StringIO
) -> None:
    with closing(World(settings_for(sqlite_url, tmp_path / "instance"), now())) as world:
        with renewed_by_heartbeat(), world.writing() as session:
            assert take_connections(session, world.at, "smtp:relay", "killed", 2, 2) == 2
        with Running(world):
            wait_for(lambda: "worker-started" in log.getvalue(), "worker")
            assert connection_lease() == CONNECTION_LEASE
        assert connection_lease() == LEASE
        with world.reading() as session:
            assert session.scalars(select(ProviderConnection.token)).all() == [None, None]
        with world.writing() as session:
            give_back_connections(session, "killed")


@pytest.mark.timeout(60)
def test_two_worker_processes_share_the_work_and_one_that_is_killed_leaves_it_to_the_other(
    postgresql_url: str, tmp_path: Path
) -> None:
    world = World(settings_for(postgresql_url, tmp_path / "instance"), now())
    number = announce(world)
    environ = environ_of(postgresql_url, tmp_path, "outbox:")
    logs = [tmp_path / "one.log", tmp_path / "two.log"]
    with running(environ, logs[0], "worker") as one, running(environ, logs[1], "worker") as two:
        for each in logs:
            wait_for(lambda each=each: "worker-started" in each.read_text(), "worker")  # type: ignore[misc]  # bound now
        wait_for(lambda: {each.state for each in world.status(number).deliveries} == {"accepted"}, "letters")
        one.kill()
        one.wait(timeout=10)
        beaten_at = heartbeat_of(world)
        wait_for(lambda: heartbeat_of(world) > beaten_at, "heartbeat of the other", seconds=40)
        two.send_signal(signal.SIGTERM)
        assert two.wait(timeout=20) == 0
    world.close()
    sent = sum(
        line["did"].get("accepted", 0)
        for each in logs
        for line in map(json.loads, each.read_text().splitlines())
        if line.get("sweep") == "send"
    )
    assert sent == 2, "each letter once, whoever sent it"
