"""The life of a list as a picture: a bar for every entry, or, where there are many, how many there were at what time.

Along the time axis everything is placed in percent of the width and down the page in em, so that the picture fits any
screen and grows with the text. The same is told in words, day by day (`registry.pages.life`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from babel.dates import format_skeleton

from registry.language import gettext as _
from registry.language import locale, ngettext
from registry.pages.axis import Axis, Tick, em, floor_to, make_ticks, percent, shift_by, unit
from registry.pages.life import LifeDay, LifeYear, Span, effect_day, find_spans, last_day, tell_counts, tell_life
from registry.pages.values import Addresses, PublicList, PublicNotice
from registry.pages.wording import local_date, short_date

MOST_BARS: Final = 40
"""Up to so many entries each have a bar; above, the picture counts them."""

OPEN_UP_TO: Final = 6
"""The days are told openly below the picture up to so many; more wait to be opened."""

_SHORTEST: Final = timedelta(days=30)
_ROW: Final = 2.5  # em a bar, with its name above it
_TOP: Final = 2.75  # em above the first bar: the axis
_MOST_PERIODS: Final = 48
_MOST_MARKS: Final = 60
_MOST_OPEN: Final = 10
_STEPS_HEIGHT: Final = 10.0
_COUNTS_HEIGHT: Final = 2.5  # of the bars of additions, and as much again for removals


@dataclass(frozen=True)
class NoticeMark:
    """A notice on an entry's bar: from its announcement to its effect (or, withdrawn, its withdrawal).

    `at` and `until` are in percent; `until` is None where it has no date. `state` is that of the notice.
    """

    url: str
    summary: str
    said: str
    state: str
    at: str
    until: str | None


@dataclass(frozen=True)
class Bar:
    """An entry's time on the list. `state` is current, left or announced; `said` tells the whole.

    `at` and `width` are in percent, the others in em.
    """

    name: str
    url: str
    said: str
    state: str
    at: str
    width: str
    text_at: str
    bar_at: str
    middle: str
    has_date: bool
    notices: tuple[NoticeMark, ...]


@dataclass(frozen=True)
class Period:
    """A month, quarter or year in which something changed: `said` tells what, `url` compares its ends.

    `at` and `width` are in percent, heights in em, upwards for those that joined and down for those that left.
    """

    url: str
    said: str
    at: str
    width: str
    joined: str
    left: str
    joined_at: str


@dataclass(frozen=True)
class Steps:
    """How many entries there were: the path of a line in a box of 1000 × 100, and the highest number.

    Below it stand the periods, and the open notices, each as (mark, where its summary and its mark stand in em).
    """

    line: str
    area: str
    most: int
    at: str
    height: str
    base: str
    periods: tuple[Period, ...]
    open_notices: tuple[tuple[NoticeMark, str, str], ...]


@dataclass(frozen=True)
class TimelinePicture:
    """What the template draws. Either `bars` or `steps` are there, and neither where nothing was ever published.

    `now_at` is where today stands (or the past day that is shown), in percent; `height` is in em.
    """

    title: str
    summary: str
    ticks: tuple[Tick, ...]
    now_at: str
    now_label: str
    is_now_late: bool
    bars: tuple[Bar, ...]
    steps: Steps | None
    height: str
    days: tuple[LifeDay, ...]
    earlier: tuple[LifeYear, ...]

    @property
    def states(self) -> frozenset[str]:
        """The states of the notices that are drawn, for the legend."""
        on_bars = {notice.state for bar in self.bars for notice in bar.notices}
        return frozenset(on_bars | {notice.state for notice, *_at in (self.steps.open_notices if self.steps else ())})

    @property
    def is_short(self) -> bool:
        """Whether the days are few enough to be told openly."""
        return len(self.days) <= OPEN_UP_TO


def draw_timeline(public: PublicList, addresses: Addresses) -> TimelinePicture:
    """Draw the life of a list from its founding to the last effective date announced, in the language spoken."""
    zone = public.publisher.time_zone
    today = last_day(public)
    spans = find_spans(public)
    days, earlier = tell_life(public, spans, addresses)
    axis = _axis(spans, public.notices, today, zone)
    bars = _bars(spans, public, addresses, axis, today) if len(spans) <= MOST_BARS else ()
    steps = _steps(spans, public, addresses, axis, today) if len(spans) > MOST_BARS else None
    open_rows = len(steps.open_notices) * _ROW if steps else 0
    height = _TOP + (_STEPS_HEIGHT + 2 * _COUNTS_HEIGHT + 1.5 + open_rows if steps else len(bars) * _ROW)
    now_at = axis.at(today)
    return TimelinePicture(
        title=_("Timeline from %(first)s to %(last)s", first=short_date(axis.first), last=short_date(axis.last)),
        summary=_summary(spans, public, today),
        ticks=make_ticks(axis),
        now_at=percent(now_at),
        now_label=_("Today") if public.as_of is None else short_date(today),
        is_now_late=now_at > 85,
        bars=bars,
        steps=steps,
        height=em(height),
        days=days,
        earlier=earlier,
    )


def _axis(spans: Iterable[Span], notices: Iterable[PublicNotice], today: date, zone: str) -> Axis:
    firsts = [span.since for span in spans if not span.is_announced]
    firsts += [local_date(notice.announced_at, zone) for notice in notices]
    lasts = [on for notice in notices if notice.state == "announced" and (on := effect_day(notice, zone))]
    last = max([today, *lasts])
    first = min([today, *firsts])
    return Axis(min(first, last - _SHORTEST), last)


def _summary(spans: Iterable[Span], public: PublicList, today: date) -> str:
    counted = [span for span in spans if not span.is_announced]
    if not counted:
        return _("Nothing was on the list yet.")
    since = min(span.since for span in counted)
    return ngettext(
        "%(num)s entry on %(today)s; the list begins on %(since)s.",
        "%(num)s entries on %(today)s; the list begins on %(since)s.",
        len(public.entries),
        today=short_date(today),
        since=short_date(since),
    )


def _bars(spans: Iterable[Span], public: PublicList, addresses: Addresses, axis: Axis, today: date) -> tuple[Bar, ...]:
    zone = public.publisher.time_zone
    marks: dict[str, list[NoticeMark]] = {}
    newest = sorted(public.notices, key=lambda notice: notice.announced_at)[-_MOST_MARKS:]
    for notice in newest:
        mark = _mark(notice, addresses, axis, zone)
        for key in dict.fromkeys(change.key for change in notice.changes):
            marks.setdefault(key, []).append(mark)
    bars = []
    for row, span in enumerate(spans):
        begins, ends = axis.at(span.since), axis.at(span.until or (axis.last if span.is_announced else today))
        top = _TOP + row * _ROW
        bars.append(
            Bar(
                name=span.name,
                url=addresses.to(f"entries/{span.key}"),
                said=_tell_span(span),
                state="announced" if span.is_announced else "left" if span.until else "current",
                at=percent(begins),
                width=percent(max(ends - begins, 0.6)),
                text_at=em(top),
                bar_at=em(top + 1.4),
                middle=em(top + 1.75),
                has_date=span.has_date,
                # Whoever left and came back has two bars; what was announced of it stands at the last.
                notices=tuple(marks.pop(span.key, ())) if _is_last(span, spans) else (),
            )
        )
    return tuple(bars)


def _is_last(span: Span, spans: Iterable[Span]) -> bool:
    return [each for each in spans if each.key == span.key][-1] is span


def _tell_span(span: Span) -> str:
    since = short_date(span.since)
    if not span.has_date:
        return _("%(name)s: announced for the list, without a date yet", name=span.name)
    if span.is_announced:
        return _("%(name)s: joins the list on %(since)s", name=span.name, since=since)
    if span.until is None:
        return _("%(name)s: on the list since %(since)s", name=span.name, since=since)
    return _(
        "%(name)s: on the list from %(since)s to %(until)s", name=span.name, since=since, until=short_date(span.until)
    )


def _mark(notice: PublicNotice, addresses: Addresses, axis: Axis, zone: str) -> NoticeMark:
    announced = local_date(notice.announced_at, zone)
    until = local_date(notice.withdrawn_at, zone) if notice.withdrawn_at else effect_day(notice, zone)
    given = {"number": notice.number, "summary": notice.summary, "announced": short_date(announced)}
    if until is None:
        said = _("Notice %(number)s: %(summary)s; announced on %(announced)s, without a date yet", **given)
    elif notice.withdrawn_at:
        said = _(
            "Notice %(number)s: %(summary)s; announced on %(announced)s, withdrawn on %(until)s",
            **given,
            until=short_date(until),
        )
    else:
        said = _(
            "Notice %(number)s: %(summary)s; announced on %(announced)s, effective on %(until)s",
            **given,
            until=short_date(until),
        )
    return NoticeMark(
        url=addresses.to(f"notices/{notice.number}"),
        summary=notice.summary,
        said=said,
        state=notice.state,
        at=percent(axis.at(announced)),
        until=None if until is None else percent(axis.at(until)),
    )


def _steps(spans: Iterable[Span], public: PublicList, addresses: Addresses, axis: Axis, today: date) -> Steps:
    happened = [span for span in spans if not span.is_announced]
    delta: dict[date, int] = {}
    for span in happened:
        delta[span.since] = delta.get(span.since, 0) + 1
        if span.until is not None:
            delta[span.until] = delta.get(span.until, 0) - 1
    counts, number = [], 0
    for on in sorted(delta):
        number += delta[on]
        counts.append((on, number))
    most = max(number for _on, number in counts)
    line = f"M{unit(axis.at(counts[0][0]) * 10)} 100"
    for on, number in counts:
        line += f"H{unit(axis.at(on) * 10)}V{unit(100 - 96 * number / max(most, 1))}"
    line += f"H{unit(axis.at(today) * 10)}"
    base = _TOP + _STEPS_HEIGHT + 0.5 + _COUNTS_HEIGHT
    return Steps(
        line=line,
        area=f"{line}V100z",
        most=most,
        at=em(_TOP),
        height=em(_STEPS_HEIGHT),
        base=em(base),
        periods=_periods(happened, public, addresses, axis, today, base),
        open_notices=tuple(
            (
                _mark(notice, addresses, axis, public.publisher.time_zone),
                em(base + _COUNTS_HEIGHT + 0.5 + row * _ROW),
                em(base + _COUNTS_HEIGHT + 0.5 + row * _ROW + 1.75),
            )
            for row, notice in enumerate(public.upcoming[:_MOST_OPEN])
        ),
    )


def _periods(
    spans: Iterable[Span], public: PublicList, addresses: Addresses, axis: Axis, today: date, base: float
) -> tuple[Period, ...]:
    zone = public.publisher.time_zone
    months = next(step for step in (1, 3, 12, 60, 1200) if axis.months / step <= _MOST_PERIODS or step == 1200)
    founded = axis.first if public.founded_at is None else local_date(public.founded_at, zone)
    joined: dict[date, int] = {}
    left: dict[date, int] = {}
    announced: dict[date, int] = {}
    for span in spans:
        _add(joined, floor_to(span.since, months))
        if span.until is not None:
            _add(left, floor_to(span.until, months))
    for notice in public.notices:
        _add(announced, floor_to(local_date(notice.announced_at, zone), months))
    # The founding would dwarf everything after it, so its bar is cut off.
    most = max([*(count for on, count in joined.items() if on != floor_to(founded, months)), *left.values(), 1])
    periods = []
    for begins in sorted({*joined, *left, *announced}):
        ends = min(shift_by(begins, months) - timedelta(days=1), today)
        came, went = joined.get(begins, 0), left.get(begins, 0)
        at, until = axis.at(begins), axis.at(ends)
        height = _COUNTS_HEIGHT * min(came / most, 1)
        before = max(begins - timedelta(days=1), founded)
        periods.append(
            Period(
                url=_compare(before, ends, addresses),
                said=f"{_period_name(begins, months)}: {tell_counts(came, went, announced.get(begins, 0))}",
                at=percent(at),
                width=percent(max((until - at) * 0.8, 0.5)),
                joined=em(height),
                left=em(_COUNTS_HEIGHT * went / most),
                joined_at=em(base - height),
            )
        )
    return tuple(periods)


def _add(counts: dict[date, int], on: date) -> None:
    counts[on] = counts.get(on, 0) + 1


def _compare(before: date, ends: date, addresses: Addresses) -> str:
    if before < ends:
        return addresses.to("compare", (("from", before.isoformat()), ("to", ends.isoformat())))
    return addresses.to("", as_of=ends.isoformat())


def _period_name(begins: date, months: int) -> str:
    if months == 1:
        return format_skeleton("yMMMM", begins, locale=locale())
    if months == 3:
        return format_skeleton("yQQQ", begins, locale=locale())
    if months == 12:
        return str(begins.year)
    return f"{begins.year}–{shift_by(begins, months).year - 1}"
