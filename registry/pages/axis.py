"""A time axis: where a day stands between the first and the last, and the lines and labels that divide it.

Places along the axis are percents of its width and heights are in em, as SVG attributes, so that a picture fits any
screen and grows with the text.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from babel.dates import format_date, format_skeleton

from registry.language import locale

MOST_TICKS: Final = 6
"""As many labels as stand side by side on a telephone."""

END: Final = 98.5
"""Where the last day stands, in percent: close to the edge, with room for a mark on it."""

_LATE: Final = 82  # percent, from where a label has no room on a telephone
_LAST: Final = 94  # percent, from where it has none at all
_STEPS: Final = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)  # months
_YEAR: Final = 12


@dataclass(frozen=True)
class Axis:
    """The days from `first` to `last`, both local dates of one zone and at least a day apart."""

    first: date
    last: date

    @property
    def months(self) -> int:
        """How many beginnings of a month there are after the first day."""
        return _index(self.last) - _index(self.first)

    def at(self, on: date) -> float:
        """Return where a day stands, in percent of the width; what is outside stands at the nearer end."""
        share = END * (on - self.first).days / (self.last - self.first).days
        return min(max(share, 0.0), END)


@dataclass(frozen=True)
class Tick:
    """A line across the picture, `at` in percent, with its label and, where it is new to the reader, the year.

    `is_late` is so close to the right edge that its label has room on a wide screen only.
    """

    at: str
    label: str
    year: str
    is_late: bool


def make_ticks(axis: Axis) -> tuple[Tick, ...]:
    """Return some days, months or years of the axis with their names in the language spoken."""
    if axis.months < 2:
        every = max((axis.last - axis.first).days // 3, 1)  # days have longer names, and so there are fewer of them
        named = [axis.first + timedelta(days=every * place) for place in range(4)]
        skeleton, step = "MMMd", 1
    else:
        step = next((step for step in _STEPS if axis.months / step <= MOST_TICKS), _STEPS[-1])
        skeleton = "y" if step >= _YEAR else "MMM"
        named = [shift_by(floor_to(axis.first, step), step * place) for place in range(MOST_TICKS + 2)]
    ticks: list[Tick] = []
    for on in named:
        if axis.first <= on <= axis.last:
            at = axis.at(on)
            # A January says its year instead; the first of all says both, unless it is a year.
            is_year = skeleton == "y" or (skeleton == "MMM" and on.month == 1)
            label = str(on.year) if is_year else _name(on, skeleton)
            year = "" if is_year or ticks else str(on.year)
            ticks.append(Tick(percent(at), label if at < _LAST else "", year, is_late=at > _LATE))
    return tuple(ticks)


def _name(on: date, skeleton: str) -> str:
    if skeleton == "MMM":
        return format_date(on, "MMM", locale=locale())
    return format_skeleton(skeleton, on, locale=locale())


def floor_to(on: date, months: int) -> date:
    """Return the first day of the period of so many months (1, a quarter's 3, a year's 12 …) that a day is in."""
    return _of_index(max(_index(on) // months * months, _YEAR))


def shift_by(on: date, months: int) -> date:
    """Return the first day of the month that comes so many months after the month of `on`."""
    return _of_index(_index(on) + months)


def _index(on: date) -> int:
    return on.year * 12 + on.month - 1


def _of_index(index: int) -> date:
    return date(index // 12, index % 12 + 1, 1)


def percent(share: float) -> str:
    """Write a place along the axis."""
    return f"{unit(share)}%"


def em(height: float) -> str:
    """Write a height."""
    return f"{unit(height)}em"


def unit(number: float) -> str:
    """Write a number with two decimals at most, always with a point."""
    return f"{number:.2f}".rstrip("0").rstrip(".")
