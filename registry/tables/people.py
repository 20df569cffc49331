"""The team: who may sign in, what they hold at which publisher, with what they prove who they are, and from where.

Which of these columns the sign-in itself reads and fills is Flask-Security's affair; `registry.web.people` tells it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, UniqueConstraint, true
from sqlalchemy.ext.mutable import MutableList
from sqlalchemy.orm import Mapped, mapped_column

from registry.tables.base import Base, BigId, Code, Id, PublisherRef


class Person(Base):
    """Somebody who may sign in, at however many publishers. `email` is in small letters and is the name in the record.

    Without `password` the invitation is still open, or the person signs in by passkey or by their company's sign-in.
    `fs_uniquifier` changes when all their sessions end. The secret of the one-time codes and the recovery codes are
    stored encrypted; `tf_last_counter` is the half minute of the last code taken, so that none is taken twice. A person
    is never deleted, since the record names them; `active` false shuts them out.
    """

    __tablename__ = "people"

    id: Mapped[Id]
    email: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str | None]
    password: Mapped[str | None]
    active: Mapped[bool] = mapped_column(default=True, server_default=true())
    fs_uniquifier: Mapped[str] = mapped_column(unique=True)
    fs_webauthn_user_handle: Mapped[str | None] = mapped_column(unique=True)
    tf_primary_method: Mapped[str | None]
    tf_totp_secret: Mapped[str | None]
    tf_last_counter: Mapped[int | None] = mapped_column(BigId)
    mf_recovery_codes: Mapped[list[str] | None] = mapped_column(MutableList.as_mutable(JSON()))
    invited_at: Mapped[datetime | None]
    joined_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class Membership(Base):
    """What a person holds at one publisher: `role` is viewer, editor, approver or owner."""

    __tablename__ = "memberships"
    __table_args__ = (UniqueConstraint("publisher_id", "person_id"),)

    id: Mapped[Id]
    publisher_id: Mapped[PublisherRef]
    person_id: Mapped[int] = mapped_column(BigId, ForeignKey("people.id"), index=True)
    role: Mapped[Code]
    since_at: Mapped[datetime]
    added_by: Mapped[str]


class Passkey(Base):
    """A passkey of a person: of a laptop, a phone or a key (WebAuthn). `usage` is `first` or `secondary` factor."""

    __tablename__ = "passkeys"

    id: Mapped[Id]
    person_id: Mapped[int] = mapped_column(BigId, ForeignKey("people.id"), index=True)
    name: Mapped[str]
    credential_id: Mapped[bytes] = mapped_column(LargeBinary(), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary())
    sign_count: Mapped[int] = mapped_column(default=0)
    transports: Mapped[list[str] | None] = mapped_column(JSON())
    backup_state: Mapped[bool]
    device_type: Mapped[str]
    extensions: Mapped[str | None]
    usage: Mapped[str]
    lastuse_datetime: Mapped[datetime]


class SignIn(Base):
    """One session of a person, from signing in to its end. `key` stands in the session's cookie.

    `address` and `agent` say from where and with which browser. They are personal data, NULL once erased (R36), while
    the record goes on naming the session by its number.
    """

    __tablename__ = "sign_ins"
    __table_args__ = (Index("ix_sign_ins_person_id_ended_at", "person_id", "ended_at"),)

    id: Mapped[Id]
    person_id: Mapped[int] = mapped_column(BigId, ForeignKey("people.id"))
    key: Mapped[str] = mapped_column(unique=True)
    address: Mapped[str | None]
    agent: Mapped[str | None]
    began_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
