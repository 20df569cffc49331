"""Publishers, their versioned notice terms, and their products."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from registry.tables.base import Base, Id, PublisherRef


class Publisher(Base):
    """A company whose list it is. `revision` counts every change of what the public sees, 0 before the founding.

    `requires_second_factor`: whoever works on it proves who they are in two ways. It is set in the workbench alone.
    """

    __tablename__ = "publishers"

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    host: Mapped[str | None] = mapped_column(unique=True)
    facts: Mapped[dict[str, Any]]
    revision: Mapped[int] = mapped_column(default=0)
    requires_second_factor: Mapped[bool] = mapped_column(default=False, server_default=false())
    changed_at: Mapped[datetime]
    created_at: Mapped[datetime]


class PublisherTerms(Base):
    """One version of a publisher's notice terms; a new version binds later notices only (R8)."""

    __tablename__ = "publisher_terms"
    __table_args__ = (UniqueConstraint("publisher_id", "version"),)

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    version: Mapped[int]
    document: Mapped[dict[str, Any]]
    from_at: Mapped[datetime]


class Product(Base):
    """A service of the publisher that entries and subscriptions may be limited to."""

    __tablename__ = "products"
    __table_args__ = (UniqueConstraint("publisher_id", "key"), UniqueConstraint("publisher_id", "id"))

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    key: Mapped[str]
    name: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)
