"""Whoever subscribed on the first day: what a reader and a calendar show as notices are announced, corrected, put off,
withdrawn and take effect. Nothing comes twice, and what changes keeps its id.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import feedparser
import pytest
from icalendar import Calendar
from reader import make_reader

from registry.pages.feed_items import FeedKind, build_feed
from registry.pages.values import Addresses, PublicList, PublicNotice, ToldStatement
from tests.feeds.conftest import FeedServer
from tests.pages.factories import STRIPE_NOTICE, WITHDRAWN_NOTICE, at, public_list

TYPES: dict[FeedKind, str] = {
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "json": "application/feed+json",
}
every_feed = pytest.mark.parametrize("kind", list(TYPES))

ANNOUNCED = STRIPE_NOTICE
CORRECTED = replace(
    ANNOUNCED,
    updated_at=at(11, 9),
    statements=(*ANNOUNCED.statements, ToldStatement(2, "correction", at(11, 9), date(2026, 12, 4))),
)
REMINDED = replace(
    CORRECTED,
    updated_at=at(11, 20),
    statements=(*CORRECTED.statements, ToldStatement(3, "reminder", at(11, 20), date(2026, 12, 4))),
)
POSTPONED = replace(
    REMINDED,
    state="held",
    effective_on=date(2026, 12, 11),
    effective_at=datetime(2026, 12, 10, 23, tzinfo=UTC),
    updated_at=at(12, 3),
    statements=(*REMINDED.statements, ToldStatement(4, "postponement", at(12, 3), date(2026, 12, 11))),
)
POSTPONED_AGAIN = replace(
    POSTPONED,
    effective_on=None,
    effective_at=None,
    updated_at=at(12, 10),
    statements=(*POSTPONED.statements, ToldStatement(5, "postponement", at(12, 10), None)),
)
IN_EFFECT = replace(
    POSTPONED_AGAIN,
    state="in_effect",
    effective_on=date(2026, 12, 19),
    effective_at=datetime(2026, 12, 18, 23, tzinfo=UTC),
    took_effect_at=datetime(2026, 12, 18, 23, tzinfo=UTC),
    updated_at=datetime(2026, 12, 18, 23, tzinfo=UTC),
    statements=(*POSTPONED_AGAIN.statements, ToldStatement(6, "effect", at(12, 19), date(2026, 12, 19))),
)
WITHDRAWN = replace(
    POSTPONED,
    state="withdrawn",
    withdrawn_at=at(12, 5),
    updated_at=at(12, 5),
    statements=(*POSTPONED.statements, ToldStatement(5, "withdrawal", at(12, 5), None)),
)

TO_EFFECT = [ANNOUNCED, CORRECTED, REMINDED, POSTPONED, POSTPONED_AGAIN, IN_EFFECT]
TO_WITHDRAWAL = [ANNOUNCED, CORRECTED, REMINDED, POSTPONED, WITHDRAWN]

STEPS = {
    "effect": list(zip(TO_EFFECT, [(1, 0), (1, 1), (0, 0), (1, 2), (1, 3), (1, 3)], strict=True)),
    "withdrawal": list(zip(TO_WITHDRAWAL, [(1, 0), (1, 1), (0, 0), (1, 2), (1, 3)], strict=True)),
}
"""Each time, and how many items are new to a reader then, and how many have changed."""


def lists_of(notices: list[PublicNotice]) -> Iterator[PublicList]:
    for notice in notices:
        yield public_list(notices=(notice,), changed_at=notice.updated_at)


@every_feed
@pytest.mark.parametrize("end", STEPS)
def test_a_reader_gets_each_statement_once_and_keeps_what_changed(
    kind: FeedKind, end: str, feed_server: FeedServer
) -> None:
    path = f"/antopsis/feed.{kind}"
    addresses = Addresses(f"{feed_server.address}/antopsis")
    url = feed_server.serve(path, TYPES[kind], build_feed(public_list(notices=()), addresses, kind))
    with make_reader(":memory:") as reader:
        reader.add_feed(url)
        reader.update_feeds()
        known = {entry.id for entry in reader.get_entries()}
        assert len(known) == 1
        for notice, expected in STEPS[end]:
            (public,) = lists_of([notice])
            feed_server.serve(path, TYPES[kind], build_feed(public, addresses, kind))
            before = {entry.id: entry for entry in reader.get_entries()}
            update = reader.update_feed(url)
            counted = (update.new, update.modified) if update else (0, 0)
            assert counted == expected, notice.updated_at
            for entry in reader.get_entries():
                was = before.get(entry.id, entry)
                assert entry.content == was.content or (entry.updated or at(1, 1)) > (was.updated or at(1, 1)), entry.id
            ids = [entry.id for entry in reader.get_entries()]
            assert len(ids) == len(set(ids))
            assert known <= set(ids)
            known = set(ids)
            # Where nothing it shows has changed, this reader keeps the old tag.
            if counted != (0, 0):
                assert reader.update_feed(url) is None
                assert feed_server.answers[-1] == (path, 304)
        titles = sorted(entry.title.partition(":")[0] for entry in reader.get_entries() if entry.title)
    others = ["Announced", "Corrected", "In effect", "Postponed", "Postponed", "The list is published"]
    withdrawn = ["Announced, then withdrawn", "Corrected", "Postponed", "The list is published", "Withdrawn"]
    assert titles == (others if end == "effect" else withdrawn)


@every_feed
def test_at_the_end_no_item_still_tells_a_date_that_does_not_hold(kind: FeedKind) -> None:
    for notices in (TO_EFFECT, TO_WITHDRAWAL):
        told = build_feed(list(lists_of(notices))[-1], Addresses("https://lists.example/antopsis"), kind).decode()
        shown = told if kind != "json" else "".join(item["content_html"] for item in json.loads(told)["items"])
        assert "4 December" not in shown
        assert "11 December" not in shown


def test_a_second_reader_lists_the_same_items_from_rss_and_atom() -> None:
    addresses = Addresses("https://lists.example/antopsis")
    (public,) = lists_of([IN_EFFECT])
    shown = []
    for kind in ("rss", "atom"):
        parsed: Any = feedparser.parse(build_feed(public, addresses, kind))
        assert not parsed.bozo
        shown.append([(entry.id, entry.title, entry.link, entry.content[0].value) for entry in parsed.entries])
    assert shown[0] == shown[1]
    assert len(shown[0]) == 6


def test_a_calendar_moves_its_events_and_never_doubles_them() -> None:
    addresses = Addresses("https://lists.example/antopsis")
    uid = "antopsis-2026-004-effect@lists.example"
    shown = []
    for public in lists_of(TO_EFFECT):
        events = Calendar.from_ical(build_feed(public, addresses, "calendar")).walk("VEVENT")
        assert len(events) == len({str(event["UID"]) for event in events}) == 2
        event = next(event for event in events if str(event["UID"]) == uid)
        shown.append((event.decoded("DTSTART"), event["SEQUENCE"], str(event["STATUS"])))
    assert shown == [
        (date(2026, 12, 4), 0, "CONFIRMED"),
        (date(2026, 12, 4), 1, "CONFIRMED"),
        (date(2026, 12, 4), 1, "CONFIRMED"),
        (date(2026, 12, 11), 2, "CONFIRMED"),
        (date(2026, 12, 11), 3, "CANCELLED"),
        (date(2026, 12, 19), 4, "CONFIRMED"),
    ]


def test_a_calendar_cancels_a_withdrawn_notice_and_rings_for_it_no_more() -> None:
    public = public_list(notices=(WITHDRAWN, WITHDRAWN_NOTICE))
    built = build_feed(public, Addresses("https://lists.example/antopsis"), "calendar")
    events = Calendar.from_ical(built).walk("VEVENT")
    assert {str(event["STATUS"]) for event in events} == {"CANCELLED"}
    assert len(events) == 4
    assert b"VALARM" not in built
    assert {event["SEQUENCE"] for event in events if "2026-004" in str(event["UID"])} == {3}
