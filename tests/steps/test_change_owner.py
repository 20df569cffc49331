"""Another person answers for an endpoint: told when it fails, and standing by where nobody else would be (R13, R34)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from registry.domain.errors import InvalidInput
from registry.steps.call_in import call_in
from registry.steps.change_owner import OwnerChanged, change_owner
from registry.steps.contacts import end_contact
from registry.steps.endpoint_errors import EndpointEnded, UnknownEndpoint
from registry.steps.endpoint_results import end_endpoint
from registry.steps.legal_holds import set_legal_hold
from registry.steps.lookup import get_customer, get_publisher
from registry.steps.suppressions import add_suppression
from registry.tables import Address, Subscription
from tests.channels.http_receiver import BAD_GATEWAY, HttpReceiver
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import DPO, add_followers, events, states_of
from tests.steps.web_cast import OWNER, add, bremen, connect, endpoint_of
from tests.world import ANNA, World, antopsis, letters_to, text_of

SUCCESSOR = "anna@bremen.example"
WEEK = timedelta(days=7)
BY_BOTH = bremen(contacts=DPO)
JENA = "  - {key: jena, name: Jena AG, contacts: [dpo@jena.example]}\n"


def hand_over(world: World, number: int, owner: str = SUCCESSOR) -> OwnerChanged:
    with world.writing() as session:
        return change_owner(session, world.at, get_publisher(session, "antopsis"), number, owner, ANNA)


def end(world: World, email: str) -> None:
    with world.writing() as session:
        end_contact(session, world.at, get_customer(session, get_publisher(session, "antopsis"), "bremen"), email, ANNA)


def block(world: World, email: str) -> None:
    with world.writing() as session:
        add_suppression(session, world.at, get_publisher(session, "antopsis"), world.wiring.keyring, email, ANNA)


def owner_of(world: World, number: int) -> str | None:
    with world.reading() as session:
        return session.get_one(Address, endpoint_of(world, number).owner_address_id).value


def known_addresses(world: World) -> set[str | None]:
    with world.reading() as session:
        return set(session.scalars(select(Address.value).where(Address.channel == "email")))


def contacts(world: World) -> set[tuple[str | None, bool]]:
    """Return who is a contact by e-mail, and whether it stands by."""
    with world.reading() as session:
        rows = session.execute(
            select(Address.value, Subscription.is_standby)
            .join(Address, Address.id == Subscription.address_id)
            .where(Subscription.customer_id.is_not(None), Subscription.ended_at.is_(None), Address.channel == "email")
        )
        return {(value, is_standby) for value, is_standby in rows}


def announce_by_web(world: World, receiver: HttpReceiver, customers: str) -> int:
    """Announce a second place to the customer by the receiver's webhook; return the endpoint's number."""
    world.apply(antopsis(customers=customers))
    number = connect(world, receiver).number
    world.announce(antopsis(helsinki=True, customers=customers))
    return number


def told_of_trouble(mail_server: MailServer, address: str) -> list[str]:
    return [text_of(letter) for letter in letters_to(mail_server, address) if "do not reach" in str(letter["Subject"])]


def test_the_new_owner_is_told_after_seven_days_and_the_former_one_is_not(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    number = announce_by_web(world, receiver, BY_BOTH)
    receiver.always(BAD_GATEWAY)
    world.tick()
    assert hand_over(world, number).is_new
    world.at += WEEK
    world.tick()
    assert len(told_of_trouble(mail_server, SUCCESSOR)) == 1
    assert told_of_trouble(mail_server, OWNER) == []


def test_one_who_comes_after_the_former_one_was_told_is_told_of_the_failure_that_goes_on(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    number = announce_by_web(world, receiver, bremen())
    receiver.always(BAD_GATEWAY)
    world.tick()
    world.at += WEEK
    world.tick()
    assert len(told_of_trouble(mail_server, OWNER)) == 1
    hand_over(world, number)
    for _ in range(2):
        world.tick()
        assert len(told_of_trouble(mail_server, SUCCESSOR)) == 1
    assert len(told_of_trouble(mail_server, OWNER)) == 1


def test_where_the_former_owner_is_the_only_mailbox_the_new_one_stands_by_too(
    world: World, receiver: HttpReceiver
) -> None:
    number = announce_by_web(world, receiver, bremen())
    assert hand_over(world, number) == OwnerChanged(SUCCESSOR, True, OWNER, "bremen", ("bremen",))
    assert contacts(world) == {(OWNER, True), (SUCCESSOR, True)}
    end(world, OWNER)
    receiver.always(BAD_GATEWAY)
    world.tick()
    world.at += timedelta(hours=25)
    with world.writing() as session:
        assert call_in(session, world.at) == 1
    assert states_of(world)[SUCCESSOR] == "pending"


def test_where_another_contact_has_a_mailbox_nobody_becomes_one(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    number = connect(world, receiver).number
    assert hand_over(world, number) == OwnerChanged(SUCCESSOR, True, OWNER, None, ())
    assert contacts(world) == {(DPO, False)}


def test_at_an_endpoint_of_several_customers_nobody_becomes_a_contact(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=bremen() + JENA))
    number = connect(world, receiver).number
    assert add(world, receiver.url, customer="jena").number == number
    assert hand_over(world, number).new_standby_of is None
    assert (SUCCESSOR, True) not in contacts(world)


def test_it_is_on_record_once_and_without_an_address(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=bremen()))
    number = connect(world, receiver).number
    hand_over(world, number)
    again = hand_over(world, number, SUCCESSOR.upper())
    assert (again.is_new, owner_of(world, number)) == (False, SUCCESSOR)
    (event,) = events(world, "endpoint.owner_changed")
    assert (event.subject, event.actor, event.payload) == (str(number), str(ANNA), {"customers": ["bremen"]})


def test_a_former_owner_who_was_known_for_nothing_else_is_erased(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    number = connect(world, receiver).number
    hand_over(world, number)
    assert known_addresses(world) == {DPO, SUCCESSOR, None}
    (erased,) = events(world, "address.erased")
    assert erased.payload == {"because": "retention", "letters": 0}


def test_a_former_owner_who_follows_or_answers_for_another_endpoint_is_kept(
    world: World, receiver: HttpReceiver
) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    first, second = (add(world, f"{receiver.url}/{path}", customer=None).number for path in ("a", "b"))
    hand_over(world, first)
    assert owner_of(world, second) == OWNER
    add_followers(world, [OWNER])
    hand_over(world, second)
    assert known_addresses(world) == {DPO, SUCCESSOR, OWNER}


def test_a_former_owner_under_a_legal_hold_is_kept(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    number = connect(world, receiver).number
    with world.writing() as session:
        set_legal_hold(session, world.at, get_publisher(session, "antopsis"), ANNA, reason="A claim")
    hand_over(world, number)
    assert known_addresses(world) == {DPO, SUCCESSOR, OWNER}


def test_what_cannot_be_is_refused_and_changes_nothing(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=bremen()))
    number = connect(world, receiver).number
    with pytest.raises(UnknownEndpoint):
        hand_over(world, number + 1_000)
    with pytest.raises(InvalidInput) as refused:
        hand_over(world, number, "nobody")
    assert [each.field for each in refused.value.problems] == ["owner"]
    hand_over(world, number, SUCCESSOR)
    end(world, OWNER)
    block(world, OWNER)
    with pytest.raises(InvalidInput) as blocked:
        hand_over(world, number, OWNER)
    assert [each.code for each in blocked.value.problems] == ["owner-not-written-to"]
    assert owner_of(world, number) == SUCCESSOR
    with world.writing() as session:
        end_endpoint(session, world.at, number)
    with pytest.raises(EndpointEnded):
        hand_over(world, number, DPO)
