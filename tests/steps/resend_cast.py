"""An installation that mails by Resend: a real server on this machine that behaves as its documentation says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy import select

from registry.channels.base import Answer, Envelope
from registry.channels.resend import ResendChannel, ResendTimeouts
from registry.tables import Attempt, Delivery, SendBatch
from tests.channels.resend_server import ResendServer
from tests.steps.pacing_cast import pass_time as let_time_pass
from tests.steps.post_office import use_channel
from tests.world import World

READERS = [f"reader{n}@reader.example" for n in range(8)]
IMPATIENT = ResendTimeouts(connect=2, whole=0.4)
PATIENT = ResendTimeouts(connect=5, whole=20)
MINUTE = timedelta(minutes=1)


class ObservedResend(ResendChannel):
    """Resend's channel. `before` and `after` happen once each, around the next batch."""

    before: Callable[[Sequence[Envelope], str], None] | None = None
    after: Callable[[], None] | None = None

    def send_batch(self, envelopes: Sequence[Envelope], key: str) -> list[Answer]:
        """Send for real, with what happens before and after it."""
        happens, self.before = self.before, None
        if happens is not None:
            happens(envelopes, key)
        answers = super().send_batch(envelopes, key)
        ends, self.after = self.after, None
        if ends is not None:
            ends()
        return answers


def mail_by(world: World, server: ResendServer, timeouts: ResendTimeouts = PATIENT) -> ObservedResend:
    """Have the world mail by this server, whose clock is the world's from now on."""
    server.now = world.at
    channel = ObservedResend(server.api_key, base_url=server.url, timeouts=timeouts)
    # One request after the other, so that a script says which of them it is about.
    channel.connections = 1
    use_channel(world, channel)
    return channel


def pass_time(world: World, server: ResendServer, by: timedelta) -> None:
    """Let time go by, here and there."""
    let_time_pass(world, by)
    server.now = world.at


def requests_of(server: ResendServer) -> list[tuple[str, str]]:
    """Return the path and the key of each request, in order."""
    return [(request.path, request.headers["idempotency-key"]) for request in server.requests]


def copies_of(server: ResendServer) -> Counter[str]:
    """Return how many letters were taken for each recipient."""
    return Counter(letter.recipient for letter in server.taken)


def batches_of(world: World) -> list[SendBatch]:
    """Return the batches on record, the first one first."""
    with world.reading() as session:
        return list(session.scalars(select(SendBatch).order_by(SendBatch.id)))


def members_of(world: World, batch: SendBatch) -> list[tuple[int, Attempt]]:
    """Return the deliveries of a batch by position, with the attempt that first went out in it."""
    with world.reading() as session:
        rows = session.execute(
            select(Delivery.id, Attempt)
            .join(Attempt, Attempt.delivery_id == Delivery.id)
            .where(Attempt.batch_id == batch.id)
            .order_by(Attempt.n, Attempt.batch_position)
        )
        return [(delivery_id, attempt) for delivery_id, attempt in rows]
