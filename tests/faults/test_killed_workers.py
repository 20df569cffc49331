"""A worker killed at the worst moments: no letter is lost, and none is doubled that is not marked (DESIGN §4.4)."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from registry.domain.errors import RegistryError
from registry.tables import Delivery, Event, Letter, NoticeCustomer, Statement
from tests.channels.smtp_server import MailServer
from tests.faults.conftest import Figures
from tests.faults.post import Post, check_the_post, finish, readers
from tests.faults.table import Fault
from tests.faults.workers import PATIENCE, Point, Task, Workers
from tests.steps.post_office import add_followers, announce_to, events, let_leases_run_out
from tests.world import BREMEN, HANOI, World, antopsis

COUNT = 27


def marked(world: World) -> int:
    with world.reading() as session:
        return session.scalars(select(func.count()).where(Delivery.possible_duplicate)).one()


def test_a_worker_killed_between_claim_and_send_costs_no_letter_and_doubles_none(
    world: World, mail_server: MailServer, workers: Workers, figures: Figures
) -> None:
    announce_to(world, *readers(COUNT - 2), customers=BREMEN + HANOI)
    workers.run_until_killed(Task.TICK, Point.CLAIMED)
    assert len(mail_server.messages) == 0
    finish(world)
    post = check_the_post(world, mail_server)
    figures(Fault.KILLED_AT_A_POINT, "killed between claim and send", world, post, kills=1)
    assert post == Post(letters=COUNT, extra_copies=0, spent=0)
    assert marked(world) == 0


def test_a_worker_killed_before_a_letter_is_on_the_wire_costs_none_and_doubles_none(
    world: World, mail_server: MailServer, workers: Workers, figures: Figures
) -> None:
    announce_to(world, *readers(COUNT - 2), customers=BREMEN + HANOI)
    workers.run_until_killed(Task.TICK, Point.STARTED, die_after=24)
    assert len(mail_server.messages) == 23
    finish(world)
    post = check_the_post(world, mail_server)
    figures(Fault.KILLED_AT_A_POINT, "killed before the wire", world, post, kills=1)
    assert post == Post(letters=COUNT, extra_copies=0, spent=0)
    # Nobody could know that it never left.
    assert marked(world) == 1


@pytest.mark.parametrize(("point", "after"), [(Point.ANSWERED, 23), (Point.CLAIMED, 24)], ids=["at-once", "at-next"])
def test_a_worker_killed_between_the_servers_yes_and_the_commit_costs_one_marked_copy(
    world: World, mail_server: MailServer, workers: Workers, figures: Figures, point: Point, after: int
) -> None:
    announce_to(world, *readers(COUNT - 2), customers=BREMEN + HANOI)
    workers.run_until_killed(Task.TICK, point, die_after=after)
    assert len(mail_server.messages) == 23
    finish(world)
    post = check_the_post(world, mail_server)
    figures(Fault.KILLED_BEFORE_COMMIT, "killed between 250 and commit", world, post, kills=1)
    assert post == Post(letters=COUNT + 1, extra_copies=1, spent=0)
    assert marked(world) == 1


def test_one_worker_killed_after_another_costs_one_marked_copy_each_at_most(
    world: World, mail_server: MailServer, workers: Workers, figures: Figures
) -> None:
    announce_to(world, *readers(58), customers=BREMEN + HANOI)
    deaths = [(Point.ANSWERED, 3), (Point.STARTED, 4), (Point.ANSWERED, 7)]
    for point, after in deaths:
        workers.run_until_killed(Task.SEND, point, die_after=after)
    finish(world)
    post = check_the_post(world, mail_server)
    figures(Fault.KILLED_AT_A_POINT, "three killed, one after the other", world, post, kills=3)
    assert (post.extra_copies, post.spent) == (2, 0)
    assert marked(world) == 3
    lapsed = events(world, "delivery.lease_lapsed")
    assert sum(event.payload["had_begun"] is True for event in lapsed) == 3


def test_a_letter_over_which_two_workers_died_before_the_wire_is_tried_once_more(
    world: World, mail_server: MailServer, workers: Workers, figures: Figures
) -> None:
    announce_to(world, *readers(1), customers="")
    for _ in range(2):
        workers.run_until_killed(Task.TICK, Point.STARTED)
        let_leases_run_out(world)
    finish(world)
    post = check_the_post(world, mail_server)
    figures(Fault.KILLED_AT_A_POINT, "two killed over one letter", world, post, kills=2)
    assert post == Post(letters=1, extra_copies=0, spent=0)


@pytest.mark.parametrize("point", [Point.ANNOUNCING, Point.COMMITTING], ids=["at-once", "at-commit"])
def test_an_announcement_killed_before_its_commit_leaves_nothing_and_can_be_made_again(
    world: World, mail_server: MailServer, workers: Workers, figures: Figures, point: Point
) -> None:
    world.apply(antopsis(customers=BREMEN + HANOI))
    add_followers(world, readers(COUNT - 2))
    world.apply(antopsis(customers=BREMEN + HANOI, helsinki=True))
    number = world.draft()
    workers.run_until_killed(Task.PUBLISH, point, notice=number)
    assert world.notice(number).state == "draft"
    with world.reading() as session:
        for table in (Delivery, Statement, Letter, NoticeCustomer):
            assert session.scalars(select(func.count()).select_from(table)).one() == 0
        told = session.scalars(select(Event.kind).where(Event.kind.in_(["notice.announced", "notice.published"])))
        assert list(told) == []
    assert world.public().notices == ()
    world.publish(number)
    with world.reading() as session:
        assert session.scalars(select(func.count()).select_from(Delivery)).one() == COUNT
    finish(world)
    post = check_the_post(world, mail_server)
    figures(Fault.KILLED_IN_FAN_OUT, "killed in fan-out", world, post, kills=1)
    assert post == Post(letters=COUNT, extra_copies=0, spent=0)
    with pytest.raises(RegistryError):
        world.publish(number)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_an_announcement_killed_at_any_moment_has_all_its_rows_or_none(
    world: World, workers: Workers, figures: Figures
) -> None:
    everybody, kills = 3_000, 0
    world.apply(antopsis(customers=BREMEN + HANOI))
    add_followers(world, readers(everybody - 2))
    world.apply(antopsis(customers=BREMEN + HANOI, helsinki=True))
    number = world.draft()
    # From the first moments of a worker's life to after its end.
    for share in range(1, 80):
        process = workers.start(Task.PUBLISH, notice=number)
        process.join(share * 0.04)
        process.kill()
        process.join(PATIENCE)
        kills += process.exitcode != 0
        with world.reading() as session:
            rows = session.scalars(select(func.count()).select_from(Delivery)).one()
        is_out = world.notice(number).state == "announced"
        assert rows == (everybody if is_out else 0)
        if is_out:
            break
    assert kills >= 3
    figures(Fault.KILLED_IN_FAN_OUT, "killed at any moment of announcing (rows)", world, Post(rows, 0, 0), kills=kills)
    assert rows == everybody
