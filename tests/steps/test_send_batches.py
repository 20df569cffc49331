"""Letters that go to a provider together: stored before, settled after, repeated whole or not at all (R29)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta

import pytest

from registry.channels.base import Answer, Envelope
from registry.letters.compose import sha256_of
from registry.steps.installation import pause, resume
from registry.steps.recover_leases import recover_leases
from tests.channels.resend_missteps import (
    HTML_502,
    RESET_TAKEN,
    RESET_UNTAKEN,
    TIMES_OUT_THEN_TAKEN,
    Misstep,
    Response,
    refusal,
)
from tests.channels.resend_server import ResendServer
from tests.steps.pacing_cast import send_by_a_running_clock
from tests.steps.post_office import (
    DPO,
    HANOI_PRIVACY,
    announce_to,
    attempts_at,
    check_that_every_accepted_letter_can_be_made_again,
    delivery_to,
    leave,
    let_leases_run_out,
    send,
    states_of,
    suppress,
    use_channel,
)
from tests.steps.resend_cast import (
    IMPATIENT,
    MINUTE,
    READERS,
    ObservedResend,
    batches_of,
    copies_of,
    mail_by,
    members_of,
    pass_time,
    requests_of,
)
from tests.world import ANNA, BREMEN, HANOI, World

ONCE_EACH = Counter(READERS)
UNDER_WAY = refusal(409, "concurrent_idempotent_requests", "Another request is in progress with the key.")
OTHER_BYTES = refusal(409, "invalid_idempotent_request", "Same idempotency key used with another payload.")
NO_SERVICE = Misstep(takes=False, response=HTML_502)


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with ResendServer() as running:
        yield running


@pytest.fixture
def announced(world: World) -> World:
    """A notice that is due to eight followers and to nobody else."""
    announce_to(world, *READERS, customers="")
    return world


# What goes well


def test_who_is_in_a_batch_and_in_which_order_is_stored_before_it_is_sent(
    announced: World, server: ResendServer
) -> None:
    world = announced
    channel = mail_by(world, server)
    seen: list[str] = []

    def look(envelopes: Sequence[Envelope], key: str) -> None:
        (batch,) = batches_of(world)
        assert (batch.key, batch.size, batch.started_at, batch.finished_at) == (key, 8, world.at, None)
        stored = members_of(world, batch)
        assert [attempt.batch_position for _, attempt in stored] == list(range(8))
        assert [attempt.sha256 for _, attempt in stored] == [sha256_of(each.message) for each in envelopes]
        assert {attempt.send_started_at for _, attempt in stored} == {world.at}
        assert [delivery_to(world, each.recipient).id for each in envelopes] == [number for number, _ in stored]
        assert {delivery_to(world, to).batch_id for to in READERS} == {batch.id}
        seen.append(key)

    channel.before = look
    assert send(world) == {"accepted": 8}
    assert requests_of(server) == [("/emails/batch", seen[0])]


def test_each_letter_of_a_batch_that_was_taken_has_the_providers_name_for_it(
    announced: World, server: ResendServer
) -> None:
    world = announced
    mail_by(world, server)
    assert send(world) == {"accepted": 8}
    names = {letter.recipient: letter.id for letter in server.taken}
    for to in READERS:
        delivery = delivery_to(world, to)
        (attempt,) = attempts_at(world, delivery)
        assert (attempt.answer_class, attempt.code, attempt.provider_ref) == ("accepted", 200, names[to])
        assert (delivery.state, delivery.accepted_at, delivery.batch_id) == ("accepted", world.at, None)
        assert not delivery.possible_duplicate
    assert batches_of(world)[0].finished_at == world.at
    assert check_that_every_accepted_letter_can_be_made_again(world) == 8
    assert send(world) == {}


def test_contacts_go_singly_and_first(world: World, server: ResendServer) -> None:
    announce_to(world, *READERS, customers=BREMEN + HANOI)
    mail_by(world, server)
    assert send(world) == {"accepted": 10}
    assert [path for path, _ in requests_of(server)] == ["/emails", "/emails", "/emails/batch"]
    assert {letter.recipient for letter in server.taken[:2]} == {DPO, HANOI_PRIVACY}
    assert set(states_of(world).values()) == {"accepted"}


def test_a_letter_of_a_batch_that_must_not_go_any_more_stays_behind(announced: World, server: ResendServer) -> None:
    world = announced
    claimed: list[str] = []

    def find_out_too_late() -> bool:
        # Asked after the claim and before the batch begins.
        if not claimed:
            claimed.extend(to for to, state in states_of(world).items() if state == "leased")
            if claimed:
                leave(world, READERS[2])
                suppress(world, READERS[5])
        return False

    mail_by(world, server)
    assert send(world, should_stop=find_out_too_late) == {"accepted": 6, "skipped": 2}
    assert copies_of(server) == ONCE_EACH - Counter([READERS[2], READERS[5]])
    assert batches_of(world)[0].size == 6


def test_more_letters_than_one_request_carries_go_in_several(world: World, server: ResendServer) -> None:
    readers = [f"reader{n}@reader.example" for n in range(23)]
    announce_to(world, *readers, customers="")
    mail_by(world, server).largest_batch = 10
    assert send(world) == {"accepted": 23}
    assert copies_of(server) == Counter(readers)
    assert [batch.size for batch in batches_of(world)] == [10, 10, 3]
    assert len({key for _, key in requests_of(server)}) == 3


# Lost answers


@pytest.mark.parametrize("lost", [TIMES_OUT_THEN_TAKEN, RESET_TAKEN, RESET_UNTAKEN, NO_SERVICE])
def test_a_batch_whose_answer_is_lost_is_the_same_request_again_and_each_letter_is_taken_once(
    announced: World, server: ResendServer, lost: Misstep
) -> None:
    world = announced
    mail_by(world, server, IMPATIENT)
    server.script(lost)
    assert send(world) == {"ambiguous": 8}
    assert batches_of(world)[0].finished_at is None
    assert send(world) == {}
    pass_time(world, server, MINUTE)
    assert send(world) == {"accepted": 8}
    first, second = server.requests
    assert (first.path, first.headers["idempotency-key"]) == (second.path, second.headers["idempotency-key"])
    assert first.body == second.body
    assert copies_of(server) == ONCE_EACH
    (batch,) = batches_of(world)
    assert batch.finished_at == world.at
    positions = []
    for to in READERS:
        delivery = delivery_to(world, to)
        assert (delivery.state, delivery.possible_duplicate, delivery.batch_id) == ("accepted", True, None)
        attempts = attempts_at(world, delivery)
        assert [each.answer_class for each in attempts] == ["ambiguous", "accepted"]
        ((batch_id, position),) = {(each.batch_id, each.batch_position) for each in attempts}
        assert batch_id == batch.id
        positions.append(position)
        assert len({each.sha256 for each in attempts}) == 1
    assert sorted(each for each in positions if each is not None) == list(range(len(READERS)))


@pytest.mark.parametrize("is_taken", [True, False], ids=["after-it-was-taken", "before-it-left"])
def test_a_batch_whose_worker_died_is_recovered_and_repeated_under_its_key(
    announced: World, server: ResendServer, is_taken: bool
) -> None:
    world = announced
    channel = mail_by(world, server)

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    if is_taken:
        channel.after = die
    else:
        channel.before = die
    with pytest.raises(KeyboardInterrupt):
        send(world)
    assert set(states_of(world).values()) == {"leased"}
    let_leases_run_out(world)
    with world.writing() as session:
        assert recover_leases(session, world.at) == 8
    assert set(states_of(world).values()) == {"ambiguous"}
    assert sum(delivery_to(world, to).crash_count for to in READERS) == 1
    assert send(world) == {"accepted": 8}
    assert copies_of(server) == ONCE_EACH
    assert len(set(requests_of(server))) == 1
    assert len(batches_of(world)) == 1


def test_a_batch_that_is_still_under_way_is_asked_for_again(announced: World, server: ResendServer) -> None:
    world = announced
    mail_by(world, server, IMPATIENT)
    server.script(TIMES_OUT_THEN_TAKEN, UNDER_WAY, UNDER_WAY)
    for wait in (1, 5, 15):
        assert send(world) == {"ambiguous": 8}
        assert delivery_to(world, READERS[0]).due_at == world.at + wait * MINUTE
        pass_time(world, server, wait * MINUTE)
    assert send(world) == {"accepted": 8}
    assert len(set(requests_of(server))) == 1
    assert copies_of(server) == ONCE_EACH


def test_a_key_under_which_other_bytes_were_taken_is_asked_once_and_then_needs_a_person(
    announced: World, server: ResendServer
) -> None:
    world = announced
    mail_by(world, server)
    server.script(OTHER_BYTES)
    assert send(world) == {"needs_attention": 8}
    assert {delivery_to(world, to).note for to in READERS} == {"may_have_arrived"}
    pass_time(world, server, timedelta(hours=30))
    assert send(world) == {}
    assert len(server.requests) == 1
    assert batches_of(world)[0].finished_at is not None


def test_a_single_letter_whose_key_was_used_for_other_bytes_needs_a_person(world: World, server: ResendServer) -> None:
    announce_to(world)
    mail_by(world, server)
    server.script(OTHER_BYTES)
    assert send(world) == {"needs_attention": 1}
    assert delivery_to(world, DPO).note == "may_have_arrived"


def test_a_repeat_waits_until_dispatch_goes_on(announced: World, server: ResendServer) -> None:
    world = announced
    mail_by(world, server)
    server.script(RESET_TAKEN)
    send(world)
    pass_time(world, server, MINUTE)
    with world.writing() as session:
        pause(session, world.at, ANNA, "while we look at it")
    assert send(world) == {}
    with world.writing() as session:
        resume(session, world.at, ANNA, world.wiring.fingerprint, world.wiring.letterhead.base_url)
    assert send(world) == {"accepted": 8}
    assert copies_of(server) == ONCE_EACH


class Faulty(Exception):
    """A defect of a channel."""


def test_a_batch_at_which_the_channel_fails_every_time_needs_a_person_after_three(
    world: World, server: ResendServer
) -> None:
    announce_to(world, *READERS, customers="")

    class FailsForOne(ObservedResend):
        def send_batch(self, envelopes: Sequence[Envelope], key: str) -> list[Answer]:
            if any(envelope.recipient == READERS[3] for envelope in envelopes):
                raise Faulty
            return super().send_batch(envelopes, key)

    server.now = world.at
    channel = FailsForOne(server.api_key, base_url=server.url)
    channel.largest_batch, channel.connections = 4, 1
    use_channel(world, channel)
    for _ in range(3):
        with pytest.raises(Faulty):
            send(world)
        send(world)
        pass_time(world, server, 30 * MINUTE)
    assert send(world) == {}
    assert Counter(states_of(world).values()) == {"needs_attention": 4, "accepted": 4}
    waiting = {to for to in READERS if delivery_to(world, to).note == "crashed_repeatedly"}
    assert len(waiting) == 4
    assert READERS[3] in waiting


# Refusals


def test_a_batch_that_is_refused_for_one_of_its_letters_goes_singly_and_only_that_one_fails(
    announced: World, server: ResendServer
) -> None:
    world = announced
    mail_by(world, server)
    bad = refusal(422, "validation_error", "Invalid `to` field.")
    server.script(bad)
    assert send(world) == {"retry_wait": 8}
    assert batches_of(world)[0].finished_at == world.at
    pass_time(world, server, MINUTE)
    server.script(bad)
    assert send(world) == {"accepted": 7, "failed": 1}
    assert [path for path, _ in requests_of(server)] == ["/emails/batch"] + ["/emails"] * 8
    assert len({key for _, key in requests_of(server)}) == 9
    (failed,) = [to for to, state in states_of(world).items() if state == "failed"]
    assert copies_of(server) == ONCE_EACH - Counter([failed])
    assert not any(delivery_to(world, to).possible_duplicate for to in READERS)


def test_a_letter_that_is_left_out_of_a_batch_fails_and_the_others_were_taken(
    announced: World, server: ResendServer
) -> None:
    world = announced
    mail_by(world, server)
    names = [{"id": f"name-{n}"} for n in range(7)]
    errors = [{"index": 3, "message": "The `to` field is not an address."}]
    server.script(Misstep(takes=False, response=Response(200, {"data": names, "errors": errors})))
    assert send(world) == {"accepted": 7, "failed": 1}
    by_position = {attempt.batch_position: attempt for _, attempt in members_of(world, batches_of(world)[0])}
    assert by_position[3].answer_class == "permanent"
    refs = [by_position[n].provider_ref for n in range(8)]
    assert refs == ["name-0", "name-1", "name-2", None, "name-3", "name-4", "name-5", "name-6"]


def test_a_429_in_the_middle_of_a_list_loses_and_doubles_nobody(world: World, server: ResendServer) -> None:
    readers = [f"reader{n}@reader.example" for n in range(25)]
    announce_to(world, *readers, customers="")
    mail_by(world, server).largest_batch = 10
    server.script(Misstep(takes=True), refusal(429, "rate_limit_exceeded", "Too many requests.", retry_after="60"))
    assert send(world) == {"accepted": 10, "retry_wait": 10}
    assert Counter(states_of(world).values())["pending"] == 5
    assert send(world) == {}
    pass_time(world, server, 2 * MINUTE)
    # What had been claimed already goes singly, whoever was in the refused batch as well.
    assert send(world) == {"accepted": 15}
    assert copies_of(server) == Counter(readers)


def test_a_limit_that_the_provider_tells_with_its_answers_is_not_run_into(world: World) -> None:
    announce_to(world, customers=CONTACTS)
    with ResendServer(limit=20, window=timedelta(seconds=1)) as server:
        channel = mail_by(world, server)
        channel.connections = 2
        send_by_a_running_clock(world)
        assert set(states_of(world).values()) == {"accepted"}
        assert len(server.requests) == len(server.taken) == 24


CONTACTS = "".join(
    f"""  - key: customer{n}
    name: Customer {n} GmbH
    time_zone: Europe/Berlin
    contacts: [privacy@customer{n}.example]
"""
    for n in range(24)
)
