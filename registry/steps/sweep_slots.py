"""Whose turn a sweep is: of all workers on a database server one begins each slot of time (DESIGN §4.5).

    every 30 s      12:00:00 ──────── 12:00:30 ──────── 12:01:00
    worker A            takes it        ·                 takes it
    worker B              ·            takes it  (A died here: the next slot is anybody's)

A slot is taken before the sweep runs, and that is committed by itself. Who dies in it leaves the work to the next slot,
which is why every sweep is idempotent and none counts on having run in each. A slot far ahead was taken by a clock that
has been set back since, and keeps nobody waiting until it comes.

Whether a sweep fails is kept beside its slot, for it is one installation that works or does not, whoever's turn it was.
A slot in which it failed is anybody's once more: a worker that is started anew tries at once. What every worker does
for itself is kept so as well: it fails where it went well in none of them since.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Engine, delete, exists, func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from registry.steps.insert_once import insert_once
from registry.tables import FailingSweep, SweepSlot
from registry.tables.engine import reading, writing

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_BEHIND: Final = timedelta(minutes=5)
"""How much later than another worker one may come that read the clock before it did."""

IN_EVERY_WORKER: Final = frozenset({"heartbeat", "send", "send_by_web", "ping"})
"""Not done in turns: each worker lives and sends for itself, and the ping takes its own slot where all is well."""


def slot_at(now: datetime, every: timedelta) -> datetime:
    """Return the beginning (UTC) of the slot of length `every` that holds the instant `now`."""
    return EPOCH + (now - EPOCH) // every * every


def shared_clock(session: Session, now: datetime) -> datetime:
    """Return the clock that all workers share: the database's on PostgreSQL, else `now` (R37)."""
    if session.get_bind().dialect.name == "postgresql":
        at: datetime = session.scalars(select(func.clock_timestamp())).one()
        return at.astimezone(UTC)
    return now


def take_slot(session: Session, name: str, at: datetime, every: timedelta = timedelta(0)) -> bool:
    """Take the slot that begins at `at` for the sweep `name`; return False where it or a later one is taken.

    One statement: of two that come at once the second waits for the first to commit, and then changes nothing. A later
    one that lies further ahead than the next slot, of length `every`, and `MOST_BEHIND` is of a clock that went wrong.
    Where the sweep failed last, the slot that is taken may be taken again.
    """
    statement: sqlite.Insert | postgresql.Insert
    if session.get_bind().dialect.name == "sqlite":
        statement = sqlite.insert(SweepSlot)
    else:
        statement = postgresql.insert(SweepSlot)
    taken = (
        statement.values(sweep=name, slot_at=at)
        .on_conflict_do_update(
            index_elements=[SweepSlot.sweep],
            set_={"slot_at": statement.excluded.slot_at},
            where=or_(
                SweepSlot.slot_at < statement.excluded.slot_at,
                SweepSlot.slot_at > at + every + MOST_BEHIND,
                (SweepSlot.slot_at == statement.excluded.slot_at) & exists().where(FailingSweep.sweep == name),
            ),
        )
        .returning(SweepSlot.sweep)
    )
    return session.scalar(taken) is not None


def take_this_slot(session: Session, now: datetime, name: str, every: timedelta) -> bool:
    """Take the slot of the sweep `name`, of length `every`, that it is now by the shared clock."""
    return take_slot(session, name, slot_at(shared_clock(session, now), every), every)


def note_failure(session: Session, now: datetime, name: str) -> None:
    """Note that the run of the sweep `name` which ended at `now` (UTC) failed."""
    if insert_once(session, FailingSweep, {"sweep": name, "failing_since": now, "failed_at": now}):
        return
    # Where another worker's run has just gone well, that is what counts.
    failing = session.get(FailingSweep, name, with_for_update=True, populate_existing=True)
    if failing is not None:
        # A clock that was ahead then must not make it fail for longer than it takes to get there.
        failing.failing_since = min(failing.failing_since, now)
        failing.failed_at = now


def note_success(engine: Engine, name: str) -> None:
    """Note that a run of the sweep `name` went well. Writes only where one had failed."""
    with reading(engine) as session:
        if session.get(FailingSweep, name) is None:
            return
    with writing(engine) as session:
        session.execute(delete(FailingSweep).where(FailingSweep.sweep == name))


def forget_other_sweeps(session: Session, names: Collection[str]) -> None:
    """Forget that sweeps failed which this release does not have: none of them will ever go well again."""
    session.execute(delete(FailingSweep).where(FailingSweep.sweep.not_in(names)))


def is_any_failing(session: Session) -> bool:
    """Return whether the last run of any sweep that is done in turns failed, by whichever worker."""
    in_turns = FailingSweep.sweep.not_in(IN_EVERY_WORKER)
    return session.scalar(select(FailingSweep.sweep).where(in_turns).limit(1)) is not None


def list_failing_for(session: Session, span: timedelta) -> list[str]:
    """Return the sweeps that failed again after `span` or more of failing, by name. One failure alone is no span."""
    rows = session.scalars(select(FailingSweep).order_by(FailingSweep.sweep))
    return [each.sweep for each in rows if each.failed_at - each.failing_since >= span]
