"""Who stands in where a customer's mailboxes and endpoints go, so that somebody is always told (R12, R13, R34)."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import event, select

from registry.domain.errors import InvalidInput
from registry.domain.outcomes import SuppressionReason
from registry.steps.addresses import find_address
from registry.steps.audience_errors import LastContact, LastMailbox
from registry.steps.call_in import call_in
from registry.steps.change_contact import change_contact, move_contact, remove_contact
from registry.steps.contacts import add_contact, end_contact, find_contact
from registry.steps.endpoint_results import end_endpoint
from registry.steps.endpoints import remove_endpoint
from registry.steps.lookup import get_customer, get_notice, get_publisher
from registry.steps.preferences import unsubscribe
from registry.steps.record import WORKER
from registry.steps.record_objection import record_service
from registry.steps.suppressions import suppress
from registry.steps.withdraw_notice import withdraw_notice
from registry.tables import Customer, Event, NoticeCustomer, Subscription
from tests.channels.http_receiver import BAD_GATEWAY, OK, HttpReceiver, Reply
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import object_to
from tests.steps.post_office import events, send, standing_of, states_of
from tests.steps.web_cast import OWNER, add, bremen, connect
from tests.world import ANNA, World, antopsis, letters_to, text_of, utc

DPO, SECOND = "dpo@bremen.example", "legal@bremen.example"
GONE = Reply(410, "gone")
NO_SUCH_USER = "5.1.1 No such user here"
BY_BOTH = bremen(contacts=DPO)
"""A customer that has a mailbox, and whose terms count a webhook."""


def block(world: World, email: str) -> None:
    """Put an address on the suppression list, as a bounce does."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        address = find_address(session, publisher, world.wiring.keyring, email)
        assert address is not None
        reason = SuppressionReason.BOUNCED
        suppress(session, world.at, publisher.id, address.channel, address.lookup_hmac, reason, ANNA)


def end(world: World, email: str, key: str = "bremen") -> None:
    with world.writing() as session:
        end_contact(session, world.at, get_customer(session, get_publisher(session, "antopsis"), key), email, ANNA)


def stand_by(world: World, email: str = SECOND, *, is_standby: bool = True) -> None:
    with world.writing() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "bremen")
        add_contact(session, world.at, customer, email, ANNA, is_standby=is_standby)


def contact_number(world: World, email: str) -> int:
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        address = find_address(session, publisher, world.wiring.keyring, email)
        assert address is not None
        contact = find_contact(session, get_customer(session, publisher, "bremen"), address)
        assert contact is not None
        return contact.id


def announce(world: World, customers: str = BY_BOTH, **options: object) -> str:
    return world.announce(antopsis(helsinki=True, customers=customers), **options)


def called(world: World) -> int:
    with world.writing() as session:
        return call_in(session, world.at)


def added_by_itself(world: World) -> list[Event]:
    return [event for event in events(world, "contact.added") if event.actor == str(WORKER)]


def clock_of(world: World) -> tuple[str, datetime | None]:
    standing = standing_of(world, "bremen")
    return standing.state, standing.received_at


def first_lines(mail_server: MailServer, email: str) -> list[str]:
    """What each letter to a mailbox begins with, up to the first colon."""
    return [text_of(letter).splitlines()[0].split(":")[0] for letter in letters_to(mail_server, email)]


# The last mailbox goes after the webhook was added


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


def test_the_last_mailbox_is_not_ended_while_an_endpoint_is_all_that_would_be_left(
    world: World, receiver: HttpReceiver
) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    connect(world, receiver)
    with pytest.raises(LastMailbox):
        end(world, DPO)
    stand_by(world)
    end(world, DPO)
    with pytest.raises(LastMailbox):
        end(world, SECOND)


