"""Dates, places, fields and grounds in words."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from registry.domain.changes import FIELD_RULES
from registry.domain.transfers import UNKNOWN, load_mechanisms
from registry.domain.vocabulary import ChangeKind, ConditionWhen, LocationFunction, StatementKind
from registry.pages import wording
from registry.pages.entry_facts import Names, show_field, show_location
from registry.pages.grounds import LEGAL_NAMES, PLAIN_WORDS, ground_in_words

NO_NAMES = Names({}, {})


def test_a_date_is_told_in_words_in_iso_and_with_its_zone() -> None:
    assert wording.date_told(date(2026, 10, 31), "Europe/Berlin") == (
        "Saturday, 31 October 2026 (2026-10-31), Europe/Berlin"
    )


def test_an_instant_belongs_to_the_local_day_of_the_publisher() -> None:
    instant = datetime(2026, 10, 30, 23, 30, tzinfo=UTC)
    assert wording.local_date(instant, "Europe/Berlin") == date(2026, 10, 31)
    assert wording.local_date(instant, "America/New_York") == date(2026, 10, 30)


@pytest.mark.parametrize(
    ("days", "words"),
    [(0, "today"), (1, "tomorrow"), (12, "in 12 days"), (-1, "yesterday"), (-3, "3 days ago")],
)
def test_days_left_are_said_as_people_say_them(days: int, words: str) -> None:
    today = date(2026, 10, 20)
    assert wording.days_left(date.fromordinal(today.toordinal() + days), today) == words


@pytest.mark.parametrize(("last_day", "words"), [(19, "ended"), (20, "ends today"), (21, "1 day left")])
def test_a_period_runs_to_the_end_of_its_last_day(last_day: int, words: str) -> None:
    assert wording.period_left(date(2026, 10, last_day), date(2026, 10, 20)) == words


def test_a_country_is_named_and_a_reach_beyond_one_is_described() -> None:
    assert wording.place_name("NO") == "Norway"
    assert wording.place_name("VN") == "Vietnam"
    assert wording.place_name("edge") == "Network edge, near the user"
    assert wording.place_name("QZ") == "QZ"


def test_every_word_of_the_registry_has_words_for_people() -> None:
    assert set(wording.CHANGE_KINDS) == set(ChangeKind)
    assert set(wording.CONDITIONS) == set(ConditionWhen)
    assert set(wording.FUNCTIONS) == set(LocationFunction)
    assert set(wording.STATEMENTS) == {kind.value for kind in StatementKind}
    parts_of_lists = {field for field in FIELD_RULES if field.startswith(("locations.", "transfers."))}
    assert set(FIELD_RULES) - parts_of_lists <= set(wording.FIELDS)


def test_a_field_of_a_later_release_still_gets_a_readable_name() -> None:
    assert wording.field_name("audit_reports") == "Audit reports"


def test_every_transfer_mechanism_is_said_in_plain_words() -> None:
    assert set(PLAIN_WORDS) == set(load_mechanisms()) - {UNKNOWN}


def test_every_legal_name_can_be_translated() -> None:
    names = {mechanism.label for key, mechanism in load_mechanisms().items() if key not in {UNKNOWN, "other"}}
    assert set(LEGAL_NAMES) == names


def test_a_ground_is_said_in_plain_words_beside_its_legal_name_and_citation() -> None:
    ground = ground_in_words({"regime": "eu", "mechanism": "eu.art46.scc2021.m3", "destination": "US"})
    assert ground.destination == "United States"
    assert ground.plain == (
        "Standard contractual clauses of the European Commission bind the recipient, from processor to processor"
    )
    assert ground.legal == (
        "EU SCC 2021/914 Module 3 (processor to processor), GDPR Art 46(2)(c); Dec (EU) 2021/914, EU law"
    )


def test_an_unknown_ground_is_not_stated_and_another_ground_shows_its_details() -> None:
    assert ground_in_words({"destination": "US"}).in_one_line == "United States: not stated"
    other = ground_in_words({"mechanism": "other", "details": "A treaty, art. 4"})
    assert other.in_one_line == "Another ground, described by the publisher; A treaty, art. 4"


def test_a_ground_this_release_does_not_know_is_shown_by_its_id() -> None:
    assert ground_in_words({"mechanism": "eu.art99.new"}).in_one_line == "eu.art99.new"


def test_an_assessment_and_a_check_are_told_with_their_dates() -> None:
    ground = ground_in_words(
        {
            "mechanism": "eu.art45",
            "checked_on": "2026-02-01",
            "assessment": {"reference": "TIA-7", "made_on": "2026-01-05"},
        }
    )
    assert ground.in_one_line.endswith(
        "; transfer impact assessment: TIA-7, made on 5 January 2026; checked on 1 February 2026"
    )


def test_a_place_without_a_function_says_so() -> None:
    assert show_location({"country": "DE", "place": "Falkenstein"}) == "Falkenstein, Germany (function not stated)"


@pytest.mark.parametrize(
    ("field", "value", "lines"),
    [
        ("role", "independent_controller", ("Independent controller",)),
        ("role", "joint_controller", ("joint_controller",)),
        ("country", "IE", ("Ireland",)),
        ("since", "2024-05-01", ("1 May 2024",)),
        ("condition.when", "opt_out", ("Unless the customer opts out",)),
        ("data_categories", ["E-mail", "Name"], ("E-mail", "Name")),
        ("data_categories", None, ()),
        ("parent", "gone", ("gone",)),
        ("products", None, ("All products",)),
        ("locations", [{"country": "global", "function": "transit"}], ("Worldwide (transit)",)),
    ],
)
def test_a_fields_value_is_shown_in_words(field: str, value: object, lines: tuple[str, ...]) -> None:
    assert show_field(field, value, NO_NAMES) == lines
