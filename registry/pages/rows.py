"""The list as its page shows it: a section for each role, and in it a row for each entry, chains as trees."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from registry.domain.entries import EntryContent
from registry.domain.translations import in_language
from registry.domain.vocabulary import LocationFunction, Role
from registry.language import spoken
from registry.pages.chain import order_as_tree
from registry.pages.entry_facts import (
    Fact,
    Names,
    condition_lines,
    grounds_of,
    links_of,
    parent_of,
    show_field,
)
from registry.pages.grounds import GroundInWords
from registry.pages.selection import ListQuery, select_entries
from registry.pages.values import Addresses, PublicList, PublicNotice
from registry.pages.wording import FIELDS, FIELDS_IN_A_SENTENCE, FUNCTIONS, ROLE_HEADINGS, ROLE_MEANINGS, place_name


@dataclass(frozen=True)
class Place:
    """One place, and what is done there; None where that is not stated."""

    where: str
    function: str | None


@dataclass(frozen=True)
class Row:
    """One entry, ready for the list. What is empty is not stated.

    `depth` is how far down a chain it stands in its section. `more` are the facts that have no column and are stated;
    `not_stated` names those that are not, for one line (R7).
    """

    key: str
    url: str
    content: EntryContent
    depth: int
    established: str | None
    parent: tuple[str, str | None] | None
    pending: PublicNotice | None
    places: tuple[Place, ...]
    grounds: tuple[GroundInWords, ...]
    condition: tuple[str, ...]
    since: date | None
    more: tuple[Fact, ...]
    not_stated: tuple[str, ...]
    links: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Section:
    """The entries of one role, under its heading and with what the role means."""

    role: str
    heading: str
    meaning: str
    rows: tuple[Row, ...]


def show_sections(
    public: PublicList, query: ListQuery | None, addresses: Addresses, names: Names
) -> tuple[Section, ...]:
    """Prepare what is asked for of the list: a section for each role that has an entry."""
    chosen = select_entries(public, query)
    pending = {change.key: notice for notice in reversed(public.upcoming) for change in notice.changes}
    sections = []
    for role in Role:
        entries = [entry for entry in chosen if entry.content.role is role]
        rows = (
            show_row(entry.key, in_language(entry.content, spoken()), depth, pending.get(entry.key), addresses, names)
            for entry, depth in order_as_tree(entries)
        )
        meaning = ROLE_MEANINGS[role].format(publisher=public.publisher.name)
        sections.append(Section(role.value, ROLE_HEADINGS[role], meaning, tuple(rows)))
    return tuple(section for section in sections if section.rows)


def show_row(
    key: str, content: EntryContent, depth: int, pending: PublicNotice | None, addresses: Addresses, names: Names
) -> Row:
    """Prepare one entry for the list."""
    return Row(
        key=key,
        url=addresses.to(f"entries/{key}"),
        content=content,
        depth=depth,
        established=place_name(content.country) if content.country else None,
        parent=parent_of(content, addresses, names),
        pending=pending,
        places=tuple(_place(each.country, each.place, each.function) for each in content.locations),
        grounds=grounds_of(content),
        condition=condition_lines(content),
        since=content.since,
        more=_further_facts(content, names),
        not_stated=_quietly_not_stated(content),
        links=links_of(content),
    )


def _place(country: str, place: str | None, function: LocationFunction | None) -> Place:
    where = ", ".join(part for part in (place, place_name(country)) if part)
    return Place(where, FUNCTIONS[function] if function else None)


_RUNS = {"data_subjects", "special_categories", "products"}


def _further_facts(content: EntryContent, names: Names) -> tuple[Fact, ...]:
    stated = content.model_dump(mode="json")
    fields = ("special_categories", "data_subjects", "products", "retention", "until")
    return tuple(
        Fact(FIELDS[field], show_field(field, stated[field], names), is_run=field in _RUNS)
        for field in fields
        if stated[field]
    )


def _quietly_not_stated(content: EntryContent) -> tuple[str, ...]:
    """Name what is missing and not worth a place of its own, so that silence is never taken for "none" (R7)."""
    fields = ["condition", "data_subjects", "retention", "since"]
    if content.role is not Role.CATEGORY:
        fields = ["legal_name", "country", *fields]
    return tuple(FIELDS_IN_A_SENTENCE[field] for field in fields if not getattr(content, field))
