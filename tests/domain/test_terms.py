"""Notice terms (R8): what is taken, what is refused and how, and which change of terms is a shortening."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from registry.domain.errors import InvalidInput, Problem
from registry.domain.terms import Deemed, Terms, WorkingDays, find_shortened, merge_terms, read_terms

BERLIN = Terms(time_zone="Europe/Berlin")


def refuse(data: object, prefix: str = "notice") -> list[Problem]:
    with pytest.raises(InvalidInput) as refused:
        read_terms(data, prefix)
    return refused.value.problems


def test_terms_that_name_only_a_zone_mean_thirty_calendar_days_and_hold_on_everything() -> None:
    assert read_terms({"time_zone": "Asia/Ho_Chi_Minh"}).model_dump() == {
        "days": 30,
        "objection_days": 30,
        "counting": "calendar",
        "roll_to_working_day": False,
        "time_zone": "Asia/Ho_Chi_Minh",
        "holidays": None,
        "language": "en",
        "authorisation": "general",
        "objection": "hold",
        "undeliverable": "hold",
        "clock_starts_on": "accepted",
        "receipt_by_webhook": False,
        "counting_rule": "eu-1182-71",
    }


def test_terms_survive_being_stored_as_json() -> None:
    terms = read_terms(
        {
            "time_zone": "Europe/Berlin",
            "days": 45,
            "counting": "business",
            "holidays": "DE-SN",
            "undeliverable": {"deemed_after_days": 5, "clause": "DPA § 9.2"},
        }
    )
    assert terms.undeliverable == Deemed(deemed_after_days=5, clause="DPA § 9.2")
    assert read_terms(terms.model_dump(mode="json")) == terms


def test_terms_are_immutable() -> None:
    with pytest.raises(ValidationError):
        BERLIN.days = 10  # type: ignore[misc]  # the freeze is what is tried


def test_an_unknown_zone_is_refused_and_near_ones_are_named() -> None:
    (problem,) = refuse({"time_zone": "Europe/Berln"})
    assert (problem.field, problem.value, problem.code) == ("notice.time_zone", "Europe/Berln", "unknown-time-zone")
    near = problem.params["near"]
    assert isinstance(near, list)
    assert near[0] == "Europe/Berlin"


@pytest.mark.parametrize("zone", ["localtime", "Factory", "../../etc/passwd", "+02:00", "berlin", "Europe/Berlin/"])
def test_what_is_no_place_in_the_time_zone_database_is_no_zone(zone: str) -> None:
    (problem,) = refuse({"time_zone": zone})
    assert problem.code == "unknown-time-zone"


def test_a_missing_zone_is_named_as_missing() -> None:
    (problem,) = refuse({"days": 30})
    assert (problem.field, problem.code) == ("notice.time_zone", "missing")


@pytest.mark.parametrize(
    ("given", "field", "code"),
    [
        ({"days": 0}, "notice.days", "too-small"),
        ({"days": 731}, "notice.days", "too-large"),
        ({"days": "30"}, "notice.days", "not-a-whole-number"),
        ({"days": True}, "notice.days", "not-a-whole-number"),
        ({"days": 30.5}, "notice.days", "not-a-whole-number"),
        ({"objection_days": -1}, "notice.objection_days", "too-small"),
        ({"objection_days": 731}, "notice.objection_days", "too-large"),
        ({"counting": "working"}, "notice.counting", "unknown-choice"),
        ({"roll_to_working_day": "yes"}, "notice.roll_to_working_day", "not-yes-or-no"),
        ({"authorisation": "none"}, "notice.authorisation", "unknown-choice"),
        ({"objection": "ignore"}, "notice.objection", "unknown-choice"),
        ({"clock_starts_on": "sent"}, "notice.clock_starts_on", "unknown-choice"),
        ({"counting_rule": "own"}, "notice.counting_rule", "unknown-choice"),
        ({"language": "English"}, "notice.language", "not-a-language"),
        ({"holidays": "Germany"}, "notice.holidays", "unknown-region"),
        ({"holidays": "de"}, "notice.holidays", "unknown-region"),
        ({"holidays": "DE-"}, "notice.holidays", "unknown-region"),
        ({"holidays": "DE-saxony"}, "notice.holidays", "unknown-region"),
        ({"undeliverable": "deem"}, "notice.undeliverable", "unknown-choice"),
        ({"undeliverable": 5}, "notice.undeliverable", "not-a-group"),
        ({"undeliverable": {"deemed_after_days": 5}}, "notice.undeliverable.clause", "missing"),
        ({"undeliverable": {"deemed_after_days": 5, "clause": " "}}, "notice.undeliverable.clause", "empty"),
        (
            {"undeliverable": {"deemed_after_days": 0, "clause": "§ 9"}},
            "notice.undeliverable.deemed_after_days",
            "too-small",
        ),
        ({"day": 30}, "notice.day", "unknown-field"),
    ],
)
def test_a_refused_value_is_named_with_its_field_and_a_code(given: dict[str, object], field: str, code: str) -> None:
    (problem,) = refuse({"time_zone": "Europe/Berlin", **given})
    assert (problem.field, problem.code) == (field, code)


def test_a_misspelt_field_names_the_one_that_was_meant_inside_a_group_too() -> None:
    outer, inner = refuse(
        {
            "time_zone": "Europe/Berlin",
            "undeliverable": {"deemed_after_days": 5, "clause": "§ 9", "claus": "§ 9"},
            "objecton_days": 3,
        }
    )
    found = {outer.field: outer.params["near"], inner.field: inner.params["near"]}
    assert found == {
        "notice.undeliverable.claus": ["clause"],
        "notice.objecton_days": ["objection_days", "objection"],
    }


def test_a_country_by_name_is_answered_with_its_code() -> None:
    (problem,) = refuse({"time_zone": "Europe/Berlin", "holidays": "Germany"})
    near = problem.params["near"]
    assert isinstance(near, list)
    assert near[0] == "DE (Germany)"


def test_a_region_in_small_letters_is_answered_with_its_capitals() -> None:
    (problem,) = refuse({"time_zone": "Europe/Berlin", "holidays": "de-sn"})
    near = problem.params["near"]
    assert isinstance(near, list)
    assert near[0] == "DE-SN"


def test_every_problem_is_named_at_once() -> None:
    problems = refuse({"time_zone": "Mars/Base", "days": 0, "colour": "red"}, prefix="customers.2.notice")
    assert {problem.field for problem in problems} == {
        "customers.2.notice.time_zone",
        "customers.2.notice.days",
        "customers.2.notice.colour",
    }


def test_something_that_is_no_group_of_terms_is_refused() -> None:
    (problem,) = refuse(["30 days"])
    assert (problem.field, problem.code) == ("notice", "not-a-group")


def test_a_customer_differs_from_its_publisher_only_in_the_fields_its_contract_names() -> None:
    publisher = Terms(time_zone="Europe/Berlin", holidays="DE", undeliverable=Deemed(deemed_after_days=7, clause="§ 3"))
    customer = merge_terms(publisher, {"days": 45, "time_zone": "America/New_York"})
    assert (customer.days, customer.time_zone) == (45, "America/New_York")
    assert customer.model_dump(exclude={"days", "time_zone"}) == publisher.model_dump(exclude={"days", "time_zone"})


def test_an_override_that_cannot_be_is_refused_like_any_other_value() -> None:
    with pytest.raises(InvalidInput) as refused:
        merge_terms(BERLIN, {"days": 0}, prefix="customers.0.notice")
    assert [problem.field for problem in refused.value.problems] == ["customers.0.notice.days"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ({"days": 30}, {"days": 29}),
        ({"objection_days": 30}, {"objection_days": 29}),
        ({"counting": "business"}, {"counting": "calendar"}),
        ({"roll_to_working_day": True}, {"roll_to_working_day": False}),
        ({"holidays": "DE-SN", "counting": "business"}, {"holidays": None, "counting": "business"}),
        ({"authorisation": "specific"}, {"authorisation": "general"}),
        ({"objection": "hold"}, {"objection": "record"}),
        ({"undeliverable": "hold"}, {"undeliverable": Deemed(deemed_after_days=30, clause="§ 9")}),
        (
            {"undeliverable": Deemed(deemed_after_days=30, clause="§ 9")},
            {"undeliverable": Deemed(deemed_after_days=5, clause="§ 9")},
        ),
        ({"clock_starts_on": "delivered"}, {"clock_starts_on": "accepted"}),
        ({"receipt_by_webhook": False}, {"receipt_by_webhook": True}),
    ],
)
def test_terms_that_could_bring_effect_sooner_are_a_shortening_and_the_way_back_is_none(
    old: dict[str, object], new: dict[str, object]
) -> None:
    before, after = merge_terms(BERLIN, old), merge_terms(BERLIN, new)
    changed = tuple(name for name in Terms.model_fields if getattr(before, name) != getattr(after, name))
    assert find_shortened(after, before) == changed
    assert find_shortened(after, before)
    assert not find_shortened(before, after)


def test_longer_days_do_not_make_up_for_a_shorter_time_to_object() -> None:
    assert find_shortened(merge_terms(BERLIN, {"days": 60, "objection_days": 14}), BERLIN) == ("objection_days",)


def test_another_language_or_zone_or_uncounted_holidays_shorten_nothing() -> None:
    old = merge_terms(BERLIN, {"holidays": "DE"})
    assert not find_shortened(merge_terms(old, {"language": "de", "time_zone": "Asia/Tokyo", "holidays": "JP"}), old)


def test_saturdays_sundays_and_holidays_are_not_working_days() -> None:
    working_days = WorkingDays(frozenset({date(2026, 10, 5)}))
    week = [date(2026, 10, day) for day in range(3, 10)]
    assert [day.day for day in week if working_days.is_working_day(day)] == [6, 7, 8, 9]
