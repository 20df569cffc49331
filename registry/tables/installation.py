"""What belongs to the installation, not to a publisher: its binding, its keyring, and the built artefacts."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import CheckConstraint, LargeBinary, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from registry.tables.base import Base, Code, Id, PublisherRef


class Installation(Base):
    """The one row that binds the database to its installation (R32).

    `fingerprint` stands for the secret key, `base_url` for the address letters link to. `paused_at` stops dispatch.
    `not_evidence_since` is set once time was travelled (R39). `is_demo` labels an installation whose outbox counts
    as receipt (R12).
    """

    __tablename__ = "installation"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    installation_id: Mapped[str]
    fingerprint: Mapped[str]
    base_url: Mapped[str]
    is_demo: Mapped[bool] = mapped_column(default=False)
    paused_at: Mapped[datetime | None]
    paused_because: Mapped[str | None]
    not_evidence_since: Mapped[datetime | None]
    heartbeat_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class RingKey(Base):
    """A key of the keyring: `link` keys sign link tokens, the `lookup` key hashes addresses (R33, R36)."""

    __tablename__ = "ring_keys"

    key_id: Mapped[str] = mapped_column(primary_key=True)
    purpose: Mapped[Code]
    secret: Mapped[str]
    created_at: Mapped[datetime]


class Artefact(Base):
    """Published bytes, built once per key: revision, the publisher's local date, build, language and kind.

    `gzip` and `brotli` are the same bytes compressed, None where that makes them no shorter. `etag` is the tag of the
    plain ones.
    """

    __tablename__ = "artefacts"
    __table_args__ = (UniqueConstraint("publisher_id", "kind", "language", "revision", "local_on", "build"),)

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    kind: Mapped[Code]
    language: Mapped[Code]
    revision: Mapped[int]
    local_on: Mapped[date]
    build: Mapped[str]
    body: Mapped[bytes] = mapped_column(LargeBinary())
    gzip: Mapped[bytes | None] = mapped_column(LargeBinary())
    brotli: Mapped[bytes | None] = mapped_column(LargeBinary())
    etag: Mapped[str]
    modified_at: Mapped[datetime]
