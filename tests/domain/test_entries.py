"""What may stand on the list, and what is said of what may not."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.entries import (
    EntryContent,
    EntryInternals,
    canonical_json,
    digest_of,
    read_entry,
)
from registry.domain.errors import InvalidInput, Problem
from registry.domain.text import find_unclean
from registry.domain.vocabulary import ConditionWhen, Role
from tests.domain.entry_cases import FULL, bare_entry, entries, full_entry, offered_by


def problems_of(data: object) -> list[Problem]:
    with pytest.raises(InvalidInput) as refused:
        read_entry(data)
    return refused.value.problems


def the_problem(field: str, **data: Any) -> Problem:
    """The one problem with an entry that is fine but for what is given."""
    (problem,) = problems_of({"name": "Nimbus", **data})
    assert problem.field == field
    return problem


def test_what_is_left_out_is_unknown_and_not_an_empty_statement() -> None:
    entry = read_entry({"name": "Nimbus"})
    assert entry.role is Role.SUBPROCESSOR
    assert (entry.country, entry.condition, entry.retention, entry.locations) == (None, None, None, ())
    assert entry.as_document() == {"name": "Nimbus", "role": "subprocessor"}


def test_every_field_survives_being_stored_and_read_again() -> None:
    assert set(FULL) == set(EntryContent.model_fields), "the full entry states every field there is"
    assert full_entry().as_document() == FULL
    assert read_entry(json.loads(json.dumps(full_entry().as_document()))) == full_entry()


@given(entry=entries)
def test_any_entry_is_the_same_after_being_stored(entry: EntryContent) -> None:
    stored = entry.as_document()
    assert read_entry(json.loads(json.dumps(stored))) == entry
    assert read_entry(stored).as_document() == stored


@pytest.mark.parametrize("field", EntryContent.model_fields)
def test_an_entry_cannot_be_altered(field: str) -> None:
    with pytest.raises(ValueError, match="frozen"):
        setattr(bare_entry(), field, "Cirrus")


def test_all_problems_come_at_once() -> None:
    problems = problems_of(
        {
            "country": "Norwy",
            "lgeal_name": "x",
            "since": "2026-02-30",
            "locations": [{"country": "DE"}, {"place": "Oslo"}],
        }
    )
    assert {(problem.field, problem.code) for problem in problems} == {
        ("name", "missing"),
        ("country", "unknown-country"),
        ("lgeal_name", "unknown-field"),
        ("since", "impossible-date"),
        ("locations.1.country", "missing"),
    }


def test_fields_are_named_below_the_place_the_entry_came_from() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_entry({"name": ""}, "entries.4")
    assert [problem.field for problem in refused.value.problems] == ["entries.4.name"]


@pytest.mark.parametrize(
    ("field", "near"),
    [("lgeal_name", "legal_name"), ("Country", "country"), ("purpose", "purposes"), ("transfer", "transfers")],
)
def test_a_misspelt_field_is_met_with_the_name_it_resembles(field: str, near: str) -> None:
    problem = the_problem(field, **{field: "x"})
    assert problem.code == "unknown-field"
    assert near in offered_by(problem)


def test_a_misspelt_field_of_a_group_is_met_with_the_names_of_that_group() -> None:
    problem = the_problem("links.webiste", links={"webiste": "https://x.example"})
    assert problem.params["near"] == ["website"]


@pytest.mark.parametrize("country", ["NO", "DE", "GB", "VN"])
def test_iso_country_codes_are_taken_and_no_is_norway(country: str) -> None:
    assert bare_entry(country=country).country == country


@pytest.mark.parametrize(
    ("given_as", "near"),
    [("Norwy", "NO (Norway)"), ("no", "NO"), ("Viet Nam", "VN (Viet Nam)"), ("germany", "DE (Germany)"), ("EU", None)],
)
def test_an_unknown_country_is_met_with_codes_near_it(given_as: str, near: str | None) -> None:
    problem = the_problem("country", country=given_as)
    assert (problem.code, problem.value) == ("unknown-country", given_as)
    assert near is None or near in offered_by(problem)


@pytest.mark.parametrize("reach", ["edge", "global", "customer-selected"])
def test_a_reach_may_stand_for_the_country_of_a_place_but_not_of_a_seat(reach: str) -> None:
    assert bare_entry(locations=[{"country": reach}]).locations[0].country == reach
    assert the_problem("country", country=reach).code == "unknown-country"


def test_an_unknown_mechanism_is_met_with_ids_that_hold_its_words() -> None:
    problem = the_problem("transfers.0.mechanism", transfers=[{"mechanism": "eu.scc"}])
    assert problem.params["near"] == [f"eu.art46.scc2021.m{module}" for module in (1, 2, 3, 4)]
    shield = the_problem("transfers.0.mechanism", transfers=[{"mechanism": "eu.dpf"}])
    assert "eu.art45.us-dpf" in offered_by(shield)


def test_a_transfer_whose_mechanism_is_not_stated_is_allowed() -> None:
    entry = bare_entry(transfers=[{"destination": "US"}, {"mechanism": "unknown"}])
    assert [transfer.mechanism for transfer in entry.transfers] == ["unknown", "unknown"]


def test_the_mechanism_other_needs_words_that_say_which() -> None:
    assert the_problem("transfers.0", transfers=[{"mechanism": "other"}]).code == "other-mechanism-needs-details"
    assert bare_entry(transfers=[{"mechanism": "other", "details": "Clauses."}]).transfers[0].details == "Clauses."


def test_a_mechanism_of_one_regime_cannot_stand_under_another() -> None:
    problem = the_problem("transfers.0", transfers=[{"regime": "uk", "mechanism": "eu.art45"}])
    assert problem.params == {"mechanism": "eu.art45", "regime": "uk", "area": "eu"}
    assert bare_entry(transfers=[{"regime": "uk", "mechanism": "none.same-area"}]).transfers[0].regime == "uk"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("2026-02-30", "impossible-date"),
        ("2026-13-01", "impossible-date"),
        ("0000-01-01", "impossible-date"),
        ("30.09.2026", "not-a-date"),
        ("2026-9-3", "not-a-date"),
        ("2026-09", "not-a-date"),
        ("20260903", "not-a-date"),
        ("tomorrow", "not-a-date"),
        ("٢٠٢٦-٠٩-٠٣", "not-a-date"),
        (1_699_920_000, "not-a-date"),
        ("1699920000", "not-a-date"),
        (True, "not-a-date"),
        ("2026-09-03T00:00:00", "time-in-a-date"),
        ("2026-09-03 08:00", "time-in-a-date"),
        ("2026-09-03T00:00:00+07:00", "time-in-a-date"),
        (datetime(2026, 9, 3), "time-in-a-date"),  # noqa: DTZ001 - naive on purpose
        (datetime(2026, 9, 3, tzinfo=UTC), "time-in-a-date"),
    ],
)
def test_only_a_date_is_taken_for_a_date(value: object, code: str) -> None:
    assert the_problem("since", since=value).code == code


def test_a_leap_day_is_a_date() -> None:
    assert bare_entry(since="2028-02-29", until=date(2028, 3, 1)).since == date(2028, 2, 29)


def test_an_entry_cannot_end_before_it_begins() -> None:
    problem = the_problem("", since="2026-09-03", until="2026-09-02")
    assert problem.params == {"since": "2026-09-03", "until": "2026-09-02"}
    assert bare_entry(since="2026-09-03", until="2026-09-03").until == date(2026, 9, 3)


@pytest.mark.parametrize("field", ["purposes", "products", "data_categories", "special_categories", "former_names"])
def test_a_member_stands_in_a_list_once(field: str) -> None:
    assert the_problem("", **{field: ["twice", "twice"]}).params == {"list": field, "member": "twice"}


def test_the_same_place_with_another_function_is_another_member() -> None:
    places = [{"country": "DE", "function": "storage"}, {"country": "DE", "function": "backup"}]
    assert len(bare_entry(locations=places).locations) == 2
    assert the_problem("", locations=[places[0], places[0]]).code == "repeated-member"


@pytest.mark.parametrize(
    ("value", "character"),
    [
        ("bell\x07", "U+0007"),
        ("null\x00", "U+0000"),
        ("next line\x85x", "U+0085"),
        ("turned \u202etxet", "U+202E"),
        ("isolated \u2066x", "U+2066"),
        ("lone \ud800", "U+D800"),
        ("no character \uffff", "U+FFFF"),
    ],
)
def test_characters_that_break_letters_and_feeds_are_named(value: str, character: str) -> None:
    for field in ("name", "activity"):
        (problem,) = problems_of({"name": "Nimbus", field: value})
        assert (problem.code, problem.params["character"]) == ("control-character", character)


@pytest.mark.parametrize("separator", ["\n", "\t", "\r\n", "\u2028", "\u2029"])
def test_a_name_is_one_line(separator: str) -> None:
    assert the_problem("legal_name", legal_name=f"Nimbus{separator}GmbH").code == "line-break"


def test_text_may_have_lines_and_their_breaks_are_one_kind() -> None:
    assert bare_entry(address="Hauptstraße 1\r\nErfurt").address == "Hauptstraße 1\nErfurt"


def test_names_that_look_alike_are_stored_alike() -> None:
    assert bare_entry(legal_name="Ba\u0308r").legal_name == "B\u00e4r"
    assert bare_entry(legal_name="  Bär ").legal_name == "Bär"


@pytest.mark.parametrize(
    "name", ["Lê Lăng", "Škoda", "名前株式会社", "שלום", "Zoë’s “Data”", "👩\u200d💻 Ltd", "א\u200f!"]
)
def test_names_of_the_world_are_taken_as_they_are(name: str) -> None:
    assert bare_entry(legal_name=name).legal_name == name


@given(text=st.text(max_size=60))
def test_what_is_taken_as_text_is_clean(text: str) -> None:
    try:
        taken = read_entry({"name": text}).name
    except InvalidInput:
        return
    assert find_unclean(taken) is None
    assert taken == taken.strip() != ""
    assert len(taken.splitlines()) == 1
    assert taken.encode("utf-8")


@pytest.mark.parametrize(("field", "most"), [("legal_name", 500), ("activity", 5000)])
def test_lengths_are_limited_and_the_limit_is_named(field: str, most: int) -> None:
    assert getattr(bare_entry(**{field: "x" * most}), field) == "x" * most
    problem = the_problem(field, **{field: "x" * (most + 1)})
    assert (problem.code, problem.params["max_length"]) == ("too-long", most)


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "nimbus.example",
        "https://",
        "ftp://nimbus.example",
        "https://a b.example",
        "http://[bad",
        "https://nimbus.example:99999/",
        "data:text/html,x",
    ],
)
def test_only_web_addresses_are_links(address: str) -> None:
    assert the_problem("links.website", links={"website": address}).code == "not-a-web-address"


def test_a_link_is_kept_as_it_was_given() -> None:
    address = "https://Nimbus.example/a%20b?x=1#y"
    entry = bare_entry(links={"website": address})
    assert entry.links is not None
    assert entry.links.website == address


@pytest.mark.parametrize("address", ["plain", "@x.example", "a@b", "a b@x.example", "<a@x.example>", "a@x."])
def test_a_contact_has_an_address_by_its_form(address: str) -> None:
    assert the_problem("contact.email", contact={"email": address}).code == "not-an-email-address"


@pytest.mark.parametrize("key", ["Has-Capitals", "-leading", "trailing-", "under_score", "a b", "ä", "x" * 81, "x\n"])
def test_a_key_is_small_letters_digits_and_hyphens(key: str) -> None:
    if key == "x\n":  # white space around it is taken off
        assert bare_entry(parent=key).parent == "x"
    else:
        assert the_problem("parent", parent=key).code == "not-a-key"


@pytest.mark.parametrize(
    ("data", "field", "code"),
    [
        ({"name": 5}, "name", "not-text"),
        ({"name": True}, "name", "not-text"),
        ({"name": None}, "name", "not-text"),
        ({"name": "   "}, "name", "empty"),
        ({"name": "x", "purposes": "Hosting"}, "purposes", "not-a-list"),
        ({"name": "x", "purposes": None}, "purposes", "not-a-list"),
        ({"name": "x", "purposes": [""]}, "purposes.0", "empty"),
        ({"name": "x", "locations": {"country": "DE"}}, "locations", "not-a-list"),
        ({"name": "x", "condition": "always"}, "condition", "not-a-group"),
        ({"name": "x", "role": "Subprocesor"}, "role", "unknown-choice"),
        ({"name": "x", "transfers": [{"regime": "ue"}]}, "transfers.0.regime", "unknown-regime"),
        ([], "", "not-a-group"),
        (None, "", "not-a-group"),
        ("text", "", "not-a-group"),
    ],
)
def test_a_value_of_the_wrong_shape_is_named_for_what_it_is_not(data: object, field: str, code: str) -> None:
    assert [(problem.field, problem.code) for problem in problems_of(data)] == [(field, code)]


def test_a_group_of_which_nothing_is_stated_is_no_group() -> None:
    entry = bare_entry(contact={}, links={"website": None}, transfers=[{"assessment": {}}])
    assert (entry.contact, entry.links, entry.transfers[0].assessment) == (None, None, None)
    assert digest_of(entry.as_document()) == digest_of(bare_entry(transfers=[{}]).as_document())


def test_a_condition_that_says_always_is_a_statement() -> None:
    entry = bare_entry(condition={})
    assert entry.condition is not None
    assert entry.condition.when is ConditionWhen.ALWAYS
    assert entry.as_document()["condition"] == {"when": "always"}
    assert read_entry(entry.as_document()) == entry != bare_entry()


def test_private_facts_are_no_part_of_a_version() -> None:
    private = set(EntryInternals.model_fields)
    assert private == {"owner", "note", "contract_reference", "dpa_signed_on", "review_due_on"}
    assert not private & set(EntryContent.model_fields)
    for field in private:
        assert the_problem(field, **{field: "2026-01-01"}).code == "unknown-field"


def test_a_digest_depends_on_what_is_stated_and_on_nothing_else() -> None:
    turned = dict(reversed(FULL.items()))
    assert digest_of(read_entry(turned).as_document()) == digest_of(full_entry().as_document())
    assert digest_of(full_entry(retention="31 days.").as_document()) != digest_of(full_entry().as_document())
    # As `sha256sum` has it of {"name":"Nimbus","role":"subprocessor"}.
    assert digest_of(bare_entry().as_document()) == "e3b21c8bf67ca813b29bb6dda2586e2ac434a1ac449e3730c480e6f544fc7ce4"


def test_the_canonical_form_is_sorted_tight_utf_8() -> None:
    assert canonical_json({"b": ["ä", 1], "a": None}) == '{"a":null,"b":["ä",1]}'.encode()