def test_the_owner_who_stands_by_is_not_ended_moved_or_removed_while_no_other_mailbox_is_left(
    world: World, receiver: HttpReceiver
) -> None:
    other = "  - {key: jena, name: Jena AG}\n"
    world.apply(antopsis(customers=bremen() + other))
    connect(world, receiver)
    with pytest.raises(LastMailbox):
        end(world, OWNER)
    number = contact_number(world, OWNER)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        customer, jena = get_customer(session, publisher, "bremen"), get_customer(session, publisher, "jena")
        with pytest.raises(LastMailbox):
            remove_contact(session, world.at, customer, number, ANNA)
        with pytest.raises(LastMailbox):
            move_contact(session, world.at, customer, number, jena, ANNA)


def test_a_mailbox_that_nobody_can_write_to_is_no_other_contact(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    number = connect(world, receiver).number
    stand_by(world)
    block(world, SECOND)
    with pytest.raises(LastMailbox):
        end(world, DPO)
    block(world, DPO)
    with world.writing() as session, pytest.raises(LastContact):
        remove_endpoint(session, world.at, get_publisher(session, "antopsis"), number, ANNA)


def test_a_mailbox_that_nobody_writes_to_any_more_can_be_ended(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=bremen(contacts=DPO)))
    connect(world, receiver)
    block(world, DPO)
    end(world, DPO)
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        address = find_address(session, publisher, world.wiring.keyring, DPO)
        assert address is not None
        ended = session.scalars(select(Subscription.ended_at).where(Subscription.address_id == address.id)).all()
    assert ended == [world.at]


def test_an_owner_who_is_not_written_to_is_refused_where_the_customer_has_no_other_mailbox(
    world: World, receiver: HttpReceiver
) -> None:
    world.apply(antopsis(customers=BY_BOTH))
    block(world, DPO)
    with pytest.raises(InvalidInput) as refused:
        add(world, receiver.url, owner=DPO)
    assert [(each.field, each.code) for each in refused.value.problems] == [("owner", "owner-not-written-to")]
    assert add(world, receiver.url).has_new_standby
    follower = add(world, f"{receiver.url}/follower", customer=None, owner=DPO)
    assert not follower.has_new_standby


# Who was told goes while the notice is pending


@pytest.mark.parametrize("how", ["postponement", "withdrawal"])
def test_what_becomes_of_a_notice_is_told_by_e_mail_once_the_endpoint_that_took_it_has_ended(
    world: World, receiver: HttpReceiver, mail_server: MailServer, how: str
) -> None:
    world.apply(antopsis(customers=bremen()))
    number_of_endpoint = connect(world, receiver).number
    number = announce(world, bremen())
    world.tick()
    assert clock_of(world) == ("received", world.at)
    with world.writing() as session:
        end_endpoint(session, world.at, number_of_endpoint)
    world.at += timedelta(days=1)
    world.tick()
    assert first_lines(mail_server, OWNER) == ["The subprocessor list of Antopsis changes on 1 November 2026"]
    assert clock_of(world) == ("received", world.at - timedelta(days=1))
    if how == "postponement":
        object_to(world, number, "bremen", utc("2026-10-20 08:00"))
        world.at = utc("2026-10-31 23:00")
        world.tick()
        assert states_of(world, "postponement") == {OWNER: "accepted"}
    else:
        with world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            withdraw_notice(
                session, world.at, publisher, get_notice(session, publisher, number), ANNA, world.wiring.letterhead
            )
        world.tick()
        assert states_of(world, "withdrawal") == {OWNER: "accepted"}


