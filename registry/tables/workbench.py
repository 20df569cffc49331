"""What the team's work leaves beside the path: drafts, proposals that wait for a second person, documents, notes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, ForeignKeyConstraint, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from registry.tables.base import Base, BigId, Code, Id, IndexedPublisherRef, PublisherRef, Ref


class EntryDraft(Base):
    """What somebody typed into the form of an entry and has not sent off: kept for them alone, until they do.

    `subject` is the entry's key, or `new` and a word for an entry that is not on the list. `fields` are the form's, as
    typed. `base_version_id` is the version the form was opened on.
    """

    __tablename__ = "entry_drafts"
    __table_args__ = (UniqueConstraint("publisher_id", "person_id", "subject"),)

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    person_id: Mapped[int] = mapped_column(BigId, ForeignKey("people.id"))
    subject: Mapped[str]
    fields: Mapped[dict[str, Any]]
    base_version_id: Mapped[Ref | None]
    saved_at: Mapped[datetime]


class Proposal(Base):
    """A change of settings that waits for a second person's yes (R8, R16).

    `kind` is `settings`, `subject` the key of what it is about. `document` is everything as it would be,
    `digest` covers it, and `base_digest` what it was made from: on anything else it is not applied. `outcome` is
    applied, refused or withdrawn once it is closed. A closed one names the publisher's addresses for nothing, so
    `document` is NULL once erased (R36); the digest stays.
    """

    __tablename__ = "proposals"
    __table_args__ = (
        UniqueConstraint("publisher_id", "id"),
        Index(
            "uq_proposals_open",
            "publisher_id",
            "kind",
            "subject",
            unique=True,
            sqlite_where=text("closed_at IS NULL"),
            postgresql_where=text("closed_at IS NULL"),
        ),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    kind: Mapped[Code]
    subject: Mapped[str]
    document: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    digest: Mapped[str]
    base_digest: Mapped[str]
    author: Mapped[str]
    made_at: Mapped[datetime]
    outcome: Mapped[Code | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str | None]


class Attachment(Base):
    """A document somebody attached, such as the courier's receipt of a notice served by other means (R13).

    `subject_kind` and `subject` say what it belongs to, as in the record. `body` is NULL once erased; the hash stays.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "customer_id"], ["customers.publisher_id", "customers.id"]),
        UniqueConstraint("publisher_id", "id"),
        Index("ix_attachments_subject", "publisher_id", "subject_kind", "subject"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    purpose: Mapped[Code]
    subject_kind: Mapped[Code]
    subject: Mapped[str]
    customer_id: Mapped[Ref | None]
    name: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    sha256: Mapped[str]
    body: Mapped[bytes | None] = mapped_column(LargeBinary())
    added_at: Mapped[datetime]
    added_by: Mapped[str]


class ObjectionNote(Base):
    """One contribution to an objection's thread; `registry.domain.objections.NoteKind` has the kinds.

    `letter_id` is the letter that carried it to the customer's contacts, if any did. `text` is NULL once erased (R36).
    """

    __tablename__ = "objection_notes"
    __table_args__ = (
        ForeignKeyConstraint(["publisher_id", "objection_id"], ["objections.publisher_id", "objections.id"]),
        ForeignKeyConstraint(["publisher_id", "letter_id"], ["letters.publisher_id", "letters.id"]),
        Index("ix_objection_notes_objection", "objection_id"),
        Index("ix_objection_notes_letter", "letter_id"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[IndexedPublisherRef]
    objection_id: Mapped[Ref]
    letter_id: Mapped[Ref | None]
    kind: Mapped[Code]
    text: Mapped[str | None]
    author: Mapped[str]
    made_at: Mapped[datetime]
