"""A customer that was not reached stays a task while its letters are tried again, until one of them is taken."""

from __future__ import annotations

from datetime import date, timedelta

from registry.channels.base import Ambiguous
from registry.steps.installation import pause, resume
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.requeue_deliveries import requeue_deliveries
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import UNREACHED, look, pending_notice, tasks
from tests.steps.path_cast import add_customer, sweep
from tests.steps.post_office import DPO, announce_to, send, states_of
from tests.steps.test_postponing import postpone
from tests.world import ANNA, World, utc

NOBODY = """  - key: oslo
    name: Oslo Post AS
    time_zone: Europe/Oslo
    contacts: []
"""


def spent(world: World) -> str:
    """Announce a notice whose one letter may have arrived, twice: it waits for a person."""
    number = announce_to(world)
    channel = world.channels["email"]
    real = channel.send
    vars(channel)["send"] = lambda envelope: Ambiguous(None, "cut after the dot")
    send(world)
    world.at += timedelta(minutes=2)
    send(world)
    vars(channel)["send"] = real
    assert states_of(world) == {DPO: "needs_attention"}
    return number


def requeue(world: World, number: str) -> None:
    """Let the letters be tried again that wait for a person."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        assert requeue_deliveries(session, world.at, publisher, get_notice(session, publisher, number), ANNA) == 1


def whys(world: World) -> list[object]:
    """Look, and return what the open tasks say."""
    look(world)
    return [task.facts["why"] for task in tasks(world, UNREACHED)]


def test_a_letter_that_a_person_lets_be_tried_again_closes_the_task_once_it_is_taken(
    world: World, mail_server: MailServer
) -> None:
    number = spent(world)
    world.at += timedelta(hours=2)
    assert whys(world) == ["not_taken"]
    with world.writing() as session:
        pause(session, world.at, ANNA, "looking")
    requeue(world, number)
    assert whys(world) == ["not_taken"]
    with world.writing() as session:
        resume(session, world.at, ANNA, world.wiring.fingerprint, world.wiring.letterhead.base_url)
    mail_server.script(DPO, 451, "4.2.0 later", times=1)
    send(world)
    assert (states_of(world), whys(world)) == ({DPO: "ambiguous"}, ["not_taken"])
    world.at += timedelta(hours=1)
    send(world)
    assert whys(world) == []
    assert len(tasks(world, UNREACHED, is_open=False)) == 1


def test_a_contact_that_is_named_closes_the_task_once_it_has_the_letter(world: World, mail_server: MailServer) -> None:
    pending_notice(world, NOBODY)
    world.at += timedelta(hours=2)
    assert whys(world) == ["no_contact"]
    mail_server.script("post@oslo.example", 451, "4.2.0 later", times=1)
    add_customer(world, key="oslo", name="Oslo Post AS", time_zone="Europe/Oslo", contacts=["post@oslo.example"])
    assert whys(world) == ["not_taken"]
    sweep(world, "send")
    assert whys(world) == ["not_taken"]
    world.at += timedelta(hours=1)
    sweep(world, "send")
    assert whys(world) == []


def test_more_time_ends_a_task_that_was_about_time_alone(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 451, "4.2.0 later")
    number = pending_notice(world)
    world.at = utc("2026-10-01 10:01")
    assert whys(world) == ["time_running_out"]
    postpone(world, number, date(2026, 11, 20))
    assert whys(world) == []
