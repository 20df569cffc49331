"""The life of a list, told from what the public knows of it: who was on it from when to when, and what happened by day.

An entry that left has no beginning among the public values. It came with the notice that announced it, or else it was
there from the founding of the list: nothing joins a list in any other way (R3, R5).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from registry.domain.vocabulary import ChangeKind
from registry.language import gettext as _
from registry.language import marked, ngettext
from registry.pages.selection import fold
from registry.pages.values import Addresses, PublicList, PublicNotice, RemovedEntry
from registry.pages.wording import local_date

DAYS_TOLD: Final = 40
"""How many days are told one by one, the newest; what happened before is summed up by the year."""

LINKS_SHOWN: Final = 12
"""How many entries or notices a line names; the others are counted."""


@dataclass(frozen=True)
class Link:
    """Something on the list with the address of its page."""

    text: str
    url: str


@dataclass(frozen=True)
class Span:
    """How long an entry was, is or (where only announced) will be on the list; local dates of the publisher.

    `until` is the day it left, None for an entry that is on the list or announced for it. An announced one that has no
    date (any more) is not `has_date`; then `since` is the day of its announcement, for its place in the order.
    """

    key: str
    name: str
    since: date
    until: date | None
    is_announced: bool = False
    has_date: bool = True


@dataclass(frozen=True)
class Happening:
    """One kind of thing that happened on one day, such as "Joined the list", and to whom."""

    kind: str
    label: str
    links: tuple[Link, ...]
    more: int


@dataclass(frozen=True)
class LifeDay:
    """What happened on one local day, or will; `is_to_come` for a day after today."""

    on: date
    happenings: tuple[Happening, ...]
    is_to_come: bool


@dataclass(frozen=True)
class LifeYear:
    """What happened in a year, counted."""

    year: int
    said: str


JOINED: Final = "joined"
LEFT: Final = "left"

_LABELS: Final = {
    "founded": marked("First published"),
    JOINED: marked("Joined the list"),
    LEFT: marked("Left the list"),
    "announced": marked("Announced"),
    "postponed": marked("Postponed"),
    "withdrawn": marked("Withdrawn"),
    "effect": marked("Took effect"),
    "due": marked("Takes effect"),
}
_Events = dict[date, dict[str, list[Link]]]


def last_day(public: PublicList) -> date:
    """Return the day the list is shown for: today, or the past day asked for."""
    return public.as_of or public.today


def find_spans(public: PublicList) -> tuple[Span, ...]:
    """Return when every entry was on the list, the earliest first, with those that are announced for it."""
    zone = public.publisher.time_zone
    joined_at = _joined_at(public)
    spans = [
        Span(entry.key, entry.content.name, local_date(entry.listed_at, zone), None) for entry in public.entries
    ] + [
        Span(
            gone.key,
            gone.content.name,
            local_date(_beginning(gone, joined_at.get(gone.key, ()), public.founded_at), zone),
            local_date(gone.removed_at, zone),
        )
        for gone in public.removed
    ]
    listed = {entry.key for entry in public.entries}
    for notice in public.upcoming:
        since = notice.effective_on or local_date(notice.announced_at, zone)
        has_date = notice.effective_on is not None
        spans += [
            Span(change.key, change.name, since, None, is_announced=True, has_date=has_date)
            for change in notice.changes
            if change.kinds == (ChangeKind.ADDITION,) and change.key not in listed
        ]
    return tuple(sorted(spans, key=lambda span: (span.since, fold(span.name), span.key, span.until or date.max)))


def _joined_at(public: PublicList) -> dict[str, list[datetime]]:
    """Return when notices put each entry on the list."""
    joined: dict[str, list[datetime]] = {}
    for notice in public.notices:
        if notice.took_effect_at is not None:
            for change in notice.changes:
                if change.kinds == (ChangeKind.ADDITION,):
                    joined.setdefault(change.key, []).append(notice.took_effect_at)
    return joined


def _beginning(gone: RemovedEntry, joined_at: Iterable[datetime], founded_at: datetime | None) -> datetime:
    known = [at for at in joined_at if at < gone.removed_at]
    return max(known, default=min(founded_at or gone.removed_at, gone.removed_at))


def effect_day(notice: PublicNotice, zone: str) -> date | None:
    """Return the local day a notice took effect, or is to; None where it has no date (any more)."""
    if notice.took_effect_at is not None:
        return local_date(notice.took_effect_at, zone)
    return notice.effective_on


def tell_life(
    public: PublicList, spans: Iterable[Span], addresses: Addresses
) -> tuple[tuple[LifeDay, ...], tuple[LifeYear, ...]]:
    """Return what happened, the newest day first, and by the year what happened before the last `DAYS_TOLD` days."""
    events = _events(public, spans, addresses)
    today = last_day(public)
    days = sorted(events, reverse=True)
    told = tuple(LifeDay(on, _happenings(events[on]), is_to_come=on > today) for on in days[:DAYS_TOLD])
    earlier = days[DAYS_TOLD:]
    years = tuple(
        LifeYear(year, _count([events[on] for on in earlier if on.year == year]))
        for year in sorted({on.year for on in earlier}, reverse=True)
    )
    return told, years


def _events(public: PublicList, spans: Iterable[Span], addresses: Addresses) -> _Events:
    zone = public.publisher.time_zone
    events: _Events = {}

    def note(on: date, kind: str, link: Link) -> None:
        events.setdefault(on, {}).setdefault(kind, []).append(link)

    founded_on = local_date(public.founded_at, zone) if public.founded_at else None
    for span in spans:
        link = Link(span.name, addresses.to(f"entries/{span.key}"))
        if not span.is_announced:
            note(span.since, "founded" if span.since == founded_on else JOINED, link)
        if span.until is not None:
            note(span.until, LEFT, link)
    for notice in sorted(public.notices, key=lambda notice: (notice.announced_at, notice.number)):
        link = Link(notice.summary, addresses.to(f"notices/{notice.number}"))
        note(local_date(notice.announced_at, zone), "announced", link)
        for statement in notice.statements:
            if statement.kind == "postponement":
                note(local_date(statement.made_at, zone), "postponed", link)
        on = effect_day(notice, zone)
        if notice.withdrawn_at is not None:
            note(local_date(notice.withdrawn_at, zone), "withdrawn", link)
        elif on is not None:
            note(on, "effect" if notice.took_effect_at is not None else "due", link)
    return events


def _happenings(events: dict[str, list[Link]]) -> tuple[Happening, ...]:
    return tuple(
        Happening(kind, _(label), tuple(events[kind][:LINKS_SHOWN]), max(len(events[kind]) - LINKS_SHOWN, 0))
        for kind, label in _LABELS.items()
        if kind in events
    )


def _count(days: list[dict[str, list[Link]]]) -> str:
    counted = Counter({kind: sum(len(day.get(kind, ())) for day in days) for kind in _LABELS})
    return tell_counts(counted["founded"] + counted[JOINED], counted[LEFT], counted["announced"])


def tell_counts(joined: int, left: int, announced: int) -> str:
    """Say how much happened in a while, such as "3 entries joined, 1 notice"; what did not happen is left out."""
    parts = []
    if joined:
        parts.append(ngettext("%(num)s entry joined", "%(num)s entries joined", joined))
    if left:
        parts.append(ngettext("%(num)s entry left", "%(num)s entries left", left))
    if announced:
        parts.append(ngettext("%(num)s notice", "%(num)s notices", announced))
    return _(", ").join(parts) or _("nothing changed")
