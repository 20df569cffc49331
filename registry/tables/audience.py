"""Who is told: customers under contract, addresses, subscriptions, suppressions, and tokens of confirmation."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, ForeignKeyConstraint, Index, UniqueConstraint, and_, false, text
from sqlalchemy.orm import Mapped, mapped_column

from registry.tables.base import Base, Code, Id, IndexedPublisherRef, PublisherRef, Ref


class Customer(Base):
    """A company under contract. Dates are local to its own zone; `contract_until` is its last day."""

    __tablename__ = "customers"
    __table_args__ = (UniqueConstraint("publisher_id", "key"), UniqueConstraint("publisher_id", "id"))

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    key: Mapped[str]
    name: Mapped[str]
    contract_from: Mapped[date | None]
    contract_until: Mapped[date | None]
    products: Mapped[list[str]] = mapped_column(default=list)
    created_at: Mapped[datetime]


class CustomerTerms(Base):
    """One version of what a customer's terms say differently from the publisher's (R8)."""

    __tablename__ = "customer_terms"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "customer_id"], ["customers.publisher_id", "customers.id"]),
        UniqueConstraint("customer_id", "version"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[IndexedPublisherRef]
    customer_id: Mapped[Ref]
    version: Mapped[int]
    document: Mapped[dict[str, Any]]
    from_at: Mapped[datetime]


class Address(Base):
    """Where something can be sent. `value` is NULL once erased; the keyed hash stays (R36)."""

    __tablename__ = "addresses"
    __table_args__ = (
        UniqueConstraint("publisher_id", "channel", "lookup_hmac"),
        UniqueConstraint("publisher_id", "id"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    channel: Mapped[Code]
    lookup_hmac: Mapped[str]
    value: Mapped[str | None]
    created_at: Mapped[datetime]


class Subscription(Base):
    """Who is told, where and about what. With a customer it is a contract contact, without one a follower (R34).

    No product and no kind chosen means all. `rank` orders a customer's contacts. A contact that stands by is told once
    the others were not reached. A follower is told nothing that is made from `paused_at` on, until it resumes.
    """

    __tablename__ = "subscriptions"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "address_id"], ["addresses.publisher_id", "addresses.id"]),
        ForeignKeyConstraint(["publisher_id", "customer_id"], ["customers.publisher_id", "customers.id"]),
        UniqueConstraint("publisher_id", "id"),
        Index(
            "uq_subscriptions_follower",
            "address_id",
            unique=True,
            sqlite_where=text("customer_id IS NULL AND ended_at IS NULL"),
            postgresql_where=text("customer_id IS NULL AND ended_at IS NULL"),
        ),
        Index(
            "uq_subscriptions_contact",
            "address_id",
            "customer_id",
            unique=True,
            sqlite_where=text("customer_id IS NOT NULL AND ended_at IS NULL"),
            postgresql_where=text("customer_id IS NOT NULL AND ended_at IS NULL"),
        ),
        # Contacts, those that have ended too: few among a million followers.
        Index(
            "ix_subscriptions_customer",
            "customer_id",
            sqlite_where=text("customer_id IS NOT NULL"),
            postgresql_where=text("customer_id IS NOT NULL"),
        ),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    address_id: Mapped[Ref]
    customer_id: Mapped[Ref | None]
    audience: Mapped[Code]
    language: Mapped[Code]
    name: Mapped[str | None]
    rank: Mapped[int] = mapped_column(default=0)
    is_standby: Mapped[bool] = mapped_column(default=False, server_default=false())
    wants_reminders: Mapped[bool] = mapped_column(default=True)
    wants_effect: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    paused_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ended_because: Mapped[str | None]


class SubscriptionProduct(Base):
    """A product a subscription is limited to."""

    __tablename__ = "subscription_products"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "subscription_id"], ["subscriptions.publisher_id", "subscriptions.id"]),
        ForeignKeyConstraint(["publisher_id", "product_key"], ["products.publisher_id", "products.key"]),
    )

    subscription_id: Mapped[Ref] = mapped_column(primary_key=True, autoincrement=False)
    product_key: Mapped[str] = mapped_column(primary_key=True)
    publisher_id: Mapped[IndexedPublisherRef]


class SubscriptionKind(Base):
    """A kind of change a subscription is limited to."""

    __tablename__ = "subscription_kinds"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "subscription_id"], ["subscriptions.publisher_id", "subscriptions.id"]),
    )

    subscription_id: Mapped[Ref] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[Code] = mapped_column(primary_key=True)
    publisher_id: Mapped[IndexedPublisherRef]


class Suppression(Base):
    """An address that must not be sent to, and why. Kept as a keyed hash, so that it outlives erasure (R36)."""

    __tablename__ = "suppressions"
    __table_args__ = (UniqueConstraint("publisher_id", "channel", "lookup_hmac"),)

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    channel: Mapped[Code]
    lookup_hmac: Mapped[str]
    reason: Mapped[Code]
    since_at: Mapped[datetime]


class EndpointRequest(Base):
    """Somebody's wish, by the public form, that changes are posted to an address on the web; no endpoint yet.

    `subscription_id` is that of the mailbox which answers for it and is asked to confirm; it need not be told anything
    itself. `url` is NULL once the request is closed: it became an endpoint, or its days were over (R36).
    """

    __tablename__ = "endpoint_requests"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "subscription_id"], ["subscriptions.publisher_id", "subscriptions.id"]),
        UniqueConstraint("publisher_id", "id"),
        Index(
            "ix_endpoint_requests_open",
            "created_at",
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    subscription_id: Mapped[Ref]
    channel: Mapped[Code]
    url: Mapped[str | None]
    language: Mapped[Code]
    products: Mapped[list[str]] = mapped_column(default=list)
    kinds: Mapped[list[str]] = mapped_column(default=list)
    wants_reminders: Mapped[bool] = mapped_column(default=True)
    wants_effect: Mapped[bool] = mapped_column(default=False)
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class ConfirmToken(Base):
    """A wish that waits for its confirmation. Stored hashed (R33).

    The wish is to subscribe, to take the place of a contact or of a follower's former address
    (`replaces_subscription_id`), or to have changes posted to an endpoint (`endpoint_request_id`), for which
    `subscription_id` is the mailbox that answers.
    """

    __tablename__ = "confirm_tokens"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "subscription_id"], ["subscriptions.publisher_id", "subscriptions.id"]),
        ForeignKeyConstraint(
            ["publisher_id", "endpoint_request_id"], ["endpoint_requests.publisher_id", "endpoint_requests.id"]
        ),
        UniqueConstraint("token_hash"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[IndexedPublisherRef]
    subscription_id: Mapped[Ref]
    replaces_subscription_id: Mapped[Ref | None]
    endpoint_request_id: Mapped[Ref | None]
    nonce: Mapped[str]
    key_id: Mapped[str]
    token_hash: Mapped[str]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


def suppresses() -> ColumnElement[bool]:
    """On what a suppression is about an address: the same publisher, channel and hashed value (R34)."""
    return and_(
        Suppression.publisher_id == Address.publisher_id,
        Suppression.channel == Address.channel,
        Suppression.lookup_hmac == Address.lookup_hmac,
    )
