"""Where it is measured: real databases with their durability on, and a mail server in a process of its own."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

import psycopg
from sqlalchemy import insert, select

from registry.steps.lookup import get_publisher
from registry.tables import Address, Subscription
from tests import databases
from tests.channels.smtp_server import MailServer
from tests.world import World, antopsis, settings_for, utc

NOW = utc("2026-09-30 08:00")


@contextmanager
def mail_server() -> Iterator[str]:
    """The URL of a mail server that takes everything, in another process, so that it costs the sender no time."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
        ours.send("enough")
    finally:
        process.join(timeout=10)
        process.kill()


def _serve(connection: Connection) -> None:
    with MailServer() as server:
        connection.send(server.url)
        connection.recv()


@contextmanager
def worlds(mail_url: str) -> Iterator[dict[str, World]]:
    """An installation on each engine, by the engine's name, with Antopsis' list and no customers."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="registry-bench-")))
        sqlite = databases.copied_sqlite_url(folder, databases.migrated_sqlite_file(folder))
        server = stack.enter_context(databases.postgresql_server())
        # The tests' server forgets quickly; what is measured is one that keeps what it was told.
        address = server.set(drivername="postgresql").render_as_string(hide_password=False)
        with closing(psycopg.connect(address, autocommit=True)) as connection:
            connection.execute("ALTER SYSTEM RESET ALL")
            connection.execute("SELECT pg_reload_conf()")
        template = stack.enter_context(databases.migrated_postgresql_database(server))
        database = stack.enter_context(databases.postgresql_database(server, template))
        urls = {"SQLite": sqlite, "PostgreSQL": database.render_as_string(hide_password=False)}
        found = {}
        for engine, url in urls.items():
            settings = settings_for(url, folder / f"instance-{engine}", mail_url)
            found[engine] = stack.enter_context(closing(World(settings, NOW)))
            found[engine].apply(antopsis(customers=""))
        yield found


def add_followers(world: World, count: int) -> None:
    """Have so many people follow the list, confirmed."""
    emails = [f"reader{number}@reader.example" for number in range(count)]
    keyring = world.wiring.keyring
    with world.writing() as session:
        publisher_id = get_publisher(session, "antopsis").id
        addresses = [
            {
                "publisher_id": publisher_id,
                "channel": "email",
                "lookup_hmac": keyring.lookup("email", email),
                "value": email,
                "created_at": NOW,
            }
            for email in emails
        ]
        session.execute(insert(Address), addresses)
        subscriptions = [
            {
                "publisher_id": publisher_id,
                "address_id": address_id,
                "audience": "follower",
                "language": "en",
                "created_at": NOW,
                "confirmed_at": NOW,
            }
            for address_id in session.scalars(select(Address.id).where(Address.publisher_id == publisher_id))
        ]
        session.execute(insert(Subscription), subscriptions)
