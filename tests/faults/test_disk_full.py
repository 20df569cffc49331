"""No room is left on the database's disk while a letter is on the wire: at most one copy, once there is room again."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from tests.channels.smtp_server import MailServer
from tests.faults.conftest import Figures
from tests.faults.own_server import OwnServer
from tests.faults.post import check_the_post, finish, told_world
from tests.faults.table import Fault
from tests.faults.workers import PATIENCE, Task, Workers
from tests.steps.post_office import send

COUNT = 30
PAGE = 8_192
ONE_LOG_FILE = 16 * 1024 * 1024
"""Bytes. A limit below the size of PostgreSQL's log files would end the whole server."""

FILLING = "UPDATE deliveries SET note = (SELECT string_agg(md5(random()::text), '') FROM generate_series(1, 55))"


@pytest.mark.parametrize(
    "room", [300_000, pytest.param(150_000, marks=pytest.mark.slow), pytest.param(450_000, marks=pytest.mark.slow)]
)
def test_a_disk_that_is_full_costs_one_marked_copy_at_most(
    sqlite_url: str, tmp_path: Path, mail_server: MailServer, figures: Figures, room: int
) -> None:
    """No file may grow beyond a size, which SQLite meets as it does a full disk: in the middle of a commit."""
    with told_world(sqlite_url, tmp_path, mail_server, COUNT) as world, Workers(world) as workers:
        database = Path(str(make_url(sqlite_url).database))
        largest = max(path.stat().st_size for path in database.parent.glob(f"{database.name}*"))
        worker = workers.start(Task.SEND, largest_file=largest + room)
        worker.join(PATIENCE)
        assert worker.exitcode == 1
        arrived = len(mail_server.messages)
        assert arrived < COUNT
        finish(world)
        post = check_the_post(world, mail_server)
        figures(Fault.DISK_FULL, f"disk full, with room for {room:,} bytes", world, post, kills=1)
        assert (post.lost, post.spent, post.letters - post.extra_copies) == (0, 0, COUNT)
        assert post.extra_copies <= 1


def fill_the_deliveries(connection: psycopg.Connection) -> int:
    """Leave old versions of the rows behind until their file is larger than a log file; return its size."""
    connection.execute("ALTER TABLE deliveries SET (autovacuum_enabled = false)")
    connection.execute("SET session_replication_role = replica")
    with connection.transaction():
        connection.execute("CREATE TEMPORARY TABLE kept AS SELECT id, note FROM deliveries")
        while size_of_the_deliveries(connection) <= ONE_LOG_FILE:
            connection.execute(FILLING)
        connection.execute("UPDATE deliveries SET note = kept.note FROM kept WHERE kept.id = deliveries.id")
    return size_of_the_deliveries(connection)


def size_of_the_deliveries(connection: psycopg.Connection) -> int:
    found = connection.execute("SELECT pg_relation_size('deliveries')").fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize("pages", [2, pytest.param(0, marks=pytest.mark.slow), pytest.param(4, marks=pytest.mark.slow)])
def test_a_database_server_without_room_for_another_page_costs_one_marked_copy_at_most(
    own_postgresql: OwnServer, tmp_path: Path, mail_server: MailServer, figures: Figures, pages: int
) -> None:
    """No file of the server may grow beyond a size: it cannot extend the table, and answers so."""
    url = own_postgresql.make_database()
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with told_world(url, tmp_path, mail_server, COUNT) as world:
        with psycopg.connect(address, autocommit=True) as connection:
            size = fill_the_deliveries(connection)
        own_postgresql.stop()
        own_postgresql.start(largest_file=size + pages * PAGE)
        with psycopg.connect(address) as reader:
            # A reader from before keeps every old version alive, so that each change needs room of its own.
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            reader.execute("SELECT count(*) FROM deliveries")
            with pytest.raises(DBAPIError, match="could not extend file"):
                send(world)
        arrived = len(mail_server.messages)
        assert arrived < COUNT
        own_postgresql.stop()
        own_postgresql.start()
        finish(world)
        post = check_the_post(world, mail_server)
        figures(Fault.DISK_FULL, f"disk full, with room for {pages} pages", world, post, kills=1)
        assert (post.lost, post.spent, post.letters - post.extra_copies) == (0, 0, COUNT)
        assert post.extra_copies <= 1
