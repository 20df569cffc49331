"""A mail server that hangs has the one letter that waits on the wire: that is no end of its standstill."""

from __future__ import annotations

from datetime import timedelta

from registry.channels.base import Answer, Envelope
from tests.steps.holding_cast import look, pending_notice, tasks
from tests.steps.path_cast import sweep
from tests.steps.post_office import DPO, change, delivery_to, use_server
from tests.steps.test_standing_mail import STANDSTILL, since, tried
from tests.world import World

NOBODY_THERE = "smtp://127.0.0.1:1"


def test_the_task_stays_open_while_the_letter_is_tried(world: World) -> None:
    use_server(world, NOBODY_THERE)
    pending_notice(world)
    channel = world.channels["email"]
    real = channel.send

    def hang(envelope: Envelope) -> Answer:
        world.at += timedelta(minutes=2)
        look(world)
        return real(envelope)

    vars(channel)["send"] = hang
    seen = []
    for hours in range(4):
        world.at += timedelta(minutes=62 if hours else 36)
        look(world)
        sweep(world, "send")
        look(world)
        seen.append((len(tasks(world, STANDSTILL)), len(tasks(world, STANDSTILL, is_open=False))))
    assert seen == [(1, 0)] * 4


def test_a_first_try_is_no_letter_that_waits(world: World) -> None:
    pending_notice(world, deliver=False)
    began = world.at - timedelta(days=1)
    tried(world, "smtp", began, "temporary")
    leased = {"state": "leased", "token": "x", "lease_until": world.at + timedelta(minutes=30)}
    change(world, delivery_to(world, DPO), attempt_count=1, **leased)
    assert since(world) == []
    change(world, delivery_to(world, DPO), attempt_count=2)
    assert since(world) == [("smtp", began.isoformat())]
