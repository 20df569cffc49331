"""A customer whose contract runs, and that a notice leaves out: it dropped out by mistake, or never stood in it."""

from __future__ import annotations

from datetime import date, timedelta

from registry.steps.customers import end_contract
from registry.steps.lookup import get_publisher
from registry.steps.tasks import TaskKind, close_task_by_hand
from registry.tables import Task
from tests.steps.holding_cast import LUEBECK, look, pending_notice
from tests.steps.holding_cast import tasks as tasks_of
from tests.steps.path_cast import add_customer, announce, standing, sweep
from tests.world import ANNA, BREMEN, World, antopsis, utc

RUNS_AGAIN = TaskKind.CONTRACT_RUNS_AGAIN.value
ACME = "privacy@acme.example"
BOTH = BREMEN + LUEBECK


def ends_on(world: World, day: str, key: str = "bremen") -> None:
    with world.writing() as session:
        end_contract(session, world.at, get_publisher(session, "antopsis"), key, date.fromisoformat(day), ANNA)


def tasks(world: World, *, is_open: bool = True) -> list[Task]:
    sweep(world)
    look(world)
    return tasks_of(world, RUNS_AGAIN, is_open=is_open)


def the_task(world: World) -> Task:
    (task,) = tasks(world)
    return task


def close(world: World, number: int, reason: str) -> None:
    with world.writing() as session:
        close_task_by_hand(session, world.at, number, ANNA, reason)


def dropped_by_mistake(world: World) -> str:
    """Have Bremen drop out of a notice that it has, by an end of its contract that was put in by mistake."""
    number = pending_notice(world, BOTH)
    world.at = utc("2026-10-10 08:00")
    ends_on(world, "2026-10-08")
    assert tasks(world) == []
    dropped = standing(world, number, "bremen")
    assert dropped is not None
    assert dropped.state == "dropped"
    return number


def was_over(world: World, *contacts: str) -> str:
    """Announce to Bremen while the contract of Acme, with these contacts, is over."""
    world.apply(antopsis(customers=BREMEN))
    add_customer(world, key="acme", name="Acme GmbH", contract_until="2026-09-01", contacts=list(contacts))
    world.at += timedelta(minutes=1)
    number = announce(world)
    assert tasks(world) == []
    return number
