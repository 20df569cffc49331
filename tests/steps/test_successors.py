"""Whoever was told goes while the notice is pending: who hears what follows in their place (R12, R13)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.steps.change_contact import change_contact
from registry.steps.endpoint_results import end_endpoint
from registry.steps.lookup import get_customer, get_publisher
from tests.channels.http_receiver import HttpReceiver, Reply
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import decide, object_to, withdraw
from tests.steps.post_office import DPO, clock_of, events, send, states_of
from tests.steps.standby_cast import (
    NO_SUCH_USER,
    ONE,
    SECOND,
    announce,
    called,
    contact_number,
    end,
    first_lines,
    stand_by,
)
from tests.steps.web_cast import OWNER, bremen, connect
from tests.world import ANNA, World, antopsis, utc

GONE = Reply(410, "gone")


@pytest.mark.parametrize("how", ["postponement", "withdrawal"])
def test_what_becomes_of_a_notice_is_told_by_e_mail_once_the_endpoint_that_took_it_has_ended(
    world: World, receiver: HttpReceiver, mail_server: MailServer, how: str
) -> None:
    world.apply(antopsis(customers=bremen()))
    number_of_endpoint = connect(world, receiver).number
    number = announce(world, customers=bremen())
    world.tick()
    assert clock_of(world) == ("received", world.at)
    with world.writing() as session:
        end_endpoint(session, world.at, number_of_endpoint)
    world.at += timedelta(days=1)
    world.tick()
    assert first_lines(mail_server, OWNER) == ["The subprocessor list of Antopsis changes on 1 November 2026"]
    assert clock_of(world) == ("received", world.at - timedelta(days=1))
    if how == "postponement":
        object_to(world, number, "bremen")
        world.at = utc("2026-10-31 23:00")
        world.tick()
        assert states_of(world, "postponement") == {OWNER: "accepted"}
    else:
        withdraw(world, number)
        world.tick()
        assert states_of(world, "withdrawal") == {OWNER: "accepted"}


@pytest.mark.parametrize("is_by_mail", [False, True])
def test_a_postponement_that_is_not_taken_is_told_by_the_contact_that_stands_by(
    world: World, receiver: HttpReceiver, mail_server: MailServer, *, is_by_mail: bool
) -> None:
    customers = bremen(contacts=DPO) if is_by_mail else bremen()
    world.apply(antopsis(customers=customers))
    if is_by_mail:
        stand_by(world, OWNER)
    else:
        connect(world, receiver)
    number = announce(world, customers=customers)
    world.tick()
    world.at = utc("2026-10-26 08:00")
    world.tick()
    assert clock_of(world)[0] == "received"
    object_to(world, number, "bremen")
    mail_server.script(DPO, 550, NO_SUCH_USER)
    receiver.always(GONE)
    world.at = utc("2026-10-31 23:00")
    world.tick()
    world.tick()
    assert states_of(world, "postponement") == {DPO if is_by_mail else receiver.url: "failed", OWNER: "accepted"}
    assert [line[:9] for line in first_lines(mail_server, OWNER)] == ["The subpr", "Postponed"]
    assert called(world) == 0


def test_whoever_takes_the_place_of_one_that_was_told_hears_what_follows(world: World, mail_server: MailServer) -> None:
    announce(world, SECOND)
    world.tick()
    end(world, DPO)
    world.tick()
    assert states_of(world) == {DPO: "accepted", SECOND: "accepted"}
    world.at = utc("2026-10-26 08:00")
    world.tick()
    assert states_of(world, "reminder") == {SECOND: "accepted"}


def test_one_that_was_told_and_still_stands_is_enough(world: World) -> None:
    announce(world, SECOND, customers=bremen(terms="{}", contacts=f"{DPO}, cfo@bremen.example"))
    world.tick()
    end(world, DPO)
    assert called(world) == 0


def test_whom_a_person_has_served_nobody_is_called_in_for_later_either(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 550, NO_SUCH_USER)
    number = announce(world, SECOND)
    send(world)
    decide(world, number, "bremen", "served", "slip 17")
    end(world, DPO)
    assert called(world) == 0


@pytest.mark.parametrize("is_pending", [True, False])
def test_a_contact_that_stands_by_no_longer_is_told_at_once(
    world: World, mail_server: MailServer, *, is_pending: bool
) -> None:
    world.apply(antopsis(customers=ONE))
    stand_by(world, SECOND)
    mail_server.script(DPO, 450, "4.2.1 Busy")
    if is_pending:
        announce(world)
        world.tick()
        assert states_of(world) == {DPO: "retry_wait", SECOND: "skipped"}
    with world.writing() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "bremen")
        number = contact_number(world, SECOND)
        assert change_contact(session, world.at, customer, number, ANNA, name=None, language="en", is_standby=False)
    if not is_pending:
        assert events(world, "delivery.called_in") == []
        announce(world)
    world.tick()
    assert states_of(world) == {DPO: "retry_wait", SECOND: "accepted"}
    assert clock_of(world) == ("received", world.at)
