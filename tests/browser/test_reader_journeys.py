"""What a reader does from the first look to an answer: narrow, keep, take along, look back, in their own language."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import feedparser
import icalendar
import pytest
from babel.messages.pofile import read_po
from playwright.sync_api import Page, ViewportSize, expect

from registry.language import CATALOGUES, country_name, gettext, short_date, speaking
from tests.browser.axe import violations
from tests.browser.conftest import Contexts, Served
from tests.browser.test_public_pages import assert_fits
from tests.web.public_life import ANNOUNCED, HELD, PAST_DAY, SLUG
from tests.web.site import path_of
from tests.world import link_in, text_of

pytestmark = pytest.mark.browser

HERE = f"/{SLUG}/"
PHONE: ViewportSize = {"width": 320, "height": 640}
LANGUAGES = {"de": "Deutsch", "vi": "Tiếng Việt"}
READ = (
    *("", f"?as_of={PAST_DAY}&region=DE", "entries/cloudflare", f"notices/{HELD}", "notices/", "subscribe"),
    *(f"compare?from={PAST_DAY}&to=2026-12-01", "embed", "embed/how", "?region=Germny", "entries/nobody"),
)
"""Pages that are read word by word."""
WORDS_SHOWN = """() => {
    const said = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const text = walker.currentNode.textContent.replace(/\\s+/g, ' ').trim();
        if (text && !walker.currentNode.parentElement.closest('.languages')) said.push(text);
    }
    for (const name of ['aria-label', 'title', 'alt', 'placeholder', 'data-label'])
        for (const each of document.querySelectorAll(`[${name}]`)) said.push(each.getAttribute(name));
    return [...said, document.title];
}"""
"""Every piece of text, seen or read aloud; of sentences with a link in them, the pieces."""


@pytest.fixture(scope="module")
def served(northlight: Served) -> Served:
    """The publisher with much to show."""
    return northlight


@contextmanager
def browsing(contexts: Contexts, served: Served, **options: Any) -> Iterator[Page]:
    """A browser of somebody's own, which keeps no cookie."""
    with contexts.page(served.base, **options) as page:
        yield page
        assert page.context.cookies() == []


def address_behind(page: Page, link: str) -> str:
    """Return where a link among those of the narrowed list leads."""
    href = page.locator(".outcome").get_by_role("link", name=link, exact=True).get_attribute("href")
    assert href is not None
    return href


def keys_shown(page: Page) -> list[str]:
    """Return the keys of the entries that the page lists."""
    ids = page.locator("table.list tbody").evaluate_all("all => all.map(each => each.id)")
    return sorted(str(each).removeprefix("entry-") for each in ids)


def test_a_bookmark_is_one_list_as_page_files_feeds_and_calendar(page: Page) -> None:
    page.goto(HERE)
    page.get_by_text("Filter by").press("Enter")
    page.get_by_label("Region", exact=True).select_option("Vietnam")
    page.get_by_label("Role", exact=True).select_option("Subprocessor")
    page.get_by_role("button", name="Show these").click()
    page.wait_for_url("**/?*#list")
    bookmark = page.url
    page.goto("about:blank")
    page.goto(bookmark)
    shown = keys_shown(page)
    assert "zendesk" in shown
    # Stripe is to be in Vietnam by a notice that is held: it is told of already, and is not there yet.
    assert "stripe" not in shown
    assert 1 < len(shown) < 20

    def fetch(link: str) -> bytes:
        answer = page.request.get(address_behind(page, link))
        assert answer.ok
        return answer.body()

    document = json.loads(fetch("JSON"))
    assert sorted(entry["key"] for entry in document["entries"]) == shown
    rows = csv.DictReader(io.StringIO(fetch("CSV").decode("utf-8-sig")))
    assert sorted(row["key"] for row in rows) == shown

    feed = json.loads(fetch("JSON Feed"))
    # What is of no notice tells that the list began.
    told = [notice for item in feed["items"] if (notice := item["_subprocessor_registry"]["notice"])]
    concerned = {change["key"] for notice in told for change in notice["changes"]}
    assert {"stripe"} <= concerned <= {*shown, "stripe"}
    ids = [item["id"] for item in feed["items"]]
    for link in ("Atom feed", "RSS feed"):
        parsed = feedparser.parse(fetch(link))
        assert not parsed.bozo, parsed.get("bozo_exception")
        assert [entry.id for entry in parsed.entries] == ids
    calendar = icalendar.Calendar.from_ical(fetch("Calendar of dates and deadlines"))
    assert {str(event["url"]) for event in calendar.walk("VEVENT")} == {notice["url"] for notice in told}


