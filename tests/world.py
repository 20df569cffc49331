"""A whole installation for tests: settings, wiring, a clock that is moved by hand, and a cast of customers.

Nothing in it is a stand-in: the database is real, letters go to a real mail server on a socket or into the outbox.
"""

from __future__ import annotations

import email
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.policy import default
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.orm import Session

from registry.channels.base import Channel
from registry.pages.values import PublicList
from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.settings import Settings
from registry.steps.apply_file import Applied, apply_file
from registry.steps.draft_notice import draft_notice
from registry.steps.errors import UnknownPublisher
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.notice_status import NoticeStatus, load_notice_status
from registry.steps.publish_notice import publish_notice
from registry.steps.published import load_public_list
from registry.steps.record import Actor
from registry.steps.sweeps import list_sweeps
from registry.tables import Notice
from registry.tables.engine import reading, writing
from registry.wiring import Wiring, wire
from tests.channels.smtp_server import MailServer

Answered = TypeVar("Answered")

ANNA = Actor("anna@antopsis.example", "web")
BORIS = Actor("boris@antopsis.example", "web")

ANTOPSIS = """
registry: 1
publisher:
  slug: antopsis
  name: Antopsis
  contact: support@antopsis.example
  country: DE
  time_zone: Europe/Berlin
  notice: {{days: 30, objection_days: 30}}
  approvals_required: {approvals}
products:
  - {{key: streaming, name: Live streaming}}
  - {{key: storage, name: Recordings}}
entries:
  - key: stripe
    name: Stripe
    purposes: [Payments]
    data_categories: [Customer id, Subscription status]
    products: [streaming]
  - key: hetzner-falkenstein
    name: Hetzner
    purposes: [Servers that run the service]
    data_categories: [Account data, Usage data]
    locations:
      - {{country: DE, place: Falkenstein, function: processing}}{more_locations}
    transfers: [{{regime: eu, mechanism: none.same-area, destination: DE}}]
{more_entries}
customers:
{customers}
"""

HANOI = """  - key: hanoi
    name: Hanoi Streams Co.
    time_zone: Asia/Ho_Chi_Minh
    notice: {days: 45}
    contacts: [privacy@hanoi.example]
"""
BREMEN = """  - key: bremen
    name: Bremen Media GmbH
    time_zone: Europe/Berlin
    contacts: [dpo@bremen.example]
"""
HELSINKI = "\n      - {country: FI, place: Helsinki, function: processing}"


def antopsis(
    *, helsinki: bool = False, customers: str = HANOI + BREMEN, approvals: int = 0, more_entries: str = ""
) -> RegistryFile:
    """Return the registry file of the tests' publisher, with or without its second hosting place."""
    text = ANTOPSIS.format(
        approvals=approvals,
        more_locations=HELSINKI if helsinki else "",
        customers=customers or "  []",
        more_entries=more_entries,
    )
    return _read(text)


@lru_cache(maxsize=64)
def _read(text: str) -> RegistryFile:
    return read_registry_file(text.encode(), "antopsis.yaml")


