"""How long personal data is kept: days, cut-offs, and when the use of an address is over (R36)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.deliveries import DeliveryEvent, DeliveryState, next_delivery_state
from registry.domain.errors import IllegalTransition, InvalidInput
from registry.domain.notices import first_instant, is_a_day, latest_day_begun
from registry.domain.publishers import PublisherFacts, read_publisher
from registry.domain.retention import (
    ENDED_DELIVERIES,
    UNDER_WAY,
    AddressUse,
    Kept,
    Retention,
    RetentionKind,
    find_contract_end,
    find_cutoff,
    find_shortened_retention,
    find_use_end,
    is_use_over,
)
from registry.domain.terms import list_time_zones
from registry.domain.vocabulary import Audience

ONE_DAY = timedelta(days=1)
BERLIN = "Europe/Berlin"
ANTOPSIS: dict[str, Any] = {
    "slug": "antopsis",
    "name": "Antopsis",
    "contact": "support@antopsis.io",
    "time_zone": BERLIN,
}

instants = st.datetimes(
    datetime(1990, 1, 1),  # noqa: DTZ001 - hypothesis takes naive bounds and adds the zone itself
    datetime(2080, 1, 1),  # noqa: DTZ001 - the same
    timezones=st.just(UTC),
)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def due_from(ended_at: datetime, days: int, zone: str) -> datetime:
    """The same rule told forwards: the day of the event is not counted, and the last one counts wholly."""
    day = latest_day_begun(ended_at, zone)
    while days > 0:
        day += ONE_DAY
        days -= is_a_day(day, zone)
    return first_instant(day + ONE_DAY, zone)


class TestTheSetting:
    def test_a_publisher_that_says_nothing_keeps_followers_a_year_and_proof_four(self) -> None:
        retention = read_publisher(ANTOPSIS).retention
        proof = dict.fromkeys(("contacts", "letters", "answers", "objections", "documents"), 1461)
        assert retention == Retention(followers=365, drafts=90, sign_ins=365, **proof)

    def test_four_years_reach_to_the_end_of_the_third_year_after_any_day(self) -> None:
        # BGB §§ 195, 199(1): a claim that arose on 1 January 2027 is barred when 2030 has ended.
        assert due_from(utc("2027-01-01 12:00"), 1461, BERLIN) > first_instant(date(2031, 1, 1), BERLIN)
        assert all(
            due_from(utc(f"{year}-01-01 00:00"), 1461, "UTC") > first_instant(date(year + 4, 1, 1), "UTC")
            for year in range(2025, 2034)
        )

    def test_what_is_said_of_one_kind_leaves_the_others(self) -> None:
        retention = read_publisher(ANTOPSIS | {"retention": {"followers": 30, "letters": "forever"}}).retention
        assert retention == Retention(followers=30, letters="forever")
        assert [retention.days_of(kind) for kind in RetentionKind] == [30, 1461, "forever", 1461, 1461, 1461, 90, 365]

    def test_it_survives_being_stored(self) -> None:
        facts = read_publisher(ANTOPSIS | {"retention": {"answers": "forever", "objections": 36_500}})
        assert PublisherFacts.model_validate(facts.model_dump(mode="json")) == facts

    @pytest.mark.parametrize(
        ("given_value", "code"),
        [
            ({"followers": 0}, "too-small"),
            ({"followers": -1}, "too-small"),
            ({"followers": 36_501}, "too-large"),
            ({"followers": True}, "not-a-retention"),
            ({"followers": 30.0}, "not-a-retention"),
            ({"followers": "30"}, "not-a-retention"),
            ({"followers": "for ever"}, "not-a-retention"),
            ({"followers": None}, "not-a-retention"),
        ],
    )
    def test_what_is_neither_days_nor_forever_is_one_problem_at_its_field(
        self, given_value: dict[str, Any], code: str
    ) -> None:
        with pytest.raises(InvalidInput) as refused:
            read_publisher(ANTOPSIS | {"retention": given_value})
        assert [(problem.field, problem.code) for problem in refused.value.problems] == [
            ("publisher.retention.followers", code)
        ]

    def test_an_unknown_kind_is_offered_near_ones(self) -> None:
        with pytest.raises(InvalidInput) as refused:
            read_publisher(ANTOPSIS | {"retention": {"folowers": 3}})
        [problem] = refused.value.problems
        assert (problem.code, problem.params["near"]) == ("unknown-field", ["followers"])

    def test_shortening_is_fewer_days_and_forever_is_the_longest(self) -> None:
        old = Retention(followers=30, contacts="forever", letters=100, answers=100, objections="forever")
        new = Retention(followers=31, contacts=36_500, letters=99, answers="forever", objections="forever")
        assert find_shortened_retention(new, old) == ("contacts", "letters")
        assert find_shortened_retention(old, old) == ()


class TestTheCutOff:
    def test_the_last_day_counts_to_its_last_moment(self) -> None:
        ended_at = utc("2026-03-10 09:00")
        cutoff = find_cutoff(utc("2026-04-09 21:59:59.999999"), 30, BERLIN)
        assert cutoff is not None
        assert not ended_at < cutoff
        assert find_cutoff(utc("2026-04-09 22:00"), 30, BERLIN) == first_instant(date(2026, 3, 11), BERLIN) > ended_at

    def test_days_are_never_hours_times_24(self) -> None:
        # Clocks went forward on 29 March: thirty times 24 hours before this midnight is an hour into 10 March.
        assert find_cutoff(utc("2026-04-09 22:00"), 30, BERLIN) == utc("2026-03-10 23:00")

    def test_the_zone_is_the_publishers(self) -> None:
        now = utc("2026-04-09 18:00")
        assert find_cutoff(now, 1, "Asia/Ho_Chi_Minh") == utc("2026-04-08 17:00")
        assert find_cutoff(now, 1, BERLIN) == utc("2026-04-07 22:00")

    def test_a_date_that_the_zone_left_out_is_not_counted(self) -> None:
        now = first_instant(date(2012, 1, 1), "Pacific/Apia")
        assert find_cutoff(now, 2, "Pacific/Apia") == first_instant(date(2011, 12, 29), "Pacific/Apia")

    def test_forever_has_none(self) -> None:
        assert find_cutoff(utc("2026-04-09 18:00"), "forever", BERLIN) is None

    def test_a_naive_instant_is_refused(self) -> None:
        with pytest.raises(ValueError, match="time zone"):
            find_cutoff(datetime(2026, 4, 9), 3, BERLIN)  # noqa: DTZ001 - a naive one is what is refused

    @given(
        ended_at=instants,
        days=st.integers(1, 500),
        zone=st.sampled_from(sorted(list_time_zones())),
        beside=st.integers(-200_000, 200_000).map(lambda seconds: timedelta(seconds=seconds)) | st.just(timedelta()),
    )
    def test_backwards_and_forwards_agree_in_every_zone_and_no_day_is_short(
        self, ended_at: datetime, days: int, zone: str, beside: timedelta
    ) -> None:
        due = due_from(ended_at, days, zone)
        for now in (due + beside, due, due - timedelta.resolution):
            cutoff = find_cutoff(now, days, zone)
            assert cutoff is not None
            assert (ended_at < cutoff) == (now >= due)
        whole_days = [latest_day_begun(ended_at, zone) + n * ONE_DAY for n in range(1, days + 3)]
        lasting = [day for day in whole_days if is_a_day(day, zone) and first_instant(day + ONE_DAY, zone) <= due]
        assert len(lasting) >= days

    @given(now=instants, days=st.integers(1, 400), zone=st.sampled_from(sorted(list_time_zones())))
    def test_keeping_longer_never_erases_more_and_time_never_brings_back(
        self, now: datetime, days: int, zone: str
    ) -> None:
        cutoffs = [
            find_cutoff(now, days, zone),
            find_cutoff(now, days + 1, zone),
            find_cutoff(now + ONE_DAY, days, zone),
        ]
        cutoff, longer, later = (each for each in cutoffs if each is not None)
        assert longer < cutoff <= later < now + ONE_DAY


T0 = utc("2026-03-10 09:00")


def cutoffs(followers: datetime | None = None, contacts: datetime | None = None) -> dict[RetentionKind, Any]:
    return dict.fromkeys(RetentionKind) | {RetentionKind.FOLLOWERS: followers, RetentionKind.CONTACTS: contacts}


def contact(**facts: Any) -> AddressUse:
    return replace(AddressUse(Audience.CUSTOMER, confirmed_at=T0, ended_at=None), **facts)


def follower(**facts: Any) -> AddressUse:
    return replace(AddressUse(Audience.FOLLOWER, confirmed_at=T0, ended_at=None), **facts)


def later(days: int) -> datetime:
    return T0 + timedelta(days=days)


class TestTheUseOfAnAddress:
    def test_what_stands_has_no_end(self) -> None:
        assert find_use_end(follower()) is None
        assert find_use_end(contact()) is None

    def test_it_is_counted_from_the_end_of_the_subscription(self) -> None:
        assert find_use_end(follower(ended_at=later(5))) == later(5)
        assert find_use_end(contact(ended_at=later(5))) == later(5)

    def test_each_audience_has_its_own_days(self) -> None:
        only_followers = cutoffs(followers=later(6))
        assert is_use_over(follower(ended_at=later(5)), only_followers)
        assert not is_use_over(contact(ended_at=later(5)), only_followers)
        assert is_use_over(contact(ended_at=later(5)), cutoffs(contacts=later(6)))

    def test_the_instant_of_the_cut_off_itself_is_kept(self) -> None:
        assert not is_use_over(follower(ended_at=later(5)), cutoffs(followers=later(5)))
        assert is_use_over(follower(ended_at=later(5)), cutoffs(followers=later(5) + timedelta.resolution))

    def test_a_wish_that_nobody_confirmed_is_over_as_it_ends(self) -> None:
        forever = cutoffs()
        assert is_use_over(follower(confirmed_at=None, ended_at=later(1)), forever)
        assert is_use_over(contact(confirmed_at=None, ended_at=later(1)), forever)
        assert not is_use_over(follower(confirmed_at=None), forever)

    def test_a_contact_that_stands_ends_with_its_customers_contract(self) -> None:
        assert find_use_end(contact(contract_ended_at=later(9))) == later(9)
        assert find_use_end(contact(contract_ended_at=later(9), ended_at=later(5))) == later(5)
        # A person ended it years later; that gives it no further years.
        assert find_use_end(contact(contract_ended_at=later(9), ended_at=later(900))) == later(9)

    def test_a_contact_added_after_the_contract_had_ended_has_its_days_too(self) -> None:
        assert find_use_end(contact(contract_ended_at=later(-900))) == T0

    def test_a_contact_is_counted_from_the_end_of_what_it_was_written_about(self) -> None:
        assert find_use_end(contact(ended_at=later(5), told_until=later(40))) == later(40)
        assert find_use_end(contact(ended_at=later(50), told_until=later(40))) == later(50)

    def test_a_contact_that_is_needed_has_no_end(self) -> None:
        assert find_use_end(contact(ended_at=later(5), is_needed=True)) is None
        assert not is_use_over(contact(contract_ended_at=later(5), is_needed=True), cutoffs(contacts=later(9_000)))

    def test_a_contract_ends_with_the_last_moment_of_its_last_day_in_its_own_zone(self) -> None:
        assert find_contract_end(date(2026, 12, 31), "Asia/Ho_Chi_Minh") == utc("2026-12-31 16:59:59.999999")
        assert find_contract_end(date(2026, 12, 31), BERLIN) == utc("2026-12-31 22:59:59.999999")

    @pytest.mark.parametrize("zone", ["Etc/GMT-14", "UTC", "Etc/GMT+12"])
    def test_a_contract_that_runs_to_the_end_of_the_calendar_never_ends(self, zone: str) -> None:
        never = find_contract_end(date.max, zone)
        assert find_contract_end(date(9999, 12, 30), zone) < never == datetime.max.replace(tzinfo=UTC)
        assert not is_use_over(contact(contract_ended_at=never), cutoffs(contacts=later(9_000)))

    @given(days=st.integers(1, 3000))
    def test_keeping_longer_never_ends_a_use_sooner(self, days: int) -> None:
        use, now = follower(ended_at=T0), later(1500)
        kept: list[Kept] = [days, days + 1, "forever"]
        over = [is_use_over(use, cutoffs(followers=find_cutoff(now, each, BERLIN))) for each in kept]
        assert over == sorted(over, reverse=True)
        assert over[-1] is False


def test_a_delivery_is_under_way_ended_or_before_a_person() -> None:
    assert set(DeliveryState) - UNDER_WAY - ENDED_DELIVERIES == {DeliveryState.NEEDS_ATTENTION}
    assert not UNDER_WAY & ENDED_DELIVERIES
    for state in ENDED_DELIVERIES:
        with pytest.raises(IllegalTransition):
            next_delivery_state(state, DeliveryEvent.CLAIM)
