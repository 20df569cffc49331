"""A customer's contact says by the link in its letter that it has the statement: proof of receipt (R12, R33).

The token names a delivery, and so the statement, the customer and the contact. It is recorded once, whoever presses the
button: a letter can be forwarded, and whoever has it has received it.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.terms import find_zone
from registry.domain.vocabulary import Audience, ChannelKind, ServiceLetterKind
from registry.letters.values import AcknowledgedFacts
from registry.steps.audience_errors import UnknownToken
from registry.steps.confirm import subscriber
from registry.steps.end_subscription import find_subscription
from registry.steps.freeze_letters import freeze
from registry.steps.keyring import Keyring
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import lock_publisher, read_facts
from registry.steps.receipts import note_receipt
from registry.steps.record import record_event
from registry.steps.service_letters import add_service_delivery
from registry.tables import (
    Acknowledgement,
    Address,
    Customer,
    Delivery,
    Notice,
    NoticeCustomer,
    Publisher,
    Statement,
    Subscription,
)

BY_LINK = subscriber(Audience.CUSTOMER)


@dataclass(frozen=True)
class AcknowledgementLink:
    """What a link to acknowledge opens. `zone` is the customer's own; `acknowledged_at` (UTC) is None until it is."""

    publisher: Publisher
    notice: Notice
    statement: Statement
    customer: Customer
    contact: Subscription
    delivery: Delivery
    zone: str
    acknowledged_at: datetime | None


def open_acknowledgement(session: Session, keyring: Keyring, publisher: Publisher, token: str) -> AcknowledgementLink:
    """Return what a link opens at this publisher, changing nothing. Raises `UnknownToken`."""
    number = keyring.verify("acknowledge", token)
    delivery = session.get(Delivery, number) if number is not None else None
    if delivery is None or delivery.publisher_id != publisher.id or delivery.statement_id is None:
        raise UnknownToken
    if not keyring.could_sign_for(token, delivery.created_at):
        raise UnknownToken
    contact = session.get_one(Subscription, delivery.subscription_id)
    if contact.customer_id is None:
        raise UnknownToken
    statement = session.get_one(Statement, delivery.statement_id)
    notice = session.get_one(Notice, statement.notice_id)
    standing = session.get(NoticeCustomer, (notice.id, contact.customer_id))
    said = session.scalar(
        select(Acknowledgement.acknowledged_at).where(
            Acknowledgement.statement_id == statement.id, Acknowledgement.subscription_id == contact.id
        )
    )
    return AcknowledgementLink(
        publisher,
        notice,
        statement,
        session.get_one(Customer, contact.customer_id),
        contact,
        delivery,
        find_zone(standing.terms if standing else None, notice.terms["time_zone"]),
        said,
    )


def acknowledge(
    session: Session, now: datetime, letterhead: Letterhead, keyring: Keyring, publisher: Publisher, token: str
) -> AcknowledgementLink:
    """Record that the contact has the statement since `now` (UTC) at the latest, and answer it by e-mail.

    Where customers' clocks run from this statement, this one's runs from now unless it runs already: an acknowledgement
    counts whatever evidence the customer's terms ask for. A second one changes nothing. Raises `UnknownToken`.
    """
    link = open_acknowledgement(session, keyring, publisher, token)
    lock_publisher(session, publisher, link.notice)
    find_subscription(session, link.contact.id)
    # Asked again: of two clicks at once the second has waited for the first.
    link = open_acknowledgement(session, keyring, publisher, token)
    if link.acknowledged_at is not None:
        return link
    session.add(
        Acknowledgement(
            publisher_id=publisher.id,
            delivery_id=link.delivery.id,
            statement_id=link.statement.id,
            subscription_id=link.contact.id,
            customer_id=link.customer.id,
            acknowledged_at=now,
        )
    )
    session.flush()
    record_event(
        session,
        now,
        BY_LINK,
        "customer.acknowledged",
        subject=("notice", link.notice.number),
        publisher_id=publisher.id,
        customer_id=link.customer.id,
        subscription=link.contact.id,
        statement=link.statement.seq,
        delivery=link.delivery.id,
    )
    # Where the customer's terms cannot be read, it stands on record, and counts once they are set anew.
    with suppress(ValidationError):
        note_receipt(session, now, link.delivery)
    _answer(session, now, letterhead, link)
    return open_acknowledgement(session, keyring, publisher, token)


def _answer(session: Session, now: datetime, letterhead: Letterhead, link: AcknowledgementLink) -> None:
    address = session.get_one(Address, link.contact.address_id)
    if address.channel != ChannelKind.EMAIL.value or address.value is None or link.contact.ended_at is not None:
        return
    sender = letterhead.sender_for(read_facts(session, link.publisher), Audience.CUSTOMER)
    facts = AcknowledgedFacts(
        number=link.notice.number,
        seq=link.statement.seq,
        summary=" ".join(link.notice.summary.split()),
        notice_url=f"{sender.page_url}notices/{link.notice.number}",
        acknowledged_at=now,
        zone=link.zone,
    )
    kind, language = ServiceLetterKind.ACKNOWLEDGED, link.contact.language
    frozen = letterhead.renderer.render_acknowledgement(sender, language, facts)
    letter = freeze(now, link.publisher.id, None, kind.value, Audience.CUSTOMER, sender, frozen, language=language)
    session.add(letter)
    session.flush()
    add_service_delivery(session, now, link.contact, letter)
