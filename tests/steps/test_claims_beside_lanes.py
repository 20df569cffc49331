"""A claim takes about as long as a letter: on PostgreSQL the lanes go on meanwhile, as far as that is plain (R29)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import TimeoutError as PoolIsEmpty

from registry.channels.smtp import SmtpChannel, parse_mail_url
from registry.steps import roads, supply
from registry.steps.claim_deliveries import Lease, claim_deliveries
from registry.steps.letter_turns import LetterTurns, Turn, TurnFailed
from registry.tables import Attempt, Delivery
from tests.channels.smtp_server import MailServer
from tests.steps.lanes_cast import whose_letters
from tests.steps.post_office import (
    announce_to,
    check_that_every_accepted_letter_can_be_made_again,
    leave,
    send,
    states_of,
    use_channel,
)
from tests.world import World

CONNECTIONS = 2
AT_ONCE = 60
READERS = [f"reader{n}@reader.example" for n in range(130)]
"""More than are claimed together: the second claim is made while letters of the first one are on the wire."""
LONG_ENOUGH = 0.05
"""Seconds between two statements of a claim, in which the lanes bring their letters to the server here."""


class SlowClaims:
    """Small claims with pauses between their statements. `carried`: letters that went out during each that found any.

    What is looked for in vain locks nothing, so it shows nothing.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, mail_server: MailServer) -> None:
        self.carried: list[int] = []
        self.is_under_way = False
        self.meanwhile: Callable[[], None] = lambda: None

        def claim(*given: Any, between: Callable[[], object], after_publisher: int) -> list[Lease]:
            def wait() -> None:
                time.sleep(LONG_ENOUGH)
                self.meanwhile()
                between()

            before = len(mail_server.messages)
            with self._under_way():
                leases = claim_deliveries(*given, between=wait, after_publisher=after_publisher)
            if leases:
                self.carried.append(len(mail_server.messages) - before)
            return leases

        monkeypatch.setattr(roads, "BATCH", AT_ONCE)
        monkeypatch.setattr(supply, "claim_deliveries", claim)

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        self.is_under_way = True
        yield
        self.is_under_way = False


@pytest.fixture
def claims(world: World, mail_server: MailServer, monkeypatch: pytest.MonkeyPatch) -> SlowClaims:
    announce_to(world, *READERS, customers="")
    use_channel(world, SmtpChannel(parse_mail_url(f"{mail_server.url}&connections={CONNECTIONS}")))
    return SlowClaims(monkeypatch, mail_server)


def is_on_sqlite(world: World) -> bool:
    return world.wiring.engine.dialect.name == "sqlite"


def next_to_go_out(world: World) -> str:
    """Whose letter is the first that was made ready and has not begun."""
    waiting = whose_letters(world, Delivery.message_id.is_not(None), Attempt.send_started_at.is_(None))
    return waiting[0] if waiting else ""


def unanswered(world: World) -> list[int]:
    """The deliveries whose letter went out, and no answer is on record."""
    with world.reading() as session:
        began = select(Attempt.delivery_id).where(Attempt.send_started_at.is_not(None), Attempt.finished_at.is_(None))
        return list(session.scalars(began))


def check_that_each_went_out_once(world: World, mail_server: MailServer, readers: list[str] = READERS) -> None:
    assert Counter(message.rcpt_tos[0] for message in mail_server.messages) == Counter(readers)
    assert check_that_every_accepted_letter_can_be_made_again(world) == len(readers)


def test_lanes_go_on_during_a_claim_but_not_on_sqlite_whose_one_writer_the_claim_is(
    world: World, mail_server: MailServer, claims: SlowClaims
) -> None:
    assert send(world) == {"accepted": len(READERS)}
    # What had begun already arrives in any case: on each connection a letter, and one behind it.
    assert (max(claims.carried) > 2 * CONNECTIONS) is not is_on_sqlite(world)
    check_that_each_went_out_once(world, mail_server)


def test_who_leaves_during_a_claim_gets_no_letter(world: World, mail_server: MailServer, claims: SlowClaims) -> None:
    left: list[str] = []

    def the_next_one_leaves() -> None:
        if mail_server.messages and not left and not is_on_sqlite(world):
            left.append(next_to_go_out(world))
            leave(world, left[0])

    claims.meanwhile = the_next_one_leaves
    send(world)
    assert len(left) == (0 if is_on_sqlite(world) else 1)
    assert {reader for reader, state in states_of(world).items() if state != "accepted"} == set(left)
    check_that_each_went_out_once(world, mail_server, [reader for reader in READERS if reader not in left])


def test_a_turn_that_fails_during_a_claim_is_taken_after_it(
    world: World, mail_server: MailServer, claims: SlowClaims, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, failed = LetterTurns.take, []

    def fail_during_claims(turns: LetterTurns, *given: object) -> object:
        turn = take(turns, *given)  # type: ignore[arg-type] # passed on as they came
        if claims.is_under_way:
            # It was committed, and its answer was lost.
            failed.append(given)
            raise TurnFailed("OperationalError")
        return turn

    monkeypatch.setattr(LetterTurns, "take", fail_during_claims)
    assert send(world) == {"accepted": len(READERS)}
    assert bool(failed) is not is_on_sqlite(world)
    check_that_each_went_out_once(world, mail_server)


def test_a_refusal_that_comes_during_a_claim_is_heeded_after_it(
    world: World, mail_server: MailServer, claims: SlowClaims
) -> None:
    refused = READERS[1::3]
    for reader in refused:
        mail_server.script(reader, 550, "5.1.1 no such user")
    send(world)
    states = states_of(world)
    assert {reader for reader, state in states.items() if state == "failed"} == set(refused)
    assert {reader for reader, state in states.items() if state == "accepted"} == set(READERS) - set(refused)


@pytest.mark.parametrize("trouble", [KeyboardInterrupt, PoolIsEmpty, MemoryError])
def test_whatever_ends_the_worker_at_such_a_turn_loses_no_answer(
    world: World,
    mail_server: MailServer,
    claims: SlowClaims,
    monkeypatch: pytest.MonkeyPatch,
    trouble: type[BaseException],
) -> None:
    take = LetterTurns.take

    def end_it(turns: LetterTurns, *given: Any) -> Turn:
        if claims.is_under_way:
            raise trouble
        return take(turns, *given)

    with monkeypatch.context() as patched:
        patched.setattr(LetterTurns, "take", end_it)
        if is_on_sqlite(world):
            send(world)
        else:
            with pytest.raises(trouble):
                send(world)
    assert unanswered(world) == []
    send(world)
    check_that_each_went_out_once(world, mail_server)
