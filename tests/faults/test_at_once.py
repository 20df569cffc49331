"""Several workers at once, and the same tick twice: no more happens than once (R31, R38)."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from benchmarks.sink import Sink
from registry.tables import Attempt, Delivery, Statement
from tests.channels.smtp_server import MailServer
from tests.faults.conftest import Figures
from tests.faults.post import Post, check_the_post, readers
from tests.faults.table import Fault
from tests.faults.workers import Task, Workers
from tests.steps.post_office import announce_to, events
from tests.world import BREMEN, HANOI, World, settings_for, utc


def statements(world: World) -> list[str]:
    with world.reading() as session:
        return list(session.scalars(select(Statement.kind).order_by(Statement.id)))


def test_two_ticks_at_once_announce_once_and_send_each_letter_once(
    world: World, mail_server: MailServer, workers: Workers, figures: Figures
) -> None:
    number = announce_to(world, *readers(40), customers=BREMEN + HANOI, announce_at=world.at + timedelta(hours=1))
    assert world.notice(number).state == "published"
    world.at += timedelta(hours=1)
    workers.run_at_once(Task.TICK, 2)
    world.tick()
    assert statements(world) == ["announcement"]
    assert len(events(world, "notice.announced")) == 1
    post = check_the_post(world, mail_server)
    figures(Fault.AT_ONCE, "two ticks at once", world, post)
    assert post == Post(letters=42, extra_copies=0, spent=0)


def test_two_ticks_at_once_on_its_day_let_a_notice_take_effect_once(
    world: World, mail_server: MailServer, workers: Workers
) -> None:
    number = announce_to(world, *readers(3), customers=BREMEN)
    world.tick()
    world.at = utc("2026-10-26 09:00")
    workers.run_at_once(Task.TICK, 2)
    assert statements(world) == ["announcement", "reminder"]
    assert check_the_post(world, mail_server, "reminder") == Post(letters=4, extra_copies=0, spent=0)
    world.at = utc("2026-11-01 23:00")
    workers.run_at_once(Task.TICK, 2)
    assert world.notice(number).state == "in_effect"
    assert statements(world) == ["announcement", "reminder", "effect"]
    assert len(events(world, "notice.took_effect")) == 1
    assert len(world.public().entries) == 2


def test_a_tick_twice_does_what_a_tick_does(world: World, mail_server: MailServer) -> None:
    announce_to(world, *readers(5), customers=BREMEN + HANOI)
    first = world.tick()
    again = world.tick()
    assert first["send"] == {"accepted": 7}
    assert again["send"] == again["send_effect"] == {}
    assert check_the_post(world, mail_server) == Post(letters=7, extra_copies=0, spent=0)


@pytest.mark.parametrize(
    ("at_once", "letters"), [(3, 200), pytest.param(6, 3_000, marks=[pytest.mark.slow, pytest.mark.timeout(200)])]
)
def test_workers_at_once_claim_no_letter_twice(
    database_url: str, tmp_path: Path, sink: Sink, figures: Figures, at_once: int, letters: int
) -> None:
    """On SQLite a lock keeps a second worker from starting. Here it does not, and the claims alone must do."""
    settings = settings_for(database_url, tmp_path / "instance", sink.url)
    with closing(World(settings, utc("2026-09-30 08:00"))) as world, Workers(world) as workers:
        announce_to(world, *readers(letters), customers="")
        workers.run_at_once(Task.SEND, at_once)
        post = check_the_post(world, sink)
        figures(Fault.AT_ONCE, f"{at_once} workers at once", world, post)
        assert post == Post(letters=letters, extra_copies=0, spent=0)
        with world.reading() as session:
            attempts = session.execute(select(Attempt.delivery_id, func.count()).group_by(Attempt.delivery_id)).all()
            tokens = session.scalars(select(Attempt.token).distinct()).all()
            assert session.scalars(select(func.count()).where(Delivery.state == "accepted")).one() == letters
        assert {count for _, count in attempts} == {1}
        assert len(tokens) >= letters // 20
        # On SQLite one that waits for the others' writes may find nothing left.
        assert sink.connections() == at_once or world.wiring.uses_sqlite
