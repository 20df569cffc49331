"""Instants are aware UTC, whatever the database makes of them (R37)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import DateTime, select
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import StatementError

from registry.tables import Event
from registry.tables.base import UtcDateTime
from registry.tables.engine import make_engine, reading, writing


def _event(at: datetime) -> Event:
    return Event(at=at, actor="anna", kind="tried", subject_kind="test", subject="1", payload={})


def test_an_instant_comes_back_as_the_same_instant_in_utc(database_url: str) -> None:
    engine = make_engine(database_url)
    at = datetime(2026, 10, 25, 0, 30, tzinfo=timezone(timedelta(hours=5)))
    with writing(engine) as session:
        session.add(_event(at))
    with reading(engine) as session:
        found = session.scalars(select(Event.at)).one()
    assert found == at
    assert found.tzinfo is UTC
    engine.dispose()


def test_a_naive_instant_is_refused(database_url: str) -> None:
    engine = make_engine(database_url)
    with pytest.raises(StatementError, match="naive instant"), writing(engine) as session:
        session.add(_event(datetime(2026, 10, 25, 0, 30)))  # noqa: DTZ001 - the mistake this guards against
    engine.dispose()


@pytest.mark.parametrize("year", [1, 987, 2026, 9999])
@pytest.mark.parametrize("microsecond", [0, 1, 999_999])
def test_on_sqlite_an_instant_is_written_as_the_mapper_writes_it(year: int, microsecond: int) -> None:
    """Files of earlier releases hold that form, and instants are compared as text."""
    at = datetime(year, 6, 5, 4, 3, 2, microsecond, tzinfo=UTC)
    dialect = sqlite.dialect()
    own = UtcDateTime().dialect_impl(dialect).bind_processor(dialect)
    mappers = DateTime().dialect_impl(dialect).bind_processor(dialect)
    assert own is not None
    assert mappers is not None
    assert own(at) == mappers(at)
    assert own(None) is None
