"""The notice clock: from receipt to the earliest lawful effect, and back (DESIGN §4.3, R9–R13, R20, R22).

A local day is the stretch between its first instant and the first instant of the next date. That holds where clocks
skip midnight, where they are set back across it and where a zone leaves a date out; nothing here multiplies hours.

What this module does not do: it reads no clock, knows no letter and changes no state. The states of a notice are in
`registry.domain.notice_life`, what holds one on its day in `registry.domain.effect`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.terms import Deemed, Terms, WorkingDays

Rule = Literal["notice", "objection"]

ONE_DAY = timedelta(days=1)
SHORTEST_TIME = timedelta.resolution
FURTHEST_AHEAD = timedelta(days=36_525)
"""A hundred years. What is dated later is a slip, and near its end the calendar leaves no day to reckon with."""


class NoticePeriodTooShort(RegistryError):
    """The date asked for comes before somebody's period has run (R11).

    Params: `requested_on`; `customer` and `customer_key`, both None where the publisher's own terms govern; `rule`
    ("notice" or "objection"), `days`, `counting` and `zone` of the period that is too short; `first_on`, the first
    date that would do, and `publisher_zone`, in which it and `requested_on` are dates.
    """

    code = "notice-period-too-short"


class NoSuchDay(RegistryError):
    """A zone leaves this date out (Pacific/Apia had no 2011-12-30). Params: `on`, `zone`."""

    code = "no-such-day"


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return at.astimezone(UTC)


def first_instant(on: date, zone: str) -> datetime:
    """Return the UTC instant at which the local date `on` begins in `zone`, an IANA key (R9, R11).

    Usually 00:00 local. Where clocks go forward over midnight (America/Sao_Paulo 2018-11-04) the day begins with the
    first time it has; where midnight comes twice (America/Havana in autumn), with the first; and a date that the zone
    leaves out (Pacific/Apia 2011-12-30) begins, without lasting, together with the next.
    """
    return _first_instant(on, zone)


# Counting walks over the same days of the same zones for every customer.
@lru_cache(maxsize=16_384)
def _first_instant(on: date, zone: str) -> datetime:
    place = ZoneInfo(zone)
    midnight = datetime.combine(on, time.min, tzinfo=place)
    at = midnight.astimezone(UTC)
    if at.astimezone(place).replace(tzinfo=None) == midnight.replace(tzinfo=None):
        return at
    # Midnight falls into a gap. Read with the offset before the gap it lies at or after the change of clocks, read
    # with the offset after it lies before: the change is between the two, on a whole second.
    before = midnight.replace(fold=1).astimezone(UTC)
    while at - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(at - before) // timedelta(seconds=2))
        if middle.astimezone(place).date() < on:
            before = middle
        else:
            at = middle
    return at


def local_date(at: datetime, zone: str) -> date:
    """Return the date that calendars in `zone` show at the instant `at`. Raises ValueError for a naive `at`."""
    return _utc(at).astimezone(ZoneInfo(zone)).date()


def latest_day_begun(at: datetime, zone: str) -> date:
    """Return the latest local date that has begun by `at`. Raises ValueError for a naive `at`.

    It is `local_date`, except in the hours that clocks set back across midnight show twice (Antarctica/Casey
    2010-03-04): there the later date had begun already. So a later receipt never counts as an earlier one.
    """
    at = _utc(at)
    day = local_date(at, zone)
    while day < date.max and first_instant(day + ONE_DAY, zone) <= at:
        day += ONE_DAY
    return day


def is_a_day(on: date, zone: str) -> bool:
    """Return whether `zone` has the date `on`. Moving across the date line leaves one out (Pacific/Apia 2011-12-30)."""
    return local_date(first_instant(on, zone), zone) == on


def refuse_too_far(field: str, given: date | datetime, now: datetime, zone: str) -> None:
    """Raise `InvalidInput` naming `field` for a date of `zone`, or an instant, later than `FURTHEST_AHEAD` allows."""
    latest_on = local_date(now, zone) + FURTHEST_AHEAD
    ends_at = first_instant(latest_on + ONE_DAY, zone)
    is_too_far = given >= ends_at if isinstance(given, datetime) else given > latest_on
    if is_too_far:
        raise InvalidInput([Problem(field, given.isoformat(), "too-far-ahead", {"latest_on": latest_on})])


def first_effective_on(earliest_at: datetime, publisher_zone: str) -> date:
    """Return the first date of the publisher's zone that begins at or after `earliest_at` (R11)."""
    day = latest_day_begun(earliest_at, publisher_zone)
    while first_instant(day, publisher_zone) < _utc(earliest_at) or not is_a_day(day, publisher_zone):
        day += ONE_DAY
    return day


@dataclass(frozen=True)
class CustomerClock:
    """What receipt on one day means for one customer.

    `received_on` and `objection_ends_on` are dates of the customer's zone, the instants are UTC. `notice_ok_at` is
    the first instant after the notice period, `objection_ends_at` the first after the last day to object, and
    `earliest_at` the later of the two (R10).
    """

    received_on: date
    notice_ok_at: datetime
    objection_ends_on: date
    objection_ends_at: datetime
    earliest_at: datetime


