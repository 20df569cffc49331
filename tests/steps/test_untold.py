"""Customers that did not get what a notice said, though no clock waits for them: each is a task until they have it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import select, update

from registry.domain.vocabulary import StatementKind
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.record_outcome import OutcomeKind
from registry.steps.suppressions import add_suppression
from registry.steps.tasks import TaskKind, close_task_by_hand
from registry.steps.untold import LOOKED_BACK_FOR
from registry.steps.withdraw_notice import withdraw_notice
from registry.tables import Delivery, Letter, Subscription
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import ITS_FIRST_INSTANT, look, no_mailbox, pending_notice, tasks
from tests.steps.path_cast import add_customer, decide, follow, sweep, withdraw
from tests.steps.post_office import DPO, report_to, states_of
from tests.steps.test_one_by_one import SLUGS, two_notices
from tests.steps.test_postponing import postpone
from tests.world import ANNA, BREMEN, World, antopsis, utc

UNTOLD = TaskKind.CUSTOMER_NOT_TOLD.value
UNREACHED = TaskKind.CUSTOMER_NOT_REACHED.value
SECOND = "legal@bremen.example"
TWO_CONTACTS = BREMEN.replace("contacts: [dpo@bremen.example]", f"contacts: [dpo@bremen.example, {SECOND}]")


def untold(world: World) -> list[tuple[str, str]]:
    """Look, and return which statements of a notice which customers did not get."""
    look(world)
    return [(task.facts["letter"], task.facts["customer"]) for task in tasks(world, UNTOLD)]


def lose(world: World, kind: str, state: str = "bounced") -> None:
    """Have the letters of this kind end so."""
    letters = select(Letter.id).where(Letter.kind == kind)
    with world.writing() as session:
        session.execute(update(Delivery).where(Delivery.letter_id.in_(letters)).values(state=state))


def test_a_withdrawal_that_is_refused_is_a_task_for_a_person_to_close(world: World, mail_server: MailServer) -> None:
    number = pending_notice(world, BREMEN)
    no_mailbox(mail_server)
    withdraw(world, number)
    assert untold(world) == [], "it is under way"
    sweep(world, "send")
    assert untold(world) == [("withdrawal", "bremen")]
    (task,) = tasks(world, UNTOLD)
    assert (task.subject, task.due_at) == (f"antopsis/{number}/2/bremen", None)
    assert task.facts == {
        "notice": number,
        "customer": "bremen",
        "statement": 2,
        "letter": "withdrawal",
        "in_effect": False,
    }
    assert look(world) == {"opened": 0, "closed": 0}
    world.at += LOOKED_BACK_FOR + timedelta(days=1)
    assert untold(world) == [("withdrawal", "bremen")], "no duty goes away by waiting"
    with world.writing() as session:
        close_task_by_hand(session, world.at, task.id, ANNA, "Told by telephone")
    assert untold(world) == []
    assert look(world) == {"opened": 0, "closed": 0}


def test_a_withdrawal_that_comes_back_is_a_task_too(world: World) -> None:
    withdraw(world, pending_notice(world, BREMEN))
    sweep(world, "send")
    assert untold(world) == []
    lose(world, "withdrawal")
    assert untold(world) == [("withdrawal", "bremen")]


def test_who_was_not_told_of_a_notice_need_not_be_told_of_its_withdrawal(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world, BREMEN)
    withdraw(world, number)
    sweep(world, "send")
    assert (states_of(world, "withdrawal"), untold(world)) == ({DPO: "failed"}, [])


@pytest.mark.parametrize("kind", [StatementKind.POSTPONEMENT, StatementKind.REMINDER])
def test_what_a_pending_notice_says_later_is_a_task_where_nobody_gets_it(
    world: World, mail_server: MailServer, kind: StatementKind
) -> None:
    number = pending_notice(world, BREMEN)
    no_mailbox(mail_server)
    if kind is StatementKind.POSTPONEMENT:
        postpone(world, number)
    else:
        world.at = utc("2026-10-25 08:00")
        sweep(world, "remind")
    sweep(world, "send")
    assert untold(world) == [(kind.value, "bremen")]
    world.at += timedelta(hours=1)
    add_customer(world, key="bremen", name="Bremen Media GmbH", contacts=[DPO, SECOND])
    assert untold(world) == [(kind.value, "bremen")], "the new contact's letters are due, and nobody has them"
    sweep(world, "send")
    assert untold(world) == []
    assert [task.closed_because for task in tasks(world, UNTOLD, is_open=False)] == ["no-longer-true"]


def test_a_reminder_and_a_postponement_that_nobody_got_are_over_with_the_effect(world: World) -> None:
    number = pending_notice(world, BREMEN)
    postpone(world, number, date(2026, 11, 2))
    sweep(world, "send")
    lose(world, "postponement")
    assert untold(world) == [("postponement", "bremen")]
    world.at = utc("2026-11-01 23:30")
    sweep(world, "take_effect")
    assert world.notice(number).state == "in_effect"
    assert untold(world) == []


def test_another_contact_that_has_it_or_still_may_is_enough(world: World, mail_server: MailServer) -> None:
    number = pending_notice(world, TWO_CONTACTS)
    mail_server.script(DPO, 550, "5.1.1 No such user here")
    mail_server.script(SECOND, 451, "4.2.0 later")
    withdraw(world, number)
    sweep(world, "send")
    assert states_of(world, "withdrawal") == {DPO: "failed", SECOND: "retry_wait"}
    assert untold(world) == []
    world.at += timedelta(hours=1)
    sweep(world, "send")
    lose(world, "withdrawal")
    assert untold(world) == [("withdrawal", "bremen")]
    with world.writing() as session:
        second = select(Subscription.id).where(Subscription.rank == 1)
        session.execute(update(Delivery).where(Delivery.subscription_id.in_(second)).values(state="accepted"))
    assert untold(world) == []


def test_a_customer_that_came_after_the_announcement_and_gets_nothing_is_a_task(
    world: World, mail_server: MailServer
) -> None:
    pending_notice(world, BREMEN)
    mail_server.script("x@luebeck.example", 550, "5.1.1 No such user here")
    add_customer(world, key="luebeck", name="Lübeck GmbH", contacts=["x@luebeck.example"])
    sweep(world, "send")
    assert untold(world) == [("announcement", "luebeck")]
    assert tasks(world, UNREACHED) == []
    world.at += timedelta(hours=1)
    add_customer(world, key="luebeck", name="Lübeck GmbH", contacts=["x@luebeck.example", "y@luebeck.example"])
    sweep(world, "send")
    assert untold(world) == []


def test_a_bounce_after_the_effect_is_a_task_and_reverses_nothing(world: World) -> None:
    number = pending_notice(world, BREMEN)
    world.at = ITS_FIRST_INSTANT
    sweep(world, "take_effect")
    report_to(world, DPO, OutcomeKind.BOUNCED)
    assert untold(world) == [("announcement", "bremen")]
    assert tasks(world, UNTOLD)[0].facts["in_effect"] is True
    assert world.notice(number).state == "in_effect"


def test_a_customer_that_an_emergency_did_not_reach_stays_a_task_when_it_takes_effect(
    world: World, mail_server: MailServer
) -> None:
    no_mailbox(mail_server)
    world.apply(antopsis(customers=BREMEN))
    number = world.announce(antopsis(customers=BREMEN, helsinki=True), emergency_reason="The host was breached.")
    sweep(world, "send")
    assert (untold(world), len(tasks(world, UNREACHED))) == ([], 1)
    world.at = ITS_FIRST_INSTANT
    sweep(world, "take_effect")
    assert world.notice(number).state == "in_effect"
    assert (untold(world), len(tasks(world, UNREACHED))) == ([("announcement", "bremen")], 0)


def test_one_whom_a_pending_notice_waits_for_is_one_task_and_not_two(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world, BREMEN)
    postpone(world, number)
    sweep(world, "send")
    assert (untold(world), len(tasks(world, UNREACHED))) == ([], 1)


def test_service_by_other_means_makes_up_for_what_was_said_until_then_and_not_for_what_comes_after(
    world: World, mail_server: MailServer
) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world, BREMEN)
    world.at += timedelta(hours=1)
    postpone(world, number)
    sweep(world, "send")
    world.at += timedelta(hours=1)
    decide(world, number, "bremen", "served", "By courier")
    assert untold(world) == []
    world.at += timedelta(hours=1)
    postpone(world, number, date(2026, 12, 24))
    sweep(world, "send")
    assert untold(world) == [("postponement", "bremen")]


def test_a_contact_that_may_not_be_written_to_any_more_does_not_get_the_withdrawal(world: World) -> None:
    number = pending_notice(world, BREMEN)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        add_suppression(session, world.at, publisher, world.wiring.keyring, DPO, ANNA)
    withdraw(world, number)
    sweep(world, "send")
    assert states_of(world, "withdrawal") == {DPO: "skipped"}
    assert untold(world) == [("withdrawal", "bremen")]


def test_a_letter_that_needs_a_person_is_a_task_of_its_own_and_no_second_one(world: World) -> None:
    withdraw(world, pending_notice(world, BREMEN))
    sweep(world, "send")
    lose(world, "withdrawal", state="needs_attention")
    assert untold(world) == []
    assert len(tasks(world, TaskKind.NEEDS_ATTENTION.value)) == 1


def test_what_a_person_has_closed_opens_again_where_a_further_try_fails(world: World, mail_server: MailServer) -> None:
    number = pending_notice(world, BREMEN)
    no_mailbox(mail_server)
    postpone(world, number)
    sweep(world, "send")
    look(world)
    world.at += timedelta(minutes=1)
    (task,) = tasks(world, UNTOLD)
    with world.writing() as session:
        close_task_by_hand(session, world.at, task.id, ANNA, "A new address is on its way")
    mail_server.script(SECOND, 550, "5.1.1 No such user here")
    add_customer(world, key="bremen", name="Bremen Media GmbH", contacts=[DPO, SECOND])
    assert untold(world) == []
    world.at += timedelta(minutes=1)
    sweep(world, "send")
    assert untold(world) == [("postponement", "bremen")]


def test_a_follower_who_is_not_reached_is_nobodys_task(world: World, mail_server: MailServer) -> None:
    world.apply(antopsis(customers=BREMEN))
    follow(world, "fred@reader.example")
    mail_server.script("fred@reader.example", 550, "5.1.1 No such user here")
    world.announce(antopsis(customers=BREMEN, helsinki=True))
    sweep(world, "send")
    assert states_of(world)["fred@reader.example"] == "failed"
    assert untold(world) == []


def test_an_old_notice_opens_no_new_task(world: World) -> None:
    number = pending_notice(world, BREMEN)
    withdraw(world, number)
    sweep(world, "send")
    world.at += LOOKED_BACK_FOR + timedelta(minutes=1)
    lose(world, "withdrawal")
    assert untold(world) == []


def test_a_task_of_one_publisher_has_nobody_look_at_an_old_notice_of_another(
    world: World, mail_server: MailServer
) -> None:
    numbers = two_notices(world)
    assert len(set(numbers.values())) == 1
    sweep(world, "send")
    for slug in SLUGS:
        with world.writing() as session:
            publisher = get_publisher(session, slug)
            notice = get_notice(session, publisher, numbers[slug])
            withdraw_notice(session, world.at, publisher, notice, ANNA, world.wiring.letterhead, None)
    sweep(world, "send")

    def lose_withdrawal_of(slug: str) -> None:
        with world.writing() as session:
            its = select(Delivery.id).join(Letter, Letter.id == Delivery.letter_id).where(Letter.kind == "withdrawal")
            of_publisher = its.where(Delivery.publisher_id == get_publisher(session, slug).id)
            session.execute(update(Delivery).where(Delivery.id.in_(of_publisher)).values(state="bounced"))

    lose_withdrawal_of(SLUGS[0])
    assert untold(world) == [("withdrawal", "bremen")]
    world.at += LOOKED_BACK_FOR + timedelta(days=20)
    lose_withdrawal_of(SLUGS[1])
    assert untold(world) == [("withdrawal", "bremen")]
    (task,) = tasks(world, UNTOLD)
    assert task.subject.startswith(f"{SLUGS[0]}/")
