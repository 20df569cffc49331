"""A send that outlasts its lease: another worker takes the letter over, and the record stays true (R26, R29)."""

from __future__ import annotations

from sqlalchemy import select

from registry.steps.recover_leases import recover_leases
from registry.tables import Delivery
from tests.channels.smtp_server import MailServer
from tests.faults.conftest import Figures
from tests.faults.post import Post, check_the_post, let_leases_of, readers
from tests.faults.table import Fault
from tests.faults.workers import PATIENCE, Task, Workers
from tests.steps.post_office import announce_to, attempts_at, delivery_to, events
from tests.world import World


def test_a_worker_whose_letter_took_too_long_settles_nothing_and_begins_nothing_more(
    world: World, mail_server: MailServer, workers: Workers, figures: Figures
) -> None:
    announce_to(world, *readers(4), customers="")
    held = workers.make_hold()
    slow = workers.start(Task.SEND, held=held, name="slow")
    assert held.is_there.wait(PATIENCE)
    # Its first letter was taken by the server; it does not know yet, and three more are in its hands.
    let_leases_of(world, "slow")
    with world.writing() as session:
        assert recover_leases(session, world.at) == 4
    assert world.tick()["send"] == {"accepted": 4}
    held.may_go_on.set()
    slow.join(PATIENCE)
    assert slow.exitcode == 0
    post = check_the_post(world, mail_server)
    figures(Fault.LEASE_OUTLASTED, "a send that outlasts its lease", world, post)
    assert post == Post(letters=5, extra_copies=1, spent=0)
    twice = delivery_to(world, readers(1)[0])
    assert twice.possible_duplicate
    # What the server told the slow one stands on record beside what it told the other.
    assert [each.answer_class for each in attempts_at(world, twice)] == ["accepted", "accepted"]
    with world.reading() as session:
        assert set(session.scalars(select(Delivery.state))) == {"accepted"}
        assert set(session.scalars(select(Delivery.token))) == {None}
    assert sum(event.payload["had_begun"] for event in events(world, "delivery.lease_lapsed")) == 1


def test_an_answer_that_comes_before_anybody_took_the_letter_over_spares_the_copy(
    world: World, mail_server: MailServer, workers: Workers, figures: Figures
) -> None:
    announce_to(world, *readers(4), customers="")
    held = workers.make_hold()
    slow = workers.start(Task.SEND, held=held, name="slow")
    assert held.is_there.wait(PATIENCE)
    let_leases_of(world, "slow")
    with world.writing() as session:
        recover_leases(session, world.at)
    held.may_go_on.set()
    slow.join(PATIENCE)
    world.tick()
    post = check_the_post(world, mail_server)
    figures(Fault.LEASE_OUTLASTED, "a send that outlasts its lease, heard in time", world, post)
    assert post == Post(letters=4, extra_copies=0, spent=0)
