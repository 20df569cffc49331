"""The list as CSV, for whoever opens it in a spreadsheet: one row an entry."""

from __future__ import annotations

import csv
import io

from registry.domain.entries import EntryContent
from registry.domain.transfers import UNKNOWN, load_mechanisms
from registry.domain.translations import in_language
from registry.language import spoken
from registry.pages.selection import ListQuery, select_entries
from registry.pages.values import PublicEntry, PublicList

NOT_STATED = "not stated"
ALL_PRODUCTS = "all"
BETWEEN_MEMBERS = "; "

COLUMNS = (
    "key",
    "name",
    "legal_name",
    "former_names",
    "role",
    "country",
    "address",
    "purposes",
    "activity",
    "products",
    "data_categories",
    "special_categories",
    "data_subjects",
    "locations",
    "transfers",
    "condition",
    "parent",
    "retention",
    "since",
    "until",
    "contact",
    "website",
    "privacy",
    "dpa",
    "subprocessors",
    "security",
    "listed_at",
    "current_at",
)
"""The columns in their order; new ones are only ever added at the end."""

_EMPTY_WHERE_ABSENT = {"former_names", "parent", "until", "website", "privacy", "dpa", "subprocessors", "security"}
_STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def build_csv(public: PublicList, query: ListQuery | None = None) -> bytes:
    """Return the list as CSV (RFC 4180) in UTF-8, the same bytes for the same values; entries stand by their key.

    A byte order mark comes first, because Excel takes a file without one for another encoding and spoils every name
    with an accent; `utf-8-sig` reads it everywhere else. Several members of one cell are parted by "; ". What is not
    known is "not stated" (R7); columns of which most organisations have none (former names, parent, until, links) are
    left empty. A cell a spreadsheet would run as a formula begins with an apostrophe. Instants are UTC. With a query
    only the entries that fit are there. Free texts are in the language spoken here, where they are translated.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for entry in sorted(select_entries(public, query), key=lambda entry: entry.key):
        cells = _cells(entry)
        writer.writerow(_harmless(_stated(column, cells[column])) for column in COLUMNS)
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8")


def _cells(entry: PublicEntry) -> dict[str, str]:
    content = in_language(entry.content, spoken())
    links = content.links.model_dump() if content.links else {}
    contact = content.contact.model_dump() if content.contact else {}
    return {
        "key": entry.key,
        "name": content.name,
        "legal_name": content.legal_name or "",
        "former_names": BETWEEN_MEMBERS.join(content.former_names),
        "role": content.role.value,
        "country": content.country or "",
        "address": content.address or "",
        "purposes": BETWEEN_MEMBERS.join(content.purposes),
        "activity": content.activity or "",
        "products": BETWEEN_MEMBERS.join(content.products) or ALL_PRODUCTS,
        "data_categories": BETWEEN_MEMBERS.join(content.data_categories),
        "special_categories": BETWEEN_MEMBERS.join(content.special_categories),
        "data_subjects": BETWEEN_MEMBERS.join(content.data_subjects),
        "locations": BETWEEN_MEMBERS.join(_locations(content)),
        "transfers": BETWEEN_MEMBERS.join(_transfers(content)),
        "condition": _condition(content),
        "parent": content.parent or "",
        "retention": content.retention or "",
        "since": content.since.isoformat() if content.since else "",
        "until": content.until.isoformat() if content.until else "",
        "contact": ", ".join(part for part in contact.values() if part),
        **{name: links.get(name) or "" for name in ("website", "privacy", "dpa", "subprocessors", "security")},
        "listed_at": entry.listed_at.isoformat().replace("+00:00", "Z"),
        "current_at": entry.current_at.isoformat().replace("+00:00", "Z"),
    }


def _locations(content: EntryContent) -> list[str]:
    """Write places as "DE Falkenstein (processing)", so that the code can be filtered and the place be read."""
    return [
        " ".join(part for part in (place.country, place.place) if part)
        + f" ({place.function.value if place.function else 'function ' + NOT_STATED})"
        for place in content.locations
    ]


def _transfers(content: EntryContent) -> list[str]:
    """Write grounds as "US: eu.art45.us-dpf (legal name, citation)", in their order of precedence."""
    shown = []
    for transfer in content.transfers:
        mechanism = load_mechanisms()[transfer.mechanism]
        if transfer.mechanism == UNKNOWN:
            ground = NOT_STATED
        elif transfer.mechanism == "other":
            ground = f"other ({transfer.details})"
        else:
            ground = f"{mechanism.id} ({mechanism.label}, {mechanism.citation})"
        shown.append(f"{transfer.destination}: {ground}" if transfer.destination else ground)
    return shown


def _condition(content: EntryContent) -> str:
    if content.condition is None:
        return ""
    return ": ".join(part for part in (content.condition.when.value, content.condition.text) if part)


def _stated(column: str, value: str) -> str:
    return value or ("" if column in _EMPTY_WHERE_ABSENT else NOT_STATED)


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_STARTS_A_FORMULA) else cell
