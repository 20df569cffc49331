"""A customer that dropped out of a notice and is added again: it stands there as before, and is told what it missed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from datetime import date, datetime
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.effect import HoldReason
from registry.steps import settle_delivery
from registry.steps.add_forgotten import add_forgotten_customer, say_added
from registry.steps.contacts import add_contact, end_contact
from registry.steps.correct_notice import correct_notice
from registry.steps.lookup import get_customer, get_notice, get_publisher
from registry.steps.receipts import note_receipt
from registry.steps.tasks import TaskKind
from registry.tables import Address, Delivery, Subscription, SubscriptionProduct
from tests.channels.smtp_server import MailServer
from tests.steps.contract_cast import ends_on
from tests.steps.holding_cast import ITS_FIRST_INSTANT, LUEBECK, look, no_mailbox, pending_notice, reasons, tasks
from tests.steps.path_cast import TWO_PLACES, add_customer, announce, at, decide, edit, events, object_to, standing
from tests.steps.path_cast import sweep as run
from tests.steps.post_office import DPO
from tests.steps.test_postponing import postpone
from tests.world import ANNA, BREMEN, World, antopsis, letters_to, utc

BOTH = BREMEN + LUEBECK
SPECIFIC = BREMEN.replace("time_zone", "notice: {authorisation: specific}\n    time_zone") + LUEBECK
DEEMED = (
    BREMEN.replace("time_zone", "notice: {undeliverable: {deemed_after_days: 5, clause: DPA 4.2}}\n    time_zone")
    + LUEBECK
)
ACME = "privacy@acme.example"
THREE = TWO_PLACES | {"data_categories": ["Account data", "Usage data", "Payment data"]}


def drop(world: World, key: str = "bremen") -> None:
    """Have a customer drop out on 10 October, by an end that is put right at once."""
    world.at = utc("2026-10-10 08:00")
    ends_on(world, "2026-10-08", key)
    run(world)
    dropped = standing(world, "2026-001", key)
    assert dropped is not None
    assert dropped.state == "dropped"
    ends_on(world, "2026-12-31", key)


def bring_back(world: World, number: str, key: str = "bremen") -> str:
    """Add it again, and return what is said of that."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        added = add_forgotten_customer(session, world.at, publisher, get_notice(session, publisher, number), key, ANNA)
        return say_added(key, number, added)


def correct(world: World, number: str) -> None:
    """Correct what binds, so that clocks start anew."""
    edit(world, THREE)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        correct_notice(session, world.at, publisher, notice, ANNA, world.wiring.letterhead, reason="Payment data, too.")
    run(world)


def stands(world: World, number: str, key: str = "bremen") -> Any:
    row = standing(world, number, key)
    assert row is not None
    return row


def letters(world: World, number: str, key: str) -> list[tuple[int | None, str, str | None]]:
    return [
        (each.statement, each.state, each.skip_reason)
        for each in world.status(number).deliveries
        if each.customer == key
    ]


def test_its_receipt_counts_as_before_and_nothing_is_said_to_be_missing(world: World) -> None:
    number = pending_notice(world, BOTH)
    drop(world)
    said = bring_back(world, number)
    assert said.startswith("bremen stands in notice 2026-001 now; no letter is due to it")
    row = stands(world, number)
    assert (row.state, row.received_at) == ("received", utc("2026-09-30 08:00"))
    look(world)
    assert tasks(world, TaskKind.CUSTOMER_NOT_REACHED.value) == []
    at(world, ITS_FIRST_INSTANT)
    assert world.notice(number).state == "in_effect"


@pytest.mark.parametrize("when", ["before", "meanwhile"])
def test_service_by_other_means_counts_whether_it_was_recorded_before_or_meanwhile(
    world: World, mail_server: MailServer, when: str
) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world, BOTH)
    world.at = utc("2026-10-02 08:00")
    if when == "before":
        decide(world, number, "bremen", "served", "Post RR 123 DE")
    drop(world)
    if when == "meanwhile":
        decide(world, number, "bremen", "served", "Post RR 123 DE", utc("2026-10-01 09:00"))
    bring_back(world, number)
    row = stands(world, number)
    assert row.state == "served"
    assert row.received_at in (utc("2026-10-02 08:00"), utc("2026-10-01 09:00"))
    assert row.basis is not None
    assert "Post RR 123 DE" in row.basis
    assert events(world, "customer.receipt_revoked") == []
    assert HoldReason.NOT_RECEIVED not in [reason for _, reason in reasons(world, number)]


def test_an_exemption_counts_with_its_document(world: World) -> None:
    number = pending_notice(world, BOTH)
    decide(world, number, "bremen", "exempt", "Letter of 3 October, file 77")
    drop(world)
    assert stands(world, number).basis == "Letter of 3 October, file 77; contract ended on 2026-10-08"
    bring_back(world, number)
    row = stands(world, number)
    assert (row.state, row.basis.partition(";")[0]) == ("exempt", "Letter of 3 October, file 77")
    (dropped,) = events(world, "customer.dropped")
    assert dropped.payload["was"] == "exempt"


def test_a_receipt_that_was_deemed_counts_though_a_contact_came_meanwhile(
    world: World, mail_server: MailServer
) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world, DEEMED)
    at(world, utc("2026-10-06 08:00"))
    deemed_at = stands(world, number).received_at
    assert deemed_at is not None
    drop(world)
    with world.writing() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "bremen")
        add_contact(session, world.at, customer, "new@bremen.example", ANNA, language="en")
    world.at = utc("2026-10-20 08:00")
    bring_back(world, number)
    run(world)
    row = stands(world, number)
    assert (row.state, row.received_at) == ("deemed", deemed_at)


