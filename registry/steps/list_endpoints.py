"""The endpoints of a publisher, as whoever runs it sees them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from registry.domain.vocabulary import ChannelKind
from registry.steps.endpoint_owners import host_of
from registry.tables import Address, Customer, Endpoint, EndpointSecret, Publisher, Subscription

FOLLOWER: Final = "follower"
CHATS: Final = (ChannelKind.SLACK.value, ChannelKind.TEAMS.value)


@dataclass(frozen=True)
class ListedEndpoint:
    """One endpoint. `told` holds the keys of customers, and "follower"; `url` and `owner` are None once erased.

    `secrets` counts those that sign. Times are UTC.
    """

    number: int
    kind: ChannelKind
    url: str | None
    owner: str | None
    told: tuple[str, ...]
    secrets: int
    verified_at: datetime | None
    failing_since: datetime | None
    owner_told_at: datetime | None
    ended_at: datetime | None

    @property
    def shown(self) -> str:
        """Its address as it may be shown; "erased" once it is."""
        return show_address(self.kind.value, self.url) if self.url is not None else "erased"


def show_address(channel: str, value: str) -> str:
    """Return an address as it may be shown: of a chat room the host alone, for whoever has the rest can post there."""
    return f"{host_of(value)}/…" if channel in CHATS else value


def list_endpoints(session: Session, publisher: Publisher, *, with_ended: bool = False) -> list[ListedEndpoint]:
    """Return a publisher's endpoints by their numbers, those that ended only where asked for."""
    owner = aliased(Address)
    secrets = (
        select(func.count())
        .select_from(EndpointSecret)
        .where(EndpointSecret.address_id == Endpoint.address_id)
        .scalar_subquery()
    )
    query = (
        select(Endpoint, Address, owner.value, secrets)
        .join(Address, Address.id == Endpoint.address_id)
        .join(owner, owner.id == Endpoint.owner_address_id)
        .where(Endpoint.publisher_id == publisher.id)
        .order_by(Endpoint.address_id)
    )
    if not with_ended:
        query = query.where(Endpoint.ended_at.is_(None))
    rows = session.execute(query).all()
    told = _find_told(session, [endpoint.address_id for endpoint, *_ in rows])
    return [
        ListedEndpoint(
            number=endpoint.address_id,
            kind=ChannelKind(address.channel),
            url=address.value,
            owner=owner_value,
            told=tuple(told.get(endpoint.address_id, ())),
            secrets=count,
            verified_at=endpoint.verified_at,
            failing_since=endpoint.failing_since,
            owner_told_at=endpoint.owner_told_at,
            ended_at=endpoint.ended_at,
        )
        for endpoint, address, owner_value, count in rows
    ]


def _find_told(session: Session, numbers: list[int]) -> dict[int, list[str]]:
    rows = session.execute(
        select(Subscription.address_id, Customer.key)
        .outerjoin(Customer, Customer.id == Subscription.customer_id)
        .where(Subscription.address_id.in_(numbers), Subscription.ended_at.is_(None))
        .order_by(Subscription.id)
    )
    told: dict[int, list[str]] = {}
    for number, key in rows:
        told.setdefault(number, []).append(key or FOLLOWER)
    return told
