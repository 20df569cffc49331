"""A sweep over notices or customers, one by one: one that fails keeps no other waiting, and its error is not lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from sqlalchemy.orm import Session

from registry.steps.persist import DATABASE_TROUBLE

NoteTrouble = Callable[[Exception], None]
"""Told the error of each that failed, to be raised once the others are committed."""

Found = TypeVar("Found")


def one_by_one(
    session: Session, numbers: Iterable[int], act: Callable[[int], None], note_trouble: NoteTrouble | None
) -> None:
    """Do `act` with each number, in a savepoint of its own.

    What fails is undone and noted, and the others go on; without `note_trouble` it is raised at once. So is an error of
    the database itself, which is about all of them.
    """
    for number in numbers:
        try:
            with session.begin_nested():
                act(number)
        except DATABASE_TROUBLE:
            raise
        except Exception as trouble:
            if note_trouble is None:
                raise
            note_trouble(trouble)


def find_in_one(find: Callable[[], Iterable[Found]], note_trouble: NoteTrouble) -> Sequence[Found]:
    """Return what `find` finds in one of many; nothing where it fails, which is noted. Nothing may be written in it.

    An error of the database itself is raised.
    """
    try:
        return list(find())
    except DATABASE_TROUBLE:
        raise
    except Exception as trouble:  # noqa: BLE001 - it is noted, and raised once the others were looked at
        note_trouble(trouble)
        return []
