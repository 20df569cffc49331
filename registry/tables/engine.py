"""The engine as the registry needs it: durable SQLite with honest transactions, or PostgreSQL.

On SQLite only writing sessions begin IMMEDIATE: a read that later writes would fail at once with SQLITE_BUSY_SNAPSHOT
whatever the time-out, and a reader that began IMMEDIATE would wait for every writer (R38).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.orm import Session

BUSY_SECONDS = 30
PAGES_OF_WAL = 8_000
"""Pages of 4 KB in SQLite's log before they are carried over, 32 MB in all. To do it more often costs every letter."""
NOTICES_SILENCE = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""libpq's parameters, in seconds and the last in milliseconds: a server that went away without a word is given up after
a minute, instead of holding a worker until the kernel does. What the database's address says instead counts."""

GIVES_UP_LOCKS: Final = {"gives_up_locks": True}
"""The execution options of whoever must not wait for ever for what another session has locked."""
LOCK_SECONDS: Final = 60
"""How long that one waits on PostgreSQL: longer than any transaction of this service, of which announcing to a million
readers takes twenty seconds. SQLite has BUSY_SECONDS for everybody."""


def make_engine(url: str) -> Engine:
    """Return an engine for `url` with the registry's rules for transactions and durability attached.

    Its errors, which end up in logs, quote statements without what was bound to them: addresses and keys are.
    """
    if url.startswith("sqlite"):
        # isolation_level None takes the driver's own idea of transactions away; `begin` below emits ours.
        arguments: dict[str, Any] = {"isolation_level": None, "timeout": BUSY_SECONDS}
        engine = create_engine(url, hide_parameters=True, connect_args=arguments)
        event.listen(engine, "do_connect", _keep_to_its_owner)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    said = make_url(url).query
    arguments = {name: value for name, value in NOTICES_SILENCE.items() if name not in said}
    engine = create_engine(url, hide_parameters=True, pool_pre_ping=True, connect_args=arguments)
    event.listen(engine, "begin", _limit_waiting)
    return engine


def _keep_to_its_owner(dialect: object, record: object, arguments: list[Any], named: object) -> None:
    """Make the database's file, where there is none, readable by its owner alone: SQLite lets everybody read it.

    It holds addresses, hashes of passwords and the keys of links. SQLite's own files beside it become like it.
    """
    path = Path(arguments[0])
    if path.name != ":memory:" and not path.exists() and path.parent.is_dir():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))


def _prepare_sqlite(connection: Any, record: object) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", f"wal_autocheckpoint={PAGES_OF_WAL}"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _limit_waiting(connection: Connection) -> None:
    if connection.get_execution_options().get("gives_up_locks", False):
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")


@contextmanager
def writing(engine: Engine) -> Iterator[Session]:
    """Open a session that may write; commit at the end, roll back and re-raise on any error."""
    with Session(engine.execution_options(writes=True), expire_on_commit=False) as session, session.begin():
        yield session


@contextmanager
def reading(engine: Engine) -> Iterator[Session]:
    """Open a session that only reads, from one consistent view; whatever it did is rolled back at the end."""
    isolation: dict[str, Any] = {} if engine.dialect.name == "sqlite" else {"isolation_level": "REPEATABLE READ"}
    with Session(engine.execution_options(**isolation), expire_on_commit=False) as session:
        yield session
