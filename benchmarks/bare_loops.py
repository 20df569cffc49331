"""The least that can be called sending: smtplib, bytes that lie ready, and a mark in a database for each letter."""

from __future__ import annotations

import smtplib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
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
            self._connection = lite = sqlite3.connect(place.folder / "bare.db", isolation_level=None)
            lite.execute("PRAGMA journal_mode=WAL")
            lite.execute("PRAGMA synchronous=FULL")
            lite.execute(_TABLE)
            lite.execute("BEGIN")
            lite.executemany("INSERT INTO bare_letters VALUES (?, 'due', NULL)", numbers)
            lite.execute("COMMIT")
            self._mark = partial(_mark_in_sqlite, lite.cursor())
        else:
            self._connection = server = psycopg.connect(place.address, autocommit=True)
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
