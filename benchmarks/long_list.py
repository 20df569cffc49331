"""A list of a million: its fan-out beside the bare statement, a worker's memory, and the time of a claim.

The peer of the fan-out is the very INSERT … SELECT that the step runs, given to the database's own driver on the same
tables with the same indexes and foreign keys: what is compared is our step with its counting around it. Both commit.
"""

from __future__ import annotations

import sqlite3
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any

import psycopg
from sqlalchemy import Engine, event, func, select

from benchmarks.places import ENGINES, Place, Places
from benchmarks.rows import Row, timed, times
from benchmarks.sink import Sink
from benchmarks.sizes import Sizes
from benchmarks.workers import Worker
from registry import clock
from registry.channels.smtp import SmtpChannel
from registry.steps.claim_deliveries import claim_deliveries
from registry.steps.fan_out import fan_out
from registry.steps.roads import BATCH
from registry.tables import Notice, Statement, Subscription

MOST_TIME = 1.5
MOST_TIME_OF_A_CLAIM = 3.0
"""A claim reads what it takes off an index. One that goes through the queue takes hundreds of times as long."""
MOST_MEGABYTES = 20.0
LONGEST_RUN = 120.0


def measure(places: Places, sizes: Sizes) -> Iterator[Row]:
    """Measure on each engine: fan-out first, and then the queue that it made."""
    for engine in ENGINES:
        with ExitStack() as stack:
            sink = stack.enter_context(Sink())
            short = stack.enter_context(places.new(engine))
            short.add_followers(sizes.few_due)
            short.announce()
            long = stack.enter_context(places.new(engine))
            long.announce()
            long.add_followers(sizes.subscriptions)
            yield fan_out_row(long, sizes)
            yield claim_row(short, long, sizes)
            yield memory_row(short, long, sink, sizes)


def fan_out_row(place: Place, sizes: Sizes) -> Row:
    """Compare the step with its bare statement, in turn; the deliveries of the last round of ours stay."""
    statement, values = statement_of(place)
    ours, theirs = [], []
    for _ in range(sizes.fan_out_rounds):
        forget(place)
        theirs.append(by_driver(place, statement, values))
        forget(place)
        ours.append(timed(lambda: by_step(place, sizes.subscriptions)))
    what = f"fan-out of {sizes.subscriptions:,} subscriptions"
    driver = f"sqlite3 {sqlite3.sqlite_version}" if place.is_sqlite else f"psycopg {psycopg.__version__}"
    means = (
        f"on {place.engine} whoever announces to {sizes.subscriptions:,} subscriptions waits "
        f"{statistics.median(ours):.1f} seconds for their deliveries to stand"
    )
    return times(what, place.engine, ours, f"the same INSERT … SELECT by {driver}", theirs, MOST_TIME, means)


def by_step(place: Place, expected: int) -> None:
    """Run the step as announcing does, and commit."""
    with place.world.writing() as session:
        notice, statement = session.scalars(select(Notice)).one(), session.scalars(select(Statement)).one()
        counts = fan_out(session, clock.now(), notice, statement)
        assert counts == {"due": expected}, counts


def statement_of(place: Place) -> tuple[str, Any]:
    """The INSERT … SELECT of the step, as the driver is given it."""
    with capturing(place.world.wiring.engine) as captured:
        by_step(place, followers(place))
    [found] = [(sql, values) for sql, values in captured if sql.lstrip().startswith("INSERT INTO deliveries")]
    return found


def followers(place: Place) -> int:
    """How many there are to tell."""
    with place.world.reading() as session:
        return session.scalars(select(func.count(Subscription.id))).one()


