"""A real Chromium before a real server on a socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect, sync_playwright
from werkzeug.serving import make_server
from werkzeug.wsgi import ClosingIterator

from registry.readers.registry_file import RegistryFile
from tests import databases
from tests.browser.console import faults_in
from tests.conftest import CHROMIUM
from tests.web import public_life
from tests.web.conftest import serving
from tests.web.site import Site, example
from tests.world import antopsis

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
    # With a new frame for each document, Chromium may drop the close of a page that is just coming to another address,
    # and Playwright waits for it without an end (its issue 42068). This takes the place of the features that Playwright
    # itself turns off, so those of them that a page can notice are named again.
    "--disable-features=RenderDocument,AvoidUnnecessaryBeforeUnloadCheckSync,HttpsUpgrades,PaintHolding",
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


class Contexts:
    """Contexts of one Chromium, to be used again: a new one takes three times what a new page in one takes."""

    def __init__(self, chromium: Browser) -> None:
        self._chromium = chromium
        self._made: dict[str, BrowserContext] = {}

    def of(self, base: str, whose: str = "", **options: Any) -> BrowserContext:
        """Return somebody's context for an address, made with these options of Playwright's. Two people have two."""
        key = repr((base, whose, sorted(options.items())))
        if key not in self._made:
            self._made[key] = self._chromium.new_context(**{"viewport": DESKTOP, "base_url": base, **options})
            # Chromium takes apart much of what nobody has a page in, and puts it together again for the next.
            self._made[key].new_page()
        return self._made[key]

    @contextmanager
    def page(self, base: str, whose: str = "", **options: Any) -> Iterator[Page]:
        """Open a new page in such a context; its cookies go when the page does."""
        context = self.of(base, whose, **options)
        page = context.new_page()
        try:
            yield page
        finally:
            page.close()
            context.clear_cookies()

    def close(self) -> None:
        """Close them all."""
        for context in self._made.values():
            context.close()


def _turn_away(listening: socket.socket) -> None:
    """Hang up on whoever waits already: a page of the test before, which keeps what was typed as it is left.

    Its answer would take the cookie away from whoever has signed in since.
    """
    listening.setblocking(False)
    with suppress(BlockingIOError):
        while True:
            listening.accept()[0].close()
    listening.setblocking(True)


def _whole(app: WSGIApplication) -> WSGIApplication:
    """Close what an application answers with before it is sent: Werkzeug leaves a file open where a page hangs up."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        with closing(ClosingIterator(app(environ, start_response))) as parts:
            return [b"".join(parts)]

    return answer


@contextmanager
def answering(app: WSGIApplication, listening: socket.socket) -> Iterator[None]:
    """Serve an application on a socket, which stays open."""
    _turn_away(listening)
    host, port = listening.getsockname()[:2]
    server = make_server(host, port, _whole(app), threaded=True, fd=listening.fileno())
    # The interval is how long its end is waited for.
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(timeout=10)
        server.server_close()


@contextmanager
def on_a_socket(folder: Path, template: Path, *files: RegistryFile) -> Iterator[Served]:
    """Serve an installation that was founded with these files."""
    url = databases.copied_sqlite_url(folder, template)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        base = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with (
            serving(url, folder / "instance", *files, REGISTRY_BASE_URL=base) as site,
            answering(site.app, listening),
        ):
            yield Served(site, base, "")


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


@pytest.fixture(scope="session")
def lasting() -> Iterator[socket.socket]:
    """A socket for one test's site after another's: what is always at one address can be met again."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


@pytest.fixture(scope="session")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of every installation that is served again."""
    return tmp_path_factory.mktemp("again") / "instance"


@pytest.fixture(scope="session", autouse=True)
def shared(parts_made_once: None) -> None:
    """Let the sites of these tests share what depends on the code alone."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """One Chromium for all tests of a process."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def contexts(chromium: Browser) -> Iterator[Contexts]:
    """The contexts of a module's tests."""
    made = Contexts(chromium)
    yield made
    made.close()


@pytest.fixture
def page(contexts: Contexts, served: Served) -> Iterator[Page]:
    """A page that may ask nobody but the server, keep no cookie, and say nothing in its console."""
    said: list[str] = []
    asked: set[str] = set()
    with contexts.page(served.base) as page:
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
        yield page
        cookies = page.context.cookies()
    # A form that comes back with what is wrong in it comes with 400, of which Chromium makes a note.
    assert faults_in(said, "status of 400") == []
    assert asked == {urlsplit(served.base).netloc}
    assert cookies == []
