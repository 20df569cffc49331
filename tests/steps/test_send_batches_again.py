"""Repeating a batch whose answer was lost, when something came up meanwhile: the same request, or a person (R29)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.steps.erase_person import erase_person
from registry.steps.lookup import get_publisher
from registry.steps.record import WORKER
from registry.steps.record_outcome import OutcomeKind, record_outcome
from registry.steps.recover_leases import recover_leases
from registry.tables import Address, Delivery, Notice, Subscription
from tests.channels.resend_missteps import HTML_502, RESET_TAKEN, RESET_UNTAKEN, TIMES_OUT_THEN_TAKEN, Misstep, refusal
from tests.channels.resend_server import ResendServer
from tests.channels.smtp_server import MailServer
from tests.steps.path_cast import withdraw
from tests.steps.post_office import (
    DPO,
    announce_to,
    attempts_at,
    change,
    delivery_to,
    leave,
    let_leases_run_out,
    send,
    states_of,
    suppress,
    use_server,
)
from tests.steps.resend_cast import IMPATIENT, MINUTE, READERS, batches_of, copies_of, mail_by, pass_time, requests_of
from tests.world import ANNA, World

ONCE_EACH = Counter(READERS)
A_DAY_AND_MORE = timedelta(hours=25)
TOO_FAST = refusal(429, "rate_limit_exceeded", "Too many requests.", retry_after="60")
NOT_THERE = refusal(503, "service_unavailable", "Try again later.")


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with ResendServer() as running:
        yield running


@pytest.fixture
def lost(world: World, server: ResendServer) -> World:
    """Eight followers' letters went out in a batch that was taken, and its answer was lost a minute ago."""
    announce_to(world, *READERS, customers="")
    mail_by(world, server, IMPATIENT)
    server.script(RESET_TAKEN)
    assert send(world) == {"ambiguous": 8}
    pass_time(world, server, MINUTE)
    return world


def report(world: World, email: str, kind: OutcomeKind) -> None:
    message_id = str(delivery_to(world, email).message_id)
    with world.writing() as session:
        record_outcome(
            session,
            world.at,
            provider="resend",
            event_id=f"{kind}-{email}",
            message_id=message_id,
            kind=kind,
            happened_at=world.at,
            actor=WORKER,
        )


# Readers


@pytest.mark.parametrize("act", [leave, suppress])
def test_who_left_after_the_batch_began_goes_along_when_it_is_asked_for_again(
    lost: World, server: ResendServer, act: Callable[[World, str], None]
) -> None:
    """To ask for the answer to what has begun sends nothing anew; without him it would be another request."""
    act(lost, READERS[3])
    assert send(lost) == {"accepted": 8}
    assert copies_of(server) == ONCE_EACH
    assert len(set(requests_of(server))) == 1


def test_a_report_about_one_letter_tells_of_the_batch_and_spoils_no_repeat(lost: World, server: ResendServer) -> None:
    report(lost, READERS[0], OutcomeKind.DELIVERED)
    report(lost, READERS[5], OutcomeKind.BOUNCED)
    report(lost, READERS[7], OutcomeKind.COMPLAINED)
    assert send(lost) == {"accepted": 5}
    states = states_of(lost)
    assert (states[READERS[0]], states[READERS[5]], states[READERS[7]]) == ("delivered", "bounced", "delivered")
    assert copies_of(server) == ONCE_EACH
    first, second = server.requests
    assert first.body == second.body
    names = {letter.recipient: letter.id for letter in server.taken}
    for to in READERS:
        last = attempts_at(lost, delivery_to(lost, to))[-1]
        assert (last.answer_class, last.provider_ref) == ("accepted", names[to])
    # Those that were settled had no further try.
    assert [len(attempts_at(lost, delivery_to(lost, to))) for to in READERS] == [1, 2, 2, 2, 2, 1, 2, 1]


def test_a_report_that_is_being_recorded_while_the_batch_is_taken_up_is_not_undone(
    lost: World, server: ResendServer
) -> None:
    sent: list[dict[str, int]] = []
    with lost.writing() as session:
        record_outcome(
            session,
            lost.at,
            provider="resend",
            event_id="just now",
            message_id=str(delivery_to_in(session, READERS[0]).message_id),
            kind=OutcomeKind.DELIVERED,
            happened_at=lost.at,
            actor=WORKER,
        )
        worker = threading.Thread(target=lambda: sent.append(send(lost)))
        worker.start()
        worker.join(0.4)
    worker.join(20)
    assert sent == [{"accepted": 7}]
    assert states_of(lost)[READERS[0]] == "delivered"
    assert copies_of(server) == ONCE_EACH


def delivery_to_in(session: Session, email: str) -> Delivery:
    query = select(Delivery).join(Subscription, Subscription.id == Delivery.subscription_id)
    return session.scalars(
        query.join(Address, Address.id == Subscription.address_id).where(Address.value == email)
    ).one()


