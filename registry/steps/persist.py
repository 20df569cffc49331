"""Storing what has happened to a letter, also where the database is locked or away for a moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, TypeVar

from sqlalchemy import Engine
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.orm import Session

from registry.tables.engine import writing

PAUSES_FOR_THE_DATABASE: Final = (0.1, 0.5, 2.0)
"""Seconds between tries to store what happened to a letter. On SQLite each try also waits for the lock by itself."""

DATABASE_AWAY: Final = (OperationalError, InterfaceError)

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
