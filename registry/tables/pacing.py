"""What all workers share: each provider account's pace and connections, whose turn a sweep is, which fail (R31)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from registry.tables.base import Base, Code


class ProviderPacing(Base):
    """How fast one provider account may be asked, by every worker of every machine together.

    `interval_us` is the time between two requests in microseconds, 0 where no pace is known. `next_at` is when the next
    request may begin; `blocked_until` when anything may again, after the provider asked to be left alone. Times are the
    database's on PostgreSQL (R37).
    """

    __tablename__ = "provider_pacing"

    account: Mapped[str] = mapped_column(primary_key=True)
    interval_us: Mapped[int] = mapped_column(BigInteger(), default=0)
    next_at: Mapped[datetime]
    blocked_until: Mapped[datetime | None]
    updated_at: Mapped[datetime]


class ProviderConnection(Base):
    """One of the connections that an account allows, leased to the worker that holds it open."""

    __tablename__ = "provider_connections"

    account: Mapped[str] = mapped_column(primary_key=True)
    n: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    token: Mapped[str | None]
    lease_until: Mapped[datetime | None]


class SweepSlot(Base):
    """The last slot of time in which a sweep was begun: of several workers one has each slot (DESIGN §4.5)."""

    __tablename__ = "sweep_slots"

    sweep: Mapped[Code] = mapped_column(primary_key=True)
    slot_at: Mapped[datetime]


class FailingSweep(Base):
    """A sweep whose last run failed, whichever worker ran it: since when it has, and when it did last.

    The row goes with the first run that does not fail.
    """

    __tablename__ = "failing_sweeps"

    sweep: Mapped[Code] = mapped_column(primary_key=True)
    failing_since: Mapped[datetime]
    failed_at: Mapped[datetime]
