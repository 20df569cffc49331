"""The addresses that letters come from: each writes to the other of its pair when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from registry.channels.base import Accepted, PermanentFailure
from registry.channels.outbox import OutboxChannel
from registry.steps.check_addresses import check_addresses, find_latest_check
from registry.steps.check_senders import SENDER, TriedSender, try_sender
from registry.steps.installation import pause
from registry.steps.lookup import get_publisher
from registry.steps.receive_mail import Happened
from registry.steps.tasks import TaskKind
from registry.tables import AddressCheck
from tests.channels.scripted_server import CUT, ScriptedServer
from tests.channels.smtp_server import MailServer
from tests.steps.bounce_cast import bouncing_world, came_back, letter_to, receive, tasks
from tests.steps.post_office import dispatch_of, use_channel, use_server
from tests.world import ANNA, World, antopsis

NOTICES = "notices@registry.example"
UPDATES = "notices+updates@registry.example"


@pytest.fixture
def world(database_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    """An installation with a bounce address, and Antopsis on it."""
    with bouncing_world(database_url, tmp_path / "instance", mail_server) as world:
        world.apply(antopsis())
        yield world


def try_both(world: World, *mail_only_to: str) -> list[TriedSender]:
    dispatch = dispatch_of(world, *mail_only_to)
    with world.reading() as session:
        publisher_id = get_publisher(session, "antopsis").id
    return list(try_sender(world.wiring.engine, world.clock, dispatch, publisher_id, NOTICES))


def checks(world: World) -> list[tuple[str, str, str | None]]:
    with world.reading() as session:
        rows = session.scalars(select(AddressCheck).order_by(AddressCheck.id))
        return [(row.purpose, row.address, row.answer_class) for row in rows]


def test_each_of_the_pair_writes_to_the_other_and_what_came_of_it_is_on_record(
    world: World, mail_server: MailServer
) -> None:
    mail_server.script(NOTICES, 550, "5.1.1 No such user here")
    there, back = try_both(world)
    assert (there.sender, there.recipient, type(there.answer)) == (NOTICES, UPDATES, Accepted)
    assert (back.sender, back.recipient, type(back.answer)) == (UPDATES, NOTICES, PermanentFailure)
    assert checks(world) == [(SENDER, UPDATES, "accepted"), (SENDER, NOTICES, "permanent")]
    letter = letter_to(mail_server, UPDATES)
    assert letter.mail_from.startswith("bounces+")
    assert b"\r\nAuto-Submitted: auto-generated\r\n" in letter.content
    assert tasks(world, TaskKind.ADDRESS_FAILS) == [], "whoever asked is told at once"


def test_a_connection_that_breaks_leaves_it_unknown(world: World) -> None:
    with ScriptedServer({"data": [CUT] * 9}) as server:
        use_server(world, server.url)
        try_both(world)
    assert {answer_class for _, _, answer_class in checks(world)} <= {"temporary", "ambiguous"}


def test_the_daily_test_of_the_contact_is_another_matter(world: World) -> None:
    try_both(world)
    dispatch = dispatch_of(world)
    with world.reading() as session:
        assert find_latest_check(session, get_publisher(session, "antopsis")) is None
    assert check_addresses(world.wiring.engine, world.clock, dispatch) == {"accepted": 1}


def test_without_a_bounce_address_each_goes_out_under_its_own_name(world: World, mail_server: MailServer) -> None:
    world.wiring = replace(world.wiring, letterhead=replace(world.wiring.letterhead, bounce_address=None))
    try_both(world)
    assert [taken.mail_from for taken in mail_server.messages] == [NOTICES, UPDATES]


def test_one_that_comes_back_is_a_task(world: World, mail_server: MailServer) -> None:
    try_both(world)
    letter = letter_to(mail_server, UPDATES)
    assert receive(world, came_back("postfix", letter), letter.mail_from).happened is Happened.ADDRESS_FAILS
    (task,) = tasks(world, TaskKind.ADDRESS_FAILS)
    assert (task.subject, task.facts["purpose"]) == ("antopsis/sender", SENDER)


@pytest.mark.parametrize("hindrance", ["paused", "only to others", "outbox"])
def test_nothing_is_sent_where_nothing_may_be(
    hindrance: str, world: World, mail_server: MailServer, tmp_path: Path
) -> None:
    if hindrance == "paused":
        with world.writing() as session:
            pause(session, world.at, ANNA, "by hand")
    elif hindrance == "outbox":
        use_channel(world, OutboxChannel(tmp_path / "outbox", world.clock))
    assert try_both(world, *(["@staging.example"] if hindrance == "only to others" else [])) == []
    assert (checks(world), mail_server.messages) == ([], [])
