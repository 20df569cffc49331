"""The public web beside what it is to keep up with: `python -m benchmarks.web [--quick] [--markdown] [--only NAME]`.

A publisher with 200 entries and 1,000 notices, on SQLite; the product's own `registry web` with two processes; wrk on
loopback with 32 connections. nginx has the same bytes as files. Rounds of ours and of each peer come in turn, and the
ratio is the median of those of the rounds, so that a machine that others use is slow for both sides of each. It ends
with 1 where a limit is missed, and takes some eight minutes; `--quick` takes four.

It needs wrk and nginx (Debian, Ubuntu: `apt-get install wrk nginx`), and says so where they are missing.
"""

from __future__ import annotations

import argparse
import itertools
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from urllib.parse import quote

from benchmarks.places import ENGINES, SQLITE, Place, Places, places
from benchmarks.rows import Row, Skipped, markdown, table
from benchmarks.web_data import ENDED, WORDS, add_notices, announce_change, fill
from benchmarks.web_servers import (
    Got,
    Pace,
    bare,
    get,
    hello,
    need,
    nginx_before,
    nginx_cache,
    nginx_files,
    registry_web,
    wrk,
)
from registry import clock
from registry.app import create_app
from registry.steps.artefacts import build_artefacts
from tests.web.team.counting import queries

TARGETS = {"page": "/antopsis/", "feed.rss": "/antopsis/feed.rss", "subprocessors.json": "/antopsis/subprocessors.json"}
GZIP = {"Accept-Encoding": "gzip"}

OF_NGINX = 0.5
OF_HELLO = 3.0
OF_BARE = 0.85
"""What is on top of the server: a bare function is the most that any Python behind it could reach."""
OF_NGINX_UNCHANGED = 0.4
OF_NGINX_BEHIND = 0.9
OF_BARE_CACHE = 0.8
"""Of what nginx answers out of a cache at all, whatever is in it. With our headers there is more to send."""
MOST_SECONDS_TO_PUBLISH = 5.0
MOST_SECONDS_FOR_A_READER = 1.0
"""The slowest answer while the same process builds a long list anew, on a machine that is busy with that."""


@dataclass(frozen=True)
class Sizes:
    """How much of it. The second list is the one that a change is published on."""

    entries: int
    notices: int
    rounds: int
    seconds: float
    asked: int
    long_entries: int
    long_notices: int


WHOLE = Sizes(entries=200, notices=1_000, rounds=9, seconds=1, asked=60, long_entries=2_000, long_notices=5_000)
QUICK = Sizes(entries=200, notices=1_000, rounds=3, seconds=1, asked=20, long_entries=500, long_notices=1_000)


def measure_published(made: Places, sizes: Sizes) -> Iterator[Row]:
    """What is published, whole and unchanged, alone and behind nginx, against nginx's files and Flask's hello world."""
    need("wrk", "nginx")
    with ExitStack() as stack:
        place = stack.enter_context(made.new(SQLITE))
        fill(place, sizes.entries, sizes.notices)
        _build(place)
        web = stack.enter_context(registry_web(place))
        greeting = stack.enter_context(hello(place.folder))
        files = {name: (get(web, target).body, get(web, target, GZIP).body) for name, target in TARGETS.items()}
        static = stack.enter_context(nginx_files(place.folder, files))
        ready = stack.enter_context(bare(place.folder))
        behind = stack.enter_context(nginx_before(place.folder, web))
        cache = stack.enter_context(nginx_cache(place.folder, static))
        for name, target in TARGETS.items():
            tags = {
                port: _tag(port, path)
                for port, path in ((web, target), (static, f"/{name}"), (behind, target), (cache, f"/{name}"))
            }
            asks: dict[str, Callable[[], Pace]] = {
                "behind": _asking(behind, target, sizes),
                "nginx": _asking(static, f"/{name}", sizes),
                "cache": _asking(cache, f"/{name}", sizes),
                "ours": _asking(web, target, sizes),
                "bare": _asking(ready, f"/{name}", sizes),
                "hello": _asking(greeting, "/", sizes),
                "nginx 304": _asking(static, f"/{name}", sizes, tags[static]),
                "ours 304": _asking(web, target, sizes, tags[web]),
            }
            runs: dict[str, list[Pace]] = {each: [] for each in asks}
            for _, (each, ask) in itertools.product(range(sizes.rounds), asks.items()):
                runs[each].append(ask())
            size = f"{len(files[name][1]) / 1_024:,.0f} KB by gzip"
            yield _compare(f"{name}, {size}", runs["ours"], "nginx gzip_static", runs["nginx"], OF_NGINX)
            yield _compare(f"{name}", runs["ours"], "Flask's hello world", runs["hello"], OF_HELLO)
            yield _compare(f"{name}", runs["ours"], "a bare function with these bytes", runs["bare"], OF_BARE)
            yield _compare(f"{name}, 304", runs["ours 304"], "nginx's 304", runs["nginx 304"], OF_NGINX_UNCHANGED)
            yield _compare(f"{name}, behind nginx", runs["behind"], "nginx gzip_static", runs["nginx"], OF_NGINX_BEHIND)
            peer = "nginx's cache at its barest"
            yield _compare(f"{name}, behind nginx", runs["behind"], peer, runs["cache"], OF_BARE_CACHE)


