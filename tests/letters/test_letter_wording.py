"""Values in words: what a reader sees of a date, a place, a transfer, a field."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from registry.domain.changes import FIELD_RULES
from registry.domain.entries import EntryContent, read_entry
from registry.domain.transfers import load_mechanisms
from registry.domain.vocabulary import ChangeKind, ConditionWhen, LocationFunction, Role
from registry.language import LANGUAGES, speaking
from registry.letters import wording
from registry.letters.rows import describe_change
from tests.letters.cast import CLOUDFLARE, FOUR_CHANGES, HETZNER, change


def test_a_date_stands_in_words_and_iso_with_its_zone() -> None:
    said = wording.say_date(date(2026, 10, 31), "Europe/Berlin")
    assert said == "Saturday, 31 October 2026 (2026-10-31, Europe/Berlin)"


def test_a_deadline_counts_to_the_end_of_its_day() -> None:
    said = wording.say_deadline(date(2026, 10, 31), "Asia/Ho_Chi_Minh")
    assert said == "end of Saturday, 31 October 2026 (2026-10-31, Asia/Ho_Chi_Minh)"


def test_an_instant_is_shown_in_the_publishers_zone_with_its_offset() -> None:
    said = wording.say_instant(datetime(2026, 10, 30, 23, 0, tzinfo=UTC), "Europe/Berlin")
    assert said == "Saturday, 31 October 2026, 00:00 (2026-10-31T00:00+01:00, Europe/Berlin)"


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        wording.say_in_utc(datetime(2026, 10, 30, 23, 0))  # noqa: DTZ001 - a naive instant is what is tested


@pytest.mark.parametrize(
    ("language", "short", "long"),
    [
        ("en", "1 March 2026", "Sunday, 1 March 2026"),
        ("de", "1. März 2026", "Sonntag, 1. März 2026"),
        ("vi", "1 tháng 3 năm 2026", "Chủ Nhật, ngày 1 tháng 3 năm 2026"),
        ("zh", "2026年3月1日", "2026年3月1日星期日"),
        ("klingon", "1 March 2026", "Sunday, 1 March 2026"),
    ],
)
def test_dates_are_written_as_each_language_writes_them(language: str, short: str, long: str) -> None:
    on = date(2026, 3, 1)
    with speaking(language):
        assert wording.say_day(on) == short
        assert wording.say_date(on, "UTC") == f"{long} (2026-03-01, UTC)"


@pytest.mark.parametrize(
    ("language", "said"), [("de", "Deutschland (DE)"), ("vi", "Đức (DE)"), ("zh", "德国 (DE)"), ("xx", "Germany (DE)")]
)
def test_countries_have_the_names_of_each_language(language: str, said: str) -> None:
    with speaking(language):
        assert wording.say_country("DE") == said


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_word_of_a_letter_is_said_in_every_language(language: str) -> None:
    with speaking(language):
        for kind in ChangeKind:
            assert wording.say_kinds((kind,))
            assert kind is ChangeKind.REMOVAL or wording.say_kinds((ChangeKind.ADDITION, kind))
        said = [wording.say_field("role", role.value, {}) for role in Role]
        said += [wording.say_field("condition.when", when.value, {}) for when in ConditionWhen]
        said += [(wording.say_place({"country": "edge", "function": function.value}),) for function in LocationFunction]
    assert len(set(said)) == len(said)


def test_countries_and_reaches_read_as_words_with_their_code() -> None:
    said = [wording.say_country(code) for code in ("DE", "NO", "VN", "edge", "global", "customer-selected")]
    assert said == [
        "Germany (DE)",
        "Norway (NO)",
        "Vietnam (VN)",
        "edge locations (edge)",
        "worldwide (global)",
        "where the customer chooses (customer-selected)",
    ]


@pytest.mark.parametrize("function", list(LocationFunction))
def test_a_place_says_what_is_done_there(function: LocationFunction) -> None:
    said = wording.say_place({"country": "DE", "place": "Falkenstein", "function": function.value})
    assert said.startswith("Germany (DE), Falkenstein: ")
    assert "_" not in said


def test_a_place_whose_function_is_unknown_says_so() -> None:
    assert wording.say_place({"country": "FI"}) == "Finland (FI): function not stated"


@pytest.mark.parametrize("mechanism_id", sorted(set(load_mechanisms()) - {"unknown", "other"}))
def test_every_transfer_mechanism_shows_its_legal_label_and_citation(mechanism_id: str) -> None:
    mechanism = load_mechanisms()[mechanism_id]
    said = wording.say_transfer({"mechanism": mechanism_id, "destination": "US"})
    assert said == f"To United States (US): {mechanism.label} [{mechanism.citation}]."


def test_a_transfer_of_which_nothing_is_known_says_that_it_is_not_stated() -> None:
    assert wording.say_transfer({}) == "Destination not stated: legal ground not stated."


def test_a_transfer_tells_its_details_assessment_and_date_of_check() -> None:
    said = wording.say_transfer(
        {
            "regime": "vn",
            "mechanism": "other",
            "destination": "SG",
            "details": "Consent under article 9",
            "assessment": {"none_because": "none is required"},
            "checked_on": "2026-09-01",
        }
    )
    assert said.split("\n") == [
        "To Singapore (SG): another legal ground, see the details, under Vietnamese PDPL.",
        "Details: Consent under article 9",
        "No transfer impact assessment: none is required",
        "Checked on 1 September 2026 (2026-09-01).",
    ]


def test_every_role_and_condition_has_words() -> None:
    said = [wording.say_field("role", role.value, {})[0] for role in Role]
    said += [wording.say_field("condition.when", when.value, {})[0] for when in ConditionWhen]
    assert all(said)
    assert len(set(said)) == len(Role) + len(ConditionWhen)


def test_every_field_that_can_differ_has_a_label() -> None:
    parts_of_lists = {field for field in FIELD_RULES if field.startswith(("locations.", "transfers."))}
    assert set(wording.FIELD_LABELS) == set(FIELD_RULES) - parts_of_lists


def test_every_kind_of_change_has_words_of_its_own() -> None:
    said = {kind: wording.say_kinds((kind,)) for kind in ChangeKind}
    assert len(set(said.values())) == len(ChangeKind)


def test_a_role_that_becomes_subprocessor_is_not_shown_as_a_new_entry() -> None:
    described = describe_change(FOUR_CHANGES[3], {})
    assert described.headline == "becomes a subprocessor"
    assert not described.is_whole
    assert [(row.label, row.before[0].text, row.after[0].text) for row in described.rows] == [
        ("Role", "independent controller", "subprocessor")
    ]


def test_the_weightiest_differences_come_first_and_details_last() -> None:
    described = describe_change(FOUR_CHANGES[1], {})
    editorial = [row.is_editorial for row in described.rows]
    assert editorial == sorted(editorial)
    assert described.rows[-1].label == "Contact e-mail"


def test_members_that_come_and_go_are_marked_only_where_others_stay() -> None:
    moved = change("hetzner", HETZNER, HETZNER | {"purposes": ["Backups"], "data_categories": ["Account data", "Logs"]})
    by_label = {row.label: row for row in describe_change(moved, {}).rows}
    assert [member.mark for member in by_label["Purpose"].after] == [""]
    assert [member.mark for member in by_label["Personal data"].before] == ["", "no longer"]
    assert [member.mark for member in by_label["Personal data"].after] == ["", "new"]


def test_an_addition_says_what_is_not_stated() -> None:
    described = describe_change(change("x", None, {"name": "X"}), {})
    unknown = {row.label for row in described.rows if row.after[0].text == "not stated"}
    assert unknown == {
        "Legal name",
        "Established in",
        "Purpose",
        "Personal data",
        "People concerned",
        "Places",
        "Transfers",
    }


def test_products_are_named_and_none_means_all_of_them() -> None:
    names = {"streaming": "Live streaming"}
    narrowed = change("cloudflare", CLOUDFLARE, CLOUDFLARE | {"products": ["streaming", "relay"]})
    row = describe_change(narrowed, names).rows[0]
    assert [member.text for member in row.before] == ["all products"]
    assert [member.text for member in row.after] == ["Live streaming", "relay"]


def test_each_field_of_a_full_entry_can_be_told() -> None:
    full = {
        **HETZNER,
        "former_names": ["Old Hetzner"],
        "contact": {"name": "A", "position": "DPO", "email": "a@b.example"},
        "data_subjects": ["Viewers"],
        "special_categories": ["Health"],
        "condition": {"when": "feature", "text": "Recordings"},
        "parent": "cloudflare",
        "links": {
            "website": "https://a.example",
            "privacy": "https://a.example/p",
            "dpa": "https://a.example/d",
            "subprocessors": "https://a.example/s",
            "security": "https://a.example/x",
        },
        "retention": "1 year",
        "since": "2020-01-01",
        "until": "2030-01-01",
    }
    assert set(read_entry(full).as_document()) == set(EntryContent.model_fields) - {"translations"}
    described = describe_change(change("hetzner", None, full), {"streaming": "Live streaming"})
    assert {row.label for row in described.rows} == set(wording.FIELD_LABELS.values()) - {"Name", "Translations"}
    assert not [row for row in described.rows if row.after[0].text == "not stated"]
