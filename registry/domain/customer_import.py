"""Rows of a table of customers against what is on record: what each would change, and what it may not.

A table says less than a form. A blank cell leaves what is on record as it is, `-` takes it back to what holds without
it, and nothing ends by being left out. Nobody who left and no address that must not be written to comes back (R34).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, Final

from registry.domain.entries import digest_of
from registry.domain.errors import InvalidInput, Problem
from registry.domain.publishers import ContactFacts, CustomerFacts
from registry.domain.terms import Terms, find_merged_terms, find_overrides, find_shortened, merge_terms
from registry.domain.validation import find_near, read_model

CLEARED: Final = "-"
"""In a cell: no end of contract, all products, the publisher's own terms."""
ALL_PRODUCTS: Final = "all"

RESERVED_KEYS: Final = frozenset({"new", "import", "export"})
"""Words that stand in the workbench's addresses where a customer's key does."""

TERMS_BY_COLUMN: Final[Mapping[str, str]] = {
    "notice_days": "days",
    "objection_days": "objection_days",
    "counting": "counting",
    "roll_to_working_day": "roll_to_working_day",
    "holidays": "holidays",
    "language": "language",
    "authorisation": "authorisation",
    "objection": "objection",
    "clock_starts_on": "clock_starts_on",
    "time_zone": "time_zone",
}
"""The columns that state a term of the contract, each with the name of that term."""
_COLUMNS_BY_TERM: Final = {term: column for column, term in TERMS_BY_COLUMN.items()}
_YES_OR_NO: Final = {"yes": True, "true": True, "no": False, "false": False}
_DATES: Final = ("contract_from", "contract_until")


class RowFate(StrEnum):
    """What becomes of a row."""

    NEW = "new"
    CHANGED = "changed"
    SAME = "same"
    REFUSED = "refused"


@dataclass(frozen=True)
class KnownContact:
    """What is on record of an address in a row, as far as this customer and others are concerned.

    `email` is its normalised form, `problem` why it cannot be one. `stands`: it is a contact of this customer.
    `has_left`: it was one, and somebody ended that. `others` are the keys of customers whose standing contact it is.
    """

    email: str
    problem: Problem | None = None
    stands: bool = False
    has_left: bool = False
    is_suppressed: bool = False
    others: tuple[str, ...] = ()


