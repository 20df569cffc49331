"""A real Chromium before a real server on a socket."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect, sync_playwright
from werkzeug.serving import make_server

from registry.readers.registry_file import RegistryFile
from tests import databases
from tests.web import public_life
from tests.web.conftest import serving
from tests.web.site import Site, example
from tests.world import antopsis

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
]
DESKTOP: ViewportSize = {"width": 1280, "height": 900}

# What is waited for comes; how soon is the machine's affair, and a shared one has slow moments.
expect.set_options(timeout=30_000)


@dataclass
class Served:
    """A site on a socket: `base` is its address, which is also the one in its settings."""

    site: Site
    base: str
    number: str


@contextmanager
def on_a_socket(folder: Path, template: Path, *files: RegistryFile) -> Iterator[Served]:
    """Serve an installation that was founded with these files."""
    url = databases.copied_sqlite_url(folder, template)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        host, port = listening.getsockname()[:2]
        base = f"http://{host}:{port}"
        with serving(url, folder / "instance", *files, REGISTRY_BASE_URL=base) as site:
            server = make_server(host, port, site.app, threaded=True, fd=listening.fileno())
            thread = threading.Thread(target=server.serve_forever, daemon=True)
            thread.start()
            yield Served(site, base, "")
            server.shutdown()
            thread.join(timeout=10)
            server.server_close()


@pytest.fixture(scope="module")
def served(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve Antopsis with an announced change, and a second publisher."""
    folder = tmp_path_factory.mktemp("browser")
    with on_a_socket(folder, sqlite_template, antopsis(), example("nextapi")) as served:
        served.number = served.site.world.announce(antopsis(helsinki=True))
        yield served


@pytest.fixture(scope="session")
def northlight(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve a publisher in the middle of its public life, and one that says next to nothing. No test changes them."""
    folder = tmp_path_factory.mktemp("northlight")
    with on_a_socket(folder, sqlite_template, *public_life.files()) as served:
        public_life.live_through(served.site.world)
        served.number = public_life.ANNOUNCED
        yield served


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests of a module; each has a context of its own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, served: Served) -> Iterator[Page]:
    """A page that may ask nobody but the server, keep no cookie, and say nothing in its console."""
    context = chromium.new_context(viewport=DESKTOP, base_url=served.base)
    page = context.new_page()
    said: list[str] = []
    asked: set[str] = set()
    page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    yield page
    cookies = context.cookies()
    context.close()
    # A form that comes back with what is wrong in it comes with 400, of which Chromium makes a note.
    assert [text for text in said if "status of 400" not in text] == []
    assert asked == {urlsplit(served.base).netloc}
    assert cookies == []
