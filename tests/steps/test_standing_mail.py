"""A mail server or provider that takes nobody's letter is a task; one mailbox that takes none is not."""

from __future__ import annotations

from datetime import timedelta

from registry.steps.tasks import TaskKind
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
