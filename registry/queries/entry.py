"""One entry with all that is around it, and what the editor knows of all the others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange, diff_entry
from registry.domain.entries import EntryInternals
from registry.domain.notice_life import EDITABLE_STATES, NoticeState
from registry.domain.vocabulary import Weight
from registry.queries.entries import load_stays
from registry.steps.approvals import count_approvals
from registry.steps.lookup import read_content
from registry.steps.revise_draft import find_edit_authors
from registry.steps.save_entry import load_present
from registry.tables import (
    Entry,
    EntryVersion,
    ListPeriod,
    Notice,
    NoticeChange,
    PendingEdit,
    Publisher,
)

MOST_NOTICES = 50


@dataclass(frozen=True)
class InNotice:
    """A notice the entry stands or stood in. `effective_on` is a date of the publisher's zone; instants are UTC."""

    number: str
    state: NoticeState
    summary: str
    is_open: bool
    effective_on: date | None
    took_effect_at: datetime | None

    @property
    def is_draft(self) -> bool:
        """Whether its content may still change."""
        return self.state in EDITABLE_STATES


@dataclass(frozen=True)
class EntryPage:
    """An entry as it stands, what waits, and where it stands. `document` is as in `EntryRow`.

    `base` is the version now wanted. `announced` is what the open notice changes, `waiting` what an edit changes
    beyond that, by `author` at `edited_at` (UTC). `approvals` are those given of `approvals_required` for an editorial
    edit that waits for them, else None; `authors` are all who had a hand in such an edit, and cannot approve it.
    """

    key: str
    base: int | None
    document: Mapping[str, Any]
    internals: EntryInternals
    listed_at: datetime | None
    removed_at: datetime | None
    announced: EntryChange | None
    waiting: EntryChange | None
    author: str | None
    edited_at: datetime | None
    authors: frozenset[str]
    approvals: int | None
    approvals_required: int
    notices: Sequence[InNotice]
    parent_name: str | None

    @property
    def open_notice(self) -> InNotice | None:
        """The one open notice it stands in (R4)."""
        return next((notice for notice in self.notices if notice.is_open), None)

    @property
    def is_leaving(self) -> bool:
        """Whether what waits or was announced is that it leaves the list."""
        change = self.waiting or self.announced
        return change is not None and change.kinds == ("removal",)

    @property
    def waits_for_notice(self) -> bool:
        """Whether an edit waits that a notice could carry from now on."""
        return self.waiting is not None and self.waiting.weight is not Weight.EDITORIAL and self.open_notice is None


def find_entry_page(session: Session, publisher: Publisher, key: str) -> EntryPage | None:
    """Return everything the entry's screen shows, by a key it has or had; None where there is no such entry."""
    present = load_present(session, publisher, key)
    if present is None:
        return None
    entry, current, pending = present.entry, present.versions.current, present.versions.pending
    version = current or (pending if pending is not None and pending.document else present.last)
    shown = (version.document if version else None) or {}
    found = _load_notices(session, entry)
    stands = next(((change, target) for notice, change, target in found if change.is_open), None)
    announced = EntryChange.from_document(stands[0].change) if stands else None
    is_carried = pending is None or (stands is not None and pending.id == stands[1].id)
    base = stands[1] if stands is not None and not is_carried else current
    waiting = None if is_carried else diff_entry(entry.key, read_content(base), read_content(pending))
    required = int(publisher.facts.get("approvals_required") or 0)
    is_editorial = waiting is not None and waiting.weight is Weight.EDITORIAL
    unapproved = pending if is_editorial and required > 0 else None
    authors = find_edit_authors(session, unapproved) if unapproved else set()
    listed_at, removed_at = load_stays(session, publisher, [entry.id]).get(entry.id, (None, None))
    return EntryPage(
        key=entry.key,
        base=present.base.version_id,
        document=shown,
        internals=present.internals,
        listed_at=listed_at,
        removed_at=removed_at,
        announced=announced,
        waiting=waiting,
        author=pending.author if pending is not None else None,
        edited_at=pending.created_at if pending is not None else None,
        authors=frozenset(authors),
        approvals=_count(session, publisher, unapproved, authors) if unapproved else None,
        approvals_required=required,
        notices=[_in_notice(notice, change) for notice, change, _ in found],
        parent_name=_find_name(session, publisher, shown.get("parent")),
    )


def _count(session: Session, publisher: Publisher, pending: EntryVersion, authors: set[str]) -> int:
    return count_approvals(session, publisher, "edit", pending.id, pending.digest, excluding=authors)


def _load_notices(session: Session, entry: Entry) -> list[tuple[Notice, NoticeChange, EntryVersion]]:
    rows = session.execute(
        select(Notice, NoticeChange, EntryVersion)
        .join(NoticeChange, NoticeChange.notice_id == Notice.id)
        .join(EntryVersion, EntryVersion.id == NoticeChange.target_version_id)
        .where(NoticeChange.entry_id == entry.id)
        .order_by(NoticeChange.is_open.desc(), Notice.number.desc())
        .limit(MOST_NOTICES)
    )
    return [(row[0], row[1], row[2]) for row in rows]


def _in_notice(notice: Notice, change: NoticeChange) -> InNotice:
    state = NoticeState(notice.state)
    return InNotice(notice.number, state, notice.summary, change.is_open, notice.effective_on, notice.took_effect_at)


def _find_name(session: Session, publisher: Publisher, key: str | None) -> str | None:
    """Return what an entry is or was called, whether or not it is on the list."""
    if key is None:
        return None
    name = (
        select(EntryVersion.document["name"].as_string())
        .join(Entry, Entry.id == EntryVersion.entry_id)
        .where(Entry.publisher_id == publisher.id, Entry.key == key, EntryVersion.document.is_not(None))
        .order_by(EntryVersion.seq.desc())
        .limit(1)
    )
    return session.scalar(name) or key


def load_documents(session: Session, publisher: Publisher) -> dict[str, dict[str, Any]]:
    """Return the document wanted of each entry that is on the list or waits for it, by key."""
    wanted = func.coalesce(PendingEdit.version_id, ListPeriod.version_id)
    rows = session.execute(
        select(Entry.key, EntryVersion.document)
        .outerjoin(PendingEdit, PendingEdit.entry_id == Entry.id)
        .outerjoin(ListPeriod, and_(ListPeriod.entry_id == Entry.id, ListPeriod.to_at.is_(None)))
        .join(EntryVersion, EntryVersion.id == wanted)
        .where(Entry.publisher_id == publisher.id, EntryVersion.document.is_not(None))
        .order_by(Entry.position, Entry.key)
    )
    return {row.key: row.document for row in rows}