def test_the_list_of_a_past_day_its_files_and_what_has_changed_since(page: Page) -> None:
    page.goto(HERE)
    page.get_by_label("See the list as it stood at the end of a past day").fill(PAST_DAY)
    page.get_by_role("button", name="Show that day").click()
    banner = page.locator(".as-of")
    expect(banner).to_contain_text("as it stood at the end of Thursday, 15 October 2026")
    expect(page.locator("#entry-wasabi")).to_be_visible()
    expect(page.locator("#entry-kyoto")).to_have_count(0)
    href = page.locator(".follow").get_by_role("link", name="JSON", exact=True).get_attribute("href")
    assert href is not None
    document = json.loads(page.request.get(href).body())
    assert sorted(entry["key"] for entry in document["entries"]) == keys_shown(page)
    banner.get_by_label("Another day").fill("2026-12-01")
    banner.get_by_role("button", name="Show that day").click()
    expect(page.locator("#entry-kyoto")).to_be_visible()
    page.get_by_role("link", name="Show the list as it is now").click()
    expect(page).to_have_url(re.compile(rf"{HERE}$"))
    expect(banner).to_have_count(0)

    page.get_by_role("link", name="Compare two days").click()
    page.get_by_label("From the end of").fill(PAST_DAY)
    page.get_by_label("To the end of").fill("2026-12-01")
    page.get_by_role("button", name="Compare").click()
    expect(page.get_by_role("status")).to_have_text("4 entries differ.")
    for name in ("Kyoto Storage", "Wasabi", "Regional Carrier 5"):
        expect(page.get_by_role("link", name=name).first).to_be_visible()
    moved = page.get_by_role("table", name="Hetzner: what changes").get_by_role("row", name="Places")
    expect(moved).to_contain_text("Helsinki, Finland (processing)")


def test_on_a_phone_a_way_through_the_list_fits_at_every_step(contexts: Contexts, served: Served) -> None:
    with browsing(contexts, served, viewport=PHONE, has_touch=True, is_mobile=True) as page:
        page.goto(HERE)
        assert_fits(page, "list")
        page.get_by_text("Filter by").tap()
        page.get_by_label("Region", exact=True).select_option("Germany")
        page.get_by_role("button", name="Show these").tap()
        page.wait_for_url("**/?*#list")
        assert_fits(page, "narrowed")
        assert violations(page) == []
        page.locator("a.name").first.tap()
        page.wait_for_url("**/entries/*")
        assert_fits(page, "entry")
        page.goto(f"{HERE}entries/fastly")
        expect(page.locator(".tree").get_by_role("link", name="Hetzner")).to_be_visible()
        assert_fits(page, "chain")
        page.goto(f"{HERE}notices/{HELD}")
        assert_fits(page, "notice")
        page.get_by_role("link", name="Subscribe", exact=True).tap()
        page.wait_for_url("**/subscribe")
        assert_fits(page, "form")


def test_without_a_script_somebody_filters_and_subscribes_in_german(contexts: Contexts, served: Served) -> None:
    def german(message: str) -> str:
        with speaking("de"):
            return gettext(message)

    reader = "frieda@leserin.example"
    with browsing(contexts, served, java_script_enabled=False, locale="de-DE") as page:
        page.goto(HERE)
        page.get_by_role("searchbox").fill("stripe")
        page.get_by_role("searchbox").press("Enter")
        expect(page.locator("a.name")).to_have_text(["Stripe"])
        page.get_by_role("link", name=german("Subscribe"), exact=True).first.click()
        page.get_by_label(german("Your e-mail address")).fill(reader)
        page.get_by_role("button", name=german("Subscribe")).click()
        expect(page.get_by_role("heading", name=german("Look into your mail"))).to_be_visible()
        (letter,) = served.site.letters_to(reader)
        assert f"/{SLUG}/confirm/" in text_of(letter)
        page.goto(path_of(link_in(letter, "confirm")))
        page.get_by_role("button", name=german("Confirm the subscription")).click()
        expect(page.get_by_role("heading", name=german("Confirmed"))).to_be_visible()
        # What is pending comes at once, and in the language that was asked in.
        pending = [text_of(each) for each in served.site.letters_to(reader)]
        assert sum(ANNOUNCED in text for text in pending) == 1
        with speaking("de"):
            assert any(short_date(date(2027, 1, 25)) in text for text in pending)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_holds_from_page_to_page_and_speaks_for_itself(page: Page, language: str) -> None:
    page.goto(HERE)
    page.get_by_role("link", name=LANGUAGES[language], exact=True).click()
    expect(page.locator("html")).to_have_attribute("lang", language)
    assert parse_qs(urlsplit(page.url).query)["lang"] == [language]
    with speaking(language):
        germany, effective = country_name("DE"), short_date(date(2027, 2, 15))
        heading = gettext("Subprocessors")
    assert heading != "Subprocessors"
    expect(page.get_by_role("heading", level=1)).to_have_text(heading)
    expect(page.locator("main")).to_contain_text(str(germany))
    expect(page.locator("main")).to_contain_text(effective)
    own = f"{urlsplit(page.url).scheme}://{urlsplit(page.url).netloc}{HERE}"
    links = page.locator("a[href], link[rel=alternate]:not([hreflang])")
    targets = links.evaluate_all("all => all.map(each => each.getAttribute('href'))")
    inner = [link for link in targets if link.startswith(own)]
    assert len(inner) > 60
    assert [link for link in inner if "lang=" not in link] == []
    page.locator("#entry-cloudflare a.name").click()
    expect(page.locator("html")).to_have_attribute("lang", language)
    # The chooser leads back, on the page somebody is on.
    page.get_by_role("link", name="English", exact=True).click()
    expect(page).to_have_url(re.compile(r"/entries/cloudflare"))
    expect(page.locator("html")).to_have_attribute("lang", "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_browser_that_asks_for_a_language_gets_it(contexts: Contexts, served: Served, language: str) -> None:
    with browsing(contexts, served, locale=language) as page:
        page.goto(f"{HERE}?region=DE")
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator(".outcome")).to_contain_text(str(_country("DE", language)))
        expect(page.locator("nav.languages a[aria-current]")).to_have_text(LANGUAGES[language])


