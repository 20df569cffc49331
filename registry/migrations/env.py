"""Alembic's entry: run the migrations on the URL handed over by `registry.migrations`."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

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
            context.configure(
                connection=connection,
                target_metadata=Base.metadata,
                render_as_batch=True,
                render_item=render_item,
                transaction_per_migration=True,
            )
            with context.begin_transaction():
                context.run_migrations()
    finally:
        engine.dispose()


run()
