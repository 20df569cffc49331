"""The suppression list: addresses that must not be sent to, and why (R12, R28, R34).

A bounce, a complaint or the provider puts an address on it, or a person by hand. Only a person takes one off, and with
a reason; an import never does. What is kept is the keyed hash, so that it outlives the address itself (R36).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import and_, delete, select, update
from sqlalchemy.orm import Session

from registry.domain.errors import RegistryError
from registry.domain.outcomes import SuppressionReason, outranks
from registry.domain.vocabulary import ChannelKind
from registry.readers.email_addresses import read_email_address
from registry.steps.insert_once import insert_once
from registry.steps.keyring import Keyring
from registry.steps.record import Actor, record_event
from registry.tables import Address, Customer, Publisher, Subscription, Suppression
from registry.tables.audience import suppresses


class LiftedBecause(StrEnum):
    """Why a person takes an address off the list. A fixed word, since the record holds no personal data (R39)."""

    WORKS_AGAIN = "works-again"
    """The mailbox takes letters again: it was full, or its server wrongly set up."""
    REPORTED_WRONGLY = "reported-wrongly"
    """The bounce or complaint was a mistake, or somebody's trick."""
    ASKED_FOR = "asked-for"
    """Whoever reads it wants the letters again."""


class AddedBecause(StrEnum):
    """Why a person puts an address on the list. A fixed word, as the record holds no personal data (R39)."""

    ASKED_FOR = "asked-for"
    """Whoever reads it asked not to be written to."""
    DOES_NOT_WORK = "does-not-work"
    """The mailbox is known to be gone or unread, though no letter came back."""
    SOMEBODY_ELSE = "somebody-else"
    """It belongs to somebody who has nothing to do with this."""


class NotSuppressed(RegistryError):
    """The address is not on the suppression list. Params: publisher."""

    code = "not-suppressed"


@dataclass(frozen=True)
class ListedSuppression:
    """One entry of the list. `address` is None once erased, or where it never was on record.

    `customers` are the keys of those whose standing contact it is: they are not told by it.
    """

    suppression: Suppression
    address: str | None
    customers: tuple[str, ...]


def suppress(
    session: Session,
    now: datetime,
    publisher_id: int,
    channel: str,
    lookup_hmac: str,
    reason: SuppressionReason,
    actor: Actor,
    because: AddedBecause | None = None,
) -> bool:
    """Put an address on the list, and return whether that changed anything. A person says `because` of what.

    One that is there stays since when it is there; a weightier reason takes the place of a lesser one, so that the
    order in which reports come makes no difference.
    """
    values = {"publisher_id": publisher_id, "channel": channel, "lookup_hmac": lookup_hmac}
    is_new = insert_once(session, Suppression, values | {"reason": reason.value, "since_at": now})
    is_it = and_(
        Suppression.publisher_id == publisher_id,
        Suppression.channel == channel,
        Suppression.lookup_hmac == lookup_hmac,
    )
    if not is_new:
        lesser = [other.value for other in SuppressionReason if outranks(reason, other)]
        changed = session.scalar(
            update(Suppression)
            .where(is_it, Suppression.reason.in_(lesser))
            .values(reason=reason.value)
            .returning(Suppression.id)
            .execution_options(synchronize_session="fetch")
        )
        if changed is None:
            return False
    number = session.scalars(select(Suppression.id).where(is_it)).one()
    said = {"because": because.value} if because else {}
    _record(
        session,
        now,
        actor,
        "suppression.added",
        publisher_id,
        number,
        channel,
        lookup_hmac,
        reason=reason.value,
        **said,
    )
    return True


def add_suppression(
    session: Session,
    now: datetime,
    publisher: Publisher,
    keyring: Keyring,
    email: str,
    actor: Actor,
    because: AddedBecause | None = None,
) -> bool:
    """Put an address on the list by hand; return False where a person did so before. It need not be on record.

    What waits for it is not sent any more, and a customer whose only contact it is will not be reached: the team gets a
    task for that. Raises `InvalidInput` for what is no address.
    """
    address = read_email_address(email)
    channel = ChannelKind.EMAIL.value
    hashed = keyring.lookup(channel, address)
    return suppress(session, now, publisher.id, channel, hashed, SuppressionReason.BY_HAND, actor, because)


def lift_suppression(
    session: Session,
    now: datetime,
    publisher: Publisher,
    keyring: Keyring,
    email: str,
    actor: Actor,
    because: LiftedBecause,
) -> SuppressionReason:
    """Take an address off the list, and return why it was on it. Who did so and why goes on record.

    Letters that were skipped meanwhile stay skipped. Raises `NotSuppressed`, and `InvalidInput` for what is no address.
    """
    address = read_email_address(email)
    channel = ChannelKind.EMAIL.value
    hashed = keyring.lookup(channel, address)
    lifted = session.execute(
        delete(Suppression)
        .where(
            Suppression.publisher_id == publisher.id,
            Suppression.channel == channel,
            Suppression.lookup_hmac == hashed,
        )
        .returning(Suppression.id, Suppression.reason)
    ).one_or_none()
    if lifted is None:
        raise NotSuppressed(publisher=publisher.slug)
    number, reason = lifted
    _record(
        session,
        now,
        actor,
        "suppression.lifted",
        publisher.id,
        number,
        channel,
        hashed,
        reason=reason,
        because=because.value,
    )
    return SuppressionReason(reason)


def list_suppressions(session: Session, publisher: Publisher) -> list[ListedSuppression]:
    """Return a publisher's list, the newest first."""
    rows = session.execute(
        select(Suppression, Address)
        .outerjoin(
            Address,
            suppresses(),
        )
        .where(Suppression.publisher_id == publisher.id)
        .order_by(Suppression.since_at.desc(), Suppression.id.desc())
    ).all()
    customers: dict[int, list[str]] = {}
    standing = session.execute(
        select(Subscription.address_id, Customer.key)
        .join(Customer, Customer.id == Subscription.customer_id)
        .join(Address, Address.id == Subscription.address_id)
        .join(
            Suppression,
            suppresses(),
        )
        .where(Subscription.publisher_id == publisher.id, Subscription.ended_at.is_(None))
        .order_by(Customer.key)
    )
    for address_id, key in standing:
        customers.setdefault(address_id, []).append(key)
    return [
        ListedSuppression(
            suppression,
            address.value if address else None,
            tuple(dict.fromkeys(customers.get(address.id, ()))) if address else (),
        )
        for suppression, address in rows
    ]


def _record(
    session: Session,
    now: datetime,
    actor: Actor,
    kind: str,
    publisher_id: int,
    number: int,
    channel: str,
    lookup_hmac: str,
    **payload: str,
) -> None:
    """Append to the record. The address stands there by its row's number alone, if it has a row."""
    address = session.scalar(
        select(Address.id).where(
            Address.publisher_id == publisher_id, Address.channel == channel, Address.lookup_hmac == lookup_hmac
        )
    )
    record_event(
        session,
        now,
        actor,
        kind,
        subject=("suppression", str(number)),
        publisher_id=publisher_id,
        address=address,
        **payload,
    )
