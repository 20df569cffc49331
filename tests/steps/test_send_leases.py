"""Leases that run out, and workers that lost theirs (R26, R29)."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from registry.channels.base import Envelope
from registry.channels.smtp import SmtpTimeouts
from registry.steps.claim_deliveries import LEASE, claim_deliveries
from registry.steps.recover_leases import recover_leases
from registry.tables import Attempt
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import (
    DPO,
    announce_to,
    attempts_at,
    change,
    delivery_to,
    events,
    let_leases_run_out,
    meanwhile,
    send,
    standing_of,
    states_of,
)
from tests.world import World

ADA, BOB, EVE = "ada@reader.example", "bob@reader.example", "eve@reader.example"


def claim(world: World, wanted: int = 20) -> int:
    """Claim as a worker does that then dies."""
    with world.writing() as session:
        return len(claim_deliveries(session, world.at, world.channels["email"], (), wanted))


def begin(world: World, email: str) -> None:
    """Commit that the send of a claimed letter begins, as a worker does that then dies."""
    delivery = delivery_to(world, email)
    with world.writing() as session:
        session.execute(
            update(Attempt)
            .where(Attempt.delivery_id == delivery.id, Attempt.n == delivery.attempt_count)
            .values(send_started_at=world.at)
        )


def recover(world: World) -> int:
    with world.writing() as session:
        return recover_leases(session, world.at)


def test_a_lease_that_runs_is_left_alone(world: World) -> None:
    announce_to(world, ADA)
    assert claim(world) == 1
    assert recover(world) == 0
    assert delivery_to(world, DPO).state == "leased"
    assert send(world) == {"accepted": 1}
    assert states_of(world) == {DPO: "leased", ADA: "accepted"}


def test_a_letter_whose_worker_died_before_its_send_began_is_due_again(world: World, mail_server: MailServer) -> None:
    announce_to(world)
    claim(world)
    let_leases_run_out(world)
    assert recover(world) == 1
    delivery = delivery_to(world, DPO)
    assert (delivery.state, delivery.token, delivery.possible_duplicate) == ("pending", None, False)
    assert send(world) == {"accepted": 1}
    assert len(mail_server.messages) == 1
    assert [each.answer_class for each in attempts_at(world, delivery)] == ["not_tried", "accepted"]
    (event,) = events(world, "delivery.lease_lapsed")
    assert event.payload["had_begun"] is False


def test_a_letter_whose_worker_died_after_its_send_began_may_have_arrived(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA, BOB, customers="")

    def somebody_ends_the_worker(envelope: Envelope) -> None:
        raise KeyboardInterrupt

    meanwhile(world, somebody_ends_the_worker)
    with pytest.raises(KeyboardInterrupt):
        send(world)
    assert states_of(world) == {ADA: "leased", BOB: "pending"}
    let_leases_run_out(world)
    assert recover(world) == 1
    delivery = delivery_to(world, ADA)
    assert (delivery.state, delivery.due_at, delivery.crash_count) == ("ambiguous", world.at, 1)
    assert send(world) == {"accepted": 2}
    assert delivery_to(world, ADA).possible_duplicate
    first, second = (letter.content for letter in mail_server.messages if letter.rcpt_tos == (ADA,))
    assert first == second


def test_three_crashes_on_one_letter_put_it_before_a_person(world: World, mail_server: MailServer) -> None:
    announce_to(world)
    for crash in (1, 2, 3):
        assert claim(world) == 1, crash
        let_leases_run_out(world)
        assert recover(world) == 1
        assert delivery_to(world, DPO).crash_count == crash
    delivery = delivery_to(world, DPO)
    assert (delivery.state, delivery.note) == ("needs_attention", "crashed_repeatedly")
    assert send(world) == {}
    assert mail_server.messages == []


def test_a_crash_is_put_down_to_the_letter_its_worker_was_at(world: World, mail_server: MailServer) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")
    for _ in range(3):
        assert claim(world) == 3
        let_leases_run_out(world)
        assert recover(world) == 3
    assert states_of(world) == {ADA: "needs_attention", BOB: "pending", EVE: "pending"}
    assert [delivery_to(world, email).crash_count for email in (ADA, BOB, EVE)] == [3, 0, 0]
    assert send(world) == {"accepted": 2}


def test_a_letter_that_was_begun_is_the_one_a_crash_is_put_down_to(world: World) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")
    claim(world)
    begin(world, BOB)
    let_leases_run_out(world)
    recover(world)
    assert [delivery_to(world, email).crash_count for email in (ADA, BOB, EVE)] == [0, 1, 0]
    assert states_of(world) == {ADA: "pending", BOB: "ambiguous", EVE: "pending"}


def test_who_lost_the_lease_settles_nothing_but_what_was_said_stays_on_record(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world)

    def another_worker_takes_it(envelope: Envelope) -> None:
        change(world, delivery_to(world, DPO), token="another worker's")

    meanwhile(world, another_worker_takes_it)
    assert send(world) == {}
    delivery = delivery_to(world, DPO)
    assert (delivery.state, delivery.token, delivery.accepted_at) == ("leased", "another worker's", None)
    assert [each.answer_class for each in attempts_at(world, delivery)] == ["accepted"]
    assert standing_of(world, "bremen").state == "waiting"


def test_an_acceptance_that_came_after_its_lease_was_lost_spares_the_second_letter(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world)

    def the_lease_runs_out(envelope: Envelope) -> None:
        let_leases_run_out(world)
        assert recover(world) == 1

    meanwhile(world, the_lease_runs_out)
    accepted_at = world.at
    assert send(world) == {"accepted": 1}
    assert len(mail_server.messages) == 1
    delivery = delivery_to(world, DPO)
    assert (delivery.state, delivery.accepted_at) == ("accepted", accepted_at)
    assert [each.answer_class for each in attempts_at(world, delivery)] == ["accepted", "not_tried"]
    assert standing_of(world, "bremen").received_at == accepted_at


def test_a_lease_outlasts_the_longest_time_one_letter_may_take_on_the_wire() -> None:
    assert SmtpTimeouts().longest_send < LEASE
