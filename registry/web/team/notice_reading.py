"""What somebody read of a notice before they acted on it, and how it differs from what it says by then (R16).

A page of an act carries what it showed, so that an approval is of what was read, and a difference can be shown. It is
compared with the notice; nothing else is made of it.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.changes import diff_entry
from registry.pages.entry_facts import Names
from registry.pages.notice_facts import ChangeShown
from registry.pages.wording import NOT_STATED
from registry.queries.notice_page import ChangeOfNotice
from registry.steps.lookup import read_content
from registry.tables import EntryVersion, Notice, Publisher
from registry.web.team.notices import show_one

_LABELS = {
    "summary": "Summary",
    "explanation": "Explanation",
    "effective": "Effective date",
    "announce": "Announcement",
    "emergency": "Emergency",
}


@dataclass(frozen=True)
class Difference:
    """What a notice says otherwise than when it was read: (label, was, is now), and entries changed meanwhile."""

    rows: tuple[tuple[str, str, str], ...]
    changes: tuple[ChangeShown, ...]


def write_reading(session: Session, notice: Notice, changes: Collection[ChangeOfNotice]) -> str:
    """Return what a page shows of a notice, for a hidden field of its form."""
    return json.dumps(_reading(notice, changes) | {"digest": notice.digest}, separators=(",", ":"))


def digest_read(text: str) -> str:
    """Return the digest of what was read; empty where a form carries none, which is the digest of nothing."""
    return str(_parse(text).get("digest", ""))


def find_difference(
    session: Session,
    publisher: Publisher,
    notice: Notice,
    changes: Collection[ChangeOfNotice],
    names: Names,
    text: str,
) -> Difference:
    """Compare what was read with what the notice says now; what cannot be understood any more is left out."""
    was, now = _parse(text), _reading(notice, changes)
    rows = tuple(
        (label, str(was[field]) or NOT_STATED, str(now[field]) or NOT_STATED)
        for field, label in _LABELS.items()
        if field in was and was[field] != now[field]
    )
    read = {key: (version, weight) for key, version, weight in _changes_read(was)}
    is_now = {each.key: each for each in changes}
    lines = [*rows]
    for key in dict.fromkeys([*read, *is_now]):
        name = is_now[key].change.name if key in is_now else key
        if key not in is_now:
            lines.append((name, "in the notice", "no longer in it"))
        elif key not in read:
            lines.append((name, "not in the notice", "in it now"))
        elif read[key][1] != is_now[key].weight.value:
            lines.append((f"Weight of {name}", read[key][1], is_now[key].weight.value))
    return Difference(tuple(lines), _versions_changed(session, publisher, read, is_now, names))


def _versions_changed(
    session: Session,
    publisher: Publisher,
    read: dict[str, tuple[int, str]],
    is_now: dict[str, ChangeOfNotice],
    names: Names,
) -> tuple[ChangeShown, ...]:
    moved = {
        key: (read[key][0], each.target_version_id)
        for key, each in is_now.items()
        if key in read and read[key][0] != each.target_version_id
    }
    ids = {version for pair in moved.values() for version in pair}
    rows = session.scalars(
        select(EntryVersion).where(EntryVersion.publisher_id == publisher.id, EntryVersion.id.in_(ids))
    )
    versions = {row.id: row for row in rows}
    shown = []
    for key, (old, new) in moved.items():
        change = diff_entry(key, read_content(versions.get(old)), read_content(versions.get(new)))
        if change is not None:
            shown.append(show_one(change, names, publisher.slug))
    return tuple(shown)


def _reading(notice: Notice, changes: Collection[ChangeOfNotice]) -> dict[str, Any]:
    return {
        "summary": notice.summary,
        "explanation": notice.explanation,
        "effective": notice.planned_on.isoformat(),
        "announce": notice.announce_at.isoformat() if notice.announce_at else "as soon as it is published",
        "emergency": notice.emergency_reason or "no",
        "changes": [[each.key, each.target_version_id, each.weight.value] for each in changes],
    }


def _parse(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _changes_read(was: dict[str, Any]) -> list[tuple[str, int, str]]:
    given = was.get("changes")
    found = []
    for each in given if isinstance(given, list) else []:
        match each:
            case [str(key), int(version), str(weight)]:
                found.append((key, version, weight))
    return found
