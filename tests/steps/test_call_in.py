"""Contacts that stand by: told once the others were not reached, one at a time, in their order (R12, R13)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState
from registry.domain.outcomes import OutcomeKind
from registry.domain.vocabulary import ChannelKind
from registry.steps import call_in as step
from registry.steps.acknowledge import acknowledge
from registry.steps.call_in import call_in
from registry.steps.endpoint_results import end_endpoint
from registry.steps.lookup import get_notice, get_publisher
from registry.tables import Address, Customer, Delivery, Notice, Subscription
from tests.channels.http_receiver import HttpReceiver
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import counting, decide, object_to
from tests.steps.post_office import (
    DPO,
    add_followers,
    attempts_at,
    change,
    clock_of,
    delivery_to,
    events,
    report_to,
    send,
    standing_of,
    states_of,
)
from tests.steps.standby_cast import JENA, NO_SUCH_USER, ONE, SECOND, THIRD, announce, called, first_lines, stand_by
from tests.steps.web_cast import OWNER, add, announce_by_web, bremen, probe
from tests.unreadable_terms import spoil_frozen_terms
from tests.world import World, antopsis, letters_to, utc


def test_a_contact_that_stands_by_is_not_told_while_the_others_are_reached(
    world: World, mail_server: MailServer
) -> None:
    announce(world, SECOND)
    assert states_of(world) == {DPO: "pending", SECOND: "skipped"}
    assert delivery_to(world, SECOND).skip_reason == "standby"
    world.tick()
    assert called(world) == 0
    assert states_of(world) == {DPO: "accepted", SECOND: "skipped"}
    assert letters_to(mail_server, SECOND) == []


def test_where_the_others_are_refused_the_next_one_is_told_in_the_same_tick(
    world: World, mail_server: MailServer
) -> None:
    mail_server.script(DPO, 550, NO_SUCH_USER)
    announce(world, SECOND, THIRD)
    world.tick()
    assert states_of(world) == {DPO: "failed", SECOND: "accepted", THIRD: "skipped"}
    assert clock_of(world) == ("received", world.at)
    (event,) = events(world, "delivery.called_in")
    assert event.payload["customer_id"] == standing_of(world, "bremen").customer_id
    assert event.subject == str(delivery_to(world, SECOND).id)
    assert called(world) == 0


def test_they_are_called_in_one_at_a_time_in_their_order(world: World, mail_server: MailServer) -> None:
    for contact in (DPO, SECOND):
        mail_server.script(contact, 550, NO_SUCH_USER)
    announce(world, SECOND, THIRD)
    world.tick()
    assert states_of(world) == {DPO: "failed", SECOND: "failed", THIRD: "skipped"}
    world.tick()
    assert states_of(world) == {DPO: "failed", SECOND: "failed", THIRD: "accepted"}
    assert clock_of(world) == ("received", world.at)
    assert called(world) == 0


@pytest.mark.parametrize("state", list(DeliveryState))
def test_what_will_not_reach_anybody_calls_the_next_one_in(world: World, state: DeliveryState) -> None:
    announce(world, SECOND)
    reason = "no_address" if state is DeliveryState.SKIPPED else None
    token = "held" if state is DeliveryState.LEASED else None
    change(world, delivery_to(world, DPO), state=state.value, skip_reason=reason, token=token)
    hopeless = {"failed", "bounced", "needs_attention", "cancelled", "skipped"}
    assert called(world) == (state.value in hopeless)


@pytest.mark.parametrize("hours", [23, 25])
def test_a_contact_tried_in_vain_for_a_day_is_not_waited_for(world: World, mail_server: MailServer, hours: int) -> None:
    mail_server.script(DPO, 450, "4.2.1 Busy")
    announce(world, SECOND)
    send(world)
    began = attempts_at(world, delivery_to(world, DPO))[0].send_started_at
    assert began == world.at
    world.at += timedelta(hours=hours)
    assert called(world) == (hours > 24)
    assert states_of(world) == {DPO: "retry_wait", SECOND: "pending" if hours > 24 else "skipped"}


def test_what_was_never_tried_is_waited_for_however_long(world: World) -> None:
    announce(world, SECOND)
    world.at += timedelta(days=3)
    assert called(world) == 0


def test_a_bounce_that_comes_later_calls_the_next_one_in(world: World) -> None:
    announce(world, SECOND)
    send(world)
    report_to(world, DPO, OutcomeKind.BOUNCED)
    world.tick()
    assert states_of(world) == {DPO: "bounced", SECOND: "accepted"}


def test_a_customer_whose_contacts_all_stand_by_is_told_all_the_same(world: World) -> None:
    announce(world, SECOND, customers=bremen(terms="{}"))
    world.tick()
    assert states_of(world) == {SECOND: "accepted"}


def test_a_suppressed_contact_that_stands_by_is_passed_over(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 550, NO_SUCH_USER)
    world.apply(antopsis(customers=ONE))
    stand_by(world, SECOND, THIRD)
    with world.writing() as session:
        session.execute(select(Address).where(Address.value == SECOND)).scalar_one().value = None
    world.announce(antopsis(helsinki=True, customers=ONE))
    world.tick()
    assert states_of(world) == {DPO: "failed", "None": "skipped", THIRD: "accepted"}


def test_whom_a_person_has_served_otherwise_nobody_is_called_in_for(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 550, NO_SUCH_USER)
    number = announce(world, SECOND)
    send(world)
    decide(world, number, "bremen", "served", "slip 17")
    assert called(world) == 0


def test_a_withdrawn_notice_calls_nobody_in(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 550, NO_SUCH_USER)
    number = announce(world, SECOND)
    send(world)
    with world.writing() as session:
        get_notice(session, get_publisher(session, "antopsis"), number).state = "withdrawn"
    assert called(world) == 0


def test_who_was_called_in_counts_as_told_and_hears_what_follows(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 550, NO_SUCH_USER)
    number = announce(world, SECOND, THIRD)
    world.tick()
    object_to(world, number, "bremen")
    world.at = utc("2026-10-26 08:00")
    world.tick()
    world.at = utc("2026-10-31 23:00")
    world.tick()
    assert states_of(world, "reminder") == {DPO: "failed", SECOND: "accepted"}
    # One that stands by could still be called in for it.
    assert states_of(world, "postponement") == {DPO: "failed", SECOND: "accepted", THIRD: "skipped"}


def test_who_is_called_in_late_hears_the_announcement_and_the_last_date(world: World, mail_server: MailServer) -> None:
    number = announce(world, SECOND)
    world.tick()
    object_to(world, number, "bremen")
    world.at = utc("2026-10-31 23:00")
    world.tick()
    report_to(world, DPO, OutcomeKind.BOUNCED)
    world.tick()
    assert first_lines(mail_server, SECOND) == [
        "The subprocessor list of Antopsis changes on 1 November 2026",
        "Postponed until further notice",
    ]


def test_a_customer_that_came_after_the_announcement_is_reached_too(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 550, NO_SUCH_USER)
    world.apply(antopsis(customers=""))
    world.announce(antopsis(helsinki=True, customers=""))
    world.apply(antopsis(helsinki=True, customers=ONE))
    stand_by(world, SECOND)
    world.tick()
    assert states_of(world) == {DPO: "failed", SECOND: "accepted"}


def test_one_customers_trouble_calls_in_nobody_elses_contact(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 550, NO_SUCH_USER)
    world.apply(antopsis(customers=ONE + JENA))
    stand_by(world, "cfo@jena.example", customer="jena")
    world.announce(antopsis(helsinki=True, customers=ONE + JENA))
    world.tick()
    assert states_of(world) == {DPO: "failed", "dpo@jena.example": "accepted", "cfo@jena.example": "skipped"}


def test_terms_that_cannot_be_read_keep_nobody_from_being_called_in(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 550, NO_SUCH_USER)
    mail_server.script("dpo@jena.example", 550, NO_SUCH_USER)
    world.apply(antopsis(customers=ONE + JENA))
    stand_by(world, "cfo@jena.example", customer="jena")
    announce(world, SECOND, customers=ONE + JENA)
    spoil_frozen_terms(world.wiring.engine, "bremen")
    # Its own letter cannot be made: no deadline can be told under terms that nobody can read.
    send(world)
    assert called(world) == 2
    assert states_of(world) == {
        DPO: "needs_attention",
        SECOND: "pending",
        "dpo@jena.example": "failed",
        "cfo@jena.example": "pending",
    }


def test_one_customers_trouble_is_noted_and_the_others_are_called_in(
    world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_server.script("dpo@jena.example", 550, NO_SUCH_USER)
    mail_server.script(DPO, 550, NO_SUCH_USER)
    world.apply(antopsis(customers=ONE + JENA))
    stand_by(world, "cfo@jena.example", customer="jena")
    announce(world, SECOND, customers=ONE + JENA)
    send(world)
    call = step._call

    def fail_for_bremen(session: Session, now: datetime, notice: Notice, contact: Subscription) -> int:
        if session.get_one(Customer, contact.customer_id).key == "bremen":
            raise ValueError("bremen")
        return call(session, now, notice, contact)

    monkeypatch.setattr(step, "_call", fail_for_bremen)
    troubles: list[Exception] = []
    with world.writing() as session:
        assert call_in(session, world.at, note_trouble=troubles.append) == 1
    assert [str(each) for each in troubles] == ["bremen"]
    assert states_of(world)["cfo@jena.example"] == "pending"
    assert states_of(world)[SECOND] == "skipped"


def test_a_follower_at_the_address_of_a_contact_that_stands_by_is_told_as_a_follower(world: World) -> None:
    world.apply(antopsis(customers=ONE))
    stand_by(world, SECOND)
    add_followers(world, [SECOND])
    world.announce(antopsis(helsinki=True, customers=ONE))
    with world.reading() as session:
        rows = session.execute(
            select(Subscription.audience, Delivery.state)
            .join(Delivery, Delivery.subscription_id == Subscription.id)
            .join(Address, Address.id == Subscription.address_id)
            .where(Address.value == SECOND)
        )
        assert sorted(tuple(row) for row in rows) == [("customer", "skipped"), ("follower", "pending")]


# A customer by web, and its owner who stands by


def test_a_customer_whose_webhook_counts_is_not_written_to_as_well(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    announce_by_web(world, receiver)
    world.tick()
    assert clock_of(world) == ("received", world.at)
    assert letters_to(mail_server, OWNER) == []


def test_a_customer_whose_webhook_proves_nothing_is_told_by_e_mail_at_once(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    announce_by_web(world, receiver, bremen(terms="{}"))
    world.tick()
    assert len(receiver.requests) == 1
    assert len(letters_to(mail_server, OWNER)) == 1
    assert clock_of(world) == ("received", world.at)


def test_a_customer_in_a_chat_room_is_told_by_e_mail_as_well(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    world.apply(antopsis(customers=bremen()))
    added = add(world, receiver.url, ChannelKind.SLACK)
    assert probe(world, added.number)[0].is_verified
    world.announce(antopsis(helsinki=True, customers=bremen()))
    world.tick()
    assert len(letters_to(mail_server, OWNER)) == 1
    assert clock_of(world) == ("received", world.at)


def test_after_an_endpoint_has_ended_its_owner_is_told_by_e_mail(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    number = announce_by_web(world, receiver)
    with world.writing() as session:
        assert end_endpoint(session, world.at, number) == 1
    world.tick()
    assert receiver.requests == []
    assert states_of(world) == {receiver.url: "cancelled", OWNER: "accepted"}
    assert clock_of(world) == ("received", world.at)
    with world.reading() as session:
        key = select(Customer.key).join(Subscription, Subscription.customer_id == Customer.id)
        assert session.scalars(key.where(Subscription.address_id == number)).one() == "bremen"


@pytest.mark.parametrize("is_received", [False, True])
def test_looking_takes_as_many_questions_for_forty_customers_as_for_one(world: World, *, is_received: bool) -> None:
    customers = "".join(f"  - {{key: c{n}, name: Customer {n}, contacts: [dpo@c{n}.example]}}\n" for n in range(40))
    world.apply(antopsis(customers=customers))
    for n in range(40):
        stand_by(world, f"legal@c{n}.example", customer=f"c{n}")
    world.announce(antopsis(helsinki=True, customers=customers))
    if is_received:
        send(world)
    with counting(world) as asked:
        assert called(world) == 0
    assert len(asked) < 15, asked


@pytest.mark.parametrize("state", ["needs_attention", "ambiguous", "bounced"])
def test_whoever_acknowledged_has_the_letter_whatever_is_said_of_it(
    world: World, mail_server: MailServer, state: str
) -> None:
    announce(world, SECOND)
    send(world)
    delivery = delivery_to(world, DPO)
    with world.writing() as session:
        publisher, keyring = get_publisher(session, "antopsis"), world.wiring.keyring
        token = keyring.sign("acknowledge", delivery.id)
        acknowledge(session, world.at, world.wiring.letterhead, keyring, publisher, token)
    change(world, delivery, state=state)
    world.at += timedelta(hours=30)
    assert called(world) == 0
