"""Feeds and calendars of a part of the list, and in other languages: what they tell, and who they say they are."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import feedparser
import pytest
from icalendar import Calendar

from feeds.values import Feed
from registry.domain.vocabulary import Role
from registry.language import speaking
from registry.pages.feed_items import PATHS, FeedKind, build_feed, feed_address, make_events, make_feed
from registry.pages.selection import ListQuery
from tests.pages.factories import (
    ADDRESSES,
    BUNNY_NOTICE,
    CURRENT,
    KEYCDN_NOTICE,
    STRIPE_NOTICE,
    WITHDRAWN_NOTICE,
    change,
    content,
    public_list,
)

EVERY_KIND = list(PATHS)


def told(query: ListQuery) -> list[str]:
    """The numbers of the notices that a feed tells of, the newest first."""
    feed = make_feed(public_list(), ADDRESSES, query)
    names = [item.id.partition("notices/")[2] for item in feed.items]
    return [name.removesuffix("/announcement") for name in names if name.endswith("/announcement")]


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        (ListQuery(), ["2026-004", "2026-003", "2026-002", "2026-001"]),
        (ListQuery("bunny"), ["2026-003"]),
        (ListQuery(region=("SI",)), ["2026-003"]),
        (ListQuery(purpose=("Content delivery",)), ["2026-003", "2026-001"]),
        (ListQuery(data=("IP addresses",)), ["2026-004", "2026-003"]),
        (ListQuery(role=("independent_controller",)), []),
        (ListQuery(mechanism=("eu.art46.scc2021.m3",)), ["2026-004"]),
        (ListQuery(product=("recording",)), ["2026-004", "2026-003", "2026-002", "2026-001"]),
        (ListQuery(region=("SG",)), ["2026-004"]),
        (ListQuery(region=("IE",), data=("IP addresses",)), ["2026-004"]),
        (ListQuery(region=("CH",)), ["2026-001"]),
    ],
)
def test_a_filtered_feed_tells_of_the_notices_that_concern_what_it_asks_for(
    query: ListQuery, numbers: list[str]
) -> None:
    assert told(query) == numbers


def test_a_notice_concerns_a_filter_when_the_entry_fits_before_or_after_the_change() -> None:
    # Stripe gave support from the United States before, and gives it from Singapore after.
    assert "2026-004" in told(ListQuery("dublin", region=("SG",)))
    assert "2026-004" in told(ListQuery("dublin", region=("US",)))


def test_an_entry_of_one_product_concerns_no_other() -> None:
    targets = CURRENT["restream"]
    wider = content(**{**targets.as_document(), "purposes": ["Forwarding", "Statistics"]})
    notice = replace(STRIPE_NOTICE, changes=(change("restream", targets, wider),))
    public = public_list(notices=(notice,))
    founding = 1
    assert len(make_feed(public, ADDRESSES, ListQuery(product=("streaming",))).items) == 1 + founding
    assert len(make_feed(public, ADDRESSES, ListQuery(product=("recording",))).items) == founding
    assert make_events(public, ADDRESSES, ListQuery(product=("recording",))) == ()
    assert len(make_events(public, ADDRESSES, ListQuery(product=("streaming",)))) == 2


def test_of_a_notice_with_several_changes_those_that_fit_are_shown_and_the_others_counted() -> None:
    both = replace(STRIPE_NOTICE, changes=(*STRIPE_NOTICE.changes, *BUNNY_NOTICE.changes, *KEYCDN_NOTICE.changes))
    whole = make_feed(public_list(notices=(both,)), ADDRESSES).items[0]
    part = make_feed(public_list(notices=(both,)), ADDRESSES, ListQuery("stripe")).items[0]
    assert (part.id, part.title, part.updated_at) == (whole.id, whole.title, whole.updated_at)
    assert "BunnyCDN" in whole.content_html
    assert "leaves out" not in whole.content_html
    assert "BunnyCDN" not in part.content_html
    assert "The notice holds 2 more changes, which this filter leaves out." in part.content_html
    assert part.categories == ("Announced", "Stripe")


def own_addresses(kind: FeedKind, built: bytes) -> str:
    if kind == "calendar":
        return str(Calendar.from_ical(built)["SOURCE"])
    if kind == "json":
        return str(json.loads(built)["feed_url"])
    parsed: Any = feedparser.parse(built)
    return str(next(link.href for link in parsed.feed.links if link.rel == "self"))


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_a_filtered_feed_names_its_own_address_which_asks_for_the_same(kind: FeedKind) -> None:
    query = ListQuery("  a&b ü ", ("streaming",), ("US", "eea"), data=("Account data",))
    built = build_feed(public_list(), ADDRESSES, kind, query)
    own = own_addresses(kind, built)
    assert own == feed_address(ADDRESSES, kind, query)
    assert tuple(parse_qsl(urlsplit(own).query)) == query.as_query()
    turned = ListQuery("a&b  ü", ("streaming",), ("eea", "US", "US"), data=("Account data",))
    assert build_feed(public_list(), ADDRESSES, kind, turned) == built


def made(query: ListQuery | None = None, lang: str | None = None) -> Feed:
    return make_feed(public_list(), replace(ADDRESSES, lang=lang), query)


def test_each_filter_and_language_is_a_feed_of_its_own_and_the_items_are_the_same() -> None:
    query = ListQuery("bunny cdn", region=("SI",))
    assert made().id == "tag:lists.example,2026:antopsis/feed"
    assert made(query).id == "tag:lists.example,2026:antopsis/feed?q=bunny%20cdn&region=SI"
    assert made(query, "de").id == "tag:lists.example,2026:antopsis/feed?q=bunny%20cdn&region=SI&lang=de"
    assert made(ListQuery("  ")).id == made().id
    assert {item.id for item in made(query).items} < {item.id for item in made(lang="de").items}


def test_a_filtered_feed_says_so_and_leads_to_the_page_filtered_alike() -> None:
    feed = made(ListQuery("cdn", ("streaming",), ("eea", "US"), role=(Role.SUBPROCESSOR.value,)))
    assert feed.title == "Antopsis: subprocessor changes (filtered)"
    assert "Only what concerns: Words: “cdn”; Product: Live streaming; " in feed.subtitle
    assert "United States, European Economic Area" in feed.subtitle
    assert feed.site_url == (
        "https://lists.example/antopsis/?q=cdn&product=streaming&region=US&region=eea&role=subprocessor"
    )
    assert made().site_url == "https://lists.example/antopsis/"


def test_a_filter_that_nothing_fits_gives_a_feed_that_says_when_the_list_began() -> None:
    assert [item.title for item in made(ListQuery("nobody knows")).items] == ["The list is published"]


def test_a_feed_in_another_language_says_so_and_its_links_keep_it() -> None:
    with speaking("de"):
        feed = made(lang="de")
        address = feed_address(replace(ADDRESSES, lang="de"), "atom")
    assert feed.language == "de"
    assert feed.site_url == "https://lists.example/antopsis/?lang=de"
    assert feed.items[0].url == "https://lists.example/antopsis/notices/2026-003?lang=de"
    assert address == "https://lists.example/antopsis/feed.atom?lang=de"


def test_a_calendar_behind_a_filter_holds_the_same_events_under_the_same_ids() -> None:
    whole = {event.uid: event for event in make_events(public_list(), ADDRESSES)}
    part = {event.uid: event for event in make_events(public_list(), ADDRESSES, ListQuery("bunny"))}
    assert set(part) == {"antopsis-2026-003-effect@lists.example", "antopsis-2026-003-objection@lists.example"}
    assert all(whole[uid] == event for uid, event in part.items())
    named = Calendar.from_ical(build_feed(public_list(), ADDRESSES, "calendar", ListQuery("bunny")))
    assert str(named["X-WR-CALNAME"]) == "Antopsis: subprocessor changes (filtered)"


def test_withdrawn_notices_stay_in_a_filtered_calendar_as_cancelled() -> None:
    events = make_events(public_list(notices=(WITHDRAWN_NOTICE,)), ADDRESSES, ListQuery("hetzner"))
    assert {event.status for event in events} == {"CANCELLED"}
    assert len(events) == 2
