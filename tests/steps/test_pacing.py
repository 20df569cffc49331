"""The pace of a provider account: one row that all workers share (R31)."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from registry.channels.base import Accepted, Ambiguous, Answer, Envelope, Rate, TemporaryFailure
from registry.channels.recording import RecordingChannel
from registry.steps.pacing import AHEAD, BLOCKED_FOR, LONGEST_BLOCK, SLOWER_BY, Reservation, block, heed, reserve
from registry.tables import ProviderPacing
from tests.steps.pacing_cast import (
    ACCOUNT,
    READERS,
    SECOND,
    PacedRecording,
    count_attempts,
    pass_time,
    send_by_a_running_clock,
)
from tests.steps.post_office import announce_to, events, send, states_of, use_channel
from tests.world import World

SLACK = timedelta(seconds=1)
"""On PostgreSQL time is the server's own, which goes on while a test does something."""


def ask(world: World, wanted: int, per_second: float | None = None, account: str = ACCOUNT) -> Reservation:
    with world.writing() as session:
        return reserve(session, world.at, account, wanted, per_second)


def learn(world: World, requests: int, per: timedelta) -> None:
    with world.writing() as session:
        heed(session, world.at, ACCOUNT, Rate(requests, per))


def shut(world: World, retry_after: timedelta | None, account: str = ACCOUNT) -> None:
    with world.writing() as session:
        block(session, world.at, account, retry_after)


def test_an_account_without_a_pace_is_asked_as_fast_as_anybody_likes_and_leaves_no_row(world: World) -> None:
    assert [ask(world, 100), ask(world, 7)] == [Reservation(100), Reservation(7)]
    with world.reading() as session:
        assert session.scalars(select(func.count()).select_from(ProviderPacing)).one() == 0


def test_the_operators_rate_spaces_requests_and_no_more_than_a_second_is_reserved_ahead(world: World) -> None:
    first = ask(world, 100, 10)
    assert (first.granted, first.interval) == (10, SECOND / 10)
    assert first.wait < SLACK / 2
    second = ask(world, 100, 10)
    assert second.granted == 10
    assert SECOND - SLACK <= second.wait <= SECOND
    third = ask(world, 100, 10)
    assert third.granted == 0
    assert timedelta(0) < third.wait <= SECOND
    pass_time(world, 2 * SECOND)
    assert ask(world, 3, 10).granted == 3


def test_a_pace_slower_than_one_a_second_grants_one_request_at_a_time(world: World) -> None:
    assert ask(world, 50, 0.1).granted == 1
    refused = ask(world, 50, 0.1)
    assert refused.granted == 0
    assert 9 * SECOND - SLACK <= refused.wait <= 9 * SECOND
    pass_time(world, refused.wait)
    late = ask(world, 50, 0.1)
    assert late.granted == 1
    assert late.wait <= AHEAD


def test_a_pace_the_provider_asked_for_is_kept_by_whoever_asks_next(world: World) -> None:
    learn(world, 2, SECOND)
    granted = ask(world, 100)
    assert (granted.granted, granted.interval) == (1, SLOWER_BY * SECOND / 2)
    learn(world, 10, SECOND)
    pass_time(world, 2 * SECOND)
    assert ask(world, 100).granted == 9


def test_requests_that_were_under_way_before_a_pace_was_known_are_left_room_for(world: World) -> None:
    with world.writing() as session:
        heed(session, world.at, ACCOUNT, Rate(4, SECOND), uncounted=3)
    wait = ask(world, 100).wait
    assert SLOWER_BY * SECOND / 4 < wait <= SLOWER_BY * SECOND * 3 / 4


@pytest.mark.parametrize(
    ("asked", "operators", "interval"),
    [(2, 10.0, SLOWER_BY * SECOND / 2), (10, 2.0, SECOND / 2), (5, None, SLOWER_BY * SECOND / 5)],
)
def test_of_the_providers_and_the_operators_rate_the_slower_holds(
    world: World, asked: int, operators: float | None, interval: timedelta
) -> None:
    learn(world, asked, SECOND)
    pass_time(world, SECOND)
    assert ask(world, 100, operators).interval == interval


