"""Raising and lowering what a change asks for (R3), and setting a hold aside (R23)."""

from __future__ import annotations

from datetime import date

import pytest

from registry.domain.errors import IllegalTransition, InvalidInput
from registry.domain.vocabulary import Weight
from registry.steps.approvals import COMMAND_LINE
from registry.steps.errors import (
    CommandLineMayNotApprove,
    NotApproved,
    NotHolding,
    OwnApproval,
    ReasonMissing,
    UnknownEntry,
)
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.override_hold import override_hold
from registry.steps.propose import propose_override
from registry.steps.record import Actor
from registry.steps.weigh_change import weigh_change
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import approve, decide, standing
from tests.world import ANNA, BORIS, World, antopsis, utc

WHY = "Helsinki was always meant by “Europe” in the contract."


def _draft(world: World) -> str:
    world.apply(antopsis())
    world.apply(antopsis(helsinki=True))
    return world.draft()


def _weigh(
    world: World, number: str, weight: Weight, reason: str | None = None, key: str = "hetzner-falkenstein"
) -> None:
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        weigh_change(
            session, world.at, publisher, get_notice(session, publisher, number), key, weight, ANNA, reason=reason
        )


def _override(world: World, number: str, actor: Actor, reason: str = WHY) -> bool:
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        return override_hold(
            session, world.at, publisher, get_notice(session, publisher, number), "bremen", actor, reason=reason
        )


def test_lowering_needs_a_reason_and_a_second_person_even_where_no_approval_is_required(world: World) -> None:
    number = _draft(world)
    with pytest.raises(ReasonMissing):
        _weigh(world, number, Weight.INFORMING)
    _weigh(world, number, Weight.INFORMING, WHY)
    with pytest.raises(NotApproved):
        world.publish(number)
    with pytest.raises(OwnApproval):
        approve(world, number, ANNA)
    approve(world, number, BORIS)
    world.publish(number)
    assert world.notice(number).state == "announced"


def test_raising_back_needs_nobody(world: World) -> None:
    number = _draft(world)
    _weigh(world, number, Weight.INFORMING, WHY)
    _weigh(world, number, Weight.BINDING)
    world.publish(number)
    assert world.notice(number).effective_on == date(2026, 11, 16)


def test_an_entry_outside_the_notice_and_a_published_notice_are_refused(world: World) -> None:
    number = _draft(world)
    with pytest.raises(UnknownEntry):
        _weigh(world, number, Weight.BINDING, key="stripe")
    world.publish(number)
    with pytest.raises(IllegalTransition):
        _weigh(world, number, Weight.INFORMING, WHY)


def test_two_people_with_one_reason_set_a_hold_aside_and_one_does_not(world: World, mail_server: MailServer) -> None:
    mail_server.script("dpo@bremen.example", 550, "5.1.1 No such user here")
    world.apply(antopsis())
    number = world.announce(antopsis(helsinki=True))
    world.tick()
    assert not _override(world, number, ANNA)
    assert not _override(world, number, ANNA)
    assert not _override(world, number, BORIS, reason="Another reason")
    assert [hold.customer_key for hold in world.status(number).holds] == ["bremen"]
    with pytest.raises(CommandLineMayNotApprove):
        _override(world, number, Actor("boris", COMMAND_LINE, "root"))
    assert _override(world, number, BORIS)
    assert world.status(number).holds == ()
    world.at = utc("2026-11-15 23:00")
    world.tick()
    assert world.notice(number).state == "in_effect"
    bremen = next(each for each in world.status(number).customers if each.key == "bremen")
    assert (bremen.state, bremen.received_at, bremen.basis) == ("overridden", None, WHY)


def test_reasons_that_people_cannot_read_are_refused(sqlite_world: World) -> None:
    number = _draft(sqlite_world)
    with pytest.raises(InvalidInput) as refused:
        _weigh(sqlite_world, number, Weight.INFORMING, "Always\x07 meant")
    assert (refused.value.problems[0].field, refused.value.problems[0].code) == ("reason", "control-character")
    sqlite_world.publish(number)
    with pytest.raises(InvalidInput) as refused:
        _override(sqlite_world, number, ANNA, "Unreachable\u202e since May")
    assert (refused.value.problems[0].field, refused.value.problems[0].code) == ("reason", "control-character")


def test_a_hold_that_is_no_more_is_not_set_aside_and_stays_as_it_is_on_record(world: World) -> None:
    world.apply(antopsis())
    number = world.announce(antopsis(helsinki=True))
    assert not _override(world, number, ANNA)
    decide(world, number, "bremen", "exempt", "Waiver of 2 October")
    for actor in (ANNA, BORIS):
        with pytest.raises(NotHolding) as refused:
            _override(world, number, actor)
    assert refused.value.params == {"customer": "bremen", "number": number, "state": "exempt"}
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        with pytest.raises(NotHolding):
            propose_override(session, world.at, publisher, notice, "bremen", ANNA, reason=WHY)
    known = standing(world, number, "bremen")
    assert known is not None
    assert (known.state, known.basis) == ("exempt", "Waiver of 2 October")
