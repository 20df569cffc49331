"""A consistent copy of everything in one file, made while the service runs, on either database.

All tables are read from one snapshot, so no act is in it by half, and nobody waits for it. The file appears whole or
not at all.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Final

from sqlalchemy import Table, Text, cast, select, text
from sqlalchemy.orm import Session

from registry.domain.errors import RegistryError
from registry.steps.audience_errors import InstallationNotBound
from registry.steps.backup_file import (
    BackupWriter,
    Kind,
    Manifest,
    Progress,
    TableFacts,
    kind_of,
    sql_table,
)
from registry.steps.record import Actor, record_event
from registry.tables import Artefact, Base, Installation

LEFT_OUT: Final = {
    Artefact.__tablename__: "the published pages, files and feeds: the worker builds them again from the rest"
}
BATCH: Final = 500
"""Rows in memory at a time."""


class BackupExists(RegistryError):
    """A file of that name is there already. Params: file."""

    code = "backup-exists"


class BackupUnwritable(RegistryError):
    """The file cannot be written, or not to its end. Params: file, why."""

    code = "backup-unwritable"


@dataclass(frozen=True)
class Backup:
    """A backup that was made: its file, that file's length and SHA-256, and what is in it."""

    path: Path
    length: int
    sha256: str
    manifest: Manifest


def back_up(
    session: Session,
    now: datetime,
    path: Path,
    *,
    product: str,
    overwrite: bool = False,
    progress: Progress = lambda table, rows: None,
) -> Backup:
    """Write everything that `session` sees to `path`, readable by its owner alone.

    `session` is a fresh one of `registry.tables.engine.reading`, whose first query begins the snapshot; `now` (UTC) is
    from just before it. `product` is the version of this release. The secret key is not in the file, for it is not in
    the database. Raises `InstallationNotBound`, `BackupExists` or `BackupUnwritable`, and then leaves no file behind.
    """
    with _whole_file(path, overwrite) as file:
        tables = [table for table in Base.metadata.sorted_tables if table.name not in LEFT_OUT]
        _hold_still(session, tables)
        installation = session.scalar(select(Installation))
        if installation is None:
            raise InstallationNotBound
        with BackupWriter(file, now) as writer:
            manifest = Manifest(
                made_at=now,
                product=product,
                schema_revision=session.scalars(text("SELECT version_num FROM alembic_version")).one(),
                database=session.get_bind().dialect.name,
                installation_id=installation.installation_id,
                base_url=installation.base_url,
                tables=tuple(_add(writer, session, table, progress) for table in tables),
                left_out=LEFT_OUT,
            )
            sha256 = writer.finish(manifest)
        length = file.seek(0, os.SEEK_END)
    return Backup(path, length, sha256, manifest)


def record_backup(session: Session, now: datetime, actor: Actor, backup: Backup) -> None:
    """Put on record who made which backup (R39). It is done once the file is there, so the file does not hold it."""
    record_event(
        session,
        now,
        actor,
        "installation.backed_up",
        subject=("installation", backup.manifest.installation_id),
        made_at=backup.manifest.made_at.isoformat(),
        sha256=backup.sha256,
        rows=backup.manifest.rows,
    )


def _hold_still(session: Session, tables: Sequence[Table]) -> None:
    """Keep the schema as it is for as long as this reads: on PostgreSQL a migration is not a part of the snapshot.

    The lock comes before the first query, and so before the snapshot. It stands in nobody's way but a migration's.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET TRANSACTION READ ONLY"))
        names = ", ".join(table.name for table in tables)
        session.execute(text(f"LOCK TABLE {names} IN ACCESS SHARE MODE"))


def _add(writer: BackupWriter, session: Session, table: Table, progress: Progress) -> TableFacts:
    columns = {column.name: kind_of(column) for column in table.columns}
    return writer.add_table(table.name, columns, _read(session, table, columns), progress)


def _read(session: Session, table: Table, columns: Mapping[str, Kind]) -> Iterator[Sequence[Sequence[Any]]]:
    seen = sql_table(table.name, columns)
    wanted = [cast(seen.c[name], Text) if kind is Kind.DOCUMENT else seen.c[name] for name, kind in columns.items()]
    order = [seen.c[column.name] for column in table.primary_key]
    return session.execute(select(*wanted).order_by(*order), execution_options={"yield_per": BATCH}).partitions()


@contextmanager
def _whole_file(path: Path, overwrite: bool) -> Iterator[BinaryIO]:
    """Give a file to write to that takes its name when it is whole and on the disk, and is gone if anything fails."""
    try:
        _refuse_existing(path, overwrite)
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            _give_name(draft, path, overwrite)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise BackupUnwritable(file=str(path), why=error.strerror or str(error)) from error


def _refuse_existing(path: Path, overwrite: bool) -> None:
    if path.exists() or path.is_symlink():
        if not path.is_file():
            raise BackupUnwritable(file=str(path), why="this is no plain file")
        if not overwrite:
            raise BackupExists(file=str(path))


def _give_name(draft: Path, path: Path, overwrite: bool) -> None:
    if not overwrite:
        # A link, unlike a rename, fails where somebody made a file of that name meanwhile. Not every disk has links.
        try:
            os.link(draft, path)
        except FileExistsError as error:
            raise BackupExists(file=str(path)) from error
        except OSError:
            _refuse_existing(path, overwrite)
            draft.rename(path)
    else:
        draft.replace(path)
    # The name is on the disk once its folder is. Some file systems cannot be asked for that, and then it is there.
    with suppress(OSError):
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
