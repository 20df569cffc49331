"""Customers of whom nobody has what a notice says though no letter of theirs was lost: each is a task (R12, R13).

Whoever was told has ended, and whoever came instead had no letter out when the next one was made; or a letter ended
after its contact had.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from registry.channels.base import Envelope
from registry.steps.change_contact import move_contact
from registry.steps.contacts import add_contact, end_contact
from registry.steps.correct_notice import correct_notice
from registry.steps.customers import end_contract
from registry.steps.endpoint_results import end_endpoint
from registry.steps.lookup import get_customer, get_notice, get_publisher
from registry.steps.requeue_deliveries import requeue_deliveries
from registry.steps.suppressions import LiftedBecause, lift_suppression
from registry.tables import Subscription, Task
from tests.channels.http_receiver import BAD_GATEWAY, OK, HttpReceiver, Reply
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import pending_notice, tasks
from tests.steps.path_cast import TWO_PLACES, announce, decide, edit, object_to, sweep, withdraw
from tests.steps.post_office import DPO, meanwhile, send
from tests.steps.standby_cast import JENA, NO_SUCH_USER, SECOND, block, contact_number
from tests.steps.test_postponing import postpone
from tests.steps.test_untold import UNTOLD
from tests.steps.test_withdrawal_to_the_untold import lose_answers
from tests.steps.web_cast import OWNER, bremen, connect
from tests.world import ANNA, BREMEN, World, antopsis, utc

GONE = Reply(410, "gone")
BUSY = "4.2.1 Busy"
BOTH = BREMEN + JENA
WHAT = pytest.mark.parametrize("what", ["postponement", "withdrawal"])
EFFECT = utc("2026-10-31 23:00")


def act(world: World, step: Callable[..., object], *arguments: object, **options: Any) -> None:
    """Do something about the customer."""
    with world.writing() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "bremen")
        step(session, world.at, customer, *arguments, ANNA, **options)


def succeed(world: World, *, stands_by: bool = False) -> None:
    """Have somebody come instead of the one contact."""
    act(world, add_contact, SECOND, is_standby=stands_by)
    act(world, end_contact, DPO)


def end(world: World, endpoint: int) -> None:
    with world.writing() as session:
        end_endpoint(session, world.at, endpoint)


def correct(world: World, number: str) -> None:
    """Correct what starts no clock."""
    edit(world, TWO_PLACES | {"name": "Hetzner Online", "data_categories": ["Account data"]})
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        correct_notice(session, world.at, publisher, notice, ANNA, world.wiring.letterhead, reason="Its name.")


def told_by_a_webhook_alone(world: World, receiver: HttpReceiver) -> tuple[str, int]:
    """The customer's clock runs; its owner's mailbox is dead, and no contact any more. Return notice and endpoint."""
    world.apply(antopsis(customers=bremen() + JENA))
    endpoint = connect(world, receiver).number
    block(world, OWNER)
    act(world, end_contact, OWNER)
    number = announce(world)
    world.tick()
    world.at += timedelta(days=1)
    world.tick()
    return number, endpoint


def what_comes(world: World, number: str, what: str) -> None:
    """Withdraw the notice, or have it postponed since another customer objects; then see who is a task."""
    if what == "withdrawal":
        withdraw(world, number)
    else:
        object_to(world, number, "jena")
        world.at = EFFECT
        world.tick()
    see_the_task(world, what)


def see_the_task(world: World, letter: str) -> None:
    """See that in the end one task is open for the customer, of this letter."""
    for _ in range(20):
        found = [(task.facts["letter"], task.facts["customer"]) for task in tasks(world, UNTOLD)]
        if found:
            break
        world.at += timedelta(hours=12)
        world.tick()
    assert found == [(letter, "bremen")]


class TestWithdrawnWhileSomebodyTakesTheirPlace:
    def test_the_successor_was_not_written_to_yet(self, world: World) -> None:
        number = pending_notice(world)
        succeed(world)
        withdraw(world, number)
        see_the_task(world, "withdrawal")

    def test_the_successors_letter_is_refused_as_the_notice_goes(self, world: World, mail_server: MailServer) -> None:
        number = pending_notice(world)
        succeed(world)
        mail_server.script(SECOND, 450, BUSY)

        def withdrawn_meanwhile(_: Envelope) -> None:
            withdraw(world, number)

        meanwhile(world, withdrawn_meanwhile)
        send(world)
        see_the_task(world, "withdrawal")

    @pytest.mark.parametrize("owner", ["busy", "blocked"])
    def test_the_endpoint_has_ended_and_its_owner_cannot_be_told(
        self, world: World, receiver: HttpReceiver, mail_server: MailServer, owner: str
    ) -> None:
        world.apply(antopsis(customers=bremen() + JENA))
        endpoint = connect(world, receiver).number
        number = announce(world)
        world.tick()
        if owner == "blocked":
            block(world, OWNER)
        mail_server.script(OWNER, 450, BUSY)
        end(world, endpoint)
        world.tick()
        withdraw(world, number)
        see_the_task(world, "withdrawal")

    def test_the_contact_is_another_customers_now(self, world: World) -> None:
        world.apply(antopsis(customers=BOTH))
        act(world, add_contact, SECOND, is_standby=True)
        number = announce(world)
        sweep(world)
        with world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            ours, other = (get_customer(session, publisher, key) for key in ("bremen", "jena"))
            move_contact(session, world.at, ours, contact_number(world, DPO), other, ANNA)
        withdraw(world, number)
        see_the_task(world, "withdrawal")


class TestWithdrawalThatEndsAfterItsContact:
    @pytest.mark.parametrize(("code", "words"), [(450, BUSY), (550, NO_SUCH_USER)])
    def test_it_was_on_the_wire(self, world: World, mail_server: MailServer, code: int, words: str) -> None:
        withdraw(world, pending_notice(world))
        mail_server.script(DPO, code, words)
        meanwhile(world, lambda _: succeed(world))
        send(world)
        see_the_task(world, "withdrawal")

    def test_it_may_have_arrived(self, world: World) -> None:
        withdraw(world, pending_notice(world))
        lose_answers(world, 1)
        send(world)
        succeed(world)
        see_the_task(world, "withdrawal")

    def test_a_person_lets_it_be_tried_again(self, world: World) -> None:
        number = pending_notice(world)
        withdraw(world, number)
        lose_answers(world, 2)
        send(world)
        world.at += timedelta(minutes=2)
        send(world)
        succeed(world)
        with world.writing() as session:
            publisher = get_publisher(session, "antopsis")
            assert requeue_deliveries(session, world.at, publisher, get_notice(session, publisher, number), ANNA) == 1
        see_the_task(world, "withdrawal")


class TestWithoutTheLastEndpoint:
    @WHAT
    def test_it_has_ended_before(self, world: World, receiver: HttpReceiver, what: str) -> None:
        number, endpoint = told_by_a_webhook_alone(world, receiver)
        end(world, endpoint)
        world.tick()
        what_comes(world, number, what)

    def test_it_ends_by_the_postponement(self, world: World, receiver: HttpReceiver) -> None:
        number, _ = told_by_a_webhook_alone(world, receiver)
        receiver.always(GONE)
        what_comes(world, number, "postponement")

    @pytest.mark.parametrize("when", ["before", "by it"])
    def test_a_correction_reaches_nobody(self, world: World, receiver: HttpReceiver, when: str) -> None:
        number, endpoint = told_by_a_webhook_alone(world, receiver)
        if when == "before":
            end(world, endpoint)
        receiver.always(GONE)
        correct(world, number)
        see_the_task(world, "correction")

    def test_it_ends_by_the_effect(self, world: World, receiver: HttpReceiver) -> None:
        told_by_a_webhook_alone(world, receiver)
        with world.writing() as session:
            session.execute(update(Subscription).values(wants_effect=True))
        receiver.always(GONE)
        world.at = EFFECT
        see_the_task(world, "effect")

    def test_only_the_postponement_was_taken_and_the_withdrawal_is_not(
        self, world: World, receiver: HttpReceiver
    ) -> None:
        world.apply(antopsis(customers=bremen() + JENA))
        connect(world, receiver)
        block(world, OWNER)
        act(world, end_contact, OWNER)
        number = announce(world)
        receiver.always(BAD_GATEWAY)
        for _ in range(10):
            world.at += timedelta(hours=8)
            world.tick()
        receiver.always(OK)
        postpone(world, number)
        world.tick()
        withdraw(world, number)
        receiver.always(GONE)
        see_the_task(world, "withdrawal")


class TestWhoCountsAsTold:
    @WHAT
    @pytest.mark.parametrize("how", ["served", "exempt"])
    def test_who_is_left_stands_by(self, world: World, mail_server: MailServer, what: str, how: str) -> None:
        world.apply(antopsis(customers=BOTH))
        act(world, add_contact, SECOND, is_standby=True)
        if how == "served":
            mail_server.script(DPO, 550, NO_SUCH_USER)
        number = announce(world)
        send(world)
        decide(world, number, "bremen", how, "slip 17")
        act(world, end_contact, DPO)
        what_comes(world, number, what)

    @WHAT
    def test_it_was_deemed_told_and_who_came_since_stands_by(
        self, world: World, mail_server: MailServer, what: str
    ) -> None:
        terms = "{undeliverable: {deemed_after_days: 3, clause: '7.2'}}"
        world.apply(antopsis(customers=bremen(terms=terms, contacts=DPO) + JENA))
        mail_server.script(DPO, 550, NO_SUCH_USER)
        number = announce(world)
        for _ in range(12):
            world.at += timedelta(hours=12)
            world.tick()
        succeed(world, stands_by=True)
        what_comes(world, number, what)

    @WHAT
    def test_it_was_served_since_its_contact_is_suppressed(self, world: World, what: str) -> None:
        world.apply(antopsis(customers=BOTH))
        block(world, DPO)
        number = announce(world)
        sweep(world)
        world.at += timedelta(hours=2)
        decide(world, number, "bremen", "served", "slip 17", world.at)
        what_comes(world, number, what)

    @WHAT
    def test_the_contact_that_was_told_goes_and_the_others_had_been_suppressed(self, world: World, what: str) -> None:
        world.apply(antopsis(customers=BOTH))
        act(world, add_contact, SECOND)
        block(world, SECOND)
        number = announce(world)
        sweep(world)
        with world.writing() as session:
            publisher, because = get_publisher(session, "antopsis"), next(iter(LiftedBecause))
            lift_suppression(session, world.at, publisher, world.wiring.keyring, SECOND, ANNA, because)
        act(world, end_contact, DPO)
        what_comes(world, number, what)

    def test_it_may_have_been_told_and_the_withdrawal_is_refused(self, world: World, mail_server: MailServer) -> None:
        number = pending_notice(world, deliver=False)
        lose_answers(world, 1)
        send(world)
        world.at += timedelta(seconds=10)
        withdraw(world, number)
        mail_server.script(DPO, 550, NO_SUCH_USER)
        see_the_task(world, "withdrawal")


class TestLettersThatWaitAcrossTheEffect:
    def test_a_correction_whose_contact_is_replaced_then(self, world: World, mail_server: MailServer) -> None:
        number = pending_notice(world, BOTH)
        world.at = EFFECT - timedelta(hours=11)
        world.tick()
        mail_server.script(DPO, 450, BUSY)
        correct(world, number)
        world.tick()
        world.at = EFFECT + timedelta(minutes=1)
        world.tick()
        succeed(world)
        see_the_task(world, "correction")

    def test_the_announcement_to_a_customer_that_came_late(self, world: World, mail_server: MailServer) -> None:
        world.apply(antopsis(customers=JENA))
        world.announce(antopsis(customers=JENA, helsinki=True))
        world.tick()
        world.at = EFFECT - timedelta(hours=11)
        mail_server.script(DPO, 450, BUSY)
        world.apply(antopsis(customers=BOTH, helsinki=True))
        world.tick()
        world.at = EFFECT + timedelta(minutes=1)
        world.tick()
        succeed(world)
        see_the_task(world, "announcement")


def test_a_customer_that_came_late_and_lost_its_only_endpoint(world: World, receiver: HttpReceiver) -> None:
    world.apply(antopsis(customers=JENA))
    world.announce(antopsis(customers=JENA, helsinki=True))
    world.tick()
    world.at += timedelta(hours=1)
    world.apply(antopsis(customers=bremen() + JENA, helsinki=True))
    endpoint = connect(world, receiver).number
    block(world, OWNER)
    act(world, end_contact, OWNER)
    end(world, endpoint)
    see_the_task(world, "announcement")


def test_a_customer_whose_contract_begins_while_the_notice_is_pending_and_that_has_no_contact(world: World) -> None:
    customers = "  - {key: bremen, name: Bremen Media GmbH, contract_from: 2026-10-05}\n" + JENA
    world.apply(antopsis(customers=customers))
    world.announce(antopsis(customers=customers, helsinki=True))
    world.tick()
    assert tasks(world, UNTOLD) == [], "its contract has not begun"
    see_the_task(world, "announcement")


def test_who_came_instead_and_is_told_the_newest_is_owed_nothing_older(world: World) -> None:
    number = pending_notice(world, BOTH)
    postpone(world, number)
    succeed(world)
    world.tick()
    withdraw(world, number)
    world.tick()
    world.at += timedelta(days=1)
    world.tick()
    assert tasks(world, UNTOLD) == []


def test_whose_contract_is_over_is_owed_nothing(world: World) -> None:
    world.apply(antopsis(customers=JENA))
    number = world.announce(antopsis(customers=JENA, helsinki=True))
    world.tick()
    world.at += timedelta(hours=2)
    world.apply(antopsis(customers=BOTH, helsinki=True))
    world.tick()
    with world.writing() as session:
        end_contract(session, world.at, get_publisher(session, "antopsis"), "bremen", date(2026, 9, 28), ANNA)
    withdraw(world, number)
    for _ in range(4):
        world.at += timedelta(hours=6)
        world.tick()
    with world.reading() as session:
        assert session.scalars(select(Task.subject).where(Task.closed_at.is_(None))).all() == []