@contextmanager
def capturing(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """Note every statement that goes to the driver, with its values."""
    noted: list[tuple[str, Any]] = []

    def note(connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> None:
        del connection, cursor, context, many
        noted.append((statement, parameters))

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield noted
    finally:
        event.remove(engine, "before_cursor_execute", note)


def by_driver(place: Place, statement: str, values: Any) -> float:
    """Run the bare statement in a transaction of its own, with its values written into it where the driver can."""
    if place.is_sqlite:
        with closing(sqlite3.connect(place.address, isolation_level=None)) as lite:
            for pragma in ("foreign_keys=ON", "synchronous=FULL"):
                lite.execute(f"PRAGMA {pragma}")
            began = time.perf_counter()
            lite.execute("BEGIN IMMEDIATE")
            lite.execute(statement, values)
            lite.execute("COMMIT")
            return time.perf_counter() - began
    with psycopg.connect(place.address, cursor_factory=psycopg.ClientCursor) as server:
        began = time.perf_counter()
        server.execute(statement.encode(), values)
        server.commit()
        return time.perf_counter() - began


def forget(place: Place) -> None:
    """Leave the list as it was before the fan-out, with nothing left over for the database to tidy up."""
    place.world.wiring.engine.dispose()
    if place.is_sqlite:
        with closing(sqlite3.connect(place.address, isolation_level=None)) as lite:
            # With foreign keys each row would be deleted by itself. Nothing points at these.
            lite.execute("PRAGMA foreign_keys=OFF")
            lite.execute("DELETE FROM deliveries")
            lite.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return
    with psycopg.connect(place.address, autocommit=True) as server:
        server.execute("TRUNCATE deliveries CASCADE")
        server.execute("CHECKPOINT")


def claim_row(short: Place, long: Place, sizes: Sizes) -> Row:
    """Time a claim of a batch from either queue. It is rolled back, so that each finds the same."""
    spans = {}
    for place in (short, long):
        with closing(place.smtp("smtp://127.0.0.1:1?starttls=off")) as channel:
            claim(place, channel)
            spans[place] = [claim(place, channel) * 1e3 for _ in range(sizes.claims)]
    mine, its = (statistics.median(spans[place]) for place in (long, short))
    return Row(
        f"claim of {BATCH} at {sizes.subscriptions:,} due",
        long.engine,
        f"{mine:.1f} ms ({min(spans[long]):.1f}-{max(spans[long]):.1f})",
        f"at {sizes.few_due:,} due: {its:.1f} ms ({min(spans[short]):.1f}-{max(spans[short]):.1f})",
        f"{mine / its:.2f}x its time",
        f"<= {MOST_TIME_OF_A_CLAIM:g}x",
        mine / its <= MOST_TIME_OF_A_CLAIM,
    )


def claim(place: Place, channel: SmtpChannel) -> float:
    """Return the seconds that one claim takes."""

    class Undone(Exception):
        """The claim was only to be timed."""

    seconds = 0.0
    try:
        with place.world.writing() as session:
            began = time.perf_counter()
            leases = claim_deliveries(session, clock.now(), channel, (), BATCH)
            seconds = time.perf_counter() - began
            assert len(leases) == BATCH
            raise Undone
    except Undone:
        return seconds


def memory_row(short: Place, long: Place, sink: Sink, sizes: Sizes) -> Row:
    """Let a worker of its own send from either queue, and compare the most memory that each held."""
    peaks = {}
    for place, letters in ((short, sizes.few_due), (long, sizes.letters_by_one_worker)):
        sink.forget()
        must_end_at = time.monotonic() + LONGEST_RUN
        with Worker(place, sink.url) as worker:
            while sink.count() < letters:
                time.sleep(0.05)
                worker.raise_if_ended()
                if time.monotonic() > must_end_at:
                    raise RuntimeError(f"the worker sent {sink.count()} of {letters} letters in {LONGEST_RUN:.0f} s")
            peaks[place] = worker.peak_memory()
    more = peaks[long] - peaks[short]
    return Row(
        f"memory of a worker at {sizes.subscriptions:,} due, after {sizes.letters_by_one_worker:,} letters",
        long.engine,
        f"{peaks[long]:.1f} MB",
        f"at {sizes.few_due:,} due: {peaks[short]:.1f} MB",
        f"{more:+.1f} MB",
        f"<= +{MOST_MEGABYTES:g} MB",
        more <= MOST_MEGABYTES,
    )
