"""The notice clock by example: DESIGN §4.3, awkward zones, planning over customers, and what customers are told."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from registry.domain.notices import (
    CustomerTerms,
    NoSuchDay,
    NoticePeriodTooShort,
    check_effective_on,
    first_effective_on,
    first_instant,
    is_a_day,
    is_postponement_due,
    latest_day_begun,
    latest_receipt_at,
    local_date,
    next_told_date,
    plan_clock,
    plan_deemed_receipt_at,
    plan_effective,
    plan_objection_deadline,
)
from registry.domain.terms import Deemed, Terms, WorkingDays

NO_HOLIDAYS = WorkingDays()
BERLIN = Terms(time_zone="Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


@pytest.mark.parametrize(
    ("received", "zone", "roll", "objection_ends", "earliest"),
    [
        ("2026-09-30T08:00+00:00", "Europe/Berlin", False, "Fri 2026-10-30", "2026-10-31T00:00+01:00"),
        ("2026-09-30T22:30+00:00", "Europe/Berlin", False, "Sat 2026-10-31", "2026-11-01T00:00+01:00"),
        ("2026-09-30T22:30+00:00", "Europe/Berlin", True, "Mon 2026-11-02", "2026-11-03T00:00+01:00"),
        ("2026-09-30T18:30+00:00", "Asia/Ho_Chi_Minh", False, "Sat 2026-10-31", "2026-11-01T00:00+07:00"),
    ],
)
def test_the_table_of_the_design_holds(
    received: str, zone: str, roll: bool, objection_ends: str, earliest: str
) -> None:
    clock = plan_clock(utc(received), Terms(time_zone=zone, roll_to_working_day=roll), NO_HOLIDAYS)
    assert f"{clock.objection_ends_on:%a %Y-%m-%d}" == objection_ends
    assert clock.earliest_at == datetime.fromisoformat(earliest)
    assert clock.earliest_at.tzinfo is UTC


def test_counting_hours_would_be_fifteen_hours_early_in_berlin() -> None:
    received_at = utc("2026-09-30T08:00+00:00")
    clock = plan_clock(received_at, BERLIN, NO_HOLIDAYS)
    assert clock.earliest_at - (received_at + timedelta(hours=24 * 30)) == timedelta(hours=15)


def test_the_clock_names_every_one_of_its_dates() -> None:
    terms = Terms(time_zone="Europe/Berlin", days=45, objection_days=14)
    clock = plan_clock(utc("2026-09-30T23:59:59+02:00"), terms, NO_HOLIDAYS)
    assert clock.received_on == date(2026, 9, 30)
    assert clock.notice_ok_at == utc("2026-11-15T00:00+01:00")
    assert (clock.objection_ends_on, clock.objection_ends_at) == (date(2026, 10, 14), utc("2026-10-15T00:00+02:00"))
    assert clock.earliest_at == clock.notice_ok_at


def test_no_days_to_object_end_with_the_day_of_receipt() -> None:
    clock = plan_clock(utc("2026-09-30T08:00+02:00"), Terms(time_zone="Europe/Berlin", objection_days=0), NO_HOLIDAYS)
    assert clock.objection_ends_on == clock.received_on == date(2026, 9, 30)


def test_a_period_over_a_leap_day_counts_it() -> None:
    clock = plan_clock(utc("2028-02-01T12:00+01:00"), BERLIN, NO_HOLIDAYS)
    assert clock.objection_ends_on == date(2028, 3, 2)


@pytest.mark.parametrize(
    ("received", "days", "ends_on"),
    [
        ("2026-10-01T12:00+02:00", 1, date(2026, 10, 2)),
        ("2026-10-02T12:00+02:00", 1, date(2026, 10, 5)),
        ("2026-10-03T12:00+02:00", 1, date(2026, 10, 5)),
        ("2026-10-01T12:00+02:00", 10, date(2026, 10, 15)),
        ("2026-12-23T12:00+01:00", 2, date(2026, 12, 28)),
    ],
)
def test_business_days_are_counted_after_the_day_of_receipt(received: str, days: int, ends_on: date) -> None:
    terms = Terms(time_zone="Europe/Berlin", days=days, objection_days=days, counting="business", holidays="DE")
    clock = plan_clock(utc(received), terms, WorkingDays(frozenset({date(2026, 12, 25), date(2026, 12, 26)})))
    assert clock.objection_ends_on == ends_on
    assert clock.notice_ok_at == clock.objection_ends_at


def test_rolling_passes_over_a_holiday_that_follows_a_weekend() -> None:
    terms = Terms(time_zone="Europe/Berlin", objection_days=2, days=1, roll_to_working_day=True, holidays="DE")
    easter = WorkingDays(frozenset({date(2026, 4, 3), date(2026, 4, 6)}))
    clock = plan_clock(utc("2026-04-02T12:00+02:00"), terms, easter)
    assert clock.objection_ends_on == date(2026, 4, 7)


def test_the_notice_period_itself_never_rolls() -> None:
    terms = Terms(time_zone="Europe/Berlin", objection_days=1, roll_to_working_day=True)
    clock = plan_clock(utc("2026-10-01T12:00+02:00"), terms, NO_HOLIDAYS)
    assert clock.notice_ok_at == utc("2026-11-01T00:00+01:00")


@pytest.mark.parametrize("function", [local_date, latest_day_begun])
def test_a_naive_instant_is_refused(function: object) -> None:
    assert callable(function)
    with pytest.raises(ValueError, match="time zone"):
        function(datetime(2026, 9, 30, 8), "Europe/Berlin")  # noqa: DTZ001 - the naive time is what is refused


@pytest.mark.parametrize(
    ("zone", "on", "begins"),
    [
        ("Europe/Berlin", date(2026, 10, 31), "2026-10-31T00:00+01:00"),
        # Clocks go from 00:00 to 01:00: the day has no midnight.
        ("America/Sao_Paulo", date(2018, 11, 4), "2018-11-04T01:00-02:00"),
        ("Africa/Cairo", date(2024, 4, 26), "2024-04-26T01:00+03:00"),
        ("Asia/Beirut", date(2024, 3, 31), "2024-03-31T01:00+03:00"),
        # From 23:30 to 00:30: the day begins with neither of them.
        ("America/Toronto", date(1919, 3, 31), "1919-03-31T00:30-04:00"),
        # From 23:30 to 00:00.
        ("Asia/Pyongyang", date(2018, 5, 5), "2018-05-05T00:00+09:00"),
        # From 01:00 back to 00:00: midnight comes twice.
        ("America/Havana", date(2024, 11, 3), "2024-11-03T00:00-04:00"),
        ("Atlantic/Azores", date(2024, 10, 27), "2024-10-27T00:00+00:00"),
        # From 00:00 back to 23:00: the day before has twenty-five hours.
        ("America/Sao_Paulo", date(2018, 2, 18), "2018-02-18T00:00-03:00"),
        # From 00:01 back to 23:01: the day begins, is interrupted, and begins again.
        ("America/St_Johns", date(2006, 10, 29), "2006-10-29T00:00-02:30"),
        # The date line was crossed: 30 December was left out.
        ("Pacific/Apia", date(2011, 12, 29), "2011-12-29T00:00-10:00"),
        ("Pacific/Apia", date(2011, 12, 30), "2011-12-31T00:00+14:00"),
        ("Pacific/Apia", date(2011, 12, 31), "2011-12-31T00:00+14:00"),
    ],
)
def test_a_day_begins_at_its_first_instant(zone: str, on: date, begins: str) -> None:
    assert first_instant(on, zone) == datetime.fromisoformat(begins)


def test_a_date_the_zone_leaves_out_is_no_day_and_is_not_counted() -> None:
    assert not is_a_day(date(2011, 12, 30), "Pacific/Apia")
    terms = Terms(time_zone="Pacific/Apia", days=3, objection_days=2)
    clock = plan_clock(utc("2011-12-28T12:00-10:00"), terms, NO_HOLIDAYS)
    assert clock.objection_ends_on == date(2011, 12, 31)
    assert clock.notice_ok_at == utc("2012-01-02T00:00+14:00")


def test_rolling_does_not_end_on_a_date_that_is_left_out() -> None:
    terms = Terms(time_zone="Pacific/Apia", days=1, objection_days=1, roll_to_working_day=True)
    closed = WorkingDays(frozenset({date(2011, 12, 29)}))
    clock = plan_clock(utc("2011-12-28T12:00-10:00"), terms, closed)
    assert clock.objection_ends_on == date(2012, 1, 2)


def test_receipt_in_an_hour_shown_twice_counts_as_the_later_date_that_had_begun() -> None:
    # At 02:00 on 5 March clocks in Casey went back to 23:00 on the 4th.
    second_time = utc("2010-03-04T23:30+08:00")
    assert local_date(second_time, "Antarctica/Casey") == date(2010, 3, 4)
    assert latest_day_begun(second_time, "Antarctica/Casey") == date(2010, 3, 5)
    earlier = plan_clock(utc("2010-03-05T00:30+11:00"), Terms(time_zone="Antarctica/Casey"), NO_HOLIDAYS)
    assert plan_clock(second_time, Terms(time_zone="Antarctica/Casey"), NO_HOLIDAYS) == earlier


def test_the_last_receipt_in_time_is_the_end_of_the_day_that_still_allows_effect() -> None:
    effective_at = utc("2026-11-01T00:00+01:00")
    latest = latest_receipt_at(effective_at, BERLIN, NO_HOLIDAYS)
    assert latest == utc("2026-10-01T23:59:59.999999+02:00")
    assert plan_clock(latest, BERLIN, NO_HOLIDAYS).earliest_at == effective_at


def test_the_last_receipt_in_time_counts_business_days_backwards_over_holidays() -> None:
    terms = Terms(time_zone="Europe/Berlin", days=5, objection_days=5, counting="business", holidays="DE")
    christmas = WorkingDays(frozenset({date(2026, 12, 25), date(2026, 12, 26), date(2027, 1, 1)}))
    latest = latest_receipt_at(utc("2027-01-05T00:00+01:00"), terms, christmas)
    assert latest == utc("2026-12-27T23:59:59.999999+01:00")


def test_the_deadline_printed_follows_from_the_day_of_the_first_try() -> None:
    ends_on, ends_at = plan_objection_deadline(utc("2026-09-30T22:30+00:00"), BERLIN, NO_HOLIDAYS)
    assert (ends_on, ends_at) == (date(2026, 10, 31), utc("2026-11-01T00:00+01:00"))


def test_a_clause_deems_receipt_only_when_every_contact_was_tried() -> None:
    clause = Terms(time_zone="Europe/Berlin", undeliverable=Deemed(deemed_after_days=5, clause="DPA § 9.2"))
    tried_at = utc("2026-10-01T15:00+02:00")
    assert plan_deemed_receipt_at(tried_at, clause, every_contact_tried=True) == utc("2026-10-07T00:00+02:00")
    assert plan_deemed_receipt_at(tried_at, clause, every_contact_tried=False) is None
    assert plan_deemed_receipt_at(tried_at, BERLIN, every_contact_tried=True) is None


ANNOUNCED_AT = utc("2026-09-30T10:00+02:00")
EXAMPLE_GMBH = CustomerTerms("example-customer", "Example Customer GmbH", BERLIN, NO_HOLIDAYS)
SAIGON_TRADING = CustomerTerms(
    "saigon-trading", "Saigon Trading", Terms(time_zone="Asia/Ho_Chi_Minh", days=45, objection_days=14), NO_HOLIDAYS
)
SLOW_BANK = CustomerTerms(
    "slow-bank",
    "Slow Bank",
    Terms(time_zone="America/New_York", days=10, objection_days=60, roll_to_working_day=True),
    NO_HOLIDAYS,
)
SHORT_CONTRACT = CustomerTerms(
    "short", "Short Contract Ltd", Terms(time_zone="Europe/Berlin", days=5, objection_days=5), NO_HOLIDAYS
)


def test_without_customers_the_publishers_own_terms_are_the_floor_counted_from_the_announcement() -> None:
    earliest = plan_effective(ANNOUNCED_AT, BERLIN, NO_HOLIDAYS, "Europe/Berlin", [])
    assert (earliest.effective_on, earliest.effective_at) == (date(2026, 10, 31), utc("2026-10-31T00:00+01:00"))
    assert (earliest.governed_by, earliest.rule, earliest.days) == (None, "notice", 30)


def test_one_short_contract_never_shortens_everyones_notice() -> None:
    earliest = plan_effective(ANNOUNCED_AT, BERLIN, NO_HOLIDAYS, "Europe/Berlin", [SHORT_CONTRACT])
    assert (earliest.effective_on, earliest.governed_by) == (date(2026, 10, 31), None)


def test_customers_are_planned_to_receive_a_day_after_the_announcement() -> None:
    planned = plan_effective(ANNOUNCED_AT, BERLIN, NO_HOLIDAYS, "Europe/Berlin", [EXAMPLE_GMBH])
    assert (planned.effective_on, planned.governed_by) == (date(2026, 11, 1), "example-customer")
    without_margin = plan_effective(
        ANNOUNCED_AT, BERLIN, NO_HOLIDAYS, "Europe/Berlin", [EXAMPLE_GMBH], dispatch_margin_days=0
    )
    assert (without_margin.effective_on, without_margin.governed_by) == (date(2026, 10, 31), None)


def test_the_customer_whose_period_ends_last_governs_with_its_own_rule_and_zone() -> None:
    customers = [EXAMPLE_GMBH, SLOW_BANK, SAIGON_TRADING]
    earliest = plan_effective(ANNOUNCED_AT, BERLIN, NO_HOLIDAYS, "Europe/Berlin", customers)
    assert (earliest.governed_by, earliest.governed_by_name) == ("slow-bank", "Slow Bank")
    assert (earliest.rule, earliest.days, earliest.zone) == ("objection", 60, "America/New_York")
    # Received on 1 October, 60 days end on Monday 30 November; Berlin is then five hours into 1 December.
    assert earliest.clock.objection_ends_on == date(2026, 11, 30)
    assert (earliest.effective_on, earliest.effective_at) == (date(2026, 12, 2), utc("2026-12-02T00:00+01:00"))
    assert earliest == plan_effective(ANNOUNCED_AT, BERLIN, NO_HOLIDAYS, "Europe/Berlin", reversed(customers))


def test_a_customer_east_of_the_publisher_is_counted_in_its_own_dates() -> None:
    late_evening = utc("2026-09-30T20:00+02:00")
    earliest = plan_effective(late_evening, BERLIN, NO_HOLIDAYS, "Europe/Berlin", [SAIGON_TRADING])
    assert earliest.clock.received_on == date(2026, 10, 2)
    assert earliest.effective_on == date(2026, 11, 17)


def test_a_negative_margin_is_refused() -> None:
    with pytest.raises(ValueError, match="dispatch_margin_days"):
        plan_effective(ANNOUNCED_AT, BERLIN, NO_HOLIDAYS, "Europe/Berlin", [], dispatch_margin_days=-1)


def test_a_date_too_early_names_the_customer_the_rule_and_the_first_date_that_would_do() -> None:
    earliest = plan_effective(ANNOUNCED_AT, BERLIN, NO_HOLIDAYS, "Europe/Berlin", [EXAMPLE_GMBH, SAIGON_TRADING])
    with pytest.raises(NoticePeriodTooShort) as refused:
        check_effective_on(date(2026, 11, 14), earliest)
    assert refused.value.params == {
        "requested_on": date(2026, 11, 14),
        "customer": "Saigon Trading",
        "customer_key": "saigon-trading",
        "rule": "notice",
        "days": 45,
        "counting": "calendar",
        "zone": "Asia/Ho_Chi_Minh",
        "first_on": date(2026, 11, 16),
        "publisher_zone": "Europe/Berlin",
    }
    assert check_effective_on(date(2026, 11, 16), earliest) == utc("2026-11-16T00:00+01:00")


def test_a_date_below_the_publishers_floor_names_no_customer() -> None:
    earliest = plan_effective(ANNOUNCED_AT, BERLIN, NO_HOLIDAYS, "Europe/Berlin", [])
    with pytest.raises(NoticePeriodTooShort) as refused:
        check_effective_on(date(2026, 10, 30), earliest)
    assert (refused.value.params["customer"], refused.value.params["customer_key"]) == (None, None)


def test_a_notice_cannot_take_effect_on_a_date_its_publishers_zone_leaves_out() -> None:
    apia = Terms(time_zone="Pacific/Apia", days=1, objection_days=1)
    earliest = plan_effective(utc("2011-12-20T12:00-10:00"), apia, NO_HOLIDAYS, "Pacific/Apia", [])
    with pytest.raises(NoSuchDay) as refused:
        check_effective_on(date(2011, 12, 30), earliest)
    assert refused.value.params == {"on": date(2011, 12, 30), "zone": "Pacific/Apia"}
    assert first_effective_on(utc("2011-12-29T12:00-10:00"), "Pacific/Apia") == date(2011, 12, 31)


def test_the_first_date_is_the_same_day_only_where_it_begins_exactly_then() -> None:
    assert first_effective_on(utc("2026-10-31T00:00+01:00"), "Europe/Berlin") == date(2026, 10, 31)
    assert first_effective_on(utc("2026-10-31T00:00:00.000001+01:00"), "Europe/Berlin") == date(2026, 11, 1)


TOLD_ON = date(2026, 10, 31)
NOW = utc("2026-10-31T00:03+01:00")


def test_a_held_notice_moves_to_the_first_midnight_after_its_last_hold() -> None:
    possible_at = utc("2026-11-04T23:00+07:00")
    assert next_told_date(possible_at, TOLD_ON, NOW, "Europe/Berlin") == date(2026, 11, 5)


def test_a_date_told_is_never_brought_forward() -> None:
    assert next_told_date(utc("2026-10-20T00:00+01:00"), TOLD_ON, utc("2026-10-20T00:00+01:00"), "Europe/Berlin") == (
        TOLD_ON
    )


def test_a_hold_that_ended_yesterday_is_not_back_dated() -> None:
    assert next_told_date(utc("2026-11-04T00:00+01:00"), TOLD_ON, utc("2026-11-05T09:00+01:00"), "Europe/Berlin") == (
        date(2026, 11, 6)
    )


def test_a_hold_without_an_end_is_told_as_until_further_notice() -> None:
    assert next_told_date(None, TOLD_ON, NOW, "Europe/Berlin") is None


@pytest.mark.parametrize(
    ("next_on", "told_on", "postponed_before", "due"),
    [
        (date(2026, 11, 5), TOLD_ON, False, True),
        (None, TOLD_ON, False, True),
        (date(2026, 11, 6), date(2026, 11, 5), True, True),
        (None, date(2026, 11, 5), True, True),
        (date(2026, 11, 5), date(2026, 11, 5), True, False),
        (date(2026, 11, 4), date(2026, 11, 5), True, False),
        (date(2026, 11, 5), None, True, False),
        (None, None, True, False),
    ],
)
def test_a_further_postponement_goes_out_only_when_the_date_told_moves_later(
    next_on: date | None, told_on: date | None, postponed_before: bool, due: bool
) -> None:
    assert is_postponement_due(next_on, told_on, postponed_before=postponed_before) is due
