"""The JSON Schema of a registry file says what the reader says, as far as a schema can."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from registry.domain.errors import InvalidInput
from registry.domain.terms import Terms
from registry.readers.registry_file import read_registry_file
from registry.readers.schema import registry_file_schema
from registry.readers.yaml_values import read_yaml
from tests.readers.registry_files import ANTOPSIS

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))

VALIDATOR = jsonschema.Draft202012Validator(
    registry_file_schema(), format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
)


def antopsis() -> dict[str, Any]:
    value = read_yaml(ANTOPSIS.encode(), "antopsis.yaml").value
    assert isinstance(value, dict)
    return copy.deepcopy(value)


def test_the_schema_is_one() -> None:
    schema = registry_file_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema.Draft202012Validator.check_schema(schema)


def test_the_documented_file_fits() -> None:
    assert list(VALIDATOR.iter_errors(antopsis())) == []


@pytest.mark.parametrize("path", EXAMPLES, ids=[path.stem for path in EXAMPLES])
def test_the_examples_fit(path: Path) -> None:
    assert list(VALIDATOR.iter_errors(read_yaml(path.read_bytes(), path.name).value)) == []


def _put(*path: str | int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(file: dict[str, Any]) -> None:
        place: Any = file
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return change


def _drop(*path: str | int) -> Callable[[dict[str, Any]], None]:
    def change(file: dict[str, Any]) -> None:
        place: Any = file
        for part in path[:-1]:
            place = place[part]
        del place[path[-1]]

    return change


BAD: dict[str, Callable[[dict[str, Any]], None]] = {
    "another version": _put("registry", value=2),
    "no entries": _drop("entries"),
    "no publisher": _drop("publisher"),
    "an unknown part": _put("entires", value=[]),
    "customers that are null": _put("customers", value=None),
    "an unknown field of an entry": _put("entries", 0, "roel", value="x"),
    "an entry without a name": _drop("entries", 0, "name"),
    "an entry without a key": _drop("entries", 0, "key"),
    "a key that is none": _put("entries", 0, "key", value="Not A Key"),
    "a country that is none": _put("entries", 0, "country", value="Norwy"),
    "a mechanism that is none": _put("entries", 0, "transfers", 0, "mechanism", value="eu.scc"),
    "a regime that is none": _put("entries", 0, "transfers", 0, "regime", value="ue"),
    "a role that is none": _put("entries", 0, "role", value="vendor"),
    "a function that is none": _put("entries", 0, "locations", 0, "function", value="hosting"),
    "a day that is no date": _put("entries", 0, "since", value="soon"),
    "a name that is a number": _put("entries", 0, "name", value=5),
    "a list that is a word": _put("entries", 0, "purposes", value="Hosting"),
    "a link that is none": _put("entries", 0, "links", value={"website": "nimbus.example"}),
    "a slug of the service": _put("publisher", "slug", value="team"),
    "a host name that is an address": _put("publisher", "host", value="https://a.example"),
    "terms of no days": _put("publisher", "notice", "days", value=0),
    "terms that are true": _put("publisher", "notice", "days", value=True),
    "a number of approvals beyond reason": _put("publisher", "approvals_required", value=6),
    "an unknown term of a customer": _put("customers", 0, "notice", "dys", value=45),
    "a customer's way of counting that is none": _put("customers", 0, "notice", "counting", value="lunar"),
    "a contact without an address": _put("customers", 0, "contacts", 0, value={"name": "Ada"}),
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_what_the_reader_refuses_does_not_fit(change: Callable[[dict[str, Any]], None]) -> None:
    file = antopsis()
    change(file)
    assert not VALIDATOR.is_valid(file)
    with pytest.raises(InvalidInput):
        read_registry_file(json.dumps(file).encode(), "antopsis.yaml")


GOOD: dict[str, Callable[[dict[str, Any]], None]] = {
    "terms of their own left out": _drop("publisher", "notice"),
    "terms with a zone": _put("publisher", "notice", value={"time_zone": "UTC"}),
    "receipt deemed by a clause": _put(
        "customers", 0, "notice", value={"undeliverable": {"deemed_after_days": 5, "clause": "§ 4"}}
    ),
    "a contact with a name": _put("customers", 0, "contacts", 0, value={"email": "a@b.example", "name": "Ada"}),
    "a field that is null": _put("entries", 0, "address", value=None),
    "no reminders": _put("publisher", "reminder_days", value=None),
    "a reach for a place": _put("entries", 0, "locations", 0, "country", value="edge"),
    "no customers": _put("customers", value=[]),
    "private facts": _put("entries", 0, "contract_reference", value="C-7"),
}


@pytest.mark.parametrize("change", GOOD.values(), ids=GOOD.keys())
def test_what_the_reader_takes_fits(change: Callable[[dict[str, Any]], None]) -> None:
    file = antopsis()
    change(file)
    assert list(VALIDATOR.iter_errors(file)) == []
    assert read_registry_file(json.dumps(file).encode(), "antopsis.yaml").publisher.slug == "antopsis"


def test_a_customers_terms_have_every_field_of_terms_and_no_default() -> None:
    fields = registry_file_schema()["$defs"]["TermsThatDiffer"]["properties"]
    assert set(fields) == set(Terms.model_fields)
    assert not [name for name, field in fields.items() if "default" in field]
