"""A month to choose a date from, whose closed days say why, and what people type as dates and times of day."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Final

from registry.domain.errors import InvalidInput, Problem
from registry.domain.lawful_days import (
    LAST_YEAR,
    MONTHS_OF_A_YEAR,
    CalendarDay,
    Month,
    WhyClosed,
    month_of,
    plan_day,
    plan_month,
)
from registry.domain.notices import refuse_too_far
from registry.pages.wording import date_in_words

MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True)
class Calendar:
    """A month as a form shows it. `why` is what closes the days before `open_from`; all dates are of `zone`."""

    month: Month
    today: date
    open_from: date
    zone: str
    chosen: date | None
    why: str

    @property
    def title(self) -> str:
        """The month in words."""
        return f"{MONTHS[self.month.first_on.month - 1]} {self.month.first_on.year}"

    @property
    def weekdays(self) -> tuple[str, ...]:
        """The days of a week, Monday first."""
        return WEEKDAYS

    @property
    def previous(self) -> str | None:
        """The month before as forms send it, None where all its days are over."""
        return None if self.month.first_on <= month_of(self.today) else f"{self.month.previous:%Y-%m}"

    @property
    def next(self) -> str:
        """The month after as forms send it."""
        return f"{self.month.next:%Y-%m}"

    def why_not(self, on: date | None) -> dict[str, str]:
        """Return the error beside `effective_on` of a day that is closed, none for an open one.

        No day after the last year is judged here; whether a notice may be dated so is said when it is saved.
        """
        day = plan_day(on, self.today, self.open_from, self.zone) if on and on.year <= LAST_YEAR else None
        if day is None or day.closed is None:
            return {}
        return {"effective_on": f"{self.say(day)}." if day.closed is WhyClosed.PAST else self.say(day)}

    def say(self, day: CalendarDay) -> str:
        """Say what a day is: its date in words, and why it is closed where it is."""
        said = date_in_words(day.on)
        match day.closed:
            case None:
                return f"{said}, chosen" if day.on == self.chosen else said
            case WhyClosed.PAST:
                return f"{said}: is over"
            case WhyClosed.TOO_EARLY:
                return f"{said}: too early. {self.why}"
            case WhyClosed.NO_SUCH_DAY:
                return f"{said}: the calendar of {self.zone} leaves this day out"


def make_calendar(month: date, today: date, open_from: date, zone: str, chosen: date | None, why: str) -> Calendar:
    """Return the calendar of a month of `zone`, open from `open_from` on; `why` says what closes the days before."""
    return Calendar(plan_month(month, today, open_from, zone), today, open_from, zone, chosen, why)


def read_month(text: str | None, otherwise: date) -> date:
    """Return the first day of the month that a button names (`2026-12`), or the month of another date.

    No month is later than the last year.
    """
    named = re.fullmatch(r"([0-9]{1,4})-([0-9]{1,2})", text or "")
    year, month = (int(part) for part in named.groups()) if named else (0, 0)
    if 1 <= month <= MONTHS_OF_A_YEAR and 1 <= year <= LAST_YEAR:
        return date(year, month, 1)
    return month_of(min(otherwise, date(LAST_YEAR, MONTHS_OF_A_YEAR, 1)))


def read_day(text: str, field: str, now: datetime, zone: str) -> date | None:
    """Return the date of `zone` somebody typed or chose, None for nothing.

    Raises `InvalidInput` naming the field for what is no date, and for one too far ahead.
    """
    if not text.strip():
        return None
    try:
        on = datetime.strptime(text.strip(), "%Y-%m-%d").date()  # noqa: DTZ007 - a date of the calendar has no zone
    except ValueError:
        raise InvalidInput([Problem(field, text[:40], "not-a-date")]) from None
    refuse_too_far(field, on, now, zone)
    return on


def read_time(text: str, field: str) -> time:
    """Return the time of day somebody typed. Raises `InvalidInput` naming the field."""
    try:
        return datetime.strptime(text.strip(), "%H:%M").time()  # noqa: DTZ007 - a time of day has no zone
    except ValueError:
        raise InvalidInput([Problem(field, text[:40], "not-a-time")]) from None
