"""Instants are aware UTC, whatever the database makes of them (R37)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import select
from sqlalchemy.exc import StatementError

from registry.tables import Event
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
