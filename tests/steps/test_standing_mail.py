"""A mail server or provider that takes nobody's letter is a task; one mailbox that takes none is not."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select

from registry.steps.tasks import TaskKind
from registry.tables import Attempt, Delivery
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import look, pending_notice, tasks
from tests.steps.path_cast import sweep
from tests.steps.post_office import DPO, use_server
from tests.world import BREMEN, World

STANDSTILL = TaskKind.MAIL_STANDS_STILL.value


def test_a_mail_server_that_takes_nobodys_letter_for_half_an_hour_is_a_task_until_one_goes(
    world: World, mail_server: MailServer
) -> None:
    working = world.channels["email"]
    use_server(world, "smtp://127.0.0.1:1")
    pending_notice(world, BREMEN)
    began = world.at
    sweep(world, "send")
    world.at = began + timedelta(minutes=29)
    sweep(world, "send")
    look(world)
    assert tasks(world, STANDSTILL) == []
    world.at = began + timedelta(minutes=31)
    look(world)
    (task,) = tasks(world, STANDSTILL)
    assert task.facts == {"road": "smtp", "since": began.isoformat()}
    assert look(world) == {"opened": 0, "closed": 0}
    world.channels["email"] = working
    world.at = began + timedelta(hours=2)
    sweep(world, "send")
    assert look(world)["closed"] == 1
    assert tasks(world, STANDSTILL) == []


def test_a_mailbox_that_is_refused_for_now_is_no_trouble_of_the_road(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 450, "4.2.0 greylisted")
    pending_notice(world, BREMEN)
    sweep(world, "send")
    world.at += timedelta(hours=1)
    sweep(world, "send")
    look(world)
    assert tasks(world, STANDSTILL) == []


def test_a_sender_that_the_server_refuses_is_trouble_of_the_road(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 554, "5.7.1 Relay access denied")
    pending_notice(world, BREMEN)
    sweep(world, "send")
    world.at += timedelta(hours=1)
    look(world)
    assert [task.facts["road"] for task in tasks(world, STANDSTILL)] == ["smtp"]


def tried(world: World, road: str, at: datetime, answer_class: str, code: int | None = None, times: int = 1) -> None:
    """Put tries on record that ended at `at`, at the one letter there is."""
    with world.writing() as session:
        letter = session.scalars(select(Delivery)).one()
        for _ in range(times):
            letter.attempt_count += 1
            session.add(
                Attempt(
                    publisher_id=letter.publisher_id,
                    delivery_id=letter.id,
                    n=letter.attempt_count,
                    token="x",
                    channel=road,
                    claimed_at=at,
                    send_started_at=at,
                    finished_at=at,
                    answer_class=answer_class,
                    code=code,
                )
            )
        letter.state, letter.due_at = "retry_wait", at + timedelta(days=1)


def since(world: World) -> list[tuple[str, str]]:
    """Look, and return which roads stand still, and since when."""
    look(world)
    return [(task.facts["road"], task.facts["since"]) for task in tasks(world, STANDSTILL)]


def test_a_long_list_that_is_tried_in_vain_opens_the_task_after_half_an_hour_and_keeps_it(world: World) -> None:
    pending_notice(world, BREMEN, deliver=False)
    began = world.at
    for minutes in range(0, 241, 10):
        world.at = began + timedelta(minutes=minutes)
        # More tries in a few minutes than anybody would look through one by one.
        tried(world, "smtp", world.at, "temporary", times=600)
        assert bool(since(world)) is (minutes >= 30)
    assert since(world) == [("smtp", began.isoformat())]
    tried(world, "smtp", world.at, "permanent", 550)
    assert since(world) == [], "it answered"
    again = world.at + timedelta(minutes=1)
    tried(world, "smtp", again, "temporary", 421)
    world.at = again + timedelta(minutes=30)
    assert since(world) == [("smtp", again.isoformat())]


def test_a_mailbox_that_takes_nothing_now_shows_that_its_server_answers(world: World) -> None:
    pending_notice(world, BREMEN, deliver=False)
    tried(world, "smtp", world.at, "temporary", 421)
    tried(world, "smtp", world.at + timedelta(minutes=20), "temporary", 450)
    tried(world, "smtp", world.at + timedelta(minutes=21), "ambiguous")
    world.at += timedelta(minutes=50)
    assert since(world) == []
    world.at += timedelta(minutes=1)
    assert [road for road, _ in since(world)] == ["smtp"]


def test_only_the_road_that_mail_goes_by_now_stands_still(world: World) -> None:
    pending_notice(world, BREMEN, deliver=False)
    tried(world, "resend", world.at, "accepted", 200)
    began = world.at
    tried(world, "smtp", began, "temporary")
    world.at += timedelta(minutes=40)
    assert since(world) == [("smtp", began.isoformat())]
    tried(world, "resend", world.at, "temporary", 500)
    assert since(world) == []


def test_a_letter_that_was_long_under_way_and_taken_at_last_ends_the_standstill_before_it(world: World) -> None:
    pending_notice(world, BREMEN, deliver=False)
    began = world.at
    # It was claimed before those that ended in vain, and answered after them.
    tried(world, "smtp", began + timedelta(minutes=29), "accepted", 250)
    tried(world, "smtp", began, "temporary")
    world.at = began + timedelta(minutes=31)
    assert since(world) == []


def test_a_standstill_stays_open_while_nothing_is_tried(world: World) -> None:
    pending_notice(world, BREMEN, deliver=False)
    began = world.at
    tried(world, "smtp", began, "temporary")
    world.at += timedelta(minutes=30)
    assert since(world) == [("smtp", began.isoformat())]
    world.at += timedelta(hours=8)
    assert since(world) == [("smtp", began.isoformat())]
