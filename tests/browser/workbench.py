"""A workbench on a socket, its colleagues each at a browser of their own, and what may be wrong with a screen."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Page

from registry.readers.registry_file import RegistryFile
from tests.browser.axe import light_and_dark, violations
from tests.browser.conftest import Contexts, answering
from tests.browser.console import faults_in
from tests.databases import ReusedDatabase
from tests.web.colleagues import Somebody, Team
from tests.web.conftest import serving, serving_again
from tests.web.site import Site

WIDTHS = (320, 768, 1440)
"""CSS pixels: a phone, a tablet, a desk."""

# A page is as wide as its window; a table may be wider in a box that scrolls. Text is cut where a box hides what does
# not fit in it: what is for screen readers alone is hidden on purpose, and a frame's content is its own.
_CUT = """() => {
    const edge = document.documentElement.clientWidth, said = [];
    const name = each => [each.tagName.toLowerCase(), ...each.classList].join('.') + (each.id ? '#' + each.id : '')
        + ' ' + each.textContent.trim().replace(/\\s+/g, ' ').slice(0, 40);
    if (document.documentElement.scrollWidth > edge) said.push('the page scrolls sideways');
    for (const each of document.querySelectorAll('body *')) {
        if (each.closest('.unseen, .skip, svg, thead') || !each.checkVisibility({visibilityProperty: true})) continue;
        const box = each.getBoundingClientRect(), scrolls = each.closest('.scroll');
        if (!scrolls && box.width && box.right > edge + 1) said.push('over the edge: ' + name(each));
        // What follows takes its time, and is asked only of what has more in it than there is room for.
        const wide = each.scrollWidth > each.clientWidth + 1;
        if (!wide && each.scrollHeight <= each.clientHeight + 1) continue;
        if (!each.textContent.trim() || each.matches('select, textarea, datalist, iframe')) continue;
        const style = getComputedStyle(each);
        const hides = [style.overflowX, style.overflowY].some(how => how === 'hidden' || how === 'clip');
        if (hides) said.push('cut: ' + name(each));
        // Letters that run out of their own box lie on what is beside it.
        const own = () =>
            [...each.querySelectorAll('*')].every(part => part.getBoundingClientRect().right <= box.right + 2);
        if (style.overflowX === 'visible' && style.display !== 'inline' && !scrolls && each.clientWidth
            && each.scrollWidth > each.clientWidth + 2 && own()) said.push('runs out: ' + name(each));
    }
    return said;
}"""

_SHORTENED = """() => {
    const further = 'tbody tr:nth-child(n+9), .list tbody:nth-of-type(n+9), ol > li:nth-child(n+9)';
    for (const each of document.querySelectorAll(further)) each.remove();
}"""


@dataclass
class Workbench:
    """An installation with its team on a socket: `base` is its address, which is also the one in its settings."""

    site: Site
    team: Team
    base: str


@dataclass
class Seat:
    """Somebody at a browser: the page before them, what its console said, and whom it asked for anything."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def overheard(self) -> list[str]:
        """Return what the console said since this was last called, but Chromium's notes of answers from 400 to 409."""
        told = faults_in(self.said, "the server responded with a status of 40")
        self.said.clear()
        return told


@contextmanager
def at_work(
    url: str, folder: Path, *files: RegistryFile, before: Callable[[str], None] | None = None, **settings: str
) -> Iterator[Workbench]:
    """Serve the database at `url`, with what these registry files say, and its team on a socket.

    The address is localhost, since passkeys belong to names and an address of numbers is none. `before` is called with
    it before anything is served: an installation sends nothing once its address has changed.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        base = f"http://localhost:{port}"
        if before is not None:
            before(base)
        with (
            serving(url, folder / "instance", *files, REGISTRY_BASE_URL=base, **settings) as site,
            answering(site.app, listening),
        ):
            yield Workbench(site, Team(site), base)


@contextmanager
def at_work_again(
    listening: socket.socket, database: ReusedDatabase, instance: Path, *files: RegistryFile
) -> Iterator[Workbench]:
    """Serve what `at_work` would, on a socket that lasts: founded once, and by an application that is kept."""
    base = f"http://localhost:{listening.getsockname()[1]}"
    with (
        serving_again(database, instance, *files, REGISTRY_BASE_URL=base) as site,
        answering(site.app, listening),
    ):
        yield Workbench(site, Team(site), base)


@contextmanager
def seat(contexts: Contexts, workbench: Workbench, somebody: Somebody | None) -> Iterator[Seat]:
    """Sit somebody down at a browser of their own, signed in; nobody is a stranger.

    At the end the page must have asked nobody but the server, have said nothing, and left no cookie but the one.
    """
    with contexts.page(workbench.base, somebody.name if somebody else "nobody") as page:
        if somebody is not None:
            sign_in(page, workbench, somebody)
        taken = Seat(page)
        # An act that cannot be undone asks once more.
        page.on("dialog", lambda dialog: dialog.accept())
        page.on("console", lambda message: taken.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: taken.said.append(str(error)))
        page.on("request", lambda request: taken.asked.add(urlsplit(request.url).netloc))
        yield taken
        cookies = {(cookie.get("name"), cookie.get("path")) for cookie in page.context.cookies()}
    said = taken.overheard()
    assert said == [], said
    assert taken.asked == {urlsplit(workbench.base).netloc}
    assert cookies <= {("registry_team", "/team")}


def sign_in(page: Page, workbench: Workbench, somebody: Somebody) -> None:
    """Let whoever is at this page be somebody of the team, without the ceremony of it."""
    cookie = workbench.team.sign_in(somebody).client.get_cookie("registry_team", "localhost", "/team")
    assert cookie is not None
    page.context.add_cookies([{"name": cookie.key, "value": cookie.value, "domain": "localhost", "path": "/team"}])


def faults(page: Page, *, in_the_dark: bool = True) -> list[str]:
    """Return what is wrong with the page as it is: what does not fit, and what axe-core finds.

    It is measured at each of `WIDTHS`, and judged at the last in the light; in the dark only the colours differ, which
    the longer form of a test may look at.
    """
    found = []
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"{width} px: {each}" for each in page.evaluate(_CUT)]
    # Of a long list axe-core sees the first rows: the others are of the same making, and take their time.
    page.evaluate(_SHORTENED)
    return found + (light_and_dark(page) if in_the_dark else violations(page))
