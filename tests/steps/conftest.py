"""A world for the tests of the path: real database, real mail server, a clock moved by hand."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.channels.http_receiver import HttpReceiver
from tests.channels.smtp_server import MailServer
from tests.world import World, settings_for, utc


class _PromptMailServer(MailServer):
    """A mail server that sends each line at once: waiting for more to send costs 40 ms for every greeting."""

    def __init__(self) -> None:
        super().__init__()
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def url(self) -> str:
        """The mail URL of this server, without STARTTLS: reading the machine's certificates takes long as well."""
        return f"{super().url}?starttls=off"


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """A real mail server on a socket."""
    with _PromptMailServer() as server:
        yield server


@pytest.fixture
def world(database_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    """An installation on 30 September 2026, 08:00 UTC, that mails to `mail_server`."""
    world = World(settings_for(database_url, tmp_path / "instance", mail_server.url), utc("2026-09-30 08:00"))
    yield world
    world.close()


@pytest.fixture
def sqlite_world(sqlite_url: str, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    """As `world`, on SQLite alone: for long tables whose database has nothing to say in them."""
    world = World(settings_for(sqlite_url, tmp_path / "instance", mail_server.url), utc("2026-09-30 08:00"))
    yield world
    world.close()


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """A web server on a socket, which takes whatever is posted until a test says otherwise."""
    with HttpReceiver() as running:
        yield running
