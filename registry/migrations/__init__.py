"""The schema's history, run by `registry upgrade`; the same on SQLite and PostgreSQL."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from registry.tables.engine import make_engine


def configure(url: str) -> Config:
    """Return Alembic's configuration for the database at `url`."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the schema at `url` to `revision`. Running it twice changes nothing."""
    command.upgrade(configure(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the schema at `url` back to `revision`; `base` removes every table."""
    command.downgrade(configure(url), revision)


def newest_revision() -> str | None:
    """Return the newest revision this release knows."""
    return _script().get_current_head()


def known_revisions() -> set[str]:
    """Return every revision this release knows, so that a newer schema can be told apart from an older one."""
    return {script.revision for script in _script().walk_revisions()}


# Alembic compiles every migration anew, and they do not change while a process runs.
@lru_cache(maxsize=1)
def _script() -> ScriptDirectory:
    return ScriptDirectory.from_config(configure(""))


def find_revision(url: str) -> str | None:
    """Return the revision the database at `url` stands at, or None where it has no schema yet."""
    engine = make_engine(url)
    try:
        with engine.connect() as connection:
            return read_revision(connection)
    finally:
        engine.dispose()


def read_revision(connection: Connection) -> str | None:
    """Return the revision the connected database stands at, or None where it has no schema yet."""
    return MigrationContext.configure(connection).get_current_revision()
