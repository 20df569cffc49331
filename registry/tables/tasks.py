"""What needs a person: tasks for the team, mail that no machine could read, and how the publisher's addresses fare."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from registry.tables.base import Base, Code, Id, PublisherRef, Ref


class Task(Base):
    """Something a person must see to, once per subject while it is open.

    `due_at` is when it is too late: the end of a customer's clock, where there is one. `facts` hold no personal data.
    `alerted_at` is when operators were told by another road.
    """

    __tablename__ = "tasks"
    __table_args__ = (
        UniqueConstraint("publisher_id", "id"),
        Index(
            "uq_tasks_open",
            "kind",
            "subject_kind",
            "subject",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    publisher_id: Mapped[Ref | None]
    kind: Mapped[Code]
    subject_kind: Mapped[Code]
    subject: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSON(), default=dict)
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime | None]
    alerted_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]
    closed_because: Mapped[str | None]


class StoredMail(Base):
    """A letter that came in and that no machine could read, kept whole for a person. `body` is NULL once erased."""

    __tablename__ = "stored_mails"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "delivery_id"], ["deliveries.publisher_id", "deliveries.id"]),
        UniqueConstraint("sha256"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[Ref | None]
    delivery_id: Mapped[Ref | None]
    sha256: Mapped[str]
    reason: Mapped[Code]
    body: Mapped[bytes | None] = mapped_column(LargeBinary())
    received_at: Mapped[datetime]


class AddressCheck(Base):
    """A letter to one of the publisher's own addresses, to see whether it takes mail, and what became of it."""

    __tablename__ = "address_checks"
    __table_args__ = (UniqueConstraint("publisher_id", "id"), UniqueConstraint("message_id"))

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    purpose: Mapped[Code]
    address: Mapped[str]
    message_id: Mapped[str]
    sent_at: Mapped[datetime]
    answer_class: Mapped[Code | None]
    code: Mapped[int | None]
    answer: Mapped[str | None]
    bounced_at: Mapped[datetime | None]
