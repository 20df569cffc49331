"""Entries that may be one and the same, and keys for new ones."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.duplicates import Likeness, bare_name, find_duplicates, propose_key
from registry.domain.entries import Key
from registry.domain.validation import Document, read_model
from tests.domain.entry_cases import FULL

HETZNER: dict[str, Any] = {
    "name": "Hetzner",
    "legal_name": "Hetzner Online GmbH",
    "purposes": ["Servers that run the service"],
    "locations": [{"country": "DE", "place": "Falkenstein"}],
    "links": {"website": "https://www.hetzner.example/cloud"},
}


class Keyed(Document):
    key: Key


def likenesses(document: dict[str, Any], other: dict[str, Any] = HETZNER) -> tuple[Likeness, ...]:
    found = find_duplicates(document, {"hetzner": other})
    return found[0].likenesses if found else ()


def test_the_same_entity_with_the_same_purpose_is_the_likest_of_all() -> None:
    other = {"name": "Hetzner Cloud", "legal_name": "HETZNER ONLINE", "purposes": ["servers that run the SERVICE"]}
    (found,) = find_duplicates(other, {"hetzner": HETZNER})
    assert found.likenesses[0] is Likeness.SAME_ENGAGEMENT
    assert found.shared == ("servers that run the SERVICE",)


def test_the_same_entity_at_the_same_place_is_named_with_the_place() -> None:
    other = {"name": "Hetzner Online", "locations": [{"country": "DE", "place": "Falkenstein"}]}
    (found,) = find_duplicates(other, {"hetzner": HETZNER})
    assert (found.key, found.name, found.shared) == ("hetzner", "Hetzner", ("Falkenstein",))


def test_the_same_entity_elsewhere_for_another_purpose_is_only_of_the_same_name() -> None:
    assert likenesses({"name": "Hetzner", "purposes": ["Backups"], "locations": [{"country": "FI"}]}) == (
        Likeness.SAME_NAME,
    )


@pytest.mark.parametrize("name", ["Hetzner GmbH", "HETZNER", "Hetzner Online AG", "Hétzner"])
def test_names_are_compared_without_case_accents_and_legal_form(name: str) -> None:
    assert likenesses({"name": name}) == (Likeness.SAME_NAME,)


@pytest.mark.parametrize("name", ["Hetzners", "Hezner", "Hetzner Onlin"])
def test_a_slip_of_the_pen_is_near(name: str) -> None:
    assert likenesses({"name": name}) == (Likeness.NEAR_NAME,)


@pytest.mark.parametrize("name", ["Stripe", "Hertz", "Co", "", "GmbH", "日本"])
def test_another_company_is_not_like_it(name: str) -> None:
    assert likenesses({"name": name}) == ()


def test_the_same_website_tells_of_another_name() -> None:
    assert likenesses({"name": "Cloud Nine", "links": {"website": "http://hetzner.example"}}) == (
        Likeness.SAME_WEBSITE,
    )


def test_what_cannot_be_an_address_is_like_nothing() -> None:
    broken = {"name": "Cloud Nine", "links": {"website": "https://[broken"}, "locations": ["no place", {}]}
    assert likenesses(broken) == ()


def test_two_entries_that_state_no_name_are_not_alike() -> None:
    assert likenesses({}, {"purposes": ["Payments"]}) == ()


def test_the_likest_come_first_and_only_so_many() -> None:
    others = {f"hetzner-{number}": {"name": "Hetzner"} for number in range(9)} | {"x": HETZNER}
    found = find_duplicates(HETZNER, others)
    assert [each.key for each in found] == ["x", "hetzner-0", "hetzner-1", "hetzner-2", "hetzner-3"]


def test_a_legal_form_alone_is_a_name() -> None:
    assert (bare_name("Oy"), bare_name("SAP SE"), bare_name("S.A.R.L. Durand S.A.")) == ("oy", "sap", "sarl durand")


@pytest.mark.parametrize(
    ("taken", "key"),
    [
        (set[str](), "nimbus"),
        ({"nimbus"}, "nimbus-falkenstein"),
        ({"nimbus", "nimbus-falkenstein"}, "nimbus-de"),
        ({"nimbus", "nimbus-falkenstein", "nimbus-de"}, "nimbus-2"),
    ],
)
def test_a_key_is_made_of_the_name_and_of_the_place_where_that_is_taken(taken: set[str], key: str) -> None:
    assert propose_key(FULL, taken) == key


def test_a_key_is_never_the_word_that_an_address_needs() -> None:
    assert propose_key({"name": "New"}, ()) == "new-2"


def test_a_name_without_latin_letters_gives_no_key() -> None:
    assert propose_key({"name": "日本"}, ()) == ""


@given(st.text(max_size=300), st.text(max_size=100))
def test_whatever_the_name_the_key_is_one(name: str, place: str) -> None:
    document = {"name": name, "locations": [{"country": "DE", "place": place}]}
    first = propose_key(document, ())
    second = propose_key(document, {first})
    for key in filter(None, (first, second)):
        assert read_model(Keyed, {"key": key}).key == key
    assert first == "" or first != second
