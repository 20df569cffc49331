"""Whether this installation is fit to work: its database, its schema, and the scheduler that lets things happen.

What it tells is for machines and strangers: no secret, no address, nobody's words.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlalchemy import Engine, text
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from sqlalchemy.orm import Session

from registry.steps.installation import PauseReason, reasons_of
from registry.steps.sweep_slots import list_failing_for
from registry.steps.tasks import BY_A_PERSON
from registry.steps.watch import HEARTBEAT_LATE_AFTER
from registry.tables import Installation
from registry.tables.engine import reading

FIRST_WORKER_WITHIN: Final = timedelta(minutes=10)
"""How long an installation may be up before its first worker: a platform may wait for the web before it starts one."""
FAILS_FOR: Final = timedelta(minutes=10)
"""How long a sweep may fail, again and again, until the installation counts as doing its work no more. A single failure
is mended by the next run."""


class SchemaState(StrEnum):
    """How the database's schema stands to this release."""

    NEWEST = "newest"
    MISSING = "missing"
    OUTDATED = "outdated"
    NEWER = "newer"
    UNKNOWN = "unknown"


class SchedulerState(StrEnum):
    """How the scheduler's heartbeat stands. `expected`: none was there yet, and the installation is just new."""

    ALIVE = "alive"
    EXPECTED = "expected"
    NEVER = "never"
    LATE = "late"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Health:
    """What was found. `heartbeat_age` is None where there was none; `paused_because` is a code, never words.

    `failing` are the sweeps that have failed for FAILS_FOR, by name.
    """

    database_answers: bool
    schema: SchemaState = SchemaState.UNKNOWN
    schema_found: str | None = None
    scheduler: SchedulerState = SchedulerState.UNKNOWN
    heartbeat_age: timedelta | None = None
    is_paused: bool | None = None
    paused_because: str | None = None
    failing: tuple[str, ...] = ()

    @property
    def is_ready(self) -> bool:
        """True where work is done. A pause does not make it unfit: it is a person's decision, and is shown."""
        return (
            self.database_answers
            and self.schema is SchemaState.NEWEST
            and self.scheduler in (SchedulerState.ALIVE, SchedulerState.EXPECTED)
            and not self.failing
        )


def look_at_health(engine: Engine, now: datetime, newest: str | None, known: frozenset[str]) -> Health:
    """Look at the installation as it is at `now` (UTC). Raises nothing: a database that is gone is a finding.

    `newest` is the newest revision of the schema that this release knows, `known` are all of them.
    """
    try:
        with reading(engine) as session:
            found = _find_revision(session)
            schema = _judge_schema(found, newest, known)
            if schema is not SchemaState.NEWEST:
                return Health(True, schema, found)
            installation = session.get(Installation, 1)
            failing = tuple(list_failing_for(session, FAILS_FOR))
    except SQLAlchemyError:
        return Health(False)
    if installation is None:
        return Health(True, schema, found, SchedulerState.NEVER)
    scheduler, age = _judge_scheduler(installation, now)
    paused = installation.paused_because
    codes = [reason for reason in reasons_of(paused) if reason in set(PauseReason)]
    because = None if installation.paused_at is None else codes[-1] if codes else BY_A_PERSON
    return Health(True, schema, found, scheduler, age, installation.paused_at is not None, because, failing)


def _find_revision(session: Session) -> str | None:
    # Where the table is missing the error is one of the statement, and on SQLite the same as that of a lost file.
    dialect = session.get_bind().dialect.name
    if dialect == "sqlite":
        named = session.scalar(text("SELECT name FROM sqlite_master WHERE name = 'alembic_version'"))
        if named is None:
            return None
    try:
        found: str | None = session.scalar(text("SELECT version_num FROM alembic_version"))
        return found
    except ProgrammingError:
        return None


def _judge_schema(found: str | None, newest: str | None, known: frozenset[str]) -> SchemaState:
    if found is None:
        return SchemaState.MISSING
    if found not in known:
        return SchemaState.NEWER
    return SchemaState.NEWEST if found == newest else SchemaState.OUTDATED


def _judge_scheduler(installation: Installation, now: datetime) -> tuple[SchedulerState, timedelta | None]:
    if installation.heartbeat_at is None:
        is_new = now - installation.created_at < FIRST_WORKER_WITHIN
        return (SchedulerState.EXPECTED if is_new else SchedulerState.NEVER), None
    # Two machines' clocks may differ a little. A beat from further ahead was made by a clock that was wrong, and would
    # pass for new until that time has come, whatever became of the scheduler.
    age = now - installation.heartbeat_at
    return (SchedulerState.ALIVE if abs(age) <= HEARTBEAT_LATE_AFTER else SchedulerState.LATE), abs(age)
