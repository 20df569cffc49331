"""Run every measurement on every engine, print the table, and end with 1 where a figure is beyond its limit."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
import time

from benchmarks import fan_out, places, sending
from benchmarks.figures import Figure, table


def main() -> int:
    """Measure, print, and return the exit code."""
    began = time.perf_counter()
    print(f"Python {platform.python_version()}, SQLite {sqlite3.sqlite_version}, {os.cpu_count()} processors")
    figures: list[Figure] = []
    with places.mail_server() as mail_url:
        for measurement, followers in ((fan_out, fan_out.FOLLOWERS), (sending, sending.LETTERS * sending.RUNS)):
            with places.worlds(mail_url) as worlds:
                for engine, world in worlds.items():
                    places.add_followers(world, followers)
                    figures += measurement.measure(engine, world)
    print(table(figures))
    beyond = [figure for figure in figures if not figure.is_within_limit]
    for figure in beyond:
        print(f"{figure.what} ({figure.engine}) is beyond its limit: {figure.because}.")
    print(f"{len(figures)} figures in {time.perf_counter() - began:.0f} s, {len(beyond)} beyond their limit")
    return 1 if beyond else 0


if __name__ == "__main__":
    sys.exit(main())
