"""Two workers on PostgreSQL that find the same batch without an answer: one repeats it, the other leaves it alone."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from registry.steps.dispatch import Dispatch
from registry.steps.send_batches import claim_batch_again
from registry.tables.engine import make_engine, writing
from tests.channels.resend_missteps import RESET_TAKEN, TIMES_OUT_THEN_TAKEN
from tests.channels.resend_server import ResendServer
from tests.steps.post_office import announce_to, send
from tests.steps.resend_cast import (
    IMPATIENT,
    MINUTE,
    READERS,
    ObservedResend,
    batches_of,
    copies_of,
    mail_by,
    pass_time,
    requests_of,
)
from tests.world import World, settings_for, utc

LOOKS_FOR = "WHERE send_batches.finished_at IS NULL"


@pytest.fixture
def server() -> Iterator[ResendServer]:
    with ResendServer() as running:
        yield running


@pytest.fixture
def world(postgresql_url: str, tmp_path: Path) -> Iterator[World]:
    world = World(settings_for(postgresql_url, tmp_path / "instance"), utc("2026-09-30 08:00"))
    yield world
    world.close()


class SlowWorker:
    """Another worker, whose query for a batch takes a second between its view of the rows and its lock on them."""

    def __init__(self, world: World, channel: ObservedResend) -> None:
        self.has_begun = threading.Event()
        self.found: list[object] = []
        self._world, self._channel = world, channel
        self._engine = make_engine(world.wiring.database_url)
        event.listen(self._engine, "before_cursor_execute", self._slow_down, retval=True)
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _slow_down(self, _: Any, __: Any, statement: str, parameters: Any, *___: Any) -> tuple[str, Any]:
        if LOOKS_FOR in statement and "SKIP LOCKED" in statement:
            self.has_begun.set()
            statement = statement.replace(LOOKS_FOR, f"{LOOKS_FOR} AND (SELECT pg_sleep(1) IS NOT NULL)")
        return statement, parameters

    def _work(self) -> None:
        wiring = self._world.wiring
        dispatch = Dispatch(self._world.channels, wiring.letterhead, wiring.keyring)
        with writing(self._engine) as session:
            self.found.append(claim_batch_again(session, self._world.at, self._channel, dispatch))

    def join(self, *_: object) -> None:
        self._thread.join(20)
        self._engine.dispose()


def test_a_worker_that_comes_second_to_a_batch_neither_ends_it_nor_has_its_letters_sent_anew(
    world: World, server: ResendServer
) -> None:
    announce_to(world, *READERS, customers="")
    channel = mail_by(world, server, IMPATIENT)
    server.script(TIMES_OUT_THEN_TAKEN)
    assert send(world) == {"ambiguous": 8}
    pass_time(world, server, MINUTE)
    second = SlowWorker(world, channel)
    assert second.has_begun.wait(10)
    time.sleep(0.2)  # its view of the rows is from before the first one's claim
    channel.before = second.join
    server.script(RESET_TAKEN)
    assert send(world) == {"ambiguous": 8}
    assert second.found == [None]
    assert batches_of(world)[0].finished_at is None
    pass_time(world, server, 5 * MINUTE)
    assert send(world) == {"accepted": 8}
    assert len(set(requests_of(server))) == 1, "the same request under the same key, each time"
    assert copies_of(server) == Counter(READERS)
