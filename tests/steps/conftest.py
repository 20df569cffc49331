"""A world for the tests of the path: real database, real mail server, a clock moved by hand."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, cast

import pytest

from registry.settings import Settings
from registry.steps import pacing
from tests.backups import make_backup
from tests.channels.http_receiver import HttpReceiver
from tests.channels.smtp_server import MailServer
from tests.databases import ReusedDatabase, ReusedSqlite
from tests.steps.post_office import announce_to
from tests.world import Answered, World, settings_for, utc


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
    """A world whose beginning is put back where other tests began alike, instead of being made once more.

    That is the binding of the installation, and every `begin` as long as nobody wrote anything else. What a test begins
    with is done for real the first two times.
    """

    _answers: ClassVar[dict[tuple[str, str], Any]] = {}
    """By database and beginning, what the last act of it returned."""

    def __init__(self, settings: Settings, at: datetime, database: ReusedDatabase) -> None:
        if database.has("bound"):
            database.put_back("bound")
        else:
            World(settings, at).close()
            database.keep("bound")
        super().__init__(settings, at, was_bound=True)
        self._database = database
        self._beginning = "bound"
        self._mark = database.mark()
        self._is_beginning = False

    def begin(self, act: Callable[[], Answered], *what: object) -> Answered:
        """Do `act` or put back what it left, which depends on the time, on `what` and on what was done before alone."""
        if self._is_beginning or self._database.mark() != self._mark:
            return act()
        beginning = f"{self._beginning}\n{self.at} {what}"
        known = self._database.url, beginning
        if self._database.has(beginning):
            self._let_go()
            self._database.put_back(beginning)
        else:
            self._is_beginning = True
            try:
                answer = act()
            finally:
                self._is_beginning = False
            if known in self._answers:
                self._let_go()
                self._database.keep(beginning)
            self._answers[known] = answer
        self._beginning, self._mark = beginning, self._database.mark()
        return cast(Answered, self._answers[known])

    def _let_go(self) -> None:
        """Close the connections to a file that is to be replaced. Those to a server stay good, and know its tables."""
        if self.wiring.uses_sqlite:
            self.wiring.engine.dispose()

    def close(self) -> None:
        for channel in self.channels.values():
            channel.close()
        self._let_go()


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


@pytest.fixture
def nothing_held(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """A worker's process that holds no connection yet, whatever the tests before this one did."""
    held: set[str] = set()
    monkeypatch.setattr(pacing, "_held", held)
    with pacing.renewed_by_heartbeat():
        yield held


@pytest.fixture(params=["sqlite", "postgresql"])
def target_url(request: pytest.FixtureRequest) -> str:
    """Another database, without a schema, of each kind in turn."""
    url: str = request.getfixturevalue(f"empty_{request.param}_url")
    return url


@pytest.fixture
def backup_path(sqlite_world: World, tmp_path: Path) -> Path:
    """A backup of a world in which a notice is announced to a few."""
    announce_to(sqlite_world, "ada@reader.example", "bob@reader.example")
    return make_backup(sqlite_world, tmp_path / "registry.zip").path
