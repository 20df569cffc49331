"""The database is down or locked while a letter is on the wire: what was sent is found out, nothing is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

import registry.tables.engine as engines
from registry.channels.base import Envelope
from registry.tables import Attempt
from tests.channels.smtp_server import MailServer
from tests.faults.conftest import Figures
from tests.faults.own_server import OwnServer
from tests.faults.post import Post, check_the_post, finish, told_world
from tests.faults.table import Fault
from tests.faults.workers import PATIENCE
from tests.steps.post_office import meanwhile, send

COUNT = 30


def nothing(envelope: Envelope) -> None:
    """Let a letter go out undisturbed."""


def later(seconds: float, act: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


# PostgreSQL


def test_a_database_server_that_is_gone_for_a_moment_costs_nothing(
    own_postgresql: OwnServer, tmp_path: Path, mail_server: MailServer, figures: Figures
) -> None:
    timers: list[threading.Timer] = []

    def stop(envelope: Envelope) -> None:
        own_postgresql.stop()
        timers.append(later(0.3, own_postgresql.start))

    def crash(envelope: Envelope) -> None:
        own_postgresql.crash()
        timers.append(later(0.3, own_postgresql.start))

    with told_world(own_postgresql.make_database(), tmp_path, mail_server) as world:
        # A contact's letter first, then two followers'.
        meanwhile(world, stop, nothing, nothing, nothing, crash, nothing, nothing, nothing, stop)
        assert send(world) == {"accepted": COUNT}
        for timer in timers:
            timer.join()
        post = check_the_post(world, mail_server)
        figures(Fault.DATABASE_AWAY, "database restarted three times at settle", world, post)
        assert post == Post(letters=COUNT, extra_copies=0, spent=0)


def test_a_database_server_that_stays_away_costs_one_marked_copy(
    own_postgresql: OwnServer,
    tmp_path: Path,
    mail_server: MailServer,
    figures: Figures,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("registry.steps.persist.PAUSES_FOR_THE_DATABASE", (0.05, 0.1))
    with told_world(own_postgresql.make_database(), tmp_path, mail_server) as world:
        meanwhile(world, nothing, nothing, nothing, lambda envelope: own_postgresql.crash())
        with pytest.raises(OperationalError):
            send(world)
        own_postgresql.start()
        with world.reading() as session:
            assert session.scalars(select(func.count()).where(Attempt.answer_class == "accepted")).one() == 3
        finish(world)
        post = check_the_post(world, mail_server)
        figures(Fault.DATABASE_AWAY, "database crashed at settle, and stayed away", world, post)
        assert post == Post(letters=COUNT + 1, extra_copies=1, spent=0)


def test_a_table_that_another_session_holds_for_a_while_costs_nothing(
    postgresql_url: str, tmp_path: Path, mail_server: MailServer, figures: Figures
) -> None:
    address = make_url(postgresql_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with ExitStack() as holders, told_world(postgresql_url, tmp_path, mail_server) as world:

        def hold(envelope: Envelope) -> None:
            connection = psycopg.connect(address)
            connection.execute("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE")
            holders.callback(later(0.3, connection.close).join)

        meanwhile(world, hold, nothing, nothing, hold, nothing, hold)
        assert send(world) == {"accepted": COUNT}
        post = check_the_post(world, mail_server)
        figures(Fault.DATABASE_AWAY, "database locked three times at settle", world, post)
        assert post == Post(letters=COUNT, extra_copies=0, spent=0)


# SQLite


@contextmanager
def locked(database_url: str) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the database's write lock, until a line is written to it."""
    script = (
        "import sqlite3, sys\n"
        "connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)\n"
        "connection.execute('BEGIN IMMEDIATE')\n"
        "print('locked', flush=True)\n"
        "sys.stdin.readline()\n"
        "connection.execute('ROLLBACK')\n"
    )
    command = [sys.executable, "-c", script, str(make_url(database_url).database)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "locked\n"
        try:
            yield process
        finally:
            unlock(process)
            process.wait(PATIENCE)


def unlock(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    if not process.stdin.closed:
        process.stdin.write("enough\n")
        process.stdin.close()


def test_a_database_file_that_another_process_holds_for_a_while_costs_nothing(
    sqlite_url: str, tmp_path: Path, mail_server: MailServer, figures: Figures
) -> None:
    with ExitStack() as holders, told_world(sqlite_url, tmp_path, mail_server) as world:

        def hold(envelope: Envelope) -> None:
            process = holders.enter_context(locked(sqlite_url))
            holders.callback(later(0.3, lambda: unlock(process)).join)

        meanwhile(world, hold, nothing, nothing, hold, nothing, hold)
        assert send(world) == {"accepted": COUNT}
        post = check_the_post(world, mail_server)
        figures(Fault.DATABASE_AWAY, "database locked three times at settle", world, post)
        assert post == Post(letters=COUNT, extra_copies=0, spent=0)


def test_a_database_file_that_another_process_does_not_let_go_of_costs_one_marked_copy(
    sqlite_url: str, tmp_path: Path, mail_server: MailServer, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr("registry.steps.persist.PAUSES_FOR_THE_DATABASE", (0.05, 0.1))
    with told_world(sqlite_url, tmp_path, mail_server) as world:
        with ExitStack() as holders:

            def hold(envelope: Envelope) -> None:
                holders.enter_context(locked(sqlite_url))

            meanwhile(world, nothing, nothing, nothing, hold)
            with pytest.raises(OperationalError, match="locked"):
                send(world)
        finish(world)
        post = check_the_post(world, mail_server)
        figures(Fault.DATABASE_AWAY, "database locked at settle, and stayed so", world, post)
        assert post == Post(letters=COUNT + 1, extra_copies=1, spent=0)