def _build(place: Place) -> int:
    parts = place.world.wiring
    return build_artefacts(parts.engine, clock.now, parts.pages, parts.letterhead, parts.build)


def _tag(port: int, target: str) -> str:
    answer = get(port, target, GZIP)
    if answer.status != 200 or answer.headers.get("content-encoding") != "gzip":
        raise RuntimeError(f"{target} was answered with {answer.status}, {answer.headers}")
    return answer.headers["etag"]


def _asking(port: int, target: str, sizes: Sizes, tag: str | None = None) -> Callable[[], Pace]:
    headers = GZIP if tag is None else {**GZIP, "If-None-Match": tag}
    if tag is not None and get(port, target, headers).status != 304:
        raise RuntimeError(f"{target} does not answer 304 to its own tag")
    return lambda: wrk(f"http://127.0.0.1:{port}{target}", sizes.seconds, headers)


def _compare(work: str, ours: list[Pace], peer: str, theirs: list[Pace], limit: float) -> Row:
    ratio = statistics.median(mine.requests / its.requests for mine, its in zip(ours, theirs, strict=True))
    said = [
        f"{statistics.median(each.requests for each in runs):,.0f}/s "
        f"({min(each.requests for each in runs):,.0f}-{max(each.requests for each in runs):,.0f}), "
        f"p99 {statistics.median(each.p99 for each in runs):.1f} ms"
        for runs in (ours, theirs)
    ]
    return Row(work, SQLITE, said[0], f"{peer}: {said[1]}", f"{ratio:.2f}x", f">= {limit:g}x", ratio >= limit)


