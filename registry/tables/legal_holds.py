"""Legal holds: what must be kept for a claim, whatever retention or a person's wish says (R36)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, UniqueConstraint
from sqlalchemy.orm import Mapped

from registry.tables.base import Base, Id, PublisherRef, Ref


class LegalHold(Base):
    """A hold on everything of a publisher, of one of its customers, or of one of its notices, until it is lifted.

    `reason` says which claim it serves; it holds no personal data.
    """

    __tablename__ = "legal_holds"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "customer_id"], ["customers.publisher_id", "customers.id"]),
        ForeignKeyConstraint(["publisher_id", "notice_id"], ["notices.publisher_id", "notices.id"]),
        CheckConstraint("customer_id IS NULL OR notice_id IS NULL", name="one_subject"),
        CheckConstraint("(lifted_at IS NULL) = (lifted_by IS NULL)", name="lifted_by_somebody"),
        UniqueConstraint("publisher_id", "id"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    customer_id: Mapped[Ref | None]
    notice_id: Mapped[Ref | None]
    reason: Mapped[str]
    set_at: Mapped[datetime]
    set_by: Mapped[str]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None]
    lifted_because: Mapped[str | None]
