"""What must hold of the post after a fault: nobody without a letter, and no copy too many that is not marked."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from sqlalchemy import func, select, update

from benchmarks.sink import Sink
from registry.domain.deliveries import SENDABLE_STATES
from registry.letters.compose import sha256_of
from registry.tables import Attempt, Delivery, Letter
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import LONG_AGO, announce_to, let_leases_run_out
from tests.world import BREMEN, World, settings_for, utc

MESSAGE_ID = re.compile(rb"^Message-ID: (<[^>]+>)\r$", re.MULTILINE)
UNFINISHED = [state.value for state in SENDABLE_STATES] + ["leased"]


@dataclass(frozen=True)
class Post:
    """What went out: letters that arrived, copies beyond the first of each, deliveries left to a person or given up.

    `lost` are those that stand on record as taken and never arrived.
    """

    letters: int
    extra_copies: int
    spent: int
    lost: int = 0


def readers(count: int) -> list[str]:
    """Return the addresses of so many followers."""
    return [f"reader{number}@reader.example" for number in range(count)]


@contextmanager
def told_world(database_url: str, folder: Path, mail_server: MailServer, letters: int = 30) -> Iterator[World]:
    """A world that mails to `mail_server` and has announced a notice to so many: one contact, the others followers."""
    settings = settings_for(database_url, folder / "instance", mail_server.url)
    with closing(World(settings, utc("2026-09-30 08:00"))) as world:
        announce_to(world, *readers(letters - 1), customers=BREMEN)
        yield world


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


def let_leases_of(world: World, worker: str) -> None:
    """Let the leases run out that one worker held, and no other's."""
    with world.writing() as session:
        session.execute(
            update(Delivery)
            .where(Delivery.state == "leased", Delivery.token.startswith(f"{worker}-"))
            .values(lease_until=LONG_AGO)
        )


def arrived_at(server: MailServer | Sink) -> list[tuple[str, str]]:
    """Return Message-ID and hash of every letter that a server took, in order."""
    if isinstance(server, Sink):
        return [(letter.message_id, letter.sha256) for letter in server.taken()]
    found = []
    for message in server.messages:
        named = MESSAGE_ID.search(message.content)
        assert named is not None
        found.append((named[1].decode(), sha256_of(message.content)))
    return found


def check_the_post(world: World, server: MailServer | Sink, kind: str = "announcement") -> Post:
    """Compare what arrived with what is on record, letter by letter.

    Copies of one letter are the same to the byte, and marked; each one is the letter whose hash is on record; nothing
    arrived that is not on record. A delivery is spent only where two of its tries may have arrived, or three workers
    died at it.
    """
    copies: defaultdict[str, list[str]] = defaultdict(list)
    for message_id, sha256 in arrived_at(server):
        if f"-{kind}." in message_id:
            copies[message_id].append(sha256)
    with world.reading() as session:
        deliveries = session.scalars(
            select(Delivery)
            .join(Letter, Letter.id == Delivery.letter_id)
            .where(Letter.kind == kind, Delivery.state.not_in(["skipped", "cancelled"]))
        ).all()
        attempts: defaultdict[int, list[Attempt]] = defaultdict(list)
        for attempt in session.scalars(select(Attempt).order_by(Attempt.delivery_id, Attempt.n)):
            attempts[attempt.delivery_id].append(attempt)
    total = sum(len(each) for each in copies.values())
    extra = spent = lost = 0
    for delivery in deliveries:
        hashes = copies.pop(str(delivery.message_id), [])
        started = [attempt for attempt in attempts[delivery.id] if attempt.send_started_at is not None]
        classes = [attempt.answer_class for attempt in started]
        assert {attempt.sha256 for attempt in started} >= set(hashes)
        assert len(set(hashes)) <= 1
        assert len(hashes) <= 1 or delivery.possible_duplicate
        extra += max(0, len(hashes) - 1)
        if delivery.state == "accepted":
            assert "accepted" in classes
            lost += not hashes
        else:
            assert delivery.state in {"needs_attention", "failed"}
            assert classes.count("ambiguous") >= 2 or delivery.note == "crashed_repeatedly"
            spent += 1
    assert copies == {}
    return Post(total, extra, spent, lost)
