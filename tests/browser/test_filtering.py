"""The list as somebody narrows it to what concerns them, keeps it, and takes it along: without a script."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.browser.axe import light_and_dark
from tests.browser.conftest import Contexts, Served
from tests.browser.test_public_pages import FAINT_TEXTS, SCHEMES, assert_fits

pytestmark = pytest.mark.browser

NARROWED = (
    *("?region=DE&region=US&q=data", "?q=nobody&region=VN", "?region=Germny", "?as_of=2026-09-30&role=subprocessor"),
    *("?lang=de&mechanism=none.same-area", "entries/hetzner-falkenstein?lang=vi"),
)


@pytest.fixture
def scriptless(contexts: Contexts, served: Served) -> Iterator[Page]:
    """A page of a browser that runs no script at all."""
    with contexts.page(served.base, java_script_enabled=False) as page:
        yield page


def test_a_list_is_narrowed_kept_as_a_bookmark_and_loaded_as_a_file(scriptless: Page) -> None:
    page = scriptless
    page.goto("/antopsis/")
    page.get_by_text("Filter by").click()
    page.get_by_label("Region").select_option("Germany")
    page.get_by_label("Data", exact=True).select_option("Usage data")
    page.get_by_role("button", name="Show these").click()
    expect(page).to_have_url(re.compile(r"region=DE&.*data=Usage\+data.*#list$"))
    expect(page.get_by_role("status")).to_have_text("1 entry of 2 found.")
    bookmark = page.url

    page.goto("/antopsis/notices/")
    page.goto(bookmark)
    expect(page.locator(".name")).to_have_text(["Hetzner"])
    csv_url = page.get_by_role("link", name="CSV").first.get_attribute("href")
    assert csv_url is not None
    assert "region=DE" in csv_url
    body = page.request.get(csv_url).body().decode("utf-8-sig")
    assert [row["name"] for row in csv.DictReader(io.StringIO(body))] == ["Hetzner"]

    page.get_by_role("link", name="Without Region: Germany").click()
    expect(page).not_to_have_url(re.compile("region"))
    page.get_by_role("link", name="Show all").click()
    expect(page).to_have_url(re.compile(rf"^http://{re.escape(urlsplit(bookmark).netloc)}/antopsis/#list$"))
    expect(page.locator(".name")).to_have_count(2)


def test_another_language_is_chosen_and_kept_while_reading_on(scriptless: Page) -> None:
    page = scriptless
    page.goto("/antopsis/?q=stripe")
    page.get_by_role("link", name="Deutsch").click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page).to_have_url(re.compile(r"q=stripe&lang=de"))
    page.get_by_role("link", name="Stripe", exact=True).first.click()
    expect(page.locator("html")).to_have_attribute("lang", "de")
    page.get_by_role("link", name="English").click()
    expect(page.locator("html")).to_have_attribute("lang", "en")


def test_the_list_is_a_table_where_there_is_room_and_cards_where_there_is_none(page: Page) -> None:
    shape = "() => getComputedStyle(document.querySelector('table.list')).display"
    page.goto("/antopsis/")
    assert page.evaluate(shape) == "table"
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate(shape) == "block"
    # A screen reader is told of rows and cells all the same.
    table = page.get_by_role("table", name=re.compile("^Subprocessors"))
    expect(table.get_by_role("columnheader")).to_have_count(5)
    expect(table.get_by_role("rowheader")).to_have_count(2)
    label = "() => getComputedStyle(document.querySelector('table.list td'), '::before').content"
    assert page.evaluate(label) == '"Purpose"'


def test_narrowed_past_and_translated_lists_can_be_read_by_everybody(page: Page) -> None:
    for path in NARROWED:
        page.goto(f"/antopsis/{path}")
        for width in (320, 1280):
            page.set_viewport_size({"width": width, "height": 800})
            assert_fits(page, path)
            assert light_and_dark(page) == [], (path, width)
            for scheme in SCHEMES:
                page.emulate_media(color_scheme=scheme)
                assert page.evaluate(FAINT_TEXTS) == [], (path, width, scheme)