def measure_computed(made: Places, sizes: Sizes) -> Iterator[Row]:
    """What is computed for what was asked, each time something else: milliseconds, and questions to the database."""
    for engine in ENGINES:
        with made.new(engine) as place:
            fill(place, sizes.entries, sizes.notices // 10)
            few = {name: _ask_for(place, targets(), sizes) for name, targets in _computed(sizes).items()}
            add_notices(place, sizes.notices - sizes.notices // 10)
            many = {name: _ask_for(place, targets(), sizes) for name, targets in _computed(sizes).items()}
        for name, (times, asked) in many.items():
            before = few[name][1]
            yield Row(
                f"{name}, uncached",
                engine,
                f"median {statistics.median(times):.0f} ms, p99 {_p99(times):.0f} ms; {asked} queries",
                f"with a tenth of the notices: {before} queries, p99 {_p99(few[name][0]):.0f} ms",
                f"{asked} queries",
                "as many",
                asked == before,
            )


def _computed(sizes: Sizes) -> dict[str, Callable[[], Iterator[str]]]:
    def searches() -> Iterator[str]:
        for pair in itertools.islice(itertools.product(WORDS, WORDS), sizes.asked):
            yield f"/antopsis/?q={quote(' '.join(pair))}"

    # The list was founded when it was put here, so its past is of the one day.
    def past_days() -> Iterator[str]:
        for day in _days(sizes.asked):
            yield f"/antopsis/?as_of={day}"

    def comparisons() -> Iterator[str]:
        last = ENDED.date()
        for day in _days(sizes.asked):
            yield f"/antopsis/compare?from={day}&to={last}"

    return {"page with a filter": searches, "?as_of=": past_days, "/compare": comparisons}


def _days(count: int) -> Iterator[date]:
    for n in range(count):
        yield ENDED.date() - timedelta(days=5 * n + 1)


def _ask_for(place: Place, targets: Iterator[str], sizes: Sizes) -> tuple[list[float], int]:
    """Ask for each once, of an application that has answered nothing yet; return milliseconds, and the most queries."""
    app = create_app(place.world.settings)
    engine = app.extensions["registry"].engine
    client = app.test_client(use_cookies=False)
    client.get("/antopsis/", buffered=True)
    times: list[float] = []
    most = 0
    for target in targets:
        with queries(engine) as sent:
            began = time.perf_counter()
            answer = client.get(target, buffered=True)
            times.append(1_000 * (time.perf_counter() - began))
        if answer.status_code != 200:
            raise RuntimeError(f"{target} was answered with {answer.status}: {answer.text[:2_000]}")
        # The first of them also finds the list as it is, which the others then have.
        most = len(sent) if len(times) <= 2 else max(most, len(sent))
    engine.dispose()
    return times, most


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[98]


def measure_publishing(made: Places, sizes: Sizes) -> Iterator[Row]:
    """One change of a long list, from the commit until readers see it, and what the slowest of them waited for."""
    for engine in ENGINES:
        with made.new(engine) as place, ExitStack() as stack:
            fill(place, sizes.long_entries, sizes.long_notices)
            began = time.perf_counter()
            count = _build(place)
            built = time.perf_counter() - began
            web = stack.enter_context(registry_web(place, workers=1))
            before = get(web, "/antopsis/", GZIP).headers["etag"]
            with _Reading(web, before) as reading:
                began = time.perf_counter()
                place.world.at = clock.now()
                announce_change(place)
                committed = time.perf_counter()
                reading.seen.wait(60)
                seen = time.perf_counter() - committed
            work = f"publishing one change: {sizes.long_entries:,} entries, {sizes.long_notices:,} notices"
            yield Row(
                work,
                engine,
                f"committed in {committed - began:.2f} s, seen {seen:.2f} s later",
                f"all {count} artefacts in {built:.1f} s by the worker",
                f"{seen:.2f} s",
                f"< {MOST_SECONDS_TO_PUBLISH:g} s",
                reading.seen.is_set() and seen < MOST_SECONDS_TO_PUBLISH,
            )
            slowest = max(each.seconds for each in reading.answers)
            yield Row(
                "the slowest of its readers meanwhile",
                engine,
                f"{slowest * 1_000:,.0f} ms of {len(reading.answers):,} answers, "
                f"median {statistics.median(each.seconds for each in reading.answers) * 1_000:.1f} ms",
                "–",
                f"{slowest:.2f} s",
                f"< {MOST_SECONDS_FOR_A_READER:g} s",
                slowest < MOST_SECONDS_FOR_A_READER and all(each.status == 200 for each in reading.answers),
            )


class _Reading:
    """A reader who asks for the page again and again, until the end of the block, which waits for the new one."""

    def __init__(self, port: int, tag: str) -> None:
        self.answers: list[Got] = []
        self.seen = threading.Event()
        self._is_over = threading.Event()
        self._port, self._tag = port, tag
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> _Reading:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._is_over.is_set():
            answer = get(self._port, "/antopsis/", GZIP)
            self.answers.append(answer)
            if answer.headers["etag"] != self._tag:
                self.seen.set()


Measure = Callable[[Places, Sizes], Iterator[Row]]
MEASUREMENTS: dict[str, Measure] = {
    "published": measure_published,
    "computed": measure_computed,
    "publishing": measure_publishing,
}


def main(arguments: list[str] | None = None) -> int:
    """Measure what is asked for, print the rows as they come and all of them at the end, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.web", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds: a minute")
    parser.add_argument("--only", action="append", choices=sorted(MEASUREMENTS), metavar="NAME", help="this one alone")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    given = parser.parse_args(arguments)
    began = time.perf_counter()
    rows: list[Row] = []
    with places() as made:
        for name in given.only or MEASUREMENTS:
            try:
                for row in MEASUREMENTS[name](made, QUICK if given.quick else WHOLE):
                    rows.append(row)
                    print(f"{'met   ' if row.is_met else 'MISSED'}  {row.engine}: {row.work}: {row.value}", flush=True)
            except Skipped as reason:
                print(f"{name} was not measured: {reason}", flush=True)
    print()
    print(markdown(rows) if given.markdown else table(rows))
    missed = sum(not row.is_met for row in rows)
    load = f"{os.cpu_count()} processors, load average {os.getloadavg()[0]:.1f}"
    print(f"\n{len(rows)} rows in {time.perf_counter() - began:.0f} s, {missed} of them missed; {load}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
