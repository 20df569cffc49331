"""What the notice clock promises in every IANA zone and at any instant (DESIGN §4.3, R9–R11).

Days are counted here by an oracle of their own, which looks at noon: zones change their clocks at night, and one that
has no noon on a date has left the whole date out.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from registry.domain.notices import (
    CustomerTerms,
    first_effective_on,
    first_instant,
    is_a_day,
    latest_day_begun,
    latest_receipt_at,
    local_date,
    plan_clock,
    plan_effective,
)
from registry.domain.terms import Terms, WorkingDays, list_time_zones

ONE_DAY = timedelta(days=1)
SHORTEST_TIME = timedelta.resolution
FIRST_ON, LAST_ON = date(1970, 1, 2), date(2060, 12, 31)

quickly = settings(max_examples=150, deadline=None)


@lru_cache(maxsize=4096)
def find_changes_of_clock(zone: str, year: int) -> tuple[date, ...]:
    place = ZoneInfo(zone)
    days = [date(year, 1, 1) + n * ONE_DAY for n in range(365)]
    offsets = [datetime.combine(day, time(12), tzinfo=place).utcoffset() for day in days]
    return tuple(day for day, today, before in zip(days[1:], offsets[1:], offsets, strict=False) if today != before)


zones = st.sampled_from(sorted(list_time_zones()))
instants = st.datetimes(
    datetime(1970, 1, 2),  # noqa: DTZ001 - hypothesis takes naive bounds and adds the zone itself
    datetime(2060, 12, 31),  # noqa: DTZ001 - the same
    timezones=st.just(UTC),
)
periods = st.integers(1, 100)


@st.composite
def zones_and_dates(draw: st.DrawFn) -> tuple[str, date]:
    """A zone and a date: half of them within two days of a change of clocks, where the zone has any that year."""
    zone = draw(zones)
    on = draw(st.dates(FIRST_ON, LAST_ON))
    changes = find_changes_of_clock(zone, on.year)
    about_a_change = draw(st.booleans())
    if about_a_change and changes:
        return zone, draw(st.sampled_from(changes)) + draw(st.integers(-2, 2)) * ONE_DAY
    return zone, on


@st.composite
def zones_and_receipts(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone and an instant of receipt, half of them about a change of clocks some time into the period."""
    zone, on = draw(zones_and_dates())
    begins_at = first_instant(on, zone) - draw(st.integers(0, 40)) * ONE_DAY
    return zone, begins_at + draw(st.timedeltas(timedelta(), timedelta(hours=30)))


working_days = st.builds(WorkingDays, st.frozensets(st.dates(date(2025, 1, 1), date(2028, 12, 31)), max_size=60))


@st.composite
def terms_of(draw: st.DrawFn, zone: str | None = None) -> Terms:
    return Terms(
        time_zone=zone or draw(zones),
        days=draw(periods),
        objection_days=draw(st.integers(0, 100)),
        counting=draw(st.sampled_from(["calendar", "business"])),
        roll_to_working_day=draw(st.booleans()),
    )


def has_noon(on: date, zone: str) -> bool:
    noon = datetime.combine(on, time(12), tzinfo=ZoneInfo(zone))
    return noon.astimezone(UTC).astimezone(ZoneInfo(zone)).date() == on


def list_full_days(after: date, until_at: datetime, zone: str) -> list[date]:
    """The dates later than `after` that the zone has and that are over by `until_at`."""
    found, day = [], after + ONE_DAY
    while first_instant(day + ONE_DAY, zone) <= until_at:
        if has_noon(day, zone):
            found.append(day)
        day += ONE_DAY
    return found


