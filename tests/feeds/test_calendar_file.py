from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from icalendar import Calendar

from feeds.calendar import build_calendar
from feeds.values import CalendarEvent

URL = "https://trust.antopsis.example/antopsis/calendar.ics"
NAME = "Antopsis: notices, deadlines; effective dates"


def parsed(content: bytes) -> Calendar:
    calendar = Calendar.from_ical(content)
    assert isinstance(calendar, Calendar)
    return calendar


def unfolded(content: bytes) -> list[str]:
    return content.replace(b"\r\n ", b"").decode().split("\r\n")


def test_the_calendar_names_itself_and_how_often_to_look_again(effect_day: CalendarEvent) -> None:
    lines = unfolded(build_calendar(NAME, [effect_day], URL))
    assert lines[:2] == ["BEGIN:VCALENDAR", "VERSION:2.0"]
    assert lines[-2:] == ["END:VCALENDAR", ""]
    escaped = "Antopsis: notices\\, deadlines\\; effective dates"
    for expected in [
        "PRODID:-//Subprocessor registry//Calendar//EN",
        f"NAME:{escaped}",
        f"X-WR-CALNAME:{escaped}",
        "REFRESH-INTERVAL;VALUE=DURATION:PT6H",
        "X-PUBLISHED-TTL:PT6H",
        f"SOURCE;VALUE=URI:{URL}",
    ]:
        assert lines.count(expected) == 1


def test_an_event_lasts_its_day_and_makes_nobody_busy(effect_day: CalendarEvent) -> None:
    (event,) = parsed(build_calendar(NAME, [effect_day], URL)).events
    assert event.start == date(2026, 11, 30)
    assert not isinstance(event.start, datetime)
    assert event.end - event.start == timedelta(days=1)
    assert effect_day.stamped_at == event.DTSTAMP
    assert str(event["UID"]) == "2026-002.effect@antopsis.example"
    assert str(event["SUMMARY"]) == effect_day.title
    assert str(event["DESCRIPTION"]) == effect_day.description
    assert str(event["URL"]) == effect_day.url
    assert (event.sequence, event["STATUS"], event["TRANSP"]) == (0, "CONFIRMED", "TRANSPARENT")


def test_a_cancelled_event_stays_with_its_uid_and_a_higher_sequence(withdrawn_day: CalendarEvent) -> None:
    (event,) = parsed(build_calendar(NAME, [withdrawn_day], URL)).events
    assert (event.sequence, event["STATUS"]) == (2, "CANCELLED")
    assert "DESCRIPTION" not in event


def test_events_stand_by_date_however_they_were_given(effect_day: CalendarEvent, withdrawn_day: CalendarEvent) -> None:
    content = build_calendar(NAME, [effect_day, withdrawn_day], URL)
    assert [event.start for event in parsed(content).events] == [date(2026, 11, 15), date(2026, 11, 30)]
    assert build_calendar(NAME, (event for event in (withdrawn_day, effect_day)), URL) == content


def test_a_calendar_without_events_is_one(effect_day: CalendarEvent) -> None:
    calendar = parsed(build_calendar(NAME, [], URL, description="Nothing is planned.\nLook again."))
    assert calendar.events == []
    assert str(calendar["VERSION"]) == "2.0"
    assert str(calendar["DESCRIPTION"]) == "Nothing is planned.\nLook again."


def test_lines_end_in_crlf_and_are_folded_between_characters(effect_day: CalendarEvent) -> None:
    long = replace(effect_day, title="Zürich 阿里云 🌍 " * 30, description="ß" * 500)
    content = build_calendar("Đ" * 100, [long], URL)
    lines = content.split(b"\r\n")
    assert all(b"\n" not in line and b"\r" not in line for line in lines)
    assert max(len(line) for line in lines) <= 75
    assert all(line.decode("utf-8") is not None for line in lines)
    (event,) = parsed(content).events
    assert str(event["SUMMARY"]) == ("Zürich 阿里云 🌍 " * 30).strip()
    assert str(event["DESCRIPTION"]) == "ß" * 500


def test_text_cannot_add_a_property_or_an_event(effect_day: CalendarEvent) -> None:
    attack = "x\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nUID:evil\r\nATTACH:file:///etc/passwd"
    hostile = replace(effect_day, uid=f"u{attack}", title=attack, description=attack)
    calendar = parsed(build_calendar(attack, [hostile], URL, description=attack))
    (event,) = calendar.events
    assert "ATTACH" not in event
    assert str(event["DESCRIPTION"]) == attack.replace("\r\n", "\n")
    assert str(event["SUMMARY"]) == " ".join(attack.split())


def test_backslashes_commas_and_semicolons_come_back_as_they_went_in(effect_day: CalendarEvent) -> None:
    title = 'C:\\new; a,b "quoted" \\; \\, ^n'
    (event,) = parsed(build_calendar(NAME, [replace(effect_day, title=title)], URL)).events
    assert str(event["SUMMARY"]) == title


def test_two_events_with_one_uid_are_refused(effect_day: CalendarEvent) -> None:
    with pytest.raises(ValueError, match=r"events must not hold an identifier twice: 2026-002.effect@"):
        build_calendar(NAME, [effect_day, replace(effect_day, on=date(2026, 12, 1))], URL)


def test_an_empty_name_a_bad_address_and_no_interval_are_refused(effect_day: CalendarEvent) -> None:
    with pytest.raises(ValueError, match="name must not be empty"):
        build_calendar("\x00", [effect_day], URL)
    with pytest.raises(ValueError, match="self_url must be an absolute http or https address"):
        build_calendar(NAME, [effect_day], "webcal://x/y")
    with pytest.raises(ValueError, match="refresh_every must be positive"):
        build_calendar(NAME, [effect_day], URL, refresh_every=timedelta(0))
