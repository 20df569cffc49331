"""One worker: what it runs and logs, what it waits for, and how it stops."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from apscheduler.jobstores.memory import MemoryJobStore

from registry.channels.base import Ambiguous, Answer, Envelope
from registry.clock import now
from registry.steps.sweeps import list_sweeps
from registry.worker import LEFT_OUT, SCHEDULE
from tests.channels.http_receiver import HttpReceiver
from tests.channels.scripted_server import Drip, ScriptedServer
from tests.processes import running, wait_for
from tests.steps.web_cast import bremen, connect
from tests.worker.workers import Running, announce, environ_of, events
from tests.world import HANOI, World, antopsis, settings_for


@pytest.fixture
def world(database_url: str, tmp_path: Path) -> Iterator[World]:
    made = World(settings_for(database_url, tmp_path / "instance"), now())
    yield made
    made.close()


def test_every_sweep_is_scheduled_or_left_out_for_a_reason(sqlite_url: str, tmp_path: Path) -> None:
    world = World(settings_for(sqlite_url, tmp_path / "instance"), now())
    sweeps = list_sweeps(world.wiring.make_sweeping(world.channels))
    world.close()
    # What `send` does by web a worker does on a thread of its own.
    assert set(sweeps) | {"send_by_web"} == set(SCHEDULE) | set(LEFT_OUT)
    assert not set(SCHEDULE) & set(LEFT_OUT)
    assert all(reason for reason in LEFT_OUT.values())
    assert all(timedelta(seconds=1) <= every <= timedelta(hours=1) for every, _ in SCHEDULE.values())


def test_a_worker_sends_beats_builds_and_stops_when_asked(world: World, tmp_path: Path, log: StringIO) -> None:
    number = announce(world)
    outbox = tmp_path / "instance" / "outbox"
    with Running(world) as worker:
        wait_for(lambda: len(list(outbox.glob("*.eml"))) == 2, "two letters")
        wait_for(lambda: any(each.get("sweep") == "artefacts" for each in events(log)), "pages")
    assert worker.exit_code == 0
    assert {each.state for each in world.status(number).deliveries} == {"accepted"}
    told = [(each["sweep"], each["did"]) for each in events(log) if each["event"] == "sweep"]
    assert ("send", {"accepted": 2}) in told
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


@pytest.mark.timeout(60)
def test_on_sigterm_the_letter_on_the_wire_is_finished_and_no_other_is_begun(sqlite_url: str, tmp_path: Path) -> None:
    slowly = Drip(b"250 2.0.0 taken\r\n", 0.06)

    def notices(server: ScriptedServer) -> list[bytes]:
        return [letter for letter in server.letters if b"Subject: Test of this address" not in letter]

    with ScriptedServer({"dot": [slowly, slowly, slowly]}) as server:
        world = World(settings_for(sqlite_url, tmp_path / "instance", server.url), now())
        number = announce(world)
        log = tmp_path / "worker.log"
        with running(environ_of(sqlite_url, tmp_path, server.url), log, "worker") as worker:
            wait_for(lambda: len(notices(server)) == 1, "letter on the wire")
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(timeout=20) == 0
        states = sorted(each.state for each in world.status(number).deliveries)
        world.close()
    assert states == ["accepted", "pending"]
    assert len(notices(server)) == 1
    assert '"did": {"accepted": 1}' in log.read_text()


class HangingMail:
    """A mail server that takes each letter and says nothing until it is released."""

    name, kind, is_real, account = "smtp", "email", True, "smtp:hanging"
    connections, connections_in_all, requests_per_second = 1, None, None

    def __init__(self) -> None:
        self.tried: list[str] = []
        self.released = threading.Event()

    def send(self, envelope: Envelope) -> Answer:
        self.tried.append(envelope.recipient)
        self.released.wait(20)
        return Ambiguous(None, "no answer in the time allowed")

    def sibling(self) -> HangingMail:
        return self

    def close(self) -> None:
        """Nothing is held open."""


@pytest.fixture
def hanging_mail() -> Iterator[HangingMail]:
    hanging = HangingMail()
    yield hanging
    hanging.released.set()


@pytest.mark.timeout(60)
def test_a_mail_server_that_hangs_keeps_no_webhook_waiting(
    database_url: str, tmp_path: Path, hanging_mail: HangingMail
) -> None:
    """Neither where it hangs on the daily test of an address, nor on a letter: both do here."""
    with HttpReceiver() as receiver:
        settings = settings_for(database_url, tmp_path / "instance", "smtp://127.0.0.1:1?starttls=off")
        with closing(World(settings, now())) as world:
            world.apply(antopsis(customers=HANOI + bremen()))
            connect(world, receiver)
            world.at = now()
            world.announce(antopsis(helsinki=True, customers=HANOI + bremen()))
            with Running(world, channels={**world.channels, "email": hanging_mail}) as worker:
                wait_for(lambda: len(receiver.requests) == 1, "webhook")
                wait_for(lambda: len(hanging_mail.tried) == 2, "a test of the address, and a letter")
                worker.stop.ask()
                hanging_mail.released.set()
    assert set(hanging_mail.tried) == {"support@antopsis.example", "privacy@hanoi.example"}


def test_every_logger_of_the_house_may_tell_facts_and_no_other_librarys_words_are_logged(log: StringIO) -> None:
    facts = {"delivery": 4711, "notice": "2026-003", "event": "forged", "level": "forged", "skipped": None}
    logging.getLogger("registry.delivery").info("settled", extra={"facts": facts})
    logging.getLogger("registry.web.errors").warning("Not healthy: %s", "dpo@bremen.example")
    logging.getLogger("smtplib").warning("to dpo@bremen.example", extra={"facts": facts})
    told, ours, others = events(log)
    assert told.pop("at").endswith("Z")
    assert told == {"level": "info", "event": "settled", "delivery": 4711, "notice": "2026-003"}
    assert (ours["event"], ours["logger"]) == ("log", "registry.web.errors")
    assert (others["event"], others["logger"]) == ("log", "smtplib")
    assert "bremen" not in log.getvalue()
