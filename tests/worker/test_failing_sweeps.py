"""A sweep that fails or hangs: it is told and keeps no other waiting, and no ping says that all is well."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from registry import worker as worker_module
from registry.clock import now
from registry.steps import alert_operators
from registry.steps.sweep_slots import is_any_failing
from registry.steps.sweeps import Sweeping, list_sweeps
from registry.steps.tasks import open_task
from registry.worker import SCHEDULE, Standing
from tests.alert_receiver import AlertReceiver
from tests.processes import wait_for
from tests.worker.workers import Running, announce, events, heartbeat_of
from tests.world import World, settings_for


def test_a_sweep_that_fails_is_logged_without_addresses_and_stops_no_other(
    own_database_url: str, tmp_path: Path, log: StringIO
) -> None:
    with closing(World(settings_for(own_database_url, tmp_path / "instance"), now())) as world:
        announce(world)
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
            announce(world)
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
