"""Sending: letters a second, recorded one by one, beside a loop that sends the same bytes and records nothing."""

from __future__ import annotations

import platform
import smtplib
from collections.abc import Iterator
from contextlib import closing
from urllib.parse import urlsplit

from sqlalchemy import select

from benchmarks.figures import Figure, time_runs
from registry.channels.base import Envelope
from registry.steps.keyring import load_keyring
from registry.steps.merge_letter import load_recipient, make_envelope
from registry.steps.send_deliveries import send_deliveries
from registry.tables import Delivery
from tests.world import World, antopsis

LETTERS = 200
RUNS = 3
LEAST_RATIO = 0.05
BECAUSE = "five thousand readers of one notice should have it within minutes, and their server sets the pace, not this"


def measure(engine: str, world: World) -> Iterator[Figure]:
    """Compare with smtplib on one connection, without a database, retries or anything to prove afterwards."""
    world.announce(antopsis(customers="", helsinki=True))
    dispatch = world.wiring.make_sweeping(world.channels, world.clock).dispatch

    def ours() -> None:
        sent = send_deliveries(world.wiring.engine, world.clock, dispatch, limit=LETTERS)
        assert sent == {"accepted": LETTERS}

    seconds = time_runs(RUNS, ours)
    envelopes = list(sent_letters(world))
    server = urlsplit(world.settings.mail_url)

    def peer() -> None:
        with closing(smtplib.SMTP(str(server.hostname), int(server.port or 25))) as connection:
            for envelope in envelopes:
                connection.sendmail(envelope.return_path, [envelope.recipient], envelope.message)
            connection.quit()

    what = "letters sent and recorded"
    python = f"smtplib of Python {platform.python_version()}, nothing recorded"
    yield Figure(what, engine, LETTERS, seconds, python, time_runs(RUNS, peer), LEAST_RATIO, BECAUSE)


def sent_letters(world: World) -> Iterator[Envelope]:
    """Make the letters that were sent again."""
    with world.reading() as session:
        keyring = load_keyring(session, world.at)
        accepted = select(Delivery).where(Delivery.state == "accepted").order_by(Delivery.id).limit(LETTERS)
        for delivery in session.scalars(accepted).all():
            yield make_envelope(session, load_recipient(session, delivery), keyring)
