"""The scheduler's thread dies while letters go out: the worker sees it and ends, and the next one goes on."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from datetime import timedelta
from pathlib import Path

from benchmarks.sink import Sink
from registry import clock
from registry.migrations import known_revisions, newest_revision
from registry.steps.health import SchedulerState, look_at_health
from registry.steps.watch import HEARTBEAT_LATE_AFTER
from tests.faults.conftest import Figures
from tests.faults.post import Post, check_the_post, finish, readers
from tests.faults.table import Fault
from tests.faults.workers import PATIENCE, Task, Workers
from tests.processes import running, wait_for
from tests.steps.post_office import announce_to, states_of
from tests.world import World, settings_for

COUNT = 800
"""More than can go out before the worker notices."""


def scheduler_of(world: World, late: timedelta = timedelta()) -> SchedulerState:
    """Return what readiness says of the scheduler, now or some time later."""
    at = clock.now() + late
    return look_at_health(world.wiring.engine, at, newest_revision(), frozenset(known_revisions())).scheduler


def test_a_worker_whose_scheduler_dies_while_it_sends_ends_and_costs_nothing(
    database_url: str, tmp_path: Path, sink: Sink, figures: Figures
) -> None:
    settings = settings_for(database_url, tmp_path / "instance", sink.url)
    with closing(World(settings, clock.now())) as world, Workers(world) as workers:
        announce_to(world, *readers(COUNT), customers="")
        ill = workers.start(Task.BREAK)
        ill.join(PATIENCE)
        assert ill.exitcode == 1
        # It stopped between two letters, gave the rest back, and holds nothing.
        states = Counter(states_of(world).values())
        assert set(states) == {"accepted", "pending"}
        assert states["accepted"] == sink.count()
        # Readiness says so as soon as the heartbeat is late.
        assert scheduler_of(world) is SchedulerState.ALIVE
        assert scheduler_of(world, HEARTBEAT_LATE_AFTER + timedelta(seconds=1)) is SchedulerState.LATE
        # Whoever started it starts it again.
        environ = {
            "REGISTRY_ENV": "test",
            "REGISTRY_INSTANCE": str(tmp_path / "instance"),
            "REGISTRY_DATABASE_URL": database_url,
            "REGISTRY_SECRET_KEY": "kJ3-fq9_tests-only-Zp81xWv0LmQ27uRb",
            "REGISTRY_BASE_URL": "http://127.0.0.1:8000",
            "REGISTRY_MAIL_URL": sink.url,
            "REGISTRY_MAIL_FROM": "notices@registry.example",
        }
        before = sink.count()
        with running(environ, tmp_path / "worker.log", "worker"):
            wait_for(lambda: sink.count() > before, "letter by the next worker")
            assert scheduler_of(world) is SchedulerState.ALIVE
        world.at = clock.now()
        finish(world)
        post = check_the_post(world, sink)
        figures(Fault.SCHEDULER_DIES, "scheduler dead while letters go out", world, post, kills=1)
        assert post == Post(letters=COUNT, extra_copies=0, spent=0)
