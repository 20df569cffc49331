"""The machine's clock is set a day forward or back while letters go out: they may be late, and none goes out twice.

On SQLite leases are measured by that clock, on PostgreSQL by the database server's, which these tests leave alone.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.channels.base import Envelope
from registry.steps.recover_leases import recover_leases
from tests.channels.smtp_server import MailServer
from tests.faults.conftest import Figures
from tests.faults.post import Post, check_the_post, count_unfinished, finish, readers
from tests.faults.table import Fault
from tests.faults.workers import Point, Task, Workers
from tests.steps.post_office import announce_to, delivery_to, meanwhile, send
from tests.world import BREMEN, HANOI, World

COUNT = 27
DAY = timedelta(days=1)


def recover(world: World) -> int:
    """Run the sweep that the worker runs beside its sending."""
    with world.writing() as session:
        return recover_leases(session, world.at)


@pytest.mark.parametrize("days", [1, -1], ids=["forward", "back"])
def test_a_clock_that_is_set_while_letters_are_on_the_wire_doubles_none(
    world: World, mail_server: MailServer, figures: Figures, days: int
) -> None:
    announce_to(world, *readers(COUNT - 2), customers=BREMEN + HANOI)
    taken_back: list[int] = []

    def set_the_clock(envelope: Envelope) -> None:
        world.at += days * DAY
        taken_back.append(recover(world))

    def nothing(envelope: Envelope) -> None:
        """Let a letter go out undisturbed."""

    meanwhile(world, nothing, nothing, nothing, nothing, nothing, set_the_clock)
    sent = send(world)
    # Forward on SQLite every lease had run out by that clock, also that of the letter on the wire, which was taken.
    assert taken_back == [COUNT - 5 if world.wiring.uses_sqlite and days > 0 else 0]
    # A clock set back makes what is due wait until it has come so far again.
    assert sent["accepted"] >= 6
    world.at += abs(days) * DAY
    finish(world)
    post = check_the_post(world, mail_server)
    figures(Fault.WALL_CLOCK, f"wall clock set {'forward' if days > 0 else 'back'} a day", world, post)
    assert post == Post(letters=COUNT, extra_copies=0, spent=0)


@pytest.mark.parametrize("days", [1, -1], ids=["forward", "back"])
def test_a_worker_that_died_before_the_clock_was_set_costs_one_marked_copy(
    world: World, mail_server: MailServer, workers: Workers, figures: Figures, days: int
) -> None:
    announce_to(world, *readers(COUNT - 2), customers=BREMEN + HANOI)
    workers.run_until_killed(Task.SEND, Point.ANSWERED, die_after=9)
    world.at += days * DAY
    if days < 0:
        # Leases seem to run for another day, and then they do.
        assert recover(world) == 0
        world.at += DAY + timedelta(hours=1)
    finish(world)
    post = check_the_post(world, mail_server)
    figures(
        Fault.WALL_CLOCK, f"killed, then wall clock {'forward' if days > 0 else 'back'} a day", world, post, kills=1
    )
    assert post == Post(letters=COUNT + 1, extra_copies=1, spent=0)


@pytest.mark.parametrize("days", [1, -1], ids=["forward", "back"])
def test_a_retry_comes_early_or_late_by_a_clock_that_was_set_and_once(
    world: World, mail_server: MailServer, figures: Figures, days: int
) -> None:
    everybody = readers(5)
    for address in everybody[:3]:
        mail_server.script(address, 450, "4.2.1 Busy", times=1)
    announce_to(world, *everybody, customers="")
    assert send(world) == {"accepted": 2, "retry_wait": 3}
    due_at = delivery_to(world, everybody[0]).due_at
    world.at += days * DAY
    assert send(world) == ({"accepted": 3} if days > 0 else {})
    assert delivery_to(world, everybody[0]).due_at == due_at
    world.at = due_at
    send(world)
    assert count_unfinished(world) == 0
    post = check_the_post(world, mail_server)
    figures(Fault.WALL_CLOCK, f"retry, wall clock set {'forward' if days > 0 else 'back'} a day", world, post)
    assert post == Post(letters=5, extra_copies=0, spent=0)
