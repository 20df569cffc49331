"""Postponing: a person puts an announced notice off, and the day told only ever moves later (R15, R20, R22)."""

from __future__ import annotations

from datetime import date

import pytest

from registry.domain.errors import IllegalTransition, InvalidInput
from registry.steps.errors import ReasonMissing
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.postpone_notice import NotLater, postpone_notice
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import FIRST_OF_NOVEMBER, ITS_FIRST_INSTANT, pending_notice
from tests.steps.path_cast import (
    TWO_PLACES,
    at,
    edit,
    events,
    object_to,
    resolve,
    standing,
    statements,
    sweep,
    withdraw,
)
from tests.world import BORIS, World, antopsis, letters_to, text_of, utc

LATER = date(2026, 12, 1)


def postpone(world: World, number: str, on: date = LATER, reason: str = "More time.") -> dict[str, int]:
    """Postpone a notice now."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        letterhead = world.wiring.letterhead
        return postpone_notice(session, world.at, publisher, notice, BORIS, letterhead, effective_on=on, reason=reason)


def test_everybody_who_was_told_is_told_the_later_day(world: World, mail_server: MailServer) -> None:
    number = pending_notice(world)
    assert postpone(world, number)["due"] == 1
    sweep(world)
    assert statements(world, number) == [("announcement", FIRST_OF_NOVEMBER), ("postponement", LATER)]
    letter = text_of(letters_to(mail_server, "dpo@bremen.example")[-1])
    assert "More time." in letter
    assert "1 December 2026" in letter
    assert world.notice(number).effective_on == LATER
    (event,) = events(world, "notice.postponed")
    assert event.actor == str(BORIS)
    assert (event.payload["before"], event.payload["after"]) == ("2026-11-01", "2026-12-01")
    assert "reason" not in event.payload


def test_clocks_and_deadlines_stay_and_it_takes_effect_on_its_new_day(world: World) -> None:
    number = pending_notice(world)
    before = standing(world, number, "bremen")
    postpone(world, number)
    after = standing(world, number, "bremen")
    assert before is not None
    assert after is not None
    assert (after.received_at, after.earliest_at, after.objection_ends_at) == (
        before.received_at,
        before.earliest_at,
        before.objection_ends_at,
    )
    at(world, ITS_FIRST_INSTANT, "take_effect")
    assert world.notice(number).state == "announced"
    at(world, utc("2026-11-30 22:59"), "take_effect")
    assert world.notice(number).state == "announced"
    at(world, utc("2026-11-30 23:00"), "take_effect")
    assert world.notice(number).state == "in_effect"


@pytest.mark.parametrize("on", [FIRST_OF_NOVEMBER, date(2026, 10, 31), date(2020, 1, 1)])
def test_a_day_that_is_not_later_is_refused_with_the_first_that_would_do(world: World, on: date) -> None:
    number = pending_notice(world)
    with pytest.raises(NotLater) as refusal:
        postpone(world, number, on)
    assert refusal.value.params["first_on"] == date(2026, 11, 2)
    assert statements(world, number) == [("announcement", FIRST_OF_NOVEMBER)]


def test_a_second_postponement_is_later_than_the_first(world: World) -> None:
    number = pending_notice(world)
    postpone(world, number)
    with pytest.raises(NotLater):
        postpone(world, number, date(2026, 11, 20))
    postpone(world, number, date(2026, 12, 2))
    assert world.notice(number).effective_on == date(2026, 12, 2)


def test_a_held_notice_can_be_given_a_day_which_stands_once_nobody_holds_it(world: World) -> None:
    number = pending_notice(world)
    object_to(world, number, "bremen")
    at(world, ITS_FIRST_INSTANT, "take_effect")
    assert (world.notice(number).state, world.notice(number).effective_on) == ("held", None)
    postpone(world, number)
    sweep(world, "take_effect")
    assert (world.notice(number).state, world.notice(number).effective_on) == ("held", LATER)
    resolve(world, number, "bremen")
    sweep(world, "take_effect")
    assert (world.notice(number).state, world.notice(number).effective_on) == ("announced", LATER)
    at(world, utc("2026-11-30 23:00"), "take_effect")
    assert world.notice(number).state == "in_effect"
    assert [kind for kind, _ in statements(world, number)] == [
        "announcement",
        "postponement",
        "postponement",
        "effect",
    ]


def test_whoever_holds_it_on_the_new_day_puts_it_off_again(world: World) -> None:
    number = pending_notice(world)
    postpone(world, number)
    object_to(world, number, "bremen")
    at(world, utc("2026-11-30 23:00"), "take_effect")
    assert world.notice(number).state == "held"
    assert statements(world, number)[-1] == ("postponement", None)


def test_only_what_customers_know_of_is_postponed_and_only_with_a_reason(world: World) -> None:
    world.apply(antopsis())
    edit(world, TWO_PLACES)
    number = world.draft()
    with pytest.raises(IllegalTransition):
        postpone(world, number)
    world.publish(number)
    for reason in ("", "  "):
        with pytest.raises(ReasonMissing):
            postpone(world, number, date(2027, 1, 1), reason)
    with pytest.raises(InvalidInput):
        postpone(world, number, date(2027, 1, 1), "one\x0btwo")
    withdraw(world, number)
    with pytest.raises(IllegalTransition):
        postpone(world, number, date(2027, 1, 1))


def test_a_day_too_far_ahead_is_refused_and_nobody_is_told(world: World) -> None:
    number = pending_notice(world)
    with pytest.raises(InvalidInput) as refusal:
        postpone(world, number, date.max)
    assert (refusal.value.problems[0].field, refusal.value.problems[0].code) == ("effective_on", "too-far-ahead")
    assert statements(world, number) == [("announcement", FIRST_OF_NOVEMBER)]
