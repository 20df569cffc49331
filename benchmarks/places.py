"""Where it is measured: real databases that keep what they are told, each measurement in a fresh one.

A place is an installation on one engine: its database, its settings as a process of its own takes them, and the world
that announces in it. The clock is the real one, for workers run as processes of their own.
"""

from __future__ import annotations

import os
import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import psycopg
from sqlalchemy import URL, make_url, text

from registry import clock
from registry.channels.base import Channel
from registry.channels.smtp import SmtpChannel, parse_mail_url
from registry.settings import Settings
from registry.steps.dispatch import Dispatch
from registry.steps.lookup import get_publisher
from registry.steps.send_deliveries import send_deliveries
from tests import databases
from tests.world import World, antopsis

SQLITE = "SQLite"
POSTGRESQL = "PostgreSQL"
ENGINES = (SQLITE, POSTGRESQL)
SYNCHRONOUS_FULL = 2
ECHO_STARTS_WITHIN = 30.0

_ADDRESSES = {
    SQLITE: """
        WITH RECURSIVE numbers(n) AS (VALUES (:first) UNION ALL SELECT n + 1 FROM numbers WHERE n < :last)
        INSERT INTO addresses (publisher_id, channel, lookup_hmac, value, created_at)
        SELECT :publisher, 'email', lower(hex(randomblob(32))), 'reader' || n || '@reader.example', :at FROM numbers""",
    POSTGRESQL: """
        INSERT INTO addresses (publisher_id, channel, lookup_hmac, value, created_at)
        SELECT :publisher, 'email', md5(n::text) || md5((-n)::text), 'reader' || n || '@reader.example', :at
        FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS numbers(n)""",
}
_ECHO = """
import socket, sys
end = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
while heard := end.recv(1):
    end.send(heard)
"""
_SUBSCRIPTIONS = """
    INSERT INTO subscriptions
      (publisher_id, address_id, audience, language, rank, is_standby, wants_reminders, wants_effect,
       created_at, confirmed_at)
    SELECT publisher_id, id, 'follower', 'en', 0, false, true, false, created_at, created_at
    FROM addresses WHERE channel = 'email' AND id > :after"""


class Place:
    """One installation on one engine. `environ` is how a process of its own is told about it."""

    def __init__(self, engine: str, url: URL, folder: Path) -> None:
        self.engine = engine
        self.url = url
        self.folder = folder
        self.environ = {
            "REGISTRY_ENV": "test",
            "REGISTRY_INSTANCE": str(folder),
            "REGISTRY_DATABASE_URL": url.render_as_string(hide_password=False),
            "REGISTRY_SECRET_KEY": secrets.token_urlsafe(32),
            "REGISTRY_BASE_URL": "http://127.0.0.1:8000",
            "REGISTRY_MAIL_URL": "outbox:",
            "REGISTRY_MAIL_FROM": "notices@registry.example",
        }
        self.world = World(Settings.from_env(self.environ), clock.now())
        if self.is_sqlite:
            with self.world.reading() as session:
                kept = session.scalars(text("PRAGMA synchronous")).one()
            if kept < SYNCHRONOUS_FULL:
                raise RuntimeError(f"SQLite would lose commits in a power cut: synchronous={kept}")
        self.world.apply(antopsis(customers=""))

    @property
    def is_sqlite(self) -> bool:
        """Whether it is the embedded database."""
        return self.engine == SQLITE

    @property
    def address(self) -> str:
        """The database as its own driver takes it: a file's path, or a connection string."""
        if self.is_sqlite:
            return str(self.url.database)
        return self.url.set(drivername="postgresql").render_as_string(hide_password=False)

    def add_followers(self, count: int) -> None:
        """Have so many more people follow the list, confirmed, by one statement for each table."""
        with self.world.writing() as session:
            publisher = get_publisher(session, "antopsis").id
            last = session.scalars(text("SELECT coalesce(max(id), 0) FROM addresses")).one()
            at = clock.now()
            stored = at.replace(tzinfo=None).isoformat(" ") if self.is_sqlite else at
            values = {"publisher": publisher, "first": last + 1, "last": last + count, "at": stored}
            session.execute(text(_ADDRESSES[self.engine]), values)
            session.execute(text(_SUBSCRIPTIONS), {"after": last})
        if not self.is_sqlite:
            with closing(psycopg.connect(self.address, autocommit=True)) as connection:
                connection.execute("VACUUM ANALYZE addresses, subscriptions")

    def announce(self) -> str:
        """Publish a notice with one small change: a second hosting place. Its deliveries are due at once."""
        self.world.at = clock.now()
        return self.world.announce(antopsis(customers="", helsinki=True))

    def dispatch(self, channel: Channel) -> Dispatch:
        """What a run of sending by this channel needs."""
        return self.world.wiring.make_sweeping({"email": channel}, clock.now).dispatch

    def send(self, channel: Channel, count: int, *, may_wait: int = 0) -> None:
        """Send so many of the letters that are due, as a worker does; `may_wait` of them may be refused for now."""
        sent = send_deliveries(self.world.wiring.engine, clock.now, self.dispatch(channel), limit=count)
        waiting = sent.get("retry_wait", 0)
        assert waiting <= may_wait, sent
        assert sent["accepted"] + waiting == count, sent

    def smtp(self, mail_url: str) -> SmtpChannel:
        """The channel that a worker would make of this mail URL."""
        return SmtpChannel(parse_mail_url(mail_url))


