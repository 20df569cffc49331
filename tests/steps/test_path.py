"""The path from an edit to its effect, step by step, on both databases."""

from __future__ import annotations

from datetime import date

import pytest

from registry.domain.effect import HoldReason
from registry.domain.notices import NoticePeriodTooShort
from registry.steps.record_edit import EditFate
from tests.channels.smtp_server import MailServer
from tests.world import World, antopsis, letters_to, text_of, utc


def test_the_first_load_states_the_list_without_a_notice(world: World) -> None:
    applied = world.apply(antopsis())
    public = world.public()
    assert applied.is_founding
    assert [entry.key for entry in public.entries] == ["stripe", "hetzner-falkenstein"]
    assert public.notices == ()


def test_applying_twice_changes_nothing(world: World) -> None:
    world.apply(antopsis())
    assert not world.apply(antopsis()).changed_anything
    world.apply(antopsis(helsinki=True))
    assert not world.apply(antopsis(helsinki=True)).changed_anything


def test_a_binding_edit_waits_and_the_list_stays_as_it_is(world: World) -> None:
    world.apply(antopsis())
    applied = world.apply(antopsis(helsinki=True))
    assert [edit.fate for edit in applied.edits] == [EditFate.DRAFTED]
    assert len(world.public().entries[1].content.locations) == 1


def test_the_earliest_date_is_that_of_the_customer_with_the_longest_clock(world: World) -> None:
    world.apply(antopsis())
    world.apply(antopsis(helsinki=True))
    with pytest.raises(NoticePeriodTooShort) as refusal:
        world.draft(effective_on=date(2026, 11, 14))
    assert refusal.value.params["customer"] == "Hanoi Streams Co."
    assert refusal.value.params["first_on"] == date(2026, 11, 16)
    number = world.draft()
    assert world.notice(number).effective_on == date(2026, 11, 16)


def test_each_recipient_gets_the_right_letter_once(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis())
    world.tick()
    number = world.announce(antopsis(helsinki=True))
    assert mail_server.messages == []
    world.tick()
    world.tick()
    hanoi, bremen = letters_to(mail_server, "privacy@hanoi.example"), letters_to(mail_server, "dpo@bremen.example")
    assert len(hanoi) == len(bremen) == 1
    assert "Helsinki" in text_of(hanoi[0])
    assert "Friday, 30 October 2026 (2026-10-30, Europe/Berlin)" in text_of(bremen[0])
    assert "(2026-10-30, Asia/Ho_Chi_Minh)" in text_of(hanoi[0])
    assert "Monday, 16 November 2026" in text_of(hanoi[0])
    status = world.status(number)
    assert [(each.customer, each.state) for each in status.deliveries] == [
        ("hanoi", "accepted"),
        ("bremen", "accepted"),
    ] or sorted((each.customer, each.state) for each in status.deliveries) == [
        ("bremen", "accepted"),
        ("hanoi", "accepted"),
    ]


def test_a_notice_takes_effect_on_its_day_and_not_an_hour_sooner(world: World) -> None:
    world.apply(antopsis())
    number = world.announce(antopsis(helsinki=True))
    world.tick()
    world.at = utc("2026-11-15 22:59")
    world.tick()
    assert world.notice(number).state == "announced"
    assert len(world.public().entries[1].content.locations) == 1
    world.at = utc("2026-11-15 23:00")
    world.tick()
    assert world.notice(number).state == "in_effect"
    assert len(world.public().entries[1].content.locations) == 2
    assert len(world.public(date(2026, 11, 15)).entries[1].content.locations) == 1


def test_a_customer_whose_letters_are_refused_holds_the_notice_by_name(world: World, mail_server: MailServer) -> None:
    mail_server.script("dpo@bremen.example", 550, "5.1.1 No such user here")
    world.apply(antopsis())
    number = world.announce(antopsis(helsinki=True))
    world.tick()
    world.at = utc("2026-11-15 23:00")
    world.tick()
    status = world.status(number)
    assert status.state == "held"
    assert [(hold.customer_name, hold.reason) for hold in status.holds] == [
        ("Bremen Media GmbH", HoldReason.NOT_RECEIVED)
    ]
    assert status.effective_on is None
    postponed = letters_to(mail_server, "privacy@hanoi.example")[-1]
    assert "until further notice" in text_of(postponed)
