"""A registry file: one publisher, its products, its list and, where it likes, its customers (DESIGN §5).

Reading is all or nothing: a file with any problem gives no values, and every problem is named with its line, so that
one correction mends the lot. What changed against the published list is not decided here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

from registry.domain.customer_import import RESERVED_KEYS
from registry.domain.entries import RESERVED_ENTRY_KEYS, EntryContent, EntryInternals, Key
from registry.domain.errors import InvalidInput, Problem
from registry.domain.publishers import CustomerFacts, FileEntry, ProductFacts, PublisherFacts, read_publisher
from registry.domain.terms import Terms, merge_terms
from registry.domain.validation import Document, find_near, read_model
from registry.readers.email_addresses import find_impossible_addresses, read_email_address
from registry.readers.yaml_values import YamlValues, read_yaml

FORMAT_VERSION = 1


class EntryInFile(EntryContent, EntryInternals):
    """One entry of the file: its stable key, keys it had before, what is published, and private facts (R1)."""

    key: Key
    former_keys: tuple[Key, ...] = ()

    def as_file_entry(self) -> FileEntry:
        """Part what is published from what is private."""
        return FileEntry(
            key=self.key,
            former_keys=self.former_keys,
            content=EntryContent(**{name: getattr(self, name) for name in EntryContent.model_fields}),
            internals=EntryInternals(**{name: getattr(self, name) for name in EntryInternals.model_fields}),
        )


class FileShape(Document):
    """The parts of a registry file. Where `customers` is left out, the customers on record stay untouched.

    So nothing but a list can stand there: `customers:` with nothing behind it could mean either.
    """

    registry: Literal[1]
    publisher: PublisherFacts
    products: tuple[ProductFacts, ...] = ()
    entries: tuple[EntryInFile, ...]
    customers: tuple[CustomerFacts, ...] = ()


@dataclasses.dataclass(frozen=True)
class RegistryFile:
    """What a registry file says. `customers` None means that it says nothing of customers.

    `if_new` are problems of the publisher's own addresses and of keys that the workbench could not lead to, with their
    lines. An earlier release may have taken such a value, so only one that is not on record is refused. `name` is the
    file's, for what is found after reading.
    """

    publisher: PublisherFacts
    products: tuple[ProductFacts, ...]
    entries: tuple[FileEntry, ...]
    customers: tuple[CustomerFacts, ...] | None
    if_new: tuple[Problem, ...] = ()
    name: str | None = None


def read_registry_file(data: bytes, name: str) -> RegistryFile:
    """Read the bytes of a registry file called `name`.

    Raises `InvalidInput` (param `file` = `name`) with every problem found, in the order of the file; each has its
    dotted field and, where it has one, its line. Only the publisher's own addresses and reserved keys are left to those
    who know which ones are on record.
    """
    values = read_yaml(data, name)
    given = values.value
    if given is None:
        raise InvalidInput([Problem("", None, "empty-file", {}, 1)], file=name)
    version = given.get("registry") if isinstance(given, dict) else None
    if version is not None and (type(version) is not int or version != FORMAT_VERSION):
        problem = Problem("registry", version, "unknown-format-version", {"known": FORMAT_VERSION})
        raise _refusal([problem], values, name)
    shape, problems = _read_fields(given)
    if isinstance(given, dict):
        problems += _find_problems_between(given, {problem.field for problem in problems})
    problems += values.problems
    if shape is None or problems:
        raise _refusal(problems, values, name)
    own_addresses = find_impossible_addresses(shape.publisher.contact, shape.publisher.sender)
    return RegistryFile(
        publisher=shape.publisher,
        products=shape.products,
        entries=tuple(entry.as_file_entry() for entry in shape.entries),
        customers=(
            tuple(map(_with_checked_addresses, shape.customers)) if "customers" in shape.model_fields_set else None
        ),
        if_new=tuple(_in_order([*own_addresses, *_find_reserved_keys(shape)], values)),
        name=name,
    )


def _find_reserved_keys(shape: FileShape) -> Iterator[Problem]:
    for part, keys, reserved in (
        ("entries", [entry.key for entry in shape.entries], RESERVED_ENTRY_KEYS),
        ("customers", [customer.key for customer in shape.customers], RESERVED_KEYS),
    ):
        for place, key in enumerate(keys):
            if key in reserved:
                yield Problem(f"{part}.{place}.key", key, "reserved-key")


def _refusal(problems: list[Problem], values: YamlValues, name: str) -> InvalidInput:
    return InvalidInput(_in_order(problems, values), file=name)


def _in_order(problems: Iterable[Problem], values: YamlValues) -> list[Problem]:
    """Give each problem its line, and sort them as they stand in the file."""

    def place(problem: Problem) -> Problem:
        line = values.line_of(problem.field) if problem.line is None else problem.line
        first = problem.params.get("first")
        first_line = {"first_line": values.line_of(first)} if isinstance(first, str) else {}
        return dataclasses.replace(problem, line=line, params=problem.params | first_line)

    return sorted(map(place, problems), key=lambda problem: problem.line or 0)


def _with_checked_addresses(customer: CustomerFacts) -> CustomerFacts:
    contacts = tuple(
        contact.model_copy(update={"email": read_email_address(contact.email)}) for contact in customer.contacts
    )
    return customer.model_copy(update={"contacts": contacts})


def _read_fields(given: object) -> tuple[FileShape | None, list[Problem]]:
    """Validate each field by itself. The publisher is read apart, because its terms depend on its zone."""
    try:
        return read_model(FileShape, given), []
    except InvalidInput as error:
        problems = error.problems
    if isinstance(given, dict) and "publisher" in given:
        problems = [problem for problem in problems if not f"{problem.field}.".startswith("publisher.")]
        try:
            read_publisher(given["publisher"])
        except InvalidInput as error:
            problems = error.problems + problems
    return None, problems


def _find_problems_between(given: Mapping[str, object], refused: set[str]) -> list[Problem]:
    """Find what is wrong between fields, looking past those that are `refused` by themselves."""
    problems = [
        *_find_repeated_keys(given),
        *_find_unknown_products(given),
        *_find_broken_parents(given),
        *_find_own_translations(given),
        *_find_broken_terms(given),
        *_find_addresses_not_to_write_to(given),
    ]
    return [problem for problem in problems if problem.field not in refused]


def _rows(given: Mapping[str, object], part: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield the groups listed in a part of the file with their paths, leaving out what is none."""
    rows = given.get(part)
    for index, row in enumerate(rows if isinstance(rows, list) else []):
        if isinstance(row, dict):
            yield f"{part}.{index}", row