def test_a_repeat_that_fails_leaves_what_was_reported_alone(lost: World, server: ResendServer) -> None:
    report(lost, READERS[0], OutcomeKind.DELIVERED)
    server.script(NOT_THERE)
    assert send(lost) == {"ambiguous": 7}
    (attempt,) = attempts_at(lost, delivery_to(lost, READERS[0]))
    assert (attempt.answer_class, attempt.code) == ("ambiguous", None)
    pass_time(lost, server, timedelta(hours=2))
    assert send(lost) == {"accepted": 7}
    assert copies_of(server) == ONCE_EACH


def test_an_erased_address_makes_it_another_request_and_the_others_need_a_person(
    lost: World, server: ResendServer
) -> None:
    erased = delivery_to(lost, READERS[2]).id
    with lost.writing() as session:
        erase_person(session, lost.at, get_publisher(session, "antopsis"), READERS[2], ANNA)
    assert send(lost) == {}
    assert len(server.requests) == 1
    with lost.reading() as session:
        rows = session.execute(select(Delivery.id, Delivery.state, Delivery.note, Delivery.batch_id)).all()
    assert {row for row in rows if row[0] != erased} == {
        (row[0], "needs_attention", "may_have_arrived", None) for row in rows if row[0] != erased
    }
    assert [row[1] for row in rows if row[0] == erased] == ["cancelled"]
    assert batches_of(lost)[0].finished_at == lost.at


def test_a_withdrawn_notice_is_not_repeated_and_its_withdrawal_goes_to_all_who_may_have_it(
    lost: World, server: ResendServer
) -> None:
    with lost.reading() as session:
        number = session.scalars(select(Notice.number)).one()
    withdraw(lost, number)
    while send(lost):
        pass
    assert set(states_of(lost).values()) == {"cancelled"}
    assert {delivery_to(lost, to).note for to in READERS} == {"may_have_arrived"}
    assert set(states_of(lost, "withdrawal").values()) == {"accepted"}
    subjects = Counter(letter.letter["subject"] for letter in server.taken)
    assert sorted(subjects.values()) == [8, 8]


def test_letters_whose_bytes_would_differ_need_a_person(lost: World, server: ResendServer) -> None:
    """Under the same key they would be refused, and under another one sent twice."""
    delivery = delivery_to(lost, READERS[4])
    assert delivery.merge is not None
    change(lost, delivery, merge={**delivery.merge, "boundary": "=_another"})
    assert send(lost) == {}
    assert len(server.requests) == 1
    assert set(states_of(lost).values()) == {"needs_attention"}


# Refusals of a repeat


@pytest.mark.parametrize("refused", [TOO_FAST, NOT_THERE, RESET_UNTAKEN, Misstep(takes=False, response=HTML_502)])
def test_a_repeat_that_was_refused_for_now_says_nothing_about_the_try_before_it(
    lost: World, server: ResendServer, refused: Misstep
) -> None:
    """Sent singly, or under another key, each letter would arrive twice."""
    server.script(refused)
    assert send(lost) == {"ambiguous": 8}
    assert batches_of(lost)[0].finished_at is None
    pass_time(lost, server, timedelta(hours=1))
    assert send(lost) == {"accepted": 8}
    assert len(set(requests_of(server))) == 1
    assert copies_of(server) == ONCE_EACH


def test_a_provider_that_nobody_reaches_at_the_repeat_has_the_same_batch_afterwards(
    world: World, server: ResendServer
) -> None:
    announce_to(world, *READERS, customers="")
    mail_by(world, server, IMPATIENT)
    server.script(TIMES_OUT_THEN_TAKEN)
    send(world)
    with ResendServer() as gone:
        mail_by(world, gone, IMPATIENT)
    pass_time(world, server, MINUTE)
    assert send(world) == {"ambiguous": 8}
    assert attempts_at(world, delivery_to(world, READERS[0]))[-1].answer_class == "temporary"
    mail_by(world, server)
    pass_time(world, server, timedelta(hours=1))
    assert send(world) == {"accepted": 8}
    assert copies_of(server) == ONCE_EACH


def test_a_repeat_that_is_refused_for_one_of_its_letters_was_not_taken_before_and_goes_singly(
    world: World, server: ResendServer
) -> None:
    announce_to(world, *READERS, customers="")
    mail_by(world, server, IMPATIENT)
    server.script(RESET_UNTAKEN, refusal(422, "validation_error", "Invalid `to` field."))
    send(world)
    pass_time(world, server, MINUTE)
    assert send(world) == {"ambiguous": 8}
    pass_time(world, server, timedelta(hours=1))
    assert send(world) == {"accepted": 8}
    assert [path for path, _ in requests_of(server)] == ["/emails/batch"] * 2 + ["/emails"] * 8
    assert copies_of(server) == ONCE_EACH


