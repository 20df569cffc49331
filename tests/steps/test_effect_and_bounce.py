"""A bounce that takes the last receipt away in the very moment of the effect: it comes before it or after it (R12)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from registry.steps.record_outcome import OutcomeKind
from registry.steps.take_effect import take_effect
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import events
from tests.steps.post_office import DPO, announce_to, report_to, send, standing_of
from tests.world import World, settings_for, utc


@pytest.fixture
def world(postgresql_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    world = World(settings_for(postgresql_url, tmp_path / "instance", mail_server.url), utc("2026-09-30 08:00"))
    yield world
    world.close()


def test_a_bounce_while_the_notice_takes_effect_waits_and_stands_as_one_after_it(world: World) -> None:
    number = announce_to(world)
    assert send(world) == {"accepted": 1}
    world.at += timedelta(days=40)
    bouncing = threading.Thread(target=report_to, args=(world, DPO, OutcomeKind.BOUNCED))
    with world.writing() as session:
        assert take_effect(session, world.at, world.wiring.letterhead)["in_effect"] == 1
        bouncing.start()
        bouncing.join(0.5)
    bouncing.join(20)
    assert world.notice(number).state == "in_effect"
    # What stood at the effect stays; that a receipt was taken away after it is on record, and a task.
    (revoked,) = events(world, "customer.receipt_revoked")
    assert revoked.payload["after_effect"] is True
    assert standing_of(world, "bremen").state == "received"
