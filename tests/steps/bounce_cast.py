"""What comes back by mail: the samples of the reader's tests, about letters that a real server took."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes
from pathlib import Path

from sqlalchemy import select

from registry.steps.keyring import load_keyring
from registry.steps.receive_mail import Received, receive_mail
from registry.tables import Outcome, StoredMail, Suppression, Task
from tests.channels.smtp_server import MailServer, ReceivedMessage
from tests.steps.post_office import announce_to, send
from tests.world import World, settings_for, utc

SAMPLES = Path(__file__).resolve().parents[1] / "readers" / "bounces"
BOUNCES = "bounces@registry.example"
ADA = "ada@reader.example"
SUPPORT = "support@antopsis.example"
"""The address that Antopsis is written to at."""
LATEST_RECEIPT = utc("2026-10-01 21:59:59.999999")
"""The last instant at which Bremen's receipt allows the date that it was told."""

_RETURN_PATH = re.compile(rb"bounces\+k1\.\d+\.[0-9a-f]{20}@registry\.example")
_MESSAGE_ID = re.compile(rb"<2026-003-announcement\.\d+\.[0-9a-f]+@registry\.example>")
_RECIPIENT = re.compile(
    rb"\b(?:privacy|legal|datenschutz|dataprotection|office|someone|owner|dpo|security|notices)"
    rb"@(?:customer|corporation|school|clinic|bigmail|startup|slow|full|old|away|list)\.example"
)


@contextmanager
def bouncing_world(database_url: str, instance: Path, mail_server: MailServer) -> Iterator[World]:
    """An installation whose letters have return paths of their own, on 30 September 2026, 08:00 UTC."""
    settings = settings_for(database_url, instance, mail_server.url, REGISTRY_BOUNCE_ADDRESS=BOUNCES)
    world = World(settings, utc("2026-09-30 08:00"))
    try:
        yield world
    finally:
        world.close()


@contextmanager
def world_that_told(database_url: str, instance: Path, mail_server: MailServer) -> Iterator[World]:
    """As `bouncing_world`, after it told Bremen and Ada of a second hosting place."""
    with bouncing_world(database_url, instance, mail_server) as world:
        announce_to(world, ADA)
        assert send(world) == {"accepted": 2}
        yield world


def message_id_of(letter: ReceivedMessage) -> str:
    """Return the Message-ID of a letter."""
    return str(message_from_bytes(letter.content)["Message-ID"])


def came_back(sample: str, letter: ReceivedMessage, *, return_path: str | None = None, to: str | None = None) -> bytes:
    """Return a sample of what mail systems write, as if it were about `letter`.

    `return_path` stands in the place of the letter's own, and `to` in that of its recipient.
    """
    text = (SAMPLES / f"{sample}.eml").read_bytes()
    text = _RETURN_PATH.sub((return_path or letter.mail_from).encode(), text)
    text = _MESSAGE_ID.sub(message_id_of(letter).encode(), text)
    return _RECIPIENT.sub((to or letter.rcpt_tos[0]).encode(), text)


def receive(world: World, message: bytes, recipient: str | None = None) -> Received:
    """Pipe a message to the bounce address now."""
    with world.writing() as session:
        keyring = load_keyring(session, world.at)
        return receive_mail(session, world.at, keyring, world.wiring.bounce_address, message, recipient)


def letter_to(server: MailServer, address: str) -> ReceivedMessage:
    """Return the newest letter that the server took for an address."""
    return [message for message in server.messages if message.rcpt_tos == (address,)][-1]


def outcomes(world: World) -> list[Outcome]:
    """Return the reports on record."""
    with world.reading() as session:
        return list(session.scalars(select(Outcome).order_by(Outcome.id)))


def suppressed(world: World) -> list[str]:
    """Return why addresses are suppressed."""
    with world.reading() as session:
        return list(session.scalars(select(Suppression.reason).order_by(Suppression.id)))


def kept(world: World) -> list[StoredMail]:
    """Return the messages that were kept."""
    with world.reading() as session:
        return list(session.scalars(select(StoredMail).order_by(StoredMail.id)))


def tasks(world: World, kind: str) -> list[Task]:
    """Return the tasks of a kind."""
    with world.reading() as session:
        return list(session.scalars(select(Task).where(Task.kind == kind).order_by(Task.id)))