def _words(row: Mapping[str, object], name: str, path: str) -> Iterator[tuple[str, str]]:
    """Yield the texts of a list with their paths, leaving out what is none."""
    words = row.get(name)
    for index, word in enumerate(words if isinstance(words, list) else []):
        if isinstance(word, str):
            yield f"{path}.{name}.{index}", word


def _keys(given: Mapping[str, object], part: str) -> list[str]:
    return [key for _, row in _rows(given, part) if isinstance(key := row.get("key"), str)]


def _find_repeated_keys(given: Mapping[str, object]) -> Iterator[Problem]:
    """Find keys that two rows claim. An entry's former keys still lead to it, so they count as its own."""
    for part in ("products", "entries", "customers"):
        first: dict[str, str] = {}
        claims = [(f"{path}.key", key) for path, row in _rows(given, part) if isinstance(key := row.get("key"), str)]
        claims += [claim for path, row in _rows(given, part) for claim in _words(row, "former_keys", path)]
        for path, key in claims:
            if key in first:
                yield Problem(path, key, "repeated-key", {"first": first[key]})
            first.setdefault(key, path)


def _find_unknown_products(given: Mapping[str, object]) -> Iterator[Problem]:
    known = _keys(given, "products")
    for part in ("entries", "customers"):
        for row_path, row in _rows(given, part):
            for path, key in _words(row, "products", row_path):
                if key not in known:
                    yield Problem(
                        path, key, "unknown-product", {"near": find_near(key, known), "known": sorted(set(known))}
                    )


def _find_broken_parents(given: Mapping[str, object]) -> Iterator[Problem]:
    """Find parents that are no entry of the file, and chains of parents that lead back to where they began."""
    parents: dict[str, str] = {}
    paths: dict[str, str] = {}
    known = _keys(given, "entries")
    for path, row in _rows(given, "entries"):
        key, parent = row.get("key"), row.get("parent")
        if not isinstance(parent, str):
            continue
        if parent not in known:
            yield Problem(f"{path}.parent", parent, "unknown-parent", {"near": find_near(parent, known)})
        elif isinstance(key, str) and key not in parents:
            parents[key], paths[key] = parent, f"{path}.parent"
    followed: set[str] = set()
    for start in parents:
        chain: list[str] = []
        key = start
        while key in parents and key not in followed:
            followed.add(key)
            chain.append(key)
            key = parents[key]
        if key in chain:
            cycle = [*chain[chain.index(key) :], key]
            yield Problem(paths[key], parents[key], "parent-cycle", {"cycle": cycle})


def _find_own_translations(given: Mapping[str, object]) -> Iterator[Problem]:
    """Find translations to the publisher's own language: readers of it would be shown them for what binds."""
    publisher = given.get("publisher")
    tag = publisher.get("language", "en") if isinstance(publisher, dict) else None
    own = tag.partition("-")[0].lower() if isinstance(tag, str) else None
    for path, row in _rows(given, "entries"):
        translations = row.get("translations")
        if isinstance(translations, dict) and own in translations:
            yield Problem(f"{path}.translations.{own}", own, "own-language")


def _find_broken_terms(given: Mapping[str, object]) -> Iterator[Problem]:
    # Whether a value can stand in terms does not depend on the other terms, so any publisher's will do.
    any_terms = Terms(time_zone="UTC")
    for path, row in _rows(given, "customers"):
        overrides = row.get("notice")
        try:
            merge_terms(any_terms, overrides if isinstance(overrides, dict) else {}, f"{path}.notice")
        except InvalidInput as error:
            yield from error.problems


def _find_addresses_not_to_write_to(given: Mapping[str, object]) -> Iterator[Problem]:
    for path, address in _addresses(given):
        try:
            read_email_address(address, path)
        except InvalidInput as error:
            yield from error.problems


def _addresses(given: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    for path, row in _rows(given, "customers"):
        contacts = row.get("contacts")
        for index, contact in enumerate(contacts if isinstance(contacts, list) else []):
            address = contact.get("email") if isinstance(contact, dict) else contact
            if isinstance(address, str):
                yield f"{path}.contacts.{index}.email", address
