"""The life of a list: when each entry came and left, told as a picture and in words, from one entry to hundreds."""

from __future__ import annotations

import gzip
import re
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from registry.language import LANGUAGES, speaking
from registry.pages.axis import MOST_TICKS, Axis, floor_to, make_ticks, shift_by
from registry.pages.life import DAYS_TOLD, LINKS_SHOWN, find_spans, tell_life
from registry.pages.timeline import MOST_BARS, TimelinePicture, draw_timeline
from registry.pages.values import PublicEntry, PublicList, RemovedEntry
from tests.pages.factories import (
    ADDRESSES,
    BUNNY,
    BUNNY_NOTICE,
    HETZNER,
    KEYCDN_NOTICE,
    OLD_CDN,
    STRIPE_NOTICE,
    TODAY,
    at,
    change,
    content,
    empty_list,
    public_list,
)
from tests.pages.long_life import FOUNDED_AT, long_list
from tests.pages.reading import Page, renderer

LIFE = "//section[@aria-labelledby='list_life']"


def draw(public: PublicList) -> TimelinePicture:
    """Draw the life of a list at its usual address."""
    return draw_timeline(public, ADDRESSES)


def share(percent: str) -> float:
    """Return the number of a place in percent."""
    assert percent.endswith("%")
    return float(percent[:-1])


def one_entry(listed_at: datetime) -> PublicList:
    """Return a list with nothing in its life but its founding."""
    entry = PublicEntry("hetzner", HETZNER, listed_at, listed_at)
    return public_list(entries=(entry,), removed=(), notices=(), founded_at=listed_at)


def test_a_bar_runs_from_the_day_an_entry_came_to_the_day_it_left_or_today() -> None:
    picture = draw(public_list())
    bars = {bar.name: bar for bar in picture.bars}
    assert len(bars) == 10
    stripe, keycdn, bunny = bars["Stripe"], bars["KeyCDN"], bars["BunnyCDN"]
    assert stripe.state == "current"
    assert stripe.said == "Stripe: on the list since 16 March 2026"
    assert share(stripe.at) + share(stripe.width) == pytest.approx(share(picture.now_at), abs=0.02)
    assert keycdn.state == "left"
    assert keycdn.said == "KeyCDN: on the list from 16 March 2026 to 1 May 2026"
    assert share(keycdn.width) < share(stripe.width)
    assert bunny.state == "announced"
    assert not bunny.has_date
    assert bunny.said == "BunnyCDN: announced for the list, without a date yet"


def test_a_notice_stands_on_the_bars_of_the_entries_it_concerns() -> None:
    picture = draw(public_list())
    marks = {bar.name: bar.notices for bar in picture.bars}
    (told,) = marks["Stripe"]
    assert told.said == (
        "Notice 2026-004: Stripe sees IP addresses, and gives support from Singapore; "
        "announced on 2 November 2026, effective on 4 December 2026"
    )
    assert told.until == "98.5%"
    assert share(told.at) < share(picture.now_at)
    (withdrawn,) = marks["Hetzner"]
    assert withdrawn.said.endswith("announced on 1 June 2026, withdrawn on 20 June 2026")
    (undated,) = marks["BunnyCDN"]
    assert undated.until is None
    assert undated.said.endswith("announced on 5 October 2026, without a date yet")
    assert marks["Resend"] == ()


def test_what_left_began_with_the_notice_that_brought_it_and_else_with_the_list() -> None:
    joined_at, left_at = at(6, 1), at(9, 1)
    brought = KEYCDN_NOTICE.__class__(
        **{
            **KEYCDN_NOTICE.__dict__,
            "changes": (change("bunny", None, BUNNY),),
            "took_effect_at": joined_at,
        }
    )
    gone = (RemovedEntry("bunny", BUNNY, left_at), RemovedEntry("keycdn", OLD_CDN, left_at))
    spans = {span.key: span for span in find_spans(public_list(entries=(), removed=gone, notices=(brought,)))}
    assert spans["bunny"].since == date(2026, 6, 1)
    assert spans["keycdn"].since == date(2026, 3, 16)
    assert {span.until for span in spans.values()} == {date(2026, 9, 1)}


