"""The edits that wait for a notice, each compared with the list as it is, and which notice has it already (R4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import and_, select
from sqlalchemy.orm import Session, aliased

from registry.domain.changes import EntryChange, diff_entry
from registry.steps.lookup import read_content
from registry.tables import Entry, EntryVersion, ListPeriod, Notice, NoticeChange, PendingEdit, Product, Publisher

MOST_OFFERED: Final = 200
"""Edits offered for one notice. More than these are not read by whoever gets it."""


@dataclass(frozen=True)
class PendingChange:
    """One entry's waiting edit. `taken_by` is the number of the open notice that carries it, None where it is free."""

    key: str
    change: EntryChange
    edited_by: str
    edited_at: datetime
    taken_by: str | None


def list_pending_changes(session: Session, publisher: Publisher) -> list[PendingChange]:
    """Return the edits that wait, in the order of the list, in one query; at most `MOST_OFFERED`."""
    wanted, current = aliased(EntryVersion), aliased(EntryVersion)
    rows = session.execute(
        select(Entry.key, wanted, current, Notice.number)
        .join(PendingEdit, PendingEdit.entry_id == Entry.id)
        .join(wanted, wanted.id == PendingEdit.version_id)
        .outerjoin(ListPeriod, and_(ListPeriod.entry_id == Entry.id, ListPeriod.to_at.is_(None)))
        .outerjoin(current, current.id == ListPeriod.version_id)
        .outerjoin(NoticeChange, and_(NoticeChange.entry_id == Entry.id, NoticeChange.is_open))
        .outerjoin(Notice, Notice.id == NoticeChange.notice_id)
        .where(Entry.publisher_id == publisher.id)
        .order_by(Entry.position, Entry.key)
        .limit(MOST_OFFERED)
    )
    found = []
    for key, target, base, number in rows:
        change = diff_entry(key, read_content(base), read_content(target))
        if change is not None:
            found.append(PendingChange(key, change, target.author, target.created_at, number))
    return found


def product_names(session: Session, publisher: Publisher) -> dict[str, str]:
    """Return the names of the publisher's products by their keys."""
    rows = session.execute(
        select(Product.key, Product.name).where(Product.publisher_id == publisher.id).order_by(Product.position)
    )
    return {row[0]: row[1] for row in rows}
