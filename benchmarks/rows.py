"""What a measurement gives: rows that say what was measured, against what, and whether the limit is kept."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One comparison. `value` is what the limit is on: a ratio, or megabytes, or whatever `limit` says of it.

    `ours` and `against` are the measured figures in words. `note` is what it means to whoever runs the service, or must
    be known besides.
    """

    work: str
    engine: str
    ours: str
    against: str
    value: str
    limit: str
    is_met: bool
    note: str = ""


class Skipped(Exception):
    """A measurement that cannot be made here; the message says why."""


def paces(
    work: str,
    engine: str,
    count: int,
    ours: Sequence[float],
    peer: str,
    theirs: Sequence[float],
    at_least: float,
    note: str = "",
) -> Row:
    """Compare the median seconds of our rounds with those of a peer's, for `count` items each.

    The ratio is our pace over the peer's (over 1, ours is quicker), and must be `at_least` so much.
    """
    mine, its = statistics.median(ours), statistics.median(theirs)
    return Row(
        work,
        engine,
        f"{count / mine:,.0f}/s{_range(count, ours)}",
        f"{peer}: {count / its:,.0f}/s{_range(count, theirs)}",
        f"{its / mine:.2f}x",
        f">= {at_least:g}x",
        its / mine >= at_least,
        note,
    )


def times(
    work: str, engine: str, ours: Sequence[float], peer: str, theirs: Sequence[float], at_most: float, note: str = ""
) -> Row:
    """Compare the median seconds of our rounds with those of a peer's; ours may be `at_most` so many times as long."""
    mine, its = statistics.median(ours), statistics.median(theirs)
    spans = [f"{statistics.median(each):.2f} s ({min(each):.2f}-{max(each):.2f})" for each in (ours, theirs)]
    value, limit = f"{mine / its:.2f}x its time", f"<= {at_most:g}x"
    return Row(work, engine, spans[0], f"{peer}: {spans[1]}", value, limit, mine / its <= at_most, note)


def at_least(work: str, engine: str, count: int, ours: Sequence[float], pace: float, unit: str, note: str = "") -> Row:
    """Compare the median seconds of our rounds, for `count` items each, with a fixed pace of so many a second."""
    mine = count / statistics.median(ours)
    return Row(
        work,
        engine,
        f"{mine:,.0f}/s{_range(count, ours)}",
        f"{pace:,.0f} {unit} a second",
        f"{mine / pace:.2f}x",
        ">= 1x",
        mine >= pace,
        note,
    )


def a_minute(count: int, seconds: Sequence[float]) -> str:
    """Say how many items a minute that is, by the median of rounds of `count` items: in whole hundreds."""
    return f"{round(60 * count / statistics.median(seconds), -2):,.0f}"


def _range(count: int, seconds: Sequence[float]) -> str:
    return f" ({count / max(seconds):,.0f}-{count / min(seconds):,.0f})" if len(seconds) > 1 else ""


def timed(work: Callable[[], object]) -> float:
    """Return the wall-clock seconds that `work` takes, in a process as free of rubbish as a new worker."""
    gc.collect()
    gc.freeze()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


HEADINGS = ("work", "engine", "ours (range)", "against (range)", "ratio", "limit", "")


def table(rows: Iterable[Row]) -> str:
    """Return the rows as lines of text, one each, below their headings."""
    cells = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def markdown(rows: Iterable[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [HEADINGS, ("---",) * len(HEADINGS), *(_cells(row) for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _cells(row: Row) -> tuple[str, ...]:
    met = "met" if row.is_met else "MISSED"
    return (row.work, row.engine, row.ours, row.against, row.value, row.limit, met)
