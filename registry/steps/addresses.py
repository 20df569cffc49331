"""Addresses on record, and how one is found again, also after its erasure (R36)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Select, exists, select, update
from sqlalchemy.orm import Session

from registry.domain.vocabulary import ChannelKind
from registry.steps.insert_once import insert_once
from registry.steps.keyring import Keyring
from registry.tables import Address, Publisher, Subscription, Suppression


def record_address(session: Session, now: datetime, publisher: Publisher, keyring: Keyring, email: str) -> Address:
    """Return the row of a normalised address, adding it where it is new, and giving it its value back where erased.

    The row is locked, so that two wishes about one address come one after the other.
    """
    channel = ChannelKind.EMAIL.value
    lookup_hmac = keyring.lookup(channel, email)
    insert_once(
        session,
        Address,
        {
            "publisher_id": publisher.id,
            "channel": channel,
            "lookup_hmac": lookup_hmac,
            "value": email,
            "created_at": now,
        },
    )
    address = session.scalars(_by_hmac(publisher, channel, lookup_hmac).with_for_update(key_share=True)).one()
    if address.value is None:
        address.value = email
        session.flush()
    return address


def find_address(session: Session, publisher: Publisher, keyring: Keyring, email: str) -> Address | None:
    """Return the row of an address, or None where the publisher has none."""
    channel = ChannelKind.EMAIL.value
    return session.scalar(_by_hmac(publisher, channel, keyring.lookup(channel, email)))


def is_suppressed(session: Session, publisher: Publisher, keyring: Keyring, email: str) -> bool:
    """Return whether an address must not be sent to. It need not be on record, and may be erased."""
    channel = ChannelKind.EMAIL.value
    suppressed = exists().where(
        Suppression.publisher_id == publisher.id,
        Suppression.channel == channel,
        Suppression.lookup_hmac == keyring.lookup(channel, email),
    )
    return bool(session.scalar(select(suppressed)))


def erase_if_unused(session: Session, address_id: int) -> bool:
    """Erase an address that nobody ever confirmed and no open wish is about; return whether it was erased (R36).

    The keyed hash stays, so that a suppression of it goes on.
    """
    used = exists().where(
        Subscription.address_id == Address.id,
        Subscription.confirmed_at.is_not(None) | Subscription.ended_at.is_(None),
    )
    erased = session.scalar(
        update(Address)
        .where(Address.id == address_id, Address.value.is_not(None), ~used)
        .values(value=None)
        .returning(Address.id)
    )
    return erased is not None


def _by_hmac(publisher: Publisher, channel: str, lookup_hmac: str) -> Select[Address]:
    return select(Address).where(
        Address.publisher_id == publisher.id, Address.channel == channel, Address.lookup_hmac == lookup_hmac
    )
