"""What an entry was, and what the list was: versions of one entry, and two days of the whole list side by side (R6)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy import and_, func, or_, select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange, diff_entry
from registry.domain.entries import EntryContent
from registry.domain.notices import first_instant
from registry.pages.entry_facts import Names
from registry.steps.lookup import read_content
from registry.tables import Entry, EntryVersion, ListPeriod, Notice, NoticeChange, PendingEdit, Product, Publisher


@dataclass(frozen=True)
class Version:
    """One version of an entry: who made it when, and what became of it.

    `from_at` and `to_at` (UTC) are its time on the list, both None for one that never was; `number` is the notice that
    carried it. `is_removal`: it takes the entry off the list. `waits`: it is the last edit, and not on the list yet.
    """

    id: int
    seq: int
    author: str
    created_at: datetime
    is_removal: bool
    from_at: datetime | None
    to_at: datetime | None
    number: str | None
    notice_state: str | None
    waits: bool


def list_versions(session: Session, publisher: Publisher, entry: Entry, page: int, size: int) -> list[Version]:
    """Return a page of an entry's versions, the newest first, and one row more where another page follows."""
    rows = session.execute(
        select(
            EntryVersion,
            func.min(ListPeriod.from_at),
            # Of several periods the last counts, and one that is open has no end.
            func.max(ListPeriod.to_at),
            func.count(ListPeriod.id) - func.count(ListPeriod.to_at),
            func.max(Notice.number),
            func.max(Notice.state),
            func.max(PendingEdit.version_id),
        )
        .outerjoin(ListPeriod, ListPeriod.version_id == EntryVersion.id)
        .outerjoin(NoticeChange, NoticeChange.target_version_id == EntryVersion.id)
        .outerjoin(Notice, Notice.id == NoticeChange.notice_id)
        .outerjoin(PendingEdit, PendingEdit.version_id == EntryVersion.id)
        .where(EntryVersion.publisher_id == publisher.id, EntryVersion.entry_id == entry.id)
        .group_by(EntryVersion.id)
        .order_by(EntryVersion.seq.desc())
        .offset((page - 1) * size)
        .limit(size + 1)
    )
    return [
        Version(
            id=version.id,
            seq=version.seq,
            author=version.author,
            created_at=version.created_at,
            is_removal=version.document is None,
            from_at=from_at,
            to_at=None if is_open else to_at,
            number=number,
            notice_state=state,
            waits=waits is not None,
        )
        for version, from_at, to_at, is_open, number, state, waits in rows
    ]


def find_versions(session: Session, publisher: Publisher, entry: Entry, seqs: Iterable[int]) -> dict[int, EntryVersion]:
    """Return the versions of an entry by their sequence numbers; one that does not exist is left out."""
    rows = session.scalars(
        select(EntryVersion).where(
            EntryVersion.publisher_id == publisher.id,
            EntryVersion.entry_id == entry.id,
            EntryVersion.seq.in_(list(seqs)),
        )
    )
    return {row.seq: row for row in rows}


def compare_days(
    session: Session, publisher: Publisher, from_on: date, to_on: date, now: datetime, today: date, zone: str
) -> list[EntryChange]:
    """Return what differs between the list at the end of two local dates, in the order of the list.

    `today` means now. Neither date may be after it. Editorial differences are in it too: this is history, not a notice.
    """
    before = _versions_at(session, publisher, from_on, now, today, zone)
    after = _versions_at(session, publisher, to_on, now, today, zone)
    differ = [key for key in dict.fromkeys([*before, *after]) if before.get(key) != after.get(key)]
    wanted = {side[key] for side in (before, after) for key in differ if key in side}
    contents = {
        version.id: read_content(version)
        for version in session.scalars(select(EntryVersion).where(EntryVersion.id.in_(wanted)))
    }
    changes = [diff_entry(key, contents.get(before.get(key, 0)), contents.get(after.get(key, 0))) for key in differ]
    return [change for change in changes if change is not None]


def _versions_at(
    session: Session, publisher: Publisher, on: date, now: datetime, today: date, zone: str
) -> dict[str, int]:
    """Return the version of each entry that was on the list at the end of a date, by committed instants (R6)."""
    if on >= today:
        stood = and_(ListPeriod.from_at <= now, ListPeriod.to_at.is_(None))
    else:
        end = first_instant(on + timedelta(days=1), zone)
        stood = and_(ListPeriod.from_at < end, or_(ListPeriod.to_at.is_(None), ListPeriod.to_at >= end))
    rows = session.execute(
        select(Entry.key, ListPeriod.version_id)
        .join(ListPeriod, ListPeriod.entry_id == Entry.id)
        .where(Entry.publisher_id == publisher.id, stood)
        .order_by(Entry.position, Entry.key)
    )
    return {key: version_id for key, version_id in rows}  # noqa: C416  # dict() of rows loses their types


def names_in(session: Session, publisher: Publisher, contents: Iterable[EntryContent | None]) -> Names:
    """Return what the products are called, and the entries that these contents name as their parents."""
    products = session.execute(select(Product.key, Product.name).where(Product.publisher_id == publisher.id))
    parents = {content.parent for content in contents if content is not None and content.parent}
    stood = select(func.max(ListPeriod.id)).where(ListPeriod.entry_id == Entry.id).correlate(Entry).scalar_subquery()
    named = (
        session.execute(
            select(Entry.key, EntryVersion.document)
            .join(ListPeriod, ListPeriod.id == stood)
            .join(EntryVersion, EntryVersion.id == ListPeriod.version_id)
            .where(Entry.publisher_id == publisher.id, Entry.key.in_(parents))
        )
        if parents
        else ()
    )
    return Names({key: name for key, name in products}, {key: document["name"] for key, document in named})  # noqa: C416  # as above
