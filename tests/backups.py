"""What the tests of backups share: making and restoring one, a whole database to compare, and files that are wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import JSON, Engine, Text, cast, select

from registry.migrations import upgrade
from registry.steps.back_up import LEFT_OUT, Backup, back_up
from registry.steps.backup_file import BackupWriter, Kind, Progress, TableFacts, open_backup
from registry.steps.restore import Restored, restore
from registry.tables import Base
from registry.tables.engine import make_engine, reading, writing
from tests.world import BORIS, World

Rows = list[dict[str, Any]]


def contents(engine: Engine) -> dict[str, Rows]:
    """Return every row of every table but those a backup leaves out, documents in the very text that is stored."""
    with reading(engine) as session:
        return {
            table.name: [
                dict(row)
                for row in session.execute(
                    select(
                        *(
                            cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column
                            for column in table.columns
                        )
                    ).order_by(*table.primary_key)
                ).mappings()
            ]
            for table in Base.metadata.sorted_tables
            if table.name not in LEFT_OUT
        }


def count_rows(engine: Engine) -> int:
    """Return how many rows there are in all tables together."""
    return sum(len(rows) for rows in contents(engine).values())


def forge(
    source: Path,
    target: Path,
    rewrite: Callable[[TableFacts, Rows], tuple[Mapping[str, Kind], Sequence[Mapping[str, Any]]] | None] = (
        lambda facts, rows: (facts.columns, rows)
    ),
    **stated: Any,
) -> Path:
    """Write a backup like `source` that vouches for its own bytes, with other rows or something else in its manifest.

    `rewrite` returns the columns and rows of a table, or None to leave it out.
    """
    with (
        open_backup(source) as opened,
        target.open("w+b") as file,
        BackupWriter(file, opened.manifest.made_at) as writer,
    ):
        tables = []
        for facts in opened.manifest.tables:
            wanted = rewrite(facts, list(opened.read_table(facts)))
            if wanted is not None:
                columns, rows = wanted
                lines = [[row[name] for name in columns] for row in rows]
                tables.append(writer.add_table(facts.name, columns, [lines], lambda table, done: None))
        writer.finish(opened.manifest.model_copy(update={"tables": tuple(tables), **stated}))
    return target


def no_progress(table: str, rows: int) -> None:
    """Say nothing."""


def make_backup(world: World, path: Path, progress: Progress = no_progress, **options: Any) -> Backup:
    """Back the world up to `path` at its time."""
    with reading(world.wiring.engine) as session:
        return back_up(session, world.at, path, product="0.1.0", progress=progress, **options)


def bring_back(path: Path, url: str, world: World, progress: Progress = no_progress) -> Restored:
    """Restore a backup, verified, at the world's time."""
    wiring = world.wiring
    with open_backup(path) as opened:
        opened.verify(no_progress)
        upgrade(url, opened.manifest.schema_revision)
        with engine_of(url) as engine, writing(engine) as session:
            base_url = wiring.letterhead.base_url
            return restore(session, world.at, opened, BORIS, wiring.fingerprint, base_url, progress)


@contextmanager
def engine_of(url: str) -> Iterator[Engine]:
    """Give an engine that is disposed of at the end."""
    engine = make_engine(url)
    try:
        yield engine
    finally:
        engine.dispose()
