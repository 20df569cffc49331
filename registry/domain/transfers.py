"""Transfer mechanisms: the legal grounds on which data may leave an area, as dated data in `rules/`."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from importlib import resources
from typing import Any

UNKNOWN = "unknown"
"""The mechanism id for "the publisher does not say". It is allowed, and published as "not stated" (R7)."""


@dataclass(frozen=True)
class Mechanism:
    """One legal ground. `id` is what files carry, `label` the legal name, `citation` where the law says so.

    `constraint` is what it holds under, as far as the data file says it in fields.
    """

    id: str
    label: str
    citation: str
    constraint: Mapping[str, Any] = field(default_factory=dict, compare=False)


@cache
def load_mechanisms() -> dict[str, Mechanism]:
    """Read the mechanisms known to this release, keyed by id, in the order of the data file."""
    text = resources.files("registry.domain").joinpath("rules/transfer_mechanisms.json").read_text("utf-8")
    rows = json.loads(text)["mechanisms"]
    return {
        row["id"]: Mechanism(
            row["id"],
            row["label"],
            row["citation"],
            row["constraint"] if isinstance(row["constraint"], dict) else {},
        )
        for row in rows
    }


def find_ground_end(mechanism_id: str, destination: str | None, checked_on: date | None) -> date | None:
    """Return the last day a transfer can rest on its ground without another look, or None where nothing ends.

    Some grounds end on a day (an adequacy decision with a sunset, a law that was replaced), some must be looked at anew
    (a certification under the Data Privacy Framework lasts a year), counted from the day they were last checked. One
    that must be looked at anew and was never checked ends before any day: `date.min`.
    """
    mechanism = load_mechanisms().get(mechanism_id)
    if mechanism is None:
        return None
    ends = []
    of_destination = _destinations(mechanism).get(destination or "")
    for text in (mechanism.constraint.get("valid_until"), of_destination):
        found = re.search(r"\d{4}-\d{2}-\d{2}", text) if isinstance(text, str) and _is_end(text) else None
        if found is not None:
            ends.append(date.fromisoformat(found.group()))
    days = mechanism.constraint.get("recheck_days") or 365 * mechanism.constraint.get("valid_years", 0)
    if days:
        ends.append(_day_after(checked_on, days) if checked_on else date.min)
    return min(ends, default=None)


def _day_after(on: date, days: int) -> date:
    """Return the date so many days later, or the last one that can be written down."""
    return on + min(timedelta(days=days), date.max - on)


def grounds_that_end() -> tuple[str, ...]:
    """Return the ids of the mechanisms for which `find_ground_end` may name a day."""
    return tuple(
        each.id
        for each in load_mechanisms().values()
        if {"valid_until", "valid_years", "recheck_days"} & set(each.constraint)
        or any(isinstance(text, str) and _is_end(text) for text in _destinations(each).values())
    )


def _destinations(mechanism: Mechanism) -> Mapping[str, object]:
    found = mechanism.constraint.get("destination_in")
    return found if isinstance(found, Mapping) else {}


def _is_end(text: str) -> bool:
    return text.startswith("until ") or re.fullmatch(r"\d{4}-\d{2}-\d{2}", text) is not None


def find_near_mechanisms(mechanism_id: str) -> list[str]:
    """Return up to four known ids that resemble an unknown one, so that an error can offer them.

    Ids that hold every word of it come first: whoever writes `eu.scc` means one of the four modules.
    """
    words = re.findall(r"[a-z0-9]+", mechanism_id.lower())
    known = load_mechanisms()
    holding = [
        id_ for id_, row in known.items() if words and all(word in f"{id_} {row.label}".lower() for word in words)
    ]
    return list(dict.fromkeys(holding + difflib.get_close_matches(mechanism_id.lower(), known, n=3, cutoff=0.4)))[:4]
