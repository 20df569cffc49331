"""Customers that dropped out of a notice for the end of a contract that runs: each is a task for a person (R17)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from registry.domain.deliveries import DeliveryNote
from registry.steps.contract_runs_again import list_pending_without
from registry.steps.errors import TermsUnreadable
from registry.steps.lookup import get_customer, get_publisher
from registry.steps.record import WORKER
from registry.steps.tasks import TaskKind
from registry.tables import Delivery
from tests.channels.smtp_server import MailServer
from tests.steps.contract_cast import (
    ACME,
    BOTH,
    close,
    dropped_by_mistake,
    ends_on,
    tasks,
    the_task,
    was_over,
)
from tests.steps.holding_cast import ITS_FIRST_INSTANT, change, look, no_mailbox, pending_notice
from tests.steps.holding_cast import tasks as tasks_of
from tests.steps.path_cast import add_customer, add_forgotten, at, decide, sweep, withdraw
from tests.steps.post_office import DPO
from tests.steps.test_postponing import postpone
from tests.unreadable_terms import spoil_terms
from tests.world import World, letters_to, utc


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
    assert the_task(world).facts["dropped_out"] is True


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
