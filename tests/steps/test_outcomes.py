"""What is reported later: early, twice, out of order, about letters nobody knows (R12, R26)."""

from __future__ import annotations

import threading
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from registry.channels.base import Envelope
from registry.steps.record import Actor
from registry.steps.record_outcome import OutcomeKind, match_outcomes, record_outcome
from tests.channels.scripted_server import CUT, ScriptedServer
from tests.channels.smtp_server import MailServer
from tests.steps.bounce_cast import outcomes, suppressed
from tests.steps.post_office import (
    DPO,
    announce_to,
    delivery_to,
    events,
    meanwhile,
    send,
    standing_of,
    states_of,
    use_server,
)
from tests.world import World, letters_to, settings_for, utc

ADA = "ada@reader.example"
PROVIDER = Actor("mail.example", "provider's report")
BOUNCED, COMPLAINED, DELIVERED = OutcomeKind.BOUNCED, OutcomeKind.COMPLAINED, OutcomeKind.DELIVERED


def report(
    world: World, message_id: str | None, kind: OutcomeKind, at: datetime | None = None, event_id: str = "event-1"
) -> bool:
    with world.writing() as session:
        return record_outcome(
            session,
            world.at,
            provider="mail.example",
            event_id=event_id,
            message_id=str(message_id),
            kind=kind,
            happened_at=at or world.at,
            actor=PROVIDER,
        )


def match(world: World) -> int:
    return match_outcomes(world.wiring.engine, world.clock, PROVIDER)


def test_a_report_is_taken_once_however_often_it_comes(world: World) -> None:
    announce_to(world, ADA)
    send(world)
    delivery = delivery_to(world, ADA)
    assert report(world, delivery.message_id, DELIVERED)
    assert not report(world, delivery.message_id, DELIVERED)
    assert not report(world, delivery.message_id, BOUNCED)
    assert states_of(world)[ADA] == "delivered"
    assert len(outcomes(world)) == len(events(world, "delivery.reported_delivered")) == 1


def test_the_same_event_id_of_another_provider_is_another_event(world: World) -> None:
    announce_to(world, ADA)
    send(world)
    message_id = str(delivery_to(world, ADA).message_id)
    for provider in ("mail.example", "relay.example"):
        with world.writing() as session:
            assert record_outcome(
                session,
                world.at,
                provider=provider,
                event_id="1",
                message_id=message_id,
                kind=DELIVERED,
                happened_at=world.at,
                actor=PROVIDER,
            )
    assert len(outcomes(world)) == 2


def test_a_report_about_an_unknown_letter_is_kept_and_moves_nothing(world: World) -> None:
    announce_to(world, ADA)
    send(world)
    assert report(world, "<somebody.else@relay.example>", BOUNCED)
    assert match(world) == 0
    (outcome,) = outcomes(world)
    assert (outcome.delivery_id, outcome.publisher_id) == (None, None)
    assert states_of(world) == {DPO: "accepted", ADA: "accepted"}
    assert suppressed(world) == []


def test_a_report_that_comes_before_the_answer_is_matched_after_it(world: World, mail_server: MailServer) -> None:
    announce_to(world, ADA)

    def the_provider_is_quick(envelope: Envelope) -> None:
        assert report(world, envelope.message_id, DELIVERED)
        assert match(world) == 0
        assert delivery_to(world, DPO).state == "leased"

    meanwhile(world, the_provider_is_quick)
    assert send(world) == {"accepted": 2}
    assert match(world) == 1
    assert match(world) == 0
    delivery = delivery_to(world, DPO)
    assert (delivery.state, delivery.delivered_at) == ("delivered", world.at)
    assert [outcome.delivery_id for outcome in outcomes(world)] == [delivery.id]


def test_an_early_bounce_is_matched_by_the_sweep_and_takes_the_receipt_back(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world)

    def refused_further_on(envelope: Envelope) -> None:
        report(world, envelope.message_id, BOUNCED)

    meanwhile(world, refused_further_on)
    send(world)
    assert standing_of(world, "bremen").state == "received"
    world.tick()
    assert states_of(world) == {DPO: "bounced"}
    assert standing_of(world, "bremen").state == "waiting"
    assert suppressed(world) == ["bounced"]


