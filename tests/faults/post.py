"""What must hold of the post after a fault: nobody without a letter, and no copy too many that is not marked."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, select

from registry.domain.deliveries import SENDABLE_STATES
from registry.letters.compose import sha256_of
from registry.tables import Attempt, Delivery, Letter
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import let_leases_run_out
from tests.world import World

MESSAGE_ID = re.compile(rb"^Message-ID: (<[^>]+>)\r$", re.MULTILINE)
UNFINISHED = [state.value for state in SENDABLE_STATES] + ["leased"]


@dataclass(frozen=True)
class Post:
    """What went out: letters that arrived, copies beyond the first, and deliveries left to a person or given up."""

    letters: int
    extra_copies: int
    spent: int


def readers(count: int) -> list[str]:
    """Return the addresses of so many followers."""
    return [f"reader{number}@reader.example" for number in range(count)]


def count_unfinished(world: World) -> int:
    """Return how many letters wait or are with a worker."""
    with world.reading() as session:
        return session.scalars(select(func.count()).where(Delivery.state.in_(UNFINISHED))).one()


def finish(world: World, rounds: int = 10) -> None:
    """Let the leases of the dead run out and run whole ticks until nothing waits."""
    for _ in range(rounds):
        let_leases_run_out(world)
        world.tick()
        if count_unfinished(world) == 0:
            return
        # A database server takes a moment to notice that a killed worker is gone.
        world.at += timedelta(minutes=1)
    raise AssertionError(f"{count_unfinished(world)} letters are not finished")


def check_the_post(world: World, server: MailServer, kind: str = "announcement") -> Post:
    """Compare what arrived with what is on record, letter by letter.

    Every delivery arrived; copies of one letter are the same to the byte, and marked; each one is the letter whose hash
    is on record; nothing arrived that is not on record. A delivery is spent only where two of its tries
    may have arrived, or three workers died at it.
    """
    arrived: defaultdict[str, list[bytes]] = defaultdict(list)
    for message in server.messages:
        found = MESSAGE_ID.search(message.content)
        assert found is not None
        if f"-{kind}." in found[1].decode():
            arrived[found[1].decode()].append(message.content)
    with world.reading() as session:
        deliveries = session.scalars(
            select(Delivery)
            .join(Letter, Letter.id == Delivery.letter_id)
            .where(Letter.kind == kind, Delivery.state.not_in(["skipped", "cancelled"]))
        ).all()
        attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
        for attempt in session.scalars(select(Attempt).order_by(Attempt.delivery_id, Attempt.n)):
            attempts[attempt.delivery_id].append(attempt)
    spent = 0
    for delivery in deliveries:
        copies = arrived.pop(str(delivery.message_id), [])
        started = [attempt for attempt in attempts[delivery.id] if attempt.send_started_at is not None]
        classes = [attempt.answer_class for attempt in started]
        assert {attempt.sha256 for attempt in started} >= {sha256_of(copy) for copy in copies}
        assert len(set(copies)) <= 1
        assert len(copies) <= 1 or delivery.possible_duplicate
        if delivery.state == "accepted":
            assert classes.count("accepted") == 1
            assert copies
        else:
            assert delivery.state in {"needs_attention", "failed"}
            assert classes.count("ambiguous") >= 2 or delivery.note == "crashed_repeatedly"
            spent += 1
    assert arrived == {}
    total = sum(f"-{kind}.".encode() in (MESSAGE_ID.search(each.content) or [b"", b""])[1] for each in server.messages)
    return Post(total, total - len(deliveries), spent)
