"""A world that is served: its pages, its letters, and its tables as they stand."""

from __future__ import annotations

import email
import json
import re
from email.message import EmailMessage
from email.policy import default
from functools import lru_cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import TestResponse

from registry.app import create_app
from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.settings import Settings
from registry.steps.sweeps import list_sweeps
from registry.tables import Base
from registry.web.current import EXTENSION
from registry.web.forms_subscribe import STEP
from registry.web.front import Front
from registry.web.health import KEPT
from registry.web.limits import limiter
from registry.wiring import wire
from tests.world import World, link_in

STREAMS = """
registry: 1
publisher:
  slug: streams
  name: Streams & Söhne
  contact: privacy@streams.example
  time_zone: Asia/Ho_Chi_Minh
  notice: {days: 30, objection_days: 30}
  host: legal.streams.example
entries:
  - {key: mail-delivery, name: Mail delivery, role: category, purposes: [E-mail]}
"""


EXAMPLES = Path(__file__).resolve().parents[2] / "examples"

NO_LETTER = {"artefacts", "erase_expired", "check_addresses"}
"""Sweeps that have tests of their own. The first two take most of a tick's time, the last writes one letter more."""


class Site:
    """An installation behind a web client, with the world's own clock."""

    def __init__(self, world: World, app: Flask | None = None) -> None:
        self.world = world
        self.app: Flask = app or create_app(world.settings)
        self.app.config["REGISTRY_CLOCK"] = world.clock
        # `test_forms_abuse` sees to it that strangers wait where nobody tests.
        self.app.config[STEP] = 0
        # The cost of a hash is for those who guess; `test_signing_in` sees to it that it is whole where nobody tests.
        self.app.extensions["security"].pwd_context.update(argon2__rounds=1, argon2__memory_cost=64)
        self.client: FlaskClient = self.app.test_client(use_cookies=False)

    def close(self) -> None:
        """Let go of connections."""
        self.app.extensions["registry"].engine.dispose()

    def get(self, path: str, **options: Any) -> TestResponse:
        """GET a path."""
        return self.client.get(path, buffered=True, **options)

    def post(self, path: str, data: Any = None, **options: Any) -> TestResponse:
        """POST a form."""
        return closing_body(self.client.post(path, data=data, buffered=True, **options))

    def letters_to(self, address: str) -> list[EmailMessage]:
        """Send what is due, and return every letter to one address, in order."""
        quick_tick(self.world)
        found = []
        # By the time of writing: the stamps in their names are all of the world's one instant.
        written = sorted(self.world.wiring.outbox.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
        for path in written:
            letter = email.message_from_bytes(path.read_bytes(), policy=default)
            assert isinstance(letter, EmailMessage)
            if str(letter["To"]).endswith((address, f"<{address}>")):
                found.append(letter)
        return found

    def subscribe(self, address: str, slug: str = "antopsis", **wishes: Any) -> TestResponse:
        """Ask to follow a list by its form."""
        return self.post(f"/{slug}/subscribe", {"email": address, **wishes})

    def confirm_link(self, address: str) -> str:
        """Return the path of the newest confirm link sent to an address."""
        return path_of(link_in(self.letters_to(address)[-1], "confirm"))

    def follow(self, address: str, slug: str = "antopsis", **wishes: Any) -> str:
        """Subscribe and confirm; return the manage link that the page then shows."""
        assert self.subscribe(address, slug, **wishes).status_code == 200
        answer = self.post(self.confirm_link(address))
        assert answer.status_code == 200, answer.text
        (manage,) = [link for link in links_of(answer.text) if "/manage/" in link]
        return path_of(manage)

    def snapshot(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return the whole database: every row of every table."""
        with self.world.reading() as session:
            return {
                table.name: sorted((tuple(row) for row in session.execute(select(table))), key=repr)
                for table in Base.metadata.sorted_tables
            }


def quick_tick(world: World) -> None:
    """Tick without the sweeps of `NO_LETTER`: for whoever waits for letters or for an effect."""
    for name, sweep in list_sweeps(world.wiring.make_sweeping(world.channels, world.clock)).items():
        if name not in NO_LETTER:
            sweep()


def closing_body(answer: TestResponse) -> TestResponse:
    """Close what was sent: a long body lies in a temporary file, which the test client leaves open."""
    answer.request.environ["wsgi.input"].close()
    return answer


def keep_app(settings: Settings) -> Flask:
    """Return the application for these settings: made once for all tests, without what an earlier one left in it."""
    app = _make_app(settings)
    app.extensions[EXTENSION] = wire(settings)
    app.extensions.pop(KEPT, None)
    limiter.reset()
    front = app.wsgi_app
    assert isinstance(front, Front)
    # By the real clock it would go on with what it remembers for half a second.
    front.shelf.close()
    front.shelf._begin()
    return app


@lru_cache(maxsize=16)
def _make_app(settings: Settings) -> Flask:
    return create_app(settings)


def example(name: str, *replacements: tuple[str, str]) -> RegistryFile:
    """Read one of the example publishers, with pieces of its text replaced."""
    text = (EXAMPLES / f"{name}.yaml").read_text(encoding="utf-8")
    for old, new in replacements:
        assert old in text, f"{name}.yaml no longer says {old!r}"
        text = text.replace(old, new)
    return read_registry_file(text.encode(), f"{name}.yaml")


def streams_file(more_entries: str = "") -> RegistryFile:
    """Return the file of a publisher in another zone, without customers, and with a host of its own."""
    return read_registry_file((STREAMS + more_entries).encode(), "streams.yaml")


def json_of(answer: TestResponse) -> Any:
    """Return the document that an answer is."""
    return json.loads(answer.data)


def path_of(url: str) -> str:
    """Return the path of an address, as a server on another port serves it."""
    return urlsplit(url).path


def links_of(page: str) -> list[str]:
    """Return the addresses a page links to."""
    return [value for tag, name, value in attributes_of(page) if tag == "a" and name == "href"]


def attributes_of(page: str) -> list[tuple[str, str, str]]:
    """Return every attribute of a page: tag, name, value."""
    found: list[tuple[str, str, str]] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend((tag, name, value or "") for name, value in attrs)

    Reader().feed(page)
    return found


def words_of(page: str) -> str:
    """Return what a page's main part says, as one line."""
    main = re.sub(r"(?s)^.*<main[^>]*>|</main>.*$", "", page)
    return " ".join(re.sub(r"<[^>]*>", " ", main).split())
