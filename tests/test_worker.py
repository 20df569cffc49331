"""The worker: every sweep at its interval, whatever the others do; and how it stops."""

from __future__ import annotations

import json
import logging
import signal
import threading
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from apscheduler.jobstores.memory import MemoryJobStore
from sqlalchemy import text

from registry.clock import now
from registry.steps.sweeps import list_sweeps
from registry.worker import LEFT_OUT, SCHEDULE, StopRequest, WorkerRunning, log_to, only_worker, run_worker
from tests.channels.scripted_server import Drip, ScriptedServer
from tests.processes import running, wait_for
from tests.world import World, antopsis, settings_for


@pytest.fixture
def log() -> Iterator[StringIO]:
    """What the worker logs. The test run's own logging is put back afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    stream = StringIO()
    log_to(stream)
    yield stream
    root.handlers[:], root.level = handlers, level


def events(log: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.getvalue().splitlines()]


class Running:
    """A worker on a thread of this process, stopped and joined at the end of the block."""

    def __init__(self, world: World, **options: Any) -> None:
        self.stop = StopRequest()
        self.exit_code: int | None = None
        self._thread = threading.Thread(target=self._run, args=(world, options))

    def _run(self, world: World, options: dict[str, Any]) -> None:
        self.exit_code = run_worker(world.wiring, self.stop, **options)

    def __enter__(self) -> Running:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.ask()
        self.join()

    def join(self) -> None:
        self._thread.join(timeout=20)
        assert not self._thread.is_alive()


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    made = World(settings_for(database_url, tmp_path / "instance"), now())
    yield made
    made.close()


def test_every_sweep_is_scheduled_or_left_out_for_a_reason(sqlite_url: str, tmp_path: Path) -> None:
    world = World(settings_for(sqlite_url, tmp_path / "instance"), now())
    sweeps = list_sweeps(world.wiring.make_sweeping(world.channels))
    world.close()
    assert set(sweeps) == set(SCHEDULE) | set(LEFT_OUT)
    assert not set(SCHEDULE) & set(LEFT_OUT)
    assert all(reason for reason in LEFT_OUT.values())
    assert all(timedelta(seconds=1) <= every <= timedelta(hours=1) for every, _ in SCHEDULE.values())


def test_a_worker_sends_beats_builds_and_stops_when_asked(world: World, tmp_path: Path, log: StringIO) -> None:
    number = _announce(world)
    outbox = tmp_path / "instance" / "outbox"
    with Running(world) as worker:
        wait_for(lambda: len(list(outbox.glob("*.eml"))) == 2, "two letters")
        wait_for(lambda: any(each.get("sweep") == "artefacts" for each in events(log)), "pages")
    assert worker.exit_code == 0
    assert {each.state for each in world.status(number).deliveries} == {"accepted"}
    told = [(each["sweep"], each["did"]) for each in events(log) if each["event"] == "sweep"]
    assert ("send", {"accepted": 2}) in told
    assert ".example" not in log.getvalue()


def _announce(world: World) -> str:
    world.apply(antopsis())
    return world.announce(antopsis(helsinki=True))


def test_a_sweep_that_fails_is_logged_without_addresses_and_stops_no_other(
    world: World, tmp_path: Path, log: StringIO
) -> None:
    _announce(world)
    with world.writing() as session:
        session.execute(text("DROP TABLE artefacts"))
    with Running(world) as worker:
        wait_for(lambda: len(list((tmp_path / "instance" / "outbox").glob("*.eml"))) == 2, "two letters")
        wait_for(lambda: any(each["event"] == "sweep-failed" for each in events(log)), "failure")
    assert worker.exit_code == 0
    (failed, *_) = [each for each in events(log) if each["event"] == "sweep-failed"]
    assert failed["sweep"] == "artefacts"
    assert failed["error"] in {"OperationalError", "ProgrammingError"}
    assert any("steps/artefacts.py" in frame for frame in failed["trace"])
    assert "Traceback" not in log.getvalue()
    assert ".example" not in log.getvalue()


class BreakingStore(MemoryJobStore):  # type: ignore[misc]  # the library has no types
    """A job store that fails when a job is rescheduled, which ends the scheduler's thread."""

    def update_job(self, job: Any) -> None:
        raise RuntimeError("the job store broke")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_whose_scheduler_dies_says_so_and_exits_non_zero(
    sqlite_url: str, tmp_path: Path, log: StringIO
) -> None:
    world = World(settings_for(sqlite_url, tmp_path / "instance"), now())
    worker = Running(world, job_store=BreakingStore(), stalled_after=timedelta(seconds=1))
    with worker:
        worker.join()
    world.close()
    assert worker.exit_code == 1
    assert events(log)[-1]["event"] == "scheduler-stalled"


def test_an_embedded_database_has_one_worker(tmp_path: Path) -> None:
    with only_worker(tmp_path):
        with pytest.raises(WorkerRunning) as refused, only_worker(tmp_path):
            pytest.fail("two workers ran")
        assert refused.value.process.isdecimal()
    with only_worker(tmp_path):
        assert (tmp_path / "worker.lock").exists()


@pytest.mark.timeout(60)
def test_on_sigterm_the_letter_on_the_wire_is_finished_and_no_other_is_begun(sqlite_url: str, tmp_path: Path) -> None:
    slowly = Drip(b"250 2.0.0 taken\r\n", 0.06)
    with ScriptedServer({"dot": [slowly, slowly]}) as server:
        world = World(settings_for(sqlite_url, tmp_path / "instance", server.url), now())
        number = _announce(world)
        log = tmp_path / "worker.log"
        with running(_environ(sqlite_url, tmp_path, server.url), log, "worker") as worker:
            wait_for(lambda: len(server.letters) == 1, "letter on the wire")
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=20) == 0
        states = sorted(each.state for each in world.status(number).deliveries)
        world.close()
    assert states == ["accepted", "pending"]
    assert len(server.letters) == 1
    assert '"did": {"accepted": 1}' in log.read_text()


def _environ(database_url: str, tmp_path: Path, mail_url: str) -> dict[str, str]:
    return {
        "REGISTRY_ENV": "test",
        "REGISTRY_INSTANCE": str(tmp_path / "instance"),
        "REGISTRY_DATABASE_URL": database_url,
        "REGISTRY_SECRET_KEY": "kJ3-fq9_tests-only-Zp81xWv0LmQ27uRb",
        "REGISTRY_MAIL_URL": mail_url,
        "REGISTRY_MAIL_FROM": "notices@registry.example",
    }
