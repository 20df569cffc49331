"""When a delivery is tried again, and which goes first (DESIGN §4.4, R26, R29, R31)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from registry.domain.deliveries import delivery_priority, may_repeat_ambiguous, next_try_after
from registry.domain.vocabulary import Audience

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def list_gaps(channel_kind: str) -> list[timedelta]:
    gaps: list[timedelta] = []
    while (gap := next_try_after(channel_kind, len(gaps) + 1, 0.0, None)) is not None:
        gaps.append(gap)
    return gaps


def test_email_is_tried_soon_then_hourly_for_a_day_then_every_four_hours_for_five_days() -> None:
    gaps = list_gaps("email")
    assert gaps[:4] == [MINUTE, 5 * MINUTE, 15 * MINUTE, 30 * MINUTE]
    hourly = gaps[4 : gaps.index(4 * HOUR)]
    assert set(hourly) == {HOUR}
    first_day = sum(gaps[: 4 + len(hourly)], timedelta())
    assert first_day <= DAY < first_day + HOUR
    assert set(gaps[4 + len(hourly) :]) == {4 * HOUR}
    assert sum(gaps, timedelta()) <= 5 * DAY < sum(gaps, timedelta()) + 4 * HOUR


def test_a_webhook_is_tried_at_widening_gaps_then_daily_for_seven_days() -> None:
    gaps = list_gaps("webhook")
    opening = [timedelta(seconds=5), 5 * MINUTE, 30 * MINUTE, *(hours * HOUR for hours in (2, 5, 10, 14, 20, 24))]
    assert gaps[:9] == opening
    assert set(gaps[9:]) == {DAY}
    assert sum(gaps, timedelta()) <= 7 * DAY < sum(gaps, timedelta()) + DAY


@pytest.mark.parametrize("chat", ["slack", "teams"])
def test_a_chat_room_is_tried_as_a_webhook_is(chat: str) -> None:
    assert list_gaps(chat) == list_gaps("webhook")


@given(
    st.sampled_from(["email", "webhook", "slack", "teams"]),
    st.integers(1, 12),
    st.floats(-1, 1),
    st.none() | st.timedeltas(timedelta(), timedelta(days=400)),
)
def test_jitter_moves_a_gap_by_at_most_a_fifth_and_never_below_what_the_server_asked(
    channel_kind: str, attempt_n: int, jitter: float, retry_after: timedelta | None
) -> None:
    plain = next_try_after(channel_kind, attempt_n, 0.0, None)
    waited = next_try_after(channel_kind, attempt_n, jitter, retry_after)
    assert plain is not None
    assert waited is not None
    asked = min(retry_after or timedelta(), DAY)
    assert max(plain * 0.8, asked) <= waited <= max(plain * 1.2, asked)


def test_jitter_reaches_a_fifth_either_way() -> None:
    assert next_try_after("email", 5, -1.0) == 48 * MINUTE
    assert next_try_after("email", 5, 1.0) == 72 * MINUTE


def test_a_server_that_asks_for_patience_gets_it_up_to_a_day() -> None:
    assert next_try_after("email", 1, -1.0, 10 * MINUTE) == 10 * MINUTE
    assert next_try_after("email", 1, 0.0, timedelta(seconds=1)) == MINUTE
    assert next_try_after("webhook", 1, 0.0, 30 * DAY) == DAY


def test_tries_end_with_the_days_even_when_a_server_made_them_few() -> None:
    assert next_try_after("email", 6, 0.0, DAY, waited=5 * DAY - MINUTE) == DAY
    assert next_try_after("email", 6, 0.0, DAY, waited=5 * DAY) is None
    assert next_try_after("webhook", 6, 0.0, None, waited=5 * DAY) == 10 * HOUR
    assert next_try_after("webhook", 6, 0.0, None, waited=7 * DAY) is None


@pytest.mark.parametrize(
    ("channel_kind", "attempt_n", "jitter", "named"),
    [
        ("email", 1, 1.01, "jitter"),
        ("email", 1, float("nan"), "jitter"),
        ("email", 0, 0.0, "tries"),
        ("fax", 1, 0.0, "fax"),
    ],
)
def test_what_cannot_be_a_try_is_refused(channel_kind: str, attempt_n: int, jitter: float, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        next_try_after(channel_kind, attempt_n, jitter, None)


@pytest.mark.parametrize(
    ("road", "ambiguous_tries", "since_first_start", "repeated"),
    [
        ("smtp", 1, MINUTE, True),
        ("smtp", 2, MINUTE, False),
        ("resend", 5, 23 * HOUR - MINUTE, True),
        ("resend", 1, 23 * HOUR, False),
        ("webhook", 5, 3 * DAY, True),
        ("outbox", 5, 3 * DAY, True),
        ("slack", 1, MINUTE, True),
        ("slack", 2, MINUTE, False),
        ("teams", 1, DAY, True),
        ("teams", 2, MINUTE, False),
    ],
)
def test_a_letter_that_may_have_arrived_is_repeated_only_where_a_copy_does_no_harm(
    road: str, ambiguous_tries: int, since_first_start: timedelta, repeated: bool
) -> None:
    assert may_repeat_ambiguous(road, ambiguous_tries, since_first_start) is repeated


def test_there_is_no_rule_for_repeating_over_an_unknown_road() -> None:
    with pytest.raises(ValueError, match="fax"):
        may_repeat_ambiguous("fax", 1, MINUTE)


def test_contacts_go_before_followers_and_the_nearest_deadline_first() -> None:
    soon, later = datetime(2026, 10, 31, tzinfo=UTC), datetime(2026, 10, 31, 0, 15, tzinfo=UTC)
    far = datetime(9999, 12, 31, tzinfo=UTC)
    queue = [
        delivery_priority(audience, deadline_at)
        for audience in (Audience.CUSTOMER, Audience.FOLLOWER)
        for deadline_at in (soon, later, far, None)
    ]
    assert all(first < second for first, second in pairwise(queue))
    assert queue[-1] < 2**31
