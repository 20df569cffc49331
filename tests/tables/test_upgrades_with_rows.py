"""Going from a release to the next and back with rows in every table: nothing is lost, and the record stays guarded."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from registry.migrations import downgrade, upgrade
from registry.tables.engine import make_engine, writing
from tests.backups import engine_of
from tests.tables.filling import Dump, dump, fill_every_table

NEW_IN_0004 = {
    "attachments",
    "entry_drafts",
    "memberships",
    "objection_notes",
    "passkeys",
    "people",
    "proposals",
    "sign_ins",
}
ADDED_TO_WHAT_WAS_THERE: Mapping[str, Mapping[str, object]] = {
    "events": {"sign_in_id": None},
    "notices": {"explanation": ""},
    "objections": {"subscription_id": None, "road": None, "entry_keys": None, "name": None, "company": None},
    "statements": {"explanation": ""},
}


def dumped(url: str) -> Dump:
    with engine_of(url) as engine:
        return dump(engine)


def filled_at(url: str, revision: str) -> Dump:
    upgrade(url, revision)
    with engine_of(url) as engine:
        fill_every_table(engine)
        return dump(engine)


def without_what_is_new(rows: Dump, old: Dump) -> Dump:
    return {name: [{column: row[column] for column in old[name][0]} for row in rows[name]] for name in old}


def see_the_record_guarded(url: str) -> None:
    for act in ("UPDATE events SET actor = 'somebody else'", "DELETE FROM events"):
        with engine_of(url) as engine, pytest.raises(DBAPIError, match="append-only"), writing(engine) as session:
            session.execute(text(act))


def test_an_installation_of_0003_is_upgraded_with_every_row_and_goes_back_with_every_row(
    empty_database_url: str,
) -> None:
    before = filled_at(empty_database_url, "0003")
    assert all(before.values())

    upgrade(empty_database_url, "0004")
    after = dumped(empty_database_url)
    assert without_what_is_new(after, before) == before
    assert after.keys() - before.keys() == NEW_IN_0004
    assert all(after[name] == [] for name in NEW_IN_0004)
    for name, columns in ADDED_TO_WHAT_WAS_THERE.items():
        assert [{column: row[column] for column in columns} for row in after[name]] == [columns] * 2, name
    assert {row["requires_second_factor"] for row in after["publishers"]} <= {"0", "false"}
    see_the_record_guarded(empty_database_url)

    downgrade(empty_database_url, "0003")
    assert dumped(empty_database_url) == before
    see_the_record_guarded(empty_database_url)


def test_what_only_0004_knows_goes_with_it_and_nothing_else(empty_database_url: str) -> None:
    full = filled_at(empty_database_url, "0004")
    downgrade(empty_database_url, "0003")
    left = dumped(empty_database_url)
    assert full.keys() - left.keys() == NEW_IN_0004
    assert left == without_what_is_new(full, left)
    see_the_record_guarded(empty_database_url)
    upgrade(empty_database_url, "0004")
    see_the_record_guarded(empty_database_url)


def test_rows_refer_to_rows_that_are_there_after_an_upgrade_as_before(empty_database_url: str) -> None:
    filled_at(empty_database_url, "0003")
    upgrade(empty_database_url, "0004")
    engine = make_engine(empty_database_url)
    for orphan in (
        "UPDATE objections SET notice_id = 99 WHERE id = 1",
        "UPDATE objections SET subscription_id = 99 WHERE id = 1",
        "DELETE FROM notices WHERE id = 1",
        "DELETE FROM publishers WHERE id = 1",
    ):
        with pytest.raises(DBAPIError, match=r"(?i)foreign key"), writing(engine) as session:
            session.execute(text(orphan))
    engine.dispose()
