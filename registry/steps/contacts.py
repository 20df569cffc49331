"""The contract contacts of a customer: named by the publisher, or by the contact before them (R34).

No consent is needed, and nobody leaves silently: a contact ends when another one stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import can_prove_receipt
from registry.domain.errors import InvalidInput, Problem
from registry.domain.text import Line
from registry.domain.validation import Document, read_model
from registry.domain.vocabulary import Audience, ChannelKind, ServiceLetterKind
from registry.readers.email_addresses import read_email_address
from registry.steps.addresses import find_address, is_suppressed, record_address
from registry.steps.audience_errors import (
    LastContact,
    LastMailbox,
    NotAContact,
    SubscriptionEnded,
    UnknownContact,
)
from registry.steps.choices import list_choices
from registry.steps.confirm import subscriber
from registry.steps.end_subscription import EndedBecause, end_subscription
from registry.steps.former_address import tell_former_address
from registry.steps.keyring import Keyring, make_keyring
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import find_customer_terms, read_facts
from registry.steps.make_statement import deliver_pending_to
from registry.steps.record import Actor, record_event
from registry.steps.service_letters import (
    add_confirm_token,
    add_service_delivery,
    freeze_service_letter,
    was_written_to_lately,
)
from registry.tables import Address, Customer, Publisher, Subscription


class _Named(Document):
    name: Line | None = None


@dataclass(frozen=True)
class ContactAdded:
    """A contact that stands, whether this call added it, and how many letters about pending notices are due to it."""

    subscription: Subscription
    is_new: bool
    letters_due: int


def find_contact(session: Session, customer: Customer, address: Address) -> Subscription | None:
    """Return the customer's contact at an address that has not ended, confirmed or not, or None."""
    return session.scalar(
        select(Subscription).where(
            Subscription.address_id == address.id,
            Subscription.customer_id == customer.id,
            Subscription.ended_at.is_(None),
        )
    )


def has_left(session: Session, customer: Customer, address: Address) -> bool:
    """Return whether the customer had a contact at an address that somebody ended. No import undoes that (R34)."""
    wish = select(Subscription.id).where(
        Subscription.address_id == address.id,
        Subscription.customer_id == customer.id,
        Subscription.ended_at.is_not(None),
        Subscription.ended_because != EndedBecause.EXPIRED.value,
    )
    return session.scalar(wish.limit(1)) is not None


def add_contact(
    session: Session,
    now: datetime,
    customer: Customer,
    email: str,
    actor: Actor,
    *,
    name: str | None = None,
    language: str = "en",
    rank: int | None = None,
    is_standby: bool = False,
    field: str = "email",
) -> ContactAdded:
    """Add a contact that counts at once, and tell it of what is pending (R18). One that stands already stays as it is.

    A person's own act, so it also brings back a contact that was replaced or removed. `rank` orders a customer's
    contacts; without it the new one comes last. One `is_standby` is told once the others were not reached. Raises
    `InvalidInput` naming `field` for an address that cannot be.
    """
    publisher = session.get_one(Publisher, customer.publisher_id)
    email = read_email_address(email, field)
    person = read_model(_Named, {"name": (name or "").strip() or None})
    keyring = make_keyring(session, now)
    address = record_address(session, now, publisher, keyring, email)
    contact = find_contact(session, customer, address)
    if contact is not None and contact.confirmed_at is not None:
        return ContactAdded(contact, is_new=False, letters_due=0)
    if contact is None:
        contact = add_unconfirmed_contact(session, now, customer, address, person.name, language, rank)
    contact.is_standby = is_standby
    contact.confirmed_at = now
    session.flush()
    record_event(
        session,
        now,
        actor,
        "contact.added",
        subject=("subscription", str(contact.id)),
        publisher_id=publisher.id,
        customer=customer.key,
        is_standby=contact.is_standby,
        suppressed=is_suppressed(session, publisher, keyring, email),
    )
    return ContactAdded(contact, is_new=True, letters_due=deliver_pending_to(session, now, contact))


def add_unconfirmed_contact(
    session: Session,
    now: datetime,
    customer: Customer,
    address: Address,
    name: str | None,
    language: str,
    rank: int | None,
) -> Subscription:
    """Add a contact that does not count yet. Without a `rank` it comes last."""
    if rank is None:
        last = session.scalar(select(func.max(Subscription.rank)).where(Subscription.customer_id == customer.id))
        rank = 0 if last is None else last + 1
    contact = Subscription(
        publisher_id=customer.publisher_id,
        address_id=address.id,
        customer_id=customer.id,
        audience=Audience.CUSTOMER.value,
        language=language,
        name=name,
        rank=rank,
        created_at=now,
    )
    session.add(contact)
    session.flush()
    return contact


