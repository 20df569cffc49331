"""Addresses that must not be written to, a page at a time, with what is still known of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from registry.domain.vocabulary import ChannelKind
from registry.steps.keyring import Keyring
from registry.tables import Address, Customer, Publisher, Subscription, Suppression
from registry.tables.audience import suppresses


@dataclass(frozen=True)
class SuppressedRow:
    """One address that must not be written to since `since_at` (UTC).

    `address` is None where it is not on record, or erased: its keyed hash is all that is left. `customers` are those
    whose standing contact it is, by key and name.
    """

    number: int
    channel: str
    reason: str
    since_at: datetime
    address: str | None
    customers: tuple[tuple[str, str], ...]


def list_suppressed(
    session: Session,
    publisher: Publisher,
    keyring: Keyring,
    *,
    address: str | None = None,
    number: int | None = None,
    offset: int = 0,
    limit: int,
) -> list[SuppressedRow]:
    """Return suppressions, the newest first, `limit` and one more from `offset` on: two questions.

    `address` is looked for as it is; `number` is one row alone.
    """
    conditions: list[ColumnElement[bool]] = [Suppression.publisher_id == publisher.id]
    if address is not None:
        conditions.append(Suppression.lookup_hmac == keyring.lookup(ChannelKind.EMAIL, address))
    if number is not None:
        conditions.append(Suppression.id == number)
    rows = session.execute(
        select(Suppression, Address.id, Address.value)
        .outerjoin(Address, suppresses())
        .where(*conditions)
        .order_by(Suppression.since_at.desc(), Suppression.id.desc())
        .offset(offset)
        .limit(limit + 1)
    ).all()
    customers = find_customers_told(session, [address_id for _, address_id, _ in rows if address_id is not None])
    return [
        SuppressedRow(row.id, row.channel, row.reason, row.since_at, value, tuple(customers.get(address_id or 0, ())))
        for row, address_id, value in rows
    ]


def find_customers_told(session: Session, addresses: list[int]) -> dict[int, list[tuple[str, str]]]:
    """Return the customers whose standing contacts addresses are, by the address's row: keys and names."""
    rows = session.execute(
        select(Subscription.address_id, Customer.key, Customer.name)
        .join(Customer, Customer.id == Subscription.customer_id)
        .where(
            Subscription.address_id.in_(addresses),
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
        )
        .order_by(Customer.key)
    )
    found: dict[int, list[tuple[str, str]]] = {}
    for address_id, key, name in rows:
        found.setdefault(address_id, []).append((key, name))
    return found
