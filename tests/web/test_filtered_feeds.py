"""Feeds and the calendar over HTTP as readers fetch them: narrowed, in a language, valid, and once only."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import feedparser
import icalendar
import jsonschema
import pytest

from registry.steps.lookup import get_notice, get_publisher
from registry.steps.postpone_notice import postpone_notice
from registry.steps.withdraw_notice import withdraw_notice
from tests.databases import ReusedDatabase
from tests.feeds.json_feed_rules import JSON_FEED
from tests.feeds.rules import complaints
from tests.web.conftest import serving_again
from tests.web.site import Site, json_of
from tests.world import ANNA, World, antopsis, utc

BASE = "http://127.0.0.1:8000"
FEEDS = ["feed.rss", "feed.atom", "feed.json", "calendar.ics"]
every_feed = pytest.mark.parametrize("path", FEEDS)


def announce(world: World) -> None:
    world.announce(antopsis(helsinki=True))


@pytest.fixture
def announced(sqlite_database: ReusedDatabase, instance: Path) -> Iterator[Site]:
    with serving_again(sqlite_database, instance, antopsis(), live=announce) as site:
        yield site


def own_address(path: str, data: bytes) -> str:
    if path == "calendar.ics":
        return str(icalendar.Calendar.from_ical(data)["SOURCE"])
    if path == "feed.json":
        return str(json_of_bytes(data)["feed_url"])
    parsed: Any = feedparser.parse(data)
    return str(next(link.href for link in parsed.feed.links if link.rel == "self"))


def json_of_bytes(data: bytes) -> dict[str, Any]:

    document: dict[str, Any] = json.loads(data)
    return document


def how_many(path: str, data: bytes) -> int:
    """How many items are about a notice."""
    if path == "calendar.ics":
        return len(icalendar.Calendar.from_ical(data).walk("VEVENT"))
    if path == "feed.json":
        return sum("/notices/" in item["id"] for item in json_of_bytes(data)["items"])
    parsed: Any = feedparser.parse(data)
    return sum("/notices/" in entry.id for entry in parsed.entries)


@every_feed
def test_a_filtered_feed_tells_what_concerns_the_filter_and_nothing_else(announced: Site, path: str) -> None:
    whole = how_many(path, announced.get(f"/antopsis/{path}").data)
    assert whole == (2 if path == "calendar.ics" else 1)
    for asked, expected in [
        ("region=FI", whole),
        ("region=JP", 0),
        ("q=helsinki", whole),
        ("q=nobody", 0),
        ("q=", whole),
    ]:
        assert how_many(path, announced.get(f"/antopsis/{path}?{asked}").data) == expected, asked


@every_feed
@pytest.mark.parametrize("asked", ["?q=HEL%20sinki&region=FI&region=DE", "?lang=de", "?region=eea&lang=vi", ""])
def test_a_feed_served_at_the_address_it_names_is_the_same(announced: Site, path: str, asked: str) -> None:
    answer = announced.get(f"/antopsis/{path}{asked}")
    assert answer.status_code == 200
    own = own_address(path, answer.data)
    assert own.startswith(f"{BASE}/antopsis/{path}")
    parts = urlsplit(own)
    again = announced.get(f"{parts.path}?{parts.query}")
    assert again.data == answer.data
    assert again.headers["ETag"] == answer.headers["ETag"]
    unchanged = announced.get(f"{parts.path}?{parts.query}", headers={"If-None-Match": answer.headers["ETag"]})
    assert (unchanged.status_code, unchanged.data) == (304, b"")


@pytest.mark.parametrize("path", ["feed.rss", "feed.atom"])
@pytest.mark.parametrize("asked", ["", "?region=FI", "?q=nobody", "?lang=de", "?lang=zh&region=FI"])
def test_a_feed_as_it_is_served_breaks_no_rule_of_the_validator(announced: Site, path: str, asked: str) -> None:
    pairs = asked.removeprefix("?").split("&")
    canonical = "&".join(sorted(pairs, key=lambda pair: pair.startswith("lang"))) if asked else ""
    address = f"{BASE}/antopsis/{path}" + (f"?{canonical}" if canonical else "")
    answer = announced.get(urlsplit(address).path + (f"?{canonical}" if canonical else ""))
    assert complaints(answer.data, address, answer.headers["Content-Type"], announced.world.at) == []


@every_feed
@pytest.mark.parametrize(
    "asked", ["product=nothing", "region=ZZ", "role=boss", "mechanism=magic", "purpose=none", "data=none", "lang=xx"]
)
def test_an_unknown_value_is_refused_as_on_the_page(announced: Site, path: str, asked: str) -> None:
    answer = announced.get(f"/antopsis/{path}?{asked}")
    assert answer.status_code == announced.get(f"/antopsis/?{asked}").status_code == 400
    assert asked.partition("=")[0] in answer.text


@every_feed
def test_a_feed_is_in_the_language_of_its_address_and_not_of_whoever_fetches_it(announced: Site, path: str) -> None:
    plain = announced.get(f"/antopsis/{path}")
    assert announced.get(f"/antopsis/{path}", headers={"Accept-Language": "de"}).data == plain.data
    german = announced.get(f"/antopsis/{path}?lang=de")
    assert german.headers["Content-Language"] == "de"
    assert own_address(path, german.data).endswith("?lang=de")
    if path != "calendar.ics":
        language = (
            json_of_bytes(german.data)["language"]
            if path == "feed.json"
            else feedparser.parse(german.data).feed.language
        )
        assert language == "de"


def test_the_json_feed_as_it_is_served_fits_the_rules_and_the_schema_it_names(announced: Site) -> None:
    document = json_of(announced.get("/antopsis/feed.json?region=FI"))
    jsonschema.Draft202012Validator(JSON_FEED).validate(document)
    about = document["_subprocessor_registry"]["about"]
    answer = announced.get(urlsplit(about).path)
    assert (answer.status_code, answer.content_type) == (200, "application/schema+json")
    jsonschema.Draft202012Validator(json_of(answer)).validate(document)
    (announcement,) = [
        item["_subprocessor_registry"] for item in document["items"] if item["id"].endswith("/announcement")
    ]
    assert announcement["statement"]["kind"] == "announcement"
    assert announcement["notice"]["changes"][0]["fields"][0]["field"] == "locations"


def told_over_http(site: Site) -> tuple[dict[str, str], dict[str, tuple[date, int, str]]]:
    """The titles of a feed's items by their ids, and each event's day, sequence and status by its UID."""
    parsed: Any = feedparser.parse(site.get("/antopsis/feed.atom").data)
    assert len({entry.id for entry in parsed.entries}) == len(parsed.entries)
    items = {entry.id.partition("antopsis/")[2]: entry.title.partition(":")[0] for entry in parsed.entries}
    calendar = icalendar.Calendar.from_ical(site.get("/antopsis/calendar.ics").data)
    events = {
        str(event["UID"]).partition("@")[0]: (event.decoded("DTSTART"), event.decoded("SEQUENCE"), str(event["STATUS"]))
        for event in calendar.walk("VEVENT")
    }
    return items, events


def test_a_notice_is_followed_through_its_postponement_and_withdrawal(light_site: Site) -> None:
    world = light_site.world
    world.at = utc("2026-10-01 09:00")
    number = world.announce(antopsis(helsinki=True), effective_on=date(2026, 11, 20))
    world.tick()
    effect = f"antopsis-{number}-effect"
    items, events = told_over_http(light_site)
    assert items == {f"notices/{number}/announcement": "Announced", "founding": "The list is published"}
    assert events[effect] == (date(2026, 11, 20), 0, "CONFIRMED")

    world.at = utc("2026-10-05 09:00")
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        letterhead = world.wiring.letterhead
        postpone_notice(
            *(session, world.at, publisher, notice, ANNA, letterhead),
            effective_on=date(2026, 12, 1),
            reason="The move takes longer.",
        )
    later, events = told_over_http(light_site)
    assert set(later) - set(items) == {f"notices/{number}/postponement-2"}
    assert events[effect] == (date(2026, 12, 1), 1, "CONFIRMED")

    world.at = utc("2026-10-07 09:00")
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        withdraw_notice(session, world.at, publisher, get_notice(session, publisher, number), ANNA, letterhead, "No.")
    last, events = told_over_http(light_site)
    assert set(last) - set(later) == {f"notices/{number}/withdrawal"}
    assert last[f"notices/{number}/announcement"] == "Announced, then withdrawn"
    assert events[effect] == (date(2026, 12, 1), 2, "CANCELLED")
    assert {status for _, _, status in events.values()} == {"CANCELLED"}
