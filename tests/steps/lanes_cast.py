"""Channels with several connections, for tests of the lanes that letters leave by."""

from __future__ import annotations

import threading
from collections.abc import Callable

from sqlalchemy import ColumnElement, select

from registry.channels.base import Accepted, Answer, Channel, Envelope
from registry.tables import Address, Attempt, Delivery, Subscription
from tests.world import World

READERS = [f"reader{n}@reader.example" for n in range(60)]


def whose_letters(world: World, *which: ColumnElement[bool]) -> list[str]:
    """Return the readers of these letters, the first in turn first."""
    query = (
        select(Address.value)
        .join(Subscription, Subscription.address_id == Address.id)
        .join(Delivery, Delivery.subscription_id == Subscription.id)
        .join(Attempt, Attempt.delivery_id == Delivery.id)
        .where(*which)
        .order_by(Delivery.id)
    )
    with world.reading() as session:
        return [value or "" for value in session.scalars(query)]


class ManyRooms:
    """A channel with several connections. `happens` is called in the lane with each letter before it is accepted."""

    name, kind, is_real = "smtp", "email", True

    def __init__(self, connections: int, happens: Callable[[Envelope], None]) -> None:
        self.connections = connections
        self.siblings: list[ManyRooms] = []
        self.sent: list[tuple[str, str]] = []
        self.is_closed = False
        self._happens = happens

    def sibling(self) -> Channel:
        beside = type(self)(self.connections, self._happens)
        beside.sent = self.sent
        self.siblings.append(beside)
        return beside

    def send(self, envelope: Envelope) -> Answer:
        self.sent.append((threading.current_thread().name, envelope.recipient))
        self._happens(envelope)
        return Accepted(250, "taken")

    def close(self) -> None:
        self.is_closed = True


class OneServer(ManyRooms):
    """The same, to one server: all its letters go to one account."""

    account = "smtp://mail.example"
    requests_per_second: float | None = None
    connections_in_all: int | None = None
