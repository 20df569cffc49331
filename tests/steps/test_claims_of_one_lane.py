"""Nothing is open in the database while a letter is on the wire, also where the only lane has no thread of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from registry.channels.base import Answer, Envelope
from registry.channels.smtp import SmtpChannel, parse_mail_url
from registry.tables.engine import make_engine
from tests.channels.smtp_server import MailServer
from tests.steps.post_office import announce_to, send, use_channel
from tests.world import World, settings_for, utc

READERS = [f"reader{n}@reader.example" for n in range(8)]
"""Too few for a second connection."""
OPEN = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'"
)


@pytest.fixture
def world(postgresql_url: str, tmp_path: Path) -> Iterator[World]:
    world = World(settings_for(postgresql_url, tmp_path / "instance"), utc("2026-09-30 08:00"))
    yield world
    world.close()


def test_no_letter_goes_out_in_the_midst_of_a_claim_by_whoever_claims(world: World, mail_server: MailServer) -> None:
    announce_to(world, *READERS, customers="")
    channel = SmtpChannel(parse_mail_url(f"{mail_server.url}&connections=4"))
    use_channel(world, channel)
    watcher = make_engine(world.wiring.database_url)
    carry, seen = channel.send, []

    def look(envelope: Envelope) -> Answer:
        with watcher.connect() as connection:
            seen.append(connection.scalar(OPEN))
        return carry(envelope)

    vars(channel)["send"] = look
    assert send(world) == {"accepted": len(READERS)}
    watcher.dispose()
    assert seen == [0] * len(READERS)
