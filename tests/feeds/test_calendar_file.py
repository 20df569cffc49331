import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar

from feeds import calendar
from feeds.values import CalendarEvent

URL = "https://trust.antopsis.example/antopsis/calendar.ics"
NAME = "Antopsis: notices, deadlines; effective dates"


def build_calendar(name: str, events: Iterable[CalendarEvent], self_url: str, **others: Any) -> bytes:
    """The calendar of Antopsis, who may be written to."""
    organizer = {"organizer_name": "Antopsis", "organizer_address": "mailto:privacy@antopsis.example"}
    return calendar.build_calendar(name, events, self_url, **{**organizer, **others})


def parsed(content: bytes) -> Calendar:
    found = Calendar.from_ical(content)
    assert isinstance(found, Calendar)
    return found


def unfolded(content: bytes) -> list[str]:
    return content.replace(b"\r\n ", b"").decode().split("\r\n")


def test_the_calendar_names_itself_and_how_often_to_look_again(effect_day: CalendarEvent) -> None:
    lines = unfolded(build_calendar(NAME, [effect_day], URL))
    assert lines[:2] == ["BEGIN:VCALENDAR", "VERSION:2.0"]
    assert lines[-2:] == ["END:VCALENDAR", ""]
    escaped = "Antopsis: notices\\, deadlines\\; effective dates"
    for expected in [
        "METHOD:PUBLISH",
        "CALSCALE:GREGORIAN",
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
    assert event["DTSTART"].to_ical() == b"20261130"
    assert event["DTEND"].to_ical() == b"20261201"
    assert event["DTSTART"].params["VALUE"] == event["DTEND"].params["VALUE"] == "DATE"
    assert effect_day.stamped_at == event.DTSTAMP == event.LAST_MODIFIED
    assert str(event["UID"]) == "2026-002.effect@antopsis.example"
    assert str(event["SUMMARY"]) == effect_day.title
    assert str(event["DESCRIPTION"]) == effect_day.description
    assert str(event["URL"]) == effect_day.url
    assert (event.sequence, event["STATUS"], event["TRANSP"]) == (0, "CONFIRMED", "TRANSPARENT")


def test_an_event_names_who_publishes_it_as_a_published_event_must(effect_day: CalendarEvent) -> None:
    lines = unfolded(build_calendar(NAME, [effect_day], URL))
    assert lines.count("ORGANIZER;CN=Antopsis:mailto:privacy@antopsis.example") == 1
    at_a_page = {"organizer_name": 'Müller, "Söhne": GmbH', "organizer_address": "https://antopsis.example/?a=1;b"}
    (event,) = parsed(build_calendar(NAME, [effect_day], URL, **at_a_page)).events
    assert str(event["ORGANIZER"]) == "https://antopsis.example/?a=1;b"
    assert event["ORGANIZER"].params["CN"].startswith("Müller, ")
    with pytest.raises(ValueError, match="organizer_address must be an absolute IRI"):
        build_calendar(NAME, [effect_day], URL, organizer_address="privacy@antopsis.example")
    with pytest.raises(ValueError, match="organizer_name must not be empty"):
        build_calendar(NAME, [effect_day], URL, organizer_name="\x00")


def test_an_event_rings_before_its_day_begins_the_earliest_alarm_first(effect_day: CalendarEvent) -> None:
    alarms = (timedelta(hours=15), timedelta(days=6, hours=15), timedelta(hours=15))
    content = build_calendar(NAME, [replace(effect_day, alarms=alarms)], URL)
    (event,) = parsed(content).events
    assert [line for line in unfolded(content) if line.startswith("TRIGGER")] == [
        "TRIGGER:-P6DT15H",
        "TRIGGER:-PT15H",
    ]
    # Times without a zone: nine o'clock wherever the calendar is.
    assert [str(alarm.trigger) for alarm in event.alarms.times] == ["2026-11-23 09:00:00", "2026-11-29 09:00:00"]
    for alarm in event.walk("VALARM"):
        assert (str(alarm["ACTION"]), str(alarm["DESCRIPTION"])) == ("DISPLAY", effect_day.title)


def test_a_cancelled_event_does_not_ring(withdrawn_day: CalendarEvent) -> None:
    content = build_calendar(NAME, [replace(withdrawn_day, alarms=(timedelta(hours=15),))], URL)
    assert b"VALARM" not in content


def test_a_cancelled_event_stays_with_its_uid_and_a_higher_sequence(withdrawn_day: CalendarEvent) -> None:
    (event,) = parsed(build_calendar(NAME, [withdrawn_day], URL)).events
    assert (event.sequence, event["STATUS"]) == (2, "CANCELLED")
    assert "DESCRIPTION" not in event


def test_events_stand_by_date_however_they_were_given(effect_day: CalendarEvent, withdrawn_day: CalendarEvent) -> None:
    content = build_calendar(NAME, [effect_day, withdrawn_day], URL)
    assert [event.start for event in parsed(content).events] == [date(2026, 11, 15), date(2026, 11, 30)]
    assert build_calendar(NAME, (event for event in (withdrawn_day, effect_day)), URL) == content


def test_a_calendar_without_events_is_one(effect_day: CalendarEvent) -> None:
    empty = parsed(build_calendar(NAME, [], URL, description="Nothing is planned.\nLook again."))
    assert empty.events == []
    assert str(empty["VERSION"]) == "2.0"
    assert str(empty["DESCRIPTION"]) == "Nothing is planned.\nLook again."


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
    content = build_calendar(attack, [hostile], URL, description=attack, organizer_name=attack)
    (event,) = parsed(content).events
    assert content.count(b"\r\nBEGIN:VEVENT\r\n") == 1
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


CONTENT_LINE = re.compile(r'[A-Z-]+(;[A-Z-]+=("[^"\x00-\x1f\x7f]*"|[^";:,\x00-\x1f\x7f]+))*:[^\x00-\x08\x0a-\x1f\x7f]*')
CALENDAR_ONCE = {"VERSION", "PRODID"}
EVENT_ONCE = {"UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "SEQUENCE", "STATUS", "TRANSP", "URL"}
EVENT_ONCE |= {"LAST-MODIFIED", "ORGANIZER"}
ALARM_ONCE = {"ACTION", "DESCRIPTION", "TRIGGER"}
ONCE = {"VCALENDAR": CALENDAR_ONCE, "VEVENT": EVENT_ONCE, "VALARM": ALARM_ONCE}
"""What a component has exactly once (RFC 5545, 3.6; RFC 5546, 3.2.1)."""


def test_the_file_keeps_to_the_grammar_and_each_component_has_what_it_must_once(
    effect_day: CalendarEvent, withdrawn_day: CalendarEvent
) -> None:
    ringing = replace(effect_day, alarms=(timedelta(hours=15), timedelta(days=6, hours=15)), title='a "b"; c, d\\e:f')
    content = build_calendar(NAME, [ringing, withdrawn_day], URL, organizer_name='Müller: "Söhne", GmbH; ^n')
    assert content.endswith(b"END:VCALENDAR\r\n")
    open_ones: list[tuple[str, Counter[str]]] = []
    closed = Counter[str]()
    for line in unfolded(content)[:-1]:
        assert CONTENT_LINE.fullmatch(line), line
        name, _, value = line.partition(":")
        name = name.partition(";")[0]
        if name == "BEGIN":
            open_ones.append((value, Counter()))
        elif name == "END":
            component, held = open_ones.pop()
            assert component == value
            assert all(held[each] == 1 for each in ONCE[component]), (component, held)
            assert max(held.values()) == 1, held
            closed[component] += 1
        else:
            open_ones[-1][1][name] += 1
    assert (open_ones, closed) == ([], Counter({"VALARM": 2, "VEVENT": 2, "VCALENDAR": 1}))


def test_an_event_of_the_last_day_there_is_lasts_it_without_saying_so(effect_day: CalendarEvent) -> None:
    (event,) = parsed(build_calendar(NAME, [replace(effect_day, on=date.max)], URL)).events
    assert event["DTSTART"].to_ical() == b"99991231"
    assert "DTEND" not in event
