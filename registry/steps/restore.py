"""Bringing a backup back, into a database that holds nothing: all of it in one transaction, and with dispatch paused.

What the original did after the backup was made is not known here. Letters that waited then may have gone out since, so
they are marked, and none goes out before a person has looked (R32); but not those whose attempt says that they were
taken before it, which nobody sends again (docs/decisions/0023). Links that the original signed since must open
nothing here, since the numbers in them will be given to other rows, so a new key signs from now on. A session that was
ended since would be open again, so all are ended, and the team signs in anew.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, bindparam, func, insert, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from registry.domain.deliveries import SENDABLE_STATES, DeliveryState
from registry.domain.errors import RegistryError
from registry.domain.notice_life import NoticeState
from registry.letters.wording import say_instant
from registry.steps.backup_file import BackupFile, Kind, Manifest, Progress, TableFacts, kind_of, sql_table
from registry.steps.installation import is_same_base_url
from registry.steps.keyring import LINK
from registry.steps.record import Actor
from registry.steps.settle_delivery import ACCEPTED
from registry.tables import Attempt, Base, Delivery, Event, Installation, Notice, RingKey, SignIn

ANSWERED_AND_OPEN: Final = (DeliveryState.LEASED.value, DeliveryState.AMBIGUOUS.value)
"""States in which a letter may still be whose attempt says already that it was taken."""
BATCH: Final = 500
"""Rows in memory at a time."""
LINK_SECRET_BYTES: Final = 32


class DatabaseNotEmpty(RegistryError):
    """A backup is restored only where nothing is. Params: table, which has rows."""

    code = "database-not-empty"


class BackupDoesNotFit(RegistryError):
    """The database does not take a table of the backup. Params: file, table, why."""

    code = "backup-does-not-fit"


@dataclass
class Letters:
    """What of the backup's letters was still to be sent.

    `open` waited or were at a worker; `due` are those of them that were due by the restore and not on record as taken,
    and so may have been sent since the backup; `leased` were at a worker when it was made.
    """

    open: int = 0
    due: int = 0
    leased: int = 0


@dataclass
class Notices:
    """Notices whose time came between the backup and the restore, so that the original may have acted on it."""

    to_announce: int = 0
    to_take_effect: int = 0


@dataclass(frozen=True)
class Restored:
    """What a restore did. `is_same_key` and `is_same_address`: this installation has the original's (R32)."""

    manifest: Manifest
    sha256: str
    paused_because: str
    letters: Letters
    notices: Notices
    link_key: str
    is_same_key: bool
    is_same_address: bool


def check_empty(session: Session, manifest: Manifest) -> None:
    """Raise `DatabaseNotEmpty` if any table of the registry, of this release or the backup's, has a row."""
    connection = session.connection()
    ours = {each.name for each in manifest.tables} | set(manifest.left_out) | set(Base.metadata.tables)
    for name in sorted(ours & set(inspect(connection).get_table_names())):
        if session.scalar(select(1).select_from(sql_table(name, {})).limit(1)) is not None:
            raise DatabaseNotEmpty(table=name)


def restore(
    session: Session,
    now: datetime,
    backup: BackupFile,
    actor: Actor,
    fingerprint: str,
    base_url: str,
    progress: Progress = lambda table, rows: None,
) -> Restored:
    """Fill an empty database, whose schema is of the backup's revision, with what `backup` holds, and pause dispatch.

    `fingerprint` and `base_url` are those of this installation, to be compared with the original's. The backup's own
    stay, so that the first start here notices. Raises `DatabaseNotEmpty`, `BackupDoesNotFit` or `BackupDamaged`; the
    caller then rolls back, and nothing was written.
    """
    return _Restoring(session, now, backup, fingerprint, base_url, progress).run(actor)


