"""Which entries and changes a reader asked for: words, and choices among what the list says.

What is asked for stands in the address, so that somebody can keep *their* list as a bookmark, load it as a file and
follow it as a feed. `registry.pages.asking` reads an address; this module decides what fits.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Final

from registry.domain.changes import TRANSLATIONS, EntryChange
from registry.domain.entries import EntryContent
from registry.domain.free_texts import find_texts
from registry.domain.transfers import UNKNOWN
from registry.domain.vocabulary import ChangeKind, Role
from registry.language import LANGUAGES, speaking
from registry.pages.entry_facts import Names, show_field, show_location
from registry.pages.grounds import ground_in_words
from registry.pages.values import PublicEntry, PublicList, PublicNotice
from registry.pages.wording import place_name

QUERY_LENGTH: Final = 200
"""Characters of the words searched for; what comes after them is passed over."""

CHOICES: Final = ("product", "region", "purpose", "data", "role", "mechanism")
"""The parameters of an address that may stand in it several times, in their canonical order."""

NOT_STATED: Final = "not-stated"
"""Asks for the entries of which a thing is not stated (R7): in region, purpose, data and mechanism."""

EEA: Final = "eea"
OUTSIDE_EEA: Final = "outside-eea"

Document = Mapping[str, Any]


@dataclass(frozen=True)
class ListQuery:
    """What a reader asked to see. An entry fits if it holds every word of `q`, and one of the choices of each field.

    `product` holds keys; `region` country codes, reaches (`edge`, `global`, `customer-selected`), `eea` or
    `outside-eea`; `purpose` and `data` what the list says word for word; `role` and `mechanism` the ids of the
    vocabulary. Nothing chosen in a field asks nothing of it.
    """

    q: str | None = None
    product: tuple[str, ...] = ()
    region: tuple[str, ...] = ()
    purpose: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    role: tuple[str, ...] = ()
    mechanism: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """The words searched for, without case and accents, of at most 200 characters of the query."""
        return tuple(fold((self.q or "")[:QUERY_LENGTH]).split())

    @property
    def asks_anything(self) -> bool:
        """Whether anything is asked for at all."""
        return bool(self.words) or any(getattr(self, field) for field in CHOICES)

    def as_document(self) -> dict[str, str | list[str] | None]:
        """Return what is asked for as files and feeds say it in themselves."""
        pairs = self.as_query()
        words = next((value for field, value in pairs if field == "q"), None)
        return {"q": words, **{choice: [value for field, value in pairs if field == choice] for choice in CHOICES}}

    def as_query(self) -> tuple[tuple[str, str], ...]:
        """Return the one query string, as pairs, that asks for this: the same however it was written."""
        words = " ".join((self.q or "")[:QUERY_LENGTH].split())
        chosen = [(field, value) for field in CHOICES for value in sorted(set(getattr(self, field)))]
        return (*((("q", words),) if words else ()), *chosen)

    def without(self, field: str, value: str) -> ListQuery:
        """Return what is asked for but for one choice, or but for the words (`q`)."""
        if field == "q":
            return replace(self, q=None)
        # Each field of CHOICES is a tuple of words.
        rest: dict[str, Any] = {field: tuple(chosen for chosen in getattr(self, field) if chosen != value)}
        return replace(self, **rest)

    def fits(self, content: EntryContent, key: str, public: PublicList, names: Names | None = None) -> bool:
        """Return whether an entry fits. Whoever asks for many gives the names, which are the same for all of them."""
        return _fits(content.as_document(), key, self, names or Names.of(public))


def select_entries(public: PublicList, query: ListQuery | None) -> tuple[PublicEntry, ...]:
    """Return the entries that fit, by role, then name.

    An entry without products concerns every product of the publisher, so any known product finds it.
    """
    roles = list(Role)
    names = Names.of(public)
    asks = query is not None and query.asks_anything
    chosen = [e for e in public.entries if not asks or query is None or query.fits(e.content, e.key, public, names)]
    return tuple(sorted(chosen, key=lambda e: (roles.index(e.content.role), fold(e.content.name), e.key)))


def select_notices(public: PublicList, query: ListQuery | None) -> tuple[PublicNotice, ...]:
    """Return the notices that concern what is asked for, each with those of its changes alone that do.

    A change does where its entry fits, be it before or after. A notice keeps what differs and not the whole entry, so
    what it left alone is taken from the entry as it stands, or last stood.
    """
    if query is None or not query.asks_anything:
        return public.notices
    contents, names = _contents(public), Names.of(public)
    narrowed = ((notice, _select(notice, query, contents, names)) for notice in public.notices)
    return tuple(replace(notice, changes=changes) for notice, changes in narrowed if changes)


def narrow_list(public: PublicList, query: ListQuery | None) -> PublicList:
    """Return the list with nothing in it but what is asked for: entries, removed ones and notices."""
    if query is None or not query.asks_anything:
        return public
    names = Names.of(public)
    return replace(
        public,
        entries=select_entries(public, query),
        removed=tuple(entry for entry in public.removed if query.fits(entry.content, entry.key, public, names)),
        notices=select_notices(public, query),
    )


def _contents(public: PublicList) -> dict[str, EntryContent]:
    return {entry.key: entry.content for entry in public.removed} | {e.key: e.content for e in public.entries}


def _select(
    notice: PublicNotice, query: ListQuery, contents: Mapping[str, EntryContent], names: Names
) -> tuple[EntryChange, ...]:
    return tuple(
        change
        for change in notice.changes
        if any(_fits(side, change.key, query, names) for side in _sides(change, contents.get(change.key)))
    )


def _sides(change: EntryChange, content: EntryContent | None) -> Iterable[Document]:
    if change.kinds in {(ChangeKind.ADDITION,), (ChangeKind.REMOVAL,)}:
        side = "after" if change.kinds == (ChangeKind.ADDITION,) else "before"
        yield _overlay({"name": change.name}, change, side)
        return
    base = content.as_document() if content else {"name": change.name}
    yield _overlay(base, change, "before")
    yield _overlay(base, change, "after")


def _overlay(base: Document, change: EntryChange, side: str) -> Document:
    document = dict(base)
    for each in change.fields:
        field, _, part = each.field.partition(".")
        value = getattr(each, side)
        document[field] = {**(document.get(field) or {}), part: value} if part else value
    for language, said in change.translations.items():
        known = document.get(TRANSLATIONS) or {}
        document[TRANSLATIONS] = {**known, language: {**known.get(language, {}), **said}}
    return document


def _fits(document: Document, key: str, query: ListQuery, names: Names) -> bool:
    chosen = ((field, getattr(query, field)) for field in CHOICES)
    if not all(_holds(field, set(values), document, names) for field, values in chosen if values):
        return False
    words = query.words
    if not words:
        return True
    text = _text_of(key, document, names)
    return all(word in text for word in words)


def _holds(field: str, asked: set[str], document: Document, names: Names) -> bool:
    match field:
        case "product":
            return bool(asked & set(document.get("products") or names.products))
        case "region":
            return bool(asked & regions_of(document))
        case "role":
            return document.get("role", Role.SUBPROCESSOR.value) in asked
        case "mechanism":
            return bool(asked & mechanisms_of(document))
    stated = document.get("purposes" if field == "purpose" else "data_categories")
    members = {fold(member) for member in stated or ()} or {NOT_STATED}
    return bool({fold(value) for value in asked} & members)


def regions_of(document: Document) -> set[str]:
    """Return every region that finds an entry, given as its document: where it acts, and where transfers lead.

    A seat is no place of processing (DESIGN §4.1), so the country of establishment finds nothing. What is at the edge
    of a network, worldwide or chosen by the customer may be outside the European Economic Area, so that finds it too.
    """
    places = [location["country"] for location in document.get("locations") or ()]
    places += [transfer["destination"] for transfer in document.get("transfers") or () if transfer.get("destination")]
    if not places:
        return {NOT_STATED}
    inside = {place in load_eea() for place in places}
    return {*places, *([EEA] if True in inside else []), *([OUTSIDE_EEA] if False in inside else [])}


def mechanisms_of(document: Document) -> set[str]:
    """Return the ids of the transfer mechanisms of an entry, given as its document; `not-stated` for an unknown one."""
    stated = [transfer.get("mechanism", UNKNOWN) for transfer in document.get("transfers") or ()]
    return {NOT_STATED if mechanism == UNKNOWN else mechanism for mechanism in stated} or {NOT_STATED}


@cache
def load_eea() -> frozenset[str]:
    """Return the country codes of the European Economic Area, of the same data as the transfer rules."""
    text = resources.files("registry.domain").joinpath("rules/transfer_mechanisms.json").read_text("utf-8")
    return frozenset(json.loads(text)["eea"])


def _text_of(key: str, document: Document, names: Names) -> str:
    """Return all that a search looks through: what the publisher wrote and had translated, and our words for it, in
    every language.

    A bookmark must find the same whoever opens it, and a file is asked for without a language.
    """
    lines = [key, _said("role", document.get("role", Role.SUBPROCESSOR.value))]
    for field, value in document.items():
        if field not in {"role", "locations", "transfers"} and not isinstance(value, Mapping):
            lines += show_field(field, value, names)
    if document.get("country"):
        lines.append(_place_said(document["country"]))
    for location in document.get("locations") or ():
        lines += [location.get("place") or "", _location_said(location["country"], location.get("function"))]
    for transfer in document.get("transfers") or ():
        lines.append(_ground_said(transfer.get("mechanism", UNKNOWN), transfer.get("regime")))
        lines += [transfer.get("details") or "", *(str(part) for part in (transfer.get("assessment") or {}).values())]
        if transfer.get("destination"):
            lines.append(_place_said(transfer["destination"]))
    condition = document.get("condition") or {}
    lines += [_said("condition.when", condition["when"]) if condition.get("when") else "", condition.get("text") or ""]
    for said in (document.get(TRANSLATIONS) or {}).values():
        # What translates the other side of a change says nothing of this one.
        lines += [said[text] for text in find_texts(document) if text in said]
    return fold("\n".join(lines))


@cache
def _said(field: str, value: str) -> str:
    return _in_every_language(lambda: " ".join(show_field(field, value, Names({}, {}))))


@cache
def _place_said(code: str) -> str:
    return _in_every_language(lambda: f"{code} {place_name(code)}")


@cache
def _location_said(code: str, function: str | None) -> str:
    return _in_every_language(lambda: f"{code} {show_location({'country': code, 'function': function})}")


@cache
def _ground_said(mechanism: str, regime: str | None) -> str:
    return _in_every_language(lambda: ground_in_words({"mechanism": mechanism, "regime": regime}).in_one_line)


def _in_every_language(say: Callable[[], str]) -> str:
    said = []
    for language in LANGUAGES:
        with speaking(language):
            said.append(say())
    return "\n".join(dict.fromkeys(said))


def fold(text: str) -> str:
    """Return a text without its case and accents, so that “muller” finds “Müller”."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(character for character in apart if not unicodedata.combining(character)).casefold()
