"""A month to choose a date from, and the instants that local times mean."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.lawful_days import (
    FIRST_INSTANT,
    LAST_INSTANT,
    NoSuchTime,
    WhyClosed,
    local_instant,
    plan_month,
)
from tests.world import utc

BERLIN = "Europe/Berlin"
TODAY = date(2026, 9, 30)


@given(st.dates(date(1990, 1, 1), date(2200, 1, 1)))
def test_a_month_has_each_of_its_days_once_in_weeks_from_monday(on: date) -> None:
    month = plan_month(on, TODAY, TODAY, BERLIN)
    days = [day.on for week in month.weeks for day in week if day is not None]
    assert days == [month.first_on + timedelta(days=n) for n in range((month.next - month.first_on).days)]
    assert all(len(week) == 7 for week in month.weeks)
    assert all(day is None or day.on.weekday() == n for week in month.weeks for n, day in enumerate(week))
    assert month.previous < month.first_on <= on < month.next


def test_each_closed_day_says_why() -> None:
    september = {
        day.on.day: day.closed
        for week in plan_month(TODAY, TODAY, date(2026, 9, 30), BERLIN).weeks
        for day in week
        if day
    }
    assert (september[29], september[30]) == (WhyClosed.PAST, None)
    november = plan_month(date(2026, 11, 1), TODAY, date(2026, 11, 16), BERLIN)
    closed = {day.on.day: day.closed for week in november.weeks for day in week if day}
    assert (closed[15], closed[16]) == (WhyClosed.TOO_EARLY, None)
    apia = plan_month(date(2011, 12, 1), date(2011, 12, 1), date(2011, 12, 1), "Pacific/Apia")
    assert {day.on.day: day.closed for week in apia.weeks for day in week if day}[30] is WhyClosed.NO_SUCH_DAY


@pytest.mark.parametrize(
    ("on", "at", "instant"),
    [
        (date(2026, 7, 1), time(9), utc("2026-07-01 07:00")),
        (date(2026, 12, 1), time(9), utc("2026-12-01 08:00")),
        (date(2026, 10, 25), time(2, 30), utc("2026-10-25 00:30")),
    ],
)
def test_a_local_time_is_the_instant_that_its_zone_shows_it_first(on: date, at: time, instant: object) -> None:
    assert local_instant(on, at, BERLIN) == instant


@pytest.mark.parametrize(
    ("on", "at", "zone", "instant"),
    [
        (date.min, time(0), BERLIN, FIRST_INSTANT),
        (date.max, time(23, 59), "America/New_York", LAST_INSTANT),
    ],
)
def test_a_time_that_has_no_date_in_utc_is_the_first_or_last_that_has(
    on: date, at: time, zone: str, instant: datetime
) -> None:
    assert local_instant(on, at, zone) == instant


def test_a_time_that_clocks_skip_is_refused_with_the_next_there_is() -> None:
    with pytest.raises(NoSuchTime) as refusal:
        local_instant(date(2027, 3, 28), time(2, 30), BERLIN)
    assert refusal.value.params["next_at"] == "03:30"
