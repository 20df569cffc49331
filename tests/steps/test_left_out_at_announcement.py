"""Customers that a notice left out as it was announced, and whose contract runs: each is a task for a person (R17)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from registry.steps.contacts import end_contact
from registry.steps.contract_runs_again import find_contracts_that_run_again
from registry.steps.lookup import get_customer, get_publisher
from registry.steps.tasks import TaskKind
from registry.tables import Task
from tests.channels.smtp_server import MailServer
from tests.steps.contract_cast import (
    ACME,
    BOTH,
    RUNS_AGAIN,
    tasks,
    the_task,
    was_over,
)
from tests.steps.holding_cast import look, no_mailbox, reasons
from tests.steps.holding_cast import tasks as tasks_of
from tests.steps.path_cast import add_customer, add_forgotten, announce, at, counting, standing, sweep
from tests.world import ANNA, BREMEN, HANOI, World, antopsis, letters_to, utc


def test_one_that_was_left_out_at_the_announcement_is_a_task_until_it_is_told(
    world: World, mail_server: MailServer
) -> None:
    number = was_over(world, ACME)
    add_customer(world, key="acme", name="Acme GmbH", contract_until=None)
    task = the_task(world)
    assert task.facts == {"notice": number, "customer": "acme", "dropped_out": False, "told": False}
    # Thirty days of notice, after the day of receipt in Berlin, before the first instant of 1 November.
    assert task.due_at == utc("2026-10-01 21:59:59.999999")
    add_forgotten(world, number, "acme")
    assert tasks(world) == []
    assert len(letters_to(mail_server, ACME)) == 1
    assert reasons(world, number) == []


def renewed_from_later_on(world: World) -> None:
    add_customer(world, key="acme", name="Acme GmbH", contract_from="2026-10-10", contract_until=None)


def renewed_without_a_word_of_when(world: World) -> None:
    add_customer(world, key="acme", name="Acme GmbH", contract_until=None)


@pytest.mark.parametrize("renew", [renewed_from_later_on, renewed_without_a_word_of_when])
def test_one_that_is_renewed_is_a_task_from_its_first_day_on(world: World, renew: Callable[[World], None]) -> None:
    was_over(world, ACME)
    renew(world)
    if renew is renewed_from_later_on:
        assert tasks(world) == []
    world.at = utc("2026-10-10 08:00")
    assert the_task(world).facts["customer"] == "acme"


def test_one_without_a_contact_is_told_as_one_is_named_and_waited_for_once_it_is_added(
    world: World, mail_server: MailServer
) -> None:
    number = was_over(world)
    renewed_without_a_word_of_when(world)
    assert the_task(world).facts["told"] is False
    add_customer(world, key="acme", name="Acme GmbH", contacts=[ACME])
    assert the_task(world).facts["told"] is True
    assert len(letters_to(mail_server, ACME)) == 1
    add_forgotten(world, number, "acme")
    assert tasks(world) == []
    assert len(letters_to(mail_server, ACME)) == 1


def test_of_an_emergency_whoever_is_told_is_waited_for_by_nobody(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    add_customer(world, key="acme", name="Acme GmbH", contract_until="2026-09-01")
    world.at += timedelta(minutes=1)
    announce(world, emergency_reason="The host was breached.", effective_on=date(2026, 10, 20))
    renewed_without_a_word_of_when(world)
    the_task(world)
    add_customer(world, key="acme", name="Acme GmbH", contacts=[ACME])
    assert tasks(world) == []


def test_one_whose_contact_has_gone_since_is_a_task(world: World) -> None:
    was_over(world, ACME, "dpo@acme.example")
    with world.writing() as session:
        end_contact(session, world.at, get_customer(session, get_publisher(session, "antopsis"), "acme"), ACME, ANNA)
    renewed_without_a_word_of_when(world)
    assert the_task(world).facts["dropped_out"] is False


def test_one_that_came_later_and_one_whose_contract_begins_later_are_none(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    add_customer(world, key="acme", name="Acme GmbH", contract_from="2026-10-20", contacts=[ACME])
    announce(world)
    world.at += timedelta(days=1)
    add_customer(world, key="oslo", name="Oslo Post AS", contacts=["dpo@oslo.example"])
    world.at = utc("2026-10-21 08:00")
    assert tasks(world) == []


def test_one_whose_contract_began_earlier_after_all_is_told_and_waited_for_once_it_is_added(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    add_customer(world, key="acme", name="Acme GmbH", contract_from="2027-09-01", contacts=[ACME])
    world.at += timedelta(minutes=1)
    number = announce(world)
    assert tasks(world) == []
    add_customer(world, key="acme", name="Acme GmbH", contract_from="2025-09-01")
    assert the_task(world).facts == {"notice": number, "customer": "acme", "dropped_out": False, "told": True}
    add_forgotten(world, number, "acme")
    assert tasks(world) == []
    assert standing(world, number, "acme") is not None


def test_one_whose_later_contact_goes_before_its_letter_is_taken_is_a_task(
    world: World, mail_server: MailServer
) -> None:
    number = was_over(world, ACME)
    renewed_without_a_word_of_when(world)
    the_task(world)
    mail_server.script("new@acme.example", 451, "4.3.0 Try again later")
    add_customer(world, key="acme", name="Acme GmbH", contacts=[ACME, "new@acme.example"])
    the_task(world)
    with world.writing() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "acme")
        end_contact(session, world.at, customer, "new@acme.example", ANNA)
    sweep(world)
    look(world)
    kinds = (RUNS_AGAIN, TaskKind.CUSTOMER_NOT_TOLD.value)
    assert {(task.facts["notice"], task.facts["customer"]) for kind in kinds for task in tasks_of(world, kind)} == {
        (number, "acme")
    }


def test_a_look_asks_the_same_few_questions_however_many_customers_there_are(world: World) -> None:
    world.apply(antopsis(customers=HANOI + BOTH))
    announce(world)
    sweep(world)

    def questions() -> int:
        troubles: list[Exception] = []
        with counting(world) as asked, world.reading() as session:
            assert list(find_contracts_that_run_again(session, world.at, troubles.append)) == []
        assert troubles == []
        return len(asked)

    few = questions()
    for number in range(20):
        add_customer(world, key=f"late-{number}", name="Late GmbH", contacts=[f"dpo@late{number}.example"])
    assert questions() == few
    with world.reading() as session:
        assert session.scalar(select(func.count()).select_from(Task).where(Task.kind == RUNS_AGAIN)) == 0


def test_one_that_was_told_later_is_waited_for_also_while_nobody_knows_the_date(
    world: World, mail_server: MailServer
) -> None:
    no_mailbox(mail_server)
    world.apply(antopsis(customers=BREMEN))
    add_customer(world, key="acme", name="Acme GmbH", contract_from="2027-09-01", contacts=[ACME])
    world.at += timedelta(minutes=1)
    number = announce(world)
    at(world, utc("2026-11-05 08:00"))
    assert (world.notice(number).state, world.notice(number).effective_on) == ("held", None)
    add_customer(world, key="acme", name="Acme GmbH", contract_from="2025-09-01")
    assert the_task(world).facts["told"] is True