def end_contact(session: Session, now: datetime, customer: Customer, email: str, actor: Actor) -> Subscription:
    """End a contact by e-mail, where another one stands that can be written to (R34).

    Raises `UnknownContact`, `LastContact`, `LastMailbox`, and `InvalidInput` for an address that cannot be.
    """
    publisher = session.get_one(Publisher, customer.publisher_id)
    keyring = make_keyring(session, now)
    email = read_email_address(email)
    # Two contacts ended at once would each see the other standing.
    session.scalars(select(Customer).where(Customer.id == customer.id).with_for_update(key_share=True)).one()
    address = find_address(session, publisher, keyring, email)
    contact = find_contact(session, customer, address) if address else None
    if contact is None:
        raise UnknownContact(email=email, customer=customer.key, publisher=publisher.slug)
    if contact.confirmed_at is not None:
        refuse_last_contact(session, publisher, keyring, customer, contact)
    end_subscription(session, now, contact, EndedBecause.REMOVED, actor)
    return contact


def refuse_last_contact(
    session: Session, publisher: Publisher, keyring: Keyring, customer: Customer, contact: Subscription
) -> None:
    """Raise `LastContact` where a customer has no other contact that can be written to and can prove receipt (R12).

    One that stands by is one, a chat room is none, and a webhook is one where the customer's terms say so. It is none
    in place of a mailbox: while it fails nobody would be told, so for the last mailbox this raises `LastMailbox`.
    """
    terms = find_customer_terms(session, customer, read_facts(session, publisher).notice)
    rows = session.execute(
        select(Address.value, Address.channel)
        .join(Subscription, Subscription.address_id == Address.id)
        .where(
            Subscription.customer_id == customer.id,
            Subscription.id != contact.id,
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
            Address.value.is_not(None),
        )
    )
    others = {
        channel
        for value, channel in rows
        if can_prove_receipt(channel, terms)
        and not is_suppressed(session, publisher, keyring, value or "", ChannelKind(channel))
    }
    if not others:
        raise LastContact(customer=customer.key, publisher=publisher.slug)
    address = session.get_one(Address, contact.address_id)
    is_written_to = address.value is not None and not is_suppressed(session, publisher, keyring, address.value)
    if address.channel == ChannelKind.EMAIL.value and is_written_to and ChannelKind.EMAIL.value not in others:
        raise LastMailbox(customer=customer.key, publisher=publisher.slug)


def request_contact_change(
    session: Session,
    now: datetime,
    subscription: Subscription,
    letterhead: Letterhead,
    keyring: Keyring,
    *,
    email: str,
    name: str | None = None,
) -> None:
    """Let a contract contact name another in its place, who is asked to confirm it (R34).

    The old contact stands until then, so the customer is never without one. As with `request_subscription`, what is
    answered says nothing about the new address: one that is suppressed, or was asked about this within 24 hours, gets
    no letter. Raises `NotAContact`, `SubscriptionEnded`, and `InvalidInput` for an address that cannot be or that is
    the contact's own (`same-address`).
    """
    publisher = session.get_one(Publisher, subscription.publisher_id)
    if subscription.customer_id is None:
        raise NotAContact(publisher=publisher.slug)
    if subscription.ended_at is not None:
        raise SubscriptionEnded(publisher=publisher.slug, because=subscription.ended_because)
    customer = session.get_one(Customer, subscription.customer_id)
    email, person = read_email_address(email), read_model(_Named, {"name": (name or "").strip() or None})
    subject = ("subscription", str(subscription.id))
    letter = freeze_service_letter(
        session,
        now,
        publisher,
        letterhead,
        ServiceLetterKind.CONFIRM,
        Audience.CUSTOMER,
        list_choices(session, subscription).products,
        language=subscription.language,
    )
    if is_suppressed(session, publisher, keyring, email):
        record_event(
            session,
            now,
            subscriber(Audience.CUSTOMER),
            "contact.change_refused",
            subject=subject,
            publisher_id=publisher.id,
            because="suppressed",
        )
        return
    address = record_address(session, now, publisher, keyring, email)
    if address.id == subscription.address_id:
        raise InvalidInput([Problem("email", email, "same-address")])
    asked_lately = was_written_to_lately(session, now, address, customer)
    contact = find_contact(session, customer, address)
    if contact is None:
        contact = add_unconfirmed_contact(
            session, now, customer, address, person.name, subscription.language, subscription.rank
        )
        contact.is_standby = subscription.is_standby
    # Two contacts may name the same person within a day: one letter, and its link serves both.
    add_confirm_token(session, now, keyring, contact, replaces=subscription)
    if not asked_lately:
        add_service_delivery(session, now, contact, letter)
        # Whoever stands learns of it before it counts: a letter with this link may have been forwarded to anybody.
        tell_former_address(session, now, publisher, letterhead, subscription)
    record_event(
        session,
        now,
        subscriber(Audience.CUSTOMER),
        "contact.change_asked_again" if asked_lately else "contact.change_requested",
        subject=subject,
        publisher_id=publisher.id,
        customer=customer.key,
        by=contact.id,
    )
