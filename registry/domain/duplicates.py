"""Which entries may be one and the same, and the key for one that is new.

Pure. It warns and never refuses: one company may well stand on the list twice, once for each purpose or place.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

NEAR: Final = 0.86
"""How alike two names must be, from 0 to 1. Below it short names of different companies begin to look alike."""
LONGEST_KEY: Final = 80

# fmt: off
_LEGAL_FORMS: Final = frozenset([
    "ab", "ag", "aps", "as", "asa", "bv", "co", "company", "corp", "corporation", "cv", "doo", "gk", "gmbh", "inc",
    "incorporated", "jsc", "kft", "kg", "kk", "limited", "llc", "llp", "ltd", "ltda", "mbh", "nv", "ohg", "oy", "oyj",
    "plc", "pllc", "pte", "pty", "pvt", "sa", "sarl", "sas", "se", "sl", "sp", "spa", "srl", "sro", "ug", "zoo",
])
# fmt: on


class Likeness(StrEnum):
    """Why two entries look like one."""

    SAME_ENGAGEMENT = "same_engagement"
    SAME_NAME = "same_name"
    NEAR_NAME = "near_name"
    SAME_WEBSITE = "same_website"


@dataclass(frozen=True)
class Duplicate:
    """An entry that another one looks like, and in what; `shared` are the purposes and places both state."""

    key: str
    name: str
    likenesses: tuple[Likeness, ...]
    shared: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Sketch:
    """What of an entry is compared: its names without legal form, its host, its purposes and places."""

    names: frozenset[str]
    entity: str
    host: str
    purposes: Mapping[str, str]
    places: frozenset[tuple[str, str]]


def find_duplicates(
    document: Mapping[str, Any], others: Mapping[str, Mapping[str, Any]], most: int = 5
) -> tuple[Duplicate, ...]:
    """Return the entries among `others` (by key) that `document` looks like, the likest first, `most` at most.

    Both are JSON documents of entries, and may lack any field: a form is compared while it is typed.
    """
    mine = _sketch(document)
    found = []
    for key, other in others.items():
        likenesses, shared = _compare(mine, _sketch(other))
        if likenesses:
            found.append(Duplicate(key, str(other.get("name", key)), likenesses, shared))
    order = list(Likeness)
    found.sort(key=lambda each: (order.index(each.likenesses[0]), -len(each.likenesses), each.key))
    return tuple(found[:most])


def bare_name(name: str) -> str:
    """Return a company's name for comparing: without case, accents, punctuation and legal form."""
    words = re.findall(r"\w+", _fold(name).replace(".", "").replace("'", "").replace("’", ""))
    while len(words) > 1 and words[-1] in _LEGAL_FORMS:
        words.pop()
    return " ".join(words)


def propose_key(document: Mapping[str, Any], taken: Collection[str]) -> str:
    """Return a free key made from an entry's name, with its first place or a number where the name's is taken.

    The answer is empty where the name has no letter or digit of the Latin alphabet.
    """
    name = _slug(str(document.get("name") or ""))
    if not name:
        return ""
    place = next((place for place in document.get("locations") or () if isinstance(place, Mapping)), {})
    candidates = [name]
    for part in (place.get("place"), place.get("country")):
        if isinstance(part, str) and _slug(part):
            candidates.append(f"{name}-{_slug(part)}")
    candidates += [f"{name}-{number}" for number in range(2, len(taken) + 4)]
    return next(key for key in map(_cut, candidates) if key not in taken and key != "new")


def _cut(key: str) -> str:
    return key[:LONGEST_KEY].strip("-") if len(key) <= LONGEST_KEY else f"{key[:60].strip('-')}-{key[-19:].strip('-')}"


def _slug(text: str) -> str:
    spelled = _fold(text).replace("ß", "ss").replace("ø", "o").replace("æ", "ae").replace("ł", "l").replace("đ", "d")
    return re.sub(r"[^a-z0-9]+", "-", spelled).strip("-")


def _fold(text: str) -> str:
    apart = unicodedata.normalize("NFKD", text)
    return "".join(character for character in apart if not unicodedata.combining(character)).casefold()


def _sketch(document: Mapping[str, Any]) -> _Sketch:
    name, legal_name = str(document.get("name") or ""), str(document.get("legal_name") or "")
    links = document.get("links")
    website = links.get("website") if isinstance(links, Mapping) else None
    return _Sketch(
        names=frozenset(filter(None, map(bare_name, (name, legal_name)))),
        entity=bare_name(legal_name or name),
        host=_host(website),
        purposes={_fold(purpose): purpose for purpose in _texts(document.get("purposes"))},
        places=frozenset(_places(document.get("locations") or ())),
    )


def _texts(value: object) -> Iterable[str]:
    return [member for member in value if isinstance(member, str)] if isinstance(value, list | tuple) else []


def _places(locations: Iterable[object]) -> Iterable[tuple[str, str]]:
    for location in locations:
        if isinstance(location, Mapping) and location.get("country"):
            yield str(location["country"]), str(location.get("place") or "")


def _host(website: object) -> str:
    try:
        host = urlsplit(website).hostname if isinstance(website, str) else None
    except ValueError:
        return ""
    return (host or "").removeprefix("www.")


def _compare(mine: _Sketch, other: _Sketch) -> tuple[tuple[Likeness, ...], tuple[str, ...]]:
    found: list[Likeness] = []
    shared: tuple[str, ...] = ()
    if mine.entity and mine.entity == other.entity:
        purposes = [mine.purposes[purpose] for purpose in mine.purposes if purpose in other.purposes]
        places = [place or country for country, place in sorted(mine.places & other.places)]
        shared = tuple(purposes + places)
        if shared:
            found.append(Likeness.SAME_ENGAGEMENT)
    if mine.names & other.names:
        found.append(Likeness.SAME_NAME)
    elif any(_is_near(name, theirs) for name in mine.names for theirs in other.names):
        found.append(Likeness.NEAR_NAME)
    if mine.host and mine.host == other.host:
        found.append(Likeness.SAME_WEBSITE)
    return tuple(found), shared


def _is_near(first: str, second: str) -> bool:
    # The length alone rules out nearly all pairs, and comparing letters is slow.
    if min(len(first), len(second)) * 2 < NEAR * (len(first) + len(second)):
        return False
    matcher = difflib.SequenceMatcher(None, first, second, autojunk=False)
    return matcher.quick_ratio() >= NEAR and matcher.ratio() >= NEAR
