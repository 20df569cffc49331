"""Addresses on record, and how one is found again, also after its erasure (R36)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import Select, exists, select, update
from sqlalchemy.orm import Session

from registry.domain.vocabulary import Audience, ChannelKind
from registry.steps.insert_once import insert_once
from registry.steps.keyring import Keyring
from registry.tables import Address, Endpoint, Publisher, Subscription, Suppression
from registry.tables.audience import suppresses

EMAIL: Final = ChannelKind.EMAIL


def record_address(
    session: Session,
    now: datetime,
    publisher: Publisher,
    keyring: Keyring,
    value: str,
    channel: ChannelKind = EMAIL,
) -> Address:
    """Return the row of a normalised address, adding it where it is new, and giving it its value back where erased.

    The row is locked, so that two wishes about one address come one after the other.
    """
    lookup_hmac = keyring.lookup(channel, value)
    insert_once(
        session,
        Address,
        {
            "publisher_id": publisher.id,
            "channel": channel.value,
            "lookup_hmac": lookup_hmac,
            "value": value,
            "created_at": now,
        },
    )
    address = session.scalars(_by_hmac(publisher, channel, lookup_hmac).with_for_update(key_share=True)).one()
    if address.value is None:
        address.value = value
        session.flush()
    return address


def find_address(
    session: Session, publisher: Publisher, keyring: Keyring, value: str, channel: ChannelKind = EMAIL
) -> Address | None:
    """Return the row of an address, or None where the publisher has none."""
    return session.scalar(_by_hmac(publisher, channel, keyring.lookup(channel, value)))


def is_suppressed(
    session: Session, publisher: Publisher, keyring: Keyring, value: str, channel: ChannelKind = EMAIL
) -> bool:
    """Return whether an address must not be sent to. It need not be on record, and may be erased."""
    suppressed = exists().where(
        Suppression.publisher_id == publisher.id,
        Suppression.channel == channel.value,
        Suppression.lookup_hmac == keyring.lookup(channel, value),
    )
    return bool(session.scalar(select(suppressed)))


def is_row_suppressed(session: Session, address: Address) -> bool:
    """Return whether an address that is on record, be it erased by now, must not be sent to."""
    return bool(session.scalar(select(exists().where(Address.id == address.id, suppresses()))))


def add_follower(session: Session, now: datetime, address: Address) -> Subscription:
    """Add a follower's subscription, unconfirmed, at `now` (UTC). Nothing about a list goes to it until it is."""
    follower = Subscription(
        publisher_id=address.publisher_id,
        address_id=address.id,
        audience=Audience.FOLLOWER.value,
        language="en",
        created_at=now,
    )
    session.add(follower)
    session.flush()
    return follower


def erase_if_unused(session: Session, address_id: int) -> bool:
    """Erase an address that nobody ever confirmed and no open wish is about; return whether it was erased (R36).

    One whose owner answers for an endpoint that stands is used.

    The keyed hash stays, so that a suppression of it goes on.
    """
    used = exists().where(
        Subscription.address_id == Address.id,
        Subscription.confirmed_at.is_not(None) | Subscription.ended_at.is_(None),
    )
    answers_for_one = exists().where(Endpoint.owner_address_id == Address.id, Endpoint.ended_at.is_(None))
    erased = session.scalar(
        update(Address)
        .where(Address.id == address_id, Address.value.is_not(None), ~used, ~answers_for_one)
        .values(value=None)
        .returning(Address.id)
    )
    return erased is not None


def _by_hmac(publisher: Publisher, channel: ChannelKind, lookup_hmac: str) -> Select[Address]:
    return select(Address).where(
        Address.publisher_id == publisher.id, Address.channel == channel.value, Address.lookup_hmac == lookup_hmac
    )
