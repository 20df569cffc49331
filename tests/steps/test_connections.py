"""The connections of a provider account: who holds them, for how long, and who may take them then (R31)."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta

import pytest
from sqlalchemy import Engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from registry.steps.claim_deliveries import LEASE, lease_clock
from registry.steps.pacing import (
    CONNECTION_LEASE,
    free_connections,
    give_back,
    give_back_connections,
    renew_connections,
    renewed_by_heartbeat,
    take_connections,
)
from registry.tables import ProviderConnection
from registry.tables.engine import writing
from tests.steps.pacing_cast import ACCOUNT, SECOND, pass_time, take
from tests.steps.path_cast import sweep
from tests.world import World


def test_workers_together_hold_no_more_connections_than_the_account_allows(world: World) -> None:
    assert [take(world, "first", 3), take(world, "second", 3), take(world, "third", 3)] == [3, 1, 0]
    assert take(world, "first", 3) == 3
    with world.writing() as session:
        give_back_connections(session, "first")
    assert take(world, "third", 8) == 3


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
