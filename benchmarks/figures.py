"""What a measurement gives, how it is timed, and the table it is printed in."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measurement beside a peer that did the same on the same data in the same run.

    `seconds` are those of the runs of ours and `peer_seconds` those of the peer's, for `count` items each. The limit is
    on `ratio`, the peer's median over ours (over 1: ours is quicker), for a machine that is slow is slow for both.
    `because` says whom it would hurt to exceed the limit.
    """

    what: str
    engine: str
    count: int
    seconds: tuple[float, ...]
    peer: str
    peer_seconds: tuple[float, ...]
    least_ratio: float
    because: str

    @property
    def median(self) -> float:
        """Our median run, in seconds."""
        return statistics.median(self.seconds)

    @property
    def ratio(self) -> float:
        """How many times as quick as the peer ours is."""
        return statistics.median(self.peer_seconds) / self.median

    @property
    def is_within_limit(self) -> bool:
        """Whether the ratio is no smaller than its limit."""
        return self.ratio >= self.least_ratio


def time_runs(runs: int, work: Callable[[], object], after: Callable[[], object] = lambda: None) -> tuple[float, ...]:
    """Return the wall-clock seconds of each run of `work`; what `after` does between the runs is not counted."""
    seconds = []
    for _ in range(runs):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
        after()
    return tuple(seconds)


HEADINGS = ("measured", "engine", "median", "slowest", "per second", "peer", "peer's", "ratio", "limit", "")


def table(figures: Iterable[Figure]) -> str:
    """Return the figures as lines of text, one each, below their headings."""
    rows = [HEADINGS, *(_row(figure) for figure in figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _row(figure: Figure) -> tuple[str, ...]:
    return (
        f"{figure.what}, {figure.count:,}",
        figure.engine,
        f"{figure.median:.3f} s",
        f"{max(figure.seconds):.3f} s",
        f"{figure.count / figure.median:,.0f}",
        figure.peer,
        f"{statistics.median(figure.peer_seconds):.3f} s",
        f"{figure.ratio:.2f}",
        f">= {figure.least_ratio:g}",
        "ok" if figure.is_within_limit else "BEYOND ITS LIMIT",
    )
