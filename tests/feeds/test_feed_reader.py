"""An independent feed reader subscribes over HTTP and follows a notice from its announcement to its effect."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from reader import make_reader

from feeds.json_feed import build_json_feed
from feeds.syndication import build_atom, build_rss
from feeds.values import Feed, Item
from tests.feeds.conftest import FeedServer

Build = Callable[[Feed, str], bytes]
every_format = pytest.mark.parametrize(
    ("build", "path", "media_type"),
    [
        (build_rss, "/feed.rss", "application/rss+xml; charset=utf-8"),
        (build_atom, "/feed.atom", "application/atom+xml; charset=utf-8"),
        (build_json_feed, "/feed.json", "application/feed+json"),
    ],
)


@every_format
def test_a_reader_shows_the_feed_as_it_was_built(
    feed: Feed, hetzner_notice: Item, feed_server: FeedServer, build: Build, path: str, media_type: str
) -> None:
    url = feed_server.serve(path, media_type, build(feed, feed_server.address + path))
    with make_reader(":memory:") as reader:
        reader.add_feed(url)
        update = reader.update_feed(url)
        assert update is not None
        assert (update.new, update.modified, update.unmodified) == (2, 0, 0)

        subscribed = reader.get_feed(url)
        assert subscribed.last_exception is None
        assert (subscribed.title, subscribed.link) == (feed.title, feed.site_url)
        assert (subscribed.authors_str, subscribed.subtitle) == (feed.author_name, feed.subtitle)

        shown = {entry.id: entry for entry in reader.get_entries(feed=url)}
        assert set(shown) == {item.id for item in feed.items}
        older = shown[hetzner_notice.id]
        assert older.title == "Hetzner moves backups to Nürnberg"
        assert older.link == hetzner_notice.url
        assert older.published == datetime(2026, 9, 29, 8, 0, tzinfo=UTC)
        assert older.updated == datetime(2026, 10, 30, 23, 0, tzinfo=UTC)
        assert older.content[0].value == hetzner_notice.content_html
        assert older.content[0].type == "text/html"


@every_format
def test_a_reader_is_told_once_that_a_notice_took_effect_and_of_nothing_in_between(
    feed: Feed, resend_notice: Item, feed_server: FeedServer, build: Build, path: str, media_type: str
) -> None:
    url = feed_server.serve(path, media_type, build(feed, feed_server.address + path))
    with make_reader(":memory:") as reader:
        reader.add_feed(url)
        reader.update_feeds()

        with time_machine.travel(feed.updated_at + timedelta(days=20)):
            rebuilt = build(feed, feed_server.address + path)
        feed_server.serve(path, media_type, rebuilt)
        assert reader.update_feed(url) is None
        assert feed_server.answers == [(path, 200), (path, 304)]

        effective_at = datetime(2026, 11, 29, 23, 0, tzinfo=UTC)
        in_effect = replace(resend_notice, title="Resend is added: in effect", updated_at=effective_at)
        others = tuple(item for item in feed.items if item.id != resend_notice.id)
        later = replace(feed, items=(in_effect, *others), updated_at=effective_at)
        feed_server.serve(path, media_type, build(later, feed_server.address + path))
        update = reader.update_feed(url)
        assert update is not None
        assert (update.new, update.modified, update.unmodified) == (0, 1, 1)
        entry = reader.get_entry((url, resend_notice.id))
        assert (entry.title, entry.updated) == ("Resend is added: in effect", effective_at)
        assert entry.published == resend_notice.published_at


@every_format
def test_a_reader_takes_an_empty_feed_and_then_its_first_item(
    empty_feed: Feed, resend_notice: Item, feed_server: FeedServer, build: Build, path: str, media_type: str
) -> None:
    url = feed_server.serve(path, media_type, build(empty_feed, feed_server.address + path))
    with make_reader(":memory:") as reader:
        reader.add_feed(url)
        reader.update_feeds()
        assert reader.get_feed(url).last_exception is None
        assert reader.get_entry_counts(feed=url).total == 0

        first = replace(empty_feed, items=(resend_notice,), updated_at=resend_notice.updated_at)
        feed_server.serve(path, media_type, build(first, feed_server.address + path))
        update = reader.update_feed(url)
        assert update is not None
        assert (update.new, update.modified) == (1, 0)
