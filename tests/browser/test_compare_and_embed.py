"""Two days side by side, and the list in a frame of another website, as people meet them."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from html import escape
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from werkzeug.wrappers import Request, Response

from tests import databases
from tests.browser.axe import light_and_dark
from tests.browser.conftest import Contexts, Served, answering
from tests.browser.test_public_pages import assert_fits
from tests.web.conftest import serving
from tests.web.site import example
from tests.world import antopsis, utc

pytestmark = pytest.mark.browser

NORDIC = """
  - {key: nordic-backup, name: Nordic Backup, purposes: [Backups], locations: [{country: FI, function: backup}]}
"""
DAYS = "from=2026-09-30&to=2027-01-10"
ADDRESSES = (
    *(f"/antopsis/compare?{DAYS}", "/antopsis/compare?from=2027-01-02&to=2027-01-01", "/antopsis/compare"),
    *("/antopsis/embed", "/nextapi/embed", "/antopsis/embed?product=steaming", "/antopsis/embed/how?q=hetzner"),
)


@pytest.fixture(scope="module")
def served(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """Serve Antopsis in January: two notices took effect since October, and a third is announced."""
    folder = tmp_path_factory.mktemp("browser")
    url = databases.copied_sqlite_url(folder, sqlite_template)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://127.0.0.1:{listener.getsockname()[1]}"
        files = (antopsis(customers="  []"), example("nextapi"))
        with serving(url, folder / "instance", *files, REGISTRY_BASE_URL=base) as site:
            world = site.world
            world.announce(antopsis(helsinki=True, customers="  []"), effective_on=date(2026, 11, 16))
            world.at = utc("2026-11-15 23:00")
            world.tick()
            world.announce(
                antopsis(helsinki=True, more_entries=NORDIC, customers="  []"), effective_on=date(2027, 1, 4)
            )
            world.at = utc("2027-01-03 23:00")
            world.tick()
            world.at = utc("2027-01-10 09:00")
            number = world.announce(antopsis(more_entries=NORDIC, customers="  []"))
            with answering(site.app, listener):
                yield Served(site, base, number)


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[str]:
    """Another website, on another host: it shows in a page whatever frame it is given, by its query string."""

    @Request.application
    def website(request: Request) -> Response:
        scheme = escape(request.args.get("scheme", "normal"))
        head = f'<meta charset="utf-8"><meta name="color-scheme" content="{scheme}"><title>Vendor</title>'
        body = f"<main><h1>Who processes your data</h1>{request.args.get('frame', '')}</main>"
        return Response(
            f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{body}</body></html>', mimetype="text/html"
        )

    with socket.create_server(("127.0.0.1", 0)) as listener, answering(website, listener):
        yield f"http://localhost:{listener.getsockname()[1]}/"


@contextmanager
def browsing(contexts: Contexts, served: Served, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """Open a page; with what its console says."""
    said: list[str] = []
    with contexts.page(served.base, **options) as page:
        page.on("console", lambda message: said.append(message.text))
        yield page, said
        assert page.context.cookies() == []


def snippet_of(page: Page, address: str) -> str:
    """Return what the page says to copy."""
    page.goto(address)
    return page.get_by_label("Copy this into your page").input_value()


def show(page: Page, elsewhere: str, frame: str, scheme: str = "normal") -> None:
    """Open the other website with this frame in it."""
    query = page.evaluate("given => new URLSearchParams(given).toString()", {"frame": frame, "scheme": scheme})
    page.goto(f"{elsewhere}?{query}")


def test_two_days_are_compared_without_a_script(contexts: Contexts, served: Served) -> None:
    with browsing(contexts, served, java_script_enabled=False) as (page, _):
        page.goto("/antopsis/compare")
        page.get_by_label("From the end of").fill("2026-09-30")
        page.get_by_label("To the end of").fill("2026-12-01")
        page.get_by_role("button", name="Compare").click()
        expect(page).to_have_url(re.compile(r"compare\?from=2026-09-30&to=2026-12-01$"))
        expect(page.get_by_role("status")).to_have_text("1 entry differs.")
        table = page.get_by_role("table", name="Hetzner: what changes")
        expect(table.get_by_role("row", name="Places")).to_contain_text("Helsinki, Finland (processing)")
        page.get_by_role("link", name="30 September 2026", exact=True).click()
        expect(page).to_have_url(re.compile(r"as_of=2026-09-30"))


def test_days_that_cannot_be_compared_are_told_beside_their_field(page: Page) -> None:
    page.goto("/antopsis/compare?from=2027-02-01&to=2027-01-01")
    first = page.get_by_label("From the end of")
    expect(first).to_have_attribute("aria-invalid", "true")
    expect(first).to_have_accessible_description(re.compile("still to come"))
    expect(first).to_have_value("2027-02-01")
    page.get_by_role("alert").get_by_role("link", name="See what is upcoming", exact=True).click()
    expect(page).to_have_url(re.compile(r"/antopsis/#upcoming$"))


def test_nobody_is_kept_out(page: Page) -> None:
    for address in ADDRESSES:
        page.goto(address)
        assert light_and_dark(page) == [], address


def test_every_page_fits_a_screen_of_320_pixels_and_an_enlargement_of_200_percent(page: Page) -> None:
    for address in ADDRESSES:
        for width in (320, 640):
            page.set_viewport_size({"width": width, "height": 640})
            page.goto(address)
            assert_fits(page, f"{address} at {width}")
        page.evaluate("() => { document.documentElement.style.fontSize = '200%' }")
        assert_fits(page, address)


def test_the_snippet_shows_the_list_in_another_website_and_its_links_open_in_the_whole_window(
    contexts: Contexts, served: Served, elsewhere: str
) -> None:
    with browsing(contexts, served) as (page, said):
        show(page, elsewhere, snippet_of(page, "/antopsis/embed/how"))
        frame = page.frame_locator("iframe")
        expect(frame.get_by_role("heading", name="Subprocessors of Antopsis")).to_be_visible()
        expect(frame.get_by_role("row", name=re.compile("Nordic Backup"))).to_be_visible()
        # Styled by the registry's own sheets, from within the frame.
        assert frame.locator("h1").evaluate("each => getComputedStyle(each).fontSize") == "18px"
        frame.get_by_role("link", name="Nordic Backup").click()
        page.wait_for_url(f"{served.base}/antopsis/entries/nordic-backup")
        assert said == []


def test_the_snippet_keeps_what_the_list_was_narrowed_to(contexts: Contexts, served: Served, elsewhere: str) -> None:
    with browsing(contexts, served) as (page, _):
        show(page, elsewhere, snippet_of(page, "/antopsis/embed/how?q=stripe"))
        frame = page.frame_locator("iframe")
        expect(frame.get_by_role("row", name=re.compile("Stripe"))).to_be_visible()
        expect(frame.get_by_role("row", name=re.compile("Hetzner"))).to_have_count(0)


def test_the_frame_runs_in_a_sandbox(contexts: Contexts, served: Served, elsewhere: str) -> None:
    with browsing(contexts, served) as (page, said):
        allowed = "allow-same-origin allow-top-navigation-by-user-activation"
        show(page, elsewhere, f'<iframe sandbox="{allowed}" src="{served.base}/antopsis/embed" title="List"></iframe>')
        frame = page.frame_locator("iframe")
        assert frame.locator("h1").evaluate("each => getComputedStyle(each).fontSize") == "18px"
        frame.get_by_role("link", name="The list in full").click()
        page.wait_for_url(f"{served.base}/antopsis/")
        # The scripts are the browser driver's own; the page has none.
        assert [text for text in said if "Blocked script execution" not in text] == []


@pytest.mark.parametrize("path", ["/antopsis/", "/antopsis/subscribe", "/antopsis/embed/how", "/antopsis/compare"])
def test_no_other_page_is_shown_in_a_frame(contexts: Contexts, served: Served, elsewhere: str, path: str) -> None:
    with browsing(contexts, served) as (page, said):
        show(page, elsewhere, f'<iframe src="{served.base}{path}" title="List"></iframe>')
        expect(page.frame_locator("iframe").locator("main")).to_have_count(0)
        assert any("frame-ancestors" in text for text in said)


def test_the_frame_is_light_or_dark_as_the_page_around_it(contexts: Contexts, served: Served, elsewhere: str) -> None:
    # Without what tests emulate, which would be one and the same for every frame.
    with browsing(contexts, served, color_scheme="null") as (page, _):
        for scheme, paper in (("light", "rgb(253, 253, 251)"), ("dark", "rgb(21, 25, 24)")):
            show(page, elsewhere, f'<iframe src="{served.base}/antopsis/embed" title="List"></iframe>', scheme)
            expect(page.frame_locator("iframe").locator("body")).to_have_css("background-color", paper)
