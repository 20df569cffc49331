"""The task of a customer that a notice has not reached: what opens it, how long there is, and what closes it."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from registry.domain.notices import first_instant
from registry.steps.record_outcome import OutcomeKind
from registry.tables import Delivery, Notice
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import LUEBECK, UNREACHED, change, look, no_mailbox, pending_notice, tasks
from tests.steps.path_cast import add_customer, add_forgotten, decide, dump, events, sweep, withdraw
from tests.steps.post_office import DPO, report_to
from tests.world import BREMEN, World, antopsis, utc


def test_a_customer_whose_only_mailbox_refuses_is_a_task_with_the_time_left_until_its_clock_must_start(
    world: World, mail_server: MailServer
) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world, BREMEN + LUEBECK)
    assert look(world)["opened"] == 1
    (task,) = tasks(world, UNREACHED)
    assert task.subject == f"antopsis/{number}/bremen"
    assert task.facts == {
        "notice": number,
        "customer": "bremen",
        "why": "not_taken",
        "contacts": 1,
        "time_zone": "Europe/Berlin",
    }
    # Thirty days before 1 November: receipt on 1 October, to its last instant in Berlin, still allows the date.
    assert task.due_at == first_instant(utc("2026-10-02 12:00").date(), "Europe/Berlin") - timedelta(microseconds=1)
    before = dump(world)
    assert look(world) == {"opened": 0, "closed": 0}
    assert dump(world) == before


def test_the_task_closes_once_another_contact_has_it(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    pending_notice(world)
    look(world)
    add_customer(world, key="bremen", name="Bremen Media GmbH", contacts=["legal@bremen.example"])
    look(world)
    assert len(tasks(world, UNREACHED)) == 1, "the new contact's letter is due, and nobody has received it"
    sweep(world, "send")
    assert look(world) == {"opened": 0, "closed": 1}
    (task,) = tasks(world, UNREACHED, is_open=False)
    assert (task.closed_because, task.closed_by) == ("no-longer-true", "registry (worker)")
    assert [event.payload["because"] for event in events(world, "task.closed")] == ["no-longer-true"]


def test_service_by_other_means_closes_the_task_too_and_a_withdrawal_does(
    world: World, mail_server: MailServer
) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world)
    look(world)
    decide(world, number, "bremen", "served", "By courier")
    assert look(world)["closed"] == 1
    change(world, Notice, took_effect_at=None)
    withdraw(world, number, reason="Not signed.")
    assert look(world) == {"opened": 0, "closed": 0}


def test_a_letter_under_way_is_no_task_until_little_time_is_left(world: World, mail_server: MailServer) -> None:
    mail_server.script("dpo@bremen.example", 451, "4.2.0 later")
    pending_notice(world)
    assert look(world)["opened"] == 0
    world.at = utc("2026-10-01 09:59")
    assert look(world)["opened"] == 0
    world.at = utc("2026-10-01 10:01")
    assert look(world)["opened"] == 1
    (task,) = tasks(world, UNREACHED)
    assert task.facts["why"] == "time_running_out"


def test_letters_that_merely_wait_in_the_first_hour_are_no_task(world: World) -> None:
    world.at = utc("2026-09-30 21:30")
    pending_notice_late(world)
    assert look(world)["opened"] == 0


def pending_notice_late(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    world.announce(antopsis(customers=BREMEN, helsinki=True))


def test_a_customer_without_any_contact_is_a_task(world: World) -> None:
    number = pending_notice(world)
    add_customer(world, key="oslo", name="Oslo Post AS", contacts=[])
    add_forgotten(world, number, "oslo")
    look(world)
    (task,) = tasks(world, UNREACHED)
    assert (task.facts["customer"], task.facts["why"], task.facts["contacts"]) == ("oslo", "no_contact", 0)


def test_a_customer_whose_contacts_are_all_skipped_is_a_task(world: World) -> None:
    pending_notice(world, deliver=False)
    with world.writing() as session:
        session.execute(update(Delivery).values(state="skipped", skip_reason="suppressed"))
    look(world)
    (task,) = tasks(world, UNREACHED)
    assert task.facts["why"] == "nothing_sent"


ASKS_FOR_DELIVERY = BREMEN.replace("contacts:", "notice: {clock_starts_on: delivered}\n    contacts:")


def test_what_was_taken_and_not_confirmed_is_a_task_while_there_is_time_left_where_terms_ask_for_delivery(
    world: World,
) -> None:
    pending_notice(world, ASKS_FOR_DELIVERY)
    # Receipt up to 22:00 UTC on 1 October still allows the date.
    world.at = utc("2026-10-01 09:59")
    assert look(world)["opened"] == 0
    world.at = utc("2026-10-01 10:01")
    assert look(world)["opened"] == 1
    (task,) = tasks(world, UNREACHED)
    assert task.facts["why"] == "unconfirmed"
    assert task.due_at is not None
    assert task.due_at > world.at
    assert look(world) == {"opened": 0, "closed": 0}


def test_what_was_taken_and_never_confirmed_is_a_task_after_three_days_where_terms_ask_for_delivery(
    world: World,
) -> None:
    number = pending_notice(world, ASKS_FOR_DELIVERY)
    assert world.notice(number).effective_at is not None
    # A date so far off that the clock has weeks to spare.
    change(world, Notice, effective_at=world.at + timedelta(days=90))
    world.at += timedelta(hours=71)
    assert look(world)["opened"] == 0
    world.at += timedelta(hours=1)
    assert look(world)["opened"] == 1
    (task,) = tasks(world, UNREACHED)
    assert task.facts["why"] == "unconfirmed"
    report_to(world, DPO, OutcomeKind.DELIVERED)
    assert look(world)["closed"] == 1


def test_a_bounce_that_takes_the_only_receipt_away_is_a_task(world: World) -> None:
    pending_notice(world)
    report_to(world, DPO, OutcomeKind.BOUNCED)
    look(world)
    (task,) = tasks(world, UNREACHED)
    assert task.facts["why"] == "not_taken"


def test_an_emergency_has_no_time_limit_but_its_customers_are_tasks_all_the_same(
    world: World, mail_server: MailServer
) -> None:
    no_mailbox(mail_server)
    world.apply(antopsis(customers=BREMEN))
    world.announce(antopsis(customers=BREMEN, helsinki=True), emergency_reason="The host was breached.")
    sweep(world, "send")
    look(world)
    (task,) = tasks(world, UNREACHED)
    assert task.due_at is None
