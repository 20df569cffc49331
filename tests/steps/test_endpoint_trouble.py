"""Endpoints that fail: mail takes their place, their owner is told after a week, and 410 ends them (R12, R13)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from registry.domain.vocabulary import ChannelKind
from registry.steps.change_owner import change_owner
from registry.steps.endpoint_owners import tell_owners
from registry.steps.endpoint_results import note_endpoint_result
from registry.steps.lookup import get_publisher
from registry.steps.task_words import say_remedy, say_task
from registry.steps.tasks import TaskKind, close_task_by_hand
from registry.tables import Address, Attempt, Delivery, Letter, Subscription, Suppression
from tests.channels.http_receiver import BAD_GATEWAY, OK, HttpReceiver, Reply
from tests.channels.smtp_server import MailServer
from tests.steps.bounce_cast import tasks
from tests.steps.post_office import (
    add_followers,
    change,
    check_that_every_accepted_letter_can_be_made_again,
    clock_of,
    events,
    send,
    states_of,
    suppress,
)
from tests.steps.web_cast import OWNER, add, announce_by_web, bremen, connect, delivery_at, endpoint_of, probe, verify
from tests.world import ANNA, World, antopsis, letters_to, text_of, utc

GONE = Reply(410, "gone")
NO_SERVICE = Reply(404, "no_service", {"Content-Type": "text/html"})
WEEK = timedelta(days=7)


def letters_about_the_endpoint(mail_server: MailServer) -> list[str]:
    return [text_of(letter) for letter in letters_to(mail_server, OWNER) if "do not reach" in str(letter["Subject"])]


def test_410_ends_an_endpoint_and_its_customer_is_told_by_e_mail_at_once(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    number = announce_by_web(world, receiver)
    receiver.always(GONE)
    world.tick()
    assert endpoint_of(world, number).ended_at == world.at
    assert states_of(world) == {receiver.url: "failed", OWNER: "accepted"}
    assert clock_of(world) == ("received", world.at)
    assert len(letters_to(mail_server, OWNER)) == 1
    world.at = utc("2026-10-26 08:00")
    world.tick()
    assert states_of(world, "reminder") == {OWNER: "accepted"}
    assert len(receiver.requests) == 1


def test_an_endpoint_that_fails_for_a_day_is_followed_by_e_mail_and_tried_on(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    number = announce_by_web(world, receiver)
    receiver.always(BAD_GATEWAY)
    began = world.at
    for hours in (0, 1, 5, 12, 23):
        world.at = began + timedelta(hours=hours)
        world.tick()
    assert endpoint_of(world, number).failing_since == began
    assert clock_of(world) == ("waiting", None)
    assert letters_to(mail_server, OWNER) == []
    world.at = began + timedelta(hours=24, minutes=1)
    world.tick()
    assert clock_of(world) == ("received", world.at)
    assert states_of(world) == {receiver.url: "retry_wait", OWNER: "accepted"}
    receiver.always(OK)
    world.at += timedelta(days=1)
    world.tick()
    assert states_of(world) == {receiver.url: "accepted", OWNER: "accepted"}
    assert endpoint_of(world, number).failing_since is None


@pytest.mark.parametrize("kind", [ChannelKind.SLACK, ChannelKind.TEAMS])
def test_a_room_that_is_no_more_fails_at_once(world: World, receiver: HttpReceiver, kind: ChannelKind) -> None:
    world.apply(antopsis(customers=bremen()))
    added = add(world, receiver.url, kind)
    assert probe(world, added.number)[0].is_verified
    world.announce(antopsis(helsinki=True, customers=bremen()))
    receiver.always(NO_SERVICE)
    world.tick()
    assert states_of(world) == {receiver.url: "failed", OWNER: "accepted"}
    assert endpoint_of(world, added.number).failing_since == world.at


def test_the_owner_is_told_after_seven_days_and_once(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    number = announce_by_web(world, receiver)
    receiver.always(BAD_GATEWAY)
    began = world.at
    world.tick()
    for later in (WEEK - timedelta(hours=1), WEEK, WEEK + timedelta(hours=1), 2 * WEEK):
        world.at = began + later
        world.tick()
        assert len(letters_about_the_endpoint(mail_server)) == (later >= WEEK)
    (told,) = letters_about_the_endpoint(mail_server)
    words = " ".join(told.split())
    assert f"Endpoint: {number}, webhook at 127.0.0.1" in words
    assert "Wednesday, 30 September 2026, 10:00 (2026-09-30T10:00+02:00, Europe/Berlin)" in words
    assert "502 Bad Gateway" in words
    assert "Notices that Bremen Media GmbH is to receive go to its contacts by e-mail meanwhile." in words
    assert endpoint_of(world, number).owner_told_at == began + WEEK
    (event,) = events(world, "endpoint.owner_told")
    assert event.payload == {"failing_since": began.isoformat()}
    assert check_that_every_accepted_letter_can_be_made_again(world) >= 2


def test_nobody_is_told_of_seven_days_after_one_try_at_a_letter_that_was_called_off(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    number = announce_by_web(world, receiver)
    receiver.always(BAD_GATEWAY)
    began = world.at
    world.tick()
    change(world, delivery_at(world, number), state="cancelled")
    world.at += WEEK + timedelta(hours=1)
    world.tick()
    assert endpoint_of(world, number).failing_since == began
    assert letters_about_the_endpoint(mail_server) == []
    # The next letter that it does not take makes a line of its own, told a week after its first try.
    change(world, delivery_at(world, number), state="retry_wait", due_at=world.at)
    again = world.at
    with world.writing() as session:
        session.execute(delete(Attempt).where(Attempt.delivery_id == delivery_at(world, number).id))
    for later in (timedelta(), WEEK - timedelta(hours=1), WEEK):
        world.at = again + later
        world.tick()
        assert len(letters_about_the_endpoint(mail_server)) == (later >= WEEK)


def test_another_line_of_failures_is_told_anew(world: World, receiver: HttpReceiver) -> None:
    number = announce_by_web(world, receiver)
    receiver.always(BAD_GATEWAY)
    world.tick()
    for ok in (False, True, False):
        with world.writing() as session:
            note_endpoint_result(session, world.at, number, ok)
            session.execute(update(Attempt).values(finished_at=world.at))
        world.at += WEEK
        with world.writing() as session:
            assert tell_owners(session, world.at, world.wiring.letterhead) == (not ok)
    assert len(events(world, "endpoint.owner_told")) == 2


def test_the_first_failure_of_a_line_is_when_it_began(world: World, receiver: HttpReceiver) -> None:
    number = announce_by_web(world, receiver)
    began = world.at
    for _ in range(3):
        with world.writing() as session:
            note_endpoint_result(session, world.at, number, False)
        world.at += timedelta(hours=2)
    assert endpoint_of(world, number).failing_since == began
    with world.writing() as session:
        note_endpoint_result(session, world.at, number + 1_000, False)


def test_the_owner_of_a_followers_endpoint_is_told_and_stays_on_record(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    number = announce_by_web(world, receiver, customers="", customer=None)
    receiver.always(BAD_GATEWAY)
    world.tick()
    world.at += WEEK
    world.tick()
    (told,) = letters_about_the_endpoint(mail_server)
    assert "you find every notice on the page of the list" in " ".join(told.split())
    assert letters_to(mail_server, OWNER)[0]["List-Unsubscribe"] is None
    # What carried the letter ends as every unconfirmed wish does, and the owner's address stays.
    world.at += WEEK + timedelta(hours=1)
    world.tick()
    with world.reading() as session:
        owner = session.get_one(Address, endpoint_of(world, number).owner_address_id)
        assert owner.value == OWNER


def test_an_owner_who_follows_is_told_by_that_and_asked_for_nothing(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    world.apply(antopsis(customers=""))
    add_followers(world, [OWNER])
    connect(world, receiver, customer=None)
    world.announce(antopsis(helsinki=True, customers=""))
    receiver.always(BAD_GATEWAY)
    world.tick()
    world.at += WEEK
    with world.writing() as session:
        assert tell_owners(session, world.at, world.wiring.letterhead) == 1
    assert send(world)["accepted"] == 1
    assert len(letters_about_the_endpoint(mail_server)) == 1


def test_an_owner_whom_nobody_may_write_to_is_not_told_and_a_task_says_so_once(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    number = announce_by_web(world, receiver, customers="", customer=None)
    receiver.always(BAD_GATEWAY)
    began = world.at
    world.tick()
    suppress(world, OWNER)
    for later in (WEEK, WEEK + timedelta(hours=1)):
        world.at = began + later
        world.tick()
    assert letters_about_the_endpoint(mail_server) == []
    assert endpoint_of(world, number).owner_told_at is None
    assert events(world, "endpoint.owner_told") == []
    (event,) = events(world, "endpoint.owner_not_told")
    assert event.payload == {"failing_since": began.isoformat(), "because": "suppressed"}
    (task,) = tasks(world, TaskKind.OWNER_NOT_TOLD)
    said = say_task(task.kind, "antopsis", task.facts)
    assert said.startswith(f"Endpoint {number} of antopsis has failed for a week")
    assert f"registry endpoint owner {number} EMAIL" in say_remedy(task.kind, "antopsis", task.facts)
    with world.writing() as session:
        close_task_by_hand(session, world.at, task.id, ANNA, "They know.")
    world.at += timedelta(hours=1)
    world.tick()
    assert len(tasks(world, TaskKind.OWNER_NOT_TOLD)) == 1, "it is said once in a line of failures"


def test_an_owner_who_could_not_be_told_is_told_once_the_suppression_is_lifted(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    number = announce_by_web(world, receiver, customers="", customer=None)
    receiver.always(BAD_GATEWAY)
    world.tick()
    suppress(world, OWNER)
    world.at += WEEK
    world.tick()
    with world.writing() as session:
        session.execute(delete(Suppression))
    world.at += timedelta(hours=1)
    world.tick()
    assert len(letters_about_the_endpoint(mail_server)) == 1
    assert endpoint_of(world, number).owner_told_at == world.at
    assert len(events(world, "endpoint.owner_told")) == 1


def test_each_owner_who_is_not_told_is_said_and_the_next_line_of_failures_anew(
    world: World, receiver: HttpReceiver
) -> None:
    number = announce_by_web(world, receiver, customers="", customer=None)
    receiver.always(BAD_GATEWAY)
    world.tick()
    world.at += WEEK
    with world.writing() as session:
        owner = session.get_one(Address, endpoint_of(world, number).owner_address_id)
        session.execute(update(Address).where(Address.id == owner.id).values(value=None))

    def told() -> list[str]:
        with world.writing() as session:
            assert tell_owners(session, world.at, world.wiring.letterhead) == 0
        return [event.payload["because"] for event in events(world, "endpoint.owner_not_told")]

    assert told() == ["erased"]
    suppress(world, "next@bremen.example")
    with world.writing() as session:
        change_owner(session, world.at, get_publisher(session, "antopsis"), number, "next@bremen.example", ANNA)
    assert told() == told() == ["erased", "suppressed"]
    assert [task.facts["why"] for task in tasks(world, TaskKind.OWNER_NOT_TOLD)] == ["suppressed"]
    with world.writing() as session:
        note_endpoint_result(session, world.at, number, True)
    world.at += timedelta(minutes=1)
    with world.writing() as session:
        note_endpoint_result(session, world.at, number, False)
        session.execute(update(Attempt).values(finished_at=world.at))
    world.at += WEEK
    assert told() == told() == ["erased", "suppressed", "suppressed"]
    assert len(tasks(world, TaskKind.OWNER_NOT_TOLD)) == 1


def test_an_endpoint_that_has_ended_is_told_of_no_more(world: World, receiver: HttpReceiver) -> None:
    number = announce_by_web(world, receiver)
    receiver.always(GONE)
    world.tick()
    assert endpoint_of(world, number).failing_since is not None
    world.at += 2 * WEEK
    world.tick()
    assert events(world, "endpoint.owner_told") == []


def test_one_410_ends_all_that_is_told_at_the_address(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=bremen()))
    number = connect(world, receiver).number
    assert add(world, receiver.url, customer=None).number == number
    verify(world, receiver, number)
    world.announce(antopsis(helsinki=True, customers=bremen()))
    with world.reading() as session:
        subscription = select(Subscription.id).where(
            Subscription.address_id == number, Subscription.customer_id.is_(None)
        )
        follower = session.scalars(subscription).one()
    # Contacts win over followers at one address (R27), so the second message is made due by hand.
    with world.writing() as session:
        contact = session.scalars(select(Delivery).where(Delivery.channel == "webhook")).one()
        letter = session.scalars(select(Letter).where(Letter.form == "webhook", Letter.audience == "customer")).one()
        session.add(
            Delivery(
                publisher_id=contact.publisher_id,
                statement_id=contact.statement_id,
                subscription_id=follower,
                letter_id=letter.id,
                channel="webhook",
                state="pending",
                priority=contact.priority + 1,
                due_at=world.at,
                created_at=world.at,
            )
        )
    receiver.always(GONE)
    send(world)
    assert len(receiver.requests) == 1
    with world.reading() as session:
        states = session.scalars(select(Delivery.state).where(Delivery.channel == "webhook").order_by(Delivery.id))
        assert list(states) in (["failed", "skipped"], ["failed", "cancelled"])
        ended = session.scalars(select(Subscription.ended_because).where(Subscription.address_id == number))
        assert set(ended) == {"gone"}
