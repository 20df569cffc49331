"""The pace of a provider account, and its connections: one row that all workers share (R31)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from registry.channels.base import Accepted, Ambiguous, Answer, Envelope, Rate, TemporaryFailure
from registry.channels.recording import RecordingChannel
from registry.steps import pacing, roads
from registry.steps.claim_deliveries import LEASE, lease_clock
from registry.steps.dispatch import Dispatch
from registry.steps.pacing import (
    AHEAD,
    BLOCKED_FOR,
    CONNECTION_LEASE,
    LONGEST_BLOCK,
    SLOWER_BY,
    Reservation,
    block,
    free_connections,
    give_back,
    give_back_connections,
    heed,
    renew_connections,
    renewed_by_heartbeat,
    reserve,
    take_connections,
)
from registry.steps.send_deliveries import send_deliveries
from registry.tables import Attempt, ProviderConnection, ProviderPacing
from registry.tables.engine import writing
from tests.steps.path_cast import sweep
from tests.steps.post_office import announce_to, change, delivery_to, events, send, states_of, use_channel
from tests.world import World

ACCOUNT = "smtp:notices@mail.example:587"
READERS = [f"reader{n}@reader.example" for n in range(30)]
SECOND = timedelta(seconds=1)
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


def pass_time(world: World, by: timedelta) -> None:
    """Let time go by, for the shared rows in the table: no test moves a database server's clock."""
    world.at += by
    if world.wiring.uses_sqlite:
        return
    with world.writing() as session:
        for pacing in session.scalars(select(ProviderPacing)):
            pacing.next_at -= by
            pacing.blocked_until = pacing.blocked_until and pacing.blocked_until - by
        for connection in session.scalars(select(ProviderConnection)):
            connection.lease_until = connection.lease_until and connection.lease_until - by


class PacedRecording(RecordingChannel):
    """A provider that has a pace. Its answers are scripted."""

    connections_in_all = None

    def __init__(self, per_second: float | None = None, account: str = ACCOUNT) -> None:
        super().__init__(name="smtp")
        self.requests_per_second = per_second
        self.account = account


# Places


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


def send_by_a_running_clock(world: World) -> dict[str, int]:
    """Send as `send` does, while the world's clock goes on as the real one does."""
    wiring, began = world.wiring, time.monotonic()
    dispatch = Dispatch(world.channels, wiring.letterhead, wiring.keyring)
    return send_deliveries(wiring.engine, lambda: world.at + timedelta(seconds=time.monotonic() - began), dispatch)


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


# Connections


def take(world: World, token: str, wanted: int, in_all: int = 4) -> int:
    with world.writing() as session:
        return take_connections(session, world.at, ACCOUNT, token, wanted, in_all)


def test_workers_together_hold_no_more_connections_than_the_account_allows(world: World) -> None:
    assert [take(world, "first", 3), take(world, "second", 3), take(world, "third", 3)] == [3, 1, 0]
    assert take(world, "first", 3) == 3
    with world.writing() as session:
        give_back_connections(session, "first")
    assert take(world, "third", 8) == 3


@pytest.fixture
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """A worker's process that holds no connection yet, whatever the tests before this one did."""
    held: set[str] = set()
    monkeypatch.setattr(pacing, "_held", held)
    with renewed_by_heartbeat():
        yield held


def test_a_connection_whose_worker_died_is_free_after_its_lease(world: World, nothing_held: set[str]) -> None:
    assert take(world, "dead", 4) == 4
    assert take(world, "heir", 4) == 0
    pass_time(world, CONNECTION_LEASE + SECOND)
    assert take(world, "heir", 4) == 4


def test_a_process_without_a_heartbeat_keeps_a_connection_as_long_as_a_letter(world: World) -> None:
    assert take(world, "tick", 4) == 4
    pass_time(world, LEASE - SECOND * 5)
    assert take(world, "next tick", 4) == 0
    pass_time(world, SECOND * 10)
    assert take(world, "next tick", 4) == 4


def test_taking_again_renews_what_is_held(world: World, nothing_held: set[str]) -> None:
    take(world, "worker", 2)
    pass_time(world, CONNECTION_LEASE / 2)
    take(world, "worker", 2)
    pass_time(world, CONNECTION_LEASE * 3 / 4)
    assert take(world, "another", 4) == 2
    with world.reading() as session:
        rows = session.scalars(select(ProviderConnection).where(ProviderConnection.token == "worker")).all()
        clock = lease_clock(session, world.at)
    assert all(row.lease_until is not None and row.lease_until > clock for row in rows)


