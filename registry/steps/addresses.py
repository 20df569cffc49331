"""Addresses: which ones can be written to at all, and how one is found again, also after its erasure (R36)."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import email_validator
from sqlalchemy import Select, exists, select, update
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput, Problem
from registry.domain.text import find_unclean
from registry.domain.vocabulary import ChannelKind
from registry.steps.insert_once import insert_once
from registry.steps.keyring import Keyring
from registry.tables import Address, Publisher, Subscription, Suppression

LONGEST_ADDRESS: Final = 254
LONGEST_MAILBOX: Final = 64

ON_THIS_MACHINE: Final = ".localhost"
STAND_IN: Final = ".example"


def normalise_address(text: str, field: str = "email") -> str:
    """Return an e-mail address as it is written to: as typed, with its domain in small ASCII letters.

    Raises `InvalidInput` naming `field`, with one of the codes `control-character`, `too-long`,
    `mailbox-not-ascii` (the part before the @ is written in letters that many mail servers refuse) and
    `not-an-email-address`. Whether mail arrives there is not asked of the network.
    """
    typed = text.strip(" \t\u00a0")

    def refuse(code: str, **params: object) -> InvalidInput:
        return InvalidInput([Problem(field, text, code, dict(params))])

    unclean = next((character for character in typed if character in "\n\t" or find_unclean(character)), None)
    if unclean is not None:
        raise refuse("control-character", character=f"U+{ord(unclean):04X}")
    mailbox, _, domain = typed.rpartition("@")
    if len(typed) > LONGEST_ADDRESS:
        raise refuse("too-long", max_length=LONGEST_ADDRESS)
    if domain and len(mailbox) > LONGEST_MAILBOX:
        raise refuse("too-long", max_length=LONGEST_MAILBOX)
    # The library refuses these names, which serve to try things out; with a stand-in it judges all the rest.
    is_here = typed.lower().endswith(ON_THIS_MACHINE)
    judged = typed[: -len(ON_THIS_MACHINE)] + STAND_IN if is_here else typed
    try:
        found = email_validator.validate_email(judged, check_deliverability=False, test_environment=True, strict=True)
    except email_validator.EmailNotValidError:
        raise refuse("not-an-email-address") from None
    if found.ascii_email is None:
        raise refuse("mailbox-not-ascii")
    return found.ascii_email.removesuffix(STAND_IN) + ON_THIS_MACHINE if is_here else found.ascii_email


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
    address = session.scalars(_by_hmac(publisher, channel, lookup_hmac).with_for_update()).one()
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
