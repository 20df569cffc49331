"""From the parameters of an address to what they ask of the list, and what there is to choose from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import iso3166

from registry.domain.changes import EntryChange
from registry.domain.entries import PLACES_WITHOUT_A_COUNTRY, EntryContent
from registry.domain.errors import InvalidInput, Problem
from registry.domain.text import find_unclean
from registry.domain.transfers import UNKNOWN, load_mechanisms
from registry.domain.validation import find_near
from registry.domain.vocabulary import Role
from registry.pages.selection import CHOICES, EEA, NOT_STATED, OUTSIDE_EEA, QUERY_LENGTH, ListQuery, fold
from registry.pages.values import PublicList

MOST_SHOWN: Final = 12
"""So many of the words that would do are named in an error; a list may have hundreds."""

FREE_FIELDS: Final = {"purpose": "purposes", "data": "data_categories"}
"""Choices whose values are the publisher's own words, with the field of an entry that holds them."""


@dataclass(frozen=True)
class Known:
    """What a field may be asked for: what a value stands for, by its folded form, and what to name where none fits."""

    values: Mapping[str, str]
    offered: Sequence[str]


def read_query(given: Mapping[str, Sequence[str]], public: PublicList, *more: PublicList) -> ListQuery:
    """Read what an address asks of a list: the words `q`, and every value of each of `CHOICES`.

    `more` are the same list on other days, whose words are known too: a bookmark of a past day, or one whose purpose
    has gone since, finds nothing rather than being wrong. Raises `InvalidInput` with every value that stands for
    nothing, and near ones that do. What is empty asks for nothing, and other parameters are passed over.
    """
    words = " ".join("".join(" " if find_unclean(each) else each for each in " ".join(given.get("q", ()))).split())
    problems: list[Problem] = []
    chosen: dict[str, tuple[str, ...]] = {}
    for field in CHOICES:
        asked = [value.strip() for value in given.get(field, ()) if value.strip()]
        chosen[field] = _read(field, asked, (public, *more), problems) if asked else ()
    if problems:
        raise InvalidInput(problems)
    return ListQuery(words[:QUERY_LENGTH].strip() or None, **chosen)


def _read(field: str, asked: Iterable[str], days: Sequence[PublicList], problems: list[Problem]) -> tuple[str, ...]:
    known = _KNOWN[field](days)
    found: list[str] = []
    for value in dict.fromkeys(asked):
        short = value[:QUERY_LENGTH]
        meant = known.values.get(fold(short))
        if meant is not None:
            found.append(meant)
            continue
        code = "unknown-product" if field == "product" else "unknown-choice"
        # Of thousands of wrong values one says as much as all of them.
        if not any(problem.field == field for problem in problems):
            near = list(dict.fromkeys(known.values[match] for match in find_near(fold(short), known.values)))
            offered = [*known.offered[:MOST_SHOWN], *(["…"] if len(known.offered) > MOST_SHOWN else [])]
            # One sentence names what would do by itself, the other by its hint.
            named = "known" if field == "product" else "expected"
            problems.append(Problem(field, short, code, {named: offered, "near": near}))
    return tuple(sorted(set(found)))


def _by_itself(values: Iterable[str]) -> dict[str, str]:
    return {fold(value): value for value in values}


def _products(days: Sequence[PublicList]) -> Known:
    keys = [product.key for product in days[0].publisher.products]
    return Known(_by_itself(keys), keys)


def _regions(days: Sequence[PublicList]) -> Known:
    del days
    others = [EEA, OUTSIDE_EEA, *PLACES_WITHOUT_A_COUNTRY, NOT_STATED]
    codes = [*iso3166.countries_by_alpha2, *others]
    by_name = {fold(country.name): country.alpha2 for country in iso3166.countries}
    return Known(by_name | _by_itself(codes), ["a country code such as DE", *others])


def _roles(days: Sequence[PublicList]) -> Known:
    del days
    values = [role.value for role in Role]
    return Known(_by_itself(values), values)


def _mechanisms(days: Sequence[PublicList]) -> Known:
    used = {transfer.mechanism for public in days for entry in public.entries for transfer in entry.content.transfers}
    ids = [mechanism for mechanism in load_mechanisms() if mechanism != UNKNOWN]
    offered = [*(mechanism for mechanism in ids if mechanism in used), NOT_STATED]
    return Known(_by_itself([*ids, NOT_STATED]) | {UNKNOWN: NOT_STATED}, offered)


def _words_of(field: str) -> Callable[[Sequence[PublicList]], Known]:
    def known(days: Sequence[PublicList]) -> Known:
        told = [word for public in days for word in _told(field, public)]
        offered = sorted({word for entry in days[0].entries for word in _members(field, entry.content)}, key=fold)
        # The first spelling stands for all: the one of the list as it is.
        spelt = {fold(word): word for word in reversed([*offered, *told])}
        return Known(spelt | {NOT_STATED: NOT_STATED}, [*offered, NOT_STATED])

    return known


def _told(field: str, public: PublicList) -> Iterable[str]:
    for content in public.contents:
        yield from _members(field, content)
    for notice in public.notices:
        for change in notice.changes:
            yield from _members_changed(field, change)


def _members(field: str, content: EntryContent) -> tuple[str, ...]:
    return content.purposes if field == "purpose" else content.data_categories


def _members_changed(field: str, change: EntryChange) -> Iterable[str]:
    for each in change.fields:
        if each.field == FREE_FIELDS[field]:
            yield from (str(member) for side in (each.before, each.after) for member in side or ())


_KNOWN: Final[Mapping[str, Callable[[Sequence[PublicList]], Known]]] = {
    "product": _products,
    "region": _regions,
    "purpose": _words_of("purpose"),
    "data": _words_of("data"),
    "role": _roles,
    "mechanism": _mechanisms,
}