def test_a_heartbeat_renews_what_its_process_holds_however_long_one_letter_takes(
    world: World, nothing_held: set[str]
) -> None:
    take(world, "worker", 2)
    for _ in range(4):
        pass_time(world, CONNECTION_LEASE * 3 / 4)
        sweep(world, "heartbeat")
    assert take(world, "another", 4) == 2
    with world.writing() as session:
        give_back_connections(session, "worker")
        give_back_connections(session, "another")
    assert nothing_held == set()
    assert take(world, "third", 4) == 4


def test_what_another_process_holds_or_held_is_renewed_by_nobody_else(world: World, nothing_held: set[str]) -> None:
    take(world, "killed", 4)
    nothing_held.clear()
    pass_time(world, CONNECTION_LEASE * 3 / 4)
    sweep(world, "heartbeat")
    pass_time(world, CONNECTION_LEASE / 2)
    assert take(world, "heir", 4) == 4


def test_what_could_not_be_given_back_is_renewed_no_more(world: World, nothing_held: set[str]) -> None:
    take(world, "worker", 4)
    with world.writing() as session:
        give_back_connections(session, "worker")
        session.rollback()
    sweep(world, "heartbeat")
    pass_time(world, CONNECTION_LEASE + SECOND)
    assert take(world, "heir", 4) == 4


def test_the_one_worker_of_an_embedded_database_frees_all_at_its_start(world: World, nothing_held: set[str]) -> None:
    take(world, "killed", 4)
    with world.writing() as session:
        free_connections(session, world.at)
    assert take(world, "heir", 4) == 4


def test_the_one_worker_of_an_embedded_database_takes_nothing_from_a_tick_at_its_start(sqlite_world: World) -> None:
    take(sqlite_world, "tick", 2)
    pass_time(sqlite_world, LEASE / 2)
    with renewed_by_heartbeat():
        take(sqlite_world, "killed", 2)
        with sqlite_world.writing() as session:
            free_connections(session, sqlite_world.at)
        assert take(sqlite_world, "heir", 4) == 2


def test_a_clock_that_was_set_back_keeps_a_worker_from_nothing_at_its_start(sqlite_world: World) -> None:
    take(sqlite_world, "killed", 4)
    pass_time(sqlite_world, -timedelta(hours=1))
    with sqlite_world.writing() as session:
        free_connections(session, sqlite_world.at)
    assert take(sqlite_world, "heir", 4) == 4


def test_a_connection_is_held_all_the_same_while_its_own_heartbeat_renews_it(
    world: World, nothing_held: set[str]
) -> None:
    assert take(world, "worker", 1, in_all=2) == 1
    with ThreadPoolExecutor(1) as pool:
        with world.writing() as session:
            renew_connections(session, world.at)
            taken = pool.submit(take, world, "worker", 1, 2)
            time.sleep(0.3)
        assert taken.result(timeout=30) == 1
    assert take(world, "another", 2, in_all=2) == 1


@pytest.mark.parametrize(
    "act",
    [
        pytest.param(renew_connections, id="renew"),
        pytest.param(lambda session, now: take_connections(session, now, ACCOUNT, "worker", 2, 4), id="take"),
        pytest.param(lambda session, now: give_back_connections(session, "worker"), id="give-back"),
    ],
)
def test_connections_are_locked_in_one_order_so_that_two_threads_never_wait_for_each_other(
    world: World, nothing_held: set[str], act: Callable[[Session, datetime], object]
) -> None:
    def lock(session: Session, n: int) -> ProviderConnection:
        locked = select(ProviderConnection).where(ProviderConnection.n == n).with_for_update(nowait=True)
        return session.scalars(locked).one()

    def work() -> None:
        with writing(world.wiring.engine) as session:
            act(session, world.at)

    take(world, "worker", 2)
    with world.writing() as session:
        # On PostgreSQL it now lies behind the second one.
        lock(session, 1).lease_until = world.at + timedelta(days=1)
    with ThreadPoolExecutor(1) as pool:
        with world.writing() as session:
            lock(session, 1)
            waiting = pool.submit(work)
            time.sleep(0.3)
            assert not waiting.done()
            lock(session, 2)
        waiting.result(timeout=30)


def test_an_account_that_allows_fewer_than_before_takes_none_away_and_gives_none_beyond(world: World) -> None:
    assert take(world, "first", 4, in_all=4) == 4
    assert take(world, "second", 4, in_all=2) == 0
    with world.writing() as session:
        give_back_connections(session, "first")
    assert take(world, "second", 4, in_all=2) == 2


def test_two_workers_at_once_never_hold_the_same_connection(world: World) -> None:
    barrier = threading.Barrier(3)

    def worker(token: str) -> int:
        barrier.wait()
        with writing(world.wiring.engine) as session:
            return take_connections(session, world.at, ACCOUNT, token, 3, 5)

    with ThreadPoolExecutor(3) as pool:
        held = list(pool.map(worker, ["first", "second", "third"]))
    assert sum(held) <= 5
    with world.reading() as session:
        tokens = session.scalars(select(ProviderConnection.token).where(ProviderConnection.token.is_not(None))).all()
    assert len(tokens) == sum(held)


