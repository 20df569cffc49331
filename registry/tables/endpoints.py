"""Addresses on the web that take notices: webhooks and chat rooms, with their secrets and the person behind each."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from registry.tables.base import Base, Id, IndexedPublisherRef, PublisherRef, Ref


class Endpoint(Base):
    """What is known of an address on the web. `owner_address_id` is the e-mail address of whoever answers for it.

    It is sent to once `verified_at`: it has answered a challenge, or for chat its owner has confirmed. `failing_since`
    is when the first of an unbroken line of failures was; `owner_told_at` when the owner was written to about it.
    `ended_at`: the other side asked never to be sent anything again (HTTP 410), or its owner removed it.
    """

    __tablename__ = "endpoints"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "address_id"], ["addresses.publisher_id", "addresses.id"]),
        ForeignKeyConstraint(["publisher_id", "owner_address_id"], ["addresses.publisher_id", "addresses.id"]),
    )

    address_id: Mapped[Ref] = mapped_column(primary_key=True, autoincrement=False)
    publisher_id: Mapped[IndexedPublisherRef]
    owner_address_id: Mapped[Ref]
    verified_at: Mapped[datetime | None]
    failing_since: Mapped[datetime | None]
    owner_told_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class EndpointSecret(Base):
    """A secret that signs what is sent to an endpoint. While one is rotated out, two are in use (Standard Webhooks)."""

    __tablename__ = "endpoint_secrets"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "address_id"], ["addresses.publisher_id", "addresses.id"]),
        UniqueConstraint("publisher_id", "id"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    address_id: Mapped[Ref]
    secret: Mapped[str]
    created_at: Mapped[datetime]
    retires_at: Mapped[datetime | None]
