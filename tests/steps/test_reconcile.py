"""Expected recipients − rows = 0: what is missing is added, recorded, and put before a person."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from registry.steps.correct_notice import correct_notice
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.preferences import change_preferences
from registry.steps.reconcile import reconcile
from registry.steps.record_outcome import OutcomeKind
from registry.steps.suppressions import LiftedBecause, add_suppression, lift_suppression
from registry.steps.tasks import TaskKind
from registry.tables import Address, Attempt, Delivery, Letter, Notice, NoticeChange, Subscription, Task
from tests.channels.smtp_server import MailServer
from tests.steps.holding_cast import pending_notice
from tests.steps.path_cast import (
    HELSINKI,
    HETZNER,
    TWO_PLACES,
    add_customer,
    dump,
    edit,
    events,
    follow,
    sweep,
    withdraw,
)
from tests.steps.post_office import report_to, states_of
from tests.steps.test_one_by_one import two_notices
from tests.world import ANNA, BREMEN, World, antopsis, utc

FRED, OLGA, DPO = "fred@reader.example", "olga@watcher.example", "dpo@bremen.example"


def mend(world: World) -> dict[str, int]:
    return reconcile(world.wiring.engine, world.clock)


def founded(world: World) -> None:
    world.apply(antopsis(customers=BREMEN))


def announced(world: World) -> str:
    edit(world, TWO_PLACES)
    number = world.draft()
    world.publish(number)
    return number


def correct(world: World, number: str, place: str) -> None:
    """Say that the second place is another one."""
    edit(world, HETZNER | {"locations": [*HETZNER["locations"], HELSINKI | {"place": place}]})
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        correct_notice(session, world.at, publisher, notice, ANNA, world.wiring.letterhead, reason="A slip.")


def lose(world: World, email: str, kind: str = "announcement") -> None:
    """Take a delivery away, as a hand in the database would."""
    with world.writing() as session:
        lost = session.scalars(
            select(Delivery.id)
            .join(Letter, Letter.id == Delivery.letter_id)
            .join(Subscription, Subscription.id == Delivery.subscription_id)
            .join(Address, Address.id == Subscription.address_id)
            .where(Address.value == email, Letter.kind == kind)
        ).all()
        assert len(lost) == 1
        session.execute(delete(Attempt).where(Attempt.delivery_id.in_(lost)))
        session.execute(delete(Delivery).where(Delivery.id.in_(lost)))


def test_where_nothing_is_missing_nothing_is_changed(world: World) -> None:
    pending_notice(world)
    world.at += timedelta(hours=1)
    before = dump(world)
    assert mend(world) == {"mended": 0, "stuck_leases": 0}
    assert dump(world) == before


def test_a_contacts_and_a_followers_missing_letters_are_added_recorded_and_put_before_a_person(
    world: World, mail_server: MailServer
) -> None:
    founded(world)
    follow(world, FRED)
    follow(world, OLGA)
    number = announced(world)
    lose(world, DPO)
    lose(world, FRED)
    before = states_of(world)
    world.at += timedelta(hours=1)
    assert mend(world)["mended"] == 2
    assert states_of(world) == before | {DPO: "pending", FRED: "pending"}
    mended = [(event.payload["audience"], event.payload["added"]) for event in events(world, "reconcile.mended")]
    assert mended == [("customer", 1), ("follower", 1)]
    assert events(world, "reconcile.mended")[0].payload["statement"] == 1
    with world.reading() as session:
        found = session.query(Task).order_by(Task.subject).all()
        assert [task.kind for task in found] == [TaskKind.RECIPIENTS_MISSING.value] * 2
        assert [task.subject for task in found] == [
            f"antopsis/{number}/1/customer",
            f"antopsis/{number}/1/follower",
        ]
    assert mend(world)["mended"] == 0
    sweep(world, "send")
    assert set(states_of(world).values()) == {"accepted"}
    assert sorted(message.rcpt_tos[0] for message in mail_server.messages) == [DPO, FRED, OLGA]


def test_a_missing_row_of_a_later_statement_is_added_too(world: World) -> None:
    founded(world)
    follow(world, FRED)
    number = announced(world)
    sweep(world, "send")
    world.at = utc("2026-10-25 08:00")
    sweep(world, "remind")
    lose(world, FRED, "reminder")
    lose(world, DPO, "reminder")
    world.at += timedelta(hours=1)
    assert mend(world)["mended"] == 2
    assert states_of(world, "reminder") == {FRED: "pending", DPO: "pending"}
    assert world.notice(number).state == "announced"


def test_who_joined_later_is_not_sent_what_was_said_before(world: World) -> None:
    founded(world)
    announced(world)
    sweep(world, "send")
    world.at = utc("2026-10-25 08:00")
    sweep(world, "remind")
    world.at += timedelta(hours=1)
    follow(world, OLGA, joins=True)
    add_customer(world, key="oslo", name="Oslo Post AS", contacts=["post@oslo.example"])
    world.at += timedelta(hours=1)
    before = dump(world)
    assert mend(world)["mended"] == 0
    assert dump(world) == before
    # But the announcement is theirs, and it is missed where it is gone.
    lose(world, OLGA)
    lose(world, "post@oslo.example")
    assert mend(world)["mended"] == 2
    assert set(states_of(world, "reminder")) == {DPO}


def test_joiners_were_told_of_a_correction_in_place_of_an_earlier_one(world: World) -> None:
    founded(world)
    number = announced(world)
    world.at += timedelta(hours=1)
    correct(world, number, "Frankfurt")
    world.at += timedelta(hours=1)
    follow(world, FRED, joins=True)
    world.at += timedelta(hours=1)
    correct(world, number, "Leipzig")
    world.at += timedelta(hours=1)
    follow(world, OLGA, joins=True)
    world.at += timedelta(hours=1)
    before = dump(world)
    assert mend(world)["mended"] == 0
    assert dump(world) == before


def test_a_follower_who_chose_otherwise_since_is_not_taken_for_one_who_was_missed(world: World) -> None:
    founded(world)
    row = follow(world, FRED)
    choose(world, row, kinds=["rename"])
    announced(world)
    assert FRED not in states_of(world)
    world.at += timedelta(hours=1)
    choose(world, row, kinds=[])
    world.at += timedelta(hours=1)
    assert mend(world)["mended"] == 0
    assert FRED not in states_of(world)


def choose(world: World, row: int, kinds: list[str]) -> None:
    with world.writing() as session:
        subscription = session.get_one(Subscription, row)
        change_preferences(session, world.at, subscription, [], kinds, wants_effect=False, wants_reminders=True)


def test_a_follower_who_was_told_as_a_contact_is_not_told_again_when_that_contact_ends(world: World) -> None:
    founded(world)
    follow(world, DPO)
    announced(world)
    sweep(world, "send")
    with world.writing() as session:
        contact = session.scalars(select(Subscription).where(Subscription.customer_id.is_not(None))).one()
        contact.ended_at, contact.ended_because = world.at, "removed"
    world.at += timedelta(hours=1)
    assert mend(world)["mended"] == 0


def test_a_skipped_contact_stays_skipped_and_an_ended_one_is_not_missed(world: World) -> None:
    founded(world)
    add_customer(world, key="oslo", name="Oslo Post AS", contacts=["post@oslo.example"])
    announced(world)
    with world.writing() as session:
        session.execute(delete(Attempt))
    states = states_of(world)
    with world.writing() as session:
        ended = session.scalars(
            select(Subscription)
            .join(Address, Address.id == Subscription.address_id)
            .where(Address.value == "post@oslo.example")
        ).one()
        ended.ended_at, ended.ended_because = world.at, "removed"
        session.execute(delete(Delivery).where(Delivery.subscription_id == ended.id))
    world.at += timedelta(hours=1)
    assert mend(world)["mended"] == 0
    assert set(states_of(world)) == set(states) - {"post@oslo.example"}


def test_nobody_is_told_of_a_change_that_is_in_effect_already(world: World) -> None:
    founded(world)
    number = announced(world)
    sweep(world, "send")
    world.at = utc("2026-11-02 08:00")
    sweep(world, "take_effect")
    assert world.notice(number).state == "in_effect"
    lose(world, DPO)
    assert mend(world)["mended"] == 0


def test_leases_that_ran_out_are_counted_and_left_to_their_recovery(world: World) -> None:
    founded(world)
    announced(world)
    with world.writing() as session:
        letter = session.scalars(select(Delivery)).one()
        letter.state, letter.token, letter.lease_until = "leased", "x", utc("2020-01-01 00:00")
    assert mend(world) == {"mended": 0, "stuck_leases": 1}
    with world.reading() as session:
        assert session.scalars(select(Delivery.state)).one() == "leased"


def test_a_follower_whose_address_was_suppressed_then_was_not_missed(world: World) -> None:
    founded(world)
    follow(world, FRED)
    keyring = world.wiring.keyring
    with world.writing() as session:
        add_suppression(session, world.at, get_publisher(session, "antopsis"), keyring, FRED, ANNA)
    announced(world)
    world.at += timedelta(hours=1)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        lift_suppression(session, world.at, publisher, keyring, FRED, ANNA, LiftedBecause.WORKS_AGAIN)
    world.at += timedelta(hours=1)
    assert mend(world)["mended"] == 0
    assert FRED not in states_of(world)


def test_a_reminder_is_not_missed_by_who_had_not_been_told_of_the_notice_by_then(world: World) -> None:
    founded(world)
    announced(world)
    with world.writing() as session:
        session.execute(update(Delivery).values(state="skipped", skip_reason="contract_ended"))
    world.at = utc("2026-10-25 08:00")
    sweep(world, "remind")
    world.at += timedelta(hours=1)
    # The skip is undone: what counts goes out now, and the reminder was before its time.
    with world.writing() as session:
        session.execute(update(Delivery).values(state="pending", skip_reason=None, due_at=world.at))
    sweep(world, "send")
    assert mend(world)["mended"] == 0
    assert states_of(world, "reminder") == {}


def test_a_missing_withdrawal_is_added_for_a_week(world: World, mail_server: MailServer) -> None:
    founded(world)
    follow(world, FRED)
    number = announced(world)
    sweep(world, "send")
    world.at += timedelta(hours=1)
    withdraw(world, number)
    sweep(world, "send")
    lose(world, FRED, "withdrawal")
    lose(world, DPO, "withdrawal")
    before = dump(world)
    world.at += timedelta(days=7)
    assert mend(world)["mended"] == 0
    assert dump(world) == before
    world.at -= timedelta(minutes=1)
    assert mend(world)["mended"] == 2
    assert states_of(world, "withdrawal") == {FRED: "pending", DPO: "pending"}
    assert mend(world)["mended"] == 0


def test_a_missing_letter_that_a_notice_is_in_effect_is_added_to_who_wanted_it_then(world: World) -> None:
    founded(world)
    row = follow(world, FRED, wants_effect=True)
    late = follow(world, OLGA)
    announced(world)
    sweep(world, "send")
    world.at = utc("2026-11-02 08:00")
    sweep(world, "take_effect", "send")
    assert states_of(world, "effect") == {FRED: "accepted"}
    world.at += timedelta(hours=1)
    with world.writing() as session:
        contact = session.scalars(select(Subscription).where(Subscription.customer_id.is_not(None))).one()
        for subscription in (session.get_one(Subscription, late), contact):
            change_preferences(session, world.at, subscription, [], [], wants_effect=True, wants_reminders=True)
    assert mend(world)["mended"] == 0, "they want it from now on"
    lose(world, FRED, "effect")
    assert row
    assert mend(world)["mended"] == 1
    assert states_of(world, "effect") == {FRED: "pending"}


def test_who_was_not_told_of_a_notice_is_not_missed_by_its_withdrawal(world: World, mail_server: MailServer) -> None:
    founded(world)
    follow(world, FRED)
    mail_server.script(DPO, 451, "4.2.0 later")
    number = announced(world)
    sweep(world, "send")
    withdraw(world, number)
    assert states_of(world) == {DPO: "cancelled", FRED: "accepted"}
    assert mend(world)["mended"] == 0
    report_to(world, DPO, OutcomeKind.BOUNCED)
    assert states_of(world)[DPO] == "bounced"
    assert mend(world)["mended"] == 0


def test_a_notice_that_cannot_be_read_keeps_no_other_from_being_mended(world: World) -> None:
    numbers = two_notices(world)
    sweep(world, "send")
    with world.writing() as session:
        of_it = select(Notice.id).where(Notice.number == numbers["antopsis"], Notice.publisher_id == 1)
        session.execute(update(NoticeChange).where(NoticeChange.notice_id.in_(of_it)).values(weight="heavy"))
        session.execute(delete(Attempt))
        session.execute(delete(Delivery))
    with pytest.raises(ValueError, match="heavy"):
        mend(world)
    with world.reading() as session:
        assert len(session.scalars(select(Delivery.id)).all()) == 1