def test_an_announced_entry_is_drawn_from_the_day_it_will_join() -> None:
    dated = BUNNY_NOTICE.__class__(
        **{**BUNNY_NOTICE.__dict__, "state": "announced", "effective_on": date(2026, 12, 20)},
    )
    picture = draw(public_list(notices=(dated,)))
    (bunny,) = (bar for bar in picture.bars if bar.name == "BunnyCDN")
    assert bunny.said == "BunnyCDN: joins the list on 20 December 2026"
    assert share(bunny.at) > share(picture.now_at)


def test_days_are_local_to_the_publisher() -> None:
    late = datetime(2026, 11, 17, 23, 30, tzinfo=UTC)  # the 18th in Berlin
    (bar,) = draw(one_entry(late)).bars
    assert bar.said == "Hetzner: on the list since 18 November 2026"


def test_words_tell_every_day_the_newest_first() -> None:
    page = Page(renderer().list_page(public_list(), ADDRESSES))
    days = page.attributes(f"{LIFE}//ol/li/time", "datetime")
    assert days == sorted(days, reverse=True)
    told = dict(zip(days, page.texts(f"{LIFE}//ol/li/ul"), strict=True))
    assert told["2026-12-04"] == "Takes effect: Stripe sees IP addresses, and gives support from Singapore"
    assert told["2026-06-20"] == "Withdrawn: Hetzner would also have served from Helsinki"
    assert told["2026-11-06"] == "Postponed: BunnyCDN delivers streams beside Cloudflare"
    assert told["2026-05-01"] == "Left the list: KeyCDN Took effect: KeyCDN leaves the list"
    assert told["2026-03-16"].startswith("First published: Analytics provider, Cloudflare, Cloudflare R2, ")
    links = page.attributes(f"{LIFE}//ol//a", "href")
    assert f"{ADDRESSES.base}/notices/2026-004" in links
    assert f"{ADDRESSES.base}/entries/stripe" in links


def test_a_past_day_is_the_end_of_the_picture() -> None:
    past = public_list(as_of=date(2026, 4, 20), notices=(), removed=())
    picture = draw(past)
    assert picture.now_label == "20 April 2026"
    assert picture.now_at == "98.5%"
    assert picture.title == "Timeline from 16 March 2026 to 20 April 2026"


def test_a_list_that_began_yesterday_is_a_picture_already() -> None:
    picture = draw(one_entry(at(11, 20)))
    (bar,) = picture.bars
    assert share(bar.at) + share(bar.width) == pytest.approx(98.5, abs=0.1)
    assert picture.summary == "1 entry on 21 November 2026; the list begins on 20 November 2026."
    assert picture.ticks


def test_a_list_without_a_life_has_no_picture() -> None:
    picture = draw(empty_list())
    assert picture.days == ()
    assert picture.bars == ()
    assert picture.steps is None
    assert b"list_life" not in renderer().list_page(empty_list(), ADDRESSES)


def test_many_entries_are_counted_instead_of_drawn() -> None:
    assert draw(long_list(MOST_BARS - 1)).steps is None
    picture = draw(long_list(300))
    assert picture.bars == ()
    assert picture.steps is not None
    public = long_list(300)
    assert picture.steps.most >= len(public.entries)
    line = re.findall(r"H([\d.]+)V([\d.]+)", picture.steps.line)
    assert float(line[-1][1]) == pytest.approx(100 - 96 * len(public.entries) / picture.steps.most, abs=0.01)
    assert [mark.url for mark, *_at in picture.steps.open_notices] == [f"{ADDRESSES.base}/notices/2026-004"]
    first = picture.steps.periods[0]
    assert first.said.startswith("Q1 2021: 120 entries joined")
    assert first.url == f"{ADDRESSES.base}/compare?from=2021-03-01&to=2021-03-31"
    assert len(picture.steps.periods) <= 48


def test_few_months_are_counted_by_the_month() -> None:
    entries = tuple(
        PublicEntry(f"v-{number}", content(f"Vendor {number}"), listed, listed)
        for number, listed in enumerate([at(3, 16)] * 30 + [at(5, 2)] * 20)
    )
    steps = draw(public_list(entries=entries, removed=(), notices=())).steps
    assert steps is not None
    assert [period.said for period in steps.periods] == [
        "March 2026: 30 entries joined",
        "May 2026: 20 entries joined",
    ]
    assert steps.periods[1].url == f"{ADDRESSES.base}/compare?from=2026-04-30&to=2026-05-31"


