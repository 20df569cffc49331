"""Taking a notice back: what was not sent is not sent, who was told is told, and the entries are free (R15, R28)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from registry.domain.errors import IllegalTransition, InvalidInput
from registry.steps.errors import NothingToAnnounce
from registry.steps.record_edit import EditFate
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import (
    STRIPE,
    TWO_PLACES,
    TWO_PLACES_AND_A_LINK,
    announce,
    at,
    count_deliveries,
    dump,
    edit,
    events,
    follow,
    object_to,
    statements,
    sweep,
    withdraw,
)
from tests.world import BREMEN, World, antopsis, letters_to, text_of, utc


def test_who_was_told_is_told_of_the_withdrawal_and_why(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    follow(world, "fred@reader.example")
    number = announce(world)
    sweep(world)
    counts = withdraw(world, number, reason="The contract with Helsinki was not signed.")
    assert counts == {"due": 2, "cancelled": 0}
    sweep(world)
    for address in ("dpo@bremen.example", "fred@reader.example"):
        announcement, withdrawal = letters_to(mail_server, address)
        assert number in text_of(announcement)
        assert "The contract with Helsinki was not signed." in text_of(withdrawal)
    assert world.notice(number).state == "withdrawn"
    at(world, utc("2026-10-31 23:00"))
    assert len(world.public().entries[1].content.locations) == 1
    assert len(mail_server.messages) == 4


def test_letters_not_sent_yet_are_cancelled_and_their_readers_hear_nothing(
    world: World, mail_server: MailServer
) -> None:
    mail_server.script("slow@reader.example", 451, "4.3.0 Try again later")
    world.apply(antopsis(customers=BREMEN))
    follow(world, "slow@reader.example")
    number = announce(world)
    sweep(world)
    follow(world, "late@reader.example", joins=True)
    counts = withdraw(world, number)
    assert counts == {"due": 1, "cancelled": 2}
    states = sorted((each.kind, each.address, each.state) for each in world.status(number).deliveries)
    assert states == [
        ("announcement", "dpo@bremen.example", "accepted"),
        ("announcement", "late@reader.example", "cancelled"),
        ("announcement", "slow@reader.example", "cancelled"),
        ("withdrawal", "dpo@bremen.example", "pending"),
    ]
    at(world, utc("2026-10-02 08:00"))
    assert letters_to(mail_server, "late@reader.example") == []


def test_a_notice_nobody_was_told_of_yet_is_withdrawn_by_cancelling_all(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis())
    number = announce(world)
    assert withdraw(world, number) == {"due": 0, "cancelled": 2}
    sweep(world)
    assert mail_server.messages == []
    (shown,) = world.public().notices
    assert (shown.state, shown.withdrawn_at) == ("withdrawn", world.at)


@pytest.mark.parametrize("how", ["drafted", "published"])
def test_what_was_never_announced_vanishes_without_a_word(world: World, how: str) -> None:
    world.apply(antopsis())
    before = world.public()
    edit(world, TWO_PLACES)
    number = world.draft(announce_at=utc("2026-10-05 08:00"))
    if how == "published":
        world.publish(number)
    assert withdraw(world, number, reason="A mistake.") == {}
    at(world, utc("2026-10-05 08:00"))
    assert world.notice(number).state == "withdrawn"
    assert statements(world, number) == []
    assert count_deliveries(world) == 0
    assert world.public() == replace(before, today=date(2026, 10, 5))


def test_the_entries_of_a_withdrawn_notice_are_free_and_its_number_is_spent(world: World) -> None:
    world.apply(antopsis(customers=""))
    number = announce(world)
    withdraw(world, number)
    with pytest.raises(NothingToAnnounce):
        world.draft()
    assert edit(world, TWO_PLACES).fate is EditFate.DRAFTED
    assert world.draft() == "2026-002"


def test_an_edit_that_waited_for_the_notice_outlives_its_withdrawal(world: World) -> None:
    world.apply(antopsis(customers=""))
    number = announce(world)
    edit(world, TWO_PLACES | {"retention": "30 days"})
    withdraw(world, number)
    second = world.draft()
    assert [field.field for field in world.status(second).changes[0].fields] == ["locations", "retention"]


def test_an_editorial_correction_made_meanwhile_stays_on_the_list(world: World) -> None:
    world.apply(antopsis(customers=""))
    number = announce(world)
    edit(world, TWO_PLACES_AND_A_LINK)
    withdraw(world, number)
    hetzner = world.public().entries[1].content
    assert hetzner.links is not None
    assert len(hetzner.locations) == 1


def test_open_objections_to_a_withdrawn_notice_are_moot(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    sweep(world)
    object_to(world, number, "bremen")
    withdraw(world, number)
    object_to(world, number, "bremen")
    assert [state for _, state, _, _ in world.status(number).objections] == ["moot", "moot"]
    assert len(events(world, "objection.moot")) == 1


def test_a_held_notice_can_be_withdrawn_and_its_postponement_is_not_sent_any_more(
    world: World, mail_server: MailServer
) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    sweep(world)
    object_to(world, number, "bremen")
    at(world, utc("2026-10-31 23:00"), "take_effect")
    assert world.notice(number).state == "held"
    assert withdraw(world, number) == {"due": 1, "cancelled": 1}
    sweep(world)
    assert [kind for kind, _ in statements(world, number)] == ["announcement", "postponement", "withdrawal"]
    assert len(letters_to(mail_server, "dpo@bremen.example")) == 2


def test_a_notice_is_withdrawn_once(world: World) -> None:
    world.apply(antopsis())
    number = announce(world)
    withdraw(world, number)
    before = dump(world)
    with pytest.raises(IllegalTransition):
        withdraw(world, number)
    assert dump(world) == before


def test_one_withdrawn_notice_leaves_another_alone(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    number = announce(world)
    edit(world, STRIPE | {"retention": "10 years"}, "stripe")
    other = world.draft()
    world.publish(other)
    withdraw(world, number)
    assert [each.state for each in world.status(other).deliveries] == ["pending"]
    sweep(world)
    at(world, utc("2026-10-31 23:00"))
    assert world.notice(other).state == "in_effect"


def test_a_reason_that_people_cannot_read_reaches_nobody(sqlite_world: World) -> None:
    sqlite_world.apply(antopsis(customers=BREMEN))
    number = announce(sqlite_world)
    for reason in ("Not\x01 signed.", "Not \u202esigned."):
        with pytest.raises(InvalidInput) as refused:
            withdraw(sqlite_world, number, reason=reason)
        assert (refused.value.problems[0].field, refused.value.problems[0].code) == ("reason", "control-character")
    assert sqlite_world.notice(number).state == "announced"
    withdraw(sqlite_world, number, reason="Not signed.\n\nIt will not be.")
