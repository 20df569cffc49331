"""A letter behind the one on the wire: several connections to one server need not wait for the database (R28, R29)."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from queue import SimpleQueue

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.channels.base import Answer, Channel, Envelope, TemporaryFailure
from registry.steps import roads
from registry.steps.claim_deliveries import Lease
from registry.steps.installation import pause
from registry.steps.lanes import Answered, Parcel, ReadyLetter
from registry.steps.prepare_letters import Making, Waiting
from registry.steps.roads import Road
from registry.tables import Attempt
from tests.steps.lanes_cast import READERS, ManyRooms, OneServer, whose_letters
from tests.steps.post_office import (
    announce_to,
    attempts_at,
    check_that_every_accepted_letter_can_be_made_again,
    delivery_to,
    leave,
    send,
    states_of,
    use_channel,
)
from tests.steps.test_postponing import postpone
from tests.steps.test_statement_order import FIFTEENTH
from tests.world import ANNA, World

CONNECTIONS = 3
UNDER_WAY = 2 * CONNECTIONS
LETTERS = 40
PATIENCE = 10.0


def count_begun(world: World) -> int:
    """How many letters have begun and have no answer on record."""
    begun = select(func.count()).where(Attempt.send_started_at.is_not(None), Attempt.finished_at.is_(None))
    with world.reading() as session:
        return session.scalars(begun).one()


def once_all_are_under_way(world: World, happens: Callable[[], object]) -> Callable[[Envelope], None]:
    """Keep every letter on the wire until each has one behind it; then something `happens`, and they are taken."""
    is_first, is_over = threading.Lock(), threading.Event()
    on_the_wire: list[str] = []

    def wait(envelope: Envelope) -> None:
        on_the_wire.append(envelope.recipient)
        if not is_first.acquire(blocking=False):
            assert is_over.wait(PATIENCE)
            return
        ends = time.monotonic() + PATIENCE
        while (len(on_the_wire) < CONNECTIONS or count_begun(world) < UNDER_WAY) and time.monotonic() < ends:
            time.sleep(0.005)
        try:
            happens()
        finally:
            is_over.set()

    return wait


def last_behind(world: World) -> str:
    """Whose letter is the last one that has begun."""
    return whose_letters(world, Attempt.send_started_at.is_not(None), Attempt.finished_at.is_(None))[-1]


def one_server(world: World, happens: Callable[[Envelope], None]) -> OneServer:
    announce_to(world, *READERS[:LETTERS], customers="")
    server = OneServer(CONNECTIONS, happens)
    use_channel(world, server)
    return server


def test_each_connection_to_one_server_has_a_letter_behind_the_one_on_its_wire(world: World) -> None:
    most: list[int] = []
    server = one_server(world, once_all_are_under_way(world, lambda: most.append(count_begun(world))))
    assert send(world) == {"accepted": LETTERS}
    assert most == [UNDER_WAY]
    assert Counter(to for _, to in server.sent) == Counter(READERS[:LETTERS])
    assert check_that_every_accepted_letter_can_be_made_again(world) == LETTERS


class Batches(OneServer):
    """Takes letters together."""

    largest_batch = 100

    def send_batch(self, *given: object) -> list[object]:
        raise AssertionError(given)


def road_of(world: World, channel: Channel) -> Road:
    """A road with many letters to send, and as many connections as it may have."""
    road = Road(channel)
    road.claimed.extend(Lease(number, 1, 1, "", "email") for number in range(1_000))
    answers: SimpleQueue[Answered] = SimpleQueue()
    road.open_lanes(world.wiring.engine, world.at, answers, world.clock)
    return road


def a_letter(number: int = 1) -> Parcel:
    envelope = Envelope(READERS[0], "", b"", "<1@antopsis.example>")
    return Parcel((ReadyLetter(Lease(number, 1, 1, "", "email"), envelope),))


def fill(road: Road) -> int:
    while road.has_room:
        road.hand_over(a_letter())
    return road.under_way


@pytest.mark.parametrize(
    ("channel", "most"),
    [
        (OneServer(CONNECTIONS, lambda envelope: None), UNDER_WAY),
        # A crash of the default costs one copy at most.
        (OneServer(1, lambda envelope: None), 1),
        # Each letter goes to somebody else's server, which may take long.
        (ManyRooms(CONNECTIONS, lambda envelope: None), CONNECTIONS),
        (Batches(CONNECTIONS, lambda envelope: None), CONNECTIONS),
    ],
)
def test_who_has_letters_behind(world: World, channel: Channel, most: int) -> None:
    assert fill(road_of(world, channel)) == most


def test_a_road_that_keeps_to_a_pace_has_none_behind(world: World) -> None:
    server = OneServer(CONNECTIONS, lambda envelope: None)
    server.requests_per_second = 10.0
    road = road_of(world, server)
    assert road.find_place(world.wiring.engine, world.at)
    assert fill(road) == CONNECTIONS


def test_a_server_for_which_a_letter_waited_too_long_has_none_behind_for_a_while(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    road = road_of(world, OneServer(CONNECTIONS, lambda envelope: None))
    assert fill(road) == UNDER_WAY
    road.put_back(a_letter())
    assert len(road.waiting) == 1
    road.under_way = 0
    assert fill(road) == CONNECTIONS
    monkeypatch.setattr(roads, "LOOK_AGAIN_AFTER", timedelta(0))
    road.put_back(a_letter())
    assert fill(road) == UNDER_WAY


def test_after_one_that_waited_too_long_no_letter_goes_behind_another(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roads, "FRESH_FOR", 0.02)
    hand_over, put_back = Road.hand_over, Road.put_back
    did: list[str] = []

    def note_handing_over(road: Road, parcel: Parcel) -> None:
        did.append("behind" if road.under_way >= len(road.lanes) else "at once")
        hand_over(road, parcel)

    def note_putting_back(road: Road, parcel: Parcel) -> None:
        did.append("back")
        put_back(road, parcel)

    monkeypatch.setattr(Road, "hand_over", note_handing_over)
    monkeypatch.setattr(Road, "put_back", note_putting_back)
    number = itertools.count()
    one_server(world, lambda envelope: time.sleep(0.06 if next(number) < CONNECTIONS else 0.005))
    assert send(world) == {"accepted": LETTERS}
    assert "behind" in did[: did.index("back")]
    assert "behind" not in did[did.index("back") :]


def test_who_leaves_while_a_letter_waits_for_its_connection_gets_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roads, "FRESH_FOR", 0.0)
    left: list[str] = []

    def one_leaves() -> None:
        left.append(last_behind(world))
        leave(world, left[0])

    server = one_server(world, once_all_are_under_way(world, one_leaves))
    assert send(world) == {"accepted": LETTERS - 1, "skipped": 1}
    assert Counter(to for _, to in server.sent) == Counter(to for to in READERS[:LETTERS] if to != left[0])
    # What was on record of a start that led to nothing is so no more.
    (attempt,) = attempts_at(world, delivery_to(world, left[0]))
    assert (attempt.send_started_at, attempt.sha256, attempt.answer_class) == (None, None, "not_tried")
    assert check_that_every_accepted_letter_can_be_made_again(world) == LETTERS - 1


def check_that_the_others_wait(world: World, server: OneServer, sent: int) -> None:
    """Check that so many were sent, and that all others are as due as before, without a start on record."""
    assert len(server.sent) == sent
    assert Counter(states_of(world).values()) == {"accepted": sent, "pending": LETTERS - sent}
    assert count_begun(world) == 0
    not_sent = set(READERS[:LETTERS]) - {to for _, to in server.sent}
    tries = [attempt for to in not_sent for attempt in attempts_at(world, delivery_to(world, to))]
    assert {(attempt.send_started_at, attempt.answer_class) for attempt in tries} == {(None, "not_tried")}
    assert {delivery_to(world, to).crash_count for to in not_sent} == {0}


def test_a_worker_that_is_to_stop_gives_back_what_waits_behind(world: World) -> None:
    asked: list[bool] = []
    server = one_server(world, once_all_are_under_way(world, lambda: asked.append(True)))
    assert send(world, should_stop=lambda: bool(asked)) == {"accepted": CONNECTIONS}
    check_that_the_others_wait(world, server, CONNECTIONS)
    assert send(world) == {"accepted": LETTERS - CONNECTIONS}
    assert Counter(to for _, to in server.sent) == Counter(READERS[:LETTERS])


def test_a_pause_lets_out_no_more_than_what_has_begun(world: World) -> None:
    def somebody_pauses() -> None:
        with world.writing() as session:
            pause(session, world.at, ANNA, "a wrong letter is going out")

    server = one_server(world, once_all_are_under_way(world, somebody_pauses))
    sent = send(world)["accepted"]
    assert CONNECTIONS <= sent <= UNDER_WAY
    check_that_the_others_wait(world, server, sent)


class Faulty(Exception):
    """A defect of a channel."""


def test_a_defect_makes_its_own_letter_unclear_and_none_that_waits_behind(world: World) -> None:
    def fail() -> None:
        raise Faulty

    server = one_server(world, once_all_are_under_way(world, fail))
    with pytest.raises(Faulty):
        send(world)
    states = states_of(world)
    assert Counter(states.values())["ambiguous"] == 1
    assert {to for _, to in server.sent} == {to for to, state in states.items() if state != "pending"}
    assert sum(send(world).values()) == Counter(states.values())["pending"]


def test_a_channel_that_fails_at_everything_is_given_no_letter_that_waits_behind(world: World) -> None:
    all_are_there = once_all_are_under_way(world, lambda: None)

    def fail(envelope: Envelope) -> None:
        all_are_there(envelope)
        raise Faulty

    server = one_server(world, fail)
    with pytest.raises(Faulty):
        send(world)
    assert len(server.sent) == CONNECTIONS
    assert Counter(states_of(world).values()) == {"ambiguous": CONNECTIONS, "pending": LETTERS - CONNECTIONS}


@pytest.mark.parametrize("defect", [Faulty, KeyboardInterrupt])
def test_what_comes_back_while_a_run_ends_begins_no_more(world: World, defect: type[BaseException]) -> None:
    """Its answer would be taken by nobody: it would be leased for half an hour, and sent twice."""
    is_over = threading.Event()

    def fail_once_those_behind_are_old() -> None:
        time.sleep(1.5 * roads.FRESH_FOR)
        is_over.set()
        raise defect

    the_first = once_all_are_under_way(world, fail_once_those_behind_are_old)

    def happens(envelope: Envelope) -> None:
        if is_over.is_set():
            return
        the_first(envelope)
        # Out of step: a lane comes free, and another one is still at its letter.
        time.sleep(roads.FRESH_FOR)

    server = one_server(world, happens)
    with pytest.raises(defect):
        send(world)
    assert len(server.sent) == CONNECTIONS
    assert Counter(states_of(world).values()) == {
        "ambiguous": 1,
        "accepted": CONNECTIONS - 1,
        "pending": LETTERS - CONNECTIONS,
    }
    assert count_begun(world) == 0


def test_what_comes_back_keeps_its_turn(world: World) -> None:
    road = road_of(world, OneServer(CONNECTIONS, lambda envelope: None))
    fill(road)
    for number in (4, 5, 6):
        road.put_back(a_letter(number))
    assert [lease.delivery_id for lease, _ in road.waiting] == [4, 5, 6]
    road.waiting.popleft()
    road.hand_over(a_letter(4))
    road.put_back(a_letter(7))
    assert [lease.delivery_id for lease, _ in road.waiting] == [5, 6, 7]


class RefusesAnnouncements(OneServer):
    """Refuses announcements for now, and takes long over what it takes."""

    def send(self, envelope: Envelope) -> Answer:
        if b"-announcement." in envelope.message_id.encode():
            return TemporaryFailure(451, "4.7.1 not this one")
        time.sleep(1.5 * roads.FRESH_FOR)
        return super().send(envelope)


def test_a_start_that_led_to_nothing_counts_as_no_try_of_a_later_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would be put off until the earlier letter's next try, though it has not had its own."""
    monkeypatch.setattr(roads, "FRESH_FOR", 0.02)
    number = announce_to(world, *READERS[:LETTERS], customers="")
    use_channel(world, RefusesAnnouncements(CONNECTIONS, lambda envelope: None))
    for _ in range(3):
        assert send(world) == {"retry_wait": LETTERS}
        world.at = max(delivery_to(world, to).due_at for to in READERS[:LETTERS])
    world.at += timedelta(minutes=1)
    postpone(world, number, FIFTEENTH)
    assert send(world) == {"retry_wait": LETTERS, "accepted": LETTERS}


