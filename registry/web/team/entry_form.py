"""The form of an entry: from what was typed to the document that the domain reads, and back again.

Fields are named as the domain names them (`contact.email`, `locations.0.country`), the private ones below `internals.`.
Lists of words have a line for each member. Rows are numbered anew whenever the form is read, so that one that was left
empty is none, and what the domain says of a row is said of the row on the page.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from werkzeug.datastructures import MultiDict

from registry.domain.entries import EntryContent, EntryInternals, read_entry
from registry.domain.errors import InvalidInput, Problem
from registry.domain.free_texts import Given
from registry.domain.transfers import UNKNOWN
from registry.domain.translations import with_translations
from registry.domain.validation import read_model
from registry.i18n import say_problem
from registry.web.team.entry_fields import read_mechanism, read_place, show_mechanism, show_place

WORDS: Final = ("name", "legal_name", "role", "address", "country", "activity", "parent", "retention", "since", "until")
GROUPS: Final = {
    "contact": ("name", "position", "email"),
    "condition": ("when", "text"),
    "links": ("website", "privacy", "dpa", "subprocessors", "security"),
}
LISTS: Final = ("former_names", "purposes", "data_categories", "data_subjects", "special_categories")
ROWS: Final = {
    "locations": ("country", "place", "function"),
    "transfers": (
        "regime",
        "mechanism",
        "destination",
        "details",
        "assessment.reference",
        "assessment.made_on",
        "assessment.none_because",
        "checked_on",
    ),
}
INTERNALS: Final = ("owner", "note", "contract_reference", "dpa_signed_on", "review_due_on")
MOST_ROWS: Final = 200
"""Of a repeating group. No engagement has as many, and a form with more is no form of ours."""

Row = dict[str, str]


@dataclass(frozen=True)
class EntryForm:
    """What stands in the form, as typed. `key` is that of a new entry, empty until somebody gives one."""

    key: str = ""
    words: Mapping[str, str] = field(default_factory=dict)
    products: tuple[str, ...] = ()
    rows: Mapping[str, tuple[Row, ...]] = field(default_factory=dict)

    @property
    def values(self) -> dict[str, Any]:
        """What each field of the page shows, by the field's name."""
        shown: dict[str, Any] = {"key": self.key, **self.words, "products": list(self.products)}
        for group, rows in self.rows.items():
            for at, row in enumerate(rows):
                shown |= {f"{group}.{at}.{name}": text for name, text in row.items()}
        return shown

    def count_rows(self, group: str) -> int:
        """Return how many rows a repeating group has."""
        return len(self.rows.get(group, ()))

    def as_data(self) -> dict[str, Any]:
        """Return what the domain reads as an entry's content: only what was stated."""
        data: dict[str, Any] = {name: self.words[name] for name in WORDS if self.words.get(name, "").strip()}
        if "country" in data:
            data["country"] = read_place(data["country"])
        for group, names in GROUPS.items():
            stated = {name: text for name in names if (text := self.words.get(f"{group}.{name}", "")).strip()}
            data |= {group: stated} if stated else {}
        for name in LISTS:
            members = split_lines(self.words.get(name, ""))
            data |= {name: members} if members else {}
        data |= {"products": list(self.products)} if self.products else {}
        data |= {group: [_read_row(row) for row in rows] for group, rows in self.rows.items() if rows}
        return data

    def read(self, kept: Given = MappingProxyType({})) -> tuple[EntryContent, EntryInternals]:
        """Return the content and the private facts. Raises `InvalidInput` with every problem of both.

        `kept` are the translations that stood in the entry: those stay whose text was not changed.
        """
        problems: list[Problem] = []
        content, internals = EntryContent(name="-"), EntryInternals()
        try:
            content = read_entry(self.as_data())
        except InvalidInput as error:
            problems += error.problems
        try:
            internals = read_model(EntryInternals, self._private(), "internals")
        except InvalidInput as error:
            problems += error.problems
        if problems:
            raise InvalidInput(problems)
        return with_translations(content, kept), internals

    def _private(self) -> dict[str, str]:
        return {name: text for name in INTERNALS if (text := self.words.get(f"internals.{name}", "")).strip()}

    def act_on_rows(self, act: str) -> EntryForm:
        """Return the form after a button of its rows: `add.locations`, `remove.transfers.1`, `up.…`, `down.…`."""
        verb, _, rest = act.partition(".")
        group, _, place = rest.partition(".")
        if group not in ROWS:
            return self
        rows = list(self.rows.get(group, ()))
        at = int(place) if re.fullmatch(r"\d{1,4}", place, re.ASCII) else -1
        if verb == "add" and len(rows) < MOST_ROWS:
            rows.append(dict.fromkeys(ROWS[group], ""))
        elif verb == "remove" and at in range(len(rows)):
            del rows[at]
        elif verb in {"up", "down"} and at in range(len(rows)):
            other = at - 1 if verb == "up" else at + 1
            if other in range(len(rows)):
                rows[at], rows[other] = rows[other], rows[at]
        return EntryForm(self.key, self.words, self.products, {**self.rows, group: tuple(rows)})

    @property
    def is_blank(self) -> bool:
        """Whether nothing at all was typed."""
        typed = [text for name, text in self.words.items() if name != "role"]
        return not (self.key or self.products or any(text.strip() for text in typed) or any(self.rows.values()))