@quickly
@given(zones_and_dates())
@example(("America/Sao_Paulo", date(2018, 11, 4)))
@example(("Africa/Cairo", date(2024, 4, 26)))
@example(("Asia/Beirut", date(2024, 3, 31)))
@example(("America/Havana", date(2024, 11, 3)))
@example(("Atlantic/Azores", date(2024, 10, 27)))
@example(("America/St_Johns", date(2006, 10, 29)))
@example(("Antarctica/Casey", date(2010, 3, 5)))
@example(("Pacific/Apia", date(2011, 12, 30)))
@example(("Pacific/Kwajalein", date(1993, 8, 21)))
@example(("Pacific/Kiritimati", date(1995, 1, 1)))
def test_a_day_begins_at_the_first_instant_whose_calendar_shows_it_or_a_later_one(case: tuple[str, date]) -> None:
    zone, on = case
    begins_at = first_instant(on, zone)
    assert begins_at.tzinfo is UTC
    assert local_date(begins_at, zone) >= on
    assert local_date(begins_at - SHORTEST_TIME, zone) < on
    for quarter_hours in range(1, 4 * 30):
        assert local_date(begins_at - quarter_hours * timedelta(minutes=15), zone) < on
    assert is_a_day(on, zone) == has_noon(on, zone)


@quickly
@given(zones_and_receipts(), periods)
@example(("Pacific/Apia", datetime(2011, 12, 28, 12, tzinfo=UTC)), 3)
@example(("Antarctica/Casey", datetime(2010, 3, 4, 15, 30, tzinfo=UTC)), 1)
@example(("America/St_Johns", datetime(2006, 10, 29, 2, 45, tzinfo=UTC)), 1)
def test_there_are_never_less_than_n_full_local_days_between_the_day_of_receipt_and_effect(
    receipt: tuple[str, datetime], days: int
) -> None:
    zone, received_at = receipt
    clock = plan_clock(received_at, Terms(time_zone=zone, days=days, objection_days=0), WorkingDays())
    full_days = list_full_days(local_date(received_at, zone), clock.notice_ok_at, zone)
    assert len([day for day in full_days if first_instant(day, zone) >= received_at]) == days
    assert local_date(clock.notice_ok_at - SHORTEST_TIME, zone) < local_date(clock.notice_ok_at, zone)


@quickly
@given(zones_and_receipts(), periods, working_days)
def test_business_days_are_that_many_full_working_days(
    receipt: tuple[str, datetime], days: int, working: WorkingDays
) -> None:
    zone, received_at = receipt
    terms = Terms(time_zone=zone, days=days, objection_days=days, counting="business")
    clock = plan_clock(received_at, terms, working)
    full_days = list_full_days(latest_day_begun(received_at, zone), clock.notice_ok_at, zone)
    assert len([day for day in full_days if working.is_working_day(day)]) == days
    assert full_days[-1] == clock.objection_ends_on
    assert working.is_working_day(clock.objection_ends_on)


@quickly
@given(zones_and_dates(), st.floats(0, 1), st.floats(0, 1), st.data())
def test_the_hour_of_receipt_plays_no_part(
    case: tuple[str, date], early: float, late: float, data: st.DataObject
) -> None:
    zone, on = case
    assume(is_a_day(on, zone))
    begins_at, last_at = first_instant(on, zone), first_instant(on + ONE_DAY, zone) - SHORTEST_TIME
    terms = data.draw(terms_of(zone))
    clocks = {
        plan_clock(begins_at + (last_at - begins_at) * part, terms, WorkingDays()) for part in (0, early, late, 1)
    }
    assert len(clocks) == 1


@quickly
@given(zones_and_dates(), st.integers(1, 10))
def test_a_period_over_a_change_of_clocks_ends_on_the_same_date_as_one_beside_it(
    case: tuple[str, date], days: int
) -> None:
    zone, about = case
    terms = Terms(time_zone=zone, days=days, objection_days=days)
    for received_on in (about + n * ONE_DAY for n in range(-12, 4)):
        until = received_on + (days + 1) * ONE_DAY
        if all(has_noon(received_on + n * ONE_DAY, zone) for n in range(days + 2)):
            clock = plan_clock(first_instant(received_on, zone), terms, WorkingDays())
            assert clock.objection_ends_on == received_on + days * ONE_DAY
            assert local_date(clock.notice_ok_at, zone) == until
            assert clock.notice_ok_at == clock.objection_ends_at == first_instant(until, zone)


