"""The list's markup, for programs and screen readers: feeds, languages, headings, landmarks, nothing from elsewhere."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from registry.language import speaking
from registry.pages.selection import ListQuery
from tests.pages.factories import ADDRESSES, public_list
from tests.pages.reading import STYLESHEET_URL, Page, renderer


def test_feeds_calendar_and_files_are_discoverable_and_linked(page: Page) -> None:
    alternates = dict(
        zip(
            page.attributes("//link[@rel='alternate'][@type]", "href"),
            page.attributes("//link[@rel='alternate'][@type]", "type"),
            strict=True,
        )
    )
    assert alternates == {
        "https://lists.example/antopsis/feed.atom": "application/atom+xml",
        "https://lists.example/antopsis/feed.rss": "application/rss+xml",
        "https://lists.example/antopsis/feed.json": "application/feed+json",
        "https://lists.example/antopsis/calendar.ics": "text/calendar",
        "https://lists.example/antopsis/subprocessors.json": "application/json",
        "https://lists.example/antopsis/subprocessors.csv": "text/csv",
    }
    linked = page.attributes("//section[@aria-labelledby='follow']//a", "href")
    assert set(alternates) <= set(linked)
    assert "https://lists.example/antopsis/subscribe" in linked
    assert "https://lists.example/antopsis/compare" in linked
    assert "https://lists.example/antopsis/embed/how" in linked


def test_every_language_is_offered_by_its_own_name_and_to_programs(page: Page) -> None:
    chooser = "//nav[@class='languages']//a"
    assert page.texts(chooser) == ["English", "Deutsch", "Tiếng Việt", "中文"]
    assert page.attributes(chooser, "lang") == page.attributes(chooser, "hreflang") == ["en", "de", "vi", "zh"]
    assert page.attributes(f"{chooser}[@aria-current]", "lang") == ["en"]
    alternates = "//link[@rel='alternate'][@hreflang]"
    assert page.attributes(alternates, "hreflang") == ["en", "de", "vi", "zh", "x-default"]
    assert page.attributes(alternates, "href")[1] == "https://lists.example/antopsis/?lang=de"
    assert page.attributes(alternates, "href")[-1] == "https://lists.example/antopsis/"


def test_a_page_in_another_language_keeps_it_in_its_links_and_its_permanent_addresses_do_not() -> None:
    with speaking("de"):
        page = Page(renderer().list_page(public_list(), replace(ADDRESSES, lang="de"), ListQuery(region=("DE",))))
    assert page.attributes("/html", "lang") == ["de"]
    own = [url for url in page.attributes("//main//a", "href") if url.startswith("https://lists.example")]
    assert own
    assert [url for url in own if "lang=de" not in url] == []
    addresses = page.texts("//code[@class='address']")
    assert len(addresses) == 2
    assert [url for url in addresses if "lang" in url] == []
    assert page.attributes("//form[@role='search']/input[@name='lang']", "value") == ["de"]
    assert page.attributes("//link[@rel='canonical']", "href") == ["https://lists.example/antopsis/?lang=de"]


def test_a_page_says_to_other_services_what_it_is(page: Page) -> None:
    said = dict(
        zip(
            page.attributes("//meta[@property]", "property"),
            page.attributes("//meta[@property]", "content"),
            strict=True,
        )
    )
    assert said["og:title"] == "Antopsis subprocessors"
    assert said["og:description"].startswith("Who Antopsis shares personal data with")
    assert said["og:url"] == "https://lists.example/antopsis/"


def test_headings_go_down_one_level_at_a_time(page: Page) -> None:
    levels = [int(element.tag[1]) for element in page.root.xpath("//h1|//h2|//h3|//h4|//h5|//h6")]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))


def test_the_page_has_landmarks_a_skip_link_and_labels_for_every_field(page: Page) -> None:
    assert [len(page.root.xpath(f"/html/body/{tag}")) for tag in ("header", "main", "footer")] == [1, 1, 1]
    assert page.attributes("//a[@class='skip']", "href") == ["#main"]
    fields = page.root.xpath("//input[not(@type='hidden')]|//select")
    labelled = set(page.attributes("//label", "for"))
    assert fields
    assert {field.get("id") for field in fields} <= labelled
    assert page.attributes("/html", "lang") == ["en"]


def test_every_table_heading_has_a_scope_and_every_id_stands_once(page: Page) -> None:
    assert page.root.xpath("//th[not(@scope)]") == []
    ids = page.attributes("//*[@id]", "id")
    assert len(ids) == len(set(ids))


def test_the_page_asks_nobody_else_for_anything_and_needs_no_script_or_inline_style(page: Page) -> None:
    loaded = page.attributes("//link[@rel='stylesheet']", "href") + page.attributes("//*[@src]", "src")
    assert loaded == [STYLESHEET_URL, STYLESHEET_URL.replace("registry", "pictures")]
    assert page.root.xpath("//script|//style|//iframe|//*[@style]") == []
    handlers = [name for element in page.root.iter() for name in element.attrib if name.startswith("on")]
    assert handlers == []
