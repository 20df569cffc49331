"""The schema's history: it agrees with the models, goes forward and back on both databases, and guards the record."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import PrimaryKeyConstraint, UniqueConstraint, inspect, text
from sqlalchemy.exc import DBAPIError

from registry.migrations import configure, downgrade, find_revision, newest_revision, upgrade
from registry.tables import Base
from registry.tables.engine import GIVES_UP_LOCKS, make_engine, reading, writing


def test_models_and_migrations_agree(database_url: str) -> None:
    engine = make_engine(database_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_the_schema_goes_forward_and_back_and_forward_again(empty_database_url: str) -> None:
    assert find_revision(empty_database_url) is None
    upgrade(empty_database_url)
    assert find_revision(empty_database_url) == newest_revision()
    downgrade(empty_database_url, "base")
    engine = make_engine(empty_database_url)
    assert set(inspect(engine).get_table_names()) <= {"alembic_version"}
    engine.dispose()
    upgrade(empty_database_url)
    assert find_revision(empty_database_url) == newest_revision()


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    upgrade(database_url)
    assert find_revision(database_url) == newest_revision()


def test_the_history_is_one_line() -> None:
    scripts = ScriptDirectory.from_config(configure(""))
    assert len(scripts.get_heads()) == 1
    assert all(not script.is_merge_point for script in scripts.walk_revisions())


@pytest.mark.parametrize("act", ["UPDATE events SET actor = 'somebody else'", "DELETE FROM events"])
def test_the_database_itself_refuses_to_change_the_record(database_url: str, act: str) -> None:
    engine = make_engine(database_url)
    with writing(engine) as session:
        session.execute(
            text(
                "INSERT INTO events (at, actor, kind, subject_kind, subject, payload) "
                "VALUES ('2026-09-30 08:00:00', 'anna', 'tried', 'test', '1', '{}')"
            )
        )
    with pytest.raises(DBAPIError, match="append-only"), writing(engine) as session:
        session.execute(text(act))
    with reading(engine) as session:
        assert session.scalar(text("SELECT actor FROM events")) == "anna"
    engine.dispose()


def test_sqlite_is_durable_and_keeps_foreign_keys(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    with reading(engine) as session:
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
        assert session.scalar(text("PRAGMA synchronous")) == 2
    engine.dispose()


def test_who_gives_up_locks_waits_for_a_minute_and_nobody_else_does(postgresql_url: str) -> None:
    engine = make_engine(postgresql_url)
    shown = []
    for each in (engine.execution_options(**GIVES_UP_LOCKS), engine):
        for session_of in (reading, writing):
            with session_of(each) as session:
                shown.append(session.scalar(text("SHOW lock_timeout")))
    engine.dispose()
    assert shown == ["1min", "1min", "0", "0"]


def test_an_error_of_the_database_quotes_nothing_that_was_bound(database_url: str) -> None:
    engine = make_engine(database_url)
    with pytest.raises(DBAPIError) as failed, reading(engine) as session:
        session.execute(text("SELECT :address FROM nowhere"), {"address": "jane@bremen.example"})
    engine.dispose()
    assert "nowhere" in str(failed.value)
    assert "jane" not in str(failed.value)


def test_a_new_sqlite_file_is_its_owners_alone_with_all_that_lies_beside_it(empty_sqlite_url: str) -> None:
    engine = make_engine(empty_sqlite_url)
    with writing(engine) as session:
        session.execute(text("CREATE TABLE tried (n INTEGER)"))
        folder = Path(str(engine.url.database)).parent
        modes = {path.suffix: path.stat().st_mode & 0o777 for path in folder.glob("registry.db*")}
    engine.dispose()
    assert modes == {".db": 0o600, ".db-wal": 0o600, ".db-shm": 0o600}


def test_an_open_writer_blocks_no_reader_on_sqlite(sqlite_url: str) -> None:
    engine = make_engine(sqlite_url)
    with writing(engine) as writer:
        writer.execute(text("DELETE FROM artefacts"))
        with reading(engine) as reader:
            assert reader.scalar(text("SELECT count(*) FROM publishers")) == 0
    engine.dispose()


def test_no_index_is_the_beginning_of_another() -> None:
    for table in Base.metadata.sorted_tables:
        whole = [index for index in table.indexes if index.dialect_options["postgresql"]["where"] is None]
        unique = [each for each in table.constraints if isinstance(each, PrimaryKeyConstraint | UniqueConstraint)]
        leading = {each.name: [column.name for column in each.columns] for each in (*whole, *unique)}
        for index in whole:
            own = leading[index.name]
            longer = [name for name, other in leading.items() if name != index.name and other[: len(own)] == own]
            assert longer == [], (table.name, index.name)


def test_new_attempts_leave_room_on_their_page_for_what_becomes_of_them(postgresql_url: str) -> None:
    engine = make_engine(postgresql_url)
    with reading(engine) as session:
        options = session.scalar(text("SELECT reloptions FROM pg_class WHERE oid = 'attempts'::regclass"))
    engine.dispose()
    assert options == ["fillfactor=50"]


def test_every_table_of_a_publisher_carries_it_in_its_foreign_keys() -> None:
    without = {"publishers", "events", "installation", "ring_keys", "outcomes"}
    # One account at a provider serves all publishers of an installation.
    without |= {"provider_pacing", "provider_connections", "send_batches", "sweep_slots", "failing_sweeps"}
    # One person may work for several publishers.
    without |= {"people", "passkeys", "sign_ins"}
    for table in Base.metadata.sorted_tables:
        if table.name in without:
            continue
        assert "publisher_id" in table.columns, table.name
        for constraint in table.foreign_key_constraints:
            referred = constraint.referred_table.name
            if referred not in ("publishers", "send_batches", "people"):
                columns = [column.name for column in constraint.columns]
                assert columns[0] == "publisher_id", (table.name, columns)