class Places:
    """Makes places, on whichever engine is asked for."""

    def __init__(self, folder: Path, sqlite_template: Path, server: URL, postgresql_template: str) -> None:
        self._folder = folder
        self._sqlite_template = sqlite_template
        self._template = postgresql_template
        self.server = server

    @contextmanager
    def new(self, engine: str) -> Iterator[Place]:
        """A fresh installation with Antopsis' list and no customers; gone at the end of the block."""
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=self._folder)))
            if engine == SQLITE:
                url = make_url(databases.copied_sqlite_url(folder, self._sqlite_template))
            else:
                url = stack.enter_context(databases.postgresql_database(self.server, self._template))
            place = Place(engine, url, folder)
            stack.enter_context(closing(place.world))
            yield place

    def fsync_micros(self, count: int = 200) -> float:
        """Microseconds that one fsync of 4 KB takes where the databases are, the median of `count`."""
        seconds = []
        with tempfile.TemporaryFile(dir=self._folder) as file:
            for _ in range(count):
                file.write(bytes(4096))
                file.flush()
                began = time.perf_counter()
                os.fsync(file.fileno())
                seconds.append(time.perf_counter() - began)
        return statistics.median(seconds) * 1e6

    def round_trip_micros(self, count: int = 2_000) -> float:
        """Microseconds until another process that waits for a byte has it over TCP and sent it back, the median."""
        seconds = []
        with socket.create_server(("127.0.0.1", 0)) as listening:
            listening.settimeout(ECHO_STARTS_WITHIN)
            echo = [sys.executable, "-I", "-c", _ECHO, str(listening.getsockname()[1])]
            with subprocess.Popen(echo), listening.accept()[0] as near:
                for _ in range(count):
                    began = time.perf_counter()
                    near.send(b".")
                    near.recv(1)
                    seconds.append(time.perf_counter() - began)
                near.shutdown(socket.SHUT_RDWR)
        return statistics.median(seconds) * 1e6

    def postgresql(self) -> dict[str, str]:
        """What the server says of its version and its durability. Raises RuntimeError for one that may forget."""
        address = self.server.set(drivername="postgresql").render_as_string(hide_password=False)
        with closing(psycopg.connect(address)) as connection:
            asked = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
            rows = {name: connection.execute(f"SHOW {name}").fetchone() for name in asked}
        said = {name: str(row[0]) if row else "" for name, row in rows.items()}
        if forgetful := [name for name in asked[1:] if said[name] != "on"]:
            raise RuntimeError(f"PostgreSQL would lose commits in a power cut: {', '.join(forgetful)} must be on")
        return said


@contextmanager
def places() -> Iterator[Places]:
    """The engines, up from here to the end of the block."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="registry-bench-")))
        # The database server runs as a user of its own.
        folder.chmod(0o755)
        server = stack.enter_context(databases.postgresql_server())
        if "REGISTRY_TEST_DATABASE_URL" not in os.environ:
            # The tests' server forgets quickly; what is measured is one that keeps what it was told.
            address = server.set(drivername="postgresql").render_as_string(hide_password=False)
            with closing(psycopg.connect(address, autocommit=True)) as connection:
                connection.execute("ALTER SYSTEM RESET ALL")
                connection.execute("SELECT pg_reload_conf()")
        template = stack.enter_context(databases.migrated_postgresql_database(server))
        yield Places(folder, databases.migrated_sqlite_file(folder), server, template)
