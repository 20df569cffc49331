import json
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from feeds.json_feed import build_json_feed
from feeds.values import Feed, Item
from tests.feeds.json_feed_rules import JSON_FEED

URL = "https://trust.antopsis.example/antopsis/feed.json"


def built(feed: Feed) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(build_json_feed(feed, URL).decode("utf-8"))
    Draft202012Validator(JSON_FEED, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(document)
    return document


def test_the_feed_says_what_json_feed_1_1_asks_for(feed: Feed) -> None:
    document = built(feed)
    assert {key: value for key, value in document.items() if key != "items"} == {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "Antopsis: changes of subprocessors",
        "home_page_url": "https://trust.antopsis.example/antopsis/",
        "feed_url": URL,
        "description": "Every change, as it is announced and as it takes effect",
        "language": "en",
        "authors": [{"name": "Antopsis GmbH"}],
    }


def test_items_stand_newest_first_with_times_that_name_utc(feed: Feed, hetzner_notice: Item) -> None:
    newer, older = built(feed)["items"]
    assert newer["id"] == "tag:antopsis.example,2026:notices/2026-002"
    assert older == {
        "id": hetzner_notice.id,
        "url": hetzner_notice.url,
        "title": "Hetzner moves backups to Nürnberg",
        "summary": hetzner_notice.summary_text,
        "content_html": hetzner_notice.content_html,
        "date_published": "2026-09-29T08:00:00+00:00",
        "date_modified": "2026-10-30T23:00:00+00:00",
        "tags": ["location", "in effect"],
    }
    assert datetime.fromisoformat(older["date_modified"]) == hetzner_notice.updated_at


def test_an_empty_feed_has_an_empty_list_of_items(empty_feed: Feed) -> None:
    document = built(empty_feed)
    assert document["items"] == []
    assert "description" not in document


def test_an_item_without_html_has_its_words_as_text(feed: Feed, hetzner_notice: Item) -> None:
    worded = replace(hetzner_notice, content_html="", categories=())
    bare = replace(worded, summary_text="")
    (item,) = built(replace(feed, items=(worded,)))["items"]
    assert item["content_text"] == hetzner_notice.summary_text
    assert not {"content_html", "tags"} & set(item)
    (item,) = built(replace(feed, items=(bare,)))["items"]
    assert item["content_text"] == hetzner_notice.title
    assert "summary" not in item


def test_an_extension_stands_in_the_feed_and_in_its_items_under_an_underscore(feed: Feed, hetzner_notice: Item) -> None:
    item = replace(hetzner_notice, extension={"notice": "2026-001"})
    about = {"about": "https://trust.antopsis.example/antopsis/schemas/feed-1.json"}
    document = built(replace(feed, items=(item,), extension_name="subprocessor_registry", extension=about))
    assert document["_subprocessor_registry"] == about
    assert document["items"][0]["_subprocessor_registry"] == {"notice": "2026-001"}
    assert next(iter(document)) == "version"


def test_text_is_written_as_utf_8_and_without_control_characters(feed: Feed, hetzner_notice: Item) -> None:
    title = 'Nürn\x00berg "阿里云" \ud83c </script>'
    document = build_json_feed(replace(feed, items=(replace(hetzner_notice, title=title),)), URL)
    assert 'Nürnberg \\"阿里云\\" </script>'.encode() in document
    assert json.loads(document)["items"][0]["title"] == 'Nürnberg "阿里云" </script>'


def test_the_own_address_must_be_one(feed: Feed) -> None:
    with pytest.raises(ValueError, match="self_url must be an absolute http or https address"):
        build_json_feed(feed, "feed.json")
