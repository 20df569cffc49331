"""No room is left on the database's disk while a letter is on the wire: at most one copy, once there is room again."""

from __future__ import annotations

from pathlib import Path
from typing import LiteralString

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
MORE_THAN_FIT = 120
"""Letters whose record takes more room on SQLite than any of these tests leaves."""
PAGE = 8_192
LARGEST = 17 * 1024 * 1024
"""Bytes. With a limit below the size of its log files, 16 MiB, PostgreSQL would not run at all."""
ROOM_FOR_ALL = 40 * PAGE
# A row with its note then fills a page, and leaves no room in it for another one.
WHOLE_PAGE = 8_100
SIZE: LiteralString = "SELECT pg_relation_size('deliveries')"


@pytest.mark.parametrize(
    "room", [10_000, pytest.param(0, marks=pytest.mark.slow), pytest.param(20_000, marks=pytest.mark.slow)]
)
def test_a_disk_that_is_full_costs_one_marked_copy_at_most(
    sqlite_url: str, tmp_path: Path, mail_server: MailServer, figures: Figures, room: int
) -> None:
    """No file may grow beyond a size, which SQLite meets as it does a full disk: in the middle of a commit."""
    with told_world(sqlite_url, tmp_path, mail_server, MORE_THAN_FIT) as world, Workers(world) as workers:
        database = Path(str(make_url(sqlite_url).database))
        largest = max(path.stat().st_size for path in database.parent.glob(f"{database.name}*"))
        worker = workers.start(Task.SEND, largest_file=largest + room)
        worker.join(PATIENCE)
        assert worker.exitcode == 1
        arrived = len(mail_server.messages)
        assert arrived < MORE_THAN_FIT
        finish(world)
        post = check_the_post(world, mail_server)
        figures(Fault.DISK_FULL, f"disk full, with room for {room:,} bytes", world, post, kills=1)
        assert (post.lost, post.spent, post.letters - post.extra_copies) == (0, 0, MORE_THAN_FIT)
        assert post.extra_copies <= 1


def fill_the_deliveries(connection: psycopg.Connection, up_to: int) -> None:
    """Leave old versions of the rows behind until their file has this size."""
    width = one_number(connection, "SELECT max(pg_column_size(deliveries)) FROM deliveries")
    note = "x" * (WHOLE_PAGE - width)
    first = one_number(connection, "SELECT min(id) FROM deliveries")
    while one_number(connection, SIZE) < up_to - ROOM_FOR_ALL:
        connection.execute("UPDATE deliveries SET note = %s", [note])
    connection.execute("UPDATE deliveries SET note = NULL")
    while one_number(connection, SIZE) < up_to:
        connection.execute("UPDATE deliveries SET note = %s WHERE id = %s", [note, first])
    connection.execute("UPDATE deliveries SET note = NULL WHERE id = %s", [first])


def one_number(connection: psycopg.Connection, query: LiteralString) -> int:
    found = connection.execute(query).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize("pages", [4, pytest.param(0, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)])
def test_a_database_server_without_room_for_another_page_costs_one_marked_copy_at_most(
    own_postgresql: OwnServer, tmp_path: Path, mail_server: MailServer, figures: Figures, pages: int
) -> None:
    """No file of the server may grow beyond a size: it cannot extend the table, and answers so."""
    url = own_postgresql.make_database()
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    own_postgresql.stop()
    own_postgresql.start(largest_file=LARGEST)
    with told_world(url, tmp_path, mail_server, COUNT) as world:
        with psycopg.connect(address) as reader, psycopg.connect(address, autocommit=True) as filler:
            filler.execute("ALTER TABLE deliveries SET (autovacuum_enabled = false)")
            filler.execute("ALTER TABLE deliveries ALTER COLUMN note SET STORAGE PLAIN")
            # A reader from before keeps every old version alive, so that each change needs room of its own.
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            reader.execute("SELECT count(*) FROM deliveries")
            fill_the_deliveries(filler, LARGEST - pages * PAGE)
            with pytest.raises(DBAPIError, match="could not extend file"):
                send(world)
        own_postgresql.stop()
        own_postgresql.start()
        finish(world)
        post = check_the_post(world, mail_server)
        figures(Fault.DISK_FULL, f"disk full, with room for {pages} pages", world, post, kills=1)
        assert (post.lost, post.spent, post.letters - post.extra_copies) == (0, 0, COUNT)
        assert post.extra_copies <= 1