@pytest.mark.parametrize("rate", [Rate(0, SECOND), Rate(5, timedelta(0)), Rate(-1, SECOND), None])
def test_a_rate_that_cannot_be_kept_is_not_heeded(world: World, rate: Rate | None) -> None:
    with world.writing() as session:
        heed(session, world.at, ACCOUNT, rate)
    assert ask(world, 100) == Reservation(100)


@pytest.mark.parametrize(
    "rate", [Rate(1, timedelta(days=11_574)), Rate(2, timedelta(days=400)), Rate(1, timedelta.max)]
)
def test_no_pace_stops_mail_for_longer_than_an_account_is_ever_left_alone(world: World, rate: Rate) -> None:
    with world.writing() as session:
        heed(session, world.at, ACCOUNT, rate, uncounted=8)
    assert ask(world, 100).wait <= LONGEST_BLOCK
    pass_time(world, LONGEST_BLOCK)
    first = ask(world, 100)
    assert (first.granted, first.interval) == (1, LONGEST_BLOCK)
    assert first.wait <= AHEAD
    pass_time(world, LONGEST_BLOCK)
    assert ask(world, 100).granted == 1


def test_workers_at_once_share_one_row_and_never_have_the_same_place(world: World) -> None:
    ask(world, 1, 100)
    with world.reading() as session:
        begins_at = session.get_one(ProviderPacing, ACCOUNT).next_at
    barrier = threading.Barrier(4)

    def worker(_: int) -> list[Reservation]:
        barrier.wait(10)
        return [ask(world, 6, 100) for _ in range(4)]

    with ThreadPoolExecutor(4) as pool:
        reserved = [each for several in pool.map(worker, range(4)) for each in several]
    granted = sum(each.granted for each in reserved)
    assert granted == 96
    with world.reading() as session:
        # Each place lies behind the one before; where nobody asked for a while there is a gap besides.
        assert session.get_one(ProviderPacing, ACCOUNT).next_at >= begins_at + granted * SECOND / 100


def test_accounts_have_a_pace_each(world: World) -> None:
    ask(world, 1, 0.01)
    assert ask(world, 1, 0.01).granted == 0
    assert ask(world, 1, 0.01, account="smtp:@another.example:25").granted == 1


# 429
@pytest.mark.parametrize(
    ("retry_after", "blocked_for"),
    [(None, BLOCKED_FOR), (timedelta(minutes=5), timedelta(minutes=5)), (timedelta(days=9), LONGEST_BLOCK)],
)
def test_an_account_that_asked_to_be_left_alone_grants_nothing_to_anybody_until_then(
    world: World, retry_after: timedelta | None, blocked_for: timedelta
) -> None:
    shut(world, retry_after)
    refused = ask(world, 5)
    assert refused.granted == 0
    assert blocked_for - SLACK <= refused.wait <= blocked_for
    (event,) = events(world, "provider.blocked")
    assert (event.subject, event.payload["seconds"]) == (ACCOUNT, blocked_for.total_seconds())
    pass_time(world, blocked_for)
    assert ask(world, 5) == Reservation(5)


def test_a_shorter_block_does_not_end_a_longer_one_and_is_not_told_twice(world: World) -> None:
    shut(world, timedelta(hours=1))
    shut(world, SECOND)
    assert ask(world, 5).wait > timedelta(minutes=59)
    assert len(events(world, "provider.blocked")) == 1


def test_a_pace_holds_again_once_a_block_is_over(world: World) -> None:
    learn(world, 4, SECOND)
    shut(world, timedelta(minutes=1))
    pass_time(world, timedelta(minutes=1))
    assert ask(world, 100).granted == 3