def test_the_words_of_a_long_life_are_bounded_and_lose_no_year() -> None:
    public = long_list(300)
    days, years = tell_life(public, find_spans(public), ADDRESSES)
    assert len(days) == DAYS_TOLD
    assert max(len(happening.links) for day in days for happening in day.happenings) <= LINKS_SHOWN
    assert [year.year for year in years] == sorted({year.year for year in years}, reverse=True)
    assert years[-1].year == 2021
    assert "entries joined" in years[-1].said
    page = renderer().list_page(public, ADDRESSES).decode()
    section = page[page.index('aria-labelledby="list_life"') :]
    assert len(gzip.compress(section[: section.index("</section>")].encode(), 9)) < 5_000


def test_the_picture_speaks_the_language_of_its_reader() -> None:
    labels = set()
    for language in LANGUAGES:
        with speaking(language):
            labels.add(draw(public_list()).ticks[0].label)
    assert len(labels) == len(LANGUAGES)


def test_a_hostile_name_stays_a_name_and_the_page_has_no_style_of_its_own() -> None:
    made = content("</text></svg><script>alert(1)</script>")
    hostile = public_list(entries=(PublicEntry("hostile", made, FOUNDED_AT, FOUNDED_AT),))
    page = renderer().list_page(hostile, ADDRESSES)
    assert b"&lt;/text&gt;" in page
    assert b"<script" not in page
    assert b" style=" not in page


def test_whoever_left_and_came_back_has_two_bars() -> None:
    back = PublicEntry("keycdn", OLD_CDN, at(8, 1), at(8, 1))
    picture = draw(public_list(entries=(back,), notices=(KEYCDN_NOTICE,)))
    assert [bar.state for bar in picture.bars] == ["left", "current"]
    assert [len(bar.notices) for bar in picture.bars] == [0, 1]


DAYS = st.dates(date(1995, 1, 1), TODAY)


@settings(max_examples=150, deadline=None)
@given(DAYS, st.integers(30, 12_000))
def test_an_axis_of_any_length_has_a_few_labels_in_their_order(first: date, days: int) -> None:
    axis = Axis(first, first + timedelta(days=days))
    ticks = make_ticks(axis)
    places = [share(tick.at) for tick in ticks]
    assert 1 <= len(ticks) <= MOST_TICKS + 1
    assert places == sorted(set(places))
    assert places[0] >= 0
    assert places[-1] <= 100
    for one, other in pairwise(ticks):
        assert share(other.at) - share(one.at) > 8, "labels would overlap on a telephone"


@given(DAYS, st.sampled_from([1, 3, 12, 60]))
def test_a_day_lies_in_its_period(on: date, months: int) -> None:
    begins = floor_to(on, months)
    assert begins <= on < shift_by(begins, months)
    assert begins.day == 1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(DAYS, st.none() | st.integers(0, 4000)), min_size=1, max_size=70))
def test_everything_stands_within_the_picture(lives: list[tuple[date, int | None]]) -> None:
    instants = [(datetime(on.year, on.month, on.day, 12, tzinfo=UTC), days) for on, days in lives]
    made = [content(f"Vendor {number}") for number in range(len(lives))]
    entries = tuple(
        PublicEntry(f"v-{number}", made[number], begins, begins)
        for number, (begins, days) in enumerate(instants)
        if days is None
    )
    removed = tuple(
        RemovedEntry(f"v-{number}", made[number], min(begins + timedelta(days=days), at(11, 21)))
        for number, (begins, days) in enumerate(instants)
        if days is not None
    )
    founded = min(begins for begins, _days in instants)
    public = public_list(entries=entries, removed=removed, notices=(STRIPE_NOTICE,), founded_at=founded)
    picture = draw(public)
    assert (picture.steps is None) == (len(lives) <= MOST_BARS)
    for bar in picture.bars:
        assert share(bar.at) >= 0
        assert share(bar.at) + share(bar.width) <= 100
    if picture.steps:
        assert all(0 <= float(down) <= 100 for down in re.findall(r"V([\d.]+)", picture.steps.line))
    assert draw(public) == picture
