"""Whose turn a sweep is: each slot of time is taken once, whoever comes, and the next one is anybody's again."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.steps.sweep_slots import (
    forget_other_sweeps,
    is_any_failing,
    list_failing_for,
    note_failure,
    note_success,
    shared_clock,
    slot_at,
    take_slot,
    take_this_slot,
)
from registry.steps.sweeps import tick
from registry.tables import FailingSweep, SweepSlot
from registry.tables.engine import make_engine, writing
from tests.world import World, utc

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("now", "every", "begins"),
    [
        ("2026-09-30 08:00", timedelta(seconds=30), "2026-09-30 08:00"),
        ("2026-09-30 08:14", timedelta(minutes=15), "2026-09-30 08:00"),
        ("2026-09-30 23:59", timedelta(hours=1), "2026-09-30 23:00"),
    ],
)
def test_a_slot_begins_at_a_whole_multiple_of_its_length(now: str, every: timedelta, begins: str) -> None:
    assert slot_at(utc(now), every) == utc(begins)
    assert slot_at(utc(now) + every - timedelta(microseconds=1), every) >= utc(begins)


def test_slots_are_those_of_utc_whatever_the_zone_of_now() -> None:
    berlin = datetime.fromisoformat("2026-09-30T10:00:29+02:00")
    assert slot_at(berlin, timedelta(seconds=30)) == utc("2026-09-30 08:00")


def take(world: World, name: str, at: datetime) -> bool:
    with world.writing() as session:
        return take_slot(session, name, at)


def test_a_slot_is_taken_once_and_never_an_earlier_one(world: World) -> None:
    at = utc("2026-09-30 08:00")
    assert take(world, "announce", at)
    assert not take(world, "announce", at)
    assert take(world, "remind", at), "each sweep has slots of its own"
    assert take(world, "announce", at + MINUTE)
    # A worker whose clock is behind runs nothing again.
    assert not take(world, "announce", at)


def test_a_slot_of_a_clock_that_was_set_back_keeps_nothing_waiting(world: World) -> None:
    def take(at: datetime, every: timedelta = MINUTE) -> bool:
        with world.writing() as session:
            return take_slot(session, "announce", at, every)

    at = utc("2026-09-30 08:00")
    assert take(at + timedelta(days=1)), "a clock that is a day ahead"
    assert take(at), "and set right"
    assert not take(at)
    assert take(at + MINUTE)
    hour = timedelta(hours=1)
    assert take(at + hour, hour)
    assert not take(at, hour), "the slot before, by one who read the clock before the hour was full"


def test_of_many_workers_that_come_at_once_one_takes_the_slot(database_url: str) -> None:
    engine = make_engine(database_url)
    together = threading.Barrier(8)
    first = utc("2026-09-30 08:00")

    def take(slots: int) -> list[bool]:
        taken = []
        for number in range(slots):
            together.wait(20)
            with writing(engine) as session:
                taken.append(take_slot(session, "announce", first + number * MINUTE))
        return taken

    with ThreadPoolExecutor(8) as pool:
        rounds = list(zip(*pool.map(take, [10] * 8), strict=True))
    engine.dispose()
    assert [sum(each) for each in rounds] == [1] * 10


def test_a_slot_that_a_transaction_gave_back_is_free_again(world: World) -> None:
    at = utc("2026-09-30 08:00")
    with Session(world.wiring.engine.execution_options(writes=True)) as session:
        assert take_slot(session, "announce", at)
        session.rollback()
    with world.writing() as session:
        assert take_slot(session, "announce", at)


def test_slots_go_by_the_clock_that_all_workers_share(world: World) -> None:
    with world.writing() as session:
        assert take_this_slot(session, world.at, "announce", MINUTE)
        begins = session.scalars(select(SweepSlot.slot_at)).one()
        shared = shared_clock(session, world.at)
    if world.wiring.uses_sqlite:
        assert (shared, begins) == (world.at, world.at)
    else:
        # The database server's own clock, which no test moves.
        assert abs(shared - datetime.now(UTC)) < MINUTE
        assert abs(begins - datetime.now(UTC)) < 2 * MINUTE


def fail(world: World, name: str) -> None:
    with world.writing() as session:
        note_failure(session, world.at, name)


def failing_for(world: World, minutes: int) -> list[str]:
    with world.reading() as session:
        return list_failing_for(session, minutes * MINUTE)


def test_a_sweep_that_failed_fails_for_everybody_until_it_goes_well(world: World) -> None:
    fail(world, "watch")
    with world.reading() as session:
        assert is_any_failing(session)
    note_success(world.wiring.engine, "announce")
    with world.reading() as session:
        assert is_any_failing(session), "another sweep makes nothing of it good"
    note_success(world.wiring.engine, "watch")
    with world.reading() as session:
        assert not is_any_failing(session)


def test_how_long_a_sweep_has_failed_is_from_its_first_failure_to_its_last(world: World) -> None:
    fail(world, "watch")
    world.at += timedelta(hours=5)
    assert failing_for(world, 10) == [], "one failure alone"
    fail(world, "watch")
    fail(world, "announce")
    assert failing_for(world, 10) == ["watch"]
    note_success(world.wiring.engine, "watch")
    fail(world, "watch")
    assert failing_for(world, 10) == []


def test_a_slot_in_which_the_sweep_failed_may_be_taken_again_and_no_earlier_one(world: World) -> None:
    at = utc("2026-09-30 08:00")
    assert take(world, "watch", at)
    assert not take(world, "watch", at)
    fail(world, "announce")
    assert not take(world, "watch", at)
    fail(world, "watch")
    assert take(world, "watch", at)
    assert not take(world, "watch", at - MINUTE)
    note_success(world.wiring.engine, "watch")
    assert not take(world, "watch", at)


def test_a_sweep_that_a_later_release_has_not_is_forgotten(world: World) -> None:
    fail(world, "of_the_release_before")
    fail(world, "watch")
    with world.writing() as session:
        forget_other_sweeps(session, {"watch", "announce"})
        assert session.scalars(select(FailingSweep.sweep)).all() == ["watch"]


def test_a_tick_that_does_the_work_makes_good_what_failed_before(world: World) -> None:
    fail(world, "watch")
    tick(world.wiring.make_sweeping(world.channels, world.clock))
    with world.reading() as session:
        assert not is_any_failing(session)


def test_a_tick_sends_by_all_roads_and_so_makes_good_what_a_workers_sending_by_web_failed_at(world: World) -> None:
    fail(world, "send")
    fail(world, "send_by_web")
    tick(world.wiring.make_sweeping(world.channels, world.clock))
    with world.reading() as session:
        assert session.scalars(select(FailingSweep.sweep)).all() == []


def test_workers_whose_sweep_fails_at_once_leave_one_row(world: World) -> None:
    barrier = threading.Barrier(4)

    def work(_: int) -> None:
        barrier.wait(20)
        fail(world, "watch")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    with world.reading() as session:
        assert session.scalars(select(FailingSweep.sweep)).all() == ["watch"]
