"""A world for the tests of the path: real database, real mail server, a clock moved by hand."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import ClassVar

import pytest
from sqlalchemy import event

from registry.readers.registry_file import RegistryFile
from registry.settings import Settings
from registry.steps.apply_file import Applied
from registry.steps.record import Actor
from tests.channels.http_receiver import HttpReceiver
from tests.channels.smtp_server import MailServer
from tests.databases import ReusedDatabase, ReusedSqlite
from tests.world import ANNA, World, settings_for, utc


class _PromptMailServer(MailServer):
    """A mail server that sends each line at once: waiting for more to send costs 40 ms for every greeting."""

    def __init__(self) -> None:
        super().__init__()
        self._listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    @property
    def url(self) -> str:
        """The mail URL of this server, without STARTTLS: reading the machine's certificates takes long as well."""
        return f"{super().url}?starttls=off"


class _WorldAgain(World):
    """A world whose beginning is put back where another test began alike, instead of being made once more.

    That is the binding of the installation, and the first file that is applied as long as nothing else was committed.
    Each file is applied for real the first two times.
    """

    _applied: ClassVar[dict[tuple[str, str], Applied]] = {}
    """By database and beginning, what applying its file said."""

    def __init__(self, settings: Settings, at: datetime, database: ReusedDatabase) -> None:
        if database.has("bound"):
            database.put_back("bound")
        else:
            World(settings, at).close()
            database.keep("bound")
        super().__init__(settings, at, was_bound=True)
        self._database = database
        self._is_untouched = True
        event.listen(self.wiring.engine, "commit", self._touch)

    def _touch(self, connection: object) -> None:
        self._is_untouched = False

    def _let_go(self) -> None:
        """Close the connections to a file that is to be replaced. Those to a server stay good, and know its tables."""
        if self.wiring.uses_sqlite:
            self.wiring.engine.dispose()

    def close(self) -> None:
        event.remove(self.wiring.engine, "commit", self._touch)
        for channel in self.channels.values():
            channel.close()
        self._let_go()

    def apply(self, file: RegistryFile, actor: Actor = ANNA) -> Applied:
        if not self._is_untouched:
            return super().apply(file, actor)
        beginning = f"{self.at} {actor} {file}"
        known = self._database.url, beginning
        if self._database.has(beginning):
            self._let_go()
            self._database.put_back(beginning)
            self._is_untouched = False
            return self._applied[known]
        applied = super().apply(file, actor)
        if known in self._applied:
            self._let_go()
            self._database.keep(beginning)
        self._applied[known] = applied
        return applied


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """A real mail server on a socket."""
    with _PromptMailServer() as server:
        yield server


@pytest.fixture
def world(database: ReusedDatabase, tmp_path: Path, mail_server: MailServer) -> Iterator[World]:
    """An installation on 30 September 2026, 08:00 UTC, that mails to `mail_server`."""
    settings = settings_for(database.url, tmp_path / "instance", mail_server.url)
    with closing(_WorldAgain(settings, utc("2026-09-30 08:00"), database)) as world:
        yield world


@pytest.fixture
def sqlite_world(
    sqlite_database: ReusedSqlite, sqlite_url: str, tmp_path: Path, mail_server: MailServer
) -> Iterator[World]:
    """As `world`, on SQLite alone: for long tables whose database has nothing to say in them."""
    settings = settings_for(sqlite_url, tmp_path / "instance", mail_server.url)
    with closing(_WorldAgain(settings, utc("2026-09-30 08:00"), sqlite_database)) as world:
        yield world


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    """A web server on a socket, which takes whatever is posted until a test says otherwise."""
    with HttpReceiver() as running:
        yield running
