"""A standstill that ended while nobody looked is over at the next look, however long ago that was."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tests.steps.holding_cast import look, pending_notice, tasks
from tests.steps.test_standing_mail import STANDSTILL, since, tried
from tests.world import World

NIGHT = timedelta(hours=9)


@pytest.mark.parametrize("answer", ["accepted", "permanent"])
def test_what_was_answered_while_nobody_looked_ends_the_standstill(world: World, answer: str) -> None:
    pending_notice(world, deliver=False)
    began = world.at
    tried(world, "smtp", began, "temporary")
    world.at = began + timedelta(minutes=30)
    assert since(world) == [("smtp", began.isoformat())]
    tried(world, "smtp", began + timedelta(hours=1), answer, 250)
    again = began + NIGHT - timedelta(minutes=10)
    tried(world, "smtp", again, "temporary", times=3)
    world.at = began + NIGHT
    assert since(world) == []
    world.at = again + timedelta(minutes=30)
    assert since(world) == [("smtp", again.isoformat())], "that is another one, since then"


def test_a_standstill_that_went_on_while_nobody_looked_is_the_same_task(world: World) -> None:
    pending_notice(world, deliver=False)
    began = world.at
    # Answered before it began: that ends nothing.
    tried(world, "smtp", began - timedelta(minutes=1), "accepted", 250)
    tried(world, "smtp", began, "temporary")
    world.at = began + timedelta(minutes=30)
    look(world)
    (task,) = tasks(world, STANDSTILL)
    tried(world, "smtp", began + timedelta(hours=1), "temporary")
    world.at = began + NIGHT
    assert since(world) == [("smtp", began.isoformat())]
    assert [each.id for each in tasks(world, STANDSTILL)] == [task.id]


def test_that_it_was_seen_is_noted_every_quarter_of_an_hour_and_not_at_every_look(world: World) -> None:
    pending_notice(world, deliver=False)
    began = world.at
    tried(world, "smtp", began, "temporary")
    noted = set()
    for minutes in range(30, 91):
        world.at = began + timedelta(minutes=minutes)
        look(world)
        noted |= {task.facts.get("seen_at") for task in tasks(world, STANDSTILL)}
    assert noted == {None, *((began + timedelta(minutes=minutes)).isoformat() for minutes in (45, 60, 75, 90))}
    tried(world, "smtp", world.at, "permanent", 550)
    assert since(world) == []