@quickly
@given(instants, terms_of(), working_days)
def test_the_earliest_effect_is_the_later_end_and_after_receipt(
    received_at: datetime, terms: Terms, working: WorkingDays
) -> None:
    clock = plan_clock(received_at, terms, working)
    assert clock.earliest_at >= clock.notice_ok_at > received_at
    assert clock.earliest_at >= clock.objection_ends_at > received_at
    assert clock.earliest_at in (clock.notice_ok_at, clock.objection_ends_at)
    if terms.roll_to_working_day:
        assert working.is_working_day(clock.objection_ends_on)
        assert has_noon(clock.objection_ends_on, terms.time_zone)


@quickly
@given(zones_and_receipts(), st.timedeltas(timedelta(), timedelta(days=3)), st.data())
def test_a_later_receipt_never_brings_an_earlier_effect(
    receipt: tuple[str, datetime], later: timedelta, data: st.DataObject
) -> None:
    zone, received_at = receipt
    terms, working = data.draw(terms_of(zone)), data.draw(working_days)
    first = plan_clock(received_at, terms, working)
    assert plan_clock(received_at + later, terms, working).earliest_at >= first.earliest_at


@quickly
@given(zones_and_receipts(), st.data())
def test_backward_and_forward_computation_agree(receipt: tuple[str, datetime], data: st.DataObject) -> None:
    zone, effective_at = receipt
    terms, working = data.draw(terms_of(zone)), data.draw(working_days)
    latest = latest_receipt_at(effective_at, terms, working)
    assert plan_clock(latest, terms, working).earliest_at <= effective_at
    assert plan_clock(latest + SHORTEST_TIME, terms, working).earliest_at > effective_at


@quickly
@given(zones_and_receipts(), st.data())
def test_receipt_no_later_than_the_last_one_for_its_own_effect(
    receipt: tuple[str, datetime], data: st.DataObject
) -> None:
    zone, received_at = receipt
    terms, working = data.draw(terms_of(zone)), data.draw(working_days)
    earliest_at = plan_clock(received_at, terms, working).earliest_at
    assert received_at <= latest_receipt_at(earliest_at, terms, working)


@settings(max_examples=80, deadline=None)
@given(instants, terms_of(), zones, st.lists(terms_of(), max_size=4), working_days, st.integers(0, 3))
def test_effect_is_the_first_instant_of_its_date_and_the_first_that_suits_everyone(
    announced_at: datetime,
    publisher_terms: Terms,
    publisher_zone: str,
    customers_terms: list[Terms],
    working: WorkingDays,
    margin: int,
) -> None:
    customers = [CustomerTerms(f"customer-{n}", f"N{n}", terms, working) for n, terms in enumerate(customers_terms)]
    earliest = plan_effective(announced_at, publisher_terms, working, publisher_zone, customers, margin)
    assert earliest.effective_at == first_instant(earliest.effective_on, publisher_zone)
    assert local_date(earliest.effective_at, publisher_zone) == earliest.effective_on
    assert local_date(earliest.effective_at - SHORTEST_TIME, publisher_zone) < earliest.effective_on

    bounds = [plan_clock(announced_at, publisher_terms, working).earliest_at]
    for customer in customers:
        zone = customer.terms.time_zone
        received_on = latest_day_begun(announced_at, zone) + margin * ONE_DAY
        while not is_a_day(received_on, zone):
            received_on -= ONE_DAY
        bounds.append(plan_clock(first_instant(received_on, zone), customer.terms, working).earliest_at)
    assert earliest.effective_at >= max(bounds)
    assert earliest.clock.earliest_at == max(bounds)
    assert first_instant(earliest.effective_on - ONE_DAY, publisher_zone) < max(bounds)


@quickly
@given(instants, zones)
@example(datetime(2011, 12, 30, 9, tzinfo=UTC), "Pacific/Apia")
def test_the_first_effective_date_begins_no_sooner_than_asked_and_within_a_day_and_a_half(
    earliest_at: datetime, zone: str
) -> None:
    effective_on = first_effective_on(earliest_at, zone)
    assert is_a_day(effective_on, zone)
    assert earliest_at <= first_instant(effective_on, zone) < earliest_at + timedelta(hours=36)
