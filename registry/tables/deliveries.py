"""Deliveries, the attempts at each, and what was reported of them later."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from registry.domain.vocabulary import ChannelKind
from registry.tables.base import Base, BigId, Code, Id, PublisherRef, Ref

DUE_STATES = "state IN ('pending', 'retry_wait', 'ambiguous')"
TO_CONTACTS = "priority < 1000000000"
"""How contacts' deliveries are told from followers' (`delivery_priority`). Indexes and queries say these very words."""


class Delivery(Base):
    """One statement to one subscription, once (R15). Without a statement it carries a service letter.

    `channel` is the sort of address it goes to. `token` fences the lease: who settles must hold it. `merge` is what
    differs per recipient, stored at the first attempt, so that the bytes can be made again (R30). `deadline_at` is the
    objection deadline printed. `batch_id` is the request to a provider that it went out in, until that has a clear
    answer: it is repeated with all its letters or not at all.
    """

    __tablename__ = "deliveries"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "statement_id"], ["statements.publisher_id", "statements.id"]),
        ForeignKeyConstraint(["publisher_id", "subscription_id"], ["subscriptions.publisher_id", "subscriptions.id"]),
        ForeignKeyConstraint(["publisher_id", "letter_id"], ["letters.publisher_id", "letters.id"]),
        UniqueConstraint("statement_id", "subscription_id"),
        UniqueConstraint("publisher_id", "id"),
        CheckConstraint("(state = 'skipped') = (skip_reason IS NOT NULL)", name="skipped_has_a_reason"),
        CheckConstraint("(state = 'leased') = (token IS NOT NULL)", name="leased_has_a_token"),
        Index(
            "ix_deliveries_due_contacts",
            "channel",
            "priority",
            "due_at",
            "id",
            sqlite_where=text(f"{DUE_STATES} AND {TO_CONTACTS}"),
            postgresql_where=text(f"{DUE_STATES} AND {TO_CONTACTS}"),
        ),
        Index(
            "ix_deliveries_due",
            "channel",
            "publisher_id",
            "priority",
            "due_at",
            "id",
            sqlite_where=text(DUE_STATES),
            postgresql_where=text(DUE_STATES),
        ),
        Index("ix_deliveries_subscription", "subscription_id"),
        Index(
            "ix_deliveries_attention",
            "id",
            sqlite_where=text("state = 'needs_attention'"),
            postgresql_where=text("state = 'needs_attention'"),
        ),
        Index(
            "ix_deliveries_batch",
            "batch_id",
            sqlite_where=text("batch_id IS NOT NULL"),
            postgresql_where=text("batch_id IS NOT NULL"),
        ),
        Index(
            "ix_deliveries_leased",
            "lease_until",
            sqlite_where=text("state = 'leased'"),
            postgresql_where=text("state = 'leased'"),
        ),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    statement_id: Mapped[Ref | None]
    subscription_id: Mapped[Ref]
    letter_id: Mapped[Ref]
    channel: Mapped[Code] = mapped_column(default=ChannelKind.EMAIL.value, server_default=ChannelKind.EMAIL.value)
    state: Mapped[Code]
    skip_reason: Mapped[Code | None]
    priority: Mapped[int] = mapped_column(default=0)
    due_at: Mapped[datetime]
    token: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    batch_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("send_batches.id"))
    attempt_count: Mapped[int] = mapped_column(default=0)
    crash_count: Mapped[int] = mapped_column(default=0)
    possible_duplicate: Mapped[bool] = mapped_column(default=False)
    note: Mapped[str | None]
    message_id: Mapped[str | None] = mapped_column(unique=True)
    merge: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    deadline_at: Mapped[datetime | None]
    accepted_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class SendBatch(Base):
    """Letters that go to a provider in one request, under one key: who was in it, and in which order, is stored before.

    The order stands with the attempts. A repeat inside the key's life is the same request again (R29).
    """

    __tablename__ = "send_batches"

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(unique=True)
    account: Mapped[str]
    size: Mapped[int]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class Attempt(Base):
    """One try at one delivery: when, which exact bytes (SHA-256 before any DKIM), and the answer.

    Where it went out in a batch, `batch_id` and `batch_position` (from 0) say in which and where.
    """

    __tablename__ = "attempts"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "delivery_id"], ["deliveries.publisher_id", "deliveries.id"]),
        UniqueConstraint("delivery_id", "n"),
        Index(
            "ix_attempts_batch",
            "batch_id",
            "batch_position",
            sqlite_where=text("batch_id IS NOT NULL"),
            postgresql_where=text("batch_id IS NOT NULL"),
        ),
        Index(
            "ix_attempts_provider_ref",
            "provider_ref",
            sqlite_where=text("provider_ref IS NOT NULL"),
            postgresql_where=text("provider_ref IS NOT NULL"),
        ),
        # Each is changed twice, at its start and at its answer: on a page that is full already each change would be new
        # rows of all indexes. So new ones fill half a page.
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    delivery_id: Mapped[Ref]
    n: Mapped[int]
    token: Mapped[str]
    channel: Mapped[Code]
    claimed_at: Mapped[datetime]
    send_started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    sha256: Mapped[str | None]
    answer_class: Mapped[Code | None]
    code: Mapped[int | None]
    answer: Mapped[str | None]
    provider_ref: Mapped[str | None]
    batch_id: Mapped[int | None] = mapped_column(BigId, ForeignKey("send_batches.id"))
    batch_position: Mapped[int | None]


class Outcome(Base):
    """What a provider or mail server reported later, once per event; kept also while no delivery matches it.

    It names the letter by its Message-ID, or by the name the provider gave to it (`provider_ref`).
    """

    __tablename__ = "outcomes"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "delivery_id"], ["deliveries.publisher_id", "deliveries.id"]),
        UniqueConstraint("provider", "event_id"),
        # The sweep that matches reports asks for those without a delivery, which are few among years of others.
        Index(
            "ix_outcomes_unmatched",
            "id",
            postgresql_where=text("delivery_id IS NULL"),
            sqlite_where=text("delivery_id IS NULL"),
        ),
    )

    id: Mapped[Id]
    publisher_id: Mapped[Ref | None]
    delivery_id: Mapped[Ref | None]
    provider: Mapped[Code]
    event_id: Mapped[str]
    message_id: Mapped[str | None] = mapped_column(index=True)
    provider_ref: Mapped[str | None] = mapped_column(index=True)
    kind: Mapped[Code]
    detail: Mapped[str | None]
    happened_at: Mapped[datetime]
    recorded_at: Mapped[datetime]
