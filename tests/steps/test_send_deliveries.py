"""Sending through a real mail server: what it answers, and what it does instead of answering (DESIGN §4.4)."""

from __future__ import annotations

import socket
from datetime import timedelta
from email.message import EmailMessage

import pytest

from registry.letters.compose import sha256_of
from tests.channels.scripted_server import CUT, HANG, RESET, Behaviour, ScriptedServer
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import (
    DPO,
    HANOI_PRIVACY,
    announce_to,
    attempts_at,
    change,
    check_that_every_accepted_letter_can_be_made_again,
    delivery_to,
    events,
    send,
    states_of,
    use_server,
)
from tests.world import BREMEN, HANOI, World, letters_to, text_of, utc

MINUTE = timedelta(minutes=1)


def message_id_of(letter: EmailMessage) -> str:
    return str(letter["Message-ID"])


def test_an_accepted_letter_is_on_record_with_its_bytes_its_answer_and_its_times(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, "ada@reader.example")
    assert send(world) == {"accepted": 2}
    delivery = delivery_to(world, DPO)
    (attempt,) = attempts_at(world, delivery)
    (letter,) = letters_to(mail_server, DPO)
    assert (attempt.answer_class, attempt.code, attempt.channel) == ("accepted", 250, "smtp")
    assert attempt.answer is not None
    assert attempt.answer.endswith("queued as TEST0001")
    assert attempt.send_started_at == attempt.finished_at == delivery.accepted_at == world.at
    assert message_id_of(letter) == delivery.message_id
    assert [sha256_of(each.content) for each in mail_server.messages if each.rcpt_tos == (DPO,)] == [attempt.sha256]
    assert (delivery.token, delivery.lease_until, delivery.possible_duplicate) == (None, None, False)


def test_sending_twice_sends_once(world: World, mail_server: MailServer) -> None:
    announce_to(world, "ada@reader.example")
    send(world)
    assert send(world) == {}
    assert len(mail_server.messages) == 2


def test_who_is_refused_for_now_is_tried_again_by_the_schedule_and_gets_one_letter(
    world: World, mail_server: MailServer
) -> None:
    mail_server.script(DPO, 450, "4.2.1 Mailbox busy", times=2)
    announce_to(world)
    assert send(world) == {"retry_wait": 1}
    for wait in (1, 5):
        due_at = delivery_to(world, DPO).due_at
        assert due_at == world.at + wait * MINUTE
        world.at = due_at - timedelta(seconds=1)
        assert send(world) == {}
        world.at = due_at
        send(world)
    delivery = delivery_to(world, DPO)
    attempts = attempts_at(world, delivery)
    assert delivery.state == "accepted"
    assert [(each.answer_class, each.code) for each in attempts] == [("temporary", 450)] * 2 + [("accepted", 250)]
    assert len({each.sha256 for each in attempts}) == 1
    assert [message_id_of(letter) for letter in letters_to(mail_server, DPO)] == [delivery.message_id]
    assert not delivery.possible_duplicate


def test_a_refusal_after_the_letter_was_given_is_a_refusal_too(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 451, "4.3.0 Try later", times=1, stage="DATA")
    announce_to(world)
    assert send(world) == {"retry_wait": 1}
    world.at += MINUTE
    assert send(world) == {"accepted": 1}
    assert len(letters_to(mail_server, DPO)) == 1


@pytest.mark.parametrize("stage", ["RCPT", "DATA"])
def test_who_is_refused_for_good_has_failed_and_is_not_tried_again(
    world: World, mail_server: MailServer, stage: str
) -> None:
    mail_server.script(DPO, 550, "5.1.1 No such user here", stage=stage)
    announce_to(world, "ada@reader.example")
    assert send(world) == {"failed": 1, "accepted": 1}
    world.at += timedelta(days=6)
    assert send(world) == {}
    delivery = delivery_to(world, DPO)
    assert [each.code for each in attempts_at(world, delivery)] == [550]
    (event,) = events(world, "delivery.failed")
    assert event.subject == str(delivery.id)
    assert event.payload["code"] == 550
    assert DPO not in str(event.payload)


