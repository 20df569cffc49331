"""A calendar to subscribe to (RFC 5545, with the properties of RFC 7986), written by icalendar.

It is published as RFC 5546 (3.2.1) has it: to whoever wants it, with nobody to answer. That asks for an organizer.
"""

from collections.abc import Iterable
from datetime import date, timedelta

from icalendar import Alarm, Calendar, Event
from icalendar.prop import vCalAddress, vDuration, vText, vUri

from feeds.values import CalendarEvent, check_iri, check_line, check_unique, check_web_address, clean_text

# Constant, without a version: it names the maker of the format, and a stored calendar must not change with a release.
PRODUCT_ID = "-//Subprocessor registry//Calendar//EN"


def build_calendar(
    name: str,
    events: Iterable[CalendarEvent],
    self_url: str,
    *,
    organizer_name: str,
    organizer_address: str,
    description: str = "",
    refresh_every: timedelta = timedelta(hours=6),
) -> bytes:
    """Return the events as an iCalendar file in UTF-8 with CRLF and folded lines, the same bytes for the same values.

    `self_url` is the absolute address the file is served at, `refresh_every` how often a subscribed calendar is asked
    to look again. The organizer is who publishes the events, reached at a `mailto:` or web address. Events are all-day
    and do not mark anybody as busy; they stand by date, then `uid`. DTSTAMP and LAST-MODIFIED are an event's
    `stamped_at` (UTC), never the time of building.

    Raises ValueError for an empty name, an address that is none, a `refresh_every` that is not positive, and for two
    events with one uid.
    """
    chronological = sorted(events, key=lambda event: (event.on, event.uid))
    check_unique("events", (event.uid for event in chronological))
    if refresh_every <= timedelta(0):
        raise ValueError(f"refresh_every must be positive, not {refresh_every}")

    calendar = Calendar()
    calendar.add("VERSION", "2.0")
    calendar.add("PRODID", PRODUCT_ID)
    calendar.add("CALSCALE", "GREGORIAN")
    calendar.add("METHOD", "PUBLISH")
    # Text is given as vText throughout: icalendar 7.3 does not know NAME and the X- properties as text, and would
    # leave a comma or a line break in them unescaped.
    calendar_name = check_line("name", name)
    calendar.add("NAME", vText(calendar_name))
    calendar.add("X-WR-CALNAME", vText(calendar_name))
    if description := clean_text(description).strip():
        calendar.add("DESCRIPTION", vText(description))
        calendar.add("X-WR-CALDESC", vText(description))
    # RFC 7986 (5.7, 5.8) gives these two no default type: without VALUE they are invalid.
    calendar.add("REFRESH-INTERVAL", vDuration(refresh_every, params={"VALUE": "DURATION"}))
    calendar.add("SOURCE", vUri(check_web_address("self_url", self_url), params={"VALUE": "URI"}))
    # Outlook reads this one; given a timedelta, icalendar would write it as Python prints it.
    time_to_live: bytes = vDuration(refresh_every).to_ical()  # type: ignore[no-untyped-call] # icalendar leaves it untyped
    calendar.add("X-PUBLISHED-TTL", vText(time_to_live.decode()))
    common_name = check_line("organizer_name", organizer_name)
    organizer = vCalAddress(check_iri("organizer_address", organizer_address), params={"CN": common_name})
    for event in chronological:
        calendar.add_component(_event(event, organizer))
    built: bytes = calendar.to_ical()
    return built


def _event(event: CalendarEvent, organizer: vCalAddress) -> Event:
    component = Event()
    component.add("UID", vText(event.uid))
    component.add("DTSTAMP", event.stamped_at)
    component.add("LAST-MODIFIED", event.stamped_at)
    component.add("ORGANIZER", organizer)
    component.add("DTSTART", event.on)
    # The first day that is not part of it (RFC 5545, 3.6.1). The calendar's last day has none, and lasts a day without.
    if event.on < date.max:
        component.add("DTEND", event.on + timedelta(days=1))
    component.add("SUMMARY", vText(event.title))
    if event.description:
        component.add("DESCRIPTION", vText(event.description))
    component.add("URL", vUri(event.url))
    component.add("SEQUENCE", event.sequence)
    component.add("STATUS", vText(event.status))
    component.add("TRANSP", vText("TRANSPARENT"))
    for before in event.alarms:
        alarm = Alarm()
        alarm.add("ACTION", vText("DISPLAY"))
        alarm.add("DESCRIPTION", vText(event.title))
        alarm.add("TRIGGER", vDuration(-before))
        component.add_component(alarm)
    return component