def test_an_answer_that_came_after_its_lease_was_lost_leaves_the_batch_to_who_has_it_now(
    world: World, server: ResendServer
) -> None:
    announce_to(world, *READERS, customers="")
    channel = mail_by(world, server)

    def the_leases_run_out() -> None:
        let_leases_run_out(world)
        with world.writing() as session:
            recover_leases(session, world.at)

    channel.after = the_leases_run_out
    server.script(TOO_FAST)
    send(world)
    assert batches_of(world)[0].finished_at is None
    assert set(states_of(world).values()) == {"ambiguous"}
    pass_time(world, server, 2 * MINUTE)
    assert send(world) == {"accepted": 8}
    assert len(set(requests_of(server))) == 1


# The key's life


def test_past_the_keys_life_nothing_is_repeated_however_long_the_worker_was_away(
    lost: World, server: ResendServer
) -> None:
    pass_time(lost, server, A_DAY_AND_MORE)
    assert send(lost) == {}
    assert len(server.requests) == 1
    assert set(states_of(lost).values()) == {"failed"}
    assert {delivery_to(lost, to).note for to in READERS} == {"may_have_arrived"}
    assert batches_of(lost)[0].finished_at == lost.at


def test_leases_that_ran_out_past_the_keys_life_are_not_repeated(world: World, server: ResendServer) -> None:
    announce_to(world, *READERS)
    channel = mail_by(world, server)

    def die() -> None:
        raise KeyboardInterrupt

    channel.after = die
    with pytest.raises(KeyboardInterrupt):
        send(world)
    pass_time(world, server, A_DAY_AND_MORE)
    let_leases_run_out(world)
    with world.writing() as session:
        assert recover_leases(session, world.at) == 8
    assert send(world) == {}
    assert Counter(states_of(world).values()) == {"failed": 8, "accepted": 1}


def test_a_contacts_letter_past_its_keys_life_needs_a_person(world: World, server: ResendServer) -> None:
    announce_to(world)
    mail_by(world, server, IMPATIENT)
    server.script(TIMES_OUT_THEN_TAKEN)
    assert send(world) == {"ambiguous": 1}
    pass_time(world, server, A_DAY_AND_MORE)
    assert send(world) == {}
    delivery = delivery_to(world, DPO)
    assert (delivery.state, delivery.note) == ("needs_attention", "may_have_arrived")
    assert copies_of(server) == {DPO: 1}


def test_a_contacts_letter_within_its_keys_life_is_asked_for_again(world: World, server: ResendServer) -> None:
    announce_to(world)
    mail_by(world, server, IMPATIENT)
    server.script(TIMES_OUT_THEN_TAKEN)
    send(world)
    pass_time(world, server, timedelta(hours=22))
    assert send(world) == {"accepted": 1}
    assert len(set(requests_of(server))) == 1
    assert copies_of(server) == {DPO: 1}


def test_what_is_unclear_on_a_road_that_was_left_is_not_sent_by_the_next_one_and_does_not_wait_for_ever(
    lost: World, server: ResendServer, mail_server: MailServer
) -> None:
    use_server(lost, mail_server.url)
    assert send(lost) == {}
    with lost.writing() as session:
        recover_leases(session, lost.at)
    assert set(states_of(lost).values()) == {"ambiguous"}
    pass_time(lost, server, A_DAY_AND_MORE)
    with lost.writing() as session:
        recover_leases(session, lost.at)
    assert set(states_of(lost).values()) == {"failed"}
    assert mail_server.messages == []
    assert batches_of(lost)[0].finished_at is not None


def test_a_batch_with_a_reader_that_may_not_be_written_to_waits_whole_until_the_limit_is_lifted(world: World) -> None:
    with ResendServer() as server:
        announce_to(world, *READERS, customers="")
        mail_by(world, server, IMPATIENT)
        server.script(RESET_UNTAKEN)
        send(world)
        pass_time(world, server, 2 * MINUTE)
        some = (*READERS[:7], "@antopsis.example")
        assert send(world, mail_only_to=some) == {}
        assert not server.taken
        waiting = [delivery_to(world, reader) for reader in READERS]
        assert {(each.state, each.note) for each in waiting} == {("ambiguous", "outside_mail_only_to")}
        assert {each.due_at for each in waiting} == {world.at + timedelta(hours=1)}
        assert [batch.finished_at for batch in batches_of(world)] == [None]
        pass_time(world, server, timedelta(hours=1))
        assert send(world, mail_only_to=("@reader.example",)) == {"accepted": 8}
        assert copies_of(server) == ONCE_EACH
        assert {delivery_to(world, reader).note for reader in READERS} == {None}
        assert len({key for path, key in requests_of(server) if path.endswith("batch")}) == 1
