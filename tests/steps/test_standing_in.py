"""Who stands in for a customer whose mailboxes are lost and whose endpoint fails: whoever answers for it (R12, R13)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from registry.steps.addresses import find_address
from registry.steps.endpoint_results import end_endpoint
from registry.steps.endpoints import remove_endpoint
from registry.steps.lookup import get_publisher
from registry.steps.preferences import unsubscribe
from registry.steps.record import WORKER
from registry.tables import Customer, Event, NoticeCustomer, Subscription
from tests.channels.http_receiver import BAD_GATEWAY, OK, HttpReceiver, Reply
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import counting
from tests.steps.post_office import DPO, clock_of, events, send, states_of
from tests.steps.standby_cast import BY_BOTH, block, called, contact_number, end, stand_by
from tests.steps.web_cast import OWNER, add, bremen, connect
from tests.world import ANNA, World, antopsis

GONE = Reply(410, "gone")


def announce(world: World, customers: str = BY_BOTH, **options: object) -> str:
    return world.announce(antopsis(helsinki=True, customers=customers), **options)


def added_by_itself(world: World) -> list[Event]:
    return [event for event in events(world, "contact.added") if event.actor == str(WORKER)]


def test_whoever_answers_for_an_endpoint_stands_in_for_a_mailbox_that_is_not_written_to_any_more(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    connect(world, receiver)
    block(world, DPO)
    announce(world)
    receiver.always(GONE)
    world.tick()
    assert states_of(world) == {DPO: "skipped", receiver.url: "failed", OWNER: "accepted"}
    assert clock_of(world) == ("received", world.at)
    with world.reading() as session:
        contact = session.get_one(Subscription, contact_number(world, OWNER))
        assert (contact.is_standby, contact.confirmed_at) == (True, world.at)
    (added,) = added_by_itself(world)
    assert added.payload["is_standby"]
    assert called(world) == 0


def test_nobody_stands_in_while_the_endpoint_may_still_answer(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    connect(world, receiver)
    block(world, DPO)
    announce(world)
    receiver.always(BAD_GATEWAY)
    began = world.at
    for hours in (0, 12, 23):
        world.at = began + timedelta(hours=hours)
        world.tick()
        assert OWNER not in states_of(world)
    world.at = began + timedelta(hours=25)
    world.tick()
    assert states_of(world) == {DPO: "skipped", receiver.url: "retry_wait", OWNER: "accepted"}
    assert clock_of(world) == ("received", world.at)


def test_nobody_stands_in_where_the_webhook_or_the_mailbox_does_its_work(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    connect(world, receiver)
    block(world, DPO)
    announce(world)
    world.tick()
    assert states_of(world) == {DPO: "skipped", receiver.url: "accepted"}
    assert called(world) == 0
    assert added_by_itself(world) == []


@pytest.mark.parametrize("why", ["blocked", "ended before", "erased"])
def test_an_owner_who_cannot_or_must_not_be_written_to_does_not_stand_in(
    world: World, receiver: HttpReceiver, why: str
) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    connect(world, receiver)
    if why == "ended before":
        # Somebody's wish, which nothing that happens by itself undoes (R34): links in a letter act for the company.
        stand_by(world, OWNER)
        end(world, OWNER)
    elif why == "blocked":
        block(world, OWNER)
    else:
        with world.writing() as session:
            found = find_address(session, get_publisher(session, "antopsis"), world.wiring.keyring, OWNER)
            assert found is not None
            found.value = None
    block(world, DPO)
    announce(world)
    receiver.always(GONE)
    world.tick()
    assert states_of(world) == {DPO: "skipped", receiver.url: "failed"}
    assert clock_of(world) == ("waiting", None)


def test_the_owner_of_an_endpoint_that_somebody_ended_does_not_stand_in(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    number = connect(world, receiver).number
    announce(world)
    with world.writing() as session:
        remove_endpoint(session, world.at, get_publisher(session, "antopsis"), number, ANNA)
    block(world, DPO)
    world.tick()
    assert states_of(world) == {DPO: "skipped", receiver.url: "cancelled"}


def test_somebody_named_for_another_who_is_told_at_the_same_address_does_not_stand_in(
    world: World, receiver: HttpReceiver
) -> None:
    jena = "  - {key: jena, name: Jena AG, contacts: [dpo@jena.example], notice: {receipt_by_webhook: true}}\n"
    world.apply(antopsis(customers=BY_BOTH + jena))
    connect(world, receiver)
    connect(world, receiver, customer="jena", owner="ops@jena.example")
    block(world, DPO)
    announce(world, BY_BOTH + jena)
    receiver.always(GONE)
    world.tick()
    webhook = {receiver.url: "cancelled"} if states_of(world)[receiver.url] == "cancelled" else {receiver.url: "failed"}
    assert states_of(world) == {DPO: "skipped", "dpo@jena.example": "accepted", **webhook}


@pytest.mark.parametrize("has_left", [False, True])
def test_who_follows_at_a_customers_endpoint_does_not_answer_for_it(
    world: World, receiver: HttpReceiver, *, has_left: bool
) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    number = connect(world, receiver).number
    followed = connect(world, receiver, customer=None, owner="anna@reader.example")
    assert followed.number == number
    if has_left:
        with world.writing() as session:
            unsubscribe(session, world.at, followed.subscription.id)
    block(world, DPO)
    announce(world)
    receiver.always(GONE)
    world.tick()
    told = states_of(world)
    assert told[OWNER] == "accepted"
    assert "anna@reader.example" not in told


def test_who_took_an_address_over_after_a_customer_had_left_it_does_not_stand_in_for_that_customer(
    world: World, receiver: HttpReceiver
) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    connect(world, receiver)
    announce(world)
    receiver.always(GONE)
    world.tick()
    world.at += timedelta(hours=1)
    stranger = add(world, receiver.url, customer=None, owner="anna@reader.example")
    world.at += timedelta(hours=1)
    with world.writing() as session:
        end_endpoint(session, world.at, stranger.number)
    block(world, DPO)
    assert called(world) == 0
    assert added_by_itself(world) == []


@pytest.mark.parametrize("customers", [bremen(), BY_BOTH], ids=["stands by", "has to be asked"])
def test_an_emergency_that_took_effect_at_once_is_told_by_e_mail_all_the_same(
    world: World, receiver: HttpReceiver, customers: str
) -> None:
    world.apply(antopsis(customers=customers))
    connect(world, receiver)
    if customers == BY_BOTH:
        block(world, DPO)
    receiver.always(BAD_GATEWAY)
    number = announce(world, customers, emergency_reason="The supplier stops today.", effective_on=world.at.date())
    world.tick()
    assert world.notice(number).state == "in_effect"
    world.at += timedelta(hours=25)
    world.tick()
    states = states_of(world)
    assert (states[receiver.url], states[OWNER]) == ("retry_wait", "accepted")
    assert clock_of(world) == ("received", world.at)
    assert called(world) == 0


def test_what_took_effect_long_ago_calls_nobody_in(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=bremen()))
    connect(world, receiver)
    receiver.always(BAD_GATEWAY)
    announce(world, bremen(), emergency_reason="The supplier stops today.", effective_on=world.at.date())
    world.tick()
    world.at += timedelta(days=30)
    assert called(world) == 0


def test_looking_takes_as_many_questions_for_forty_webhooks_as_for_one(world: World, receiver: HttpReceiver) -> None:
    keys = [f"c{n}" for n in range(40)]
    terms = "notice: {receipt_by_webhook: true}"
    customers = "".join(f"  - {{key: {key}, name: {key}, contacts: [dpo@{key}.example], {terms}}}\n" for key in keys)
    world.apply(antopsis(customers=customers))
    for key in keys:
        connect(world, receiver, customer=key)
        block(world, f"dpo@{key}.example")
    announce(world, customers)
    with counting(world) as first:
        assert called(world) == 0
    receiver.always(OK)
    send(world)
    with counting(world) as asked:
        assert called(world) == 0
    assert len(first) < 20, first
    assert len(asked) < 20, asked
    with world.reading() as session:
        query = select(NoticeCustomer.state).join(Customer, Customer.id == NoticeCustomer.customer_id)
        assert set(session.scalars(query)) == {"received"}