class World:
    """One installation with its clock. `at` is the instant (UTC) that every step is told.

    A database that an earlier world of the same settings left behind `was_bound`, and need not be looked at again.
    """

    def __init__(self, settings: Settings, at: datetime, *, was_bound: bool = False) -> None:
        self.settings = settings
        self.wiring: Wiring = wire(settings)
        self.at = at
        if not was_bound:
            self.wiring.check_schema()
            self.wiring.bind()
        self.channels: dict[str, Channel] = self.wiring.make_channels(self.clock)

    def clock(self) -> datetime:
        """Return the world's own time."""
        return self.at

    def close(self) -> None:
        """Let go of connections."""
        for channel in self.channels.values():
            channel.close()
        self.wiring.engine.dispose()

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Open a session that commits at its end."""
        with writing(self.wiring.engine) as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that reads."""
        with reading(self.wiring.engine) as session:
            yield session

    def begin(self, act: Callable[[], Answered], *what: object) -> Answered:
        """Do what many tests begin with. It depends on the time, on `what` and on what was done before alone."""
        del what  # for worlds that put back what others have begun with
        return act()

    def apply(self, file: RegistryFile, actor: Actor = ANNA) -> Applied:
        """Apply a registry file now."""

        def apply() -> Applied:
            with self.writing() as session:
                return apply_file(session, self.at, file, actor)

        return self.begin(apply, "apply", file, actor)

    def draft(self, slug: str = "antopsis", actor: Actor = ANNA, **options: Any) -> str:
        """Draft a notice of all pending edits and return its number."""

        def draft() -> str:
            with self.writing() as session:
                publisher = get_publisher(session, slug)
                return draft_notice(session, self.at, publisher, actor, **options).number

        return self.begin(draft, "draft", slug, actor, options)

    def publish(self, number: str, slug: str = "antopsis", actor: Actor = ANNA) -> None:
        """Publish a drafted notice now."""

        def publish() -> None:
            with self.writing() as session:
                publisher = get_publisher(session, slug)
                notice = get_notice(session, publisher, number)
                publish_notice(session, self.at, publisher, notice, actor, self.wiring.letterhead)

        self.begin(publish, "publish", number, slug, actor)

    def announce(self, file: RegistryFile, **options: Any) -> str:
        """Apply a file, draft what it changes, publish it at once, and return the notice's number."""

        def announce() -> str:
            self.apply(file)
            number = self.draft(file.publisher.slug, **options)
            self.publish(number, file.publisher.slug)
            return number

        return self.begin(announce, "announce", file, options)

    def tick(self) -> dict[str, object]:
        """Run every sweep once at the world's time, but the daily test of publishers' own addresses.

        That has tests of its own, and would be one letter more in every count of letters.
        """
        sweeps = list_sweeps(self.wiring.make_sweeping(self.channels, self.clock))
        return {name: sweep() for name, sweep in sweeps.items() if name != "check_addresses"}

    def notice(self, number: str, slug: str = "antopsis") -> Notice:
        """Return the notice's row as it is now."""
        with self.reading() as session:
            return get_notice(session, get_publisher(session, slug), number)

    def status(self, number: str, slug: str = "antopsis") -> NoticeStatus:
        """Return everything on record of a notice."""
        with self.reading() as session:
            publisher = get_publisher(session, slug)
            return load_notice_status(session, self.at, publisher, get_notice(session, publisher, number))

    def public_or_none(self, slug: str = "antopsis") -> PublicList | None:
        """Return the list as the public sees it, None before its first load."""
        try:
            return self.public(slug=slug)
        except UnknownPublisher:
            return None

    def public(self, as_of: date | None = None, slug: str = "antopsis") -> PublicList:
        """Return the list as the public sees it."""
        with self.reading() as session:
            return load_public_list(session, self.at, get_publisher(session, slug), as_of)


def settings_for(database_url: str, instance: Path, mail_url: str = "outbox:", **more: str) -> Settings:
    """Return settings of a test installation on `database_url`."""
    environ = {
        "REGISTRY_ENV": "test",
        "REGISTRY_INSTANCE": str(instance),
        "REGISTRY_DATABASE_URL": database_url,
        "REGISTRY_SECRET_KEY": "kJ3-fq9_tests-only-Zp81xWv0LmQ27uRb",
        "REGISTRY_BASE_URL": "http://127.0.0.1:8000",
        "REGISTRY_MAIL_URL": mail_url,
        "REGISTRY_MAIL_FROM": "notices@registry.example",
    }
    return Settings.from_env(environ | more)


def letters_to(server: MailServer, address: str) -> list[EmailMessage]:
    """Return the letters the mail server took for `address`, parsed, in order."""
    found = []
    for message in server.messages:
        if message.rcpt_tos == (address,):
            parsed = email.message_from_bytes(message.content, policy=default)
            assert isinstance(parsed, EmailMessage)
            found.append(parsed)
    return found


def text_of(letter: EmailMessage) -> str:
    """Return a letter's plain text."""
    part = letter.get_body(("plain",))
    assert part is not None
    content = part.get_content()
    assert isinstance(content, str)
    return content


def link_in(letter: EmailMessage, word: str) -> str:
    """Return the first link in the plain text that holds `word`."""
    found = re.search(rf"https?://\S*/{word}/\S+", text_of(letter))
    assert found is not None, text_of(letter)
    return found.group()


def utc(text: str) -> datetime:
    """Return the UTC instant written as "2026-09-30 08:00"."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
