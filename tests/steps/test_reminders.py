"""The reminder, once, the publisher's number of days before the date (R15)."""

from __future__ import annotations

from datetime import date

from registry.steps.lookup import get_publisher
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import announce, at, dump, edit, follow, object_to, statements, sweep, withdraw
from tests.world import BREMEN, World, antopsis, letters_to, text_of, utc

LAST_MOMENT_OF_THE_DAY_BEFORE = utc("2026-10-24 21:59:59")
SEVEN_DAYS_BEFORE = utc("2026-10-24 22:00")
"""25 October 2026, 00:00 in Berlin: a week before 1 November, across the night in which clocks go back."""


def reminders(world: World, number: str) -> int:
    return sum(kind == "reminder" for kind, _ in statements(world, number))


def days_before(world: World, days: int | None) -> None:
    """Have the publisher remind so many days before, or never."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        publisher.facts = publisher.facts | {"reminder_days": days}


def test_customers_and_followers_are_reminded_once_a_week_before(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    follow(world, "fred@reader.example")
    follow(world, "olga@watcher.example", wants_reminders=False)
    number = announce(world)
    sweep(world)
    at(world, LAST_MOMENT_OF_THE_DAY_BEFORE)
    assert reminders(world, number) == 0
    at(world, SEVEN_DAYS_BEFORE)
    before = dump(world)
    sweep(world)
    assert dump(world) == before
    at(world, utc("2026-10-29 08:00"))
    assert reminders(world, number) == 1
    for address in ("dpo@bremen.example", "fred@reader.example"):
        assert "Sunday, 1 November 2026" in " ".join(text_of(letters_to(mail_server, address)[1]).split())
    assert len(letters_to(mail_server, "olga@watcher.example")) == 1
    assert statements(world, number)[1] == ("reminder", date(2026, 11, 1))


def test_a_notice_told_within_the_reminders_own_span_is_not_followed_by_one(world: World) -> None:
    world.apply(antopsis(customers=""))
    days_before(world, 30)
    edit(world, None, "stripe")
    number = world.draft(effective_on=date(2026, 10, 20))
    world.publish(number)
    sweep(world)
    at(world, utc("2026-10-10 08:00"))
    assert reminders(world, number) == 0


def test_a_notice_told_exactly_as_long_ahead_as_the_reminder_is_not_followed_by_one(world: World) -> None:
    world.apply(antopsis(customers=""))
    edit(world, None, "stripe")
    number = world.draft(effective_on=date(2026, 10, 7))
    world.publish(number)
    at(world, utc("2026-10-01 08:00"))
    assert reminders(world, number) == 0


def test_a_reminder_that_was_missed_is_sent_late_but_never_on_the_day_itself(world: World) -> None:
    world.apply(antopsis(customers=""))
    number = announce(world)
    at(world, utc("2026-10-30 22:59"), "remind")
    assert reminders(world, number) == 1
    edit(world, {"name": "Clerk"}, "clerk")
    second = world.draft()
    world.publish(second)
    at(world, utc("2026-12-31 08:00"), "remind")
    assert reminders(world, second) == 0


def test_a_publisher_may_do_without_reminders(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    days_before(world, None)
    number = announce(world)
    sweep(world)
    at(world, utc("2026-10-31 08:00"))
    assert reminders(world, number) == 0


def test_what_was_withdrawn_or_is_held_is_not_reminded_of(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    sweep(world)
    withdraw(world, number)
    at(world, SEVEN_DAYS_BEFORE)
    assert reminders(world, number) == 0
    second = announce(world)
    days_before(world, None)
    sweep(world)
    object_to(world, second, "bremen")
    at(world, utc("2026-11-25 23:00"))
    assert world.notice(second).state == "held"
    days_before(world, 7)
    at(world, utc("2026-11-27 08:00"))
    assert reminders(world, second) == 0


def test_a_notice_postponed_after_its_reminder_is_not_reminded_of_again(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    at(world, utc("2026-10-26 08:00"))
    assert reminders(world, number) == 1
    at(world, utc("2026-10-31 23:00"))
    assert world.notice(number).effective_on == date(2026, 11, 26)
    at(world, utc("2026-11-20 08:00"))
    assert reminders(world, number) == 1
