"""A withdrawal on its way to somebody who goes: a task at once, where nobody else at the customer has it (R12, R13)."""

from __future__ import annotations

from registry.steps.endpoint_results import end_endpoint
from registry.steps.endpoints import remove_endpoint
from registry.steps.erase_person import erase_person
from registry.steps.lookup import get_publisher
from registry.tables import Delivery
from tests.channels.http_receiver import HttpReceiver, Reply
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import pending_notice
from tests.steps.path_cast import withdraw
from tests.steps.post_office import DPO, delivery_to, send, states_of
from tests.steps.test_untold_by_the_ended import open_tasks, succeed
from tests.steps.test_withdrawal_to_the_untold import lose_answers
from tests.steps.web_cast import announce_by_web, bremen, delivery_at
from tests.world import ANNA, World, letters_to

GONE = Reply(410, "gone")
BESIDE = bremen(contacts=DPO)
"""The customer with a contact by e-mail beside the endpoint."""


def told_by_web(world: World, receiver: HttpReceiver, customers: str) -> int:
    """Have the notice taken by the endpoint and then withdrawn; return the endpoint's number."""
    number = announce_by_web(world, receiver, customers)
    send(world)
    assert delivery_at(world, number).state == "accepted"
    withdraw(world, "2026-001")
    return number


def test_what_waits_for_an_endpoint_that_ends_is_a_task(world: World, receiver: HttpReceiver) -> None:
    number = told_by_web(world, receiver, bremen())
    with world.writing() as session:
        end_endpoint(session, world.at, number)
    assert delivery_at(world, number, "withdrawal").state == "cancelled"
    assert open_tasks(world) == [("withdrawal", "bremen")]


def test_where_the_team_removes_it_somebody_else_has_it_on_the_way(world: World, receiver: HttpReceiver) -> None:
    number = told_by_web(world, receiver, BESIDE)
    with world.writing() as session:
        remove_endpoint(session, world.at, get_publisher(session, "antopsis"), number, ANNA)
    assert states_of(world, "withdrawal") == {DPO: "pending", receiver.url: "cancelled"}
    assert open_tasks(world) == []


def test_what_the_endpoint_itself_answers_with_its_end_is_a_task(world: World, receiver: HttpReceiver) -> None:
    number = told_by_web(world, receiver, bremen())
    receiver.always(GONE)
    send(world)
    assert delivery_at(world, number, "withdrawal").state == "failed"
    assert open_tasks(world) == [("withdrawal", "bremen")]


def test_where_somebody_beside_the_endpoint_gets_it_there_is_none(
    world: World, receiver: HttpReceiver, mail_server: MailServer
) -> None:
    told_by_web(world, receiver, BESIDE)
    receiver.always(GONE)
    send(world)
    assert states_of(world, "withdrawal") == {DPO: "accepted", receiver.url: "failed"}
    assert len(letters_to(mail_server, DPO)) == 2
    assert open_tasks(world) == []


def test_what_may_have_reached_an_address_that_is_erased_is_a_task(world: World) -> None:
    number = pending_notice(world)
    withdraw(world, number)
    lose_answers(world, 1)
    send(world)
    assert delivery_to(world, DPO, "withdrawal").state == "ambiguous"
    succeed(world, DPO)
    assert open_tasks(world) == []
    unclear = delivery_to(world, DPO, "withdrawal")
    with world.writing() as session:
        erase_person(session, world.at, get_publisher(session, "antopsis"), DPO, ANNA)
    with world.reading() as session:
        assert session.get_one(Delivery, unclear.id).state == "cancelled"
    assert open_tasks(world) == [("withdrawal", "bremen")]
