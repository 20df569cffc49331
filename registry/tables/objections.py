"""Customers' objections to notices."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped

from registry.tables.base import Base, Code, Id, PublisherRef, Ref


class Objection(Base):
    """An objection with its deadline, ground, state and cure (R25). Late ones are kept too, as late."""

    __tablename__ = "objections"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "notice_id"], ["notices.publisher_id", "notices.id"]),
        ForeignKeyConstraint(["publisher_id", "customer_id"], ["customers.publisher_id", "customers.id"]),
        UniqueConstraint("publisher_id", "id"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    notice_id: Mapped[Ref]
    customer_id: Mapped[Ref | None]
    state: Mapped[Code]
    ground: Mapped[str | None]
    cure: Mapped[str | None]
    received_at: Mapped[datetime]
    deadline_at: Mapped[datetime | None]
    is_in_time: Mapped[bool]
    resolved_at: Mapped[datetime | None]