class _Restoring:
    """One restore at work: what must be noted of the rows as they go by."""

    def __init__(
        self, session: Session, now: datetime, backup: BackupFile, fingerprint: str, base_url: str, progress: Progress
    ) -> None:
        self.session = session
        self.connection: Connection = session.connection()
        self.now = now
        self.backup = backup
        self.fingerprint, self.base_url = fingerprint, base_url
        self.progress = progress
        self.paused_because = f"restored from a backup made {say_instant(backup.manifest.made_at, 'UTC')}"
        self.letters, self.notices = Letters(), Notices()
        self.same: tuple[bool, bool] | None = None
        self.newest_key = 0
        self.may_be_answered: dict[int, bool] = {}
        """Letters that are due and may have been taken already, by number; whether they are marked here alone."""
        self.taken: set[int] = set()
        # Rows are looked at as the backup's release wrote them: these columns are as old as their tables.
        self.looks: Mapping[str, Callable[[dict[str, Any]], None]] = {
            Installation.__tablename__: self._pause,
            Delivery.__tablename__: self._look_at_delivery,
            Attempt.__tablename__: self._look_at_attempt,
            Notice.__tablename__: self._look_at_notice,
            RingKey.__tablename__: self._look_at_key,
            SignIn.__tablename__: self._end_session,
        }

    def run(self, actor: Actor) -> Restored:
        manifest = self.backup.manifest
        self._check_shape()
        self._lock_everybody_out()
        check_empty(self.session, manifest)
        for facts in manifest.tables:
            self._fill(facts)
        if self.same is None:
            raise self.backup.damaged("it holds no installation")
        self._take_marks_back()
        self._go_on_counting()
        link_key = self._add_link_key()
        self._record(actor, link_key)
        return Restored(
            manifest, self.backup.sha256, self.paused_because, self.letters, self.notices, link_key, *self.same
        )

    def _lock_everybody_out(self) -> None:
        # A service that starts at this moment waits, and then finds the installation. SQLite has one writer anyway.
        if self.connection.dialect.name == "postgresql":
            names = ", ".join(facts.name for facts in self.backup.manifest.tables)
            self.session.execute(text(f"LOCK TABLE {names} IN EXCLUSIVE MODE"))

    def _check_shape(self) -> None:
        """See that the backup has every table and column of its schema: what it lacked would be missing unnoticed."""
        manifest, found = self.backup.manifest, inspect(self.connection)
        stated = {facts.name: set(facts.columns) for facts in manifest.tables}
        there = set(found.get_table_names())
        expected = {name for name in there if name in Base.metadata.tables or name in stated} - set(manifest.left_out)
        if odd := sorted(expected ^ set(stated)):
            raise self._does_not_fit(odd[0], "it is not in both")
        for name, columns in stated.items():
            if odd := sorted(columns ^ {each["name"] for each in found.get_columns(name)}):
                raise self._does_not_fit(name, f"the column {odd[0]} is not in both")

    def _fill(self, facts: TableFacts) -> None:
        statement = insert(sql_table(facts.name, facts.columns))
        rows: Iterator[dict[str, Any]] = self.backup.read_table(facts)
        look, done = self.looks.get(facts.name), 0
        while batch := list(islice(rows, BATCH)):
            if look is not None:
                for row in batch:
                    look(row)
            try:
                self.connection.execute(statement, batch)
            except (OperationalError, InterfaceError):
                raise
            except DBAPIError as error:
                raise self._does_not_fit(facts.name, str(error.orig).partition("\n")[0]) from error
            done += len(batch)
            self.progress(facts.name, done)

    def _does_not_fit(self, table: str, why: str) -> BackupDoesNotFit:
        return BackupDoesNotFit(file=str(self.backup.path), table=table, why=why)

    def _pause(self, row: dict[str, Any]) -> None:
        is_same_key = row["fingerprint"] == self.fingerprint
        self.same = (is_same_key, is_same_base_url(row["base_url"], self.base_url))
        if row["paused_because"] is not None:
            self.paused_because += f"; it was paused before: {row['paused_because']}"
        # No worker has run here yet.
        row |= {"paused_at": self.now, "paused_because": self.paused_because, "heartbeat_at": None}

    def _look_at_delivery(self, row: dict[str, Any]) -> None:
        is_leased = row["state"] == DeliveryState.LEASED.value
        if not is_leased and row["state"] not in SENDABLE_STATES:
            return
        self.letters.open += 1
        self.letters.leased += is_leased
        if row["due_at"] <= self.now:
            # The original went on after the backup, nobody knows for how long.
            self.letters.due += 1
            if row["state"] in ANSWERED_AND_OPEN:
                self.may_be_answered[row["id"]] = not row["possible_duplicate"]
            row["possible_duplicate"] = True

    def _look_at_attempt(self, row: dict[str, Any]) -> None:
        if row["answer_class"] == ACCEPTED and row["delivery_id"] in self.may_be_answered:
            self.taken.add(row["delivery_id"])

    def _take_marks_back(self) -> None:
        """Leave letters as they were that were taken before the backup, though their state had not followed yet."""
        self.letters.due -= len(self.taken)
        rows = sql_table(Delivery.__tablename__, {"id": Kind.INTEGER, "possible_duplicate": Kind.BOOLEAN})
        unmark = update(rows).where(rows.c.id == bindparam("taken")).values(possible_duplicate=False)
        if marked_here := [{"taken": each} for each in sorted(self.taken) if self.may_be_answered[each]]:
            self.connection.execute(unmark, marked_here)

    def _look_at_notice(self, row: dict[str, Any]) -> None:
        is_published = row["state"] == NoticeState.PUBLISHED.value
        waits_for = row["announce_at"] if is_published else row["effective_at"]
        if waits_for is not None and waits_for <= self.now:
            self.notices.to_announce += is_published
            self.notices.to_take_effect += row["state"] in (NoticeState.ANNOUNCED.value, NoticeState.HELD.value)

    def _look_at_key(self, row: dict[str, Any]) -> None:
        if row["purpose"] == LINK:
            self.newest_key = max(self.newest_key, int(row["key_id"].removeprefix("k")))

    def _end_session(self, row: dict[str, Any]) -> None:
        row["ended_at"] = row["ended_at"] or self.now

    def _go_on_counting(self) -> None:
        """Let PostgreSQL give the next rows numbers after those that came with the backup; SQLite does by itself."""
        if self.connection.dialect.name != "postgresql":
            return
        for facts in self.backup.manifest.tables:
            rows = sql_table(facts.name, facts.columns)
            for column, kind in facts.columns.items():
                if not facts.rows or kind is not Kind.INTEGER:
                    continue
                sequence = self.connection.scalar(select(func.pg_get_serial_sequence(facts.name, column)))
                if sequence is not None:
                    newest = select(func.max(rows.c[column])).scalar_subquery()
                    self.connection.execute(select(func.setval(sequence, newest)))

    def _add_link_key(self) -> str:
        key_id = f"k{self.newest_key + 1}"
        key = {
            "key_id": key_id,
            "purpose": LINK,
            "secret": secrets.token_hex(LINK_SECRET_BYTES),
            "created_at": self.now,
        }
        self._insert(RingKey.__tablename__, key)
        return key_id

    def _record(self, actor: Actor, link_key: str) -> None:
        manifest = self.backup.manifest
        payload = {
            "made_at": manifest.made_at.isoformat(),
            "sha256": self.backup.sha256,
            "rows": manifest.rows,
            "schema": manifest.schema_revision,
            "from_database": manifest.database,
            "open_letters": self.letters.open,
            "possible_duplicates": self.letters.due,
            "link_key": link_key,
        }
        event = {
            "publisher_id": None,
            "at": self.now,
            "actor": str(actor),
            "kind": "installation.restored",
            "subject_kind": "installation",
            "subject": manifest.installation_id,
            "payload": json.dumps(payload),
        }
        self._insert(Event.__tablename__, event)

    def _insert(self, name: str, values: dict[str, Any]) -> None:
        """Add a row of this restore's own, by none but the columns given: the schema may be an older release's."""
        columns = {column: kind_of(Base.metadata.tables[name].c[column]) for column in values}
        self.connection.execute(insert(sql_table(name, columns)).values(values))
