import subprocess
import sys
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from feeds.values import CalendarEvent, Feed, Item, clean_text


@pytest.mark.parametrize("field", ["published_at", "updated_at"])
def test_a_naive_time_of_an_item_is_refused_by_name(hetzner_notice: Item, field: str) -> None:
    naive = datetime(2026, 9, 29, 8, 0)  # noqa: DTZ001 - a naive time is what is refused
    with pytest.raises(ValueError, match=rf"Item\.{field} must be an aware UTC instant"):
        replace(hetzner_notice, **{field: naive})  # type: ignore[arg-type] # the name is a parameter


def test_an_aware_time_that_is_not_utc_is_refused(feed: Feed, effect_day: CalendarEvent) -> None:
    berlin = datetime(2026, 10, 31, 0, 0, tzinfo=ZoneInfo("Europe/Berlin"))
    with pytest.raises(ValueError, match=r"Feed\.updated_at must be an aware UTC instant"):
        replace(feed, updated_at=berlin)
    with pytest.raises(ValueError, match=r"CalendarEvent\.stamped_at must be an aware UTC instant"):
        replace(effect_day, stamped_at=berlin)


def test_an_instant_in_another_zone_object_at_utc_is_the_same_value(feed: Feed) -> None:
    assert replace(feed, updated_at=feed.updated_at.astimezone(ZoneInfo("Etc/UTC"))) == feed
    assert replace(feed, updated_at=feed.updated_at.astimezone(ZoneInfo("Etc/UTC"))).updated_at.tzinfo is UTC


def test_control_characters_surrogates_and_noncharacters_are_taken_out(hetzner_notice: Item) -> None:
    unreadable = "\x00\x08\x0b\x0c\x1f\x7f\x80\x9f\ud800\udfff\ufffd\ufffe\uffff"
    item = replace(hetzner_notice, title=f"Str{unreadable}ipe", content_html=f"<p>{unreadable}ok</p>")
    assert item.title == "Stripe"
    assert item.content_html == "<p>ok</p>"


def test_line_breaks_become_one_kind_and_titles_one_line(hetzner_notice: Item) -> None:
    assert clean_text("a\r\nb\rc\x85d\u2028e\tf") == "a\nb\nc\nd\ne\tf"
    assert replace(hetzner_notice, title=" Stripe\r\n  is\tadded ").title == "Stripe is added"


def test_non_ascii_text_and_emoji_stand_as_they_are(hetzner_notice: Item) -> None:
    title = "Đà Nẵng · 阿里云 · Zürich 🌍 ‏עברית"
    assert replace(hetzner_notice, title=title).title == title


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "/notices/2026-001",
        "//host/x",
        "https://",
        "https://a b/",
        'https://a/"x',
        "https://a/\n",
    ],
)
def test_an_address_that_is_not_on_the_web_is_refused(hetzner_notice: Item, address: str) -> None:
    with pytest.raises(ValueError, match=r"Item\.url must be an absolute http or https address"):
        replace(hetzner_notice, url=address)


def test_an_address_beyond_ascii_is_encoded_and_leads_to_the_same_place(hetzner_notice: Item) -> None:
    def encoded(url: str) -> str:
        return replace(hetzner_notice, url=url).url

    assert encoded("https://Müller.example:8443/ä%20b?q=é&r=%C3%A9#ö") == (
        "https://xn--mller-kva.example:8443/%C3%A4%20b?q=%C3%A9&r=%C3%A9#%C3%B6"
    )
    plain = "https://user@a.example/b%20c;d?e=f&g=~#h"
    assert encoded(plain) == plain
    with pytest.raises(ValueError, match=r"Item\.url must name a host that there can be"):
        encoded(f"https://{'ü' * 70}.example/")


def test_an_extension_is_cleaned_whole_and_needs_a_name(feed: Feed, hetzner_notice: Item) -> None:
    told = {"a\x00": ["b\ud800", {"c": ("d\ufffd", 1, None, True)}]}
    item = replace(hetzner_notice, extension=told)
    assert item.extension == {"a": ["b", {"c": ["d", 1, None, True]}]}
    for name in ("", "_private", "with.dot", "1st"):
        with pytest.raises(ValueError, match=r"Feed\.extension_name must be letters"):
            replace(feed, items=(item,), extension_name=name)
        with pytest.raises(ValueError, match=r"Feed\.extension_name must be letters"):
            replace(feed, extension={}, extension_name=name)
    assert replace(feed, items=(item,), extension_name="subprocessor_registry").items == (item,)


def test_an_id_that_is_no_absolute_iri_is_refused(hetzner_notice: Item) -> None:
    with pytest.raises(ValueError, match=r"Item\.id must be an absolute IRI"):
        replace(hetzner_notice, id="2026-001")


def test_a_title_of_nothing_but_control_characters_is_refused(hetzner_notice: Item) -> None:
    with pytest.raises(ValueError, match=r"Item\.title must not be empty"):
        replace(hetzner_notice, title="\x00 \x07")


def test_a_language_that_is_no_tag_is_refused(feed: Feed) -> None:
    with pytest.raises(ValueError, match=r"Feed\.language must be a language tag"):
        replace(feed, language="English (UK)")


def test_items_stand_newest_first_however_they_were_given(
    feed: Feed, hetzner_notice: Item, resend_notice: Item
) -> None:
    tied = replace(resend_notice, id="tag:antopsis.example,2026:notices/2026-000")
    for given in [(hetzner_notice, resend_notice, tied), (tied, resend_notice, hetzner_notice)]:
        assert replace(feed, items=given).items == (tied, resend_notice, hetzner_notice)


def test_two_items_with_one_id_are_refused(feed: Feed, hetzner_notice: Item) -> None:
    with pytest.raises(ValueError, match=r"Feed\.items must not hold an identifier twice: tag:.*2026-001"):
        replace(feed, items=(hetzner_notice, replace(hetzner_notice, title="Another")))


def test_categories_are_cleaned_and_told_once_in_the_order_given(hetzner_notice: Item) -> None:
    item = replace(hetzner_notice, categories=("transfer", " addition\x00", "", "transfer"))
    assert item.categories == ("transfer", "addition")


def test_a_calendar_event_takes_a_date_and_no_moment(effect_day: CalendarEvent) -> None:
    with pytest.raises(ValueError, match=r"CalendarEvent\.on must be a date without a time"):
        replace(effect_day, on=datetime(2026, 11, 30, tzinfo=UTC))
    assert replace(effect_day, on=date(2026, 12, 1)).on == date(2026, 12, 1)


def test_a_calendar_event_refuses_a_negative_sequence_and_an_unknown_status(effect_day: CalendarEvent) -> None:
    with pytest.raises(ValueError, match=r"CalendarEvent\.sequence must be 0 or more, not -1"):
        replace(effect_day, sequence=-1)
    with pytest.raises(ValueError, match=r"CalendarEvent\.status must be CONFIRMED or CANCELLED"):
        replace(effect_day, status="TENTATIVE")  # type: ignore[arg-type] # the wrong status is the point


def test_an_alarm_rings_before_the_day_by_whole_seconds(effect_day: CalendarEvent) -> None:
    for alarm in (timedelta(seconds=-1), timedelta(microseconds=5)):
        with pytest.raises(ValueError, match=r"CalendarEvent\.alarms must be whole seconds"):
            replace(effect_day, alarms=(alarm,))


def test_the_package_loads_nothing_of_the_registry() -> None:
    modules = "feeds.syndication, feeds.json_feed, feeds.calendar"
    program = f"import sys, {modules}\nprint([name for name in sys.modules if name.partition('.')[0] == 'registry'])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
