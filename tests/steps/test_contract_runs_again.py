"""Customers that a notice leaves out for the end of a contract that runs: each is a task for a person (R17)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from sqlalchemy import func, select

from registry.domain.deliveries import DeliveryNote
from registry.steps.contacts import end_contact
from registry.steps.contract_runs_again import find_contracts_that_run_again, list_pending_without
from registry.steps.customers import end_contract
from registry.steps.errors import TermsUnreadable
from registry.steps.lookup import get_customer, get_publisher
from registry.steps.record import WORKER
from registry.steps.tasks import TaskKind, close_task_by_hand
from registry.tables import Delivery, Task
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import ITS_FIRST_INSTANT, LUEBECK, change, look, no_mailbox, pending_notice, reasons
from tests.steps.holding_cast import tasks as tasks_of
from tests.steps.path_cast import add_customer, add_forgotten, announce, at, counting, decide, standing, sweep, withdraw
from tests.steps.post_office import DPO
from tests.steps.test_postponing import postpone
from tests.unreadable_terms import spoil_terms
from tests.world import ANNA, BREMEN, HANOI, World, antopsis, letters_to, utc

RUNS_AGAIN = TaskKind.CONTRACT_RUNS_AGAIN.value
ACME = "privacy@acme.example"
BOTH = BREMEN + LUEBECK


def ends_on(world: World, day: str, key: str = "bremen") -> None:
    with world.writing() as session:
        end_contract(session, world.at, get_publisher(session, "antopsis"), key, date.fromisoformat(day), ANNA)


def tasks(world: World, *, is_open: bool = True) -> list[Task]:
    sweep(world)
    look(world)
    return tasks_of(world, RUNS_AGAIN, is_open=is_open)


def the_task(world: World) -> Task:
    (task,) = tasks(world)
    return task


def close(world: World, number: int, reason: str) -> None:
    with world.writing() as session:
        close_task_by_hand(session, world.at, number, ANNA, reason)


def dropped_by_mistake(world: World) -> str:
    """Have Bremen drop out of a notice that it has, by an end of its contract that was put in by mistake."""
    number = pending_notice(world, BOTH)
    world.at = utc("2026-10-10 08:00")
    ends_on(world, "2026-10-08")
    assert tasks(world) == []
    dropped = standing(world, number, "bremen")
    assert dropped is not None
    assert dropped.state == "dropped"
    return number


def was_over(world: World, *contacts: str) -> str:
    """Announce to Bremen while the contract of Acme, with these contacts, is over."""
    world.apply(antopsis(customers=BREMEN))
    add_customer(world, key="acme", name="Acme GmbH", contract_until="2026-09-01", contacts=list(contacts))
    world.at += timedelta(minutes=1)
    number = announce(world)
    assert tasks(world) == []
    return number


def test_one_that_dropped_out_by_mistake_is_a_task_until_it_is_back(world: World) -> None:
    number = dropped_by_mistake(world)
    ends_on(world, "2026-12-31")
    task = the_task(world)
    assert (task.subject, task.due_at) == (f"antopsis/{number}/bremen", ITS_FIRST_INSTANT)
    assert task.facts == {"notice": number, "customer": "bremen", "dropped_out": True, "told": True}
    add_forgotten(world, number, "bremen")
    assert tasks(world) == []
    assert [task.closed_by for task in tasks(world, is_open=False)] == [str(WORKER)]
    at(world, ITS_FIRST_INSTANT)
    assert world.notice(number).state == "in_effect"


@pytest.mark.parametrize("end", ["2026-10-10", "2027-03-31", None])
def test_its_last_day_counts_as_running(world: World, end: str | None) -> None:
    dropped_by_mistake(world)
    add_customer(world, key="bremen", name="Bremen Media GmbH", time_zone="Europe/Berlin", contract_until=end)
    assert the_task(world).facts["customer"] == "bremen"


@pytest.mark.parametrize(("now", "opens"), [("2026-10-10 21:30", True), ("2026-10-10 22:30", False)])
def test_the_last_day_is_one_of_its_own_zone(world: World, now: str, opens: bool) -> None:
    dropped_by_mistake(world)
    ends_on(world, "2026-10-10")
    world.at = utc(now)
    assert bool(tasks(world)) is opens


def test_what_a_person_closed_stays_closed(world: World) -> None:
    dropped_by_mistake(world)
    ends_on(world, "2026-12-31")
    close(world, the_task(world).id, "Signed again from November on, and told by telephone.")
    assert tasks(world) == []


def test_what_happens_after_a_person_closed_it_is_a_task_again(world: World) -> None:
    number = dropped_by_mistake(world)
    ends_on(world, "2026-12-31")
    close(world, the_task(world).id, "It need not be waited for.")
    world.at = utc("2026-10-12 08:00")
    withdraw(world, number, reason="Not signed.")
    assert the_task(world).facts["ended"] == "withdrawn"


def test_one_that_drops_out_once_more_is_a_task_again(world: World) -> None:
    number = dropped_by_mistake(world)
    ends_on(world, "2026-12-31")
    close(world, the_task(world).id, "It need not be waited for.")
    world.at = utc("2026-10-12 08:00")
    add_forgotten(world, number, "bremen")
    ends_on(world, "2026-10-11")
    sweep(world)
    ends_on(world, "2026-12-31")
    the_task(world)


def test_the_task_closes_when_the_contract_is_over_after_all(world: World) -> None:
    dropped_by_mistake(world)
    ends_on(world, "2026-12-31")
    the_task(world)
    ends_on(world, "2026-10-09")
    assert tasks(world) == []


def test_one_that_the_notice_took_effect_without_is_a_task_while_its_contract_runs(world: World) -> None:
    number = dropped_by_mistake(world)
    at(world, ITS_FIRST_INSTANT)
    assert world.notice(number).state == "in_effect"
    ends_on(world, "2026-11-20")
    task = the_task(world)
    assert (task.facts["ended"], task.due_at) == ("in_effect", None)
    world.at = utc("2026-11-21 08:00")
    assert tasks(world) == []


def test_an_open_task_outlasts_the_thirty_days(world: World) -> None:
    dropped_by_mistake(world)
    at(world, ITS_FIRST_INSTANT)
    ends_on(world, "2027-12-31")
    number = the_task(world).id
    world.at += timedelta(days=60)
    assert the_task(world).id == number


def test_nothing_is_said_of_what_took_effect_long_ago(world: World) -> None:
    dropped_by_mistake(world)
    at(world, ITS_FIRST_INSTANT)
    world.at += timedelta(days=31)
    ends_on(world, "2027-12-31")
    assert tasks(world) == []


def test_one_that_heard_of_a_notice_and_not_of_its_withdrawal_is_a_task(world: World, mail_server: MailServer) -> None:
    number = dropped_by_mistake(world)
    withdraw(world, number, reason="Not signed.")
    assert tasks(world) == []
    ends_on(world, "2026-12-31")
    assert the_task(world).facts["ended"] == "withdrawn"
    assert len(letters_to(mail_server, DPO)) == 1


@pytest.mark.parametrize("how", ["served", "may have arrived"])
def test_one_that_may_know_of_a_notice_by_another_road_is_a_task_too(
    world: World, mail_server: MailServer, how: str
) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world, BOTH)
    if how == "served":
        world.at = utc("2026-10-02 08:00")
        decide(world, number, "bremen", "served", "Post RR 123 DE")
    else:
        change(world, Delivery, note=DeliveryNote.MAY_HAVE_ARRIVED.value)
    world.at = utc("2026-10-10 08:00")
    ends_on(world, "2026-10-08")
    sweep(world)
    withdraw(world, number, reason="Not signed.")
    ends_on(world, "2026-12-31")
    assert the_task(world).facts["ended"] == "withdrawn"


def test_one_that_never_heard_of_a_notice_need_not_hear_of_its_withdrawal(
    world: World, mail_server: MailServer
) -> None:
    mail_server.script(DPO, 451, "4.3.0 Try again later")
    number = dropped_by_mistake(world)
    withdraw(world, number, reason="Not signed.")
    ends_on(world, "2026-12-31")
    assert tasks(world) == []


def test_one_with_a_later_statement_too_is_one_task(world: World) -> None:
    number = dropped_by_mistake(world)
    postpone(world, number)
    ends_on(world, "2026-12-31")
    assert the_task(world).facts["notice"] == number


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


@pytest.mark.parametrize("dropped_out", [True, False])
def test_a_new_contract_from_after_the_effect_on_is_none(world: World, dropped_out: bool) -> None:
    key = "bremen" if dropped_out else "acme"
    number = dropped_by_mistake(world) if dropped_out else was_over(world, ACME)
    at(world, ITS_FIRST_INSTANT)
    assert world.notice(number).state == "in_effect"
    world.at = utc("2026-11-15 08:00")
    add_customer(world, key=key, name="The same", contract_from="2026-11-15", contract_until=None)
    assert tasks(world) == []


@pytest.mark.parametrize("came_later", [True, False])
@pytest.mark.parametrize("what", ["withdrawal", "postponement"])
def test_what_was_kept_back_for_an_end_that_was_a_mistake_is_a_task_though_nobody_dropped_out(
    world: World,
    what: str,
    came_later: bool,
) -> None:
    number, key = pending_notice(world, BOTH), "acme" if came_later else "bremen"
    if came_later:
        world.at = utc("2026-10-01 08:00")
        add_customer(world, key="acme", name="Acme GmbH", contacts=[ACME])
        sweep(world)
    world.at = utc("2026-10-10 08:00")
    ends_on(world, "2026-10-01", key)
    if what == "withdrawal":
        withdraw(world, number, reason="Not signed.")
    else:
        postpone(world, number)
    ends_on(world, "2026-12-31", key)
    assert tasks(world) == []
    (task,) = tasks_of(world, TaskKind.CUSTOMER_NOT_TOLD.value)
    assert (task.facts["customer"], task.facts["letter"]) == (key, what)
    if what == "postponement":
        add_forgotten(world, number, key)
        sweep(world)
        look(world)
        assert tasks_of(world, TaskKind.CUSTOMER_NOT_TOLD.value) == []


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


def test_terms_that_cannot_be_read_hide_no_task_and_keep_no_other_customer_out(world: World) -> None:
    number = dropped_by_mistake(world)
    ends_on(world, "2026-12-31")
    spoil_terms(world.wiring.engine, "luebeck")
    spoil_terms(world.wiring.engine, "bremen")
    the_task(world)
    with pytest.raises(TermsUnreadable, match="bremen"):
        add_forgotten(world, number, "bremen")
    add_customer(world, key="bremen", name="Bremen Media GmbH", time_zone="Europe/Berlin")
    add_forgotten(world, number, "bremen")
    assert tasks(world) == []


def test_one_of_another_publisher_and_one_of_another_notice_are_none(world: World) -> None:
    number = dropped_by_mistake(world)
    ends_on(world, "2026-12-31")
    with world.reading() as session:
        publisher = get_publisher(session, "antopsis")
        found = {
            key: [
                (notice.number, each.dropped_out)
                for notice, each in list_pending_without(
                    session, world.at, publisher, get_customer(session, publisher, key)
                )
            ]
            for key in ("bremen", "luebeck")
        }
    assert found == {"bremen": [(number, True)], "luebeck": []}


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
