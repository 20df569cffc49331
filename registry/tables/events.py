"""The record: every act, append-only from the first day (R39). Triggers in the database refuse any change of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Index
from sqlalchemy.orm import Mapped

from registry.tables.base import Base, Code, Id, Ref


class Event(Base):
    """One act: who, when (UTC), what, of which subject. The payload holds no personal data (R39).

    `sign_in_id` is the session it was done in, which says from where, for acts by the workbench.
    """

    __tablename__ = "events"
    __table_args__ = (
        Index("ix_events_subject", "publisher_id", "subject_kind", "subject"),
        Index("ix_events_publisher_id_id", "publisher_id", "id"),
    )

    id: Mapped[Id]
    publisher_id: Mapped[Ref | None]
    at: Mapped[datetime]
    actor: Mapped[str]
    kind: Mapped[Code]
    subject_kind: Mapped[Code]
    subject: Mapped[str]
    payload: Mapped[dict[str, Any]]
    sign_in_id: Mapped[Ref | None]
