import locale
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime

import feedparser
import pytest
from lxml import etree

from feeds.syndication import build_atom, build_rss
from feeds.values import Feed, Item

RSS_URL = "https://trust.antopsis.example/antopsis/feed.rss"
ATOM_URL = "https://trust.antopsis.example/antopsis/feed.atom"
NAMESPACES = {
    "a": "http://www.w3.org/2005/Atom",
    "content": "http://purl.org/rss/1.0/modules/content/",
    "dc": "http://purl.org/dc/elements/1.1/",
}
HOSTILE = '</title><script>alert("1")</script> & ]]> <![CDATA[x]]> &lt;b&gt;'

Build = Callable[[Feed, str], bytes]
both_formats = pytest.mark.parametrize("build", [build_rss, build_atom])


def texts(document: bytes, path: str) -> list[str]:
    """The text or attribute values found at `path`, by a parser that accepts nothing that is not well formed."""
    found = etree.fromstring(document, etree.XMLParser(recover=False)).xpath(path, namespaces=NAMESPACES)
    return [str(value) for value in found]


def test_rss_says_of_the_channel_what_the_feed_says(feed: Feed) -> None:
    rss = build_rss(feed, RSS_URL)
    assert texts(rss, "/rss/@version") == ["2.0"]
    assert texts(rss, "/rss/channel/title/text()") == ["Antopsis: changes of subprocessors"]
    assert texts(rss, "/rss/channel/link/text()") == ["https://trust.antopsis.example/antopsis/"]
    assert texts(rss, "/rss/channel/a:link/@href") == [RSS_URL]
    assert texts(rss, "/rss/channel/a:link/@rel") == ["self"]
    assert texts(rss, "/rss/channel/description/text()") == [feed.subtitle]
    assert texts(rss, "/rss/channel/language/text()") == ["en"]
    assert texts(rss, "/rss/channel/lastBuildDate/text()") == ["Fri, 30 Oct 2026 23:00:00 +0000"]
    assert texts(rss, "/rss/channel/dc:creator/text()") == ["Antopsis GmbH"]


def test_rss_items_carry_id_dates_categories_and_content_newest_first(feed: Feed, hetzner_notice: Item) -> None:
    rss = build_rss(feed, RSS_URL)
    assert texts(rss, "//item/guid/text()") == [
        "tag:antopsis.example,2026:notices/2026-002",
        "tag:antopsis.example,2026:notices/2026-001",
    ]
    older = "//item[2]"
    assert texts(rss, f"{older}/link/text()") == [hetzner_notice.url]
    assert texts(rss, f"{older}/pubDate/text()") == ["Tue, 29 Sep 2026 08:00:00 +0000"]
    assert texts(rss, f"{older}/a:updated/text()") == ["2026-10-30T23:00:00+00:00"]
    assert texts(rss, f"{older}/category/text()") == ["location", "in effect"]
    assert texts(rss, f"{older}/content:encoded/text()") == [hetzner_notice.content_html]
    assert texts(rss, f"{older}/description/text()") == [
        "Backups move from Falkenstein.<br>\nIn effect since Saturday, 31 October 2026."
    ]


def test_a_guid_is_a_permalink_only_where_the_id_is_an_address(feed: Feed, hetzner_notice: Item) -> None:
    by_address = replace(hetzner_notice, id="https://trust.antopsis.example/antopsis/notices/2026-001")
    assert texts(build_rss(feed, RSS_URL), "//guid/@isPermaLink") == ["false", "false"]
    assert texts(build_rss(replace(feed, items=(by_address,)), RSS_URL), "//guid/@isPermaLink") == ["true"]


def test_atom_says_of_the_feed_what_the_feed_says(feed: Feed) -> None:
    atom = build_atom(feed, ATOM_URL)
    assert texts(atom, "/a:feed/a:id/text()") == ["tag:antopsis.example,2026:feed"]
    assert texts(atom, "/a:feed/@xml:lang") == ["en"]
    assert texts(atom, "/a:feed/a:updated/text()") == ["2026-10-30T23:00:00+00:00"]
    assert texts(atom, "/a:feed/a:author/a:name/text()") == ["Antopsis GmbH"]
    assert texts(atom, "/a:feed/a:link[@rel='self'][@type='application/atom+xml']/@href") == [ATOM_URL]
    assert texts(atom, "/a:feed/a:link[@rel='alternate']/@href") == ["https://trust.antopsis.example/antopsis/"]


def test_atom_entries_carry_id_dates_link_and_html_content_newest_first(feed: Feed, hetzner_notice: Item) -> None:
    atom = build_atom(feed, ATOM_URL)
    assert texts(atom, "//a:entry/a:id/text()") == [
        "tag:antopsis.example,2026:notices/2026-002",
        "tag:antopsis.example,2026:notices/2026-001",
    ]
    older = "//a:entry[2]"
    assert texts(atom, f"{older}/a:published/text()") == ["2026-09-29T08:00:00+00:00"]
    assert texts(atom, f"{older}/a:updated/text()") == ["2026-10-30T23:00:00+00:00"]
    assert texts(atom, f"{older}/a:link[@rel='alternate'][@type='text/html']/@href") == [hetzner_notice.url]
    assert texts(atom, f"{older}/a:content[@type='html']/text()") == [hetzner_notice.content_html]
    assert texts(atom, f"{older}/a:summary[not(@type)]/text()") == [hetzner_notice.summary_text]
    assert texts(atom, f"{older}/a:category/@term") == ["location", "in effect"]


