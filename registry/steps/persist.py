"""Storing what has happened to a letter, also where the database is locked or away for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, InternalError, OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from registry.domain.errors import RegistryError
from registry.tables.engine import writing

PAUSES_FOR_THE_DATABASE: Final = (0.1, 0.5, 2.0)
"""Seconds between tries to store what happened to a letter. On SQLite each try also waits for the lock by itself."""

DATABASE_AWAY: Final = (OperationalError, InterfaceError)
DATABASE_TROUBLE: Final = (*DATABASE_AWAY, InternalError, ProgrammingError)
"""Errors that speak of the database, or of its schema, and not of the row that was being worked on."""

Result = TypeVar("Result")


def persist(engine: Engine, work: Callable[[Session], Result]) -> Result:
    """Do `work` in a transaction, and again where the database is locked or was away, until patience ends.

    Then its error is raised. Work that was done, but whose commit lost its answer, may be done again: each part of it
    must ask first whether it is still to be done.
    """
    for pause in PAUSES_FOR_THE_DATABASE:
        try:
            with writing(engine) as session:
                return work(session)
        except DATABASE_AWAY:
            time.sleep(pause)
    with writing(engine) as session:
        return work(session)


def name_of(trouble: Exception) -> str:
    """Return what may be told of an error on record: its code or its kind, never its words, which may quote people."""
    return trouble.code if isinstance(trouble, RegistryError) else type(trouble).__name__
