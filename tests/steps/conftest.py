"""A world for the tests of the path: real database, real mail server, a clock moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.channels.smtp_server import MailServer
from tests.world import World, settings_for, utc


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """A real mail server on a socket."""
    with MailServer() as server:
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
