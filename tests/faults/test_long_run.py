"""The long form: more than a thousand letters, and workers that die all the time (`make faults`)."""

from __future__ import annotations

import logging
import os
import random
import secrets
import time
from datetime import timedelta

import pytest

from tests.channels.smtp_server import MailServer
from tests.faults.post import check_the_post, count_unfinished, finish, readers
from tests.faults.workers import Point, Task, Workers
from tests.steps.post_office import announce_to, let_leases_run_out
from tests.world import BREMEN, HANOI, World

LETTERS = 1_200
KILL_FOR = 90
"""Seconds. Then workers are left alone, and must bring the rest to its end."""

logger = logging.getLogger(__name__)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_workers_that_die_all_the_time_lose_no_letter_and_double_none_unmarked(
    world: World, mail_server: MailServer, workers: Workers
) -> None:
    seed = os.environ.get("REGISTRY_TEST_SEED") or secrets.token_hex(4)
    dice = random.Random(seed)
    at_once = 1 if world.wiring.uses_sqlite else 3
    announce_to(world, *readers(LETTERS - 2), customers=BREMEN + HANOI)
    kills = 0
    until = time.monotonic() + KILL_FOR
    while count_unfinished(world) > LETTERS // 10 and time.monotonic() < until:
        started = [
            workers.start(Task.TICK, die_at=point, die_after=dice.randint(1, 60) if point else 1)
            for point in dice.choices([Point.CLAIMED, Point.STARTED, Point.ANSWERED, None], k=at_once)
        ]
        # Those without a place to die are killed at any moment, from outside.
        time.sleep(dice.uniform(0.3, 1.5))
        for process in started:
            process.kill()
            process.join()
            kills += process.exitcode != 0
        let_leases_run_out(world)
        world.at += timedelta(minutes=1)
    finish(world)
    post = check_the_post(world, mail_server)
    logger.info("%d kills, %d copies too many, %d spent (seed %s)", kills, post.extra_copies, post.spent, seed)
    assert kills >= 10, seed
    assert post.extra_copies <= kills, seed
    assert post.spent <= kills // 2, seed
    assert post.letters >= LETTERS - post.spent, seed
