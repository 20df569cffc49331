"""Receipts: when a customer's clock starts, what takes it back, and what does not (R12, R13)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from registry.settings import Settings
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.receipts import note_receipt
from registry.steps.record_objection import exempt_customer, record_service
from registry.steps.record_outcome import OutcomeKind
from registry.tables import Delivery
from registry.wiring import wire
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import (
    announce_to,
    change,
    clock_of,
    delivery_to,
    events,
    report_to,
    send,
    standing_of,
    states_of,
)
from tests.world import ANNA, World, settings_for, utc

FIRST, SECOND = "dpo@bremen.example", "legal@bremen.example"
MINUTE = timedelta(minutes=1)


def bremen(terms: str = "{}", contacts: str = f"{FIRST}, {SECOND}") -> str:
    return f"""  - key: bremen
    name: Bremen Media GmbH
    time_zone: Europe/Berlin
    notice: {terms}
    contacts: [{contacts}]
"""


ONE_CONTACT = bremen(contacts=FIRST)
ON_DELIVERY = bremen("{clock_starts_on: delivered}")


def test_an_accepted_letter_to_a_contact_starts_its_customers_clock(world: World) -> None:
    announce_to(world, customers=ONE_CONTACT)
    assert clock_of(world) == ("waiting", None)
    send(world)
    standing = standing_of(world, "bremen")
    assert (standing.state, standing.received_at) == ("received", world.at)
    assert standing.earliest_at == standing.objection_ends_at == utc("2026-10-30 23:00")
    (event,) = events(world, "customer.received")
    assert event.payload["received_at"] == world.at.isoformat()


def test_the_clock_starts_at_the_earliest_contact_whoever_that_is(world: World, mail_server: MailServer) -> None:
    mail_server.script(FIRST, 450, "4.2.1 Busy", times=1)
    announce_to(world, customers=bremen())
    send(world)
    began = clock_of(world)
    assert began == ("received", world.at)
    world.at += MINUTE
    assert send(world) == {"accepted": 1}
    assert clock_of(world) == began
    assert len(events(world, "customer.received")) == 1


def test_a_letter_to_a_follower_starts_nobodys_clock(world: World, mail_server: MailServer) -> None:
    mail_server.script(FIRST, 450, "4.2.1 Busy")
    announce_to(world, "ada@reader.example", customers=ONE_CONTACT)
    send(world)
    assert clock_of(world) == ("waiting", None)


def test_where_terms_say_delivered_the_clock_waits_for_the_report(world: World) -> None:
    announce_to(world, customers=ON_DELIVERY)
    send(world)
    assert clock_of(world) == ("waiting", None)
    delivered_at = utc("2026-10-01 07:12")
    world.at = utc("2026-10-01 09:00")
    report_to(world, SECOND, OutcomeKind.DELIVERED, delivered_at)
    assert clock_of(world) == ("received", delivered_at)
    report_to(world, FIRST, OutcomeKind.DELIVERED, utc("2026-10-01 07:05"))
    assert clock_of(world) == ("received", utc("2026-10-01 07:05"))


def test_where_terms_say_accepted_a_later_delivery_does_not_move_the_clock(world: World) -> None:
    announce_to(world, customers=ONE_CONTACT)
    send(world)
    accepted_at = world.at
    world.at += timedelta(days=2)
    report_to(world, FIRST, OutcomeKind.DELIVERED)
    assert delivery_to(world, FIRST).state == "delivered"
    assert clock_of(world) == ("received", accepted_at)


def test_a_bounce_takes_the_receipt_back_where_no_other_contact_received(world: World) -> None:
    number = announce_to(world, customers=ONE_CONTACT)
    send(world)
    world.at += timedelta(days=1)
    report_to(world, FIRST, OutcomeKind.BOUNCED)
    standing = standing_of(world, "bremen")
    assert (standing.state, standing.received_at, standing.earliest_at) == ("waiting", None, None)
    assert [event.payload["after_effect"] for event in events(world, "customer.receipt_revoked")] == [False]
    world.at = utc("2026-11-02 00:00")
    world.tick()
    assert world.notice(number).state == "held"


def test_a_bounce_takes_nothing_back_where_another_contact_received(world: World, mail_server: MailServer) -> None:
    mail_server.script(SECOND, 450, "4.2.1 Busy", times=1)
    announce_to(world, customers=bremen())
    send(world)
    world.at += MINUTE
    send(world)
    second_at = world.at
    world.at += timedelta(days=1)
    report_to(world, SECOND, OutcomeKind.BOUNCED, event_id="not the earliest")
    assert clock_of(world) == ("received", second_at - MINUTE)
    assert events(world, "customer.receipt_revoked") == []


def test_when_the_earliest_receipt_bounces_the_next_one_starts_the_clock(world: World, mail_server: MailServer) -> None:
    mail_server.script(SECOND, 450, "4.2.1 Busy", times=1)
    announce_to(world, customers=bremen())
    send(world)
    world.at = utc("2026-10-01 09:00")
    change(world, delivery_to(world, SECOND), due_at=world.at)
    send(world)
    report_to(world, FIRST, OutcomeKind.BOUNCED)
    assert clock_of(world) == ("received", utc("2026-10-01 09:00"))
    assert standing_of(world, "bremen").earliest_at == utc("2026-10-31 23:00")
    assert events(world, "customer.receipt_revoked") == []


def in_effect(world: World, customers: str) -> str:
    number = announce_to(world, customers=customers)
    world.tick()
    world.at = utc("2026-11-15 12:00")
    world.tick()
    assert world.notice(number).state == "in_effect"
    return number


def test_a_bounce_after_the_effect_is_a_task_and_reverses_nothing(world: World) -> None:
    number = in_effect(world, ONE_CONTACT)
    stood = clock_of(world)
    assert report_to(world, FIRST, OutcomeKind.BOUNCED)
    assert delivery_to(world, FIRST).state == "bounced"
    assert [event.payload["after_effect"] for event in events(world, "customer.receipt_revoked")] == [True]
    assert clock_of(world) == stood == ("received", utc("2026-09-30 08:00"))
    world.tick()
    assert world.notice(number).state == "in_effect"
    assert len(world.public().entries[1].content.locations) == 2


def test_a_bounce_after_the_effect_is_no_task_where_another_receipt_would_have_done(world: World) -> None:
    in_effect(world, bremen())
    change(world, delivery_to(world, SECOND), accepted_at=utc("2026-09-30 09:00"))
    assert report_to(world, FIRST, OutcomeKind.BOUNCED)
    assert clock_of(world) == ("received", utc("2026-09-30 08:00"))
    assert events(world, "customer.receipt_revoked") == []


def test_a_bounce_after_the_effect_is_a_task_where_the_other_receipt_came_too_late(world: World) -> None:
    in_effect(world, bremen())
    change(world, delivery_to(world, SECOND), accepted_at=utc("2026-10-20 09:00"))
    assert report_to(world, FIRST, OutcomeKind.BOUNCED)
    assert len(events(world, "customer.receipt_revoked")) == 1
    assert clock_of(world) == ("received", utc("2026-09-30 08:00"))


def test_a_receipt_that_comes_after_an_emergency_took_effect_still_starts_the_clock(
    world: World, mail_server: MailServer
) -> None:
    mail_server.script(FIRST, 450, "4.2.1 Busy", times=1)
    number = announce_to(world, customers=ONE_CONTACT, emergency_reason="a data centre burned down")
    send(world)
    world.at = utc("2026-10-01 09:00")
    change(world, delivery_to(world, FIRST), due_at=world.at + timedelta(hours=1))
    world.tick()
    assert world.notice(number).state == "in_effect"
    assert clock_of(world) == ("waiting", None)
    world.at += timedelta(hours=1)
    send(world)
    assert clock_of(world) == ("received", world.at)


def test_a_complaint_proves_receipt_and_nothing_more_is_sent_there(world: World, mail_server: MailServer) -> None:
    announce_to(world, "ada@reader.example", customers=bremen("{clock_starts_on: delivered}", FIRST))
    send(world)
    world.at += timedelta(hours=3)
    report_to(world, FIRST, OutcomeKind.COMPLAINED)
    assert delivery_to(world, FIRST).state == "delivered"
    assert clock_of(world) == ("received", world.at)
    report_to(world, "ada@reader.example", OutcomeKind.COMPLAINED)
    before = len(mail_server.messages)
    world.at = utc("2026-10-26 09:00")
    world.tick()
    assert states_of(world, "reminder") == {FIRST: "skipped"}
    assert len(mail_server.messages) == before


def test_what_a_person_decided_is_left_as_it_is(world: World, mail_server: MailServer) -> None:
    mail_server.script(FIRST, 450, "4.2.1 Busy", times=1)
    number = announce_to(world, customers=ONE_CONTACT)
    send(world)
    served_at = world.at
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        record_service(
            session, world.at, publisher, notice, "bremen", ANNA, served_at=served_at, document="courier slip 17"
        )
    world.at += MINUTE
    send(world)
    assert clock_of(world) == ("served", served_at)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        exempt_customer(session, world.at, publisher, notice, "bremen", ANNA, basis="agreed on the telephone")
    report_to(world, FIRST, OutcomeKind.BOUNCED)
    assert clock_of(world) == ("exempt", served_at)


DEEMED = bremen("{undeliverable: {deemed_after_days: 3, clause: § 7 of the contract}}")


def deem(world: World, mail_server: MailServer) -> datetime:
    for contact in (FIRST, SECOND):
        mail_server.script(contact, 550, "5.1.1 No such user here")
    announce_to(world, customers=DEEMED)
    world.tick()
    world.at = utc("2026-10-05 09:00")
    world.tick()
    state, deemed_at = clock_of(world)
    assert state == "deemed"
    assert deemed_at is not None
    return deemed_at


def test_a_receipt_deemed_by_a_clause_is_not_taken_back_by_a_bounce(world: World, mail_server: MailServer) -> None:
    deemed_at = deem(world, mail_server)
    assert report_to(world, FIRST, OutcomeKind.BOUNCED)
    assert clock_of(world) == ("deemed", deemed_at)
    assert events(world, "customer.receipt_revoked") == []


def test_a_real_receipt_before_the_deemed_one_is_shown_as_received(world: World, mail_server: MailServer) -> None:
    deemed_at = deem(world, mail_server)
    report_to(world, FIRST, OutcomeKind.DELIVERED, utc("2026-09-30 08:30"))
    assert clock_of(world) == ("received", utc("2026-09-30 08:30"))
    assert deemed_at > utc("2026-09-30 08:30")


def test_a_real_receipt_after_the_deemed_one_does_not_lengthen_the_clock(world: World, mail_server: MailServer) -> None:
    deemed_at = deem(world, mail_server)
    report_to(world, FIRST, OutcomeKind.DELIVERED, utc("2026-10-05 08:59"))
    assert clock_of(world) == ("deemed", deemed_at)


def outbox_settings(database_url: str, tmp_path: Path) -> Settings:
    return settings_for(database_url, tmp_path / "instance")


@pytest.fixture(params=[False, True], ids=["no-demo", "demo"])
def outbox(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[World]:
    """An installation that writes letters to its outbox, marked as a demo or not."""
    settings = outbox_settings(database_url, tmp_path)
    first = wire(settings)
    first.bind(is_demo=request.param)
    first.engine.dispose()
    with closing(World(settings, utc("2026-09-30 08:00"))) as world:
        yield world


@pytest.mark.parametrize("customers", [ONE_CONTACT, ON_DELIVERY], ids=["accepted", "delivered"])
def test_the_outbox_starts_clocks_on_a_demo_only(outbox: World, customers: str, request: pytest.FixtureRequest) -> None:
    announce_to(outbox, customers=customers)
    assert set(send(outbox)) == {"accepted"}
    is_demo = "no-demo" not in request.node.name
    assert clock_of(outbox) == (("received", outbox.at) if is_demo else ("waiting", None))


def test_two_workers_that_settle_two_contacts_at_once_leave_the_earlier_receipt(
    postgresql_url: str, tmp_path: Path, mail_server: MailServer
) -> None:
    settings = settings_for(postgresql_url, tmp_path / "instance", mail_server.url)
    with closing(World(settings, utc("2026-09-30 08:00"))) as world:
        announce_to(world, customers=bremen())
        earlier, later = world.at, world.at + timedelta(hours=20)

        def settle(session: Session, email: str, at: datetime) -> None:
            delivery = session.get_one(Delivery, delivery_to(world, email).id)
            delivery.state, delivery.accepted_at = "accepted", at
            session.flush()
            note_receipt(session, at, delivery)

        def settle_the_later_one() -> None:
            with world.writing() as session:
                settle(session, SECOND, later)

        second = threading.Thread(target=settle_the_later_one)
        with world.writing() as session:
            settle(session, FIRST, earlier)
            session.flush()
            second.start()
            wait_for_a_lock(world)
        second.join(timeout=10)
        assert states_of(world) == {FIRST: "accepted", SECOND: "accepted"}
        assert clock_of(world) == ("received", earlier)


def wait_for_a_lock(world: World) -> None:
    """Wait until another transaction on this database waits for a lock."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        with world.reading() as session:
            waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            if session.scalar(text(f"{waiting} AND wait_event_type = 'Lock'")):
                return
    raise AssertionError("nobody waits")
