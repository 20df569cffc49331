"""`registry notice status --watch`: how far the letters are, as they go out."""

from __future__ import annotations

import json
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import click
from sqlalchemy import Engine

from registry import clock
from registry.cli.notice_lines import WRITTEN_AMONG
from registry.cli.printing import plain, words_of
from registry.domain.deliveries import ON_ITS_WAY
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.notice_progress import count_by_state
from registry.tables.engine import reading

LOOK_EVERY: Final = 1.0
"""Seconds between two looks; five times as long as a look took, where that is more."""
SHARE_OF_TIME: Final = 5
PACE_OVER: Final = 10.0
"""Seconds over which the pace is measured."""
START_OF_LINE: Final = "\r\x1b[K"


@dataclass(frozen=True)
class Progress:
    """How far the letters are at one instant. `per_second` is None before two looks, `seconds_left` while none goes.

    `in_outbox` is how many of `counts` lie in the outbox, taken by no server.
    """

    at: datetime
    notice: str
    state: str
    counts: Mapping[str, int]
    per_second: float | None = None
    seconds_left: int | None = None
    in_outbox: Mapping[str, int] = field(default_factory=dict)

    @property
    def under_way(self) -> int:
        """Letters that wait, are being sent, or will be tried again."""
        return sum(count for state, count in self.counts.items() if state in ON_ITS_WAY)

    @property
    def done(self) -> int:
        """Letters that are at an end."""
        return sum(self.counts.values()) - self.under_way


class Pace:
    """How many letters come to their end in a second, over the last looks."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()

    def look(self, at: float, done: int) -> float | None:
        """Note that `done` letters were at their end at `at` (monotonic seconds), and return the pace by now."""
        self._looks.append((at, done))
        while len(self._looks) > 2 and at - self._looks[0][0] > PACE_OVER:
            self._looks.popleft()
        first_at, first_done = self._looks[0]
        return None if at <= first_at else max(0, done - first_done) / (at - first_at)


def watch_letters(engine: Engine, slug: str, number: str, *, as_json: bool) -> None:
    """Print how far a notice's letters are until none is under way, or until Ctrl-C.

    A terminal has one line that is written over; anything else gets a line for each change, in JSON if asked for.
    """
    is_terminal = sys.stdout is not None and sys.stdout.isatty() and not as_json
    shown: Mapping[str, int] | None = None
    try:
        for progress in _look_again(engine, slug, number):
            if is_terminal:
                click.echo(f"{START_OF_LINE}{say_progress(progress)}", nl=False)
            elif progress.counts != shown:
                click.echo(json.dumps(document_of(progress)) if as_json else say_progress(progress))
            shown = progress.counts
    finally:
        if is_terminal:
            click.echo()


def _look_again(engine: Engine, slug: str, number: str) -> Iterator[Progress]:
    pace = Pace()
    while True:
        began = time.monotonic()
        with reading(engine) as session:
            notice = get_notice(session, get_publisher(session, slug), number)
            counted = count_by_state(session, notice)
            progress = Progress(clock.now(), number, notice.state, counted.by_state, in_outbox=counted.in_outbox)
        looked_at = time.monotonic()
        per_second = pace.look(looked_at, progress.done)
        yield replace(
            progress,
            per_second=round(per_second, 1) if per_second is not None else None,
            seconds_left=round(progress.under_way / per_second) if per_second else None,
        )
        if not progress.under_way:
            return
        time.sleep(max(LOOK_EVERY, SHARE_OF_TIME * (looked_at - began)))


def say_progress(progress: Progress) -> str:
    """Return one line: "2026-003: 1,204 accepted, 796 pending; 412.0 letters a second, 2 s left"."""
    written = progress.in_outbox
    counts = [(count - written.get(state, 0), words_of(state)) for state, count in progress.counts.items()]
    counts.append((sum(written.values()), WRITTEN_AMONG))
    told = ", ".join(f"{count:,} {word}" for count, word in counts if count) or "no letters"
    said = f"{progress.notice}: {told}"
    if not progress.under_way:
        return said
    if progress.per_second is None:
        return f"{said}; {progress.under_way:,} under way"
    left = f"about {_say_seconds(progress.seconds_left)} left" if progress.seconds_left is not None else "none goes now"
    return f"{said}; {progress.per_second:,.1f} letters a second, {left}"


def _say_seconds(seconds: int | None) -> str:
    minutes, rest = divmod(seconds or 0, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def document_of(progress: Progress) -> dict[str, object]:
    """Return one look as JSON has it."""
    return {
        "at": plain(progress.at),
        "notice": progress.notice,
        "state": progress.state,
        "counts": dict(progress.counts),
        "done": progress.done,
        "under_way": progress.under_way,
        "per_second": progress.per_second,
        "seconds_left": progress.seconds_left,
        "is_on_its_way": progress.under_way > 0,
    }
