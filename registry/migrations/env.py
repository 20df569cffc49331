"""Alembic's entry: run the migrations on the URL handed over by `registry.migrations`."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

from registry.tables import Base
from registry.tables.base import UtcDateTime
from registry.tables.engine import make_engine


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Write instants as plain timestamps into migrations, so that an old migration needs none of today's code."""
    return "sa.DateTime(timezone=True)" if kind == "type" and isinstance(item, UtcDateTime) else False


def run() -> None:
    """Run the wanted migrations, each in a transaction of its own."""
    engine = make_engine(context.config.attributes["url"])
    try:
        with engine.execution_options(writes=True).connect() as connection:
            _let_tables_be_rebuilt(connection)
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                render_as_batch=True,
                render_item=render_item,
                transaction_per_migration=True,
            )
            with context.begin_transaction():
                context.run_migrations()
            _refuse_loose_ends(connection)
    finally:
        engine.dispose()


def _let_tables_be_rebuilt(connection: Connection) -> None:
    """SQLite changes a table by making it anew, and would take the old one's going for the loss of what others need.

    Its foreign keys can be lifted only outside a transaction, so past SQLAlchemy, which would begin one.
    """
    if connection.dialect.name == "sqlite":
        driver: Any = connection.connection.driver_connection
        driver.execute("PRAGMA foreign_keys = OFF")


def _refuse_loose_ends(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        loose = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
        if loose:
            raise RuntimeError(
                f"a migration left rows of {', '.join(sorted({row[0] for row in loose}))} without a parent"
            )


run()
