"""What feeds and the calendar tell, checked through the parsers of real clients."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date, timedelta
from typing import Any, get_args

import feedparser
import pytest
from icalendar import Calendar

from feeds.values import CalendarEvent, Item
from registry.pages.feed_items import (
    CALENDAR_LENGTH,
    FEED_LENGTH,
    PATHS,
    FeedKind,
    build_feed,
    make_events,
    make_feed,
)
from registry.pages.values import PublicList, PublicNotice, ToldStatement
from tests.pages.factories import (
    ADDRESSES,
    BUNNY_NOTICE,
    FOUNDED_AT,
    KEYCDN_NOTICE,
    STRIPE_NOTICE,
    WITHDRAWN_NOTICE,
    at,
    empty_list,
    public_list,
)

NOTICES = "tag:lists.example,2026:antopsis/notices"


def items_of(*notices: PublicNotice) -> dict[str, Item]:
    feed = make_feed(public_list(notices=notices), ADDRESSES)
    return {item.id.removeprefix(f"{NOTICES}/"): item for item in feed.items if item.id.startswith(NOTICES)}


def events_of(*notices: PublicNotice) -> dict[str, CalendarEvent]:
    return {event.uid: event for event in make_events(public_list(notices=notices), ADDRESSES)}


def test_a_feed_tells_every_statement_but_reminders_the_newest_first() -> None:
    reminded = replace(
        STRIPE_NOTICE,
        statements=(*STRIPE_NOTICE.statements, ToldStatement(2, "reminder", at(11, 20), STRIPE_NOTICE.effective_on)),
    )
    feed = make_feed(public_list(notices=(KEYCDN_NOTICE, WITHDRAWN_NOTICE, BUNNY_NOTICE, reminded)), ADDRESSES)
    assert [item.title for item in feed.items] == [
        "Postponed: BunnyCDN delivers streams beside Cloudflare",
        "Announced: Stripe sees IP addresses, and gives support from Singapore",
        "Announced: BunnyCDN delivers streams beside Cloudflare",
        "Withdrawn: Hetzner would also have served from Helsinki",
        "Announced, then withdrawn: Hetzner would also have served from Helsinki",
        "In effect: KeyCDN leaves the list",
        "Announced: KeyCDN leaves the list",
        "The list is published",
    ]


def test_an_announcement_tells_the_date_the_deadline_and_each_change() -> None:
    item = items_of(STRIPE_NOTICE)["2026-004/announcement"]
    assert item.url == "https://lists.example/antopsis/notices/2026-004"
    assert "Takes effect on Friday, 4 December 2026 (2026-12-04), Europe/Berlin." in item.summary_text
    assert "until the end of Wednesday, 2 December 2026 (2026-12-02), Europe/Berlin" in item.summary_text
    assert '<th scope="row">Retention</th><td>As long as' in item.content_html
    assert item.published_at == item.updated_at == at(11, 2)
    assert item.categories == ("Announced", "Stripe")


def test_ids_do_not_change_when_the_notice_takes_effect_and_its_announcement_is_not_news_again() -> None:
    before = items_of(STRIPE_NOTICE)
    took_effect = replace(
        STRIPE_NOTICE,
        state="in_effect",
        took_effect_at=STRIPE_NOTICE.effective_at,
        updated_at=at(12, 4),
        statements=(*STRIPE_NOTICE.statements, ToldStatement(2, "effect", at(12, 4), STRIPE_NOTICE.effective_on)),
    )
    after = items_of(took_effect)
    assert set(after) - set(before) == {"2026-004/effect"}
    # For programs it carries the notice as it holds now; that is no news of the announcement.
    assert replace(after["2026-004/announcement"], extension=None) == replace(
        before["2026-004/announcement"], extension=None
    )
    assert after["2026-004/effect"].published_at == STRIPE_NOTICE.effective_at
    assert "In effect since Friday, 4 December 2026" in after["2026-004/effect"].summary_text


def test_a_postponement_is_news_and_the_announcement_tells_the_new_date() -> None:
    postponed = replace(
        STRIPE_NOTICE,
        effective_on=date(2026, 12, 11),
        statements=(*STRIPE_NOTICE.statements, ToldStatement(2, "postponement", at(12, 1), date(2026, 12, 11))),
    )
    items = items_of(postponed)
    assert "Friday, 11 December 2026" in items["2026-004/postponement-2"].summary_text
    assert "Friday, 11 December 2026" in items["2026-004/announcement"].summary_text
    assert items["2026-004/announcement"].published_at == at(11, 2)
    assert items["2026-004/announcement"].updated_at == at(12, 1)


def test_a_postponement_that_was_replaced_by_another_says_so_and_tells_no_date() -> None:
    twice = replace(
        STRIPE_NOTICE,
        effective_on=date(2026, 12, 18),
        statements=(
            *STRIPE_NOTICE.statements,
            ToldStatement(2, "postponement", at(12, 1), date(2026, 12, 11)),
            ToldStatement(3, "postponement", at(12, 8), date(2026, 12, 18)),
        ),
    )
    first = items_of(twice)["2026-004/postponement-2"]
    assert first.summary_text == "A later statement of notice 2026-004 has replaced this one."
    assert first.updated_at == at(12, 8)


def test_a_correction_is_an_item_of_its_own() -> None:
    corrected = replace(
        STRIPE_NOTICE,
        statements=(*STRIPE_NOTICE.statements, ToldStatement(2, "correction", at(11, 9), STRIPE_NOTICE.effective_on)),
    )
    item = items_of(corrected)["2026-004/correction-2"]
    assert item.title == "Corrected: Stripe sees IP addresses, and gives support from Singapore"
    assert item.published_at == at(11, 9)


def test_a_withdrawn_announcement_tells_no_date_any_more() -> None:
    items = items_of(WITHDRAWN_NOTICE)
    assert items["2026-002/announcement"].summary_text == "Withdrawn: nothing changes."
    assert items["2026-002/announcement"].updated_at == at(6, 20)
    assert items["2026-002/withdrawal"].published_at == at(6, 20)


def test_an_emergency_is_marked_in_the_title_and_gives_its_reason() -> None:
    item = items_of(replace(STRIPE_NOTICE, emergency_reason="It stopped working"))["2026-004/announcement"]
    assert item.title.startswith("Announced (emergency): ")
    assert "Reason: It stopped working" in item.summary_text


def test_a_new_list_has_one_item_and_no_list_has_none() -> None:
    fresh = make_feed(public_list(notices=()), ADDRESSES)
    assert [(item.id, item.published_at) for item in fresh.items] == [
        ("tag:lists.example,2026:antopsis/founding", FOUNDED_AT)
    ]
    assert "announces changes 30 days ahead" in fresh.items[0].summary_text
    none = make_feed(empty_list(), ADDRESSES)
    assert none.items == ()
    assert none.updated_at == empty_list().changed_at


def test_a_feed_keeps_its_newest_items_only() -> None:
    many = tuple(
        replace(KEYCDN_NOTICE, number=f"2026-{number:03}", announced_at=at(4, 1, hour=number % 24))
        for number in range(1, FEED_LENGTH)
    )
    feed = make_feed(public_list(notices=many), ADDRESSES)
    assert len(feed.items) == FEED_LENGTH
    assert "The list is published" not in [item.title for item in feed.items]


def test_the_feed_was_last_changed_when_its_newest_item_was() -> None:
    assert make_feed(public_list(changed_at=at(11, 19)), ADDRESSES).updated_at == at(11, 6)


@pytest.mark.parametrize("kind", ["rss", "atom"])
def test_a_feed_reader_takes_the_feed(kind: FeedKind) -> None:
    parsed: Any = feedparser.parse(build_feed(public_list(), ADDRESSES, kind))
    assert not parsed.bozo
    assert parsed.feed.title == "Antopsis: subprocessor changes"
    assert parsed.feed.link == "https://lists.example/antopsis/"
    assert len(parsed.entries) == 8
    newest = parsed.entries[0]
    assert newest.id == f"{NOTICES}/2026-003/postponement-2"
    assert newest.link == "https://lists.example/antopsis/notices/2026-003"
    assert newest.summary.startswith("Postponed until further notice.")


def test_the_json_feed_names_its_own_address_and_the_page() -> None:
    document = json.loads(build_feed(public_list(), ADDRESSES, "json"))
    assert document["feed_url"] == "https://lists.example/antopsis/feed.json"
    assert document["home_page_url"] == "https://lists.example/antopsis/"
    assert len(document["items"]) == 8


def test_the_calendar_holds_the_effective_date_and_the_end_of_the_time_to_object() -> None:
    calendar = Calendar.from_ical(build_feed(public_list(), ADDRESSES, "calendar"))
    shown = {
        str(event["UID"]): (event.decoded("DTSTART"), str(event["STATUS"]), event.decoded("SEQUENCE"))
        for event in calendar.walk("VEVENT")
    }
    assert shown == {
        "antopsis-2026-001-effect@lists.example": (date(2026, 5, 1), "CONFIRMED", 1),
        "antopsis-2026-002-effect@lists.example": (date(2026, 7, 2), "CANCELLED", 1),
        "antopsis-2026-002-objection@lists.example": (date(2026, 7, 1), "CANCELLED", 1),
        "antopsis-2026-003-effect@lists.example": (date(2026, 11, 6), "CANCELLED", 1),
        "antopsis-2026-003-objection@lists.example": (date(2026, 11, 4), "CONFIRMED", 1),
        "antopsis-2026-004-effect@lists.example": (date(2026, 12, 4), "CONFIRMED", 0),
        "antopsis-2026-004-objection@lists.example": (date(2026, 12, 2), "CONFIRMED", 0),
    }


def test_a_postponed_event_keeps_its_id_and_moves_with_a_higher_sequence() -> None:
    uid = "antopsis-2026-004-effect@lists.example"
    postponed = replace(
        STRIPE_NOTICE,
        effective_on=date(2026, 12, 11),
        updated_at=at(12, 1),
        statements=(*STRIPE_NOTICE.statements, ToldStatement(2, "postponement", at(12, 1), date(2026, 12, 11))),
    )
    before, after = events_of(STRIPE_NOTICE)[uid], events_of(postponed)[uid]
    assert (before.on, before.sequence) == (date(2026, 12, 4), 0)
    assert (after.on, after.sequence, after.status) == (date(2026, 12, 11), 1, "CONFIRMED")
    assert after.stamped_at == at(12, 1)


def test_a_reminder_makes_no_newer_version_of_an_event_and_every_other_statement_does() -> None:
    uid = "antopsis-2026-004-effect@lists.example"
    kinds = ("reminder", "correction", "postponement", "reminder", "withdrawal")
    told = tuple(ToldStatement(seq, kind, at(11, 2 + seq), None) for seq, kind in enumerate(kinds, start=2))
    notices = [replace(STRIPE_NOTICE, statements=(*STRIPE_NOTICE.statements, *told[:n])) for n in range(6)]
    assert [events_of(notice)[uid].sequence for notice in notices] == [0, 0, 1, 2, 2, 3]


def test_a_deadline_rings_at_nine_a_week_before_and_the_day_before_and_an_effect_does_not() -> None:
    calendar = Calendar.from_ical(build_feed(public_list(notices=(STRIPE_NOTICE,)), ADDRESSES, "calendar"))
    assert isinstance(calendar, Calendar)
    rung = {
        str(event["UID"]).rpartition("-")[2]: [str(alarm.trigger) for alarm in event.alarms.times]
        for event in calendar.events
    }
    assert rung == {
        "effect@lists.example": [],
        "objection@lists.example": ["2026-11-25 09:00:00", "2026-12-01 09:00:00"],
    }


def test_a_calendar_keeps_what_is_open_and_the_newest_of_what_has_ended() -> None:
    old = tuple(
        replace(KEYCDN_NOTICE, number=f"2025-{number:03}", updated_at=at(1, 1, year=2025) + timedelta(hours=number))
        for number in range(CALENDAR_LENGTH + 5)
    )
    still_open = replace(STRIPE_NOTICE, number="2024-001", updated_at=at(1, 1, year=2024))
    uids = set(events_of(*old, still_open))
    assert len(uids) == CALENDAR_LENGTH + 2
    assert "antopsis-2024-001-effect@lists.example" in uids
    assert "antopsis-2025-004-effect@lists.example" not in uids
    assert "antopsis-2025-005-effect@lists.example" in uids


@pytest.mark.parametrize(
    ("contact", "organizer"),
    [
        ("privacy@antopsis.example", "mailto:privacy@antopsis.example"),
        ("https://antopsis.example/privacy?x=1", "https://antopsis.example/privacy?x=1"),
        ("Data protection officer, Berlin", "https://lists.example/antopsis/"),
    ],
)
def test_events_are_published_by_whoever_is_to_be_written_to(contact: str, organizer: str) -> None:
    public = public_list(publisher=replace(public_list().publisher, contact=contact))
    calendar = Calendar.from_ical(build_feed(public, ADDRESSES, "calendar"))
    assert {str(event["ORGANIZER"]) for event in calendar.walk("VEVENT")} == {organizer}


def test_a_notice_postponed_without_a_date_ever_told_has_no_event_for_its_effect() -> None:
    unknown = replace(BUNNY_NOTICE, statements=(ToldStatement(1, "announcement", at(10, 5)),))
    assert set(events_of(unknown)) == {"antopsis-2026-003-objection@lists.example"}


def test_an_event_leads_to_its_notice_and_says_what_and_how() -> None:
    event = events_of(STRIPE_NOTICE)["antopsis-2026-004-objection@lists.example"]
    assert event.title == "Antopsis: last day to object: Stripe sees IP addresses, and gives support from Singapore"
    assert event.url == "https://lists.example/antopsis/notices/2026-004"
    assert "by writing to privacy@antopsis.example and naming notice 2026-004" in event.description


@pytest.mark.parametrize("kind", get_args(FeedKind))
def test_an_empty_list_has_valid_feeds(kind: FeedKind) -> None:
    built = build_feed(empty_list(), ADDRESSES, kind)
    if kind == "calendar":
        assert Calendar.from_ical(built).walk("VEVENT") == []
    elif kind == "json":
        assert json.loads(built)["items"] == []
    else:
        assert not feedparser.parse(built).bozo


@pytest.mark.parametrize("kind", get_args(FeedKind))
def test_a_feed_has_no_past_day(kind: FeedKind) -> None:
    past: PublicList = public_list(as_of=date(2026, 11, 10))
    with pytest.raises(ValueError, match="as_of"):
        build_feed(past, ADDRESSES, kind)


def test_each_kind_has_its_path() -> None:
    assert set(PATHS) == set(get_args(FeedKind))
