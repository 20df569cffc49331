"""Customers that a notice took effect without, or that came later and have nobody to tell: tasks, letters or not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from registry.domain.told import WITHOUT_WORD_FOR
from registry.steps.tasks import close_task_by_hand
from registry.steps.unreached import SENT_WITHIN
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import ITS_FIRST_INSTANT, look, pending_notice, tasks
from tests.steps.path_cast import add_customer, announce, edit, sweep, withdraw
from tests.steps.post_office import standing_of
from tests.steps.test_untold import UNREACHED, UNTOLD, untold
from tests.world import ANNA, BREMEN, World, antopsis

NOBODY = """  - key: oslo
    name: Oslo Post AS
    time_zone: Europe/Oslo
    contacts: []
"""
ASKS_FOR_PROOF = """  - key: oslo
    name: Oslo Post AS
    time_zone: Europe/Oslo
    notice: {clock_starts_on: delivered}
    contacts: [post@oslo.example]
"""


def emergency(world: World, customers: str) -> str:
    """Announce an emergency, and have its letters go out."""
    world.apply(antopsis(customers=customers))
    number = announce(world, emergency_reason="The host was breached.")
    sweep(world, "send")
    return number


def take_effect(world: World, number: str) -> None:
    """Have a notice take effect on its day."""
    world.at = max(world.at, ITS_FIRST_INSTANT)
    sweep(world, "take_effect", "send_effect")
    assert world.notice(number).state == "in_effect"


def whys(world: World) -> list[object]:
    """Return what the open tasks say that it was."""
    return [task.facts.get("why") for task in tasks(world, UNTOLD)]


@pytest.mark.parametrize(("customer", "why"), [(NOBODY, "no_contact"), (ASKS_FOR_PROOF, "unconfirmed")])
def test_whom_an_emergency_took_effect_without_stays_a_task(
    world: World, mail_server: MailServer, customer: str, why: str
) -> None:
    number = emergency(world, BREMEN + customer)
    world.at += WITHOUT_WORD_FOR
    assert (untold(world), len(tasks(world, UNREACHED))) == ([], 1)
    take_effect(world, number)
    assert standing_of(world, "oslo").state == "waiting"
    assert (untold(world), len(tasks(world, UNREACHED))) == ([("announcement", "oslo")], 0)
    assert whys(world) == [why]
    assert look(world) == {"opened": 0, "closed": 0}
    world.at += timedelta(minutes=1)
    (task,) = tasks(world, UNTOLD)
    with world.writing() as session:
        close_task_by_hand(session, world.at, task.id, ANNA, "Told by telephone")
    assert (look(world), untold(world)) == ({"opened": 0, "closed": 0}, [])


def test_a_receipt_that_may_still_be_reported_is_waited_for_after_the_effect_as_well(
    world: World, mail_server: MailServer
) -> None:
    number = emergency(world, ASKS_FOR_PROOF)
    world.at = ITS_FIRST_INSTANT - timedelta(hours=1)
    add_customer(world, key="oslo", name="Oslo Post AS", contacts=["post@oslo.example", "legal@oslo.example"])
    sweep(world, "send")
    take_effect(world, number)
    assert untold(world) == [], "one was taken an hour ago"
    world.at += WITHOUT_WORD_FOR
    assert untold(world) == [("announcement", "oslo")]


def test_what_binds_nobody_needs_no_proof_that_it_came(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=NOBODY + ASKS_FOR_PROOF.replace("oslo", "bergen")))
    edit(world, None)
    number = world.draft()
    world.publish(number)
    sweep(world, "announce", "send")
    take_effect(world, number)
    world.at += WITHOUT_WORD_FOR + timedelta(days=1)
    assert standing_of(world, "bergen").state == "waiting"
    assert untold(world) == [("announcement", "oslo")]


def test_a_customer_that_came_later_without_a_contact_is_a_task_until_somebody_is_told(
    world: World, mail_server: MailServer
) -> None:
    pending_notice(world, BREMEN)
    world.at += timedelta(hours=2)
    add_customer(world, key="oslo", name="Oslo Post AS", contacts=[])
    add_customer(world, key="over", name="Its contract ended", contacts=[], contract_until=date(2026, 9, 1))
    assert untold(world) == [], "whoever adds it may just be about to name one"
    world.at += SENT_WITHIN
    assert (untold(world), whys(world)) == ([("announcement", "oslo")], ["no_contact"])
    mail_server.script("post@oslo.example", 451, "4.2.0 later", times=1)
    add_customer(world, key="oslo", name="Oslo Post AS", contacts=["post@oslo.example"])
    sweep(world, "send")
    assert untold(world) == [("announcement", "oslo")], "it is under way, and nobody has it"
    world.at += timedelta(hours=1)
    sweep(world, "send")
    assert untold(world) == []


def test_one_that_came_later_stays_a_task_after_the_effect_and_one_that_came_after_that_is_none(
    world: World, mail_server: MailServer
) -> None:
    number = pending_notice(world, BREMEN)
    world.at += timedelta(hours=2)
    add_customer(world, key="oslo", name="Oslo Post AS", contacts=[])
    take_effect(world, number)
    world.at += timedelta(hours=1)
    add_customer(world, key="late", name="Late AS", contacts=[])
    world.at += timedelta(days=1)
    assert untold(world) == [("announcement", "oslo")]


def test_a_notice_that_was_withdrawn_need_not_be_told_to_anybody(world: World, mail_server: MailServer) -> None:
    number = pending_notice(world, BREMEN)
    world.at += timedelta(hours=2)
    add_customer(world, key="oslo", name="Oslo Post AS", contacts=[])
    world.at += timedelta(days=1)
    assert untold(world) == [("announcement", "oslo")]
    withdraw(world, number)
    assert untold(world) == []
