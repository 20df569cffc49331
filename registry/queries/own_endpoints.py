"""The addresses on the web that a mailbox answers for, as its owner sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.steps.list_endpoints import show_address
from registry.tables import Address, Customer, Endpoint, Subscription


@dataclass(frozen=True)
class OwnEndpoint:
    """One endpoint. `subscription` is the follower's, by which its owner manages it; None where customers alone are
    told there, whose names are `customers`. Times are UTC.
    """

    number: int
    channel: str
    shown: str
    subscription: int | None
    customers: tuple[str, ...]
    verified_at: datetime | None
    failing_since: datetime | None
    paused_at: datetime | None


def list_own_endpoints(session: Session, mailbox_address_id: int) -> tuple[OwnEndpoint, ...]:
    """Return the endpoints that stand and that this mailbox answers for, oldest first, in one query."""
    rows = session.execute(
        select(Endpoint, Address, Subscription, Customer.name)
        .join(Address, Address.id == Endpoint.address_id)
        .outerjoin(Subscription, (Subscription.address_id == Endpoint.address_id) & Subscription.ended_at.is_(None))
        .outerjoin(Customer, Customer.id == Subscription.customer_id)
        .where(
            Endpoint.owner_address_id == mailbox_address_id,
            Endpoint.ended_at.is_(None),
            Address.value.is_not(None),
        )
        .order_by(Endpoint.address_id, Subscription.id)
    ).all()
    found: dict[int, OwnEndpoint] = {}
    for endpoint, address, subscription, customer in rows:
        known = found.get(endpoint.address_id)
        is_follower = subscription is not None and subscription.customer_id is None
        found[endpoint.address_id] = OwnEndpoint(
            number=endpoint.address_id,
            channel=address.channel,
            shown=show_address(address.channel, address.value or ""),
            subscription=subscription.id if is_follower else known.subscription if known else None,
            customers=(*(known.customers if known else ()), *((customer,) if customer else ())),
            verified_at=endpoint.verified_at,
            failing_since=endpoint.failing_since,
            paused_at=subscription.paused_at if is_follower else known.paused_at if known else None,
        )
    return tuple(found.values())


def find_endpoint(session: Session, subscription: Subscription) -> Endpoint | None:
    """Return the endpoint that a subscription's address is, or None for a mailbox."""
    return session.get(Endpoint, subscription.address_id)
