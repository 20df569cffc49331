"""The same that a feed tells people, typed for programs: the extension of the JSON Feed (docs/feeds.md).

A notice and its changes have the shape they have in the list's own JSON file. `registry/writers/feed.schema.json` is
the schema. Fields may be added within a version; a change that breaks readers gets a new one.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from registry.pages.feed_words import Told
from registry.pages.selection import ListQuery
from registry.pages.values import Addresses, PublicList, PublicNotice

EXTENSION_NAME: Final = "subprocessor_registry"
"""What the extension is called in a JSON Feed, after its underscore."""

EXTENSION_VERSION: Final = 1

FEED_SCHEMA_PATH: Final = "schemas/feed-1.json"
"""Where the schema is served, below a publisher's address. The number is the extension's `version`."""

FOUNDING: Final = "founding"


def feed_document(public: PublicList, addresses: Addresses, query: ListQuery | None) -> dict[str, Any]:
    """Return what stands in the feed itself: whose list it is, and what the feed is narrowed to."""
    publisher = public.publisher
    return {
        "about": addresses.at(FEED_SCHEMA_PATH),
        "version": EXTENSION_VERSION,
        "is_demo": public.is_demo,
        "publisher": {
            "slug": publisher.slug,
            "name": publisher.name,
            "legal_name": publisher.legal_name,
            "contact": publisher.contact,
            "time_zone": publisher.time_zone,
        },
        "filter": query.as_document() if query is not None and query.asks_anything else None,
    }


def item_document(told: Told, left_out: int, addresses: Addresses) -> dict[str, Any]:
    """Return what stands in an item: the statement it is about, and the notice with every change, as it holds now."""
    statement = told.statement
    effective_on = statement.effective_on if statement else None
    return {
        "statement": {
            "kind": "announcement" if told.kind == "withdrawn" else told.kind,
            "number": statement.seq if statement else None,
            "made_at": _instant(statement.made_at if statement else told.published_at),
            "effective_on": effective_on.isoformat() if effective_on else None,
            "is_replaced": told.is_replaced,
        },
        "notice": notice_document(told.notice, addresses),
        "changes_left_out": left_out,
    }


def founding_document(founded_at: datetime) -> dict[str, Any]:
    """Return what stands in the item that says that the list is published (R5): a statement without a notice."""
    return {
        "statement": {
            "kind": FOUNDING,
            "number": None,
            "made_at": _instant(founded_at),
            "effective_on": None,
            "is_replaced": False,
        },
        "notice": None,
        "changes_left_out": 0,
    }


def notice_document(notice: PublicNotice, addresses: Addresses) -> dict[str, Any]:
    """Return a notice as the list's JSON file has those to come, and what became of it besides."""
    return {
        "number": notice.number,
        "url": addresses.at(f"notices/{notice.number}"),
        "state": notice.state,
        "summary": notice.summary,
        "explanation": notice.explanation or None,
        "announced_at": _instant(notice.announced_at),
        "updated_at": _instant(notice.updated_at),
        "effective_on": notice.effective_on.isoformat() if notice.effective_on else None,
        "effective_at": _instant(notice.effective_at) if notice.effective_at else None,
        "objection_until_on": notice.objection_until_on.isoformat() if notice.objection_until_on else None,
        "took_effect_at": _instant(notice.took_effect_at) if notice.took_effect_at else None,
        "withdrawn_at": _instant(notice.withdrawn_at) if notice.withdrawn_at else None,
        "emergency_reason": notice.emergency_reason,
        "changes": [change.as_document() for change in notice.changes],
    }


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
