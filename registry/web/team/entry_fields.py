"""What the fields of an entry's form offer, and how what was typed there is read: names of countries, legal grounds."""

from __future__ import annotations

import re
from functools import cache
from typing import Final

import iso3166

from registry.domain.duplicates import bare_name
from registry.domain.entries import PLACES_WITHOUT_A_COUNTRY, REGIMES
from registry.domain.transfers import UNKNOWN, load_mechanisms
from registry.domain.vocabulary import ConditionWhen, LocationFunction, Role
from registry.pages import wording
from registry.pages.grounds import REGIMES as REGIMES_IN_WORDS

Choices = list[tuple[str, str]]

ROLE_CHOICES: Final[Choices] = [(role.value, wording.ROLES[role]) for role in Role]
FUNCTION_CHOICES: Final[Choices] = [
    (function.value, wording.FUNCTIONS[function].capitalize()) for function in LocationFunction
]
CONDITION_CHOICES: Final[Choices] = [(when.value, wording.CONDITIONS[when]) for when in ConditionWhen]
REGIME_CHOICES: Final[Choices] = [(regime, REGIMES_IN_WORDS[regime]) for regime in REGIMES]
NOT_STATED_GROUND: Final = f"Not stated ({UNKNOWN})"


@cache
def country_choices() -> Choices:
    """Return every country, its code and its name, by name."""
    named = [(code, wording.place_name(code)) for code in iso3166.countries_by_alpha2]
    return sorted(named, key=lambda each: _folded(each[1]))


@cache
def reach_choices() -> Choices:
    """Return the reaches of what is in no one country: edge, global, chosen by the customer."""
    return [(reach, wording.place_name(reach)) for reach in PLACES_WITHOUT_A_COUNTRY]


@cache
def mechanism_choices() -> Choices:
    """Return every transfer mechanism, its id and its legal name with the citation."""
    return [
        (id_, f"{row.label.replace('->', ' to ')}, {row.citation}" if row.citation else row.label)
        for id_, row in load_mechanisms().items()
    ]


def show_place(code: object) -> str:
    """Return a country or reach as a field shows it: "Germany (DE)". What is neither stays as it is."""
    known = dict(country_choices()) | dict(reach_choices())
    return f"{known[code]} ({code})" if isinstance(code, str) and code in known else str(code or "")


def show_mechanism(id_: object) -> str:
    """Return a transfer mechanism as a field shows it: its legal name, and its id in brackets."""
    if id_ == UNKNOWN:
        return NOT_STATED_GROUND
    row = load_mechanisms().get(str(id_))
    return f"{row.label.replace('->', ' to ')} ({row.id})" if row else str(id_ or "")


def read_place(typed: str) -> str:
    """Return the code of what was typed into a place: a code in any case, a name, or a name with its code.

    What is none of these stays as it is, for the domain to refuse by what was typed.
    """
    typed = typed.strip()
    by_code = {code.casefold(): code for code, _ in country_choices()} | {code: code for code, _ in reach_choices()}
    last = re.search(r"\(([A-Za-z-]+)\)$", typed)
    for part in (typed, last.group(1) if last else ""):
        if part.casefold() in by_code:
            return by_code[part.casefold()]
    return _places_by_name().get(bare_name(typed), typed)


def read_mechanism(typed: str) -> str:
    """Return the id of what was typed as a transfer's mechanism: an id, a legal name, or one with the id behind it."""
    typed = typed.strip()
    if typed == NOT_STATED_GROUND:
        return UNKNOWN
    last = re.search(r"\(([a-z0-9.-]+)\)$", typed)
    for part in (typed, typed.casefold(), last.group(1) if last else ""):
        if part in load_mechanisms():
            return part
    return _mechanisms_by_name().get(_folded(typed), typed)


@cache
def _places_by_name() -> dict[str, str]:
    names = {bare_name(country.name): country.alpha2 for country in iso3166.countries}
    names |= {bare_name(name): code for code, name in [*country_choices(), *reach_choices()]}
    names |= {"usa": "US", "uk": "GB", "great britain": "GB", "south korea": "KR", "vietnam": "VN", "turkey": "TR"}
    return names | {"worldwide": "global", "edge": "edge", "customerselected": "customer-selected"}


@cache
def _mechanisms_by_name() -> dict[str, str]:
    return {_folded(row.label.replace("->", " to ")): id_ for id_, row in load_mechanisms().items()}


def _folded(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.casefold()))
