"""A list with a long life: entries that were there from the beginning, joined by notice, and left again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from registry.domain.entries import EntryContent
from registry.pages.values import PublicEntry, PublicList, PublicNotice, RemovedEntry, ToldStatement
from tests.pages.factories import STRIPE_NOTICE, change, content, public_list

FOUNDED_AT = datetime(2021, 3, 1, 9, tzinfo=UTC)
_LAST = datetime(2026, 11, 1, 9, tzinfo=UTC)
_PLACES: Final = (
    *("US", "DE", "IE", "US", "SG", "NL", "FR", "US", "GB", "DE", "JP", "AU", "IN", "BR", "LU", "MT", "CA", "SE"),
    *("edge", "global", "CH", "PL"),
)
_FUNCTIONS: Final = ("processing", "storage", "backup", "processing", "support_access", "transit", None)


def long_list(number: int, **fields: Any) -> PublicList:
    """Return a list that had `number` entries over the years: two in five founded it, and one in eight has left."""
    entries: list[PublicEntry] = []
    removed: list[RemovedEntry] = []
    notices: list[PublicNotice] = []
    for place in range(number):
        key, made = f"vendor-{place}", _content(place)
        listed_at = FOUNDED_AT
        if place % 5 > 1:
            listed_at += timedelta(days=40 + place * 1900 // number)
            notices.append(_notice(place, key, None, made, listed_at))
        if place % 8 == 7 and listed_at + timedelta(days=200) < _LAST:
            removed_at = listed_at + timedelta(days=200)
            notices.append(_notice(1000 + place, key, made, None, removed_at))
            removed.append(RemovedEntry(key, made, removed_at))
        else:
            entries.append(PublicEntry(key, made, listed_at, listed_at))
    given = {
        "entries": tuple(entries),
        "removed": tuple(removed),
        "notices": (*notices, STRIPE_NOTICE),
        "founded_at": FOUNDED_AT,
    }
    return public_list(**{**given, **fields})


def _content(place: int) -> EntryContent:
    locations = [
        {"country": country, **({"function": function} if function else {})}
        for country, function in {
            _PLACES[(place * step) % len(_PLACES)]: _FUNCTIONS[(place + step) % len(_FUNCTIONS)]
            for step in range(1, place % 4 + 1)
        }.items()
    ]
    return content(f"Vendor {place}", purposes=["Hosting"], locations=locations)


def _notice(
    place: int, key: str, before: EntryContent | None, after: EntryContent | None, at: datetime
) -> PublicNotice:
    told_at = at - timedelta(days=31)
    return PublicNotice(
        number=f"{told_at.year}-{place:03}",
        state="in_effect",
        summary=f"{key} {'joins' if after else 'leaves'}",
        announced_at=told_at,
        updated_at=at,
        effective_on=at.date(),
        effective_at=at,
        objection_until_on=None,
        took_effect_at=at,
        withdrawn_at=None,
        emergency_reason=None,
        changes=(change(key, before, after),),
        statements=(ToldStatement(1, "announcement", told_at, at.date()), ToldStatement(2, "effect", at, at.date())),
    )
