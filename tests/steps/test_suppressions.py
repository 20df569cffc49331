"""The list of addresses that are not written to: what puts one on it, and who takes it off (R28, R34, R36)."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from registry.domain.errors import InvalidInput
from registry.domain.outcomes import OutcomeKind, SuppressionReason
from registry.steps.addresses import find_address
from registry.steps.erase_address import ErasedBecause, erase_addresses
from registry.steps.lookup import get_publisher
from registry.steps.suppressions import (
    LiftedBecause,
    ListedSuppression,
    NotSuppressed,
    add_suppression,
    lift_suppression,
    list_suppressions,
)
from registry.tables import Suppression
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import DPO, announce_to, delivery_to, events, send, states_of
from tests.steps.test_outcome_kinds import report
from tests.world import ANNA, BREMEN, World, antopsis, letters_to, utc

ADA = "ada@reader.example"
BUNNY = "  - {key: bunny, name: Bunny, purposes: [Delivery of pictures]}"
"""One more subprocessor, for a second notice."""


def add(world: World, email: str) -> bool:
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        return add_suppression(session, world.at, publisher, world.wiring.keyring, email, ANNA)


def lift(world: World, email: str, because: LiftedBecause = LiftedBecause.WORKS_AGAIN) -> SuppressionReason:
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        return lift_suppression(session, world.at, publisher, world.wiring.keyring, email, ANNA, because)


def listed(world: World) -> list[ListedSuppression]:
    with world.reading() as session:
        return list_suppressions(session, get_publisher(session, "antopsis"))


def test_an_address_added_by_hand_is_sent_nothing_any_more(world: World, mail_server: MailServer) -> None:
    announce_to(world, ADA)
    assert add(world, ADA)
    assert send(world) == {"accepted": 1, "skipped": 1}
    assert letters_to(mail_server, ADA) == []
    assert delivery_to(world, ADA).skip_reason == "suppressed"


def test_adding_twice_is_adding_once_and_an_address_need_not_be_on_record(world: World) -> None:
    world.apply(antopsis())
    assert [add(world, email) for email in ("new@reader.example", "NEW@Reader.Example")] == [True, False]
    (entry,) = listed(world)
    assert (entry.address, entry.suppression.reason, entry.customers) == (None, "by_hand", ())
    assert len(events(world, "suppression.added")) == 1


def test_what_is_no_address_is_refused(world: World) -> None:
    world.apply(antopsis())
    with pytest.raises(InvalidInput):
        add(world, "not an address")


def test_the_list_says_why_since_when_and_whose_contact_it_is_the_newest_first(world: World) -> None:
    announce_to(world, ADA)
    send(world)
    report(world, OutcomeKind.BOUNCED, "1", message_id=delivery_to(world, DPO).message_id)
    world.at = utc("2026-10-01 08:00")
    report(world, OutcomeKind.COMPLAINED, "2", message_id=delivery_to(world, ADA).message_id)
    shown = [(each.address, each.suppression.reason, each.customers) for each in listed(world)]
    assert shown == [(ADA, "complained", ()), (DPO, "bounced", ("bremen",))]
    assert listed(world)[1].suppression.since_at == utc("2026-09-30 08:00")


def test_a_lifted_address_is_written_to_again_and_who_did_so_and_why_is_on_record(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA)
    send(world)
    report(world, OutcomeKind.BOUNCED, message_id=delivery_to(world, ADA).message_id)
    assert lift(world, ADA.upper(), LiftedBecause.ASKED_FOR) is SuppressionReason.BOUNCED
    assert listed(world) == []
    (event,) = events(world, "suppression.lifted")
    assert event.actor == str(ANNA)
    assert (event.payload["reason"], event.payload["because"]) == ("bounced", "asked-for")
    assert not any("@" in str(each.payload) for each in [*events(world, "suppression.added"), event])
    world.announce(antopsis(customers=BREMEN, helsinki=True, more_entries=BUNNY))
    send(world)
    assert len(letters_to(mail_server, ADA)) == 2


def test_what_is_not_on_the_list_cannot_be_lifted(world: World) -> None:
    world.apply(antopsis())
    with pytest.raises(NotSuppressed):
        lift(world, ADA)


def test_a_report_that_came_before_does_not_suppress_again_once_it_is_lifted_and_a_new_one_does(world: World) -> None:
    announce_to(world, ADA)
    send(world)
    message_id = delivery_to(world, ADA).message_id
    report(world, OutcomeKind.BOUNCED, "1", message_id=message_id)
    lift(world, ADA)
    assert not report(world, OutcomeKind.BOUNCED, "1", message_id=message_id)
    world.tick()
    assert listed(world) == []
    report(world, OutcomeKind.BOUNCED, "2", message_id=message_id)
    assert len(listed(world)) == 1


def test_an_import_takes_nothing_off_the_list(world: World, mail_server: MailServer) -> None:
    announce_to(world)
    send(world)
    report(world, OutcomeKind.BOUNCED, message_id=delivery_to(world, DPO).message_id)
    renamed = BREMEN.replace("Bremen Media GmbH", "Bremen Medien GmbH")
    world.announce(antopsis(customers=renamed, helsinki=True, more_entries=BUNNY))
    send(world)
    assert [each.address for each in listed(world)] == [DPO]
    assert len(letters_to(mail_server, DPO)) == 1


def test_an_erased_address_stays_on_the_list_and_comes_off_by_its_name(world: World) -> None:
    announce_to(world, ADA)
    add(world, ADA)
    with world.writing() as session:
        address = find_address(session, get_publisher(session, "antopsis"), world.wiring.keyring, ADA)
        assert address is not None
        erase_addresses(session, world.at, [address], ANNA, ErasedBecause.ASKED_FOR)
    assert [each.address for each in listed(world)] == [None]
    lift(world, ADA)
    assert listed(world) == []


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
def test_of_several_reasons_the_weightiest_stands_since_the_first(world: World, order: tuple[int, ...]) -> None:
    announce_to(world, ADA)
    send(world)
    kinds = (OutcomeKind.BOUNCED, OutcomeKind.COMPLAINED, OutcomeKind.SUPPRESSED)
    for number in order:
        report(world, kinds[number], str(number), message_id=delivery_to(world, ADA).message_id)
        world.at = utc("2026-10-01 08:00")
    with world.reading() as session:
        row = session.scalars(select(Suppression)).one()
    assert (row.reason, row.since_at) == ("complained", utc("2026-09-30 08:00"))
    assert states_of(world)[ADA] == "bounced"


def test_the_address_of_one_publisher_is_not_suppressed_at_another(world: World) -> None:
    world.apply(antopsis())
    add(world, ADA)
    with world.reading() as session:
        rows = session.scalars(select(Suppression.publisher_id)).all()
        assert rows == [get_publisher(session, "antopsis").id]
