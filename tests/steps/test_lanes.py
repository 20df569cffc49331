"""The lanes that letters leave by: one connection each, several at once, and what goes wrong in one of them (R31)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from registry.channels.base import Ambiguous, Answer, Envelope
from registry.channels.guarded_http import GuardedHttp, HttpTimeouts
from registry.channels.recording import RecordingChannel
from registry.channels.smtp import SmtpChannel, parse_mail_url
from registry.channels.webhook import WebhookChannel
from registry.channels.webhook_signing import make_secret
from registry.steps.installation import pause
from registry.steps.pacing import block
from registry.steps.roads import BATCH, LETTERS_A_LANE, Road
from registry.tables import Delivery
from tests.channels.http_receiver import Drip, HttpReceiver, Reply
from tests.channels.smtp_server import MailServer
from tests.steps.lanes_cast import READERS, ManyRooms
from tests.steps.post_office import (
    DPO,
    announce_to,
    attempts_at,
    change,
    check_that_every_accepted_letter_can_be_made_again,
    delivery_to,
    send,
    states_of,
    use_channel,
)
from tests.world import ANNA, World

LANE = "lane-"


def lanes_alive() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(LANE)]


@pytest.fixture(autouse=True)
def no_lane_outlives_its_run() -> Iterator[None]:
    yield
    assert lanes_alive() == []


# One lane, and several


def test_a_single_lane_sends_in_the_callers_own_thread(world: World) -> None:
    announce_to(world, *READERS[:30], customers="")
    rooms = ManyRooms(1, lambda envelope: None)
    use_channel(world, rooms)
    assert send(world) == {"accepted": 30}
    assert {thread for thread, _ in rooms.sent} == {threading.current_thread().name}


def test_each_of_several_connections_has_a_thread_and_every_letter_goes_out_once(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, *READERS)
    use_channel(world, SmtpChannel(parse_mail_url(f"{mail_server.url}&connections=4")))
    assert send(world) == {"accepted": len(READERS) + 1}
    arrived = Counter(message.rcpt_tos[0] for message in mail_server.messages)
    assert arrived == Counter([DPO, *READERS])
    assert len(mail_server.peers) == 4
    assert check_that_every_accepted_letter_can_be_made_again(world) == len(READERS) + 1


def test_a_handful_of_letters_is_not_worth_a_second_connection_to_one_provider(
    world: World, mail_server: MailServer
) -> None:
    announce_to(world, *READERS[:LETTERS_A_LANE], customers="")
    use_channel(world, SmtpChannel(parse_mail_url(f"{mail_server.url}&connections=4")))
    assert send(world) == {"accepted": LETTERS_A_LANE}
    assert len(mail_server.peers) == 1


def test_connections_to_one_server_are_supplied_like_one_and_other_peoples_servers_with_less(
    mail_server: MailServer,
) -> None:
    one, several = (Road(SmtpChannel(parse_mail_url(f"{mail_server.url}&connections={n}"))) for n in (1, 4))
    for road in (one, several):
        assert (road.claimed_at_once, road.made_ready_at_once) == (BATCH, BATCH)
    # Each of them may take long over a letter, and what is claimed for it waits meanwhile.
    elsewhere = Road(ManyRooms(4, lambda envelope: None))
    assert elsewhere.made_ready_at_once < elsewhere.claimed_at_once < BATCH


def test_where_each_address_is_somebody_elses_one_that_hangs_keeps_no_other_waiting(world: World) -> None:
    announce_to(world, *READERS[:4], customers="")
    left, are_through = [*READERS[1:4]], threading.Event()

    def hang_at_the_first(envelope: Envelope) -> None:
        if envelope.recipient == READERS[0]:
            assert are_through.wait(20)
            return
        left.remove(envelope.recipient)
        if not left:
            are_through.set()

    use_channel(world, ManyRooms(2, hang_at_the_first))
    assert send(world) == {"accepted": 4}


def test_connections_beside_the_channels_own_are_closed_after_a_run(world: World) -> None:
    announce_to(world, *READERS[:40], customers="")
    rooms = ManyRooms(3, lambda envelope: None)
    use_channel(world, rooms)
    assert send(world) == {"accepted": 40}
    assert [beside.is_closed for beside in rooms.siblings] == [True, True]
    assert not rooms.is_closed


# Trouble in a lane


class Faulty(Exception):
    """A defect of a channel."""


@pytest.mark.parametrize("defect", [Faulty, SystemExit, KeyboardInterrupt])
def test_what_is_raised_in_a_thread_is_raised_to_the_caller_and_only_its_letter_is_unclear(
    world: World, defect: type[BaseException]
) -> None:
    announce_to(world, *READERS[:40], customers="")

    def fail_once(envelope: Envelope) -> None:
        if envelope.recipient == READERS[5]:
            raise defect

    rooms = ManyRooms(3, fail_once)
    use_channel(world, rooms)
    with pytest.raises(defect):
        send(world)
    states = states_of(world)
    assert states[READERS[5]] == "ambiguous"
    assert Counter(states.values()).keys() <= {"accepted", "ambiguous", "pending"}
    assert Counter(states.values())["ambiguous"] == 1
    # What was on the wire in the other lanes was taken, and stands so on record.
    assert {to for _, to in rooms.sent} == {to for to, state in states.items() if state != "pending"}
    assert sum(send(world).values()) == Counter(states.values())["pending"]


def test_defects_in_several_lanes_at_once_cost_no_other_lane_its_answer(world: World) -> None:
    announce_to(world, *READERS[:40], customers="")
    together = threading.Barrier(3)

    def fail_in_two_of_three(envelope: Envelope) -> None:
        place = together.wait(10)
        if place != 1:
            raise Faulty(envelope.recipient)

    rooms = ManyRooms(3, fail_in_two_of_three)
    use_channel(world, rooms)
    with pytest.raises(Faulty):
        send(world)
    assert Counter(states_of(world).values()) == {"ambiguous": 2, "accepted": 1, "pending": 37}


def test_a_worker_that_is_to_stop_finishes_what_is_on_the_wire_in_every_lane(world: World) -> None:
    announce_to(world, *READERS[:40], customers="")
    together = threading.Barrier(3)
    asked: list[str] = []

    def ask_to_stop(envelope: Envelope) -> None:
        together.wait(10)
        asked.append(envelope.recipient)

    use_channel(world, ManyRooms(3, ask_to_stop))
    assert send(world, should_stop=lambda: bool(asked)) == {"accepted": 3}
    assert Counter(states_of(world).values()) == {"accepted": 3, "pending": 37}
    with world.reading() as session:
        assert session.query(Delivery).where(Delivery.token.is_not(None)).count() == 0


def test_a_pause_ends_every_lane_after_the_letter_on_its_wire(world: World) -> None:
    announce_to(world, *READERS[:40], customers="")
    together = threading.Barrier(3)

    def somebody_pauses(envelope: Envelope) -> None:
        if together.wait(10) == 0:
            with world.writing() as session:
                pause(session, world.at, ANNA, "a wrong letter is going out")
        together.wait(10)

    use_channel(world, ManyRooms(3, somebody_pauses))
    assert send(world) == {"accepted": 3}
    states = states_of(world)
    assert Counter(states.values()) == {"accepted": 3, "pending": 37}
    assert {delivery_to(world, to).crash_count for to in READERS[:40]} == {0}


def test_what_becomes_due_while_one_lane_hangs_goes_by_another(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    rest = Road.rest
    monkeypatch.setattr(Road, "rest", lambda road, wait=timedelta(seconds=0.1): rest(road, wait))
    hanging, late, *others = READERS[:21]
    announce_to(world, hanging, late, *others, customers="")
    change(world, delivery_to(world, late), due_at=world.at + timedelta(minutes=1))
    late_was_sent = threading.Event()
    left = set(others)

    def happens(envelope: Envelope) -> None:
        if envelope.recipient == hanging:
            assert late_was_sent.wait(10)
        elif envelope.recipient == late:
            late_was_sent.set()
        else:
            left.discard(envelope.recipient)
            if not left:
                world.at += timedelta(minutes=1)

    use_channel(world, ManyRooms(2, happens))
    assert send(world) == {"accepted": 21}


# Several roads


class PostsLetters(WebhookChannel):
    """Posts each letter of its road to one endpoint, as it is, one after the other."""

    connections = 1

    def __init__(self, url: str, answered: Callable[[], None], whole: float = 5) -> None:
        timeouts = HttpTimeouts(connect=min(2, whole), whole=whole)
        http = GuardedHttp(may_reach=lambda address: address.is_loopback, allow_http=True, timeouts=timeouts)
        super().__init__(http, lambda: datetime.now(UTC))
        self._url = url
        self._secret = make_secret()
        self._answered = answered

    def send(self, envelope: Envelope) -> Answer:
        answer = super().send(replace(envelope, recipient=self._url, secrets=(self._secret,)))
        self._answered()
        return answer


def by_web(world: World, recipients: list[str]) -> None:
    """Let these letters go by another road than the others."""
    ids = [delivery_to(world, to).id for to in recipients]
    with world.writing() as session:
        session.execute(update(Delivery).where(Delivery.id.in_(ids)).values(channel="webhook"))


def test_an_endpoint_that_drips_keeps_no_letter_waiting(world: World, mail_server: MailServer) -> None:
    announce_to(world, *READERS[:33], customers="")
    slow = READERS[:3]
    by_web(world, slow)
    mailed_by_then: list[int] = []
    with HttpReceiver() as receiver:
        # More than a second for the first answer: 30 letters take a fraction of it.
        receiver.script(Drip(Reply(200, "ok", {"Connection": "close"}).as_bytes(), pause=0.015))
        road = PostsLetters(receiver.url, lambda: mailed_by_then.append(len(mail_server.messages)))
        with closing(road):
            world.channels["webhook"] = road
            assert send(world) == {"accepted": 33}
        assert len(receiver.requests) == 3
    assert mailed_by_then[0] == 30
    assert [attempts_at(world, delivery_to(world, to))[0].channel for to in slow] == ["webhook"] * 3


class Paced(RecordingChannel):
    """A road of its own account."""

    account, requests_per_second, connections_in_all = "shut", None, None


def test_a_road_that_is_shut_keeps_no_other_waiting(world: World, mail_server: MailServer) -> None:
    announce_to(world, *READERS[:20], customers="")
    by_web(world, READERS[:10])
    shut = Paced(name="webhook", kind="webhook")
    world.channels["webhook"] = shut
    with world.writing() as session:
        block(session, world.at, shut.account, timedelta(hours=1))
    assert send(world) == {"accepted": 10}
    assert Counter(states_of(world).values()) == {"accepted": 10, "pending": 10}
    assert len(mail_server.messages) == 10


def test_an_endpoint_that_never_answers_is_asked_again_by_the_schedule_and_not_for_ever(world: World) -> None:
    announce_to(world, READERS[0])
    by_web(world, [READERS[0], DPO])
    silent = RecordingChannel(name="webhook", kind="webhook")
    for to in (READERS[0], DPO):
        silent.script(to, Ambiguous(None, "no answer in time"))
    world.channels["webhook"] = silent
    began = world.at
    while set(states_of(world).values()) & {"pending", "ambiguous"}:
        send(world)
        world.at = max(world.at, delivery_to(world, DPO).due_at)
    assert timedelta(days=6) < world.at - began <= timedelta(days=8)
    assert len(silent.sent_to(DPO)) < 20
    assert states_of(world) == {DPO: "needs_attention", READERS[0]: "failed"}
    assert {delivery_to(world, to).note for to in (READERS[0], DPO)} == {"may_have_arrived"}
