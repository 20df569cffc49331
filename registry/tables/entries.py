"""Entries, their keys, their immutable versions, and the periods in which each version was the list."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from registry.tables.base import Base, Id, IndexedPublisherRef, PublisherRef, Ref


class Entry(Base):
    """One engagement, known by its stable key; what it says stands in its versions."""

    __tablename__ = "entries"
    __table_args__ = (
        UniqueConstraint("publisher_id", "key"),
        UniqueConstraint("publisher_id", "id"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    key: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]


class EntryKey(Base):
    """Every key an entry has or had, so that an old address still leads to it."""

    __tablename__ = "entry_keys"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "entry_id"], ["entries.publisher_id", "entries.id"]),
        UniqueConstraint("publisher_id", "key"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    entry_id: Mapped[Ref]
    key: Mapped[str]


class EntryInternal(Base):
    """Private facts beside an entry: mutable, never published, exported, compared or hashed (R1)."""

    __tablename__ = "entry_internals"
    __table_args__ = (ForeignKeyConstraint(["publisher_id", "entry_id"], ["entries.publisher_id", "entries.id"]),)

    entry_id: Mapped[Ref] = mapped_column(primary_key=True, autoincrement=False)
    publisher_id: Mapped[IndexedPublisherRef]
    owner: Mapped[str | None]
    note: Mapped[str | None]
    contract_reference: Mapped[str | None]
    dpa_signed_on: Mapped[date | None]
    review_due_on: Mapped[date | None]


class EntryVersion(Base):
    """The immutable content of an entry with its digest (R1). `document` NULL is a removal."""

    __tablename__ = "entry_versions"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "entry_id"], ["entries.publisher_id", "entries.id"]),
        UniqueConstraint("entry_id", "seq"),
        UniqueConstraint("publisher_id", "id"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    entry_id: Mapped[Ref]
    seq: Mapped[int]
    document: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    digest: Mapped[str]
    author: Mapped[str]
    created_at: Mapped[datetime]


class PendingEdit(Base):
    """The last edit of an entry that is not on the list yet, whether a notice carries it already or none does."""

    __tablename__ = "pending_edits"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "entry_id"], ["entries.publisher_id", "entries.id"]),
        ForeignKeyConstraint(["publisher_id", "version_id"], ["entry_versions.publisher_id", "entry_versions.id"]),
    )

    entry_id: Mapped[Ref] = mapped_column(primary_key=True, autoincrement=False)
    publisher_id: Mapped[IndexedPublisherRef]
    version_id: Mapped[Ref]


class ListPeriod(Base):
    """From when to when a version was what the list said; instants are those of the commits, never planned (R6)."""

    __tablename__ = "list_periods"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "entry_id"], ["entries.publisher_id", "entries.id"]),
        ForeignKeyConstraint(["publisher_id", "version_id"], ["entry_versions.publisher_id", "entry_versions.id"]),
        Index(
            "uq_list_periods_open",
            "entry_id",
            unique=True,
            sqlite_where=text("to_at IS NULL"),
            postgresql_where=text("to_at IS NULL"),
        ),
        Index("ix_list_periods_as_of", "publisher_id", "from_at"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    entry_id: Mapped[Ref]
    version_id: Mapped[Ref]
    from_at: Mapped[datetime]
    to_at: Mapped[datetime | None]
    cause: Mapped[str]