@pytest.mark.parametrize("how", ["approved", "exempt"])
def test_what_a_correction_let_lapse_meanwhile_stays_lapsed(world: World, how: str) -> None:
    number = pending_notice(world, SPECIFIC)
    world.at = utc("2026-10-02 08:00")
    decide(world, number, "bremen", how, "E-mail of 2 October")
    drop(world)
    correct(world, number)
    assert len(events(world, "customer.decision_lapsed")) == (how == "approved")
    bring_back(world, number)
    run(world)
    row = stands(world, number)
    assert (row.state, row.approved_at, row.received_at) == ("received", None, world.at)
    assert ("bremen", HoldReason.APPROVAL_MISSING) in reasons(world, number)


def test_after_a_correction_its_task_says_how_long_its_receipt_of_that_may_take(world: World) -> None:
    number = pending_notice(world, BOTH)
    drop(world)
    correct(world, number)
    look(world)
    (task,) = tasks(world, TaskKind.CONTRACT_RUNS_AGAIN.value)
    effective_at = world.notice(number).effective_at
    assert task.due_at is not None
    assert effective_at is not None
    assert (effective_at - task.due_at).days == 30


def test_of_two_postponements_it_is_told_the_last_as_whoever_comes_later_is(
    world: World, mail_server: MailServer
) -> None:
    number = pending_notice(world, BOTH)
    drop(world)
    postpone(world, number)
    world.at = utc("2026-10-12 08:00")
    run(world)
    postpone(world, number, on=date(2026, 12, 15))
    said = bring_back(world, number)
    assert said == "bremen stands in notice 2026-001 now, and 1 letter is due to its contacts."
    run(world)
    assert [state for _, state, _ in letters(world, number, "bremen")] == ["accepted", "skipped", "accepted"]
    assert len(letters_to(mail_server, DPO)) == 2


def test_who_stands_by_and_who_has_gone_are_not_told(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    add_customer(world, key="acme", name="Acme GmbH", contract_until="2026-09-01", contacts=[ACME, "gone@acme.example"])
    with world.writing() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "acme")
        add_contact(session, world.at, customer, "standby@acme.example", ANNA, language="en", is_standby=True)
    number = announce(world)
    run(world)
    with world.writing() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "acme")
        end_contact(session, world.at, customer, "gone@acme.example", ANNA)
    ends_on(world, "2026-12-31", "acme")
    assert bring_back(world, number, "acme").endswith("and 1 letter is due to its contacts.")
    run(world)
    assert len(letters_to(mail_server, ACME)) == 1
    assert letters_to(mail_server, "standby@acme.example") == []
    assert letters_to(mail_server, "gone@acme.example") == []
    assert sorted(str(reason) for _, state, reason in letters(world, number, "acme") if state == "skipped") == [
        "contract_ended",
        "standby",
    ]


def test_a_contact_that_wants_another_product_is_not_told_of_what_does_not_bind(
    world: World, mail_server: MailServer
) -> None:
    world.apply(antopsis(customers=BREMEN))
    add_customer(world, key="acme", name="Acme GmbH", contract_until="2026-09-01", contacts=[ACME])
    with world.writing() as session:
        contact = session.scalars(
            select(Subscription).join(Address, Address.id == Subscription.address_id).where(Address.value == ACME)
        ).one()
        session.add(
            SubscriptionProduct(subscription_id=contact.id, publisher_id=contact.publisher_id, product_key="storage")
        )
    edit(world, None, key="stripe")
    number = world.draft("antopsis", effective_on=date(2026, 11, 1))
    world.publish(number, "antopsis")
    run(world)
    ends_on(world, "2026-12-31", "acme")
    bring_back(world, number, "acme")
    assert [(state, reason) for _, state, reason in letters(world, number, "acme")] == [
        ("skipped", "filtered_by_product")
    ]
    assert letters_to(mail_server, ACME) == []


def test_its_open_objection_holds_again(world: World) -> None:
    number = pending_notice(world, BOTH)
    object_to(world, number, "bremen")
    drop(world)
    assert reasons(world, number) == []
    bring_back(world, number)
    assert reasons(world, number) == [("bremen", HoldReason.OBJECTION_OPEN)]


def test_one_that_stands_there_already_is_not_added_twice(world: World) -> None:
    number = pending_notice(world, BOTH)
    said = bring_back(world, number)
    assert said.startswith("bremen stands in notice 2026-001 already; no letter is due to it")
    assert events(world, "customer.added_to_notice") == []


def test_a_letter_that_settles_as_its_customer_is_added_starts_its_clock(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = pending_notice(world)
    world.at = utc("2026-10-05 08:00")
    add_customer(world, key="acme", name="Acme GmbH", contacts=[ACME])
    is_settling, may_commit = Event(), Event()

    def note(session: Session, now: datetime, delivery: Delivery) -> None:
        note_receipt(session, now, delivery)
        is_settling.set()
        may_commit.wait(timeout=60)

    monkeypatch.setattr(settle_delivery, "note_receipt", note)
    with ThreadPoolExecutor() as threads:
        sent = threads.submit(run, world, "send")
        assert is_settling.wait(timeout=60)
        added = threads.submit(bring_back, world, number, "acme")
        # Either database keeps it waiting for what settles, so nothing is to be seen of it.
        assert wait([added], timeout=0.3).done == set()
        may_commit.set()
        sent.result(timeout=60)
        added.result(timeout=60)
    assert (stands(world, number, "acme").state, stands(world, number, "acme").received_at) == ("received", world.at)
