"""An account at a provider, for the tests of its pace and its connections: readers, channels, and time that goes by."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from types import ModuleType

import pytest
from sqlalchemy import Engine, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from registry.channels.recording import RecordingChannel
from registry.steps.pacing import take_connections
from registry.steps.send_deliveries import send_deliveries
from registry.tables import Attempt, ProviderConnection, ProviderPacing
from registry.tables.engine import writing
from tests.steps.post_office import dispatch_of
from tests.world import World

ACCOUNT = "smtp:notices@mail.example:587"
READERS = [f"reader{n}@reader.example" for n in range(30)]
SECOND = timedelta(seconds=1)


def pass_time(world: World, by: timedelta) -> None:
    """Let time go by, for the shared rows in the table: no test moves a database server's clock."""
    world.at += by
    if world.wiring.uses_sqlite:
        return
    with world.writing() as session:
        for pacing in session.scalars(select(ProviderPacing)):
            pacing.next_at -= by
            pacing.blocked_until = pacing.blocked_until and pacing.blocked_until - by
        for connection in session.scalars(select(ProviderConnection)):
            connection.lease_until = connection.lease_until and connection.lease_until - by


class PacedRecording(RecordingChannel):
    """A provider that has a pace. Its answers are scripted."""

    connections_in_all = None

    def __init__(self, per_second: float | None = None, account: str = ACCOUNT) -> None:
        super().__init__(name="smtp")
        self.requests_per_second = per_second
        self.account = account


def send_by_a_running_clock(world: World) -> dict[str, int]:
    """Send as `send` does, while the world's clock goes on as the real one does."""
    began, engine = time.monotonic(), world.wiring.engine
    return send_deliveries(engine, lambda: world.at + timedelta(seconds=time.monotonic() - began), dispatch_of(world))


def take(world: World, token: str, wanted: int, in_all: int = 4) -> int:
    """Take connections now, or fewer where others hold them; return how many `token` holds afterwards."""
    with world.writing() as session:
        return take_connections(session, world.at, ACCOUNT, token, wanted, in_all)


class LimitedRecording(PacedRecording):
    """A provider whose account allows one connection."""

    connections_in_all = 1  # type: ignore[assignment] # other accounts have no such limit


def lose_the_answer_to_one_commit(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> None:
    """Let the next connections be taken by a commit of `module` that stands, while nobody hears that it does."""

    @contextmanager
    def once(engine: Engine) -> Iterator[Session]:
        monkeypatch.setattr(module, "writing", writing)
        with writing(engine) as session:
            yield session
        raise OperationalError("COMMIT", {}, Exception("server closed the connection unexpectedly"))

    monkeypatch.setattr(module, "writing", once)


def count_attempts(world: World) -> int:
    """Return how many attempts are on record."""
    with world.reading() as session:
        return session.scalars(select(func.count()).select_from(Attempt)).one()
