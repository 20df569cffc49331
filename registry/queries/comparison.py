"""Two days of a publisher's list, for the public: what differs, and which notices brought it (R6, R14).

A fixed number of SQL statements, which read what happened between the two days and nothing of what came before.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange
from registry.domain.notices import first_instant, local_date
from registry.pages.compare import AskedDays, Cause, Comparison, Difference
from registry.pages.entry_facts import Names
from registry.pages.values import PublicPublisher
from registry.queries.history import compare_days
from registry.tables import Entry, EntryVersion, Event, ListPeriod, Notice, NoticeChange, Publisher

EDITORIAL = "editorial"


def find_founding_day(session: Session, publisher: Publisher, zone: str) -> date | None:
    """Return the local date on which the list was first published, or None where it never was (R5)."""
    founded_at = session.scalar(
        select(func.min(Event.at)).where(
            Event.publisher_id == publisher.id,
            Event.subject_kind == "publisher",
            Event.subject == publisher.slug,
            Event.kind == "publisher.founded",
        )
    )
    return local_date(founded_at, zone) if founded_at else None


def load_comparison(
    session: Session, now: datetime, publisher: Publisher, public: PublicPublisher, days: AskedDays
) -> Comparison:
    """Load what differs between the ends of two days; today's is now. Neither may be to come or before the list."""
    zone = public.time_zone
    today = local_date(now, zone)
    changes = compare_days(session, publisher, days.from_on, days.to_on, now, today, zone)
    causes: dict[str, list[Cause]] = {}
    corrected: set[str] = set()
    if changes:
        begin, end = (_end_of(on, now, today, zone) for on in (days.from_on, days.to_on))
        causes = _find_causes(session, publisher, begin, end)
        corrected = _find_corrected(session, publisher, begin, end)
    names = Names(
        {product.key: product.name for product in public.products},
        _name_parents(session, publisher, changes) | {change.key: change.name for change in changes},
    )
    differences = tuple(
        Difference(change, tuple(causes.get(change.key, ())), change.key in corrected) for change in changes
    )
    return Comparison(days, zone, differences, names)


def _end_of(on: date, now: datetime, today: date, zone: str) -> datetime:
    """Return the first instant that is not of the list as it was at the end of a date: after now, for today."""
    return first_instant(on + timedelta(days=1), zone) if on < today else now + timedelta(microseconds=1)


def _find_causes(session: Session, publisher: Publisher, begin: datetime, end: datetime) -> dict[str, list[Cause]]:
    rows = session.execute(
        select(Entry.key, Notice.number, Notice.summary, Notice.took_effect_at)
        .join(NoticeChange, NoticeChange.notice_id == Notice.id)
        .join(Entry, Entry.id == NoticeChange.entry_id)
        .where(Notice.publisher_id == publisher.id, Notice.took_effect_at >= begin, Notice.took_effect_at < end)
        .order_by(Notice.took_effect_at, Notice.id)
    )
    causes: dict[str, list[Cause]] = {}
    for key, number, summary, took_effect_at in rows:
        if took_effect_at is not None:
            causes.setdefault(key, []).append(Cause(number, summary, took_effect_at))
    return causes


def _find_corrected(session: Session, publisher: Publisher, begin: datetime, end: datetime) -> set[str]:
    return set(
        session.scalars(
            select(Entry.key)
            .join(ListPeriod, ListPeriod.entry_id == Entry.id)
            .where(
                Entry.publisher_id == publisher.id,
                ListPeriod.from_at >= begin,
                ListPeriod.from_at < end,
                ListPeriod.cause == EDITORIAL,
            )
        )
    )


def _name_parents(session: Session, publisher: Publisher, changes: Iterable[EntryChange]) -> dict[str, str]:
    """Return what the entries are called that stand before or after as somebody's parent, by their last version."""
    sides = ((field.before, field.after) for change in changes for field in change.fields if field.field == "parent")
    keys = {str(key) for pair in sides for key in pair if key}
    if not keys:
        return {}
    last = select(func.max(ListPeriod.id)).where(ListPeriod.entry_id == Entry.id).correlate(Entry).scalar_subquery()
    rows = session.execute(
        select(Entry.key, EntryVersion.document)
        .join(ListPeriod, ListPeriod.id == last)
        .join(EntryVersion, EntryVersion.id == ListPeriod.version_id)
        .where(Entry.publisher_id == publisher.id, Entry.key.in_(keys))
    )
    return {key: document["name"] for key, document in rows}
