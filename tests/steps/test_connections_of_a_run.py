"""A run that sends: the connections it takes, keeps while letters are on the wire, and gives back (R31)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.exc import OperationalError

from registry.channels.base import Answer, Envelope
from registry.steps import roads
from registry.steps.pacing import CONNECTION_LEASE, give_back_connections, take_connections
from registry.tables import ProviderConnection
from tests.steps.pacing_cast import (
    READERS,
    SECOND,
    LimitedRecording,
    count_attempts,
    lose_the_answer_to_one_commit,
    pass_time,
    take,
)
from tests.steps.path_cast import sweep
from tests.steps.post_office import announce_to, change, delivery_to, send, use_channel
from tests.world import World


def test_connections_whose_commit_lost_its_answer_are_given_back(
    world: World, nothing_held: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    announce_to(world, *READERS[:3], customers="")
    use_channel(world, LimitedRecording())
    lose_the_answer_to_one_commit(monkeypatch, roads)
    with pytest.raises(OperationalError):
        send(world)
    assert nothing_held == set()
    assert send(world) == {"accepted": 3}


class Slow(LimitedRecording):
    """Its first letter is on the wire for twelve minutes. Meanwhile somebody else asks for the connection."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self.taken: list[int] = []

    def send(self, envelope: Envelope) -> Answer:
        if not self.taken:
            pass_time(self._world, timedelta(minutes=12))
            self.taken.append(take(self._world, "next tick", 1, in_all=1))
        return super().send(envelope)


def test_a_tick_keeps_its_connection_while_a_letter_is_on_the_wire(world: World) -> None:
    announce_to(world, *READERS[:3], customers="")
    slow = Slow(world)
    use_channel(world, slow)
    assert send(world) == {"accepted": 3}
    assert slow.taken == [0]


def test_a_worker_without_a_connection_claims_nothing_and_sends_once_it_has_one(world: World) -> None:
    announce_to(world, *READERS[:12], customers="")
    take(world, "another worker", 1, in_all=1)
    provider = LimitedRecording()
    use_channel(world, provider)
    assert send(world) == {}
    assert (provider.envelopes, count_attempts(world)) == ([], 0)
    with world.writing() as session:
        give_back_connections(session, "another worker")
    assert send(world) == {"accepted": 12}
    with world.reading() as session:
        assert session.scalars(select(ProviderConnection.token)).all() == [None]


def test_a_worker_that_gets_fewer_connections_than_it_would_open_does_not_ask_for_more_at_every_letter(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Wide(LimitedRecording):
        connections = 4

        def sibling(self) -> Wide:
            return self

    announce_to(world, *READERS, customers="")
    asked: list[int] = []

    def take_and_count(*about: Any) -> int:
        asked.append(1)
        return take_connections(*about)

    monkeypatch.setattr("registry.steps.roads.take_connections", take_and_count)
    use_channel(world, Wide())
    assert send(world) == {"accepted": len(READERS)}
    assert len(asked) <= 2


def test_a_worker_that_is_killed_keeps_its_successor_from_sending_for_no_longer_than_its_heartbeat_may_be_late(
    world: World, nothing_held: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException): ...

    class Deadly(LimitedRecording):
        def send(self, envelope: Envelope) -> Answer:
            raise Killed

    announce_to(world, *READERS[:2], customers="")
    later = delivery_to(world, READERS[1])
    change(world, later, due_at=world.at + timedelta(days=1))
    use_channel(world, Deadly())
    with monkeypatch.context() as gone:
        # Nothing is given back.
        gone.setattr("registry.steps.send_deliveries.Run.end", lambda run: None)
        with pytest.raises(Killed):
            send(world)
    nothing_held.clear()
    change(world, later, due_at=world.at)
    use_channel(world, LimitedRecording())
    assert send(world) == {}
    pass_time(world, CONNECTION_LEASE + SECOND)
    sweep(world, "heartbeat")
    assert send(world) == {"accepted": 1}
