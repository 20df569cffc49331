"""Which acts of the record somebody asks for, as the address says it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Final

from registry.domain.errors import InvalidInput, Problem
from registry.domain.notices import first_instant
from registry.queries.record import RecordFilter

FIELDS: Final = ("actor", "kind", "subject_kind", "subject", "from", "to")
_CODE: Final = re.compile(r"[a-z][a-z_]{0,38}(\.[a-z][a-z_]{0,38})?")
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
LONGEST: Final = 200


def read_filter(given: Mapping[str, str], zone: str) -> RecordFilter:
    """Return what is asked for. `from` and `to` are dates of `zone`, both counted wholly.

    Raises `InvalidInput` naming each field that cannot be read.
    """
    values = {name: given.get(name, "").strip() for name in FIELDS}
    problems = [
        Problem(name, values[name][:LONGEST], "too-long", {"max_length": LONGEST})
        for name in ("actor", "subject")
        if len(values[name]) > LONGEST
    ]
    problems += [
        Problem(name, values[name], "not-a-kind")
        for name in ("kind", "subject_kind")
        if values[name] and not _CODE.fullmatch(values[name])
    ]
    first, last = (_read_day(name, values[name], problems) for name in ("from", "to"))
    if first is not None and last is not None and last < first:
        problems.append(Problem("to", values["to"], "ends-before-it-begins", {"first": values["from"]}))
    if problems:
        raise InvalidInput(problems)
    return RecordFilter(
        actor=values["actor"] or None,
        kind=values["kind"] or None,
        subject_kind=values["subject_kind"] or None,
        subject=values["subject"] or None,
        since=_begin(first, zone),
        until=_begin(last + timedelta(days=1), zone) if last is not None else None,
    )


def _read_day(name: str, text: str, problems: list[Problem]) -> date | None:
    if not text:
        return None
    if not _DAY.fullmatch(text):
        problems.append(Problem(name, text, "not-a-date"))
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        problems.append(Problem(name, text, "impossible-date"))
        return None
    # Beyond these a zone's own instants leave the calendar.
    if not date(1900, 1, 1) <= day <= date(9000, 1, 1):
        problems.append(Problem(name, text, "impossible-date"))
        return None
    return day


def _begin(day: date | None, zone: str) -> datetime | None:
    return first_instant(day, zone) if day is not None else None