def plan_clock(received_at: datetime, terms: Terms, working_days: WorkingDays) -> CustomerClock:
    """Return the clock of a customer that received the statement at `received_at` (R9, R10).

    The day of receipt is not counted (Reg. (EEC, Euratom) 1182/71 art. 3(1); BGB § 187(1)), and a period ends with
    the last hour of its last day (art. 3(2)(b); BGB § 188(1)): the hour of receipt plays no part. `working_days` are
    those of the region that the terms name. Raises ValueError for a naive `received_at`.
    """
    return plan_clock_from(latest_day_begun(received_at, terms.time_zone), terms, working_days)


def plan_clock_from(received_on: date, terms: Terms, working_days: WorkingDays) -> CustomerClock:
    """Return the clock of a customer that received the statement on `received_on`, a date of its own zone (R9, R10).

    Where terms roll, an objection period that would end on a non-working day runs to the end of the next working day
    (Reg. 1182/71 art. 3(4); BGB § 193). The notice period is measured against the effective date and never rolls:
    art. 3(4) leaves out periods that are calculated back from a date, and art. 4(1) those of taking effect.
    """
    zone = terms.time_zone
    notice_ends_on = _last_day(received_on, terms.days, terms, working_days)
    objection_ends_on = _last_day(received_on, terms.objection_days, terms, working_days)
    if terms.roll_to_working_day:
        while not (is_a_day(objection_ends_on, zone) and working_days.is_working_day(objection_ends_on)):
            objection_ends_on += ONE_DAY
    notice_ok_at = first_instant(notice_ends_on + ONE_DAY, zone)
    objection_ends_at = first_instant(objection_ends_on + ONE_DAY, zone)
    return CustomerClock(
        received_on=received_on,
        notice_ok_at=notice_ok_at,
        objection_ends_on=objection_ends_on,
        objection_ends_at=objection_ends_at,
        earliest_at=max(notice_ok_at, objection_ends_at),
    )


def _last_day(received_on: date, days: int, terms: Terms, working_days: WorkingDays) -> date:
    # A date that the zone leaves out is nobody's day, so it is not counted as one.
    day = received_on
    while days > 0:
        day += ONE_DAY
        if is_a_day(day, terms.time_zone) and (terms.counting == "calendar" or working_days.is_working_day(day)):
            days -= 1
    return day


def latest_receipt_at(effective_at: datetime, terms: Terms, working_days: WorkingDays) -> datetime:
    """Return the last instant (UTC, to the microsecond) at which receipt still allows effect at `effective_at`.

    It is `plan_clock` read backwards: receipt at or before this instant has its earliest effect at or before
    `effective_at`, any later receipt has not. Raises ValueError for a naive `effective_at`.
    """
    zone = terms.time_zone

    def allows(received_on: date) -> bool:
        return plan_clock_from(received_on, terms, working_days).earliest_at <= _utc(effective_at)

    # Counting in working days and rolling only ever lengthen a period, so this day is too late under any terms.
    too_late = latest_day_begun(effective_at, zone) - timedelta(days=max(terms.days, terms.objection_days))
    reach = ONE_DAY
    while not allows(too_late - reach):
        reach *= 2
    early_enough = too_late - reach
    while too_late - early_enough > ONE_DAY:
        middle = early_enough + (too_late - early_enough) // ONE_DAY // 2 * ONE_DAY
        if allows(middle):
            early_enough = middle
        else:
            too_late = middle
    return first_instant(early_enough + ONE_DAY, zone) - SHORTEST_TIME


def plan_objection_deadline(told_at: datetime, terms: Terms, working_days: WorkingDays) -> tuple[date, datetime]:
    """Return the deadline to print in a letter first tried at `told_at`: its last local day, and the instant it ends.

    An objection is in time before that instant (R25). The date is one of the customer's zone, the instant UTC.
    """
    clock = plan_clock(told_at, terms, working_days)
    return clock.objection_ends_on, clock.objection_ends_at


def plan_deemed_receipt_at(
    last_contact_tried_at: datetime, terms: Terms, *, every_contact_tried: bool
) -> datetime | None:
    """Return the instant at which an unreachable customer is deemed to have received a statement, or None (R13).

    Only a clause of its contract can deem receipt, and only once every contact has been tried. The day of the last
    of these tries is not counted; receipt is deemed when the last day of the clause has run out (UTC instant).
    """
    if not every_contact_tried or not isinstance(terms.undeliverable, Deemed):
        return None
    zone = terms.time_zone
    tried_on = latest_day_begun(last_contact_tried_at, zone)
    calendar = terms.model_copy(update={"counting": "calendar"})
    last_day = _last_day(tried_on, terms.undeliverable.deemed_after_days, calendar, WorkingDays())
    return first_instant(last_day + ONE_DAY, zone)


