"""The list as JSON, with a JSON Schema of its own, for whoever loads it into another system."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from importlib import resources
from typing import Any

from registry.domain.entries import EntryContent
from registry.domain.transfers import UNKNOWN, load_mechanisms
from registry.pages.feed_changes import notice_document
from registry.pages.selection import ListQuery, narrow_list
from registry.pages.values import Addresses, PublicList, PublicNotice

SCHEMA_PATH = "schemas/subprocessors-1.json"
"""Where the schema is served, below a publisher's address. The number changes only when readers would break."""

_LISTS_THAT_MAY_BE_EMPTY = ("former_names", "products")


def load_schema() -> bytes:
    """Return the JSON Schema (draft 2020-12) that every file of `build_json` fits."""
    return resources.files("registry.writers").joinpath("subprocessors.schema.json").read_bytes()


def build_json(whole: PublicList, addresses: Addresses, query: ListQuery | None = None) -> bytes:
    """Return the list as JSON in UTF-8, the same bytes for the same values.

    Every field of an entry is there; null is "not stated" (R7). Entries stand by their key. `as_of` is the local date
    whose end the file shows (R6) and null for the list as it is now, so that the bytes change when the list does and
    not with the day. Instants are UTC, dates local to the publisher's `time_zone`. With a query only what fits is
    there, and `filter` says what was asked for; it is null for the whole list.
    """
    public = narrow_list(whole, query)
    publisher = public.publisher
    document = {
        "$schema": addresses.at(SCHEMA_PATH),
        "publisher": {
            "slug": publisher.slug,
            "name": publisher.name,
            "legal_name": publisher.legal_name,
            "contact": publisher.contact,
            "country": publisher.country,
            "time_zone": publisher.time_zone,
            "notice_days": publisher.notice_days,
            "objection_days": publisher.objection_days,
            "products": [{"key": product.key, "name": product.name} for product in publisher.products],
            "website": publisher.website,
            "privacy_url": publisher.privacy_url,
            "page": addresses.page(),
        },
        "is_demo": public.is_demo,
        "revision": public.revision,
        "as_of": public.as_of.isoformat() if public.as_of else None,
        "filter": query.as_document() if query and query.asks_anything else None,
        "changed_at": _instant(public.changed_at),
        "entries": [
            {
                "key": entry.key,
                "url": addresses.at(f"entries/{entry.key}"),
                "listed_at": _instant(entry.listed_at),
                "current_at": _instant(entry.current_at),
                **_content(entry.content),
            }
            for entry in sorted(public.entries, key=lambda entry: entry.key)
        ],
        "upcoming": [_upcoming(notice, addresses) for notice in public.upcoming],
        "removed": [
            {
                "key": entry.key,
                "url": addresses.at(f"entries/{entry.key}"),
                "name": entry.content.name,
                "legal_name": entry.content.legal_name,
                "removed_at": _instant(entry.removed_at),
            }
            for entry in sorted(public.removed, key=lambda entry: (entry.removed_at, entry.key))
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def _content(content: EntryContent) -> dict[str, Any]:
    stated = content.model_dump(mode="json")
    document = {
        field: None if value == [] and field not in _LISTS_THAT_MAY_BE_EMPTY else value
        for field, value in stated.items()
    }
    if content.transfers:
        document["transfers"] = [_transfer(transfer) for transfer in stated["transfers"]]
    return document


def _transfer(transfer: Mapping[str, Any]) -> dict[str, Any]:
    mechanism_id = transfer["mechanism"]
    mechanism = load_mechanisms().get(mechanism_id)
    return {
        **transfer,
        "mechanism": None if mechanism_id == UNKNOWN else mechanism_id,
        "mechanism_name": mechanism.label if mechanism and mechanism_id != UNKNOWN else None,
        "citation": mechanism.citation if mechanism and mechanism_id not in {UNKNOWN, "other"} else None,
    }


def _upcoming(notice: PublicNotice, addresses: Addresses) -> dict[str, Any]:
    # What has neither taken effect nor been withdrawn has no instant of it.
    ended = {"took_effect_at", "withdrawn_at"}
    return {field: value for field, value in notice_document(notice, addresses).items() if field not in ended}


def _instant(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
