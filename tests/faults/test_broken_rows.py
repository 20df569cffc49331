"""A letter that raises, or that ends every worker at it, is set aside, and the others go out (R26)."""

from __future__ import annotations

import signal
from collections import Counter
from datetime import timedelta

from sqlalchemy import update

from registry.channels.base import Envelope
from registry.steps.recover_leases import recover_leases
from registry.tables import Address
from tests.channels.smtp_server import MailServer
from tests.faults.conftest import Figures
from tests.faults.post import Post, check_the_post, count_unfinished, let_leases_of, readers
from tests.faults.table import Fault
from tests.faults.workers import PATIENCE, Point, Task, Workers
from tests.steps.post_office import DPO, announce_to, delivery_to, events, meanwhile, send, states_of
from tests.world import BREMEN, World


def test_a_letter_that_ends_each_worker_that_makes_it_is_set_aside_after_three_and_no_other_is(
    world: World, mail_server: MailServer, workers: Workers, figures: Figures
) -> None:
    everybody = readers(25)
    deadly = everybody[13]
    announce_to(world, *everybody, customers="")
    kills = 0
    while count_unfinished(world):
        name = f"w{kills}"
        process = workers.start(Task.SEND, die_at=Point.MAKING, dies_over=deadly, name=name)
        process.join(PATIENCE)
        if process.exitcode == 0:
            break
        assert process.exitcode == -signal.SIGKILL
        kills += 1
        let_leases_of(world, name)
        with world.writing() as session:
            recover_leases(session, world.at)
        assert kills <= 6
    assert Counter(states_of(world).values()) == {"accepted": 24, "needs_attention": 1}
    stuck = delivery_to(world, deadly)
    assert (stuck.state, stuck.note, stuck.crash_count) == ("needs_attention", "crashed_repeatedly", 3)
    assert len(events(world, "delivery.needs_attention")) == 1
    post = check_the_post(world, mail_server)
    figures(Fault.BROKEN_ROW, "a letter that ends every worker", world, post, kills=kills)
    # Letters are made ready together. Who dies at that had a letter on the wire, to which the first death is put down;
    # from then on each is made when it is its turn.
    assert (kills, post) == (4, Post(letters=25, extra_copies=1, spent=1))


class Defect(Exception):
    """What nobody foresaw."""


def test_a_letter_at_which_the_channel_always_raises_is_given_up_and_the_others_go_out(
    world: World, mail_server: MailServer, figures: Figures
) -> None:
    announce_to(world, *readers(24), customers=BREMEN)

    def fail_for_the_contact(envelope: Envelope) -> None:
        if envelope.recipient == DPO:
            raise Defect

    meanwhile(world, *[fail_for_the_contact] * 100)
    runs = raised = 0
    while count_unfinished(world):
        try:
            send(world)
        except Defect:
            raised += 1
        world.at += timedelta(minutes=1)
        runs += 1
        assert runs <= 5
    assert raised == 2
    assert Counter(states_of(world).values()) == {"accepted": 24, "needs_attention": 1}
    # Each time it was on the wire whole before the channel failed, so it may have arrived: it is tried once more only.
    assert delivery_to(world, DPO).note == "may_have_arrived"
    post = check_the_post(world, mail_server)
    figures(Fault.BROKEN_ROW, "a letter at which the channel raises", world, post)
    assert post == Post(letters=26, extra_copies=1, spent=1)


def test_a_letter_that_raises_is_set_aside_at_once_and_the_others_go_out(
    world: World, mail_server: MailServer, workers: Workers, figures: Figures
) -> None:
    everybody = readers(25)
    announce_to(world, *everybody, customers="")
    with world.writing() as session:
        session.execute(update(Address).where(Address.value == everybody[13]).values(value="reader13 at home\r\nX: y"))
    process = workers.start(Task.SEND)
    process.join(PATIENCE)
    assert process.exitcode == 0
    assert Counter(states_of(world).values()) == {"accepted": 24, "needs_attention": 1}
    figures(Fault.BROKEN_ROW, "a letter that raises", world, Post(len(mail_server.messages), 0, 1))
    assert len(mail_server.messages) == 24
