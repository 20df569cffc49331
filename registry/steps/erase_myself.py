"""Somebody erases what is known of them by the link in their own letter (R36, GDPR art. 17)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.errors import RegistryError
from registry.domain.vocabulary import Audience, ChannelKind
from registry.steps.audience_errors import LegalHoldStands, UnknownToken
from registry.steps.confirm import subscriber
from registry.steps.end_subscription import EndedBecause
from registry.steps.endpoint_results import end_endpoint
from registry.steps.erase_address import ErasedBecause, erase_addresses
from registry.steps.erase_person import erase_person
from registry.steps.lookup import lock_publisher
from registry.tables import Address, Customer, Endpoint, Publisher, Subscription


class KeptForAClaim(RegistryError):
    """What is known of somebody is needed for a legal claim, which is nobody else's business to read (R36).

    Params: publisher (slug), contact.
    """

    code = "kept-for-a-claim"


class EndpointsOfCustomers(RegistryError):
    """Somebody answers for an endpoint that customers are told by, and has to be replaced there first. Params: contact,
    customers (their names)."""

    code = "endpoints-of-customers"


def erase_myself(
    session: Session, now: datetime, publisher: Publisher, subscription: Subscription, contact: str
) -> int:
    """Erase the address of a subscription with all that quotes it; return how many letters it had been sent or due.

    As `erase_person`, by the person's own act. Endpoints that it answers for end, and their addresses go too. `contact`
    is the publisher's own address, which a refusal names. Raises `KeptForAClaim`, `EndpointsOfCustomers`, and as
    `erase_person` does `StandingContact` and `LetterOnTheWire`; `UnknownToken` for what is no mailbox.
    """
    lock_publisher(session, publisher)
    address = session.get_one(Address, subscription.address_id)
    if address.value is None or address.channel != ChannelKind.EMAIL.value:
        raise UnknownToken
    email, actor = address.value, subscriber(Audience(subscription.audience))
    owned = session.scalars(
        select(Endpoint)
        .where(Endpoint.owner_address_id == address.id, Endpoint.ended_at.is_(None))
        .order_by(Endpoint.address_id)
    ).all()
    _refuse_customers(session, [endpoint.address_id for endpoint in owned], contact)
    for endpoint in owned:
        end_endpoint(session, now, endpoint.address_id, EndedBecause.REMOVED, actor)
    session.flush()
    try:
        letters = erase_person(session, now, publisher, email, actor)
    except LegalHoldStands:
        raise KeptForAClaim(publisher=publisher.slug, contact=contact) from None
    places = [session.get_one(Address, endpoint.address_id) for endpoint in owned]
    if places:
        erase_addresses(session, now, places, actor, ErasedBecause.ASKED_FOR)
    return letters


def _refuse_customers(session: Session, endpoints: list[int], contact: str) -> None:
    names = session.scalars(
        select(Customer.name)
        .join(Subscription, Subscription.customer_id == Customer.id)
        .where(Subscription.address_id.in_(endpoints), Subscription.ended_at.is_(None))
        .distinct()
        .order_by(Customer.name)
    ).all()
    if names:
        raise EndpointsOfCustomers(contact=contact, customers=list(names))
