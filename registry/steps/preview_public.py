"""A notice's public page and feed item as they would be if it were announced now, or as they are."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange
from registry.domain.entries import EntryContent
from registry.domain.notices import local_date
from registry.domain.publishers import PublisherFacts
from registry.domain.vocabulary import StatementKind
from registry.pages.values import PublicEntry, PublicList, PublicNotice, RemovedEntry
from registry.steps.make_statement import word_statement
from registry.steps.preview_notice import announcement_instant, as_announced
from registry.steps.published import is_demonstration, load_public_publisher, make_public_notice
from registry.steps.revise_draft import list_changes
from registry.tables import Entry, EntryVersion, ListPeriod, Notice, Publisher, Statement


def preview_public(
    session: Session, now: datetime, publisher: Publisher, notice: Notice, facts: PublisherFacts
) -> tuple[PublicList, PublicNotice]:
    """Return a notice as the public sees it or would, with as much of the list as its page names.

    A notice that is not announced yet is taken to be at `now` (UTC), or at the hour set for it. Nothing is written.
    """
    changes = list_changes(session, notice)
    if notice.announced_at is None:
        at = announcement_instant(now, notice)
        shown = as_announced(notice, facts, at)
        statements = [word_statement(session, at, shown, StatementKind.ANNOUNCEMENT, 1)]
        statements[0].restarts_clocks = True
    else:
        at, shown = now, notice
        told = select(Statement).where(Statement.notice_id == notice.id).order_by(Statement.seq)
        statements = list(session.scalars(told))
    public = make_public_notice(shown, changes, statements, [], facts.time_zone, None)
    entries, removed = _entries_named(session, publisher, public.changes)
    seen = PublicList(
        publisher=load_public_publisher(session, publisher, facts=facts),
        revision=publisher.revision,
        today=local_date(at, facts.time_zone),
        as_of=None,
        changed_at=at,
        entries=entries,
        removed=removed,
        notices=(public,),
        is_demo=is_demonstration(session),
    )
    return seen, public


def _entries_named(
    session: Session, publisher: Publisher, changes: Iterable[EntryChange]
) -> tuple[tuple[PublicEntry, ...], tuple[RemovedEntry, ...]]:
    """Return the entries that changes are of, or that they name as the parent, as far as they are or were listed."""
    keys = set()
    for change in changes:
        keys.add(change.key)
        keys.update(
            value
            for field in change.fields
            if field.field == "parent"
            for value in (field.before, field.after)
            if isinstance(value, str)
        )
    rows = session.execute(
        select(Entry.key, EntryVersion, ListPeriod)
        .join(ListPeriod, ListPeriod.entry_id == Entry.id)
        .join(EntryVersion, EntryVersion.id == ListPeriod.version_id)
        .where(Entry.publisher_id == publisher.id, Entry.key.in_(sorted(keys)))
        .order_by(ListPeriod.from_at, ListPeriod.id)
    )
    last = {key: (EntryContent.model_validate(version.document), period) for key, version, period in rows}
    listed = [
        PublicEntry(key, content, period.from_at, period.from_at)
        for key, (content, period) in last.items()
        if period.to_at is None
    ]
    gone = [
        RemovedEntry(key, content, period.to_at) for key, (content, period) in last.items() if period.to_at is not None
    ]
    return tuple(listed), tuple(gone)
