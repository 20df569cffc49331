"""Shortening what customers were promised, or loosening who approves, needs a second person (R8, R16)."""

from __future__ import annotations

import pytest

from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.steps.approvals import COMMAND_LINE
from registry.steps.approve_terms import approve_terms
from registry.steps.errors import ApprovalNeeded, CommandLineMayNotApprove
from registry.steps.lookup import get_publisher, read_facts
from registry.steps.record import Actor
from tests.world import ANNA, ANTOPSIS, BORIS, BREMEN, HANOI, World, antopsis


def _file(*, days: int = 30, hanoi_days: int = 45) -> RegistryFile:
    customers = (HANOI + BREMEN).replace("days: 45", f"days: {hanoi_days}")
    text = ANTOPSIS.format(approvals=1, more_locations="", customers=customers, more_entries="")
    return read_registry_file(text.replace("{days: 30,", f"{{days: {days},").encode(), "antopsis.yaml")


def _approve(world: World, file: RegistryFile, actor: Actor) -> int:
    with world.writing() as session:
        return approve_terms(session, world.at, get_publisher(session, "antopsis"), file, actor)


def _days(world: World) -> int:
    with world.reading() as session:
        return read_facts(session, get_publisher(session, "antopsis")).notice.days


@pytest.mark.parametrize(
    "shorter", [_file(days=20), _file(hanoi_days=40), antopsis(approvals=0)], ids=["publisher", "customer", "approvals"]
)
def test_a_shorter_promise_is_refused_until_somebody_else_approves_exactly_it(
    world: World, shorter: RegistryFile
) -> None:
    world.apply(antopsis(approvals=1))
    with pytest.raises(ApprovalNeeded):
        world.apply(shorter)
    # Whoever applies it does not count, and another file's approval is not this one's.
    assert _approve(world, shorter, ANNA) == 1
    _approve(world, _file(days=25), BORIS)
    with pytest.raises(ApprovalNeeded):
        world.apply(shorter)
    _approve(world, shorter, BORIS)
    assert world.apply(shorter).changed_anything


def test_a_longer_promise_needs_nobody(world: World) -> None:
    world.apply(antopsis(approvals=1))
    world.apply(_file(days=40))
    assert _days(world) == 40


def test_the_command_line_approves_terms_only_where_the_publisher_lets_it(world: World) -> None:
    world.apply(antopsis(approvals=1))
    with pytest.raises(CommandLineMayNotApprove):
        _approve(world, _file(days=20), Actor("boris", COMMAND_LINE, "root"))
