"""A world for the tests of the path: real database, real mail server, a clock moved by hand.

There are hundreds of these tests, so what does not differ between them is made once: one database of each kind, emptied
for every test, and one engine for it, which keeps the SQL it has compiled; one set of renderers with their templates.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, event
from sqlalchemy.engine import URL, make_url

from registry import wiring
from registry.tables import engine as engines
from tests import databases
from tests.channels.http_receiver import HttpReceiver
from tests.channels.smtp_server import MailServer
from tests.world import World, settings_for, utc


@pytest.fixture(scope="session", autouse=True)
def parts_made_once() -> Iterator[None]:
    """Let every world of this process share what only depends on the code, and the engine of a database."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "make_engine", lambda url: _make_forgetful_engine(url, engines.BUSY_SECONDS))
        for name in ("LetterRenderer", "PageRenderer"):
            patch.setattr(wiring, name, lru_cache(getattr(wiring, name)))
        yield


@lru_cache
def _make_forgetful_engine(url: str, busy_seconds: float) -> Engine:
    """Make an engine that does not wait for the disk: what a test has written is lost in a power cut, and may be.

    `busy_seconds` is the wait for a lock that holds at present; tests of impatience have an engine of their own.
    """
    engine = engines.make_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, record: connection.execute("PRAGMA synchronous=OFF"))
    return engine


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the one SQLite database of these tests lies."""
    return tmp_path_factory.mktemp("steps") / "registry.db"


@pytest.fixture
def sqlite_url(sqlite_file: Path, sqlite_template: Path) -> str:
    """A fresh, migrated SQLite database, always in the same place."""
    for path in sqlite_file.parent.glob(f"{sqlite_file.name}*"):
        path.unlink()
    shutil.copyfile(sqlite_template, sqlite_file)
    return f"sqlite:///{sqlite_file}"


@pytest.fixture(scope="session")
def postgresql_database(postgresql_server: URL, postgresql_template: str) -> Iterator[str]:
    """The URL of the one PostgreSQL database of these tests."""
    with databases.postgresql_database(postgresql_server, postgresql_template) as url:
        yield url.render_as_string(hide_password=False)


@pytest.fixture
def postgresql_url(postgresql_database: str) -> str:
    """A migrated PostgreSQL database, emptied of what the test before left in it."""
    address = make_url(postgresql_database).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        _empty(connection)
    return postgresql_database


def _empty(connection: psycopg.Connection) -> None:
    """Delete every row and start every counter anew. Making a new database instead takes a hundred times as long."""
    rows = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
    tables = [name for (name,) in rows if name != "alembic_version"]
    connection.execute("SET lock_timeout = '10s'")
    try:
        # As a replica the database fires no trigger, and so lets go of the record and asks for no order of tables.
        connection.execute("SET session_replication_role = replica")
    except psycopg.errors.InsufficientPrivilege:
        everything = sql.SQL(", ").join(map(sql.Identifier, tables))
        connection.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(everything))
        return
    for name in tables:
        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(name)))
    connection.execute(
        "SELECT setval(quote_ident(schemaname) || '.' || quote_ident(sequencename), 1, false) "
        "FROM pg_sequences WHERE last_value IS NOT NULL"
    )


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
