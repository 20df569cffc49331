"""What needs a person: each task opens while it is true, says how long there is, and closes by itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from registry.steps.record_outcome import OutcomeKind, record_outcome
from registry.steps.sweep_slots import shared_clock
from registry.steps.tasks import TaskKind, close_task_by_hand
from registry.tables import Customer, Delivery, Installation, NoticeChange, NoticeCustomer, ProviderPacing, Task
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import (
    ITS_FIRST_INSTANT,
    LUEBECK,
    UNREACHED,
    change,
    look,
    no_mailbox,
    pending_notice,
    tasks,
)
from tests.steps.path_cast import decide, dump, events, standing, sweep
from tests.world import ANNA, BREMEN, World, antopsis, utc

ATTENTION = TaskKind.NEEDS_ATTENTION.value


def test_a_quiet_installation_has_no_tasks(world: World) -> None:
    assert look(world) == {"opened": 0, "closed": 0}
    pending_notice(world, BREMEN + LUEBECK)
    sweep(world, "heartbeat")
    assert look(world) == {"opened": 0, "closed": 0}


def test_a_letter_that_needs_a_person_is_a_task_that_never_ages_out(world: World) -> None:
    number = pending_notice(world)
    change(world, Delivery, state="needs_attention", note="cannot_be_made: KeyError")
    assert look(world)["opened"] == 1
    (task,) = tasks(world, ATTENTION)
    assert task.facts == {"notice": number, "letter": "announcement", "channel": "email", "note": "cannot_be_made"}
    world.at += timedelta(days=400)
    look(world)
    assert [each.id for each in tasks(world, ATTENTION)] == [task.id]
    change(world, Delivery, state="accepted", note=None)
    look(world)
    assert tasks(world, ATTENTION) == []


def test_what_a_person_has_seen_stays_closed_until_the_letter_fails_once_more(world: World) -> None:
    pending_notice(world)
    change(world, Delivery, state="needs_attention")
    look(world)
    (task,) = tasks(world, ATTENTION)
    world.at += timedelta(minutes=1)
    with world.writing() as session:
        close_task_by_hand(session, world.at, task.id, ANNA, "Told by telephone")
    look(world)
    assert tasks(world, ATTENTION) == []
    # It is tried again, and ends in the same place.
    change(world, Delivery, state="pending", due_at=world.at)
    look(world)
    world.at += timedelta(minutes=1)
    sweep(world, "send")
    change(world, Delivery, state="needs_attention")
    world.at += timedelta(minutes=1)
    look(world)
    assert len(tasks(world, ATTENTION)) == 1


@pytest.mark.parametrize(("minutes", "is_open"), [(59, False), (61, True)])
def test_a_notice_whose_day_has_come_and_nothing_happened_is_overdue_after_an_hour(
    world: World, minutes: int, is_open: bool
) -> None:
    number = pending_notice(world)
    world.at = ITS_FIRST_INSTANT + timedelta(minutes=minutes)
    sweep(world, "heartbeat")
    look(world)
    found = tasks(world, TaskKind.NOTICE_OVERDUE.value)
    assert bool(found) is is_open
    if is_open:
        assert (found[0].subject, found[0].due_at) == (f"antopsis/{number}", ITS_FIRST_INSTANT)
        assert found[0].facts == {"notice": number, "what": "effect"}
        sweep(world, "take_effect")
        assert look(world)["closed"] == 1


def test_a_held_notice_is_not_overdue(world: World) -> None:
    pending_notice(world, deliver=False)
    world.at = ITS_FIRST_INSTANT
    sweep(world, "take_effect")
    world.at += timedelta(hours=2)
    look(world)
    assert tasks(world, TaskKind.NOTICE_OVERDUE.value) == []
    assert len(tasks(world, UNREACHED)) == 1


def test_a_notice_that_was_not_announced_when_it_should_is_overdue(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))
    world.apply(antopsis(customers=BREMEN, helsinki=True))
    number = world.draft(announce_at=utc("2026-10-01 08:00"))
    world.publish(number)
    world.at = utc("2026-10-01 09:01")
    look(world)
    (task,) = tasks(world, TaskKind.NOTICE_OVERDUE.value)
    assert task.facts["what"] == "announcement"


def test_a_provider_that_shuts_for_more_than_half_an_hour_is_a_task_until_letters_go_again(world: World) -> None:
    with world.reading() as session:
        now = shared_clock(session, world.at)
    values: dict[str, Any] = {"interval_us": 0, "next_at": now, "updated_at": now}
    with world.writing() as session:
        for account, hours in (("resend", 1), ("relay", 0.25)):
            blocked_until = now + timedelta(hours=hours)
            session.add(ProviderPacing(account=account, blocked_until=blocked_until, **values))
    look(world)
    (task,) = tasks(world, TaskKind.PROVIDER_BLOCKED.value)
    assert (task.subject, task.publisher_id) == ("resend", None)
    # Little is left of it, and nothing goes by it yet; then it may be asked again, and may shut again.
    change(world, ProviderPacing, blocked_until=now + timedelta(minutes=10))
    assert look(world) == {"opened": 0, "closed": 0}
    change(world, ProviderPacing, blocked_until=now - timedelta(seconds=1))
    assert look(world) == {"opened": 0, "closed": 0}
    change(world, ProviderPacing, blocked_until=now - timedelta(minutes=11))
    assert look(world) == {"opened": 0, "closed": 1}


def test_a_heartbeat_that_stays_away_while_sweeps_run_is_a_task(world: World) -> None:
    change(world, Installation, heartbeat_at=world.at - timedelta(minutes=1))
    assert look(world)["opened"] == 0
    change(world, Installation, heartbeat_at=world.at - timedelta(minutes=3))
    assert look(world)["opened"] == 1
    sweep(world, "heartbeat")
    assert look(world)["closed"] == 1


def report(world: World, event_id: str, message_id: str = "<nobody@elsewhere.example>") -> None:
    with world.writing() as session:
        record_outcome(
            session,
            world.at,
            provider="resend",
            event_id=event_id,
            message_id=message_id,
            kind=OutcomeKind.BOUNCED,
            happened_at=world.at,
            actor=ANNA,
        )


def test_reports_about_letters_that_are_not_ours_are_one_task_which_counts_only_what_nobody_has_seen(
    world: World,
) -> None:
    report(world, "1")
    report(world, "2")
    assert look(world)["opened"] == 0
    world.at += timedelta(hours=1, seconds=1)
    report(world, "came later")
    assert look(world)["opened"] == 1
    (task,) = tasks(world, TaskKind.CALLBACK_UNMATCHED.value)
    assert task.facts == {"provider": "resend", "count": 2}
    with world.writing() as session:
        close_task_by_hand(session, world.at, task.id, ANNA, "Another service's mail")
    look(world)
    assert tasks(world, TaskKind.CALLBACK_UNMATCHED.value) == []
    world.at += timedelta(hours=2)
    look(world)
    (task,) = tasks(world, TaskKind.CALLBACK_UNMATCHED.value)
    assert task.facts["count"] == 1


def test_no_task_and_no_event_of_one_holds_an_address(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    pending_notice(world)
    report(world, "1", "<someone@customer.example>")
    world.at += timedelta(days=3)
    look(world)
    stored = list(dump(world)["tasks"]) + [event.payload for event in events(world, "task.opened")]
    assert len(stored) >= 4
    assert "@" not in str(stored)


def test_a_sweep_beside_another_opens_nothing_twice(world: World, mail_server: MailServer) -> None:
    no_mailbox(mail_server)
    pending_notice(world)
    look(world)
    with world.writing() as session:
        session.execute(delete(Task))
    look(world)
    look(world)
    assert len(tasks(world, UNREACHED)) == 1


def spoil(world: World, customer: str, **values: Any) -> None:
    """Leave terms of one customer of the notice on record that nobody can read."""
    with world.writing() as session:
        row = session.scalars(
            select(NoticeCustomer)
            .join(Customer, Customer.id == NoticeCustomer.customer_id)
            .where(Customer.key == customer)
        ).one()
        row.terms = {"days": "soon"}
        for name, value in values.items():
            setattr(row, name, value)


@pytest.mark.parametrize("state", ["waiting", "received"])
def test_a_customer_whose_terms_cannot_be_read_is_a_task_and_keeps_no_other_from_being_one(
    world: World, mail_server: MailServer, state: str
) -> None:
    no_mailbox(mail_server)
    number = pending_notice(world, BREMEN + LUEBECK)
    spoil(world, "luebeck", state=state, received_at=None)
    assert look(world) == {"opened": 2, "closed": 0}
    assert [task.facts["customer"] for task in tasks(world, UNREACHED)] == ["bremen"]
    (task,) = tasks(world, TaskKind.TERMS_UNREADABLE.value)
    assert (task.subject, task.due_at) == (f"antopsis/{number}/luebeck", None)
    assert task.facts == {"notice": number, "customer": "luebeck"}
    assert look(world) == {"opened": 0, "closed": 0}
    decide(world, number, "bremen", "served", "By courier")
    assert look(world) == {"opened": 0, "closed": 1}
    terms = standing(world, number, "bremen")
    assert terms is not None
    with world.writing() as session:
        session.execute(update(NoticeCustomer).values(terms=terms.terms))
    assert look(world)["closed"] == 1
    assert tasks(world, TaskKind.TERMS_UNREADABLE.value) == []


def test_a_notice_that_cannot_be_read_leaves_its_tasks_as_they_are_and_keeps_no_other_waiting(
    world: World, mail_server: MailServer
) -> None:
    no_mailbox(mail_server)
    pending_notice(world)
    look(world)
    changes = dict[str, Any]()
    with world.writing() as session:
        for row in session.scalars(select(NoticeChange)):
            changes[str(row.entry_id)] = row.weight
            row.weight = "heavy"
    change(world, Installation, heartbeat_at=world.at - timedelta(minutes=3))
    with pytest.raises(ValueError, match="heavy"):
        look(world)
    assert len(tasks(world, UNREACHED)) == 1
    assert len(tasks(world, TaskKind.HEARTBEAT_LATE.value)) == 1
    with world.writing() as session:
        for row in session.scalars(select(NoticeChange)):
            row.weight = changes[str(row.entry_id)]
    assert look(world) == {"opened": 0, "closed": 0}
