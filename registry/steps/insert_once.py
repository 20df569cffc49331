"""Adding a row that another process may be adding at the same moment."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from registry.tables import Base


def insert_once(session: Session, table: type[Base], values: Mapping[str, object]) -> bool:
    """Add a row unless one with the same unique key is there, and return whether this call added it.

    Who comes second waits for the first to commit, adds nothing, and can then read the first one's row.
    """
    statement: sqlite.Insert | postgresql.Insert
    if session.get_bind().dialect.name == "sqlite":
        statement = sqlite.insert(table).values(**values).on_conflict_do_nothing()
    else:
        statement = postgresql.insert(table).values(**values).on_conflict_do_nothing()
    key = next(iter(table.__table__.primary_key))
    return session.scalar(statement.returning(key)) is not None