class LimitedRecording(PacedRecording):
    """A provider whose account allows one connection."""

    connections_in_all = 1  # type: ignore[assignment] # other accounts have no such limit


def count_attempts(world: World) -> int:
    with world.reading() as session:
        return session.scalars(select(func.count()).select_from(Attempt)).one()


def lose_the_answer_to_one_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next connections be taken by a commit that stands, while nobody hears that it does."""

    @contextmanager
    def once(engine: Engine) -> Iterator[Session]:
        monkeypatch.setattr(roads, "writing", writing)
        with writing(engine) as session:
            yield session
        raise OperationalError("COMMIT", {}, Exception("server closed the connection unexpectedly"))

    monkeypatch.setattr(roads, "writing", once)


def test_connections_whose_commit_lost_its_answer_are_given_back(
    world: World, nothing_held: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    announce_to(world, *READERS[:3], customers="")
    use_channel(world, LimitedRecording())
    lose_the_answer_to_one_commit(monkeypatch)
    with pytest.raises(OperationalError):
        send(world)
    assert nothing_held == set()
    assert send(world) == {"accepted": 3}


def test_what_a_database_that_is_away_cannot_take_back_is_renewed_no_more(
    world: World, nothing_held: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def away(engine: Engine) -> Iterator[Session]:
        raise OperationalError("BEGIN", {}, Exception("connection refused"))
        yield

    take(world, "worker", 4)
    with monkeypatch.context() as gone:
        gone.setattr("registry.steps.persist.writing", away)
        gone.setattr("registry.steps.persist.PAUSES_FOR_THE_DATABASE", (0.0,))
        with pytest.raises(OperationalError):
            give_back(world.wiring.engine, "worker")
    sweep(world, "heartbeat")
    pass_time(world, CONNECTION_LEASE + SECOND)
    assert take(world, "heir", 4) == 4


class Slow(LimitedRecording):
    """Its first letter is on the wire for twelve minutes. Meanwhile somebody else asks for the connection."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.taken: list[int] = []

    def send(self, envelope: Envelope) -> Answer:
        if not self.taken:
            pass_time(self._world, timedelta(minutes=12))
            self.taken.append(take(self._world, "next tick", 1, in_all=1))
        return super().send(envelope)


def test_a_tick_keeps_its_connection_while_a_letter_is_on_the_wire(world: World) -> None:
    announce_to(world, *READERS[:3], customers="")
    slow = Slow(world)
    use_channel(world, slow)
    assert send(world) == {"accepted": 3}
    assert slow.taken == [0]


def test_a_worker_without_a_connection_claims_nothing_and_sends_once_it_has_one(world: World) -> None:
    announce_to(world, *READERS[:12], customers="")
    take(world, "another worker", 1, in_all=1)
    provider = LimitedRecording()
    use_channel(world, provider)
    assert send(world) == {}
    assert (provider.envelopes, count_attempts(world)) == ([], 0)
    with world.writing() as session:
        give_back_connections(session, "another worker")
    assert send(world) == {"accepted": 12}
    with world.reading() as session:
        assert session.scalars(select(ProviderConnection.token)).all() == [None]


def test_a_worker_that_gets_fewer_connections_than_it_would_open_does_not_ask_for_more_at_every_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wide(LimitedRecording):
        connections = 4

        def sibling(self) -> Wide:
            return self

    announce_to(world, *READERS, customers="")
    asked: list[int] = []

    def take_and_count(*about: Any) -> int:
        asked.append(1)
        return take_connections(*about)

    monkeypatch.setattr("registry.steps.roads.take_connections", take_and_count)
    use_channel(world, Wide())
    assert send(world) == {"accepted": len(READERS)}
    assert len(asked) <= 2


def test_a_worker_that_is_killed_keeps_its_successor_from_sending_for_no_longer_than_its_heartbeat_may_be_late(
    world: World, nothing_held: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException): ...

    class Deadly(LimitedRecording):
        def send(self, envelope: Envelope) -> Answer:
            raise Killed

    announce_to(world, *READERS[:2], customers="")
    later = delivery_to(world, READERS[1])
    change(world, later, due_at=world.at + timedelta(days=1))
    use_channel(world, Deadly())
    with monkeypatch.context() as gone:
        # Nothing is given back.
        gone.setattr("registry.steps.send_deliveries.Run.end", lambda run: None)
        with pytest.raises(Killed):
            send(world)
    nothing_held.clear()
    change(world, later, due_at=world.at)
    use_channel(world, LimitedRecording())
    assert send(world) == {}
    pass_time(world, CONNECTION_LEASE + SECOND)
    sweep(world, "heartbeat")
    assert send(world) == {"accepted": 1}
