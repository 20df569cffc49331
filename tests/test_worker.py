"""The worker: every sweep at its interval, whatever the others do; and how it stops."""

from __future__ import annotations

import dataclasses
import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from apscheduler.jobstores.memory import MemoryJobStore
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from registry import worker as worker_module
from registry.channels.base import Ambiguous, Answer, Envelope
from registry.clock import now
from registry.steps import alert_operators
from registry.steps.claim_deliveries import LEASE
from registry.steps.pacing import (
    CONNECTION_LEASE,
    connection_lease,
    give_back_connections,
    renewed_by_heartbeat,
    take_connections,
)
from registry.steps.sweep_slots import is_any_failing, take_this_slot
from registry.steps.sweeps import Sweeping, list_sweeps
from registry.steps.tasks import open_task
from registry.tables import Installation, ProviderConnection, SweepSlot
from registry.worker import (
    IN_EVERY_WORKER,
    LEFT_OUT,
    SCHEDULE,
    Standing,
    StopRequest,
    WorkerRunning,
    log_to,
    only_worker,
    run_worker,
)
from tests.alert_receiver import AlertReceiver
from tests.channels.http_receiver import HttpReceiver
from tests.channels.scripted_server import Drip, ScriptedServer
from tests.processes import running, wait_for
from tests.steps.web_cast import bremen, connect
from tests.world import HANOI, World, antopsis, settings_for


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
    # What `send` does by web a worker does on a thread of its own.
    assert set(sweeps) | {"send_by_web"} == set(SCHEDULE) | set(LEFT_OUT)
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
    own_database_url: str, tmp_path: Path, log: StringIO
) -> None:
    with closing(World(settings_for(own_database_url, tmp_path / "instance"), now())) as world:
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
    one = _environ(sqlite_url, tmp_path, "outbox:")
    other = one | {
        "REGISTRY_INSTANCE": str(tmp_path / "other"),
        "REGISTRY_SECRET_KEY": one["REGISTRY_SECRET_KEY"],
    }
    with running(one, log, "worker"):
        wait_for(lambda: "worker-started" in log.read_text(), "worker")
        with running(other, tmp_path / "other.log", "worker") as refused:
            assert refused.wait(timeout=30) == 2
    assert "A worker runs on this database already" in (tmp_path / "other.log").read_text()


@pytest.mark.timeout(60)
def test_on_sigterm_the_letter_on_the_wire_is_finished_and_no_other_is_begun(sqlite_url: str, tmp_path: Path) -> None:
    slowly = Drip(b"250 2.0.0 taken\r\n", 0.06)

    def notices(server: ScriptedServer) -> list[bytes]:
        return [letter for letter in server.letters if b"Subject: Test of this address" not in letter]

    with ScriptedServer({"dot": [slowly, slowly, slowly]}) as server:
        world = World(settings_for(sqlite_url, tmp_path / "instance", server.url), now())
        number = _announce(world)
        log = tmp_path / "worker.log"
        with running(_environ(sqlite_url, tmp_path, server.url), log, "worker") as worker:
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


def sweep_that(
    monkeypatch: pytest.MonkeyPatch, name: str, act: Callable[[], None], every: timedelta = timedelta(seconds=1)
) -> None:
    """Let every sweep run each second, and that of this name do no more than `act`."""

    def listed(sweeping: Sweeping) -> dict[str, Callable[[], object]]:
        return list_sweeps(sweeping) | {name: act}

    schedule = {each: (every, thread) for each, (_, thread) in SCHEDULE.items()}
    monkeypatch.setattr(worker_module, "SCHEDULE", schedule)
    monkeypatch.setattr(worker_module, "list_sweeps", listed)
    monkeypatch.setattr(alert_operators, "PING_EVERY", every)


def is_failing(world: World) -> bool:
    with world.reading() as session:
        return is_any_failing(session)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("workers", [1, 2])
def test_no_worker_pings_while_a_sweep_fails_whoever_ran_it_last(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: StringIO, workers: int
) -> None:
    is_broken, ran = threading.Event(), []

    def watch() -> None:
        ran.append(is_broken.is_set())
        if is_broken.is_set():
            raise RuntimeError("nobody would hear of what else goes wrong")

    is_broken.set()
    sweep_that(monkeypatch, "watch", watch)
    with AlertReceiver() as receiver, ExitStack() as stack:
        roads = {"REGISTRY_PING_URL": f"{receiver.url}/ping"}
        worlds = [World(settings_for(postgresql_url, tmp_path / str(n), **roads), now()) for n in range(workers)]
        for world in worlds:
            stack.callback(world.close)
        for world in worlds:
            stack.enter_context(Running(world))
        wait_for(lambda: len(ran) >= 2 * workers, "failures")
        before = len(receiver.arrived)
        wait_for(lambda: len(ran) >= 6 * workers, "more failures")
        assert len(receiver.arrived) == before
        is_broken.clear()
        wait_for(lambda: not is_failing(worlds[0]) and len(receiver.arrived) > before, "ping")