@pytest.mark.parametrize("is_by_mail", [False, True])
def test_a_postponement_that_is_not_taken_is_told_by_the_contact_that_stands_by(
    world: World, receiver: HttpReceiver, mail_server: MailServer, *, is_by_mail: bool
) -> None:
    customers = bremen(contacts=DPO) if is_by_mail else bremen()
    world.apply(antopsis(customers=customers))
    if is_by_mail:
        stand_by(world, OWNER)
    else:
        connect(world, receiver)
    number = announce(world, customers)
    world.tick()
    world.at = utc("2026-10-26 08:00")
    world.tick()
    assert clock_of(world)[0] == "received"
    object_to(world, number, "bremen", utc("2026-10-20 08:00"))
    mail_server.script(DPO, 550, NO_SUCH_USER)
    receiver.always(GONE)
    world.at = utc("2026-10-31 23:00")
    world.tick()
    world.tick()
    assert states_of(world, "postponement") == {DPO if is_by_mail else receiver.url: "failed", OWNER: "accepted"}
    assert [line[:9] for line in first_lines(mail_server, OWNER)] == ["The subpr", "Postponed"]
    assert called(world) == 0


def test_whoever_takes_the_place_of_one_that_was_told_hears_what_follows(world: World, mail_server: MailServer) -> None:
    customers = bremen(terms="{}", contacts=DPO)
    world.apply(antopsis(customers=customers))
    stand_by(world)
    announce(world, customers)
    world.tick()
    end(world, DPO)
    world.tick()
    assert states_of(world) == {DPO: "accepted", SECOND: "accepted"}
    world.at = utc("2026-10-26 08:00")
    world.tick()
    assert states_of(world, "reminder") == {SECOND: "accepted"}


def test_one_that_was_told_and_still_stands_is_enough(world: World) -> None:
    customers = bremen(terms="{}", contacts=f"{DPO}, cfo@bremen.example")
    world.apply(antopsis(customers=customers))
    stand_by(world)
    announce(world, customers)
    world.tick()
    end(world, DPO)
    assert called(world) == 0


def test_whom_a_person_has_served_nobody_is_called_in_for_later_either(world: World, mail_server: MailServer) -> None:
    customers = bremen(terms="{}", contacts=DPO)
    world.apply(antopsis(customers=customers))
    stand_by(world)
    mail_server.script(DPO, 550, NO_SUCH_USER)
    number = announce(world, customers)
    send(world)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        record_service(session, world.at, publisher, notice, "bremen", ANNA, served_at=world.at, document="slip 17")
    end(world, DPO)
    assert called(world) == 0


# A contact that stood by is made one of the first


@pytest.mark.parametrize("is_pending", [True, False])
def test_a_contact_that_stands_by_no_longer_is_told_at_once(
    world: World, mail_server: MailServer, *, is_pending: bool
) -> None:
    customers = bremen(terms="{}", contacts=DPO)
    world.apply(antopsis(customers=customers))
    stand_by(world)
    mail_server.script(DPO, 450, "4.2.1 Busy")
    if is_pending:
        announce(world, customers)
        world.tick()
        assert states_of(world) == {DPO: "retry_wait", SECOND: "skipped"}
    with world.writing() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "bremen")
        number = contact_number(world, SECOND)
        assert change_contact(session, world.at, customer, number, ANNA, name=None, language="en", is_standby=False)
    if not is_pending:
        assert events(world, "delivery.called_in") == []
        announce(world, customers)
    world.tick()
    assert states_of(world) == {DPO: "retry_wait", SECOND: "accepted"}
    assert clock_of(world) == ("received", world.at)


# A notice that takes effect before its customers were reached


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
    asked: list[str] = []

    def note(*arguments: object) -> None:
        asked.append(str(arguments[2]))

    event.listen(world.wiring.engine, "before_cursor_execute", note)
    try:
        assert called(world) == 0
        first, asked[:] = list(asked), []
        receiver.always(OK)
        send(world)
        asked.clear()
        assert called(world) == 0
    finally:
        event.remove(world.wiring.engine, "before_cursor_execute", note)
    assert len(first) < 20, first
    assert len(asked) < 20, asked
    with world.reading() as session:
        query = select(NoticeCustomer.state).join(Customer, Customer.id == NoticeCustomer.customer_id)
        assert set(session.scalars(query)) == {"received"}
