"""The workbench at size: how often each screen asks the database, and how long its answer takes.

    python -m benchmarks.workbench [--markdown] [--quick] [--ask SCREEN]

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
from registry.tables import Base, Delivery, Notice, Objection, Person, Subscription, Suppression
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


def main(arguments: list[str] | None = None) -> int:
    """Measure every screen on both engines, print the table, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.workbench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the size")
    parser.add_argument("--ask", metavar="SCREEN", help="print the questions of one screen")
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
                for each in measure(place, given.ask):
                    found.setdefault(each.screen.path, {})[engine] = each
    missed = 0
    rows = [("screen", *(f"{engine}, {what}" for engine in ENGINES for what in ("questions", "ms")), "KB", "")]
    for on in found.values():
        worst = max(each.queries for each in on.values())
        is_met = worst <= MOST_QUERIES
        missed += not is_met
        first = next(iter(on.values()))
        cells = [text for each in on.values() for text in (str(each.queries), f"{each.milliseconds:.0f}")]
        shown = f"{first.screen.endpoint.replace('_', ' ')} `{first.screen.path.removeprefix('/team/antopsis')}`"
        rows.append((shown, *cells, f"{first.kilobytes:.0f}", "met" if is_met else "MISSED"))
    print(_table(rows, markdown=given.markdown))
    print(f"\n{len(found)} screens, {missed} of them above {MOST_QUERIES} questions")
    return 1 if missed else 0


def measure(place: Place, asked: str | None = None) -> Iterator[Measured]:
    """Yield every screen of the workbench that can be looked at; print what the one `asked` for wants to know."""
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
            if answer.status_code != 200:
                # A screen about a state of things that is not there, such as a postponement nobody proposed.
                print(f"{place.engine}: {screen.path} answered {answer.status_code}", file=sys.stderr)
                continue
            with queries(engine) as sent:
                colleague.get(screen.path)
            times = [_timed(colleague, screen.path) for _ in range(ROUNDS)]
            if screen.endpoint == asked:
                print(place.engine, screen.path, *sent, sep="\n  ")
            yield Measured(screen, len(sent), statistics.median(times) * 1_000, len(answer.data) / 1_024)
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
    of_customers = ("customer", "edit_customer", "end_customer_contract", "customer_contact", "standing")
    return Samples(
        {
            "number": announced,
            "key": "entry-7",
            "part": "terms",
            "int:number": 1,
            "int:delivery": newest(Delivery),
            "int:objection": newest(Objection),
            "int:contact": 7,
            "int:follower": session.scalars(select(Subscription.id).where(Subscription.customer_id.is_(None))).first()
            or 1,
            "int:passkey_id": 1,
            "int:session_id": 1,
        },
        {
            **{(name, "number"): draft for name in ("edit_notice", "submit_notice", "discard_notice", "weigh_notice")},
            **{(name, "number"): submitted for name in ("approve_notice", "send_back_notice", "publish_confirm")},
            ("notice_audience", "number"): submitted,
            **{(name, "key"): "customer-7" for name in of_customers},
            ("override_notice", "key"): "customer-7",
            ("weigh_notice", "key"): "entry-12",
            ("drop_edit", "key"): "entry-13",
            **{(name, "int:number"): newest(Delivery) for name in ("delivery", "delivery_letter")},
            ("suppression", "int:number"): newest(Suppression),
            ("colleague", "int:number"): newest(Person),
            ("remove_colleague", "int:number"): newest(Person),
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
