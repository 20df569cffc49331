"""Workers killed at any moment while they send: nothing is lost, and no copy too many but one marked for each kill."""

from __future__ import annotations

import logging
import os
import random
import secrets
import signal
import time
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

import pytest

from benchmarks.sink import Sink
from tests.faults.conftest import CONNECTIONS, Figures
from tests.faults.post import Post, check_the_post, count_unfinished, finish, let_leases_of, readers
from tests.faults.table import Fault
from tests.faults.workers import PATIENCE, Point, Task, Workers
from tests.steps.post_office import announce_to
from tests.world import BREMEN, HANOI, World

KILL_FOR = 100
"""Seconds. Then workers are left alone, and must bring the rest to its end."""

logger = logging.getLogger(__name__)


def make_dice() -> random.Random:
    """Return dice that can be thrown again: `REGISTRY_TEST_SEED` is what the log tells."""
    seed = os.environ.get("REGISTRY_TEST_SEED") or secrets.token_hex(4)
    logger.info("seed %s", seed)
    return random.Random(seed)


def kill_at_random(world: World, sink: Sink, workers: Workers, between: tuple[int, int]) -> int:
    """Keep workers sending and kill one after each so many letters, until few are left or it is time; return the kills.

    The leases of the one that died run out at once, those of the others go on.
    """
    at_once = 1 if world.wiring.uses_sqlite else 3
    dice, began_with, ends = make_dice(), count_unfinished(world), time.monotonic() + KILL_FOR
    alive: dict[str, BaseProcess] = {}
    kills = started = 0
    while time.monotonic() < ends and count_unfinished(world) > began_with // 10:
        while len(alive) < at_once:
            started += 1
            alive[f"w{started}"] = workers.start(Task.KEEP_SENDING, name=f"w{started}")
        wait_for_letters(sink, dice.randint(*between))
        time.sleep(dice.uniform(0, 0.01))
        kills += end_one(world, alive, dice.choice(list(alive)))
    for name in list(alive):
        kills += end_one(world, alive, name)
    return kills


def wait_for_letters(sink: Sink, count: int) -> None:
    """Wait until so many more letters have arrived, but not for ever: who would send them may be dead."""
    enough, ends = sink.count() + count, time.monotonic() + 3
    while sink.count() < enough and time.monotonic() < ends:
        time.sleep(0.002)


def end_one(world: World, alive: dict[str, BaseProcess], name: str) -> bool:
    """Kill a worker and let its leases run out; return whether it was alive until then."""
    process = alive.pop(name)
    process.kill()
    process.join(PATIENCE)
    let_leases_of(world, name)
    return process.exitcode == -signal.SIGKILL


def count_missing(post: Post, letters: int) -> int:
    """Return how many letters never arrived: three workers died over each, and it waits for a person (R26)."""
    return letters - (post.letters - post.extra_copies)


def run(world: World, sink: Sink, workers: Workers, letters: int, between: tuple[int, int]) -> tuple[Post, int]:
    announce_to(world, *readers(letters - 2), customers=BREMEN + HANOI)
    kills = kill_at_random(world, sink, workers, between)
    finish(world)
    return check_the_post(world, sink), kills


def check_the_promise(post: Post, letters: int, kills: int, under_way: int = 1) -> None:
    """Nothing is lost, and there is one copy too many for each letter at most that a killed worker had `under_way`.

    A letter over which three workers died is left to a person, and may not have arrived (R26). It is rare, and counted.
    """
    assert post.lost == 0
    assert post.extra_copies <= kills * under_way
    assert post.spent <= kills * under_way // 3
    assert letters - post.spent <= post.letters - post.extra_copies <= letters


@dataclass(frozen=True)
class Ordeal:
    """So many letters, a kill after each so many, no fewer kills than that; a worker has `under_way` at most."""

    fault: Fault
    name: str
    letters: int
    between: tuple[int, int]
    least_kills: int
    under_way: int = 1

    def run(self, world: World, sink: Sink, figures: Figures) -> None:
        """Have workers send while they are killed, tell what it came to, and see the promise kept."""
        with Workers(world) as workers:
            post, kills = run(world, sink, workers, self.letters, self.between)
        figures(self.fault, self.name, world, post, kills=kills, missing=count_missing(post, self.letters))
        assert kills >= self.least_kills
        check_the_promise(post, self.letters, kills, self.under_way)


ONE = Fault.KILLED_AT_RANDOM
MANY = Fault.KILLED_WITH_MANY
SEVERAL = "SIGKILL at random, several connections"


def test_workers_killed_at_random_lose_no_letter_and_double_none_unmarked(
    sink_world: World, sink: Sink, figures: Figures
) -> None:
    Ordeal(ONE, "SIGKILL at random, short", 300, (20, 100), 2).run(sink_world, sink, figures)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_workers_killed_at_random_through_five_thousand_letters_lose_none(
    sink_world: World, sink: Sink, figures: Figures
) -> None:
    Ordeal(ONE, "SIGKILL at random", 5_000, (5, 100), 10).run(sink_world, sink, figures)


def test_workers_with_several_connections_lose_no_letter_and_double_none_unmarked(
    many_connections_world: World, sink: Sink, figures: Figures
) -> None:
    short = Ordeal(MANY, f"{SEVERAL}, short", 400, (40, 150), 2, under_way=2 * CONNECTIONS)
    short.run(many_connections_world, sink, figures)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_workers_with_several_connections_killed_through_five_thousand_letters_lose_none(
    many_connections_world: World, sink: Sink, figures: Figures
) -> None:
    whole = Ordeal(MANY, SEVERAL, 5_000, (50, 300), 10, under_way=2 * CONNECTIONS)
    whole.run(many_connections_world, sink, figures)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_workers_that_die_at_the_worst_points_all_the_time_lose_no_letter(
    sink_world: World, sink: Sink, figures: Figures
) -> None:
    """Here each death is at a point where it costs most, so that every kind of crash comes often."""
    world, dice = sink_world, make_dice()
    announce_to(world, *readers(998), customers=BREMEN + HANOI)
    at_once = 1 if world.wiring.uses_sqlite else 3
    points = [Point.CLAIMED, Point.STARTED, Point.ANSWERED]
    kills, ends = 0, time.monotonic() + 30
    with Workers(world) as workers:
        while count_unfinished(world) > 100 and time.monotonic() < ends:
            alive: dict[str, BaseProcess] = {}
            for number, point in enumerate(dice.choices(points, k=at_once)):
                name = f"w{kills}x{number}"
                alive[name] = workers.start(Task.SEND, die_at=point, die_after=dice.randint(1, 60), name=name)
            for name, process in list(alive.items()):
                process.join(PATIENCE)
                kills += end_one(world, alive, name)
    finish(world)
    post = check_the_post(world, sink)
    figures(
        Fault.KILLED_AT_A_POINT,
        "SIGKILL at the worst points",
        world,
        post,
        kills=kills,
        missing=count_missing(post, 1_000),
    )
    assert kills >= 10
    check_the_promise(post, 1_000, kills)