@pytest.mark.parametrize("order", [(BOUNCED, DELIVERED), (DELIVERED, BOUNCED)], ids=["bounce-first", "bounce-last"])
def test_a_permanent_bounce_stands_over_delivered_in_either_order(
    world: World, order: tuple[OutcomeKind, OutcomeKind]
) -> None:
    announce_to(world)
    send(world)
    delivery = delivery_to(world, DPO)
    for number, kind in enumerate(order):
        report(world, delivery.message_id, kind, event_id=str(number))
    assert states_of(world) == {DPO: "bounced"}
    assert standing_of(world, "bremen").state == "waiting"


def test_of_several_deliveries_reported_the_earliest_counts(world: World) -> None:
    announce_to(world, ADA)
    send(world)
    delivery = delivery_to(world, ADA)
    world.at = utc("2026-09-30 12:00")
    for number, hour in enumerate((11, 9, 10)):
        report(world, delivery.message_id, DELIVERED, utc(f"2026-09-30 {hour:02}:00"), event_id=str(number))
    assert delivery_to(world, ADA).delivered_at == utc("2026-09-30 09:00")


@pytest.mark.parametrize(
    ("reported", "counted"),
    [("2026-09-29 21:00", "2026-09-30 08:00"), ("2026-10-03 21:00", "2026-10-01 09:00")],
    ids=["before it was sent", "in the future"],
)
def test_a_provider_whose_clock_is_wrong_starts_nobodys_period_too_early_or_late(
    world: World, reported: str, counted: str
) -> None:
    announce_to(world, ADA)
    send(world)
    delivery = delivery_to(world, ADA)
    world.at = utc("2026-10-01 09:00")
    report(world, delivery.message_id, DELIVERED, utc(reported))
    assert delivery_to(world, ADA).delivered_at == utc(counted)
    assert outcomes(world)[0].happened_at == utc(reported)


def test_a_report_ends_the_waiting_of_a_letter_that_may_have_arrived(world: World) -> None:
    with ScriptedServer({"dot": [CUT]}) as server:
        use_server(world, server.url)
        announce_to(world)
        assert send(world) == {"ambiguous": 1}
        report(world, delivery_to(world, DPO).message_id, DELIVERED)
        world.at += timedelta(minutes=5)
        assert send(world) == {}
        world.channels["email"].close()
    assert len(server.letters) == 1
    assert states_of(world) == {DPO: "delivered"}
    assert standing_of(world, "bremen").received_at == utc("2026-09-30 08:00")


def test_a_bounce_ends_the_letters_to_an_address_and_stands_in_the_record_without_it(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA)
    send(world)
    report(world, delivery_to(world, DPO).message_id, BOUNCED, event_id="1")
    report(world, delivery_to(world, ADA).message_id, BOUNCED, event_id="2")
    world.at = utc("2026-10-26 09:00")
    world.tick()
    assert [len(letters_to(mail_server, email)) for email in (DPO, ADA)] == [1, 1]
    assert states_of(world, "reminder") == {DPO: "skipped"}
    assert delivery_to(world, DPO, "reminder").skip_reason == "suppressed"
    recorded = events(world, "delivery.reported_bounced")
    assert [event.payload["state"] for event in recorded] == ["bounced", "bounced"]
    assert not any(address in str(event.payload) for event in recorded for address in (DPO, ADA))


def test_a_complaint_suppresses_and_counts_as_delivered(world: World) -> None:
    announce_to(world, ADA)
    send(world)
    report(world, delivery_to(world, ADA).message_id, COMPLAINED)
    assert states_of(world)[ADA] == "delivered"
    assert suppressed(world) == ["complained"]


def test_the_same_report_twice_at_once_is_taken_once(
    postgresql_url: str, tmp_path: Path, mail_server: MailServer
) -> None:
    settings = settings_for(postgresql_url, tmp_path / "instance", mail_server.url)
    with closing(World(settings, utc("2026-09-30 08:00"))) as world:
        announce_to(world, ADA)
        send(world)
        message_id = delivery_to(world, ADA).message_id
        start = threading.Barrier(4)
        taken: list[bool] = []

        def tell() -> None:
            start.wait(timeout=10)
            taken.append(report(world, message_id, DELIVERED))

        threads = [threading.Thread(target=tell) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=20)
        assert sorted(taken) == [False, False, False, True]
        assert len(outcomes(world)) == len(events(world, "delivery.reported_delivered")) == 1
