"""Each kind of report and what it does, by either name of a letter, in any order (R12, R26)."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, update

from registry.domain.outcomes import EVENTS, LOST, SUPPRESSES, OutcomeKind
from registry.steps.record_outcome import match_outcomes, record_outcome
from registry.tables import Attempt, NoticeCustomer, Outcome, Suppression
from tests.steps.bounce_cast import outcomes, suppressed
from tests.steps.post_office import (
    DPO,
    announce_to,
    attempts_at,
    change,
    delivery_to,
    events,
    send,
    standing_of,
    states_of,
)
from tests.steps.test_outcomes import PROVIDER, match
from tests.world import World, utc

ADA = "ada@reader.example"
REF = "56761188-7520-42d8-8898-ff6fc54ce618"


def report(world: World, kind: OutcomeKind, event_id: str = "event-1", **about: Any) -> bool:
    with world.writing() as session:
        return record_outcome(
            session,
            world.at,
            provider=about.pop("provider", "resend"),
            event_id=event_id,
            kind=kind,
            happened_at=about.pop("at", world.at),
            actor=PROVIDER,
            **about,
        )


def name_attempt(world: World, channel: str = "resend") -> None:
    """Give the letter to Bremen the name that a provider gave it."""
    with world.writing() as session:
        session.execute(
            update(Attempt)
            .where(Attempt.delivery_id == delivery_to(world, DPO).id)
            .values(provider_ref=REF, channel=channel)
        )


@pytest.mark.parametrize("kind", list(OutcomeKind))
def test_each_kind_moves_suppresses_and_starts_clocks_as_the_table_says(world: World, kind: OutcomeKind) -> None:
    announce_to(world)
    send(world)
    assert report(world, kind, message_id=delivery_to(world, DPO).message_id)
    state = "bounced" if kind in LOST else "delivered" if kind in EVENTS else "accepted"
    assert states_of(world) == {DPO: state}
    assert standing_of(world, "bremen").state == ("waiting" if kind in LOST else "received")
    assert suppressed(world) == ([SUPPRESSES[kind].value] if kind in SUPPRESSES else [])
    assert outcomes(world)[0].delivery_id == delivery_to(world, DPO).id
    assert len(events(world, f"delivery.reported_{kind}")) == (kind in EVENTS)


def test_a_report_by_the_providers_name_finds_its_letter(world: World) -> None:
    announce_to(world)
    send(world)
    name_attempt(world)
    assert report(world, OutcomeKind.DELIVERED, provider_ref=REF)
    assert states_of(world) == {DPO: "delivered"}


def test_a_message_id_that_the_provider_made_up_does_not_hide_the_letters_name(world: World) -> None:
    announce_to(world)
    send(world)
    name_attempt(world)
    report(world, OutcomeKind.DELIVERED, provider_ref=REF, message_id=f"<{REF}@email.resend.example>")
    assert states_of(world) == {DPO: "delivered"}


def test_the_same_name_given_by_another_provider_is_another_letter(world: World) -> None:
    announce_to(world)
    send(world)
    name_attempt(world, channel="smtp")
    report(world, OutcomeKind.BOUNCED, provider_ref=REF)
    assert (match(world), states_of(world)) == (0, {DPO: "accepted"})
    assert outcomes(world)[0].delivery_id is None


def test_a_report_before_the_providers_name_is_on_record_is_matched_once_it_is(world: World) -> None:
    announce_to(world)
    send(world)
    report(world, OutcomeKind.BOUNCED, provider_ref=REF)
    assert match(world) == 0
    name_attempt(world)
    assert (match(world), match(world)) == (1, 0)
    assert states_of(world) == {DPO: "bounced"}
    assert suppressed(world) == ["bounced"]


def test_what_moves_nothing_does_not_wait_for_a_letter_on_the_wire(world: World) -> None:
    announce_to(world)
    send(world)
    delivery = delivery_to(world, DPO)
    change(world, delivery, state="leased", token="x" * 32, lease_until=world.at)
    report(world, OutcomeKind.SENT, "1", message_id=delivery.message_id)
    report(world, OutcomeKind.BOUNCED, "2", message_id=delivery.message_id)
    assert [each.delivery_id for each in outcomes(world)] == [delivery.id, None]


def test_a_report_about_nothing_is_an_error_of_the_program(world: World) -> None:
    with pytest.raises(ValueError, match="names"):
        report(world, OutcomeKind.DELIVERED)


@pytest.mark.parametrize("year", [1, 9999])
def test_a_time_that_no_database_gives_back_is_brought_within_reason(world: World, year: int) -> None:
    announce_to(world)
    send(world)
    at = datetime(year, 12, 31, 23, 59, tzinfo=world.at.tzinfo)
    report(world, OutcomeKind.DELIVERED, message_id=delivery_to(world, DPO).message_id, at=at)
    assert utc("1970-01-01 00:00") <= outcomes(world)[0].happened_at <= world.at + timedelta(days=366)
    assert delivery_to(world, DPO).delivered_at == world.at


def test_terms_that_cannot_be_read_keep_no_report_from_the_record_nor_from_others(world: World) -> None:
    announce_to(world, ADA)
    send(world)
    with world.writing() as session:
        session.execute(update(NoticeCustomer).values(terms={"days": "many"}))
    assert report(world, OutcomeKind.DELIVERED, "1", message_id=delivery_to(world, DPO).message_id)
    assert report(world, OutcomeKind.DELIVERED, "2", message_id=delivery_to(world, ADA).message_id)
    assert states_of(world) == {DPO: "delivered", ADA: "delivered"}
    assert str(delivery_to(world, DPO).note).startswith("receipt_not_counted")
    assert len(events(world, "delivery.receipt_not_counted")) == 1


def test_a_report_that_cannot_be_matched_is_on_record_keeps_no_other_waiting_and_fails_aloud(world: World) -> None:
    announce_to(world, ADA)
    send(world)
    change(world, delivery_to(world, DPO), state="of a newer release")
    assert report(world, OutcomeKind.BOUNCED, "1", message_id=delivery_to(world, DPO).message_id)
    change(world, delivery_to(world, DPO), state="accepted")
    for number, kind in (("2", "of a newer release"), ("3", "delivered")):
        report(world, OutcomeKind.DELIVERED, number, provider_ref=number)
        with world.writing() as session:
            named = update(Outcome).where(Outcome.event_id == number)
            session.execute(named.values(kind=kind, message_id=delivery_to(world, ADA).message_id))
    with pytest.raises(ValueError, match="of a newer release"):
        match(world)
    assert states_of(world) == {DPO: "bounced", ADA: "delivered"}
    assert [each.delivery_id is None for each in outcomes(world)] == [False, True, False]


def test_matching_stops_between_two_reports_when_it_is_asked_to(world: World) -> None:
    announce_to(world, ADA)
    send(world)
    for number in range(3):
        report(world, OutcomeKind.DELIVERED, str(number), provider_ref=REF)
    name_attempt(world)
    asked = iter([False, True])
    assert match_outcomes(world.wiring.engine, world.clock, PROVIDER, should_stop=lambda: next(asked)) == 1
    assert match(world) == 2


def test_reports_in_any_order_and_number_leave_the_same_delivery_clock_and_suppression(world: World) -> None:
    """The fold of R26, on the tables: early ones included, which wait until the lease has settled."""
    announce_to(world)
    send(world)
    delivery = delivery_to(world, DPO)
    assert len(attempts_at(world, delivery)) == 1

    def fold(kinds: Sequence[tuple[int, OutcomeKind]], early: int) -> tuple[object, ...]:
        with world.writing() as session:
            session.execute(delete(Outcome))
            session.execute(delete(Suppression))
            session.execute(update(NoticeCustomer).values(state="received", received_at=delivery.accepted_at))
        change(world, delivery, state="leased", token="x" * 32, lease_until=world.at, delivered_at=None)
        for number, (hour, kind) in enumerate(kinds):
            if number == early:
                change(world, delivery, state="accepted", token=None, lease_until=None)
            at = world.at + timedelta(minutes=hour)
            report(world, kind, f"{hour} {kind}", message_id=delivery.message_id, at=at)
        if early >= len(kinds):
            change(world, delivery, state="accepted", token=None, lease_until=None)
        match(world)
        now, standing = delivery_to(world, DPO), standing_of(world, "bremen")
        return now.state, now.delivered_at, standing.state, standing.received_at, suppressed(world)

    # The world's time stands still, so that only what is reported differs.
    sent_at = world.at
    world.at = sent_at + timedelta(days=1)

    @settings(max_examples=30)
    @given(
        st.lists(st.tuples(st.integers(-60, 0), st.sampled_from(list(OutcomeKind))), max_size=5),
        st.integers(0, 6),
        st.randoms(use_true_random=False),
    )
    def check(kinds: list[tuple[int, OutcomeKind]], early: int, chance: random.Random) -> None:
        expected = fold(kinds, early=0)
        shuffled = [*kinds, *kinds[:2]]
        chance.shuffle(shuffled)
        assert fold(shuffled, early) == expected
        said = {kind for _, kind in kinds}
        state = "bounced" if LOST & said else "delivered" if EVENTS.keys() & said else "accepted"
        assert expected[0] == state
        assert expected[2] == ("waiting" if state == "bounced" else "received")

    check()
