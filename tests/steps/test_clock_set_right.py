"""The clock was a day ahead, and is set right: what was written meanwhile keeps nobody waiting, and hides nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from registry.channels.alerts import AlertRoad
from registry.channels.base import Rate
from registry.steps import pacing
from registry.steps.alert_operators import send_ping
from registry.steps.check_addresses import check_addresses
from registry.steps.health import look_at_health
from registry.steps.installation import beat
from registry.steps.measurements import measure
from registry.steps.pacing import block, heed, reserve
from registry.steps.sweep_slots import list_failing_for, note_failure
from registry.steps.tasks import TaskKind
from tests.alert_receiver import AlertReceiver
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import look, tasks
from tests.steps.post_office import dispatch_of
from tests.world import BREMEN, World, antopsis

A_DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def new_pace(session: Session, world: World) -> None:
    heed(session, world.at, "resend", Rate(10, SECOND))


def asked_to_wait(session: Session, world: World) -> None:
    block(session, world.at, "resend", timedelta(seconds=30))


@pytest.mark.parametrize("answered", [new_pace, asked_to_wait])
def test_an_answer_that_came_after_the_clock_was_set_right_keeps_nobody_from_sending(
    world: World, monkeypatch: pytest.MonkeyPatch, answered: Callable[[Session, World], Any]
) -> None:
    # The database's own clock was wrong as well.
    monkeypatch.setattr(pacing, "lease_clock", lambda session, now: now)
    with world.writing() as session:
        heed(session, world.at + A_DAY, "resend", Rate(2, SECOND))
        reserve(session, world.at + A_DAY, "resend", 5)
    with world.writing() as session:
        answered(session, world)
    world.at += timedelta(minutes=1)
    with world.writing() as session:
        assert reserve(session, world.at, "resend", 5).granted


def test_a_block_that_the_wrong_clock_noted_is_forgotten_and_one_that_is_asked_for_now_holds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pacing, "lease_clock", lambda session, now: now)
    with world.writing() as session:
        block(session, world.at + A_DAY, "resend", timedelta(hours=1))
    with world.writing() as session:
        asked_to_wait(session, world)
        assert reserve(session, world.at, "resend", 5).wait == timedelta(seconds=30)


def test_a_heartbeat_from_ahead_is_no_sign_of_life_to_anybody(world: World) -> None:
    with world.writing() as session:
        beat(session, world.at + A_DAY)
    with world.reading() as session:
        revision = session.scalar(text("SELECT version_num FROM alembic_version"))
        assert measure(session, world.at).heartbeat_age_seconds == A_DAY.total_seconds()
    health = look_at_health(world.wiring.engine, world.at, revision, frozenset({revision}))
    assert (health.scheduler, health.heartbeat_age) == ("late", A_DAY)
    look(world)
    assert len(tasks(world, TaskKind.HEARTBEAT_LATE.value)) == 1
    with AlertReceiver() as receiver:
        road = AlertRoad(ping_url=f"{receiver.url}/ping")
        assert not send_ping(world.wiring.engine, world.clock, road, lambda: True)
        assert not receiver.arrived


def test_a_sweep_that_failed_first_by_the_wrong_clock_is_named_ten_minutes_after_it_fails_by_the_right_one(
    world: World,
) -> None:
    with world.writing() as session:
        note_failure(session, world.at + A_DAY, "watch")
    for minutes in (1, 6, 11):
        with world.writing() as session:
            note_failure(session, world.at + timedelta(minutes=minutes), "watch")
    with world.reading() as session:
        assert list_failing_for(session, timedelta(minutes=10)) == ["watch"]


def test_addresses_are_tested_each_day_though_one_test_is_dated_in_a_year(
    world: World, mail_server: MailServer
) -> None:
    world.apply(antopsis(customers=BREMEN))
    engine, right = world.wiring.engine, world.at
    world.at = right + timedelta(days=365)
    assert check_addresses(engine, world.clock, dispatch_of(world)) == {"accepted": 1}
    for days in range(3):
        world.at = right + timedelta(days=days)
        assert check_addresses(engine, world.clock, dispatch_of(world)) == {"accepted": 1}
        assert check_addresses(engine, world.clock, dispatch_of(world)) == {}, "once a day"
