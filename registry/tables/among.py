"""Rows by a list of their numbers, as one bound value.

A list of numbers in a statement makes another statement of it for each length, which is then compiled and planned
anew: for a few hundred rows that takes longer than to find them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ARRAY, JSON, BigInteger, BindParameter, ColumnElement, any_, bindparam, func, select
from sqlalchemy.orm import InstrumentedAttribute

POSTGRESQL = "postgresql"


def is_among(
    column: InstrumentedAttribute[int], numbers: Iterable[int] | str, dialect_name: str
) -> ColumnElement[bool]:
    """Whether a row's number is one of these, or of those that will be bound to the name that is given instead."""
    kind: Any = ARRAY(BigInteger) if dialect_name == POSTGRESQL else JSON()
    given: BindParameter[Any]
    given = bindparam(numbers, type_=kind) if isinstance(numbers, str) else bindparam(None, list(numbers), type_=kind)
    if dialect_name == POSTGRESQL:
        return column == any_(given)
    return column.in_(select(func.json_each(given).table_valued("value").c.value))
