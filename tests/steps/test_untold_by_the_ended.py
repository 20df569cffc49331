"""A letter that comes back after its contact has ended: a task at once, where nobody else of the customer has it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.channels.resend_events import CallbackEvent, CallbackKind
from registry.domain.outcomes import OutcomeKind
from registry.steps import note_untold
from registry.steps.contacts import add_contact, end_contact
from registry.steps.lookup import get_customer, get_publisher
from registry.steps.receive_callback import receive_callback
from registry.steps.receive_mail import Happened
from registry.steps.record_outcome import record_outcome
from registry.steps.tasks import TaskKind, close_task_by_hand
from registry.steps.untold import LOOKED_BACK_FOR
from registry.tables import Task
from tests.channels.smtp_server import MailServer
from tests.steps.bounce_cast import bouncing_world, came_back, letter_to, receive
from tests.steps.holding_cast import ITS_FIRST_INSTANT, look, pending_notice, tasks
from tests.steps.path_cast import sweep, withdraw
from tests.steps.post_office import DPO, delivery_to, events
from tests.steps.test_untold import SECOND, TWO_CONTACTS, UNREACHED, UNTOLD
from tests.world import ANNA, BREMEN, World

SUCCESSOR = "privacy@bremen.example"


def succeed(world: World, *ended: str) -> None:
    """Have a contact come that is told what is pending alone, and these end."""
    with world.writing() as session:
        customer = get_customer(session, get_publisher(session, "antopsis"), "bremen")
        add_contact(session, world.at, customer, SUCCESSOR, ANNA)
        for email in ended:
            end_contact(session, world.at, customer, email, ANNA)


def bounced(world: World, session: Session, email: str, kind: str, event_id: str | None = None) -> bool:
    """Report, in this transaction, that the letter of this kind to an address came back."""
    return record_outcome(
        session,
        world.at,
        provider="dsn",
        event_id=event_id or f"{kind} to {email}",
        message_id=delivery_to(world, email, kind).message_id,
        kind=OutcomeKind.BOUNCED,
        happened_at=world.at,
        actor=ANNA,
    )


def bounce(world: World, email: str, kind: str, event_id: str | None = None) -> None:
    """Have the letter of this kind to an address come back."""
    with world.writing() as session:
        assert bounced(world, session, email, kind, event_id)


def open_tasks(world: World) -> list[tuple[str, str]]:
    """Return what is a task by now, before anybody has looked, and still is afterwards."""
    found = [(task.facts["letter"], task.facts["customer"]) for task in tasks(world, UNTOLD)]
    assert look(world)["closed"] == 0
    assert [(task.facts["letter"], task.facts["customer"]) for task in tasks(world, UNTOLD)] == found
    return found


def withdrawn(world: World, customers: str = BREMEN) -> str:
    """A notice that was announced and withdrawn, both letters taken."""
    number = pending_notice(world, customers)
    withdraw(world, number)
    sweep(world, "send")
    return number


def test_a_withdrawal_that_comes_back_after_its_contact_has_ended_is_a_task(world: World) -> None:
    number = withdrawn(world)
    succeed(world, DPO)
    assert open_tasks(world) == []
    bounce(world, DPO, "withdrawal")
    assert open_tasks(world) == [("withdrawal", "bremen")]
    (task,) = tasks(world, UNTOLD)
    assert task.subject == f"antopsis/{number}/2/bremen"
    world.at += LOOKED_BACK_FOR + timedelta(days=1)
    assert open_tasks(world) == [("withdrawal", "bremen")], "no duty goes away by waiting"


def test_an_announcement_that_comes_back_after_the_effect_is_a_task_too(world: World) -> None:
    pending_notice(world)
    world.at = ITS_FIRST_INSTANT
    sweep(world, "take_effect")
    succeed(world, DPO)
    bounce(world, DPO, "announcement")
    assert open_tasks(world) == [("announcement", "bremen")]


def test_a_message_to_the_bounce_address_opens_it(database_url: str, tmp_path: Path, mail_server: MailServer) -> None:
    with bouncing_world(database_url, tmp_path / "instance", mail_server) as world:
        withdrawn(world)
        succeed(world, DPO)
        letter = letter_to(mail_server, DPO)
        assert receive(world, came_back("postfix", letter), letter.mail_from).happened is Happened.RECORDED
        assert open_tasks(world) == [("withdrawal", "bremen")]


@pytest.mark.parametrize("kind", [CallbackKind.BOUNCED_PERMANENT, CallbackKind.SUPPRESSED, CallbackKind.FAILED])
def test_a_callback_opens_it(world: World, kind: CallbackKind) -> None:
    withdrawn(world)
    succeed(world, DPO)
    message_id = delivery_to(world, DPO, "withdrawal").message_id
    event = CallbackEvent("msg_1", f"email.{kind}", kind, "re_1", message_id, world.at, "", (DPO,))
    with world.writing() as session:
        assert receive_callback(session, world.at, event)
    assert open_tasks(world) == [("withdrawal", "bremen")]


def test_one_whose_other_contact_has_it_is_told(world: World) -> None:
    withdrawn(world, TWO_CONTACTS)
    succeed(world, DPO)
    bounce(world, DPO, "withdrawal")
    assert open_tasks(world) == []
    bounce(world, SECOND, "withdrawal")
    look(world)
    assert open_tasks(world) == [("withdrawal", "bremen")]


def test_the_last_of_several_that_have_ended_opens_it(world: World) -> None:
    withdrawn(world, TWO_CONTACTS)
    succeed(world, DPO, SECOND)
    bounce(world, DPO, "withdrawal")
    assert open_tasks(world) == []
    bounce(world, SECOND, "withdrawal")
    assert open_tasks(world) == [("withdrawal", "bremen")]


def test_one_whose_successor_was_told_what_is_pending_has_it(world: World) -> None:
    pending_notice(world)
    succeed(world, DPO)
    sweep(world, "send")
    bounce(world, DPO, "announcement")
    assert open_tasks(world) == []
    assert tasks(world, UNREACHED) == []


def test_one_whom_a_pending_notice_waits_for_is_one_task_and_not_two(world: World, mail_server: MailServer) -> None:
    mail_server.script(SUCCESSOR, 550, "5.1.1 No such user here")
    pending_notice(world)
    succeed(world, DPO)
    sweep(world, "send")
    bounce(world, DPO, "announcement")
    assert open_tasks(world) == []
    assert len(tasks(world, UNREACHED)) == 1


def test_who_was_not_told_of_a_notice_need_not_be_told_of_its_withdrawal(world: World) -> None:
    withdrawn(world)
    bounce(world, DPO, "announcement")
    succeed(world, DPO)
    bounce(world, DPO, "withdrawal")
    assert open_tasks(world) == []


def test_what_a_person_has_closed_is_not_opened_by_a_second_report_of_the_same(world: World) -> None:
    withdrawn(world)
    succeed(world, DPO)
    bounce(world, DPO, "withdrawal")
    world.at += timedelta(hours=1)
    with world.writing() as session:
        number = session.scalars(select(Task.id).where(Task.kind == TaskKind.CUSTOMER_NOT_TOLD.value)).one()
        close_task_by_hand(session, world.at, number, ANNA, "Told by telephone")
    bounce(world, DPO, "withdrawal", event_id="once more")
    assert open_tasks(world) == []


def test_a_bounce_long_after_the_end_of_the_notice_opens_nothing(world: World) -> None:
    withdrawn(world)
    succeed(world, DPO)
    world.at += LOOKED_BACK_FOR + timedelta(minutes=1)
    bounce(world, DPO, "withdrawal")
    assert open_tasks(world) == []


def test_a_report_stays_on_record_where_it_cannot_be_found_out_who_else_has_the_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    withdrawn(world)
    succeed(world, DPO)

    def cannot_be_read(*_given: object) -> None:
        raise ValueError("a notice that nobody can read")

    monkeypatch.setattr(note_untold, "find_untold_by", cannot_be_read)
    bounce(world, DPO, "withdrawal")
    assert delivery_to(world, DPO, "withdrawal").state == "bounced"
    assert [event.payload["trouble"] for event in events(world, "delivery.untold_not_found_out")] == ["ValueError"]


def test_a_withdrawal_that_waits_as_its_contact_ends_is_a_task_at_once(world: World) -> None:
    number = pending_notice(world)
    withdraw(world, number)
    succeed(world, DPO)
    assert delivery_to(world, DPO, "withdrawal").state == "cancelled"
    assert open_tasks(world) == [("withdrawal", "bremen")]


def test_where_another_contact_gets_the_withdrawal_it_is_none(world: World) -> None:
    number = pending_notice(world, TWO_CONTACTS)
    withdraw(world, number)
    succeed(world, DPO)
    sweep(world, "send")
    assert open_tasks(world) == []