def test_after_five_days_a_contact_waits_for_a_person_and_a_follower_has_failed(
    world: World, mail_server: MailServer
) -> None:
    for address in (DPO, "ada@reader.example"):
        mail_server.script(address, 452, "4.2.2 Over quota")
    announce_to(world, "ada@reader.example")
    began = world.at
    while set(states_of(world).values()) & {"pending", "retry_wait"}:
        world.at = max(delivery_to(world, DPO).due_at, world.at + timedelta(microseconds=1))
        send(world)
    assert states_of(world) == {DPO: "needs_attention", "ada@reader.example": "failed"}
    assert timedelta(days=4, hours=20) < world.at - began <= timedelta(days=5)
    delivery = delivery_to(world, DPO)
    assert delivery.note == "tries_spent"
    assert len(attempts_at(world, delivery)) > 40
    assert len(events(world, "delivery.needs_attention")) == 1
    assert mail_server.messages == []


def test_tries_that_are_spent_after_one_that_may_have_arrived_do_not_say_that_none_did(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, "ada@reader.example")
    with ScriptedServer({"dot": [CUT, CUT]}) as server:
        use_server(world, server.url)
        assert send(world) == {"ambiguous": 2}
    for address in (DPO, "ada@reader.example"):
        mail_server.script(address, 452, "4.2.2 Over quota")
    use_server(world, mail_server.url)
    world.at += timedelta(days=6)
    assert send(world) == {"needs_attention": 1, "failed": 1}
    assert {delivery_to(world, address).note for address in (DPO, "ada@reader.example")} == {"may_have_arrived"}


