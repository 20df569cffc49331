"""Notices with their changes, approvals, numbered statements and frozen letters, and the customers each one binds."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from registry.tables.base import Base, Code, Id, IndexedPublisherRef, PublisherRef, Ref


class Notice(Base):
    """The statement customers receive (R14).

    `explanation` are the publisher's own words in Markdown, beside the changes; empty for none.
    `planned_on` is the date it was published with; `effective_on` the date last told, NULL for "until further
    notice" (R22), with `effective_at` its first instant in the publisher's zone. `terms` are the publisher's at
    publication. `digest` covers content and targets, so that an approval binds to them; `author` drafted or last
    revised the notice, and `authors` are all who ever did: none of them approves it (R16).
    """

    __tablename__ = "notices"
    __table_args__ = (
        UniqueConstraint("publisher_id", "number"),
        UniqueConstraint("publisher_id", "id"),
        Index("ix_notices_state_effective_at", "state", "effective_at"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    number: Mapped[str]
    state: Mapped[Code]
    summary: Mapped[str]
    explanation: Mapped[str] = mapped_column(default="", server_default="")
    planned_on: Mapped[date]
    effective_on: Mapped[date | None]
    effective_at: Mapped[datetime | None]
    announce_at: Mapped[datetime | None]
    published_at: Mapped[datetime | None]
    announced_at: Mapped[datetime | None]
    updated_at: Mapped[datetime]
    took_effect_at: Mapped[datetime | None]
    withdrawn_at: Mapped[datetime | None]
    emergency_reason: Mapped[str | None]
    terms: Mapped[dict[str, Any]]
    digest: Mapped[str]
    author: Mapped[str]
    authors: Mapped[list[str]] = mapped_column(default=list)
    created_at: Mapped[datetime]


class NoticeChange(Base):
    """One entry's change in a notice, with the versions it was made from and leads to (R4)."""

    __tablename__ = "notice_changes"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "notice_id"], ["notices.publisher_id", "notices.id"]),
        ForeignKeyConstraint(["publisher_id", "entry_id"], ["entries.publisher_id", "entries.id"]),
        ForeignKeyConstraint(["publisher_id", "base_version_id"], ["entry_versions.publisher_id", "entry_versions.id"]),
        ForeignKeyConstraint(
            ["publisher_id", "target_version_id"], ["entry_versions.publisher_id", "entry_versions.id"]
        ),
        Index(
            "uq_notice_changes_open_entry",
            "entry_id",
            unique=True,
            sqlite_where=text("is_open"),
            postgresql_where=text("is_open"),
        ),
    )

    notice_id: Mapped[Ref] = mapped_column(primary_key=True, autoincrement=False)
    entry_id: Mapped[Ref] = mapped_column(primary_key=True, autoincrement=False)
    publisher_id: Mapped[IndexedPublisherRef]
    base_version_id: Mapped[Ref | None]
    target_version_id: Mapped[Ref]
    change: Mapped[dict[str, Any]]
    weight: Mapped[Code]
    weight_reason: Mapped[str | None]
    is_open: Mapped[bool] = mapped_column(Boolean(), default=True)


class Approval(Base):
    """A second person's yes to exactly this content (R16). `subject` is `notice` or `edit`, with its digest."""

    __tablename__ = "approvals"
    __table_args__ = (UniqueConstraint("publisher_id", "subject", "subject_id", "digest", "actor"),)

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    subject: Mapped[Code]
    subject_id: Mapped[Ref]
    digest: Mapped[str]
    actor: Mapped[str]
    via: Mapped[Code]
    approved_at: Mapped[datetime]


class Statement(Base):
    """One numbered, immutable message of a notice (R15), with the date it told.

    `restarts_clocks`: customers' clocks run from the receipt of this one, not of an earlier one (R20). `summary`,
    `explanation` and `changes` (a typed change and its weight each) are what it said, whatever a later correction says.
    """

    __tablename__ = "statements"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "notice_id"], ["notices.publisher_id", "notices.id"]),
        UniqueConstraint("notice_id", "seq"),
        UniqueConstraint("publisher_id", "id"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    notice_id: Mapped[Ref]
    seq: Mapped[int]
    kind: Mapped[Code]
    effective_on: Mapped[date | None]
    restarts_clocks: Mapped[bool] = mapped_column(Boolean(), default=False)
    summary: Mapped[str] = mapped_column(default="")
    explanation: Mapped[str] = mapped_column(default="", server_default="")
    changes: Mapped[list[Any]] = mapped_column(JSON(), default=list)
    reason: Mapped[str | None]
    made_at: Mapped[datetime]


class Letter(Base):
    """A letter frozen once per statement, language, audience and form (R30); without a statement, a service letter.

    `form` is the sort of address it is written for: `email`, `webhook`, `slack`, `teams`. What goes out by web has its
    body in `text`, and nothing in `html`.
    """

    __tablename__ = "letters"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "statement_id"], ["statements.publisher_id", "statements.id"]),
        UniqueConstraint("statement_id", "language", "audience", "form"),
        UniqueConstraint("publisher_id", "id"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    statement_id: Mapped[Ref | None]
    kind: Mapped[Code]
    language: Mapped[Code]
    audience: Mapped[Code]
    form: Mapped[Code] = mapped_column(default="email", server_default="email")
    sender: Mapped[dict[str, Any]]
    subject: Mapped[str]
    text: Mapped[str]
    html: Mapped[str]
    digest: Mapped[str] = mapped_column(index=True)
    made_at: Mapped[datetime]


class NoticeCustomer(Base):
    """A customer frozen with its terms at announcement; only these hold a notice (R17).

    `received_at` is the earliest receipt at the grade the terms name (R12), `earliest_at` when its clock has run,
    `objection_ends_at` the end of its objection period. `state` is waiting, received, deemed, served, exempt or
    dropped, with `basis` saying why where a person or a clause decided.
    """

    __tablename__ = "notice_customers"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "notice_id"], ["notices.publisher_id", "notices.id"]),
        ForeignKeyConstraint(["publisher_id", "customer_id"], ["customers.publisher_id", "customers.id"]),
    )

    notice_id: Mapped[Ref] = mapped_column(primary_key=True, autoincrement=False)
    customer_id: Mapped[Ref] = mapped_column(primary_key=True, autoincrement=False)
    publisher_id: Mapped[IndexedPublisherRef]
    terms: Mapped[dict[str, Any]]
    state: Mapped[Code]
    received_at: Mapped[datetime | None]
    earliest_at: Mapped[datetime | None]
    objection_ends_at: Mapped[datetime | None]
    approved_at: Mapped[datetime | None]
    basis: Mapped[str | None]
