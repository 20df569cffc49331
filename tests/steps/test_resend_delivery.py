"""A letter that did not reach one contact goes to another of the same customer: once, on record, by its own clock."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from registry.domain.errors import IllegalTransition, InvalidInput
from registry.steps.audience_errors import NotAContact, UnknownContact
from registry.steps.contacts import add_contact, end_contact
from registry.steps.lookup import get_customer, get_publisher
from registry.steps.resend_delivery import (
    ContactCannotBeTold,
    ContactToldAlready,
    Resent,
    resend_to_address,
    resend_to_contact,
)
from registry.steps.suppressions import add_suppression
from registry.tables import Delivery, Event, Statement, Subscription
from registry.tables.audience import Address
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import no_mailbox, pending_notice
from tests.steps.path_cast import announce, follow, standing, sweep, withdraw
from tests.world import ANNA, BREMEN, HANOI, World, antopsis, letters_to

DPO, LEGAL = "dpo@bremen.example", "legal@bremen.example"


def name_contact(world: World, email: str, key: str = "bremen", *, is_standby: bool = False) -> int:
    """Add a contact of a customer, and return its row."""
    with world.writing() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), key)
        return add_contact(session, world.at, customer, email, ANNA, is_standby=is_standby).subscription.id


def letters(world: World, email: str) -> list[tuple[str, str]]:
    """Return the kind and state of every delivery of a statement to an address, in order."""
    with world.reading() as session:
        rows = session.execute(
            select(Statement.kind, Delivery.state)
            .join(Statement, Statement.id == Delivery.statement_id)
            .join(Subscription, Subscription.id == Delivery.subscription_id)
            .join(Address, Address.id == Subscription.address_id)
            .where(Address.value == email)
            .order_by(Delivery.id)
        )
        return [(kind, state) for kind, state in rows]


def row_to(world: World, email: str) -> int:
    """Return the number of the announcement's delivery to an address."""
    with world.reading() as session:
        return (
            session.scalars(
                select(Delivery.id)
                .join(Subscription, Subscription.id == Delivery.subscription_id)
                .join(Address, Address.id == Subscription.address_id)
                .where(Address.value == email, Delivery.statement_id.is_not(None))
                .order_by(Delivery.id)
            ).first()
            or 0
        )


def resend(world: World, to: str | int, of: str = DPO, name: str | None = None) -> Resent:
    """Send what was meant for one address to a contact (its row) or an address."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        delivery = session.get_one(Delivery, row_to(world, of))
        if isinstance(to, int):
            return resend_to_contact(session, world.at, publisher, delivery, to, ANNA)
        return resend_to_address(session, world.at, publisher, delivery, to, ANNA, name=name)


def test_a_new_contact_gets_the_same_statement_and_starts_the_clock(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world)
    row = standing(world, number, "bremen")
    assert row is not None
    assert row.received_at is None
    resent = resend(world, LEGAL, name="Lena Legal")
    assert resent.is_new_contact
    assert letters(world, LEGAL) == [("announcement", "pending")]
    sweep(world)
    assert len(letters_to(mail_server, LEGAL)) == 1
    assert letters(world, LEGAL) == [("announcement", "accepted")]
    row = standing(world, number, "bremen")
    assert row is not None
    assert row.received_at == world.at
    with world.reading() as session:
        event = session.scalars(select(Event).where(Event.kind == "delivery.resent")).one()
    assert event.payload["instead_of"] == row_to(world, DPO)
    assert (event.payload["notice"], event.payload["statement"]) == (number, 1)
    assert "@" not in str(event.payload)


def test_nobody_is_sent_the_same_statement_twice(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    pending_notice(world)
    resend(world, LEGAL)
    for again in (LEGAL, LEGAL.upper().replace("LEGAL", "legal"), DPO):
        with pytest.raises(ContactToldAlready):
            resend(world, again)
    sweep(world)
    assert len(letters_to(mail_server, LEGAL)) == 1
    assert letters(world, LEGAL) == [("announcement", "accepted")]


def test_a_contact_that_stands_by_is_called_in(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    world.apply(antopsis(customers=BREMEN))
    contact = name_contact(world, LEGAL, is_standby=True)
    announce(world)
    assert letters(world, LEGAL) == [("announcement", "skipped")]
    resent = resend(world, contact)
    assert not resent.is_new_contact
    assert letters(world, LEGAL) == [("announcement", "pending")]
    sweep(world)
    assert len(letters_to(mail_server, LEGAL)) == 1


def test_another_customers_contact_and_one_that_ended_are_refused(world: World) -> None:
    world.apply(antopsis(customers=BREMEN + HANOI))
    ended = name_contact(world, LEGAL)
    with world.writing() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "bremen")
        end_contact(session, world.at, customer, LEGAL, ANNA)
    other = name_contact(world, "second@hanoi.example", "hanoi")
    announce(world)
    for contact in (ended, other, 10_000):
        with pytest.raises(UnknownContact):
            resend(world, contact)
    assert letters(world, LEGAL) == []


def test_a_followers_letter_is_sent_to_nobody_else(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    follow(world, "fan@people.example")
    announce(world)
    with pytest.raises(NotAContact):
        resend(world, LEGAL, of="fan@people.example")
    assert letters(world, LEGAL) == []


def test_a_suppressed_address_is_refused_and_no_contact_is_left_behind(world: World) -> None:
    pending_notice(world)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        add_suppression(session, world.at, publisher, world.wiring.keyring, LEGAL, ANNA)
    with pytest.raises(ContactCannotBeTold) as refused:
        resend(world, LEGAL)
    assert refused.value.params["because"] == "suppressed"
    assert letters(world, LEGAL) == []


def test_an_address_that_cannot_be_is_refused(world: World) -> None:
    pending_notice(world)
    with pytest.raises(InvalidInput):
        resend(world, "no address")
    assert letters(world, LEGAL) == []


def test_of_a_withdrawn_notice_nothing_is_sent_again(world: World) -> None:
    number = pending_notice(world)
    withdraw(world, number)
    with pytest.raises(IllegalTransition):
        resend(world, LEGAL)
    assert letters(world, LEGAL) == []