def _country(code: str, language: str) -> str | None:
    with speaking(language):
        return country_name(code)


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_english_is_left_over(contexts: Contexts, served: Served, language: str) -> None:
    own, left = _own_words(served), []
    with browsing(contexts, served) as page:
        for path in READ:
            page.goto(f"{HERE}{path}{'&' if '?' in path else '?'}lang={language}")
            expect(page.locator("html")).to_have_attribute("lang", language)
            left += [f"{path}: {each}" for each in _english(page.evaluate(WORDS_SHOWN), language, own)]
    assert "\n".join(left) == ""


def _own_words(served: Served) -> set[str]:
    """Return what the publisher wrote, which nobody translates but the publisher."""
    words: set[str] = set()

    def gather(value: object) -> None:
        if isinstance(value, str):
            words.update([value, *value.splitlines()])
        elif isinstance(value, dict):
            for each in value.values():
                gather(each)
        elif isinstance(value, list | tuple):
            for each in value:
                gather(each)

    for as_of in (None, date.fromisoformat(PAST_DAY)):
        public = served.site.world.public(as_of, slug=SLUG)
        gather([entry.content.model_dump(mode="json") for entry in public.entries])
        gather([entry.content.model_dump(mode="json") for entry in public.removed])
        for notice in public.notices:
            gather([[each.before, each.after] for change in notice.changes for each in change.fields])
            gather([notice.summary, *(change.name for change in notice.changes)])
    return words


def _english(said: list[str], language: str, own: set[str]) -> list[str]:
    """Return the pieces of a page that the catalogue has other words for."""
    pieces = _pieces(language)
    long_ones = sorted((word for word in own if word.count(" ") >= 2), key=len, reverse=True)
    found = []
    for text in said:
        bare = text.strip(" .,:;–“”()")
        if text in own or bare in own:
            continue
        rest = text
        for word in long_ones:
            rest = rest.replace(word, "…")
        # One word may be a part of anything; several words in a row are ours.
        wrong = [piece for piece in pieces if piece == bare or (piece.count(" ") >= 2 and piece in rest)]
        found += [f"{text!r} has {piece!r} of {pieces[piece]!r}" for piece in wrong]
    return found


@cache
def _pieces(language: str) -> dict[str, str]:
    """Return what stands between the blanks of every English sentence and is not so in this language."""
    with (CATALOGUES / f"{language}.po").open("rb") as file:
        catalogue = read_po(file)
    pieces: dict[str, str] = {}
    for message in catalogue:
        if not message.id:
            continue
        english = [message.id] if isinstance(message.id, str) else list(message.id)
        other = message.string if isinstance(message.string, str) else " ".join(message.string or ())
        for sentence in english:
            for piece in re.split(r"%\(\w+\)s|\{\w+\}", sentence):
                text = " ".join(piece.split()).strip(" .,:;–“”()")
                if re.search(r"[A-Za-z]{3}", text) and text not in other:
                    pieces[text] = sentence
    return pieces


def test_the_list_is_searched_narrowed_and_turned_into_another_language_by_keyboard(page: Page) -> None:
    def reach(what: str) -> None:
        for _press in range(150):
            page.keyboard.press("Tab")
            if page.evaluate("what => document.activeElement.matches(what)", what):
                style = page.evaluate("() => getComputedStyle(document.activeElement).outlineStyle")
                assert style != "none", what
                return
        raise AssertionError(f"the keyboard never reached {what}")

    page.goto(HERE)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    reach("#f-q")
    page.keyboard.type("data")
    reach(".filter summary")
    page.keyboard.press("Enter")
    reach("#f-role")
    page.keyboard.type("Aff")
    page.keyboard.press("Space")
    reach(".choices > button")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?*#list")
    asked = parse_qs(urlsplit(page.url).query)
    assert asked["q"] == ["data"]
    assert asked["role"] == ["affiliate"]
    # Coming to the list, the keyboard goes on from there, and the choice is taken back.
    reach(".chips a")
    page.keyboard.press("Enter")
    page.wait_for_function("() => !location.search.includes('q=data')")
    reach("nav.languages a[hreflang=vi]")
    page.keyboard.press("Enter")
    page.wait_for_url("**lang=vi*")
    expect(page.locator("html")).to_have_attribute("lang", "vi")
    assert parse_qs(urlsplit(page.url).query)["role"] == ["affiliate"]
