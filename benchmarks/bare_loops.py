"""The least that can be called sending: smtplib, bytes that lie ready, and a mark in a database for each letter.

And the least that keeps the same record as the registry: when each try began, what was answered, and the bytes' hash.
"""

from __future__ import annotations

import hashlib
import smtplib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import psycopg
from sqlalchemy import select

from benchmarks.places import Place
from registry.channels.base import Envelope
from registry.steps.keyring import load_keyring
from registry.steps.merge_letter import load_recipient, make_envelope
from registry.tables import Delivery

_TABLE = "CREATE TABLE bare_letters (id integer PRIMARY KEY, state text NOT NULL, answer text)"
_ATTEMPTS = (
    "CREATE TABLE bare_attempts (id {serial}, letter integer NOT NULL UNIQUE, started_at {instant} NOT NULL,"
    " sha256 text NOT NULL, finished_at {instant}, code integer, answer text)"
)
_SENT = "UPDATE bare_letters SET state = 'sent' WHERE id = {letter}"
_ANSWERED = "UPDATE bare_attempts SET finished_at = {at}, code = 250, answer = {answer} WHERE letter = {letter}"
_BEGUN = "INSERT INTO bare_attempts (letter, started_at, sha256) VALUES ({next}, {at}, {sha256})"


def sent_letters(place: Place, count: int) -> list[Envelope]:
    """Make so many of the letters again that were sent."""
    with place.world.reading() as session:
        keyring = load_keyring(session, place.world.at)
        accepted = select(Delivery).where(Delivery.state == "accepted").order_by(Delivery.id).limit(count)
        return [make_envelope(session, load_recipient(session, each), keyring) for each in session.scalars(accepted)]


class BareLoop:
    """One connection to the mail server, one durable commit for each letter, and nothing else.

    It does not know which letter it had begun when it died, nor what a server answers besides 250. Its database is on
    the same disk or server as ours, and as durable: WAL with synchronous=FULL, or fsync on.
    """

    def __init__(self, place: Place, count: int) -> None:
        """`count` is how many letters it will send in all. Each has a row: SQLite writes nothing that is so already."""
        numbers = [(number,) for number in range(count)]
        self._numbers = iter(range(count))
        self._mark: Callable[[int], object]
        self._connection: sqlite3.Connection | psycopg.Connection[Any]
        if place.is_sqlite:
            self._connection = lite = sqlite3.connect(place.folder / f"{type(self).__name__}.db", isolation_level=None)
            lite.execute("PRAGMA journal_mode=WAL")
            lite.execute("PRAGMA synchronous=FULL")
            lite.execute(_TABLE)
            lite.execute("BEGIN")
            lite.executemany("INSERT INTO bare_letters VALUES (?, 'due', NULL)", numbers)
            lite.execute("COMMIT")
            self._mark = partial(_mark_in_sqlite, lite.cursor())
        else:
            self._connection = server = psycopg.connect(place.address, autocommit=True)
            server.execute(f"CREATE SCHEMA {type(self).__name__}")
            server.execute(f"SET search_path = {type(self).__name__}")
            server.execute(_TABLE)
            cursor = server.cursor()
            cursor.executemany("INSERT INTO bare_letters VALUES (%s, 'due', NULL)", numbers)
            self._mark = partial(_mark_on_server, cursor)

    def send(self, url: str, envelopes: Sequence[Envelope]) -> None:
        """Send the letters one by one, and mark each as sent before the next."""
        mark, numbers = self._mark, self._numbers
        server = urlsplit(url)
        with closing(smtplib.SMTP(str(server.hostname), int(server.port or 25))) as connection:
            for envelope in envelopes:
                connection.sendmail(envelope.return_path, [envelope.recipient], envelope.message)
                mark(next(numbers))
            connection.quit()

    def mark_all(self, count: int) -> None:
        """Do the commits of so many letters without sending any."""
        for _ in range(count):
            self._mark(next(self._numbers))

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()


class RecordingLoop(BareLoop):
    """The bare loop that keeps the record the registry keeps, and nothing else that the registry does.

    One durable commit for each letter: the last one is sent and its try has its answer, and the next one's try is on
    record with its start and the hash of its bytes, before it goes on the wire. So this loop knows which letter it had
    begun when it died. It hashes its letters; whom it may write to, and what they say, it does not ask.
    """

    def __init__(self, place: Place, count: int) -> None:
        """As `BareLoop`."""
        super().__init__(place, count)
        self._answered: int | None = None
        lite = place.is_sqlite
        names = ("letter", "next", "at", "sha256", "answer")
        slots = {name: f":{name}" if lite else f"%({name})s" for name in names}
        serial, instant = ("integer PRIMARY KEY", "text") if lite else ("bigserial PRIMARY KEY", "timestamptz")
        self._connection.execute(_ATTEMPTS.format(serial=serial, instant=instant))
        sent, answered, begun = (part.format(**slots) for part in (_SENT, _ANSWERED, _BEGUN))
        if lite:
            cursor: Any = self._connection.cursor()
            self._record: Callable[[dict[str, Any]], object] = partial(
                _record_in_sqlite, cursor, (sent, answered, begun)
            )
        else:
            together = f"WITH sent AS ({sent}), answered AS ({answered}) {begun}"
            self._record = partial(self._connection.cursor().execute, together)

    def send(self, url: str, envelopes: Sequence[Envelope]) -> None:
        """Send the letters one by one, each begun and answered on record before the next."""
        server = urlsplit(url)
        with closing(smtplib.SMTP(str(server.hostname), int(server.port or 25))) as connection:
            for envelope in envelopes:
                self._begin(next(self._numbers), hashlib.sha256(envelope.message).hexdigest())
                connection.sendmail(envelope.return_path, [envelope.recipient], envelope.message)
            connection.quit()

    def _begin(self, number: int, sha256: str) -> None:
        at = datetime.now(UTC)
        stored = at.isoformat(" ") if isinstance(self._connection, sqlite3.Connection) else at
        self._record({"letter": self._answered, "next": number, "at": stored, "sha256": sha256, "answer": "250 ok"})
        self._answered = number


def _record_in_sqlite(cursor: sqlite3.Cursor, statements: Sequence[str], values: dict[str, Any]) -> None:
    cursor.execute("BEGIN IMMEDIATE")
    for statement in statements:
        cursor.execute(statement, values)
    cursor.execute("COMMIT")


def _mark_in_sqlite(cursor: sqlite3.Cursor, number: int) -> None:
    cursor.execute("BEGIN IMMEDIATE")
    cursor.execute("UPDATE bare_letters SET state = 'sent', answer = ? WHERE id = ?", ("250 ok", number))
    cursor.execute("COMMIT")


def _mark_on_server(cursor: psycopg.Cursor[Any], number: int) -> None:
    cursor.execute(
        "UPDATE bare_letters SET state = 'sent', answer = %s WHERE id = %s", ("250 ok", number), prepare=True
    )


def send_by_threads(url: str, envelopes: Sequence[Envelope], threads: int) -> None:
    """Send the letters by so many threads, each with a connection of its own and its share, and mark nothing."""
    server = urlsplit(url)

    def work(share: Sequence[Envelope]) -> None:
        with closing(smtplib.SMTP(str(server.hostname), int(server.port or 25))) as connection:
            for envelope in share:
                connection.sendmail(envelope.return_path, [envelope.recipient], envelope.message)
            connection.quit()

    running = [threading.Thread(target=work, args=(envelopes[number::threads],)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