@pytest.mark.parametrize("retry_after", [timedelta(seconds=90), None], ids=["retry-after", "without"])
@pytest.mark.parametrize("kind", [TemporaryFailure, Ambiguous])
def test_after_a_429_every_worker_waits_and_what_was_not_begun_is_due_again_at_once(
    world: World, retry_after: timedelta | None, kind: type[TemporaryFailure] | type[Ambiguous]
) -> None:
    announce_to(world, *READERS[:8], customers="")
    provider = PacedRecording()
    provider.script(READERS[2], kind(429, "too many requests", retry_after), Accepted(250, "taken"))
    use_channel(world, provider)
    first = send(world)
    refused = "retry_wait" if kind is TemporaryFailure else "ambiguous"
    assert first == {"accepted": 2, refused: 1}
    assert list(states_of(world).values()).count("pending") == 5
    # Another worker's run, a moment later: it claims nothing.
    other = PacedRecording()
    use_channel(world, other)
    assert send(world) == {}
    assert other.envelopes == []
    (event,) = events(world, "provider.blocked")
    assert event.payload["seconds"] == (retry_after or BLOCKED_FOR).total_seconds()
    pass_time(world, retry_after or BLOCKED_FOR)
    assert send(world)["accepted"] >= 5
    assert all(state != "pending" for state in states_of(world).values())


def test_a_429_of_one_customers_endpoint_shuts_no_account_and_keeps_nobody_else_waiting(world: World) -> None:
    """Webhooks have no account in common: each endpoint is somebody else's."""
    announce_to(world, *READERS[:6], customers="")
    endpoints = RecordingChannel(name="webhook")
    endpoints.script(READERS[1], TemporaryFailure(429, "slow down", timedelta(hours=1)))
    use_channel(world, endpoints)
    assert send(world) == {"accepted": 5, "retry_wait": 1}
    assert events(world, "provider.blocked") == []
    with world.reading() as session:
        assert session.scalars(select(func.count()).select_from(ProviderPacing)).one() == 0


# The engine keeps to it
class Stamping(PacedRecording):
    """Notes the moment of each request."""

    def __init__(self, per_second: float | None = None, rate: Rate | None = None) -> None:
        super().__init__(per_second)
        self.moments: list[float] = []
        self._rate = rate

    def send(self, envelope: Envelope) -> Answer:
        self.moments.append(time.monotonic())
        super().send(envelope)
        return Accepted(250, "taken", rate=self._rate)


def test_a_run_keeps_the_operators_rate(world: World) -> None:
    announce_to(world, *READERS[:12], customers="")
    provider = Stamping(per_second=40)
    use_channel(world, provider)
    assert send_by_a_running_clock(world) == {"accepted": 12}
    assert provider.moments[-1] - provider.moments[0] >= 10 / 40


def test_a_pace_learned_from_the_first_answer_holds_for_the_second_request(world: World) -> None:
    announce_to(world, *READERS[:6], customers="")
    provider = Stamping(rate=Rate(20, SECOND))
    use_channel(world, provider)
    assert send_by_a_running_clock(world) == {"accepted": 6}
    assert provider.moments[-1] - provider.moments[0] >= 3.5 / 20


def test_a_slow_pace_claims_no_more_than_it_may_send(world: World) -> None:
    """What is claimed and given back again and again grows the record, and is made ready in vain."""
    announce_to(world, *READERS, customers="")
    provider = PacedRecording(per_second=0.05)
    use_channel(world, provider)
    for _ in range(3):
        assert send(world) == {"accepted": 1}
        assert send(world) == {}
        pass_time(world, timedelta(seconds=21))
    assert count_attempts(world) == 3


def test_a_pace_below_one_a_second_is_kept_within_one_run(world: World) -> None:
    announce_to(world, *READERS[:2], customers="")
    provider = Stamping(per_second=0.9)
    use_channel(world, provider)
    assert send_by_a_running_clock(world) == {"accepted": 2}
    assert provider.moments[-1] - provider.moments[0] >= 1.0


def test_a_clock_that_was_set_back_keeps_nobody_waiting_until_it_has_caught_up(world: World) -> None:
    learn(world, 10, SECOND)
    ask(world, 10)
    shut(world, timedelta(minutes=5))
    pass_time(world, -timedelta(days=1))
    if not world.wiring.uses_sqlite:
        with world.writing() as session:
            session.get_one(ProviderPacing, ACCOUNT).updated_at += timedelta(days=1)
    assert ask(world, 100).granted == 9
    assert ask(world, 100).wait <= SECOND
