"""The workbench at size: how often each screen asks the database, and how long its answer takes.

    python -m benchmarks.workbench [--markdown] [--quick]

A publisher with 2,000 entries, 500 notices, 20,000 deliveries with a try each, 300 customers and 20,000 acts on record,
on SQLite and on PostgreSQL. Every screen that can be looked at is asked for by its owner; the limit is ten questions
to the database. The milliseconds are those of the whole answer, rendered, the median of seven, and have no limit here:
they are for whoever wants to know what a screen costs. It ends with 1 where a limit is missed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from benchmarks.places import ENGINES, Place, places
from benchmarks.workbench_data import QUICK, WHOLE, fill
from registry.tables import Base, Delivery, Notice, Objection
from tests.web.colleagues import OLA, Colleague, Team
from tests.web.site import Site
from tests.web.team.addresses import Samples, Screen, screens
from tests.web.team.counting import queries

MOST_QUERIES = 10
ROUNDS = 7


@dataclass(frozen=True)
class Measured:
    """One screen on one engine."""

    screen: Screen
    queries: int
    milliseconds: float
    kilobytes: float
    status: int


def main(arguments: list[str] | None = None) -> int:
    """Measure every screen on both engines, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workbench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--markdown", action="store_true", help="print the table in Markdown")
    given = parser.parse_args(arguments)
    size = QUICK if given.quick else WHOLE
    found: dict[str, dict[str, Measured]] = {}
    with places() as made:
        for engine in ENGINES:
            with made.new(engine) as place:
                began = time.perf_counter()
                fill(place, size)
                print(f"{engine}: filled in {time.perf_counter() - began:.0f} s", file=sys.stderr, flush=True)
                for each in measure(place):
                    found.setdefault(each.screen.path, {})[engine] = each
    missed = 0
    rows = [("screen", *(f"{engine}, {what}" for engine in ENGINES for what in ("questions", "ms")), "KB", "")]
    for on in found.values():
        worst = max(each.queries for each in on.values())
        is_met = worst <= MOST_QUERIES and all(each.status == 200 for each in on.values())
        missed += not is_met
        first = next(iter(on.values()))
        cells = [text for each in on.values() for text in (str(each.queries), f"{each.milliseconds:.0f}")]
        shown = f"{first.screen.endpoint.replace('_', ' ')} `{first.screen.path.removeprefix('/team/antopsis')}`"
        rows.append((shown, *cells, f"{first.kilobytes:.0f}", "met" if is_met else f"MISSED ({first.status})"))
    print(_table(rows, markdown=given.markdown))
    print(f"\n{len(found)} screens, {missed} of them above {MOST_QUERIES} questions")
    return 1 if missed else 0


def measure(place: Place) -> Iterator[Measured]:
    """Yield every screen of the workbench that can be looked at."""
    site = Site(place.world)
    colleague = Team(site).sign_in(OLA)
    engine = site.app.extensions["registry"].engine
    try:
        with place.world.reading() as session:
            samples = _samples(session)
        for screen in screens(site.app, samples):
            if "GET" not in screen.methods:
                continue
            answer = colleague.get(screen.path)
            with queries(engine) as sent:
                colleague.get(screen.path)
            times = [_timed(colleague, screen.path) for _ in range(ROUNDS)]
            yield Measured(
                screen, len(sent), statistics.median(times) * 1_000, len(answer.data) / 1_024, answer.status_code
            )
    finally:
        site.close()


def _timed(colleague: Colleague, path: str) -> float:
    began = time.perf_counter()
    colleague.get(path)
    return time.perf_counter() - began


def _samples(session: Session) -> Samples:
    """Name one of everything: what is open where a screen is about that, and otherwise what is full."""

    def newest(table: type[Base], *where: Any) -> int:
        return session.scalars(select(func.max(table.id)).where(*where)).one() or 1  # type: ignore[attr-defined]  # all have one

    announced = session.scalars(select(Notice.number).where(Notice.state == "announced")).one()
    draft = session.scalars(select(Notice.number).where(Notice.state == "draft")).one()
    submitted = session.scalars(select(Notice.number).where(Notice.state == "submitted")).one()
    return Samples(
        {
            "number": announced,
            "key": "entry-7",
            "part": "terms",
            "statement": 1,
            "customer": "customer-7",
            "int:number": 1,
            "int:delivery": newest(Delivery),
            "int:objection": newest(Objection),
        },
        {
            ("edit_notice", "number"): draft,
            ("approve", "number"): submitted,
            **{(name, "key"): "customer-7" for name in ("customer", "edit_customer")},
        },
    )


def _table(rows: list[tuple[str, ...]], *, markdown: bool) -> str:
    if markdown:
        head, *rest = rows
        return "\n".join(["| " + " | ".join(row) + " |" for row in [head, ("---",) * len(head), *rest]])
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
