"""What a list can be narrowed to, and what it is narrowed to, in words."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from registry.domain.entries import EntryContent
from registry.domain.free_texts import keep_apart
from registry.domain.transfers import load_mechanisms
from registry.domain.vocabulary import Role
from registry.language import Words, marked, spoken
from registry.language import gettext as _
from registry.pages.asking import FREE_FIELDS
from registry.pages.selection import (
    CHOICES,
    EEA,
    NOT_STATED,
    OUTSIDE_EEA,
    ListQuery,
    fold,
    mechanisms_of,
    regions_of,
)
from registry.pages.values import Addresses, PublicList, PublicPublisher
from registry.pages.wording import ROLES, place_name

LABELS: Final = Words(
    {
        "q": marked("Words"),
        "product": marked("Product"),
        "region": marked("Region"),
        "purpose": marked("Purpose"),
        "data": marked("Data"),
        "role": marked("Role"),
        "mechanism": marked("Transfer ground"),
    }
)
_SPECIAL: Final = Words(
    {
        EEA: marked("European Economic Area"),
        OUTSIDE_EEA: marked("Outside the European Economic Area"),
        NOT_STATED: marked("not stated"),
    }
)
_FIRST: Final = (EEA, OUTSIDE_EEA)

OwnWords = Mapping[str, Mapping[str, str]]
"""By field, what a value of it is called in another language than the publisher's."""


@dataclass(frozen=True)
class Option:
    """One value that a field can be asked for."""

    value: str
    label: str
    is_chosen: bool


@dataclass(frozen=True)
class Choice:
    """One field of the form; `is_several` where more than one value is chosen in it."""

    field: str
    label: str
    options: tuple[Option, ...]
    is_several: bool


@dataclass(frozen=True)
class Chosen:
    """One thing the list is narrowed to, with the address of the list without it."""

    label: str
    value: str
    url_without: str


def offer_choices(public: PublicList, query: ListQuery) -> tuple[Choice, ...]:
    """Return what the list can be narrowed to: what its entries hold, where that differs, and what is chosen."""
    choices, words = [], find_words(public)
    for field in CHOICES:
        chosen = getattr(query, field)
        values = {value for entry in public.entries for value in _VALUES[field](entry.content)} | set(chosen)
        if field == "product":
            values |= {product.key for product in public.publisher.products}
        labels = {value: say_choice(field, value, public.publisher, words) for value in values}
        options = tuple(
            Option(value, labels[value], value in chosen) for value in _in_order(field, labels, public.publisher)
        )
        if len(options) > 1 or chosen:
            choices.append(Choice(field, LABELS[field], options, len(chosen) > 1))
    return tuple(choices)


def show_chosen(query: ListQuery, public: PublicList, addresses: Addresses) -> tuple[Chosen, ...]:
    """Return what the list is narrowed to, each with a way to take it out."""
    as_of, words = public.as_of.isoformat() if public.as_of else None, find_words(public)
    return tuple(
        Chosen(
            LABELS[field],
            say_choice(field, value, public.publisher, words),
            addresses.to("", query.without(field, value).as_query(), as_of=as_of),
        )
        for field, value in query.as_query()
    )


def find_words(public: PublicList) -> OwnWords:
    """Return, by field, what the publisher's own words that a list is asked for by say in the language spoken here.

    Where entries translate one differently, the first of the list counts; two that would read the same stay as they
    are.
    """
    contents = public.contents
    said: dict[str, str] = {}
    for content in contents:
        for text, words in content.translations.get(spoken(), {}).items():
            said.setdefault(text, words)
    if not said:
        return {}
    return {
        field: keep_apart({value for content in contents for value in _VALUES[field](content)}, said)
        for field in FREE_FIELDS
    }


def say_choice(field: str, value: str, publisher: PublicPublisher, words: OwnWords) -> str:
    """Return what a value of a filter is called; `words` are those of `find_words`."""
    if value in _SPECIAL and field not in {"q", "product"}:
        return _SPECIAL[value]
    match field:
        case "q":
            return _("“%(words)s”", words=value)
        case "product":
            return next((product.name for product in publisher.products if product.key == value), value)
        case "region":
            return place_name(value)
        case "role":
            return ROLES[Role(value)] if value in set(Role) else value
        case "mechanism":
            known = load_mechanisms().get(value)
            return _(known.label).replace("->", " → ") if known else value
    return words.get(field, {}).get(value, value)


def _in_order(field: str, labels: Mapping[str, str], publisher: PublicPublisher) -> list[str]:
    known: Sequence[str] = {
        "product": [product.key for product in publisher.products],
        "role": [role.value for role in Role],
        "mechanism": list(load_mechanisms()),
    }.get(field, [])

    def place(value: str) -> tuple[int, int, str]:
        # Groups of countries come first, and what is not stated last.
        rank = 0 if value in _FIRST else 2 if value == NOT_STATED else 1
        at = known.index(value) if value in known else _FIRST.index(value) if value in _FIRST else 0
        return rank, at, fold(labels[value])

    return sorted(labels, key=place)


_VALUES: Final[Mapping[str, Callable[[EntryContent], Iterable[str]]]] = {
    "product": lambda content: content.products,
    "region": lambda content: regions_of(content.as_document()),
    "purpose": lambda content: content.purposes or (NOT_STATED,),
    "data": lambda content: content.data_categories or (NOT_STATED,),
    "role": lambda content: (content.role.value,),
    "mechanism": lambda content: mechanisms_of(content.as_document()),
}
