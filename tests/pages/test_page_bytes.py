"""Bytes: the same values make the same ones, and nobody's text becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import get_args

import pytest

from registry.domain.entries import EntryContent
from registry.pages.feed_items import FeedKind, build_feed, make_feed
from registry.pages.render import PageRenderer
from registry.pages.selection import ListQuery
from registry.pages.values import PublicEntry, PublicList, RemovedEntry
from tests.pages.factories import (
    ADDRESSES,
    FOUNDED_AT,
    PUBLISHER,
    STRIPE_NOTICE,
    at,
    change,
    content,
    public_list,
    stripe_history,
)
from tests.pages.reading import ROOT, STYLESHEET_URL, Page, renderer

HOSTILE = """"><script>alert(1)</script><img src=x onerror=alert(2)>'{{ 7*7 }}"""


def hostile_content() -> EntryContent:
    return content(
        HOSTILE,
        legal_name=HOSTILE,
        former_names=[HOSTILE],
        address=HOSTILE,
        contact={"name": HOSTILE},
        purposes=[HOSTILE],
        activity=HOSTILE,
        data_categories=[HOSTILE],
        data_subjects=[HOSTILE],
        special_categories=[HOSTILE],
        locations=[{"country": "DE", "place": HOSTILE}],
        transfers=[{"mechanism": "other", "details": HOSTILE, "assessment": {"reference": HOSTILE}}],
        condition={"text": HOSTILE},
        retention=HOSTILE,
        links={"website": "https://hostile.example/\"onmouseover='alert(3)'<b>"},
    )


def hostile_list() -> PublicList:
    hostile = hostile_content()
    notice = replace(
        STRIPE_NOTICE,
        summary=HOSTILE,
        emergency_reason=HOSTILE,
        changes=(change("hostile", None, hostile), change("other", content("Other"), hostile)),
    )
    past = replace(notice, number="2026-001", state="in_effect", took_effect_at=at(5, 1))
    return public_list(
        publisher=replace(PUBLISHER, name=HOSTILE, legal_name=HOSTILE, contact=HOSTILE),
        entries=(PublicEntry("hostile", hostile, FOUNDED_AT, FOUNDED_AT),),
        removed=(RemovedEntry("gone", hostile, at(5, 1)),),
        notices=(notice, past),
    )


def all_pages(renderer: PageRenderer, public: PublicList, entry_key: str) -> list[bytes]:
    return [
        renderer.list_page(public, ADDRESSES),
        renderer.list_page(public, ADDRESSES, ListQuery(q=HOSTILE, product=(HOSTILE,), purpose=(HOSTILE,))),
        renderer.entry_page(public, entry_key, stripe_history(), ADDRESSES),
        renderer.notices_page(public, ADDRESSES),
        renderer.notice_page(public, public.notices[0], ADDRESSES),
        renderer.publishers_page([(public.publisher.name, ADDRESSES.page(), 8)]),
    ]


def test_hostile_content_is_shown_as_text_on_every_page() -> None:
    for page in all_pages(renderer(), hostile_list(), "hostile"):
        parsed = Page(page)
        assert parsed.root.xpath("//script|//img|//b|//*[@onerror]|//*[@onmouseover]") == []
        assert "alert(1)" in parsed.text()
        assert "{{ 7*7 }}" in parsed.text()


def test_hostile_answers_are_shown_as_text_in_a_form() -> None:
    page = renderer().page(
        "public/subscribe.html",
        publisher=PUBLISHER,
        addresses=ADDRESSES,
        channels=[("email", "E-mail")],
        letter_languages=[("en", "English")],
        filter_names={"q": "Words"},
        asking=(("q", HOSTILE),),
        errors={"email": HOSTILE},
        values={"email": HOSTILE, "name": HOSTILE},
    )
    parsed = Page(page)
    assert parsed.root.xpath("//script|//img") == []
    assert parsed.attributes("//input[@name='email']", "value") == [HOSTILE]


def test_hostile_content_is_escaped_in_the_html_of_feeds() -> None:
    items = make_feed(hostile_list(), ADDRESSES).items
    assert len(items) == 4
    for item in items:
        parsed = Page(item.content_html.encode())
        assert parsed.root.xpath("//script|//img|//b") == []
        assert "alert(1)" in parsed.text()


def test_the_same_values_make_the_same_bytes_from_another_renderer() -> None:
    another = PageRenderer(ROOT / "templates", STYLESHEET_URL)
    assert all_pages(renderer(), public_list(), "stripe") == all_pages(another, public_list(), "stripe")


def test_the_order_in_which_entries_are_loaded_makes_no_difference() -> None:
    public = public_list()
    reversed_order = replace(public, entries=public.entries[::-1], removed=public.removed[::-1])
    assert renderer().list_page(public, ADDRESSES) == renderer().list_page(reversed_order, ADDRESSES)


@pytest.mark.parametrize("kind", get_args(FeedKind))
def test_the_same_values_make_the_same_feed_in_whatever_order_notices_are_loaded(kind: FeedKind) -> None:
    public = public_list()
    reversed_order = replace(public, notices=public.notices[::-1])
    assert build_feed(public, ADDRESSES, kind) == build_feed(reversed_order, ADDRESSES, kind)


def test_a_page_is_utf_8_and_names_it() -> None:
    page = renderer().list_page(public_list(publisher=replace(PUBLISHER, name="Ängström 株式会社")), ADDRESSES)
    assert "Ängström 株式会社" in page.decode("utf-8")
    assert b'<meta charset="utf-8">' in page


def _luminance(colour: str) -> float:
    channels = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: str, other: str) -> float:
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_stands_out_from_its_ground_as_wcag_aa_asks(scheme: int) -> None:
    sheet = (ROOT / "registry/web/static/registry.css").read_text("utf-8")
    block = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)[scheme]
    colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", block))
    for text in ("ink", "soft", "accent"):
        for ground in ("paper", "raised", "tint"):
            assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for text, ground in [("accent-ink", "accent"), ("ink", "added"), ("ink", "taken"), ("wrong", "paper")]:
        assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert _contrast(colours["strong-line"], colours["paper"]) >= 3


def test_the_stylesheet_loads_nothing() -> None:
    sheet = (ROOT / "registry/web/static/registry.css").read_text("utf-8")
    assert "url(" not in sheet
    assert "@import" not in sheet
