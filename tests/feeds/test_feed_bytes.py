"""The same values give the same bytes, and no text at all breaks a file."""

import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import time_machine
from hypothesis import given, settings
from hypothesis import strategies as st
from icalendar import Calendar
from lxml import etree

from feeds.calendar import build_calendar
from feeds.json_feed import build_json_feed
from feeds.syndication import build_atom, build_rss
from feeds.values import CalendarEvent, Feed, Item, clean_line, clean_text

SELF_URL = "https://trust.antopsis.example/antopsis/feed"
INSTANT = datetime(2026, 10, 28, 9, 30, tzinfo=UTC)
REPOSITORY = Path(__file__).parents[2]

BUILD_AND_PRINT_DIGESTS = """
import hashlib, pickle, sys
from feeds.calendar import build_calendar
from feeds.json_feed import build_json_feed
from feeds.syndication import build_atom, build_rss
feed, event = pickle.load(sys.stdin.buffer)
for content in [build(feed, {url!r}) for build in (build_rss, build_atom, build_json_feed)] + [
    build_calendar(feed.title, [event], {url!r}, organizer_name="Antopsis", organizer_address="mailto:a@b.example")
]:
    print(hashlib.sha256(content).hexdigest())
"""


def everything(feed: Feed, event: CalendarEvent) -> list[bytes]:
    return [
        build_rss(feed, SELF_URL),
        build_atom(feed, SELF_URL),
        build_json_feed(feed, SELF_URL),
        build_calendar(
            feed.title, [event], SELF_URL, organizer_name="Antopsis", organizer_address="mailto:a@b.example"
        ),
    ]


def test_two_builds_give_the_same_bytes_though_the_clock_has_moved(feed: Feed, effect_day: CalendarEvent) -> None:
    with time_machine.travel(datetime(2026, 11, 1, 12, 0, tzinfo=UTC), tick=False):
        first = everything(feed, effect_day)
    with time_machine.travel(datetime(2031, 3, 29, 1, 30, tzinfo=UTC), tick=False):
        second = everything(feed, effect_day)
    assert first == second
    assert len(set(first)) == 4
    assert not any(b"2031" in content for content in second)


@pytest.mark.parametrize("zone", ["UTC", "Asia/Ho_Chi_Minh"])
def test_another_process_in_another_zone_gives_the_same_bytes(feed: Feed, effect_day: CalendarEvent, zone: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", BUILD_AND_PRINT_DIGESTS.format(url=SELF_URL)],
        input=pickle.dumps((feed, effect_day)),
        capture_output=True,
        check=True,
        cwd=REPOSITORY,
        env={**os.environ, "TZ": zone, "PYTHONHASHSEED": "7", "LC_ALL": "C"},
    )
    expected = [hashlib.sha256(content).hexdigest() for content in everything(feed, effect_day)]
    assert done.stdout.decode().split() == expected


def test_the_order_of_items_given_makes_no_difference(feed: Feed, effect_day: CalendarEvent) -> None:
    turned = replace(feed, items=feed.items[::-1])
    assert everything(turned, effect_day) == everything(feed, effect_day)


def test_what_changed_shows_in_the_bytes(feed: Feed, resend_notice: Item, hetzner_notice: Item) -> None:
    effective = replace(resend_notice, title="Resend is added: in effect")
    changed = replace(feed, items=(effective, hetzner_notice))
    for build in (build_rss, build_atom, build_json_feed):
        assert build(changed, SELF_URL) != build(feed, SELF_URL)


def any_text(cleaned: Callable[[str], str]) -> st.SearchStrategy[str]:
    """Text of any code points at all, the worst ones often, of which something readable is left."""
    worst = st.sampled_from("\ufffd\x00\x07\x0b\x1b\x7f\x85\r\n\t\u2028\ud800\udfff\ufffe\uffff<>&\"'\\;,:]n ")
    characters = worst | st.characters(exclude_categories=())
    return st.text(characters, min_size=1, max_size=60).filter(lambda value: bool(cleaned(value).strip()))


@settings(deadline=None, max_examples=150)
@given(title=any_text(clean_line), summary=any_text(clean_text), category=any_text(clean_line))
def test_any_text_at_all_goes_through_every_format_unharmed(title: str, summary: str, category: str) -> None:
    address = "https://trust.antopsis.example/antopsis/notices/2026-001"
    told = {"changes": [{title: summary}]}
    item = Item("tag:antopsis.example,2026:1", address, title, summary, summary, INSTANT, INSTANT, (category,), told)
    feed = Feed("tag:antopsis.example,2026:feed", title, title, address, "en", INSTANT, title, (item,), "told")
    event = CalendarEvent("1@antopsis.example", date(2026, 11, 30), title, summary, address, INSTANT)
    rss, atom, json_feed, calendar = everything(feed, event)

    atom_entry = etree.fromstring(atom).find("{*}entry")
    assert atom_entry.findtext("{*}title") == clean_line(title)
    assert atom_entry.findtext("{*}summary") == clean_text(summary).strip()
    assert atom_entry.findtext("{*}content") == clean_text(summary)
    assert atom_entry.find("{*}category").get("term") == clean_line(category)
    rss_item = etree.fromstring(rss).find("channel/item")
    assert rss_item.findtext("title") == clean_line(title)
    assert rss_item.findtext("category") == clean_line(category)
    assert rss_item.findtext("{*}encoded") == clean_text(summary)
    in_json = json.loads(json_feed)["items"][0]
    assert in_json["summary"] == clean_text(summary).strip()
    assert in_json["_told"] == {"changes": [{clean_text(title): clean_text(summary)}]}
    (calendar_event,) = Calendar.from_ical(calendar).walk("VEVENT")
    assert str(calendar_event["SUMMARY"]) == clean_line(title)
    assert str(calendar_event["DESCRIPTION"]) == clean_text(summary).strip()
