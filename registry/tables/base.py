"""The declarative base of all tables, and the one way instants and documents are stored."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from sqlalchemy import JSON, BigInteger, DateTime, ForeignKey, Integer, MetaData, String, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, mapped_column
from sqlalchemy.orm import registry as mapper_registry
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware instant, stored in UTC (R37).

    SQLite forgets time zones, so what comes back from it is UTC by this type's own rule. A naive value is refused:
    whoever has one does not know which instant they mean.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive instant and convert any other to UTC."""
        return None if value is None else _in_utc(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any] | None:
        """Return what makes an instant ready to be stored: on SQLite its text, the same as SQLAlchemy's, at once.

        By way of the library's own three functions it takes four times as long, and there are three in each letter.
        """
        return _as_text if dialect.name == "sqlite" else super().bind_processor(dialect)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the instant as aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _in_utc(value: datetime) -> datetime:
    if value.tzinfo is None:
        raise ValueError(f"naive instant {value.isoformat()}: give it a time zone")
    return value if value.tzinfo is UTC else value.astimezone(UTC)


def _as_text(value: datetime | None) -> str | None:
    return None if value is None else _in_utc(value).isoformat(" ", "microseconds").removesuffix("+00:00")


class Base(DeclarativeBase):
    """What every table shares: its naming convention, and which Python type is stored how."""

    metadata: ClassVar[MetaData] = MetaData(naming_convention=NAMING)
    # Flask-SQLAlchemy refuses a base with `type_annotation_map`; the mapper registry may carry it.
    registry: ClassVar[mapper_registry] = mapper_registry(
        metadata=metadata,
        type_annotation_map={datetime: UtcDateTime(), str: Text(), dict[str, Any]: JSON(), list[str]: JSON()},
    )


BigId = BigInteger().with_variant(Integer, "sqlite")

Id = Annotated[int, mapped_column(BigId, primary_key=True)]
"""A row's number. On SQLite an INTEGER, since only that counts up by itself."""

Ref = Annotated[int, mapped_column(BigId)]
"""The number of another row; the composite foreign key that makes it safe stands in the table's arguments."""

PublisherRef = Annotated[int, mapped_column(BigId, ForeignKey("publishers.id"))]
"""The tenant a row belongs to (R35), in a table with an index that begins with it, or that is found by another row."""

IndexedPublisherRef = Annotated[int, mapped_column(BigId, ForeignKey("publishers.id"), index=True)]
"""The tenant a row belongs to (R35), in a table that has no other index to find its rows by."""

Code = Annotated[str, mapped_column(String(40))]
"""A word of a fixed vocabulary."""
