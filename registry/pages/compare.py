"""Two days of a list side by side: what joined it, what left it, what changed in it, and by which notice (R6).

Pure: a query loads a `Comparison`; here it is made ready for a page, or for a program.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from registry.domain.changes import EntryChange
from registry.domain.entries import Day
from registry.domain.errors import InvalidInput, Problem
from registry.domain.validation import Document, read_model
from registry.domain.vocabulary import ChangeKind
from registry.pages.entry_facts import Names
from registry.pages.notice_facts import ChangeShown, tell_change
from registry.pages.values import Addresses
from registry.pages.wording import kinds_in_words, local_date

DAYS_BACK: Final = 90
"""How far before the later day the earlier one is, where an address names none."""
MOST_SHOWN: Final = 250
"""Entries that a page shows; beyond that it says how many more there are, and the file has them all."""

OUTCOMES: Final = ("added", "removed", "changed")
"""What became of an entry between two days, in the order of the page."""


@dataclass(frozen=True)
class Cause:
    """A notice that brought a difference, with the UTC instant it took effect."""

    number: str
    summary: str
    took_effect_at: datetime


@dataclass(frozen=True)
class Difference:
    """What differs in one entry, by which notices, and whether an editorial correction has part in it (R3)."""

    change: EntryChange
    causes: tuple[Cause, ...] = ()
    is_corrected: bool = False

    @property
    def outcome(self) -> str:
        """One of `OUTCOMES`."""
        match self.change.kinds:
            case (ChangeKind.ADDITION,):
                return "added"
            case (ChangeKind.REMOVAL,):
                return "removed"
            case _:
                return "changed"


@dataclass(frozen=True)
class AskedDays:
    """Two local dates of a publisher, `from_on` not after `to_on`; each stands for its end, and `today` for now."""

    from_on: date
    to_on: date


@dataclass(frozen=True)
class Comparison:
    """All that differs between two days of a list, in the order of the list. Days are those of `time_zone`."""

    days: AskedDays
    time_zone: str
    differences: tuple[Difference, ...]
    names: Names

    @property
    def counts(self) -> dict[str, int]:
        """How many entries were added, removed and changed."""
        counted = Counter(difference.outcome for difference in self.differences)
        return {outcome: counted[outcome] for outcome in OUTCOMES}

    @property
    def kinds(self) -> tuple[tuple[ChangeKind, int], ...]:
        """How many of the changed entries differ in each kind, in the order of the vocabulary."""
        changed = (each.change.kinds for each in self.differences if each.outcome == "changed")
        counted = Counter(kind for kinds in changed for kind in kinds)
        return tuple((kind, counted[kind]) for kind in ChangeKind if counted[kind])


@dataclass(frozen=True)
class CauseShown:
    """A notice as the reason of a difference, with the local date it took effect on."""

    number: str
    url: str
    summary: str
    on: date


@dataclass(frozen=True)
class DifferenceShown:
    """What differs in one entry, ready for a template."""

    change: ChangeShown
    causes: tuple[CauseShown, ...]
    is_corrected: bool


class _Asked(Document):
    from_on: Day | None = None
    to_on: Day | None = None


_PARAMETERS = {"from_on": "from", "to_on": "to"}


def read_days(given: Mapping[str, str], today: date, founded_on: date) -> AskedDays:
    """Read the parameters `from` and `to` of an address: ISO dates, local to the publisher, as `today` is.

    Without `to` it is today; without `from` it is `DAYS_BACK` days before that, or the day the list was founded on, if
    that is later. Raises `InvalidInput`, each problem by its parameter, for what is no date, for a day to come, for one
    before the list, and for a first day after the second.
    """
    texts = {field: given.get(name, "").strip() or None for field, name in _PARAMETERS.items()}
    try:
        asked = read_model(_Asked, texts)
    except InvalidInput as error:
        problems = [Problem(_PARAMETERS[each.field], each.value, each.code, each.params) for each in error.problems]
        raise InvalidInput(problems) from None
    problems = []
    for name, on in (("from", asked.from_on), ("to", asked.to_on)):
        if on is not None and on > today:
            problems.append(Problem(name, on.isoformat(), "future-as-of", {"on": on, "today": today}))
        if on is not None and on < founded_on:
            problems.append(Problem(name, on.isoformat(), "before-founding", {"on": on, "founded_on": founded_on}))
    if problems:
        raise InvalidInput(problems)
    to_on = asked.to_on or today
    from_on = asked.from_on or max(founded_on, to_on - timedelta(days=DAYS_BACK))
    if from_on > to_on:
        raise InvalidInput([Problem("from", from_on.isoformat(), "days-reversed", {"to": to_on})])
    return AskedDays(from_on, to_on)


def default_days(today: date, founded_on: date) -> AskedDays:
    """Return the days that are compared where an address names none."""
    return read_days({}, today, founded_on)


def asking_for(days: AskedDays) -> tuple[tuple[str, str], ...]:
    """Return the query string, as pairs, that asks for these days whatever today is."""
    return (("from", days.from_on.isoformat()), ("to", days.to_on.isoformat()))


def address_of(days: AskedDays, addresses: Addresses, path: str = "compare") -> str:
    """Return the permanent address of a comparison; with `compare.json` as its path that of the file."""
    return addresses.to(path, asking_for(days))


def show_comparison(comparison: Comparison, addresses: Addresses) -> dict[str, Any]:
    """Return what `public/compare.html` shows of a comparison, and how many differences it leaves out."""
    left, sections = MOST_SHOWN, []
    for outcome in OUTCOMES:
        found = [difference for difference in comparison.differences if difference.outcome == outcome]
        shown = [_show(difference, comparison, addresses) for difference in found[:left]]
        left -= len(shown)
        if shown:
            sections.append((outcome, len(found), shown))
    return {
        "sections": sections,
        "counts": comparison.counts,
        "total": len(comparison.differences),
        "kinds": [(kinds_in_words((kind,)), number) for kind, number in comparison.kinds],
        "more": max(len(comparison.differences) - MOST_SHOWN, 0),
    }


def _show(difference: Difference, comparison: Comparison, addresses: Addresses) -> DifferenceShown:
    causes = (
        CauseShown(
            number=cause.number,
            url=addresses.to(f"notices/{cause.number}"),
            summary=cause.summary,
            on=local_date(cause.took_effect_at, comparison.time_zone),
        )
        for cause in difference.causes
    )
    shown = tell_change(difference.change, addresses, comparison.names)
    return DifferenceShown(shown, tuple(causes), difference.is_corrected)


def build_comparison(comparison: Comparison, addresses: Addresses, publisher: Mapping[str, Any]) -> bytes:
    """Return a comparison as JSON in UTF-8, whole: the same bytes for the same values.

    `publisher` are the facts that name it. Each difference is the typed change as notices have it, with its outcome,
    the entry's address and its causes. Dates are local to the publisher's zone, instants UTC; null is "not stated".
    """
    document = {
        "publisher": {**publisher, "time_zone": comparison.time_zone, "page": addresses.page()},
        "from": comparison.days.from_on.isoformat(),
        "to": comparison.days.to_on.isoformat(),
        "page": address_of(comparison.days, addresses),
        "counts": comparison.counts,
        "kinds": {kind.value: number for kind, number in comparison.kinds},
        "differences": [
            {
                "outcome": difference.outcome,
                "url": addresses.at(f"entries/{difference.change.key}"),
                "notices": [
                    {
                        "number": cause.number,
                        "url": addresses.at(f"notices/{cause.number}"),
                        "summary": cause.summary,
                        "took_effect_at": cause.took_effect_at.isoformat().replace("+00:00", "Z"),
                    }
                    for cause in difference.causes
                ],
                "editorial_correction": difference.is_corrected,
                **difference.change.as_document(),
            }
            for difference in comparison.differences
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode("utf-8")