def read_form(form: MultiDict[str, str], *, keeps_empty_rows: bool = False) -> EntryForm:
    """Return what was typed. A word picked beside a list (`purposes.more`) stands in the list's last line.

    Rows without anything in them are dropped, unless the page is only shown again with one row more or less.
    """
    words = {name: form.get(name, "") for name in _word_fields()}
    for name in LISTS:
        more = form.get(f"{name}.more", "").strip()
        if more and more not in split_lines(words[name]):
            words[name] = "\n".join([*split_lines(words[name]), more])
    rows = {group: tuple(_rows_of(form, group, keeps_empty=keeps_empty_rows)) for group in ROWS}
    products = tuple(dict.fromkeys(form.getlist("products")))[:MOST_ROWS]
    return EntryForm(form.get("key", "").strip(), words, products, rows)


def restore_form(fields: Mapping[str, Any]) -> EntryForm:
    """Return a form that was kept, from the fields of `EntryForm.values`."""
    form: MultiDict[str, str] = MultiDict()
    for name, value in fields.items():
        form.setlist(name, [str(member) for member in value] if isinstance(value, list) else [str(value)])
    return read_form(form, keeps_empty_rows=True)


def form_of(document: Mapping[str, Any] | None, internals: EntryInternals, key: str = "") -> EntryForm:
    """Return the form that shows an entry's document, None for none yet, and the private facts beside it."""
    document = document or {}
    words = {name: str(document.get(name) or "") for name in WORDS}
    words["country"] = show_place(document.get("country"))
    words["role"] = words["role"] or "subprocessor"
    for group, names in GROUPS.items():
        stated = document.get(group) or {}
        words |= {f"{group}.{name}": str(stated.get(name) or "") for name in names}
    words |= {name: "\n".join(document.get(name) or ()) for name in LISTS}
    private = internals.model_dump(mode="json")
    words |= {f"internals.{name}": str(private[name] or "") for name in INTERNALS}
    rows = {group: tuple(_show_row(group, row) for row in document.get(group) or ()) for group in ROWS}
    return EntryForm(key, words, tuple(document.get("products") or ()), rows)


def place_problems(error: InvalidInput) -> dict[str, str]:
    """Return the sentence for each field of the page that something is wrong with.

    What the domain says of a member of a list is said of the list's field, and what it says of a whole transfer of
    the field that mends it.
    """
    found: dict[str, str] = {}
    for problem in error.problems:
        found.setdefault(_field_of(problem), say_problem(problem))
    return found


def _field_of(problem: Problem) -> str:
    name = problem.field
    head, _, rest = name.partition(".")
    if problem.code == "repeated-member":
        return str(problem.params.get("list", "form"))
    if problem.code == "until-before-since":
        return "until"
    if problem.code == "other-mechanism-needs-details":
        return f"{name}.details"
    if problem.code == "mechanism-of-another-regime":
        return f"{name}.mechanism"
    if head in LISTS or head == "products":
        return head
    if head in ROWS and rest.count(".") == 0:
        return f"{name}.{ROWS[head][0]}" if rest else head
    return name or "form"


def split_lines(text: str) -> list[str]:
    """Return the lines of a field that has a member on each, without those left empty."""
    return [line.strip() for line in re.split(r"\r\n|\r|\n", text) if line.strip()]


def _word_fields() -> Iterable[str]:
    yield from WORDS
    yield from LISTS
    for group, names in GROUPS.items():
        yield from (f"{group}.{name}" for name in names)
    yield from (f"internals.{name}" for name in INTERNALS)


def _rows_of(form: MultiDict[str, str], group: str, *, keeps_empty: bool) -> Iterable[Row]:
    numbers = {
        int(found[1]) for name in form if (found := re.match(rf"{group}\.(\d{{1,4}})\.", name, re.ASCII)) is not None
    }
    for number in sorted(numbers)[:MOST_ROWS]:
        row = {name: form.get(f"{group}.{number}.{name}", "") for name in ROWS[group]}
        if keeps_empty or any(text.strip() for text in row.values()):
            yield row


def _show_row(group: str, stated: Mapping[str, Any]) -> Row:
    row = {}
    for name in ROWS[group]:
        head, _, inner = name.partition(".")
        value = (stated.get(head) or {}).get(inner) if inner else stated.get(head)
        row[name] = show_place(value) if name in {"country", "destination"} else str(value or "")
    if group == "transfers":
        row["mechanism"] = show_mechanism(stated.get("mechanism", UNKNOWN))
    return row


def _read_row(row: Row) -> dict[str, Any]:
    stated: dict[str, Any] = {}
    for name, text in row.items():
        if not text.strip():
            continue
        if name in {"country", "destination"}:
            text = read_place(text)
        elif name == "mechanism":
            text = read_mechanism(text)
        head, _, inner = name.partition(".")
        if inner:
            stated.setdefault(head, {})[inner] = text
        else:
            stated[head] = text
    return stated
