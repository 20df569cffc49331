"""The map and the timeline by keyboard, by screen reader, in the dark, on a telephone, enlarged, and on paper."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Page, Route, expect

from registry.pages.values import Addresses, PublicList
from tests.browser.axe import light_and_dark
from tests.browser.conftest import Served
from tests.pages.factories import public_list
from tests.pages.long_life import long_list
from tests.pages.reading import renderer

pytestmark = pytest.mark.browser

LISTS: Final = {"some": public_list(), "many": long_list(200)}
MAP: Final = "section[aria-labelledby=data_map]"
LIFE: Final = "section[aria-labelledby=list_life]"


@pytest.fixture
def made(page: Page, served: Served) -> Iterator[Page]:
    """Serve the made lists beside the real ones, with the same sheets, at `/made/<name>`."""

    def answer(route: Route) -> None:
        name = route.request.url.rsplit("/", 1)[-1]
        page_of = renderer().list_page(_of(name), Addresses(f"{served.base}/antopsis"))
        route.fulfill(body=page_of, content_type="text/html; charset=utf-8")

    page.route("**/made/*", answer)
    yield page
    page.unroute("**/made/*")


def _of(name: str) -> PublicList:
    return LISTS[name]


def tab_into(page: Page, section: str) -> str:
    """Press Tab until something within the pictures of a section has the focus; return its accessible name."""
    for _press in range(120):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "section => document.activeElement.closest(section + ' svg') && "
            "document.activeElement.getAttribute('aria-label')",
            section,
        )
        if name:
            return str(name)
    raise AssertionError(f"the keyboard never reached {section}")


def test_a_country_is_reached_by_keyboard_and_leads_to_the_entries_there(page: Page) -> None:
    page.goto("/antopsis/")
    assert tab_into(page, MAP).startswith("Germany: Processing")
    seen = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert seen != "none"
    edge = page.evaluate("() => getComputedStyle(document.activeElement.querySelector('.lit')).strokeWidth")
    assert float(edge.removesuffix("px")) >= 3
    page.keyboard.press("Enter")
    page.wait_for_url("**/antopsis/?region=DE*")


def test_a_bar_and_a_notice_are_reached_by_keyboard(made: Page) -> None:
    made.goto("/made/some")
    assert tab_into(made, LIFE) == "Analytics provider: on the list since 16 March 2026"
    for _press in range(30):
        made.keyboard.press("Tab")
        if "/notices/" in str(made.evaluate("() => document.activeElement.getAttribute('href')")):
            break
    assert made.evaluate("() => document.activeElement.getAttribute('aria-label')").startswith("Notice 2026-002")


def test_the_pictures_have_names_and_the_same_in_words(made: Page) -> None:
    made.goto("/made/some")
    expect(made.get_by_role("group", name="World map of the places of processing")).to_be_visible()
    expect(made.get_by_role("group", name="Map of the places of processing in Europe")).to_be_visible()
    ireland = made.get_by_role("link", name="Ireland: Processing (1 entry)")
    expect(ireland).to_have_count(1)
    expect(made.locator(f"{MAP} table")).to_be_visible()
    expect(made.get_by_role("group", name="Timeline from 16 March 2026 to 4 December 2026")).to_be_visible()
    words = made.locator(f"{LIFE} ol")
    expect(words).to_be_hidden()
    made.get_by_text("The timeline in words").press("Enter")
    expect(words).to_be_visible()


@pytest.mark.parametrize("name", LISTS)
def test_axe_finds_nothing(made: Page, name: str) -> None:
    made.goto(f"/made/{name}")
    for section in (MAP, LIFE):
        made.locator(f"{section} details").evaluate("details => { details.open = true }")
    assert light_and_dark(made) == []


@pytest.mark.parametrize("name", LISTS)
def test_the_pictures_fit_a_telephone_and_enlarged_text(made: Page, name: str) -> None:
    wide = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"
    made.set_viewport_size({"width": 320, "height": 640})
    made.goto(f"/made/{name}")
    assert not made.evaluate(wide)
    made.set_viewport_size({"width": 1280, "height": 900})
    made.evaluate("() => { document.documentElement.style.fontSize = '200%' }")
    assert not made.evaluate(wide)
    overlap = """() => {
        const rows = [...document.querySelectorAll('.timeline > a')].map(each => each.getBoundingClientRect().top)
        return rows.some((top, row) => row && top < rows[row - 1] - 60)
    }"""
    assert not made.evaluate(overlap)


def test_on_paper_a_folded_table_is_whole(made: Page) -> None:
    made.goto("/made/many")
    table = made.locator(f"{MAP} table")
    expect(table).to_be_hidden()
    made.emulate_media(media="print")
    expect(table).to_be_visible()


def test_functions_can_be_told_apart_without_colours_of_ours(made: Page) -> None:
    made.emulate_media(forced_colors="active")
    made.goto("/made/some")
    land, lit = (
        made.locator(f"{MAP} svg .{each}").first.evaluate("each => getComputedStyle(each).stroke")
        for each in ("land", "lit")
    )
    assert land != lit
    assert made.locator(f"{MAP} svg pattern").count() >= 3
