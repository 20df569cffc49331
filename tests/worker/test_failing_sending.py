"""Where sending fails each time the installation is not ready; and a tick in which a sweep failed pings nobody."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest

from registry import worker as worker_module
from registry.clock import now
from registry.steps import sweeps as sweeps_module
from registry.steps.sweep_slots import is_any_failing, list_failing_for, note_failure, note_success
from registry.steps.sweeps import Sweeping, list_sweeps, tick
from tests.alert_receiver import AlertReceiver
from tests.processes import wait_for
from tests.worker.test_failing_sweeps import sweep_that
from tests.worker.workers import Running
from tests.world import World, settings_for


def failing(world: World) -> list[str]:
    """Return what `/readyz` would name after a second."""
    with world.reading() as session:
        return list_failing_for(session, timedelta(seconds=1))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", ["send", "send_by_web"])
def test_readiness_names_sending_that_fails_each_time(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, log: StringIO, name: str
) -> None:
    is_broken = [True]

    def act() -> None:
        if is_broken:
            raise RuntimeError("nothing goes out")

    def listed(sweeping: Sweeping) -> dict[str, Callable[[], object]]:
        is_this = ("email" in sweeping.dispatch.channels) is (name == "send")
        return list_sweeps(sweeping) | ({"send": act} if is_this else {})

    sweep_that(monkeypatch, "watch", lambda: None)
    monkeypatch.setattr(worker_module, "list_sweeps", listed)
    with closing(World(settings_for(sqlite_url, tmp_path / "instance"), now())) as world, Running(world):
        wait_for(lambda: failing(world) == [name], "finding")
        is_broken.clear()
        wait_for(lambda: failing(world) == [], "end of it")


def test_while_another_worker_sends_the_installation_works_and_only_the_one_that_fails_does_not_ping(
    database_url: str, tmp_path: Path
) -> None:
    with closing(World(settings_for(database_url, tmp_path / "instance"), now())) as world:
        with world.writing() as session:
            note_failure(session, world.at, "send")
            note_failure(session, world.at + timedelta(minutes=20), "send")
            assert list_failing_for(session, timedelta(minutes=10)) == ["send"]
            assert not is_any_failing(session), "that is asked for all workers"
        note_success(world.wiring.engine, "send")
        assert failing(world) == []


@pytest.mark.parametrize("name", ["watch", "send_deliveries", "build_artefacts"])
def test_a_tick_in_which_a_sweep_failed_does_not_ping_nor_does_the_next_before_it_goes_well(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("nobody would hear of it")

    with AlertReceiver() as receiver:
        settings = settings_for(sqlite_url, tmp_path / "instance", REGISTRY_PING_URL=f"{receiver.url}/ping")
        with closing(World(settings, now())) as world:
            sweeping = world.wiring.make_sweeping(world.channels, lambda: world.at)
            with monkeypatch.context() as patched:
                patched.setattr(sweeps_module, name, broken)
                for _ in range(2):
                    with pytest.raises(RuntimeError):
                        tick(sweeping)
                    world.at += timedelta(minutes=1)
            # What fails after the ping is known to the next one.
            assert len(receiver.arrived) == (name == "build_artefacts")
            receiver.arrived.clear()
            tick(sweeping)
            assert len(receiver.arrived) == (name != "build_artefacts")
            world.at += timedelta(minutes=1)
            tick(sweeping)
            assert len(receiver.arrived) == (1 if name == "build_artefacts" else 2)
