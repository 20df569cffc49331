"""An entry as a reader needs it: what is stated, in words, and what is not (R7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from registry.domain.entries import EntryContent
from registry.domain.free_texts import FREE_TEXTS
from registry.domain.vocabulary import ConditionWhen, LocationFunction, Role
from registry.language import gettext as _
from registry.language import say_translations
from registry.pages.grounds import GroundInWords, ground_in_words
from registry.pages.values import Addresses, PublicList, PublicNotice
from registry.pages.wording import (
    CONDITIONS,
    FIELDS,
    FUNCTIONS,
    ROLES,
    place_name,
    short_date,
)

LINK_FIELDS = ("website", "privacy", "dpa", "subprocessors", "security")


@dataclass(frozen=True)
class Names:
    """What keys are called: products, and the entries that stand or stood on the list or are announced."""

    products: Mapping[str, str]
    entries: Mapping[str, str]

    @classmethod
    def of(cls, public: PublicList) -> Names:
        """Gather the names of one publisher; the list as it stands wins over what it was or will be."""
        announced = {change.key: change.name for notice in public.upcoming for change in notice.changes}
        removed = {entry.key: entry.content.name for entry in public.removed}
        current = {entry.key: entry.content.name for entry in public.entries}
        return cls({product.key: product.name for product in public.publisher.products}, announced | removed | current)


@dataclass(frozen=True)
class Fact:
    """One labelled fact; no lines means that it is not stated. `is_run` sets its lines one after another.

    `is_own` where they are the publisher's own words.
    """

    label: str
    lines: tuple[str, ...]
    is_run: bool = False
    is_own: bool = False


def show_field(field: str, value: Any, names: Names) -> tuple[str, ...]:
    """Return the value of an entry's field, given as JSON, in words: one line a member, none where not stated.

    `field` is a name of `registry.domain.changes.FIELD_RULES`. Values may be older than this release, so a word that
    is not known any more is shown as it stands.
    """
    if field == "products":
        # An entry that names no product concerns them all.
        return tuple(names.products.get(key, key) for key in value or ()) or (_("All products"),)
    if value is None or value in ([], (), {}):
        return ()
    match field:
        case "role":
            return (ROLES[Role(value)] if value in set(Role) else str(value),)
        case "condition.when":
            return (CONDITIONS[ConditionWhen(value)] if value in set(ConditionWhen) else str(value),)
        case "country":
            return (place_name(value),)
        case "parent":
            return (names.entries.get(value, value),)
        case "since" | "until":
            return (short_date(date.fromisoformat(value)),)
        case "locations":
            return tuple(show_location(location) for location in value)
        case "transfers":
            return tuple(ground_in_words(transfer).in_one_line for transfer in value)
        case "translations":
            return say_translations(value)
    return tuple(str(member) for member in value) if isinstance(value, list | tuple) else (str(value),)


def show_location(location: Mapping[str, Any]) -> str:
    """Return one place, given as its JSON document, such as "Falkenstein, Germany (processing)"."""
    where = ", ".join(part for part in (location.get("place"), place_name(location["country"])) if part)
    function = location.get("function")
    if function is None:
        return _("%(place)s (function not stated)", place=where)
    said = FUNCTIONS[LocationFunction(function)] if function in set(LocationFunction) else function
    return _("%(place)s (%(function)s)", place=where, function=said)


def find_pending(key: str, public: PublicList) -> PublicNotice | None:
    """Return the open notice that will change the entry; there is at most one (R4)."""
    for notice in public.upcoming:
        if any(change.key == key for change in notice.changes):
            return notice
    return None


def grounds_of(content: EntryContent) -> tuple[GroundInWords, ...]:
    """Return the transfer grounds in words, in their order of precedence."""
    return tuple(ground_in_words(transfer.model_dump(mode="json")) for transfer in content.transfers)


def links_of(content: EntryContent) -> tuple[tuple[str, str], ...]:
    """Return the stated links of the organisation as (label, address)."""
    stated = content.links.model_dump() if content.links else {}
    return tuple((FIELDS[f"links.{name}"], stated[name]) for name in LINK_FIELDS if stated.get(name))


def parent_of(content: EntryContent, addresses: Addresses, names: Names) -> tuple[str, str | None] | None:
    """Return name and address of the entry whose own subprocessor this is; the address is None if it has no page."""
    if content.parent is None:
        return None
    if content.parent not in names.entries:
        return content.parent, None
    return names.entries[content.parent], addresses.to(f"entries/{content.parent}")


def all_facts(content: EntryContent, names: Names) -> tuple[Fact, ...]:
    """Return every fact of an entry, stated or not, for the entry's own page; transfers and links stand apart."""
    stated = content.model_dump(mode="json")
    contact = stated["contact"] or {}
    together = {
        "contact": tuple(contact[part] for part in ("name", "position", "email") if contact.get(part)),
        "condition": condition_lines(content),
    }
    silent_where_empty = {"former_names", "until", "parent"} | ({"products"} if not names.products else set())
    shown = []
    for field in _FIELDS_OF_THE_ENTRY_PAGE:
        lines = together[field] if field in together else show_field(field, stated[field], names)
        if stated[field] or field not in silent_where_empty:
            shown.append(Fact(FIELDS[field], lines, is_run=field in _RUNS, is_own=field in FREE_TEXTS))
    return tuple(shown)


_FIELDS_OF_THE_ENTRY_PAGE = (
    "role",
    "legal_name",
    "former_names",
    "country",
    "address",
    "contact",
    "parent",
    "purposes",
    "activity",
    "products",
    "condition",
    "data_categories",
    "special_categories",
    "data_subjects",
    "locations",
    "retention",
    "since",
    "until",
)


def condition_lines(content: EntryContent) -> tuple[str, ...]:
    """Return when an engagement concerns a customer, in our words and the publisher's; none where not stated."""
    if content.condition is None:
        return ()
    return tuple(line for line in (CONDITIONS[content.condition.when], content.condition.text) if line)


_RUNS = {"data_categories", "data_subjects", "special_categories", "products"}
