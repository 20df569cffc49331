"""Workers that die with several letters on the wire: which of them is it put down to, and who gets a copy (R26)."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

import pytest

from registry.channels.base import Accepted, Envelope
from registry.steps.claim_deliveries import LEASE, claim_deliveries, find_held, get_attempt
from registry.steps.recover_leases import SUSPECTS_APART, recover_leases
from registry.steps.settle_delivery import settle_delivery
from registry.steps.start_delivery import start_delivery
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import announce_to, delivery_to, dispatch_of, let_leases_run_out, states_of
from tests.world import World

READERS = [f"reader{n:02}@reader.example" for n in range(24)]
LANES = 8


def work(world: World, fatal: str) -> bool:
    """Have a worker with eight connections send what is due; return whether it died of one of them.

    Then what was on its other connections was taken, and it did not hear of it.
    """
    with world.writing() as session:
        leases = claim_deliveries(session, world.at, world.channels["email"], (), LANES)
    begun: list[Envelope] = []
    for lease in leases:
        with world.writing() as session:
            envelope, _ = start_delivery(session, world.at, lease, dispatch_of(world))
        assert envelope is not None
        begun.append(envelope)
    for envelope in begun:
        if envelope.recipient != fatal:
            world.channels["email"].send(envelope)
    if fatal in [envelope.recipient for envelope in begun]:
        return True
    with world.writing() as session:
        for lease in leases:
            delivery = find_held(session, lease)
            assert delivery is not None
            settle_delivery(
                session, delivery, get_attempt(session, lease), Accepted(250, "ok"), world.at, "email", jitter=0.0
            )
    return False


def recover(world: World) -> None:
    """Take back the letters of the worker that died, half an hour ago."""
    let_leases_run_out(world)
    with world.writing() as session:
        recover_leases(session, world.at)


def copies_of(server: MailServer) -> Counter[str]:
    return Counter(to for message in server.messages for to in message.rcpt_tos)


@pytest.mark.parametrize("readers", [READERS[:LANES], READERS], ids=["one-for-each-lane", "a-list"])
@pytest.mark.parametrize("place", [0, LANES - 1], ids=["first", "last"])
def test_a_letter_that_ends_every_worker_is_found_among_those_on_the_wire_with_it(
    world: World, mail_server: MailServer, readers: list[str], place: int
) -> None:
    announce_to(world, *readers, customers="")
    fatal = readers[place]
    died: list[datetime] = []
    for _ in range(120):
        if died and world.at == died[-1] + LEASE:
            recover(world)
        if work(world, fatal):
            died.append(world.at)
        world.at += timedelta(minutes=1)
    assert len(died) == 3
    assert states_of(world) == {each: "needs_attention" if each == fatal else "accepted" for each in readers}
    assert delivery_to(world, fatal).note == "crashed_repeatedly"
    copies = copies_of(mail_server)
    assert set(copies) == {each for each in readers if each != fatal}
    assert max(copies.values()) == 2
    assert all(delivery_to(world, each).possible_duplicate == (count == 2) for each, count in copies.items())


def test_nobody_gets_a_fourth_copy_where_no_worker_lives_for_long_enough_to_tell(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, *READERS[:LANES], customers="")
    for _ in range(6):
        work(world, READERS[0])
        recover(world)
        world.at += timedelta(hours=1)
    assert set(states_of(world).values()) == {"needs_attention"}
    assert copies_of(mail_server) == dict.fromkeys(READERS[1:LANES], 3)


def test_those_that_had_begun_go_out_again_one_by_one_and_those_that_had_not_at_once(world: World) -> None:
    announce_to(world, *READERS[:4], customers="")
    with world.writing() as session:
        leases = claim_deliveries(session, world.at, world.channels["email"], (), 4)
    for lease in leases[1:3]:
        with world.writing() as session:
            start_delivery(session, world.at, lease, dispatch_of(world))
    recover(world)
    letters = [delivery_to(world, each) for each in READERS[:4]]
    assert [each.state for each in letters] == ["pending", "ambiguous", "ambiguous", "pending"]
    assert [each.crash_count for each in letters] == [0, 1, 1, 0]
    assert [each.due_at - world.at for each in letters] == [timedelta(0), timedelta(0), SUSPECTS_APART, timedelta(0)]
