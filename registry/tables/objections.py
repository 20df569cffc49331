"""What customers answer to notices: that they have them, and what they object to."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKeyConstraint, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from registry.tables.base import Base, Code, Id, IndexedPublisherRef, PublisherRef, Ref


class Objection(Base):
    """An objection with its deadline, ground, state and cure (R25). Late ones are kept too, as late.

    `road` is how it came: by the letter's link, or as a person recorded it. `entry_keys` are the entries whose changes
    it is about, NULL for all of the notice. `name` and `company` are as whoever objected gave them, and
    `subscription_id` is the contact whose link it was. Ground, cure, name and company are NULL once erased (R36).
    """

    __tablename__ = "objections"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "notice_id"], ["notices.publisher_id", "notices.id"]),
        ForeignKeyConstraint(["publisher_id", "customer_id"], ["customers.publisher_id", "customers.id"]),
        ForeignKeyConstraint(["publisher_id", "subscription_id"], ["subscriptions.publisher_id", "subscriptions.id"]),
        UniqueConstraint("publisher_id", "id"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    notice_id: Mapped[Ref]
    customer_id: Mapped[Ref | None]
    subscription_id: Mapped[Ref | None]
    road: Mapped[Code | None]
    entry_keys: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    name: Mapped[str | None]
    company: Mapped[str | None]
    state: Mapped[Code]
    ground: Mapped[str | None]
    cure: Mapped[str | None]
    received_at: Mapped[datetime]
    deadline_at: Mapped[datetime | None]
    is_in_time: Mapped[bool]
    resolved_at: Mapped[datetime | None]


class Acknowledgement(Base):
    """A customer's contact said by the link in its letter that the statement reached it: proof of receipt (R12).

    Once for each statement and contact. `delivery_id` is the letter whose link it was.
    """

    __tablename__ = "acknowledgements"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "delivery_id"], ["deliveries.publisher_id", "deliveries.id"]),
        ForeignKeyConstraint(["publisher_id", "statement_id"], ["statements.publisher_id", "statements.id"]),
        ForeignKeyConstraint(["publisher_id", "subscription_id"], ["subscriptions.publisher_id", "subscriptions.id"]),
        ForeignKeyConstraint(["publisher_id", "customer_id"], ["customers.publisher_id", "customers.id"]),
        UniqueConstraint("statement_id", "subscription_id"),
        Index("ix_acknowledgements_subscription", "subscription_id"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[IndexedPublisherRef]
    delivery_id: Mapped[Ref]
    statement_id: Mapped[Ref]
    subscription_id: Mapped[Ref]
    customer_id: Mapped[Ref]
    acknowledged_at: Mapped[datetime]