@pytest.mark.timeout(60)
def test_a_worker_that_is_started_anew_tries_at_once_what_failed_before(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    ran = []

    def erase() -> None:
        ran.append(1)
        if len(ran) == 1:
            raise RuntimeError("the disk is full")

    sweep_that(monkeypatch, "erase_expired", erase, every=timedelta(hours=1))
    with closing(World(settings_for(postgresql_url, tmp_path / "instance"), now())) as world:
        for is_left_failing in (True, False):
            with Running(world):
                wait_for(lambda wanted=is_left_failing: is_failing(world) is wanted and ran, "end of the sweep")  # type: ignore[misc]  # bound now
        with Running(world):
            wait_for(lambda: log.getvalue().count("worker-started") == 3, "third start")
    assert len(ran) == 2, "and not what went well in its hour"


@pytest.mark.timeout(60)
def test_a_sweep_that_hangs_stops_the_ping_and_the_heartbeat_until_it_ends(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    may_end = threading.Event()
    sweep_that(monkeypatch, "artefacts", lambda: (may_end.wait(40), None)[1])
    monkeypatch.setattr(worker_module, "HANGS_AFTER", timedelta(seconds=1))

    def hung() -> list[dict[str, Any]]:
        return [each for each in events(log) if each["event"] == "sweep-hangs" and each["sweep"] == "artefacts"]

    with AlertReceiver() as receiver:
        roads = {"REGISTRY_PING_URL": f"{receiver.url}/ping"}
        with closing(World(settings_for(database_url, tmp_path / "instance", **roads), now())) as world, Running(world):
            wait_for(hung, "finding")
            time.sleep(1)
            before, beaten_at = len(receiver.arrived), heartbeat_of(world)
            time.sleep(3)
            assert (len(receiver.arrived), heartbeat_of(world)) == (before, beaten_at)
            may_end.set()
            wait_for(lambda: len(receiver.arrived) > before and heartbeat_of(world) > beaten_at, "life")
    (told,) = hung()
    assert told["level"] == "critical"


def test_what_waits_for_other_peoples_servers_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "HANGS_AFTER", timedelta(0))
    standing = Standing()
    standing.begin("send")
    standing.begin("check_addresses")
    assert standing.is_well()
    standing.begin("alert")
    assert not standing.is_well()
    standing.note("alert", has_failed=False)
    assert standing.is_well()


@pytest.mark.timeout(60)
def test_a_table_that_somebody_has_locked_fails_its_sweep_and_holds_up_no_other(
    postgresql_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: StringIO
) -> None:
    monkeypatch.setattr("registry.tables.engine.LOCK_SECONDS", 1)
    announced: list[int] = []
    sweep_that(monkeypatch, "announce", lambda: announced.append(1))
    with AlertReceiver() as receiver:
        roads = {"REGISTRY_PING_URL": f"{receiver.url}/ping"}
        with closing(World(settings_for(postgresql_url, tmp_path / "instance", **roads), now())) as world:
            _announce(world)
            with world.wiring.engine.connect() as somebody:
                somebody.execute(text("LOCK TABLE artefacts IN ACCESS EXCLUSIVE MODE"))
                with Running(world):
                    wait_for(lambda: is_failing(world), "failure")
                    announced.clear()
                    before = len(receiver.arrived)
                    wait_for(lambda: len(announced) >= 3, "the other sweeps")
                    assert len(receiver.arrived) == before
                    somebody.rollback()
                    wait_for(lambda: len(receiver.arrived) > before, "ping")


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
    number = _announce(world)
    environ = _environ(postgresql_url, tmp_path, "outbox:")
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


def heartbeat_of(world: World) -> datetime:
    with world.reading() as session:
        found = session.scalars(select(Installation.heartbeat_at)).one()
    assert found is not None
    return found


def test_a_worker_pings_while_it_sends_and_tells_operators_of_a_task(
    database_url: str, tmp_path: Path, log: StringIO
) -> None:
    with AlertReceiver() as receiver:
        roads = {"REGISTRY_ALERT_URL": f"{receiver.url}/alert/hush", "REGISTRY_PING_URL": f"{receiver.url}/ping/hush"}
        world = World(settings_for(database_url, tmp_path / "instance", **roads), now())
        with world.writing() as session:
            open_task(session, world.at, "unreadable_mail", subject=("mail", "1"))
        with Running(world):
            wait_for(lambda: len(receiver.arrived) == 2, "alert and ping")
        world.close()
    assert {each.path for each in receiver.arrived} == {"/alert/hush", "/ping/hush"}
    assert {"sweep": "alert", "did": {"told": 1, "not_heard": 0}}.items() <= next(
        each for each in events(log) if each.get("sweep") == "alert"
    ).items()
    assert "hush" not in log.getvalue()


def test_a_worker_whose_sending_fails_does_not_ping(sqlite_url: str, tmp_path: Path, log: StringIO) -> None:
    with AlertReceiver() as receiver:
        roads = {"REGISTRY_PING_URL": f"{receiver.url}/ping"}
        world = World(settings_for(sqlite_url, tmp_path / "instance", **roads), now())
        standing = Standing()
        standing.note("send", has_failed=True)
        assert not standing.is_well()
        standing.note("watch", has_failed=True)
        standing.note("send", has_failed=False)
        assert not standing.is_well(), "who looks for trouble and fails keeps quiet too"
        standing.note("watch", has_failed=False)
        standing.note("ping", has_failed=True)
        assert standing.is_well(), "the last run counts, and that of the ping does not"
        with world.writing() as session:
            session.execute(text("ALTER TABLE attempts RENAME TO lost"))
            session.execute(text("ALTER TABLE deliveries RENAME TO lost_too"))
        with Running(world):
            wait_for(lambda: any(each.get("sweep") == "send" for each in events(log)), "failure of sending")
        world.close()
    (failed, *_) = [each for each in events(log) if each.get("sweep") == "send"]
    assert failed["event"] == "sweep-failed"


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


def _environ(database_url: str, tmp_path: Path, mail_url: str) -> dict[str, str]:
    return {
        "REGISTRY_ENV": "test",
        "REGISTRY_INSTANCE": str(tmp_path / "instance"),
        "REGISTRY_DATABASE_URL": database_url,
        "REGISTRY_SECRET_KEY": "kJ3-fq9_tests-only-Zp81xWv0LmQ27uRb",
        "REGISTRY_MAIL_URL": mail_url,
        "REGISTRY_MAIL_FROM": "notices@registry.example",
    }
