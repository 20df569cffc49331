"""Whom the worker must not write to any more, who waits, and who goes first (R28, R31, R32, R34)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select

from registry.channels.base import Envelope
from registry.channels.recording import RecordingChannel
from registry.readers.registry_file import RegistryFile
from registry.steps.claim_deliveries import LEASE, lease_clock, may_write_to
from registry.steps.end_subscription import EndedBecause
from registry.steps.installation import pause, resume
from registry.steps.roads import BATCH
from registry.tables import Delivery
from tests.channels.scripted_server import CUT, ScriptedServer
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import withdraw
from tests.steps.post_office import (
    DPO,
    HANOI_PRIVACY,
    add_followers,
    announce_to,
    attempts_at,
    change,
    delivery_to,
    events,
    leave,
    meanwhile,
    send,
    states_of,
    suppress,
    use_channel,
    use_server,
)
from tests.world import ANNA, BREMEN, HANOI, World, antopsis, letters_to

ADA, BOB, EVE = "ada@reader.example", "bob@reader.example", "eve@reader.example"


def test_a_suppressed_address_found_at_the_claim_is_skipped_and_the_reason_stands(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA, BOB)
    suppress(world, DPO)
    suppress(world, BOB)
    assert send(world) == {"skipped": 2, "accepted": 1}
    delivery = delivery_to(world, DPO)
    assert (delivery.state, delivery.skip_reason) == ("skipped", "suppressed")
    assert [(each.answer_class, each.send_started_at) for each in attempts_at(world, delivery)] == [("not_tried", None)]
    assert {letter.rcpt_tos for letter in mail_server.messages} == {(ADA,)}
    assert [event.payload["because"] for event in events(world, "delivery.skipped")] == ["suppressed"] * 2


def test_who_unsubscribes_while_the_letter_waits_gets_none(world: World, mail_server: MailServer) -> None:
    announce_to(world, ADA, BOB)
    leave(world, ADA)
    send(world)
    assert states_of(world) == {DPO: "accepted", ADA: "cancelled", BOB: "accepted"}
    assert letters_to(mail_server, ADA) == []


def test_a_follower_who_leaves_between_claim_and_send_is_skipped_as_unsubscribed(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA, BOB, customers="")

    def bob_leaves(envelope: Envelope) -> None:
        assert envelope.recipient == ADA
        leave(world, BOB)

    meanwhile(world, bob_leaves)
    assert send(world) == {"accepted": 1, "skipped": 1}
    assert delivery_to(world, BOB).skip_reason == "unsubscribed"
    assert letters_to(mail_server, BOB) == []


def test_a_contact_who_is_replaced_between_claim_and_send_is_cancelled(world: World, mail_server: MailServer) -> None:
    announce_to(world, customers=BREMEN + HANOI)

    def the_other_is_replaced(envelope: Envelope) -> None:
        leave(world, DPO if envelope.recipient == HANOI_PRIVACY else HANOI_PRIVACY, EndedBecause.REPLACED)

    meanwhile(world, the_other_is_replaced)
    assert send(world) == {"accepted": 1, "cancelled": 1}
    assert len(mail_server.messages) == 1


def test_a_suppressed_address_that_may_have_its_letter_is_not_said_to_be_skipped(world: World) -> None:
    with ScriptedServer({"dot": [CUT, CUT]}) as server:
        use_server(world, server.url)
        announce_to(world, ADA)
        assert send(world) == {"ambiguous": 2}
        for address in (DPO, ADA):
            suppress(world, address)
        world.at += timedelta(minutes=1)
        assert send(world) == {"needs_attention": 1, "failed": 1}
        world.channels["email"].close()
    assert len(server.letters) == 2
    delivery = delivery_to(world, DPO)
    assert (delivery.state, delivery.note, delivery.skip_reason) == ("needs_attention", "suppressed", None)


def test_who_was_certainly_not_reached_and_is_suppressed_meanwhile_is_skipped(
    world: World, mail_server: MailServer
) -> None:
    mail_server.script(DPO, 450, "4.2.1 Busy", times=1)
    announce_to(world)
    send(world)
    suppress(world, DPO)
    world.at += timedelta(minutes=1)
    assert send(world) == {"skipped": 1}


def test_a_withdrawn_notice_is_sent_no_more_and_only_who_was_told_is_told_of_the_withdrawal(
    world: World, mail_server: MailServer
) -> None:
    number = announce_to(world, ADA, customers=BREMEN + HANOI)
    reached: list[str] = []

    def happens(envelope: Envelope) -> None:
        reached.append(envelope.recipient)
        withdraw(world, number)

    # Both contacts are leased when the notice is withdrawn, and the letter to one of them is on the wire.
    meanwhile(world, happens)
    assert send(world) == {"accepted": 2, "cancelled": 1}
    assert sorted(states_of(world).values()) == ["accepted", "cancelled", "cancelled"]
    assert states_of(world, "withdrawal")[reached[0]] == "accepted"
    assert {letter.rcpt_tos for letter in mail_server.messages} == {(reached[0],)}
    assert len(mail_server.messages) == 2


def test_who_may_have_the_announcement_gets_the_withdrawal_and_no_second_announcement(world: World) -> None:
    with ScriptedServer({"dot": [CUT]}) as server:
        use_server(world, server.url)
        number = announce_to(world)
        send(world)
        withdraw(world, number)
        world.at += timedelta(minutes=1)
        assert send(world) == {"cancelled": 1, "accepted": 1}
        world.channels["email"].close()
    assert states_of(world) == {DPO: "cancelled"}
    assert states_of(world, "withdrawal") == {DPO: "accepted"}
    announcement, withdrawal = server.letters
    assert b"-announcement." in announcement
    assert b"-withdrawal." in withdrawal


def test_dispatch_that_is_paused_sends_nothing_and_resumes_where_it_was(world: World, mail_server: MailServer) -> None:
    announce_to(world, ADA)
    with world.writing() as session:
        pause(session, world.at, ANNA, "while we look at the mail server")
    assert send(world) == {}
    assert states_of(world) == {DPO: "pending", ADA: "pending"}
    with world.writing() as session:
        resume(session, world.at, ANNA, world.wiring.fingerprint, world.wiring.letterhead.base_url)
    assert send(world) == {"accepted": 2}
    assert len(mail_server.messages) == 2


def test_a_pause_ends_a_batch_after_the_letter_on_the_wire(world: World, mail_server: MailServer) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")

    def someone_pauses(envelope: Envelope) -> None:
        with world.writing() as session:
            pause(session, world.at, ANNA, "a wrong letter is going out")

    meanwhile(world, someone_pauses)
    assert send(world) == {"accepted": 1}
    assert sorted(states_of(world).values()) == ["accepted", "pending", "pending"]
    assert len(mail_server.messages) == 1
    assert {delivery_to(world, address).crash_count for address in (ADA, BOB, EVE)} == {0}


def test_a_worker_that_is_to_stop_finishes_its_letter_and_gives_the_others_back(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")
    asked: list[str] = []
    meanwhile(world, lambda envelope: asked.append(envelope.recipient))
    assert send(world, should_stop=lambda: bool(asked)) == {"accepted": 1}
    assert states_of(world) == {ADA: "accepted", BOB: "pending", EVE: "pending"}
    waiting = delivery_to(world, BOB)
    assert (waiting.token, waiting.due_at, waiting.crash_count) == (None, world.at, 0)
    assert send(world) == {"accepted": 2}
    assert len(mail_server.messages) == 3


def test_a_limit_is_kept_to_the_letter(world: World, mail_server: MailServer) -> None:
    announce_to(world, *(f"reader{n}@reader.example" for n in range(30)), customers="")
    assert send(world, limit=23) == {"accepted": 23}
    assert len(mail_server.messages) == 23


def test_mail_only_to_keeps_letters_waiting_and_none_is_lost_when_it_is_lifted(
    world: World, mail_server: MailServer
) -> None:
    followers = [f"reader{n}@reader.example" for n in range(45)]
    announce_to(world, *followers, "tester@try.example")
    only = ("@try.example",)
    assert send(world, mail_only_to=only) == {"accepted": 1}
    waiting = delivery_to(world, DPO)
    assert (waiting.state, waiting.note) == ("pending", "outside_mail_only_to")
    assert attempts_at(world, waiting) == []
    assert send(world, mail_only_to=only) == {}
    world.at += timedelta(hours=1)
    assert send(world) == {"accepted": 46}
    assert len({letter.rcpt_tos for letter in mail_server.messages}) == len(mail_server.messages) == 47
    assert delivery_to(world, DPO).note is None


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("Ada@Try.Example", True),
        ("ada@sub.try.example", False),
        ("me@example.com", True),
        ("not-me@example.com", False),
        ("me@example.com.evil.example", False),
    ],
)
def test_mail_only_to_names_whole_addresses_and_whole_domains(address: str, allowed: bool) -> None:
    assert may_write_to(address, ("@try.example", "me@example.com")) is allowed


def test_contacts_go_before_followers_however_long_these_waited(world: World, mail_server: MailServer) -> None:
    announce_to(world, ADA, BOB, customers=HANOI + BREMEN)
    for follower in (ADA, BOB):
        change(world, delivery_to(world, follower), due_at=world.at - timedelta(days=2))
    send(world)
    order = [letter.rcpt_tos[0] for letter in mail_server.messages]
    assert set(order[:2]) == {DPO, HANOI_PRIVACY}
    assert set(order[2:]) == {ADA, BOB}


def test_a_contact_who_comes_due_meanwhile_goes_before_the_followers_that_are_left(
    world: World, mail_server: MailServer
) -> None:
    mail_server.script(DPO, 450, "4.2.1 Busy", times=1)
    announce_to(world, *(f"reader{n}@reader.example" for n in range(BATCH + 25)))

    def a_minute_passes(envelope: Envelope) -> None:
        world.at += timedelta(minutes=1)

    send(world, limit=1)
    meanwhile(world, a_minute_passes)
    send(world)
    order = [letter.rcpt_tos[0] for letter in mail_server.messages]
    assert order.index(DPO) == BATCH


def at_publisher(file: RegistryFile, slug: str) -> RegistryFile:
    return replace(file, publisher=file.publisher.model_copy(update={"slug": slug, "name": slug.title()}))


def test_followers_of_several_publishers_are_written_to_in_turn(world: World) -> None:
    for slug, count in (("antopsis", BATCH + 30), ("nextapi", 5)):
        world.apply(at_publisher(antopsis(customers=""), slug))
        add_followers(world, [f"{slug}{n}@reader.example" for n in range(count)], slug)
        world.announce(at_publisher(antopsis(customers="", helsinki=True), slug))
    recording = RecordingChannel(name="smtp")
    use_channel(world, recording)
    assert send(world) == {"accepted": BATCH + 35}
    order = [envelope.recipient[0] for envelope in recording.envelopes]
    assert order == ["a"] * BATCH + ["n"] * 5 + ["a"] * 30


def test_a_slow_batch_keeps_its_leases(world: World) -> None:
    announce_to(world, ADA, BOB, EVE, customers="")
    left: list[timedelta] = []

    def half_the_lease_passes(envelope: Envelope) -> None:
        if world.wiring.uses_sqlite:
            world.at += LEASE / 2
        else:
            with world.writing() as session:
                for delivery in session.scalars(select(Delivery).where(Delivery.state == "leased")):
                    assert delivery.lease_until is not None
                    delivery.lease_until -= LEASE / 2

    def look(envelope: Envelope) -> None:
        until = delivery_to(world, EVE).lease_until
        assert until is not None
        with world.reading() as session:
            left.append(until - lease_clock(session, world.at))

    meanwhile(world, half_the_lease_passes, look)
    assert send(world) == {"accepted": 3}
    assert LEASE * 0.9 < left[0] <= LEASE