def test_while_the_server_is_down_everything_waits_and_afterwards_goes_out_once(
    world: World, mail_server: MailServer
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        closed_port = nobody.getsockname()[1]
    use_server(world, f"smtp://127.0.0.1:{closed_port}")
    announce_to(world, "ada@reader.example", customers=BREMEN + HANOI)
    assert send(world) == {"retry_wait": 3}
    (attempt,) = attempts_at(world, delivery_to(world, DPO))
    assert attempt.code is None
    assert "connecting" in (attempt.answer or "")
    use_server(world, mail_server.url)
    world.at += MINUTE
    assert send(world) == {"accepted": 3}
    assert sorted(letter.rcpt_tos[0] for letter in mail_server.messages) == [
        "ada@reader.example",
        DPO,
        HANOI_PRIVACY,
    ]


@pytest.mark.parametrize("stage", ["connect", "ehlo", "mail", "rcpt", "data"])
def test_a_server_that_hangs_or_cuts_before_the_final_dot_has_not_taken_the_letter(world: World, stage: str) -> None:
    with ScriptedServer({stage: [HANG, CUT]}) as server:
        use_server(world, server.url)
        announce_to(world)
        assert send(world) == {"retry_wait": 1}
        world.at += MINUTE
        assert send(world) == {"retry_wait": 1}
        world.at += 5 * MINUTE
        assert send(world) == {"accepted": 1}
        world.channels["email"].close()
    assert len(server.letters) == 1
    assert not delivery_to(world, DPO).possible_duplicate


@pytest.mark.parametrize("trouble", [CUT, RESET, HANG, b"garbage\r\n"], ids=["cut", "reset", "hang", "garbage"])
def test_a_letter_whose_answer_is_lost_goes_out_once_more_with_the_same_bytes_and_is_marked(
    world: World, trouble: Behaviour
) -> None:
    with ScriptedServer({"dot": [trouble]}) as server:
        use_server(world, server.url)
        announce_to(world)
        assert send(world) == {"ambiguous": 1}
        waiting = delivery_to(world, DPO)
        assert (waiting.state, waiting.due_at) == ("ambiguous", world.at + MINUTE)
        assert send(world) == {}
        world.at += MINUTE
        assert send(world) == {"accepted": 1}
        world.channels["email"].close()
    first, second = server.letters
    assert first == second
    delivery = delivery_to(world, DPO)
    attempts = attempts_at(world, delivery)
    assert [each.answer_class for each in attempts] == ["ambiguous", "accepted"]
    assert attempts[0].sha256 == attempts[1].sha256
    assert delivery.message_id is not None
    assert delivery.message_id.encode() in second
    assert delivery.possible_duplicate
    assert check_that_every_accepted_letter_can_be_made_again(world) == 1


def test_a_letter_whose_answer_is_lost_twice_goes_to_a_person_and_a_followers_has_failed(world: World) -> None:
    with ScriptedServer({"dot": [CUT] * 4}) as server:
        use_server(world, server.url)
        announce_to(world, "ada@reader.example")
        assert send(world) == {"ambiguous": 2}
        world.at += MINUTE
        assert send(world) == {"needs_attention": 1, "failed": 1}
        world.at += timedelta(days=7)
        assert send(world) == {}
        world.channels["email"].close()
    assert len(server.letters) == 4
    assert states_of(world) == {DPO: "needs_attention", "ada@reader.example": "failed"}
    assert delivery_to(world, DPO).note == "may_have_arrived"


def test_a_refusal_for_now_after_a_lost_answer_leaves_the_letter_ambiguous(world: World) -> None:
    with ScriptedServer({"dot": [CUT], "rcpt": ["250 ok", "451 4.7.1 Greylisted"]}) as server:
        use_server(world, server.url)
        announce_to(world)
        send(world)
        world.at += MINUTE
        assert send(world) == {"ambiguous": 1}
        assert delivery_to(world, DPO).due_at == world.at + 5 * MINUTE
        world.at += 5 * MINUTE
        assert send(world) == {"accepted": 1}
        world.channels["email"].close()
    assert len(server.letters) == 2
    assert delivery_to(world, DPO).possible_duplicate


def test_a_refusal_for_good_after_a_lost_answer_says_that_it_may_have_arrived(world: World) -> None:
    with ScriptedServer({"dot": [CUT], "rcpt": ["250 ok", "550 5.1.1 Unknown"]}) as server:
        use_server(world, server.url)
        announce_to(world)
        send(world)
        world.at += MINUTE
        assert send(world) == {"failed": 1}
        world.channels["email"].close()
    assert delivery_to(world, DPO).note == "may_have_arrived"


def test_a_deadline_told_is_not_merged_anew_while_an_earlier_try_may_have_arrived(world: World) -> None:
    with ScriptedServer({"dot": [CUT]}) as server:
        use_server(world, server.url)
        announce_to(world)
        send(world)
        told = delivery_to(world, DPO).deadline_at
        world.at = utc("2026-10-02 09:00")
        assert send(world) == {"accepted": 1}
        world.channels["email"].close()
    assert server.letters[0] == server.letters[1]
    assert delivery_to(world, DPO).deadline_at == told
    assert check_that_every_accepted_letter_can_be_made_again(world) == 1


def test_a_retry_on_a_later_local_day_tells_the_deadline_of_that_day(world: World, mail_server: MailServer) -> None:
    mail_server.script(DPO, 450, "4.2.1 Busy", times=1)
    announce_to(world)
    send(world)
    first = delivery_to(world, DPO)
    # 22:30 UTC is half past midnight of 1 October in Berlin.
    world.at = utc("2026-09-30 22:30")
    change(world, first, due_at=world.at)
    assert send(world) == {"accepted": 1}
    (letter,) = letters_to(mail_server, DPO)
    assert "Saturday, 31 October 2026 (2026-10-31, Europe/Berlin)" in text_of(letter)
    second = delivery_to(world, DPO)
    assert first.deadline_at is not None
    assert second.deadline_at == first.deadline_at + timedelta(days=1, hours=0)
    assert message_id_of(letter) == first.message_id
    assert len({each.sha256 for each in attempts_at(world, second)}) == 2
    assert check_that_every_accepted_letter_can_be_made_again(world) == 1


def test_one_refused_recipient_keeps_nobody_else_waiting(world: World, mail_server: MailServer) -> None:
    followers = [f"reader{n}@reader.example" for n in range(25)]
    mail_server.script(followers[7], 550, "5.1.1 No such user here")
    mail_server.script(followers[11], 450, "4.2.1 Busy")
    announce_to(world, *followers)
    assert send(world) == {"accepted": 24, "failed": 1, "retry_wait": 1}
    assert len({letter.rcpt_tos for letter in mail_server.messages}) == 24
    assert len(mail_server.peers) == 1
