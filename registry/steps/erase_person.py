"""Erasing what is known of one address because somebody asked: the proof stays, the person goes (R36).

The address may be a follower's or contact's, that of somebody who worked for the publisher, or both.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState
from registry.domain.people import StillWorksHere
from registry.readers.email_addresses import read_email_address
from registry.steps.addresses import find_address
from registry.steps.audience_errors import LetterOnTheWire, StandingContact, UnknownAddress
from registry.steps.end_subscription import EVERYTHING_WAITING, EndedBecause, end_subscription
from registry.steps.erase_address import ErasedBecause, erase_addresses
from registry.steps.erase_colleague import erase_colleague, works_for
from registry.steps.keyring import make_keyring
from registry.steps.legal_holds import refuse_held_address
from registry.steps.lookup import lock_publisher
from registry.steps.record import Actor
from registry.tables import Customer, Delivery, Publisher, Subscription


def erase_person(session: Session, now: datetime, publisher: Publisher, email: str, actor: Actor) -> int:
    """Erase an address with names, merged words and servers' answers; return how many letters it had been sent or due.

    With it goes what is known of somebody who worked for the publisher under this address, as `erase_colleague` does.
    Its subscriptions end. The keyed hash stays, so that a suppression goes on, and so do times, states and the hashes
    of letters, whose bytes cannot be made again. Raises `UnknownAddress`, `LegalHoldStands` for what is needed for a
    claim, `StandingContact` while it is a customer's standing contact (end that first, another one standing),
    `LetterOnTheWire` while a letter to it is being sent, and `StillWorksHere` where all that is known is a colleague.
    """
    lock_publisher(session, publisher)
    wanted = read_email_address(email)
    address = find_address(session, publisher, make_keyring(session, now), wanted)
    if address is None or address.value is None:
        if works_for(session, publisher, wanted):
            raise StillWorksHere(email=wanted.lower(), publisher=publisher.slug)
        if not erase_colleague(session, now, publisher, wanted, actor):
            raise UnknownAddress(publisher=publisher.slug)
        return 0
    refuse_held_address(session, publisher, address.id)
    subscriptions = session.scalars(select(Subscription).where(Subscription.address_id == address.id)).all()
    ids = [subscription.id for subscription in subscriptions]
    deliveries = session.scalars(
        select(Delivery).where(Delivery.subscription_id.in_(ids)).with_for_update(key_share=True)
    ).all()
    if any(delivery.state == DeliveryState.LEASED.value for delivery in deliveries):
        raise LetterOnTheWire(publisher=publisher.slug)
    for subscription in subscriptions:
        if subscription.ended_at is None and subscription.customer_id is not None and subscription.confirmed_at:
            customer = session.get_one(Customer, subscription.customer_id)
            raise StandingContact(publisher=publisher.slug, customer=customer.key, email=wanted)
    for subscription in subscriptions:
        if subscription.ended_at is None:
            end_subscription(session, now, subscription, EndedBecause.REMOVED, actor, EVERYTHING_WAITING)
    letters = erase_addresses(session, now, [address], actor, ErasedBecause.ASKED_FOR)
    if not works_for(session, publisher, wanted):
        erase_colleague(session, now, publisher, wanted, actor)
    return letters
