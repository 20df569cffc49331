"""A month as somebody chooses a date from: which days are open, and why the others are closed (R11, R20, R24).

And the instant that a date and a time of day of a zone mean, where clocks are set forward and back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from registry.domain.errors import RegistryError
from registry.domain.notices import is_a_day

DAYS_OF_A_WEEK = 7
MONTHS_OF_A_YEAR = 12
LAST_YEAR = 9_990
"""The last year that a date is chosen in: periods counted from one that is not later end within the calendar."""

FIRST_INSTANT = datetime.min.replace(tzinfo=UTC)
LAST_INSTANT = datetime.max.replace(tzinfo=UTC)


class NoSuchTime(RegistryError):
    """Clocks are set forward over this time of day. Params: on, at, zone, next_at (the first time there is)."""

    code = "clock-skips-time"


class WhyClosed(StrEnum):
    """Why nothing may take effect on a day: it is over, it is too early, or the zone's calendar leaves it out."""

    PAST = "past"
    TOO_EARLY = "too_early"
    NO_SUCH_DAY = "no_such_day"


@dataclass(frozen=True)
class CalendarDay:
    """One date of a zone; `closed` says why it cannot be chosen, None where it can."""

    on: date
    closed: WhyClosed | None


@dataclass(frozen=True)
class Month:
    """A month in weeks from Monday to Sunday; None stands for the days of its neighbours."""

    first_on: date
    weeks: tuple[tuple[CalendarDay | None, ...], ...]

    @property
    def previous(self) -> date:
        """The first day of the month before."""
        return month_of(self.first_on - timedelta(days=1))

    @property
    def next(self) -> date:
        """The first day of the month after."""
        year, month = self.first_on.year, self.first_on.month
        return date(year + 1, 1, 1) if month == MONTHS_OF_A_YEAR else date(year, month + 1, 1)


def month_of(on: date) -> date:
    """Return the first day of a date's month."""
    return on.replace(day=1)


def plan_month(first_on: date, today: date, open_from: date, zone: str) -> Month:
    """Return the month of `first_on` in weeks, its days open from `open_from` on; all are dates of `zone`."""
    month = Month(month_of(first_on), ())
    days = [
        plan_day(on, today, open_from, zone)
        for on in (month.first_on + timedelta(days=n) for n in range((month.next - month.first_on).days))
    ]
    padded: list[CalendarDay | None] = [*[None] * month.first_on.weekday(), *days]
    padded += [None] * (-len(padded) % DAYS_OF_A_WEEK)
    weeks = [tuple(padded[n : n + DAYS_OF_A_WEEK]) for n in range(0, len(padded), DAYS_OF_A_WEEK)]
    return Month(month.first_on, tuple(weeks))


def plan_day(on: date, today: date, open_from: date, zone: str) -> CalendarDay:
    """Return one day of such a month."""
    return CalendarDay(on, _why_closed(on, today, open_from, zone))


def _why_closed(on: date, today: date, open_from: date, zone: str) -> WhyClosed | None:
    if on < today:
        return WhyClosed.PAST
    if on < open_from:
        return WhyClosed.TOO_EARLY
    return None if is_a_day(on, zone) else WhyClosed.NO_SUCH_DAY


def local_instant(on: date, at: time, zone: str) -> datetime:
    """Return the UTC instant of a date and a time of day in `zone`; of a time that comes twice, the first.

    What UTC has no date for is the first or the last instant that it has one for. Raises `NoSuchTime` where clocks are
    set forward over it.
    """
    place = ZoneInfo(zone)
    local = datetime.combine(on, at, tzinfo=place)
    try:
        instant = local.astimezone(UTC)
    except OverflowError:
        return FIRST_INSTANT if on.year == 1 else LAST_INSTANT
    if instant.astimezone(place).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise NoSuchTime(on=on, at=f"{at:%H:%M}", zone=zone, next_at=f"{instant.astimezone(place):%H:%M}")
    return instant
