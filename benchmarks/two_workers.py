"""Two workers on PostgreSQL beside one, as processes of their own, and how full the processors are meanwhile.

What is timed begins when every worker has its connection to the mail server, and ends when all but the last letters
are sent: how long a process takes to start, or to find the last letter, is no matter of how fast it sends.
"""

from __future__ import annotations

import itertools
import os
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import psycopg

from benchmarks.places import POSTGRESQL, Place, Places
from benchmarks.rows import Row
from benchmarks.sink import Sink
from benchmarks.sizes import Sizes
from benchmarks.workers import Worker, keep_on, seconds_of_machine, seconds_of_processor

LEAST_RATIO = 1.6
FULL = 0.9
"""The share of what other programs leave of the processors, from which on they count as full."""
MOST_BY_OTHERS = 0.25
"""Where other programs take more than this share of them, nothing is shown by their being full."""
UNTIL = 0.95
LONGEST_RUN = 120.0
SETTLED_AFTER = 0.3


@dataclass(frozen=True)
class Run:
    """One run: letters a second, and of the processors' time the part that was ours, others', and spent on the disk."""

    pace: float
    ours: float
    others: float
    waited: float

    @property
    def fullness(self) -> float:
        """What we used of what others left."""
        return self.ours / (1 - self.others)


def measure(places: Places, sizes: Sizes) -> Iterator[Row]:
    """Send a queue by one worker and by two, in turn: as the system places them, and each on its own processor."""
    for is_kept in (False, True):
        one, two = [], []
        for _ in range(sizes.worker_rounds):
            one.append(run(places, sizes.worker_letters, 1, is_kept=is_kept))
            two.append(run(places, sizes.worker_letters, 2, is_kept=is_kept))
        yield _compare(sizes.worker_letters, one, two, is_kept=is_kept)


def _compare(letters: int, one: list[Run], two: list[Run], *, is_kept: bool) -> Row:
    slow, fast = (statistics.median(each.pace for each in runs) for runs in (one, two))
    full, others, waited = (
        statistics.median(values)
        for values in zip(*((each.fullness, each.others, each.waited) for each in two), strict=True)
    )
    cores = os.cpu_count() or 1
    used_by_one, used = (cores * statistics.median(each.ours for each in runs) for runs in (one, two))
    where = ", each with its mail server and its part of the database on a processor of its own," if is_kept else ""
    note = (
        f"on PostgreSQL two workers on one machine{where} hand over {round(60 * fast, -2):,.0f} letters a minute; with "
        f"their database and the mail servers they kept {used:.2f} of {cores} processors busy, one worker "
        f"{used_by_one:.2f}; for {waited:.0%} of their time these had only the disk to wait for, and other programs "
        f"took {others:.0%}"
    )
    is_full = full >= FULL and others <= MOST_BY_OTHERS
    ratio = fast / slow
    return Row(
        f"two workers, {letters:,} letters" + (", each on a processor of its own" if is_kept else ""),
        POSTGRESQL,
        f"{fast:,.0f}/s ({min(each.pace for each in two):,.0f}-{max(each.pace for each in two):,.0f})",
        f"one worker: {slow:,.0f}/s ({min(each.pace for each in one):,.0f}-{max(each.pace for each in one):,.0f})",
        f"{ratio:.2f}x, {used / cores:.0%} of {cores} processors busy, by one {used_by_one / cores:.0%}",
        f">= {LEAST_RATIO:g}x or full",
        ratio >= LEAST_RATIO or is_full,
        note,
    )


def run(places: Places, count: int, workers: int, *, is_kept: bool = False) -> Run:
    """Let so many workers send a queue, and return their pace together.

    With `is_kept` each worker, its mail server and its sessions of the database stay on one processor: what hands a
    letter on then need not wake another one.
    """
    with ExitStack() as stack:
        # Each has a sink of its own: one would take the letters of both in turn, as no real mail server does.
        sinks = [stack.enter_context(Sink()) for _ in range(workers)]
        place = stack.enter_context(places.new(POSTGRESQL))
        place.add_followers(count)
        place.announce()
        running = [stack.enter_context(Worker(place, sink.url)) for sink in sinks]
        processes = [worker.number for worker in running] + [sink.process for sink in sinks] + [postmaster(place)]
        must_end_at = time.monotonic() + LONGEST_RUN
        while not all(sink.connections() for sink in sinks):
            _look(running, must_end_at)
        if is_kept:
            # By then each has opened all the sessions that it will have.
            time.sleep(SETTLED_AFTER)
            for processor, worker, sink in zip(
                itertools.cycle(range(os.cpu_count() or 1)), running, sinks, strict=False
            ):
                keep_on(processor, [worker.number, sink.process, *sessions(place, worker.name)])
        letters, began = _letters(sinks), time.perf_counter()
        ours, (busy, waited, had) = seconds_of_processor(processes), seconds_of_machine()
        while (sent := _letters(sinks)) < count * UNTIL:
            _look(running, must_end_at)
        seconds = time.perf_counter() - began
        used = seconds_of_processor(processes) - ours
        busy_then, waited_then, had_then = seconds_of_machine()
        whole = had_then - had
        others = max(0.0, busy_then - busy - used) / whole
        return Run((sent - letters) / seconds, used / whole, others, (waited_then - waited) / whole)


def sessions(place: Place, name: str) -> list[int]:
    """The processes of the database server that serve a worker."""
    with psycopg.connect(place.address) as connection:
        asked = "SELECT pid FROM pg_stat_activity WHERE application_name = %s"
        return [pid for (pid,) in connection.execute(asked, (name,))]


def postmaster(place: Place) -> int:
    """The process of the database server that all its others are children of."""
    with psycopg.connect(place.address) as connection:
        row = connection.execute("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)").fetchone()
    assert row is not None
    return int(row[0])


def _letters(sinks: list[Sink]) -> int:
    return sum(sink.count() for sink in sinks)


def _look(running: list[Worker], must_end_at: float) -> None:
    time.sleep(0.02)
    for worker in running:
        worker.raise_if_ended()
    if time.monotonic() > must_end_at:
        raise RuntimeError("the workers did not send in time")
