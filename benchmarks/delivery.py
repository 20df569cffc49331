"""Delivery, measured in one run, side by side with what it is to keep up with: `python -m benchmarks.delivery`.

Every row has its limit. Rounds of ours and of the peer's come in turn, and what is compared are medians. It ends with
1 where a limit is missed, and takes about a quarter of an hour; `--quick` takes two minutes, with smaller counts.
"""

from __future__ import annotations

import argparse
import os
import platform
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import (
    fan_out,
    long_list,
    many_connections,
    merging,
    one_connection,
    post_office,
    resend_batches,
    two_workers,
)
from benchmarks.places import Places, places
from benchmarks.rows import Row, Skipped, markdown, table
from benchmarks.sizes import QUICK, WHOLE, Sizes

Measure = Callable[[Places, Sizes], Iterator[Row]]


MEASUREMENTS: dict[str, Measure] = {
    "one-connection": one_connection.measure,
    "post-office": post_office.measure,
    "many-connections": many_connections.measure,
    "two-workers": two_workers.measure,
    "merging": lambda _places, _sizes: merging.measure(),
    "fan-out": fan_out.measure,
    "long-list": long_list.measure,
    "resend": resend_batches.measure,
}


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for, print the rows as they come and all of them at the end, and return the exit code."""
    given = _parser().parse_args(arguments)
    began = time.perf_counter()
    rows: list[Row] = []
    skipped: list[str] = []
    with places() as made:
        for line in _surroundings(made):
            print(line, flush=True)
        for name in given.only or MEASUREMENTS:
            at = time.perf_counter()
            try:
                for row in MEASUREMENTS[name](made, QUICK if given.quick else WHOLE):
                    rows.append(row)
                    print(f"{'met   ' if row.is_met else 'MISSED'}  {row.engine}: {row.work}: {row.value}", flush=True)
            except Skipped as reason:
                skipped.append(f"{name} was not measured: {reason}")
                print(skipped[-1], flush=True)
            print(f"        {name} took {time.perf_counter() - at:.0f} s; {_load()}", flush=True)
    print()
    print(markdown(rows) if given.markdown else table(rows))
    print()
    for note in dict.fromkeys((*(row.note for row in rows if row.note), *skipped)):
        print(f"- {note[:1].upper()}{note[1:]}.")
    print()
    missed = sum(not row.is_met for row in rows)
    print(f"{len(rows)} rows in {time.perf_counter() - began:.0f} s, {missed} of them missed; {_load()}")
    return 1 if missed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.delivery", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="smaller counts and fewer rounds: two minutes")
    parser.add_argument("--only", action="append", choices=sorted(MEASUREMENTS), metavar="NAME", help="this one alone")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    return parser


def _surroundings(made: Places) -> Iterator[str]:
    server = made.postgresql()
    yield (
        f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version} (WAL, synchronous=FULL), "
        f"PostgreSQL {server['server_version']} (fsync {server['fsync']}, "
        f"synchronous_commit {server['synchronous_commit']}), {os.cpu_count()} processors ({_processor()})"
    )
    yield (
        f"one fsync of 4 KB takes {made.fsync_micros():,.0f} µs where the databases are, "
        f"a byte over TCP to another process and back {made.round_trip_micros():,.0f} µs; {_load()}"
    )


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _load() -> str:
    return f"load average {os.getloadavg()[0]:.1f}"


if __name__ == "__main__":
    sys.exit(main())
