"""The followers of a publisher's list, however many: a page at a time, from the newest to the oldest."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from registry.domain.vocabulary import ChannelKind
from registry.queries.customer_page import LastLetter, last_letter
from registry.queries.customers import ContactState, contact_state
from registry.queries.deliveries import is_last_try
from registry.queries.newest_letter import newest_letter
from registry.steps.keyring import Keyring
from registry.tables import (
    Address,
    Attempt,
    Delivery,
    Endpoint,
    Letter,
    Notice,
    Publisher,
    Statement,
    Subscription,
    SubscriptionKind,
    SubscriptionProduct,
    Suppression,
)
from registry.tables.audience import suppresses


class FollowerState(StrEnum):
    """Where a subscription stands: told, waiting for its confirmation, or ended."""

    CONFIRMED = "confirmed"
    WAITING = "waiting"
    ENDED = "ended"


@dataclass(frozen=True)
class FollowerFilter:
    """What is asked for. `address` is looked for as it is, with a channel of e-mail; it is found after erasure too."""

    state: FollowerState | None = FollowerState.CONFIRMED
    channel: ChannelKind | None = None
    address: str | None = None


@dataclass(frozen=True)
class FollowerRow:
    """One follower. `products` and `kinds` are what it is limited to, empty meaning all. Times are UTC."""

    number: int
    channel: str
    address: str | None
    language: str
    state: FollowerState
    works: ContactState
    created_at: datetime
    confirmed_at: datetime | None
    ended_at: datetime | None
    ended_because: str | None
    products: tuple[str, ...]
    kinds: tuple[str, ...]
    last: LastLetter | None


def list_followers(
    session: Session,
    publisher: Publisher,
    keyring: Keyring,
    wanted: FollowerFilter,
    *,
    before: int | None = None,
    number: int | None = None,
    limit: int,
) -> list[FollowerRow]:
    """Return followers, the newest first: `limit` and one more, from below the row `before` on.

    A page costs the same wherever it lies, since it is found by the row and not by counting. With `number` that one
    follower alone. Three questions.
    """
    conditions: list[ColumnElement[bool]] = [
        Subscription.publisher_id == publisher.id,
        Subscription.customer_id.is_(None),
    ]
    if before is not None:
        conditions.append(Subscription.id < before)
    if number is not None:
        conditions.append(Subscription.id == number)
    if wanted.channel is not None:
        conditions.append(Address.channel == wanted.channel.value)
    if wanted.address is not None:
        conditions.append(Address.channel == ChannelKind.EMAIL.value)
        conditions.append(Address.lookup_hmac == keyring.lookup(ChannelKind.EMAIL, wanted.address))
    match wanted.state:
        case FollowerState.CONFIRMED:
            conditions += [Subscription.confirmed_at.is_not(None), Subscription.ended_at.is_(None)]
        case FollowerState.WAITING:
            conditions += [Subscription.confirmed_at.is_(None), Subscription.ended_at.is_(None)]
        case FollowerState.ENDED:
            conditions.append(Subscription.ended_at.is_not(None))
        case None:
            pass
    rows = session.execute(
        select(Subscription, Address, Suppression.id, Endpoint, Delivery, Attempt.channel, Letter.kind, Notice.number)
        .join(Address, Address.id == Subscription.address_id)
        .outerjoin(Suppression, suppresses())
        .outerjoin(Endpoint, Endpoint.address_id == Address.id)
        .outerjoin(Delivery, Delivery.id == newest_letter())
        .outerjoin(Attempt, is_last_try())
        .outerjoin(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Statement, Statement.id == Delivery.statement_id)
        .outerjoin(Notice, Notice.id == Statement.notice_id)
        .where(*conditions)
        .order_by(Subscription.id.desc())
        .limit(limit + 1)
    ).all()
    products, kinds = _limits(session, [row[0].id for row in rows])
    return [
        FollowerRow(
            number=follower.id,
            channel=address.channel,
            address=address.value,
            language=follower.language,
            state=_state(follower),
            works=contact_state(follower, address, suppression, endpoint),
            created_at=follower.created_at,
            confirmed_at=follower.confirmed_at,
            ended_at=follower.ended_at,
            ended_because=follower.ended_because,
            products=tuple(products.get(follower.id, ())),
            kinds=tuple(kinds.get(follower.id, ())),
            last=last_letter(delivery, road, kind, notice) if delivery else None,
        )
        for follower, address, suppression, endpoint, delivery, road, kind, notice in rows
    ]


def _state(follower: Subscription) -> FollowerState:
    if follower.ended_at is not None:
        return FollowerState.ENDED
    return FollowerState.CONFIRMED if follower.confirmed_at is not None else FollowerState.WAITING


def _limits(session: Session, followers: list[int]) -> tuple[dict[int, list[str]], dict[int, list[str]]]:
    products: dict[int, list[str]] = {}
    kinds: dict[int, list[str]] = {}
    by_product = select(SubscriptionProduct.subscription_id, SubscriptionProduct.product_key).where(
        SubscriptionProduct.subscription_id.in_(followers)
    )
    by_kind = select(SubscriptionKind.subscription_id, SubscriptionKind.kind).where(
        SubscriptionKind.subscription_id.in_(followers)
    )
    for follower, key in session.execute(by_product.order_by(SubscriptionProduct.product_key)):
        products.setdefault(follower, []).append(key)
    for follower, kind in session.execute(by_kind.order_by(SubscriptionKind.kind)):
        kinds.setdefault(follower, []).append(kind)
    return products, kinds