@pytest.mark.parametrize(("build", "url", "version"), [(build_rss, RSS_URL, "rss20"), (build_atom, ATOM_URL, "atom10")])
def test_feedparser_takes_the_feed_without_complaint(feed: Feed, build: Build, url: str, version: str) -> None:
    parsed = feedparser.parse(build(feed, url))
    assert (parsed.bozo, parsed.version, parsed.encoding.lower()) == (False, version, "utf-8")
    assert parsed.feed.title == feed.title
    assert parsed.feed.author == "Antopsis GmbH"
    assert [link.href for link in parsed.feed.links if link.rel == "self"] == [url]
    assert parsed.feed.link == feed.site_url
    assert [entry.id for entry in parsed.entries] == [item.id for item in feed.items]
    older = parsed.entries[1]
    assert older.title == "Hetzner moves backups to Nürnberg"
    assert older.published_parsed[:6] == (2026, 9, 29, 8, 0, 0)
    assert older.updated_parsed[:6] == (2026, 10, 30, 23, 0, 0)
    assert [tag.term for tag in older.tags] == ["location", "in effect"]
    assert "<strong>Nürnberg</strong>" in older.content[0].value


@pytest.mark.parametrize(("build", "version"), [(build_rss, "rss20"), (build_atom, "atom10")])
def test_an_empty_feed_is_a_valid_feed_without_items(empty_feed: Feed, build: Build, version: str) -> None:
    parsed = feedparser.parse(build(empty_feed, RSS_URL))
    assert (parsed.bozo, parsed.version, parsed.entries) == (False, version, [])
    assert parsed.feed.title == "ApexStream: changes of subprocessors"


def test_an_item_without_summary_and_content_has_neither_element(feed: Feed, hetzner_notice: Item) -> None:
    bare = replace(feed, items=(replace(hetzner_notice, summary_text="", content_html=""),))
    assert texts(build_rss(bare, RSS_URL), "//item/description | //item/content:encoded") == []
    assert texts(build_atom(bare, ATOM_URL), "//a:summary | //a:content") == []


@both_formats
def test_hostile_markup_stays_text(feed: Feed, hetzner_notice: Item, build: Build) -> None:
    hostile = replace(hetzner_notice, title=HOSTILE, summary_text=HOSTILE, categories=(HOSTILE,))
    document = build(replace(feed, title=HOSTILE, author_name=HOSTILE, items=(hostile,)), RSS_URL)
    assert texts(document, "//*[local-name() = 'script']") == []
    assert texts(document, "//*[local-name() = 'title']/text()") == [HOSTILE, HOSTILE]


def test_a_hostile_summary_is_shown_as_text_by_an_rss_reader_that_renders_html(
    feed: Feed, hetzner_notice: Item
) -> None:
    hostile = replace(hetzner_notice, summary_text="<img src=x onerror=alert(1)> & <b>bold</b>")
    rss = build_rss(replace(feed, items=(hostile,)), RSS_URL)
    assert texts(rss, "//item/description/text()") == [
        "&lt;img src=x onerror=alert(1)&gt; &amp; &lt;b&gt;bold&lt;/b&gt;"
    ]


@both_formats
def test_a_control_character_in_any_text_does_not_break_the_feed(
    feed: Feed, hetzner_notice: Item, build: Build
) -> None:
    dirty = replace(
        hetzner_notice,
        title="Str\x00ipe",
        summary_text="sum\x0bmary",
        content_html="<p>con\ud800tent</p>",
        categories=("addi\x1ftion",),
    )
    document = build(
        replace(feed, title="Anto\x07psis", subtitle="sub\ufffetitle", author_name="Antopsis\x00", items=(dirty,)),
        RSS_URL,
    )
    parsed = feedparser.parse(document)
    assert parsed.bozo is False
    assert (parsed.feed.title, parsed.feed.subtitle, parsed.feed.author) == ("Antopsis", "subtitle", "Antopsis")
    entry = parsed.entries[0]
    assert (entry.title, entry.summary, entry.tags[0].term) == ("Stripe", "summary", "addition")
    assert entry.content[0].value == "<p>content</p>"


@both_formats
def test_the_own_address_must_be_one(feed: Feed, build: Build) -> None:
    with pytest.raises(ValueError, match="self_url must be an absolute http or https address"):
        build(feed, "/feed.rss")


@both_formats
def test_nothing_in_the_feed_names_a_library_or_a_version_of_one(feed: Feed, build: Build) -> None:
    document = build(feed, RSS_URL)
    assert b"feedgen" not in document
    assert texts(document, "//*[local-name() = 'generator']/text()") == ["Subprocessor registry"]


@both_formats
def test_fractions_of_a_second_and_years_far_off_are_written_right(
    feed: Feed, resend_notice: Item, build: Build
) -> None:
    late = replace(resend_notice, published_at=datetime(2099, 12, 31, 23, 59, 59, 999999, tzinfo=UTC))
    parsed = feedparser.parse(build(replace(feed, items=(late,)), RSS_URL))
    assert parsed.entries[0].published_parsed[:6] == (2099, 12, 31, 23, 59, 59)


def test_builds_on_many_threads_give_one_result_and_leave_the_locale_alone(feed: Feed) -> None:
    before = locale.setlocale(locale.LC_ALL)
    expected = build_rss(feed, RSS_URL)
    interval = sys.getswitchinterval()
    locale.setlocale(locale.LC_ALL, "C.UTF-8")
    # Threads that take turns this often meet between the two calls of setlocale in nearly every run.
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as threads:
            built = set(threads.map(lambda _: build_rss(feed, RSS_URL), range(400)))
        after = locale.setlocale(locale.LC_ALL)
    finally:
        sys.setswitchinterval(interval)
        locale.setlocale(locale.LC_ALL, before)
    assert built == {expected}
    assert after == "C.UTF-8"
