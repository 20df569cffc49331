"""Two rows in every table, whatever the schema's revision: one with everything filled, one with nothing that may lack.

What stands in them means nothing to the registry. They are for what must carry any row: migrations and backups.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    cast,
    insert,
    select,
)

AT = datetime(2026, 9, 30, 8, 0, 30, 250_000, tzinfo=UTC)
ROWS = (1, 2)
"""The numbers of the two rows. Each refers to the rows of its own number in other tables."""

ONE_ROW_ALONE = {"installation"}
CHECKED: dict[str, dict[str, Any]] = {
    "deliveries": {"state": "leased", "skip_reason": None},
    "legal_holds": {"notice_id": None},
}
"""What the database's checks want of a row that has everything else filled."""

Dump = dict[str, list[dict[str, Any]]]


def read_schema(engine: Engine) -> MetaData:
    """Return the tables that the database has, without Alembic's own."""
    schema = MetaData()
    schema.reflect(engine)
    schema.remove(schema.tables["alembic_version"])
    return schema


def fill_every_table(engine: Engine) -> None:
    """Put the two rows into every table of a database that has none."""
    with engine.execution_options(writes=True).begin() as connection:
        for table in read_schema(engine).sorted_tables:
            for number in ROWS[:1] if table.name in ONE_ROW_ALONE else ROWS:
                connection.execute(insert(table).values(_row(table, number)))


def dump(engine: Engine) -> Dump:
    """Return every row of every table, each value but bytes in the database's own text."""
    with engine.connect() as connection:
        return {
            table.name: [
                dict(row)
                for row in connection.execute(
                    select(*map(_as_text, table.columns)).order_by(*table.primary_key)
                ).mappings()
            ]
            for table in read_schema(engine).sorted_tables
        }


def _as_text(column: Column[Any]) -> ColumnElement[Any]:
    return column if isinstance(column.type, LargeBinary) else cast(column, Text).label(column.name)


def _row(table: Table, number: int) -> dict[str, Any]:
    if number == ROWS[-1]:
        return {each.name: _value(table, each, number) for each in table.columns if not each.nullable}
    return {each.name: _value(table, each, number) for each in table.columns} | CHECKED.get(table.name, {})


def _value(table: Table, column: Column[Any], number: int) -> Any:
    for key in column.foreign_keys:
        return _value(key.column.table, key.column, number)
    match column.type:
        case Boolean():
            return True
        case Integer():
            return number
        case DateTime():
            return AT
        case Date():
            return date(2026, 9, number)
        case JSON():
            return {"of": f"{table.name}.{column.name} {number} – “ß”"}
        case LargeBinary():
            return bytes(range(256)) + bytes([number])
        case _:
            return f"{column.name} {number} ß"[:40]
