"""What the list says from when to when. The only place that opens and closes periods (R6)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, update
from sqlalchemy.orm import Session

from registry.tables import Entry, EntryVersion, ListPeriod, PendingEdit, Publisher


def put_on_list(
    session: Session, now: datetime, publisher: Publisher, entry: Entry, version: EntryVersion, *, cause: str
) -> None:
    """Make `version` what the list says of `entry` from `now` on, as `put_all_on_list` does."""
    put_all_on_list(session, now, publisher, [(entry, version)], cause=cause)


def put_all_on_list(
    session: Session,
    now: datetime,
    publisher: Publisher,
    versions: Sequence[tuple[Entry, EntryVersion]],
    *,
    cause: str,
) -> None:
    """Make each version what the list says of its entry from `now` on; a removal ends its period. One public revision.

    The edits that led to the versions no longer wait. Nothing is ever back-dated: the instant is that of the act (R24).
    """
    session.flush()
    session.execute(
        update(ListPeriod)
        .where(ListPeriod.entry_id.in_([entry.id for entry, _ in versions]), ListPeriod.to_at.is_(None))
        .values(to_at=now)
    )
    rows = [
        {"publisher_id": publisher.id, "entry_id": entry.id, "version_id": version.id, "from_at": now, "cause": cause}
        for entry, version in versions
        if version.document is not None
    ]
    if rows:
        session.execute(insert(ListPeriod), rows)
    session.execute(delete(PendingEdit).where(PendingEdit.version_id.in_([version.id for _, version in versions])))
    touch(publisher, now)
    session.flush()


def touch(publisher: Publisher, now: datetime) -> None:
    """Count one more public revision of the publisher's list, so that pages and feeds are built anew."""
    publisher.revision += 1
    publisher.changed_at = now
