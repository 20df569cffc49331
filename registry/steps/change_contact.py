"""What the team changes of a customer's contacts: their order and language, who stands by, and whose they are (R34)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.errors import RegistryError
from registry.domain.terms import Language
from registry.domain.text import Line
from registry.domain.validation import Document, read_model
from registry.domain.vocabulary import ChannelKind
from registry.steps.audience_errors import UnknownContact
from registry.steps.call_in import call_in_contact
from registry.steps.contacts import ContactAdded, add_contact, end_contact
from registry.steps.endpoints import remove_endpoint
from registry.steps.record import Actor, record_event
from registry.tables import Address, Customer, Publisher, Subscription


class AllStandBy(RegistryError):
    """Somebody is told first: not all contacts of a customer stand by (R13). Params: customer."""

    code = "all-stand-by"


class _Wanted(Document):
    name: Line | None = None
    language: Language = "en"


def list_standing_contacts(session: Session, customer: Customer) -> list[Subscription]:
    """Return the contacts of a customer that stand, in their order, and lock the customer against another's change."""
    session.scalars(select(Customer).where(Customer.id == customer.id).with_for_update(key_share=True)).one()
    return list(
        session.scalars(
            select(Subscription)
            .where(
                Subscription.customer_id == customer.id,
                Subscription.confirmed_at.is_not(None),
                Subscription.ended_at.is_(None),
            )
            .order_by(Subscription.rank, Subscription.id)
            .execution_options(populate_existing=True)
        )
    )


def change_contact(
    session: Session,
    now: datetime,
    customer: Customer,
    number: int,
    actor: Actor,
    *,
    name: str | None,
    language: str,
    is_standby: bool,
) -> bool:
    """Change what is known of a contact, and return whether that changed anything. Letters under way stay as they are.

    One that stands by no longer is told of what is pending, like whoever joins (R18). Raises `UnknownContact`,
    `AllStandBy` where nobody would be told first, and `InvalidInput`.
    """
    contacts = list_standing_contacts(session, customer)
    contact = _pick(contacts, customer, number)
    wanted = read_model(_Wanted, {"name": (name or "").strip() or None, "language": language.strip()})
    if is_standby and all(each.is_standby or each.id == number for each in contacts):
        raise AllStandBy(customer=customer.name)
    values = {"name": wanted.name, "language": wanted.language, "is_standby": is_standby}
    differing = sorted(field for field, value in values.items() if getattr(contact, field) != value)
    if not differing:
        return False
    for field in differing:
        setattr(contact, field, values[field])
    session.flush()
    if "is_standby" in differing and not is_standby:
        call_in_contact(session, now, contact)
    # A name is personal data: that it changed stands in the record, and not to what.
    shown = {field: values[field] for field in differing if field != "name"}
    _record(session, now, actor, customer, contact, fields=differing, after=shown)
    return True


def raise_contact(session: Session, now: datetime, customer: Customer, number: int, actor: Actor) -> bool:
    """Put a contact before the one that stood before it, and return whether there was one. Raises `UnknownContact`."""
    contacts = list_standing_contacts(session, customer)
    at = contacts.index(_pick(contacts, customer, number))
    if at == 0:
        return False
    contacts[at - 1], contacts[at] = contacts[at], contacts[at - 1]
    for rank, contact in enumerate(contacts):
        contact.rank = rank
    session.flush()
    _record(session, now, actor, customer, contacts[at - 1], fields=["rank"], after={"rank": at - 1})
    return True


def remove_contact(session: Session, now: datetime, customer: Customer, number: int, actor: Actor) -> Subscription:
    """End a contact of any channel, where another one stands that can be written to (R34).

    Of an endpoint the endpoint itself ends, for everybody it tells. Raises `UnknownContact`, `LastContact` and
    `LastMailbox`.
    """
    contact = _pick(list_standing_contacts(session, customer), customer, number)
    address = session.get_one(Address, contact.address_id)
    if address.channel == ChannelKind.EMAIL.value:
        return end_contact(session, now, customer, address.value or "", actor)
    remove_endpoint(session, now, session.get_one(Publisher, customer.publisher_id), address.id, actor)
    return contact


def move_contact(
    session: Session, now: datetime, customer: Customer, number: int, other: Customer, actor: Actor
) -> ContactAdded:
    """Make a contact by e-mail one of another customer instead, who tells it of what is pending at once (R18).

    Raises `UnknownContact`, and `LastContact` or `LastMailbox` where nobody would be left to tell the first customer.
    """
    contact = _pick(list_standing_contacts(session, customer), customer, number)
    address = session.get_one(Address, contact.address_id)
    if address.channel != ChannelKind.EMAIL.value or address.value is None or other.id == customer.id:
        raise UnknownContact(email="", customer=customer.key, publisher=_slug(session, customer))
    end_contact(session, now, customer, address.value, actor)
    return add_contact(session, now, other, address.value, actor, name=contact.name, language=contact.language)


def _pick(contacts: list[Subscription], customer: Customer, number: int) -> Subscription:
    for contact in contacts:
        if contact.id == number:
            return contact
    raise UnknownContact(email=f"number {number}", customer=customer.key, publisher="this publisher")


def _slug(session: Session, customer: Customer) -> str:
    return session.get_one(Publisher, customer.publisher_id).slug


def _record(
    session: Session, now: datetime, actor: Actor, customer: Customer, contact: Subscription, **payload: object
) -> None:
    record_event(
        session,
        now,
        actor,
        "contact.changed",
        subject=("customer", customer.key),
        publisher_id=customer.publisher_id,
        subscription=contact.id,
        **payload,
    )