# What several connections are supplied with


def test_several_connections_have_places_before_they_run_out_and_no_more_than_letters(world: World) -> None:
    engine = world.wiring.engine
    road = road_of(world, OneServer(CONNECTIONS, lambda envelope: None))
    assert road.find_place(engine, world.at)
    assert len(road.places) == road.unbegun
    left = road.made_ready_at_once // 2
    while len(road.places) >= left:
        road.places.popleft()
    assert road.find_place(engine, world.at)
    assert len(road.places) == left - 1 + road.unbegun
    # The last letters of a list have theirs, and the database is not asked again for each of them.
    road.claimed.clear()
    road.places.clear()
    assert not road.has_place()
    road.claimed.append(Lease(1, 1, 1, "", "email"))
    assert road.find_place(engine, world.at)
    assert road.find_place(engine, world.at)
    assert len(road.places) == 1


def test_of_many_letters_a_few_are_ready_while_the_others_are_stored(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, stored = Making.store, list[int]()
    monkeypatch.setattr(roads, "BATCH", LETTERS // 2)
    monkeypatch.setattr(roads, "FEW", 5)

    def look(making: Making, session: Session, most: int) -> list[Waiting]:
        ready = store(making, session, most)
        stored.append(len(ready))
        return ready

    monkeypatch.setattr(Making, "store", look)
    server = one_server(world, lambda envelope: None)
    assert send(world) == {"accepted": LETTERS}
    # Before there is a connection nobody waits for them.
    assert stored == [20, 5, 5, 5, 5]
    assert Counter(to for _, to in server.sent) == Counter(READERS[:LETTERS])
    assert check_that_every_accepted_letter_can_be_made_again(world) == LETTERS


def test_for_a_single_connection_all_are_stored_together(world: World) -> None:
    road = road_of(world, OneServer(1, lambda envelope: None))
    assert road.stored_at_once == road.made_ready_at_once == roads.BATCH
