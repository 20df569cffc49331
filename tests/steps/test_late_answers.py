"""Answers that come after their lease was lost: kept at the very try they are about, and never written over (R26)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, update

from registry.channels.base import Accepted, Ambiguous, Answer, Envelope, PermanentFailure, TemporaryFailure
from registry.steps.claim_deliveries import Lease, claim_deliveries, find_attempt, find_held, get_attempt
from registry.steps.letter_turns import Beginning, LetterTurns, Taken, Turn
from registry.steps.record_outcome import OutcomeKind
from registry.steps.recover_leases import recover_leases
from registry.steps.settle_delivery import record_answer, settle_delivery
from registry.steps.start_delivery import start_delivery
from registry.tables import Attempt, Delivery
from tests.channels.resend_missteps import RESET_TAKEN
from tests.channels.resend_server import ResendServer
from tests.channels.smtp_server import MailServer
from tests.steps.claims_cast import ADA, BOB, claim_and_prepare
from tests.steps.post_office import (
    DPO,
    announce_to,
    attempts_at,
    delivery_to,
    dispatch_of,
    let_leases_run_out,
    meanwhile,
    report_to,
    send,
    standing_of,
    states_of,
)
from tests.steps.resend_cast import IMPATIENT, MINUTE, READERS, mail_by, pass_time
from tests.world import BREMEN, World, settings_for, utc

YES = Accepted(250, "2.0.0 Ok: queued as 4Xyz", provider_ref="4Xyz")


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with ResendServer() as running:
        yield running


def recover(world: World) -> int:
    with world.writing() as session:
        return recover_leases(session, world.at)


# After a restore


def give_the_numbers_to_others(world: World) -> None:
    """Leave what a restore into the same database may: other letters, at another worker, have the same numbers."""
    with world.writing() as session:
        session.execute(update(Attempt).values(token="another reader's"))
        session.execute(update(Delivery).where(Delivery.state == "leased").values(token="another reader's"))


def what_was_said(world: World) -> set[str | None]:
    with world.reading() as session:
        return {each.answer_class for each in session.query(Attempt)}


def test_an_answer_from_before_a_restore_is_written_to_no_other_readers_letter(world: World) -> None:
    announce_to(world, ADA, BOB, customers="")
    (ada, bob), prepared = claim_and_prepare(world)
    with closing(LetterTurns(world.wiring.engine)) as turns:
        turns.take(None, Beginning(ada, prepared[ada.delivery_id].sha256, world.at))
        give_the_numbers_to_others(world)
        beginning = Beginning(bob, prepared[bob.delivery_id].sha256, world.at)
        assert turns.take(Taken(ada, YES, world.at), beginning) == Turn(is_kept=False, has_begun=False)
    assert what_was_said(world) == {None}
    with world.reading() as session:
        assert find_attempt(session, ada) is None


@pytest.mark.parametrize("customers", ["", BREMEN], ids=["follower", "contact"])
def test_a_run_that_outlasts_a_restore_ends_in_peace_and_says_nothing_of_others(
    world: World, mail_server: MailServer, customers: str
) -> None:
    announce_to(world, *([] if customers else [ADA]), customers=customers)
    meanwhile(world, lambda envelope: give_the_numbers_to_others(world))
    assert send(world) == {}
    assert what_was_said(world) == {None}
    assert set(states_of(world).values()) == {"leased"}


def test_a_batchs_answer_from_before_a_restore_is_written_to_no_other_readers_letter(
    world: World, server: ResendServer
) -> None:
    announce_to(world, *READERS, customers="")
    mail_by(world, server).after = lambda: give_the_numbers_to_others(world)
    assert send(world) == {}
    assert what_was_said(world) == {None}


def test_nor_is_that_to_a_letter_which_goes_along_in_a_repeat_though_it_is_settled(
    world: World, server: ResendServer
) -> None:
    announce_to(world, *READERS, customers="")
    channel = mail_by(world, server, IMPATIENT)
    server.script(RESET_TAKEN)
    assert send(world) == {"ambiguous": 8}
    pass_time(world, server, MINUTE)
    report_to(world, READERS[0], OutcomeKind.DELIVERED)
    channel.after = lambda: give_the_numbers_to_others(world)
    assert send(world) == {}
    assert [each.answer_class for each in attempts_at(world, delivery_to(world, READERS[0]))] == ["ambiguous"]
    assert what_was_said(world) == {"ambiguous", None}


# While its lease is taken back


@pytest.fixture
def on_postgresql(postgresql_url: str, mail_server: MailServer, tmp_path: Path) -> Iterator[World]:
    """On SQLite there is one writer at a time."""
    settings = settings_for(postgresql_url, tmp_path / "instance", mail_server.url)
    with closing(World(settings, utc("2026-09-30 08:00"))) as world:
        yield world


def test_an_acceptance_that_comes_while_its_lease_is_taken_back_is_not_written_over(
    on_postgresql: World, mail_server: MailServer
) -> None:
    world = on_postgresql
    announce_to(world, ADA, customers="")
    (ada,), prepared = claim_and_prepare(world)
    begin_plainly(world, ada, prepared[ada.delivery_id].sha256)
    world.channels["email"].send(prepared[ada.delivery_id].envelope)
    let_leases_run_out(world)
    late = threading.Thread(target=keep_answer, args=(world, ada))
    looked = False

    def let_the_answer_come(_: Any, __: Any, statement: str, *___: Any) -> None:
        nonlocal looked
        if "SKIP LOCKED" in statement and not looked:
            looked = True
            late.start()
            late.join(0.5)

    event.listen(world.wiring.engine, "after_cursor_execute", let_the_answer_come)
    assert recover(world) == 1
    late.join(10)
    assert looked
    delivery = delivery_to(world, ADA)
    (attempt,) = attempts_at(world, delivery)
    assert (attempt.answer_class, attempt.code, attempt.provider_ref) == ("accepted", 250, "4Xyz")
    world.at += timedelta(minutes=2)
    assert send(world) == {"accepted": 1}
    assert len(mail_server.messages) == 1
    assert not delivery_to(world, ADA).possible_duplicate


def begin_plainly(world: World, lease: Lease, sha256: str) -> None:
    with closing(LetterTurns(world.wiring.engine)) as turns:
        turns.take(None, Beginning(lease, sha256, world.at))


def keep_answer(world: World, lease: Lease) -> None:
    with closing(LetterTurns(world.wiring.engine)) as turns:
        turns.take(Taken(lease, YES, world.at), None)


# While another try is under way


def begin(world: World) -> Lease:
    """Claim the one letter there is and begin it, as a worker does."""
    with world.writing() as session:
        (lease,) = claim_deliveries(session, world.at, world.channels["email"], (), 10)
    with world.writing() as session:
        envelope, _ = start_delivery(session, world.at, lease, dispatch_of(world))
    assert isinstance(envelope, Envelope)
    return lease


def answer(world: World, lease: Lease, said: Answer) -> None:
    """Settle a letter as its worker does, or keep the answer where the lease was lost."""
    with world.writing() as session:
        delivery, attempt = find_held(session, lease), get_attempt(session, lease)
        if delivery is None:
            record_answer(attempt, said, world.at)
        else:
            settle_delivery(session, delivery, attempt, said, world.at, channel_kind="email", jitter=0.0)


def die(world: World, lease: Lease) -> None:
    let_leases_run_out(world)
    recover(world)


def say(said: Answer) -> Callable[[World, Lease], None]:
    return lambda world, lease: answer(world, lease, said)


@pytest.mark.parametrize(
    ("end", "left"),
    [
        (say(PermanentFailure(554, "5.6.0 Duplicate")), "permanent"),
        (say(TemporaryFailure(451, "4.3.0 Later")), "temporary"),
        (say(Ambiguous(None, "cut after the final dot")), "ambiguous"),
        (say(YES), "accepted"),
        (die, "ambiguous"),
    ],
    ids=["refused", "refused-for-now", "unclear", "taken-again", "died"],
)
def test_a_letter_that_was_taken_is_accepted_whatever_is_said_of_the_try_after_it(
    world: World, end: Callable[[World, Lease], None], left: str
) -> None:
    announce_to(world)
    first = begin(world)
    let_leases_run_out(world)
    assert recover(world) == 1
    world.at += timedelta(minutes=2)
    second = begin(world)
    taken_at = world.at
    answer(world, first, Accepted(250, "2.0.0 Ok, at last"))
    assert delivery_to(world, DPO).state == "leased"
    world.at += timedelta(minutes=1)
    end(world, second)
    delivery = delivery_to(world, DPO)
    assert (delivery.state, delivery.accepted_at, delivery.note) == ("accepted", taken_at, None)
    assert delivery.possible_duplicate
    assert [each.answer_class for each in attempts_at(world, delivery)] == ["accepted", left]
    assert (standing_of(world, "bremen").state, standing_of(world, "bremen").received_at) == ("received", taken_at)
    world.at += timedelta(hours=5)
    assert send(world) == {}
