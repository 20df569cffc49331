"""The public pages as people meet them: on a narrow phone, enlarged, by keyboard, in the dark, on paper."""

from __future__ import annotations

import re
from typing import Final, Literal

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Served
from tests.web.site import path_of
from tests.world import link_in

pytestmark = pytest.mark.browser

ADDRESSES = (
    *("/", "/antopsis/", "/nextapi/", "/antopsis/entries/hetzner-falkenstein", "/antopsis/notices/"),
    *("/antopsis/subscribe", "/antopsis/?q=nobody&as_of=2026-09-30"),
)

SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")

OVERFLOW = """() => [...document.querySelectorAll('body *')]
    .filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth + 1
        && getComputedStyle(each).position !== 'absolute')
    .map(each => each.tagName + '.' + each.className)"""

# Relative luminance and contrast as WCAG 2.2 defines them, of every text against what is painted behind it.
FAINT_TEXTS = """() => {
    const channels = colour => colour.match(/[\\d.]+/g).map(Number);
    const luminance = ([r, g, b]) => [r, g, b]
        .map(c => c / 255).map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
        .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = element => {
        for (let each = element; each; each = each.parentElement) {
            const colour = channels(getComputedStyle(each).backgroundColor);
            if (colour.length < 4 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const faint = [];
    for (const element of document.querySelectorAll('body *')) {
        const text = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
        if (!text || !element.checkVisibility()) continue;
        const [a, b] = [luminance(channels(getComputedStyle(element).color)), luminance(behind(element))];
        const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (contrast < 4.5) faint.push([element.tagName, element.className, element.textContent.trim(), contrast]);
    }
    return faint;
}"""


def assert_fits(page: Page, address: str) -> None:
    """Assert that nothing has to be scrolled sideways."""
    wide = page.evaluate("() => document.documentElement.scrollWidth > document.documentElement.clientWidth")
    assert not wide, f"{address}: {page.evaluate(OVERFLOW)}"


def test_every_page_fits_a_screen_of_320_pixels_and_an_enlargement_of_200_percent(page: Page, served: Served) -> None:
    for address in (*ADDRESSES, f"/antopsis/notices/{served.number}"):
        page.set_viewport_size({"width": 320, "height": 640})
        page.goto(address)
        assert_fits(page, address)
        # A desktop window enlarged to 200 % has half its width; text alone may be enlarged too (WCAG 1.4.4, 1.4.10).
        page.set_viewport_size({"width": 640, "height": 450})
        assert_fits(page, address)
        page.set_viewport_size({"width": 1280, "height": 900})
        page.evaluate("() => { document.documentElement.style.fontSize = '200%' }")
        assert_fits(page, address)


def test_text_can_be_read_in_light_and_in_dark(page: Page, served: Served) -> None:
    papers = set()
    for address in (*ADDRESSES, f"/antopsis/notices/{served.number}"):
        page.goto(address)
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(FAINT_TEXTS) == [], (scheme, address)
            papers.add((scheme, page.evaluate("() => getComputedStyle(document.body).backgroundColor")))
    assert len(papers) == len({paper for _, paper in papers}) == 2


def test_somebody_subscribes_and_leaves_by_keyboard_and_the_links_of_their_letters(page: Page, served: Served) -> None:
    site = served.site
    page.goto("/antopsis/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Be told of changes")).to_be_focused()
    outline = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none"
    page.keyboard.press("Enter")
    page.wait_for_url("**/antopsis/subscribe")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("() => document.activeElement.id") == "email":
            break
    page.keyboard.type("fred@reader.example")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()

    (letter,) = site.letters_to("fred@reader.example")
    page.goto(path_of(link_in(letter, "confirm")))
    expect(page.get_by_role("heading", name="One click to confirm")).to_be_visible()
    page.get_by_role("button", name="Confirm the subscription").press("Enter")
    expect(page.get_by_role("heading", name="Confirmed")).to_be_visible()

    letters = site.letters_to("fred@reader.example")
    page.goto(path_of(link_in(letters[-1], "manage")))
    page.get_by_label("Also tell me when a change has taken effect").check()
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_have_text("Saved.")
    expect(page.get_by_label("Also tell me when a change has taken effect")).to_be_checked()
    page.goto(path_of(link_in(letters[-1], "unsubscribe")))
    page.get_by_role("button", name="Stop all letters").click()
    expect(page.get_by_role("heading", name="Unsubscribed")).to_be_visible()


def test_a_mistake_is_said_where_it_is_and_what_was_typed_stays(page: Page) -> None:
    page.goto("/antopsis/subscribe")
    page.get_by_label("E-mail address").fill("fred@reader")
    page.get_by_label("Name").fill("Fred")
    page.get_by_role("button", name="Subscribe").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot be an e-mail address")
    email = page.get_by_label("E-mail address")
    expect(email).to_have_attribute("aria-invalid", "true")
    expect(email).to_have_accessible_description(re.compile("cannot be an e-mail address"))
    expect(page.get_by_label("Name")).to_have_value("Fred")


def test_the_list_is_searched_and_shown_as_of_a_past_day_without_a_script(page: Page) -> None:
    page.goto("/antopsis/")
    page.get_by_role("searchbox", name="Search the list").fill("falkenstein")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("1 entry of 2 found")
    page.goto("/antopsis/")
    page.get_by_label("See the list as it stood").fill("2026-09-30")
    page.get_by_role("button", name="Show that day").click()
    expect(page).to_have_url(re.compile(r"as_of=2026-09-30"))
    expect(page.get_by_role("heading", name="Hetzner").first).to_be_visible()


def test_on_paper_the_list_stands_without_what_only_a_screen_needs(page: Page) -> None:
    page.goto("/antopsis/")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.get_by_role("navigation", name="Main")).to_be_hidden()
    expect(page.get_by_role("heading", name="Upcoming changes")).to_be_visible()
    assert page.evaluate("() => getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert_fits(page, "paper")
