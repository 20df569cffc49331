"""An address that customers reply and object to takes no mail: refused, or the test comes back, and that is a task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from registry.readers.bounce_message import LONGEST_MESSAGE
from registry.steps.check_addresses import check_publisher
from registry.steps.lookup import get_publisher
from registry.steps.receive_mail import Happened
from registry.steps.tasks import TaskKind
from registry.tables import Delivery
from tests.channels.scripted_server import CUT, ScriptedServer
from tests.channels.smtp_server import MailServer
from tests.steps.address_checks_cast import check, checks
from tests.steps.bounce_cast import (
    SUPPORT,
    bouncing_world,
    came_back,
    kept,
    letter_to,
    message_id_of,
    outcomes,
    receive,
    tasks,
)
from tests.steps.post_office import announce_to, dispatch_of, events, send, states_of, use_server
from tests.world import World, antopsis


@pytest.fixture
def world(database_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    """An installation with a bounce address, and Antopsis on it."""
    with bouncing_world(database_url, tmp_path / "instance", mail_server) as world:
        world.apply(antopsis())
        yield world


def test_an_address_that_is_refused_is_a_task_and_one_while_it_goes_on(world: World, mail_server: MailServer) -> None:
    mail_server.script(SUPPORT, 550, "5.1.1 No such user here")
    for _ in range(3):
        assert check(world) == {"permanent": 1}
        world.at += timedelta(days=1)
    (task,) = tasks(world, TaskKind.ADDRESS_FAILS)
    assert (task.subject, task.facts) == (
        "antopsis/contact",
        {"purpose": "contact", "why": "refused", "said": "550"},
    )
    assert "@" not in str(events(world, "task.opened")[0].payload)


def test_a_server_that_is_down_says_nothing_of_the_address(world: World) -> None:
    with ScriptedServer({"dot": [CUT]}) as server:
        use_server(world, server.url)
        assert check(world) == {"ambiguous": 1}
        world.channels["email"].close()
    use_server(world, "smtp://127.0.0.1:1?starttls=off")
    world.at += timedelta(days=1)
    assert check(world) == {"temporary": 1}
    assert tasks(world, TaskKind.ADDRESS_FAILS) == []


NOT_NOW = "4.1.2 <support@antopsis.example>: Recipient address rejected: Domain not found"


def test_an_address_that_is_refused_for_now_on_three_days_running_is_a_task(
    world: World, mail_server: MailServer
) -> None:
    mail_server.script(SUPPORT, 450, NOT_NOW)
    for _ in range(2):
        assert check(world) == {"temporary": 1}
        world.at += timedelta(days=1)
    assert tasks(world, TaskKind.ADDRESS_FAILS) == []
    for _ in range(2):
        assert check(world) == {"temporary": 1}
        world.at += timedelta(days=1)
    (task,) = tasks(world, TaskKind.ADDRESS_FAILS)
    assert task.facts == {"purpose": "contact", "why": "refused_for_days", "said": "450"}


def test_asked_thrice_on_a_day_an_address_that_is_refused_for_now_is_no_task(
    world: World, mail_server: MailServer
) -> None:
    mail_server.script(SUPPORT, 450, NOT_NOW)
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
    for _ in range(5):
        check_publisher(world.wiring.engine, world.clock, dispatch_of(world), publisher.id, even_today=True)
    assert (len(checks(world)), tasks(world, TaskKind.ADDRESS_FAILS)) == (5, [])


def test_a_letter_that_was_taken_begins_the_days_anew(world: World, mail_server: MailServer) -> None:
    for code in (450, 450, 250, 450, 450):
        if code == 450:
            mail_server.script(SUPPORT, 450, NOT_NOW, times=1)
        check(world)
        world.at += timedelta(days=1)
    assert [row.code for row in checks(world)] == [450, 450, 250, 450, 450]
    assert tasks(world, TaskKind.ADDRESS_FAILS) == []


def test_a_day_on_which_the_server_was_away_neither_counts_nor_begins_the_days_anew(
    world: World, mail_server: MailServer
) -> None:
    mail_server.script(SUPPORT, 450, NOT_NOW)
    url = mail_server.url
    for at, is_there in enumerate((True, True, False, False, True)):
        assert tasks(world, TaskKind.ADDRESS_FAILS) == [], at
        use_server(world, url if is_there else "smtp://127.0.0.1:1?starttls=off")
        check(world)
        world.at += timedelta(days=1)
    assert [row.code for row in checks(world)] == [450, 450, None, None, 450]
    assert len(tasks(world, TaskKind.ADDRESS_FAILS)) == 1


def test_a_test_that_comes_back_is_a_task_and_names_no_delivery(world: World, mail_server: MailServer) -> None:
    announce_to(world)
    send(world)
    check(world)
    letter, row = letter_to(mail_server, SUPPORT), checks(world)[0]
    with world.reading() as session:
        assert session.get(Delivery, row.id) is not None, "the numbers are the same, and mean two things"
    world.at += timedelta(minutes=5)
    received = receive(world, came_back("postfix", letter), letter.mail_from)
    assert received.happened is Happened.ADDRESS_FAILS
    assert receive(world, came_back("postfix", letter), letter.mail_from).happened is Happened.KNOWN
    assert checks(world)[0].bounced_at == world.at
    (task,) = tasks(world, TaskKind.ADDRESS_FAILS)
    assert task.facts == {"purpose": "contact", "why": "came_back", "said": "bounced"}
    assert set(states_of(world).values()) == {"accepted"}
    assert (outcomes(world), kept(world), len(events(world, "address_check.came_back"))) == ([], [], 1)


def test_a_test_that_comes_back_without_its_return_path_is_known_by_its_id(
    world: World, mail_server: MailServer
) -> None:
    check(world)
    letter = letter_to(mail_server, SUPPORT)
    message = came_back("postfix", letter, return_path="bounces@registry.example")
    assert message_id_of(letter).encode() in message
    assert receive(world, message).happened is Happened.ADDRESS_FAILS


@pytest.mark.parametrize("sample", ["out_of_office", "success", "postfix_delayed"])
def test_a_desk_that_answers_every_letter_takes_mail_and_is_no_task(
    world: World, mail_server: MailServer, sample: str
) -> None:
    check(world)
    letter = letter_to(mail_server, SUPPORT)
    assert receive(world, came_back(sample, letter), letter.mail_from).happened is Happened.ADDRESS_ANSWERS
    assert (tasks(world, TaskKind.ADDRESS_FAILS), tasks(world, TaskKind.MAIL_TO_READ), checks(world)[0].bounced_at) == (
        [],
        [],
        None,
    )


def test_what_a_person_or_an_unknown_machine_writes_to_a_test_is_kept(world: World, mail_server: MailServer) -> None:
    check(world)
    letter = letter_to(mail_server, SUPPORT)
    for message in (came_back("human_reply", letter), b"x" * (LONGEST_MESSAGE + 1)):
        assert receive(world, message, letter.mail_from).happened is Happened.KEPT
    assert [task.publisher_id for task in tasks(world, TaskKind.MAIL_TO_READ)] == [checks(world)[0].publisher_id]


def test_an_address_that_nobody_can_write_to_is_a_task_and_keeps_no_other_publisher_waiting(
    world: World, mail_server: MailServer
) -> None:
    file = antopsis()
    umlaut = file.publisher.model_copy(update={"slug": "umlaut", "contact": "büro@umlaut.example"})
    world.apply(replace(file, publisher=umlaut, customers=()))
    assert check(world) == {"accepted": 1, "unusable": 1}
    (task,) = tasks(world, TaskKind.ADDRESS_FAILS)
    assert (task.subject, task.facts["why"]) == ("umlaut/contact", "unusable")
    assert len(mail_server.messages) == 1