@dataclass(frozen=True)
class CustomerTerms:
    """A customer whose contract runs, as planning sees it: its terms and the working days of their region (R17)."""

    key: str
    name: str
    terms: Terms
    working_days: WorkingDays


@dataclass(frozen=True)
class EarliestEffect:
    """The first date on which a notice may take effect, and whose clock decides it (R10, R11).

    `effective_on` is a date of `publisher_zone` and `effective_at` its first instant (UTC). `governed_by` is the key
    of the customer whose period ends last, None for the publisher's own floor; `rule`, `days`, `counting` and `zone`
    belong to that period, `clock` to that customer.
    """

    effective_on: date
    effective_at: datetime
    publisher_zone: str
    governed_by: str | None
    governed_by_name: str | None
    rule: Rule
    days: int
    counting: Literal["calendar", "business"]
    zone: str
    clock: CustomerClock


def plan_effective(
    announced_at: datetime,
    publisher_terms: Terms,
    publisher_working_days: WorkingDays,
    publisher_zone: str,
    customers: Iterable[CustomerTerms],
    dispatch_margin_days: int = 1,
) -> EarliestEffect:
    """Return the earliest effect of a notice announced at `announced_at` (R10, R11).

    Each customer is taken to receive it `dispatch_margin_days` after the date of the announcement in its own zone, so
    that one retry past midnight does not hold the notice. The publisher's own terms, counted from `announced_at`
    itself, are a floor: one short contract never shortens everyone's notice. An equal end is put down to the floor,
    then to the customer whose key comes first. Raises ValueError for a naive instant or a negative margin.
    """
    if dispatch_margin_days < 0:
        raise ValueError("dispatch_margin_days must not be negative")
    governing: CustomerTerms | None = None
    clock = plan_clock(announced_at, publisher_terms, publisher_working_days)
    for customer in sorted(customers, key=lambda customer: customer.key):
        received_on = latest_day_begun(announced_at, customer.terms.time_zone) + dispatch_margin_days * ONE_DAY
        theirs = plan_clock_from(received_on, customer.terms, customer.working_days)
        if theirs.earliest_at > clock.earliest_at:
            governing, clock = customer, theirs
    terms = governing.terms if governing else publisher_terms
    rule: Rule = "notice" if clock.notice_ok_at >= clock.objection_ends_at else "objection"
    effective_on = first_effective_on(clock.earliest_at, publisher_zone)
    return EarliestEffect(
        effective_on=effective_on,
        effective_at=first_instant(effective_on, publisher_zone),
        publisher_zone=publisher_zone,
        governed_by=governing.key if governing else None,
        governed_by_name=governing.name if governing else None,
        rule=rule,
        days=terms.days if rule == "notice" else terms.objection_days,
        counting=terms.counting,
        zone=terms.time_zone,
        clock=clock,
    )


def check_effective_on(requested_on: date, earliest: EarliestEffect) -> datetime:
    """Return the instant (UTC) at which `requested_on`, a date of the publisher's zone, would take effect (R11).

    Raises `NoticePeriodTooShort` where it is sooner than `earliest` allows, and `NoSuchDay` where the publisher's zone
    leaves the date out. An emergency (R19) is not checked: it may take effect as soon as it is announced.
    """
    if not is_a_day(requested_on, earliest.publisher_zone):
        raise NoSuchDay(on=requested_on, zone=earliest.publisher_zone)
    if requested_on < earliest.effective_on:
        raise NoticePeriodTooShort(
            requested_on=requested_on,
            customer=earliest.governed_by_name,
            customer_key=earliest.governed_by,
            rule=earliest.rule,
            days=earliest.days,
            counting=earliest.counting,
            zone=earliest.zone,
            first_on=earliest.effective_on,
            publisher_zone=earliest.publisher_zone,
        )
    return first_instant(requested_on, earliest.publisher_zone)


def next_told_date(possible_at: datetime | None, last_told_on: date, now: datetime, publisher_zone: str) -> date | None:
    """Return the date to tell for a held notice, in the publisher's zone; None is "until further notice" (R22).

    `possible_at` is the instant from which nothing holds the notice any more, None where nobody can say. The answer
    is the first local midnight after that and after `now` (R24), and never before `last_told_on`, the last date
    that customers were told (R20).
    """
    if possible_at is None:
        return None
    return max(first_effective_on(max(_utc(possible_at), _utc(now)), publisher_zone), last_told_on)


def is_postponement_due(next_on: date | None, told_on: date | None, *, postponed_before: bool) -> bool:
    """Return whether a held notice needs a postponement statement (R22).

    The first hold sends one; a further one goes out only when the date told moves later. None, "until further
    notice", is later than any date. `told_on` is what customers were told last, by the notice or a postponement.
    """
    if not postponed_before:
        return True
    if told_on is None:
        return False
    return next_on is None or next_on > told_on