@dataclass(frozen=True)
class KnownCustomer:
    """A customer as it is on record. `overrides` are its newest terms where they differ from the publisher's.

    `contacts` are the standing ones by address in small letters: their place in the order, and the name.
    """

    key: str
    name: str
    contract_from: date | None
    contract_until: date | None
    products: tuple[str, ...]
    overrides: object
    contacts: Mapping[str, tuple[int, str | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class ImportRules:
    """What holds for every row: the publisher's terms, its products, and whether shorter terms need a second person."""

    terms: Terms
    products: tuple[str, ...]
    shortening_needs_approval: bool


@dataclass(frozen=True)
class Difference:
    """One field that a row changes, as text before and after; None for what was or will be nothing."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class PlannedRow:
    """What one row of the table comes to. `facts` are None where it is refused; `line` is that of the file."""

    line: int
    key: str
    name: str
    fate: RowFate
    facts: CustomerFacts | None = None
    differences: tuple[Difference, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class ImportPlan:
    """What a table would do, row by row. `digest` covers all of it: another one means that something has changed."""

    rows: tuple[PlannedRow, ...]

    def of(self, fate: RowFate) -> list[PlannedRow]:
        """Return the rows of one fate."""
        return [row for row in self.rows if row.fate is fate]

    @property
    def digest(self) -> str:
        """A hash over every row with what it changes, what refuses it and what it warns of."""
        return digest_of([_as_document(row) for row in self.rows])


def read_row(cells: Mapping[str, str], known: KnownCustomer | None) -> CustomerFacts:
    """Return the customer as it will be: what the row states, and of all else what is on record.

    Raises `InvalidInput` with every problem, each named by its column.
    """
    data: dict[str, Any] = {"key": cells["key"], "name": cells.get("name") or (known.name if known else "")}
    problems: list[Problem] = []
    for name in _DATES:
        data[name] = getattr(known, name) if known else None
        if cells.get(name) == CLEARED:
            data[name] = None
        elif cells.get(name):
            try:
                data[name] = read_date(cells[name], name)
            except InvalidInput as error:
                problems += error.problems
    data["products"] = known.products if known else ()
    if cells.get("products") in (CLEARED, ALL_PRODUCTS):
        data["products"] = ()
    elif cells.get("products"):
        data["products"] = tuple(_members(cells["products"]))
    data["notice"] = _read_terms(cells, known)
    data["contacts"] = tuple(_contact(member) for member in _contact_members(cells))
    try:
        facts = read_model(CustomerFacts, data)
    except InvalidInput as error:
        problems += [_named_by_column(problem) for problem in error.problems]
    if problems:
        raise InvalidInput(problems)
    return facts


def list_addresses(cells: Mapping[str, str]) -> list[str]:
    """Return the contacts' addresses as a row writes them."""
    return [_contact(member)["email"] for member in _contact_members(cells)]


def read_date(text: str, column: str) -> date:
    """Read a date as spreadsheets write it: 2026-12-31 or 31.12.2026, and with slashes where only one reading is one.

    Raises `InvalidInput` naming the column; 03/04/2026 may be either of two days, and is refused (`date-unclear`).
    """
    written = re.sub(r"[ T]00:00(:00)?$", "", text)
    if match := re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", written, re.ASCII):
        year, month, day = match.groups()
    elif match := re.fullmatch(r"(\d{1,2})\.(\d{1,2})\.(\d{4})", written, re.ASCII):
        day, month, year = match.groups()
    elif match := re.fullmatch(r"(\d{1,2})/(\d{1,2})/(\d{4})", written, re.ASCII):
        first, second, year = match.groups()
        if int(first) <= 12 and int(second) <= 12 and int(first) != int(second):
            raise InvalidInput([Problem(column, text, "date-unclear")])
        day, month = (second, first) if int(second) > 12 else (first, second)
    else:
        raise InvalidInput([Problem(column, text, "not-a-date")])
    try:
        return date(int(year), int(month), int(day))
    except ValueError:
        raise InvalidInput([Problem(column, text, "impossible-date")]) from None


def plan_row(
    line: int,
    cells: Mapping[str, str],
    known: KnownCustomer | None,
    contacts: Mapping[str, KnownContact],
    rules: ImportRules,
) -> PlannedRow:
    """Decide what one row comes to. `contacts` tells of each address of `list_addresses`, as it is written there."""
    name = cells.get("name") or (known.name if known else "")

    def refused(problems: list[Problem]) -> PlannedRow:
        return PlannedRow(line, cells["key"], name, RowFate.REFUSED, problems=tuple(problems))

    try:
        facts = read_row(cells, known)
        after = merge_terms(rules.terms, facts.notice)
    except InvalidInput as error:
        return refused([_named_by_column(problem) for problem in error.problems])
    known_products = list(rules.products)
    problems = [Problem("key", facts.key, "reserved-key")] if facts.key in RESERVED_KEYS else []
    problems += [
        Problem("products", key, "unknown-product", {"near": find_near(key, known_products), "known": known_products})
        for key in facts.products
        if key not in rules.products
    ]
    states = [contacts[contact.email] for contact in facts.contacts]
    problems += [state.problem for state in states if state.problem is not None]
    if problems:
        return refused(problems)
    shortened = find_shortened(after, find_merged_terms(rules.terms, known.overrides)) if known else ()
    if shortened and rules.shortening_needs_approval:
        columns = [_COLUMNS_BY_TERM.get(term, term) for term in shortened]
        return refused([Problem(columns[0], cells.get(columns[0]), "import-shortens-terms", {"fields": columns})])
    facts, warnings = _judge_contacts(facts, states, known)
    differences = [*_find_differences(facts, known, after), *_find_contact_differences(facts, known)]
    if shortened:
        columns = [_COLUMNS_BY_TERM.get(term, term) for term in shortened]
        warnings.insert(0, Problem(columns[0], None, "import-shorter-terms", {"fields": columns}))
    fate = RowFate.NEW if known is None else RowFate.CHANGED if differences else RowFate.SAME
    return PlannedRow(line, facts.key, facts.name, fate, facts, tuple(differences), (), tuple(warnings))


def refuse_repeated(rows: list[PlannedRow]) -> list[PlannedRow]:
    """Refuse every row whose key stands in several: nobody knows which of them is meant."""
    lines: dict[str, list[int]] = {}
    for row in rows:
        lines.setdefault(row.key, []).append(row.line)

    def judge(row: PlannedRow) -> PlannedRow:
        if len(lines[row.key]) < 2 or not row.key:
            return row
        problem = Problem("key", row.key, "import-repeated-key", {"lines": [str(line) for line in lines[row.key]]})
        return PlannedRow(row.line, row.key, row.name, RowFate.REFUSED, problems=(problem,))

    return [judge(row) for row in rows]


def _read_terms(cells: Mapping[str, str], known: KnownCustomer | None) -> dict[str, Any]:
    stated = dict(find_overrides(known.overrides)) if known else {}
    for column, term in TERMS_BY_COLUMN.items():
        cell = cells.get(column, "")
        if cell == CLEARED:
            stated.pop(term, None)
        elif cell and term in {"days", "objection_days"}:
            stated[term] = int(cell) if re.fullmatch(r"[0-9]{1,6}", cell) else cell
        elif cell and term == "roll_to_working_day":
            stated[term] = _YES_OR_NO.get(cell.lower(), cell)
        elif cell:
            stated[term] = cell
    return stated


def _members(cell: str) -> list[str]:
    return [member.strip() for member in re.split(r"[;,\n]", cell) if member.strip()]


def _contact_members(cells: Mapping[str, str]) -> list[str]:
    # Nothing ends by a table, so there is nothing to take back.
    return [member for member in _members(cells.get("contacts", "")) if member != CLEARED]


def _contact(member: str) -> dict[str, str]:
    match = re.fullmatch(r"(.+?)\s*<([^<>]+)>", member)
    return {"name": match[1].strip(' "'), "email": match[2].strip()} if match else {"email": member}


def _named_by_column(problem: Problem) -> Problem:
    name = problem.field.removeprefix("notice.").partition(".")[0]
    return Problem(_COLUMNS_BY_TERM.get(name, name), problem.value, problem.code, problem.params)


def _find_differences(facts: CustomerFacts, known: KnownCustomer | None, after: Terms) -> list[Difference]:
    found = []
    for name in ("name", *_DATES, "products"):
        old, new = getattr(known, name) if known else None, getattr(facts, name)
        if (old or None) != (new or None):
            found.append(Difference(name, _shown(old), _shown(new)))
    stated = {name: value for name, value in after.model_dump(mode="json").items() if name in facts.notice}
    overrides = find_overrides(known.overrides) if known else {}
    for term, column in _COLUMNS_BY_TERM.items():
        if stated.get(term) != overrides.get(term):
            found.append(Difference(column, _shown(overrides.get(term)), _shown(stated.get(term))))
    return found


def _judge_contacts(
    facts: CustomerFacts, states: list[KnownContact], known: KnownCustomer | None
) -> tuple[CustomerFacts, list[Problem]]:
    """Return the facts without the contacts that left before, and what a person should know about any of them."""
    warnings: list[Problem] = []
    kept: list[ContactFacts] = []
    is_anybody_told = bool(known and known.contacts)
    for contact, state in zip(facts.contacts, states, strict=True):
        if state.has_left and not state.stands:
            warnings.append(Problem("contacts", state.email, "import-contact-left"))
            continue
        kept.append(contact.model_copy(update={"email": state.email}))
        if state.is_suppressed:
            warnings.append(Problem("contacts", state.email, "import-contact-suppressed"))
        else:
            is_anybody_told = True
        if state.others and not state.stands:
            params: dict[str, object] = {"customers": list(state.others)}
            warnings.append(Problem("contacts", state.email, "import-contact-of-another", params))
    stay = sorted({*(known.contacts if known else ())} - {contact.email.lower() for contact in kept})
    if facts.contacts and stay:
        warnings.append(Problem("contacts", None, "import-contacts-stay", {"contacts": stay}))
    if not is_anybody_told:
        warnings.append(Problem("contacts", None, "import-nobody-told"))
    return facts.model_copy(update={"contacts": tuple(kept)}), warnings


def _find_contact_differences(facts: CustomerFacts, known: KnownCustomer | None) -> list[Difference]:
    """Return how the contacts and their order differ; those that the row does not name come after those it does."""
    contacts = known.contacts if known else {}
    old = sorted(contacts, key=lambda email: contacts[email][0])
    named = [contact.email.lower() for contact in facts.contacts]
    new = [*named, *(email for email in old if email not in named)]
    found = [Difference("contacts", ", ".join(old) or None, ", ".join(new))] if new != old and named else []
    for contact in facts.contacts:
        before = contacts.get(contact.email.lower(), (0, None))[1]
        if contact.name is not None and contact.name != before:
            found.append(Difference(f"name of {contact.email}", before, contact.name))
    return found


def _shown(value: object) -> str | None:
    if value is None or value == ():
        return None
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _as_document(row: PlannedRow) -> list[object]:
    said = [[each.field, str(each.value), each.code, sorted(map(str, each.params.values()))] for each in row.problems]
    told = [[each.field, str(each.value), each.code, sorted(map(str, each.params.values()))] for each in row.warnings]
    changes = [[each.field, each.before, each.after] for each in row.differences]
    facts = row.facts.model_dump(mode="json") if row.facts else None
    return [row.line, row.key, row.fate.value, facts, changes, said, told]
