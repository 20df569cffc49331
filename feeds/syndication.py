"""RSS 2.0 and Atom 1.0, written by feedgen."""

import html
import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

from feedgen.feed import FeedGenerator
from feedgen.util import xml_elem

from feeds.values import Feed, Item, check_web_address

# Constant: feedgen's own default names its version, so that an upgrade would change every stored feed.
GENERATOR = "Subprocessor registry"

# RSS never said whether a title is text or HTML. Its profile (https://www.rssboard.org/rss-profile, "character data")
# has these two written as hexadecimal references where they are text: readers of either kind show them right.
_RSS_TEXT = re.compile(rb"<(title|description|category|language|generator|dc:creator)>[^<]*[&][^<]*</")
_REFERENCES = {b"&lt;": b"&#x3C;", b"&amp;": b"&#x26;"}

_ATOM_UPDATED = "{http://www.w3.org/2005/Atom}updated"

# feedgen formats RSS dates between two calls of setlocale, which is one setting for the whole process: two builds at
# once could leave the process in the locale "C", or write a month in another language.
_SETLOCALE_LOCK = Lock()


def build_rss(feed: Feed, self_url: str) -> bytes:
    """Return `feed` as an RSS 2.0 document in UTF-8, the same bytes for the same values.

    `self_url` is the absolute address the document is served at. Titles are plain text, as RSS has them. RSS readers
    take a description for HTML, so the plain summary is escaped once more; the full content follows as
    `content:encoded`. RSS has no date of change for an item, so it is told by `atom:updated`.

    Raises ValueError where `self_url` is no absolute http or https address.
    """
    generator = _describe(feed, self_url, "application/rss+xml")
    for item in feed.items:
        entry = _add_item(generator, item)
        if item.summary_text:
            entry.description(html.escape(item.summary_text, quote=False).replace("\n", "<br>\n"), isSummary=True)
        if item.content_html:
            entry.content(item.content_html, type="html")
    with _SETLOCALE_LOCK:
        built = bytes(generator.rss_str(pretty=True))
    return _RSS_TEXT.sub(_refer_in_hexadecimal, built)


def build_atom(feed: Feed, self_url: str) -> bytes:
    """Return `feed` as an Atom 1.0 document (RFC 4287) in UTF-8, the same bytes for the same values.

    `self_url` is the absolute address the document is served at. Title and summary are plain text, the content is of
    type html. Times are UTC, and no two entries have the same time of change.

    Raises ValueError where `self_url` is no absolute http or https address.
    """
    generator = _describe(feed, self_url, "application/atom+xml")
    for item, updated_at in _told_apart(feed.items):
        entry = _add_item(generator, item)
        entry.updated(updated_at)
        if item.summary_text:
            entry.summary(item.summary_text)
        if item.content_html:
            entry.content(item.content_html, type="html")
    return bytes(generator.atom_str(pretty=True))


def _refer_in_hexadecimal(match: re.Match[bytes]) -> bytes:
    return re.sub(rb"&(?:lt|amp);", lambda found: _REFERENCES[found[0]], match[0])


def _told_apart(items: Iterable[Item]) -> Iterable[tuple[Item, datetime]]:
    """Pair each item with its instant of change, the second of one instant a microsecond later, and so on.

    Feed validators take two entries with one `updated` for a mistake, and some readers show only one of them. Items
    that end a feed are the first to leave it, so they are the ones that are moved.
    """
    seen: Counter[datetime] = Counter()
    for item in items:
        updated_at = item.updated_at
        while seen[updated_at]:
            updated_at += timedelta(microseconds=1)
        seen[updated_at] += 1
        yield item, updated_at


class _EntryMends:
    """A feedgen extension for one entry: writes what feedgen 1.0 loses or does not know."""

    updated_at: datetime

    def extend_atom(self, entry: Any) -> None:
        # feedgen writes the href of an entry's link and drops its other attributes.
        for link in entry.findall("link"):
            link.set("rel", "alternate")
            link.set("type", "text/html")

    def extend_rss(self, item: Any) -> None:
        xml_elem(_ATOM_UPDATED, item).text = self.updated_at.isoformat()


def _describe(feed: Feed, self_url: str, media_type: str) -> Any:
    generator = FeedGenerator()
    generator.load_extension("dc", atom=False)
    generator.id(feed.id)
    generator.title(feed.title)
    # Sets Atom's subtitle and RSS's description alike; the latter must not be empty.
    generator.subtitle(feed.subtitle or feed.title)
    generator.language(feed.language)
    generator.author(name=feed.author_name)
    # RSS's own author elements hold an e-mail address; a name alone goes into dc:creator.
    generator.dc.dc_creator(feed.author_name)
    generator.generator(GENERATOR)
    # feedgen's default is the time of building.
    generator.updated(feed.updated_at)
    # The order matters: feedgen takes the link given last for the channel's own.
    generator.link(href=check_web_address("self_url", self_url), rel="self", type=media_type)
    generator.link(href=feed.site_url, rel="alternate", type="text/html")
    return generator


def _add_item(generator: Any, item: Item) -> Any:
    entry = generator.add_entry(order="append")
    entry.register_extension("mends", _EntryMends)
    entry.mends.updated_at = item.updated_at
    # An id that is an address is a permalink: a reader may follow it.
    entry.guid(item.id, permalink=item.id.lower().startswith(("http://", "https://")))
    entry.title(item.title)
    entry.link(href=item.url)
    entry.published(item.published_at)
    entry.updated(item.updated_at)
    for category in item.categories:
        entry.category(term=category)
    return entry
