"""On its day a notice takes effect, at one instant for the whole list, and never sooner (R6, R19, R21, R24)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import select

from registry.domain.errors import IllegalTransition
from registry.steps.lookup import get_publisher
from registry.tables import ListPeriod
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import (
    HETZNER,
    STRIPE,
    TWO_PLACES,
    announce,
    at,
    counting,
    edit,
    events,
    file_of,
    follow,
    object_to,
    standing,
    statements,
    sweep,
    withdraw,
)
from tests.world import BREMEN, World, antopsis, letters_to, text_of, utc


def places(world: World, as_of: date | None = None) -> int:
    """Count the places of Hetzner on the list."""
    hetzner = next(entry for entry in world.public(as_of).entries if entry.key == "hetzner-falkenstein")
    return len(hetzner.content.locations)


def test_a_list_changes_as_a_whole_at_the_first_instant_of_the_day(world: World) -> None:
    world.apply(antopsis(customers=""))
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    edit(world, {"name": "Clerk"}, "clerk")
    number = announce(world)
    at(world, utc("2026-10-30 22:59:59"))
    assert (places(world), len(world.public().entries)) == (1, 2)
    at(world, utc("2026-10-30 23:00"))
    public = world.public()
    assert {entry.current_at for entry in public.entries} == {utc("2026-10-30 23:00")}
    assert [entry.key for entry in public.entries] == ["stripe", "hetzner-falkenstein", "clerk"]
    assert world.notice(number).took_effect_at == utc("2026-10-30 23:00")
    with world.reading() as session:
        causes = session.scalars(select(ListPeriod.cause).where(ListPeriod.to_at.is_(None))).all()
    assert set(causes) == {f"notice:{number}"}


@pytest.mark.parametrize(
    ("zone", "announced", "effective_on", "last_instant_before"),
    [
        # Clocks go back in the night of 25 October: the day before it has 24 hours, that day has 25.
        ("Europe/Berlin", "2026-09-24 08:00", date(2026, 10, 25), "2026-10-24 21:59:59"),
        ("Europe/Berlin", "2026-09-25 08:00", date(2026, 10, 26), "2026-10-25 22:59:59"),
        # Clocks go forward on 8 March in New York.
        ("America/New_York", "2027-02-12 17:00", date(2027, 3, 15), "2027-03-15 03:59:59"),
        ("Asia/Ho_Chi_Minh", "2026-09-30 18:30", date(2026, 11, 1), "2026-10-31 16:59:59"),
        ("Pacific/Apia", "2026-09-30 08:00", date(2026, 10, 31), "2026-10-30 10:59:59"),
        # Midnight is left out where clocks go forward at 0:00.
        ("America/Havana", "2027-02-11 17:00", date(2027, 3, 14), "2027-03-14 04:59:59"),
    ],
)
def test_the_day_begins_in_the_publishers_zone(
    sqlite_world: World, zone: str, announced: str, effective_on: date, last_instant_before: str
) -> None:
    world = sqlite_world
    world.at = utc(announced)
    line = "{key: hetzner-falkenstein, name: Hetzner, purposes: [Servers that run the service]}"
    world.apply(file_of([line], time_zone=zone))
    number = announce(world)
    assert world.notice(number).effective_on == effective_on
    at(world, utc(last_instant_before))
    assert world.notice(number).state == "announced"
    assert places(world) == 0
    at(world, utc(last_instant_before) + timedelta(seconds=1))
    assert world.notice(number).state == "in_effect"
    assert places(world, effective_on) == 2
    assert places(world, effective_on - timedelta(days=1)) == 0


def test_a_day_of_silence_makes_effect_late_and_dates_nothing_back(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    follow(world, "fred@reader.example", wants_effect=True)
    number = announce(world)
    sweep(world)
    at(world, utc("2026-11-02 10:00"))
    notice = world.notice(number)
    assert (notice.state, notice.effective_on, notice.took_effect_at) == (
        "in_effect",
        date(2026, 11, 1),
        utc("2026-11-02 10:00"),
    )
    assert places(world, date(2026, 11, 1)) == 1
    assert places(world) == 2
    assert world.public(date(2026, 11, 1)).notices[0].state == "announced"
    assert "Monday, 2 November 2026" in text_of(letters_to(mail_server, "fred@reader.example")[-1])


def test_letters_that_go_out_late_move_the_date(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    # The service was down: the first letter leaves on the day the change was planned for.
    at(world, utc("2026-11-01 07:00"))
    notice = world.notice(number)
    assert (notice.state, notice.effective_on) == ("held", date(2026, 12, 2))
    at(world, utc("2026-12-01 23:00"))
    assert world.notice(number).took_effect_at == utc("2026-12-01 23:00")


def test_one_notice_that_is_held_does_not_stop_another(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    held = announce(world)
    sweep(world)
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    free = world.draft(effective_on=date(2026, 11, 1))
    world.publish(free)
    sweep(world)
    object_to(world, held, "bremen")
    at(world, utc("2026-10-31 23:00"))
    assert (world.notice(held).state, world.notice(free).state) == ("held", "in_effect")
    assert [hold.customer_key for hold in world.status(held).holds] == ["bremen"]


def test_an_emergency_takes_effect_as_soon_as_it_is_announced_and_says_so(
    world: World, mail_server: MailServer
) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world, emergency_reason="The host was breached and is replaced at once.")
    sweep(world)
    notice = world.notice(number)
    assert (notice.state, notice.took_effect_at) == ("in_effect", world.at)
    assert places(world) == 2
    (public,) = world.public().notices
    assert public.emergency_reason == "The host was breached and is replaced at once."
    assert "The host was breached" in text_of(letters_to(mail_server, "dpo@bremen.example")[0])
    bremen = standing(world, number, "bremen")
    assert bremen is not None
    assert bremen.earliest_at == utc("2026-10-30 23:00")


def test_in_an_emergency_objections_are_recorded_and_hold_nothing(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world, effective_on=date(2026, 10, 2), emergency_reason="The host was breached.")
    sweep(world)
    assert world.notice(number).state == "announced"
    assert object_to(world, number, "bremen")
    assert world.status(number).holds == ()
    at(world, utc("2026-10-01 22:00"))
    assert world.notice(number).state == "in_effect"
    assert world.status(number).objections == (("Bremen Media GmbH", "received", True, utc("2026-09-30 08:00")),)
    assert [kind for kind, _ in statements(world, number)] == ["announcement", "effect"]


def test_that_it_has_taken_effect_is_told_to_those_who_asked(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    follow(world, "fred@reader.example", wants_effect=True)
    follow(world, "olga@watcher.example")
    announce(world)
    sweep(world)
    at(world, utc("2026-10-31 23:00"), "take_effect", "send_effect")
    assert [len(letters_to(mail_server, f"{name}.example")) for name in ("fred@reader", "olga@watcher")] == [2, 1]
    assert len(letters_to(mail_server, "dpo@bremen.example")) == 1


def test_what_is_in_effect_is_not_withdrawn(world: World) -> None:
    world.apply(antopsis(customers=""))
    number = announce(world)
    at(world, utc("2026-10-30 23:00"))
    with pytest.raises(IllegalTransition):
        withdraw(world, number)
    assert places(world) == 2


def test_a_change_back_is_a_notice_of_its_own(world: World) -> None:
    world.apply(antopsis(customers=""))
    announce(world)
    at(world, utc("2026-10-30 23:00"))
    edit(world, HETZNER)
    second = world.draft()
    assert second == "2026-002"
    world.publish(second)
    sweep(world)
    assert places(world) == 1
    assert places(world, date(2026, 10, 30)) == 1
    took = [event.at for event in events(world, "notice.took_effect")]
    assert took == [utc("2026-10-30 23:00"), utc("2026-10-30 23:00")]


def test_effect_costs_the_database_as_little_for_forty_entries_as_for_four(sqlite_world: World) -> None:
    costs = []
    for count in (4, 40):
        keys = [f"vendor-{count}-{number}" for number in range(count)]
        if count == 4:
            sqlite_world.apply(antopsis(customers=""))
        for key in keys:
            edit(sqlite_world, TWO_PLACES | {"name": key}, key)
        number = sqlite_world.draft()
        sqlite_world.publish(number)
        sqlite_world.at = datetime.combine(sqlite_world.notice(number).planned_on, datetime.min.time(), UTC)
        with counting(sqlite_world) as sent:
            sweep(sqlite_world, "take_effect")
        assert sqlite_world.notice(number).state == "in_effect"
        costs.append(len(sent))
    assert costs[1] <= costs[0] + 5, costs
    with sqlite_world.reading() as session:
        assert get_publisher(session, "antopsis").revision > 1
