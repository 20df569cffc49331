"""Another person answers for an endpoint: is told when it fails, and stands by where nobody else would be told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput, Problem
from registry.readers.email_addresses import read_email_address
from registry.steps.addresses import erase_if_unused, is_suppressed, record_address
from registry.steps.contacts import add_contact, find_contact
from registry.steps.endpoints import get_endpoint, has_mailbox
from registry.steps.erase_address import ErasedBecause, erase_addresses
from registry.steps.keyring import make_keyring
from registry.steps.legal_holds import find_hold_on_address, load_holds
from registry.steps.lookup import lock_publisher
from registry.steps.record import Actor, record_event
from registry.tables import Address, Customer, Publisher, Subscription


@dataclass(frozen=True)
class OwnerChanged:
    """Who answers for an endpoint from now on, and whether this call changed that.

    `new_standby_of` is the key of the customer of which the new owner is a contact that stands by from now on.
    `former` is the address of the one before, None once erased; it stays a contact of `former_contact_of` (keys).
    """

    owner: str
    is_new: bool
    former: str | None
    new_standby_of: str | None
    former_contact_of: tuple[str, ...]


def change_owner(
    session: Session, now: datetime, publisher: Publisher, number: int, owner: str, actor: Actor
) -> OwnerChanged:
    """Let another person answer for an endpoint. Where it fails already, the new owner is told like the one before.

    A customer that had no mailbox but the former owner's gets the new one as a contact that stands by (R13), unless
    others are told at the same endpoint: nobody knows for which of them an owner may act. The former owner stays the
    contact it was (R34); who was known for nothing else is erased (R36). Raises `UnknownEndpoint`, `EndpointEnded`, and
    `InvalidInput` for an address that cannot be, or that nobody may write to where it would be the only mailbox.
    """
    lock_publisher(session, publisher)
    endpoint, _ = get_endpoint(session, publisher, number, lock=True)
    owner = read_email_address(owner, "owner")
    keyring = make_keyring(session, now)
    before = session.get_one(Address, endpoint.owner_address_id)
    customers = _list_customers(session, number)
    address = record_address(session, now, publisher, keyring, owner)
    kept = tuple(each.key for each in customers if find_contact(session, each, before) is not None)
    if address.id == before.id:
        return OwnerChanged(owner, is_new=False, former=owner, new_standby_of=None, former_contact_of=kept)
    in_need = customers[0] if len(customers) == 1 else None
    if in_need is not None and has_mailbox(session, publisher, keyring, in_need, besides=before):
        in_need = None
    if in_need is not None and is_suppressed(session, publisher, keyring, owner):
        raise InvalidInput([Problem("owner", owner, "owner-not-written-to")])
    former = before.value
    endpoint.owner_address_id = address.id
    endpoint.owner_told_at = None
    session.flush()
    record_event(
        session,
        now,
        actor,
        "endpoint.owner_changed",
        subject=("endpoint", str(number)),
        publisher_id=publisher.id,
        customers=[each.key for each in customers],
    )
    is_standby = in_need is not None and add_contact(session, now, in_need, owner, actor, is_standby=True).is_new
    _erase_if_idle(session, now, publisher, before, actor)
    return OwnerChanged(
        owner,
        is_new=True,
        former=former,
        new_standby_of=in_need.key if in_need is not None and is_standby else None,
        former_contact_of=kept,
    )


def _list_customers(session: Session, number: int) -> Sequence[Customer]:
    return session.scalars(
        select(Customer)
        .join(Subscription, Subscription.customer_id == Customer.id)
        .where(Subscription.address_id == number, Subscription.ended_at.is_(None))
        .order_by(Customer.key)
    ).all()


def _erase_if_idle(session: Session, now: datetime, publisher: Publisher, former: Address, actor: Actor) -> None:
    """Erase an address that was known for the endpoint alone: no sweep would look for it any more (R36)."""
    if find_hold_on_address(session, load_holds(session, publisher.id), former.id) is not None:
        return
    if erase_if_unused(session, former.id):
        erase_addresses(session, now, [former], actor, ErasedBecause.RETENTION)
