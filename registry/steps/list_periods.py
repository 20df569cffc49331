"""What the list says from when to when. The only place that opens and closes periods (R6)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from registry.tables import Entry, EntryVersion, ListPeriod, PendingEdit, Publisher


def put_on_list(
    session: Session, now: datetime, publisher: Publisher, entry: Entry, version: EntryVersion, *, cause: str
) -> None:
    """Make `version` what the list says of `entry` from `now` on; a removal ends its period. One public revision.

    The edit that led to the version no longer waits. Nothing is ever back-dated: the instant is that of the act (R24).
    """
    open_period = session.scalar(select(ListPeriod).where(ListPeriod.entry_id == entry.id, ListPeriod.to_at.is_(None)))
    if open_period is not None:
        open_period.to_at = now
        session.flush()
    if version.document is not None:
        session.add(
            ListPeriod(publisher_id=publisher.id, entry_id=entry.id, version_id=version.id, from_at=now, cause=cause)
        )
    session.execute(delete(PendingEdit).where(PendingEdit.entry_id == entry.id, PendingEdit.version_id == version.id))
    touch(publisher, now)
    session.flush()


def touch(publisher: Publisher, now: datetime) -> None:
    """Count one more public revision of the publisher's list, so that pages and feeds are built anew."""
    publisher.revision += 1
    publisher.changed_at = now
