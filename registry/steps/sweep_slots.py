"""Whose turn a sweep is: of all workers on a database server one begins each slot of time (DESIGN §4.5).

    every 30 s      12:00:00 ──────── 12:00:30 ──────── 12:01:00
    worker A            takes it        ·                 takes it
    worker B              ·            takes it  (A died here: the next slot is anybody's)

A slot is taken before the sweep runs, and that is committed by itself. Who dies in it leaves the work to the next slot,
which is why every sweep is idempotent and none counts on having run in each. A slot far ahead was taken by a clock that
has been set back since, and keeps nobody waiting until it comes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import func, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from registry.tables import SweepSlot

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MOST_BEHIND: Final = timedelta(minutes=5)
"""How much later than another worker one may come that read the clock before it did."""


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
            where=or_(SweepSlot.slot_at < statement.excluded.slot_at, SweepSlot.slot_at > at + every + MOST_BEHIND),
        )
        .returning(SweepSlot.sweep)
    )
    return session.scalar(taken) is not None


def take_this_slot(session: Session, now: datetime, name: str, every: timedelta) -> bool:
    """Take the slot of the sweep `name`, of length `every`, that it is now by the shared clock."""
    return take_slot(session, name, slot_at(shared_clock(session, now), every), every)
