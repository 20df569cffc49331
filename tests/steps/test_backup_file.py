"""The file of a backup: every value comes back as it was, and every change of the file is noticed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON

from registry.migrations import newest_revision
from registry.steps.back_up import LEFT_OUT
from registry.steps.backup_file import (
    BackupDamaged,
    BackupFormatUnknown,
    BackupUnreadable,
    Kind,
    NotABackup,
    TableFacts,
    kind_of,
    open_backup,
)
from registry.tables import Base, ProviderPacing, StoredMail, Task
from tests.backups import Rows, bring_back, contents, engine_of, forge, make_backup, no_progress
from tests.world import World

EVERY_TABLE = [table.name for table in Base.metadata.sorted_tables if table.name not in LEFT_OUT]


def change_row(table: str, change: Callable[[dict[str, Any]], None]) -> Callable[[TableFacts, Rows], Any]:
    def rewrite(facts: TableFacts, rows: Rows) -> Any:
        for row in rows if facts.name == table else []:
            change(row)
        return facts.columns, rows

    return rewrite


def test_every_column_of_every_table_has_a_form_in_the_file() -> None:
    for table in Base.metadata.sorted_tables:
        assert {column.name: kind_of(column) for column in table.columns}, table.name
    assert set(LEFT_OUT) == {"artefacts"}


def test_a_backup_says_what_is_in_it(backup_path: Path) -> None:
    with open_backup(backup_path) as opened:
        assert opened.manifest.schema_revision == newest_revision()
        assert [facts.name for facts in opened.manifest.tables] == EVERY_TABLE
        assert opened.manifest.tables[0].columns["id"] is Kind.INTEGER
        assert set(opened.manifest.left_out) == set(LEFT_OUT)


def test_values_of_every_kind_come_back_to_the_last_bit(world: World, target_url: str, tmp_path: Path) -> None:
    odd = "“quoted”, \\back\\slashed, over\ntwo lines\u2028, 漢字 and 🧾"
    with world.writing() as session:
        mail = StoredMail(sha256="0" * 64, reason="unread", body=bytes(range(256)), received_at=world.at)
        empty = StoredMail(sha256="1" * 64, reason="unread", body=b"", received_at=world.at)
        erased = StoredMail(sha256="2" * 64, reason="unread", body=None, received_at=world.at)
        pace = ProviderPacing(
            account=odd,
            interval_us=2**62,
            next_at=world.at + timedelta(microseconds=1),
            updated_at=world.at - timedelta(days=300_000),
        )
        null = Task(kind="odd", subject_kind="test", subject="1", opened_at=world.at, facts=JSON.NULL)
        deep = Task(kind="odd", subject_kind="test", subject="2", opened_at=world.at, facts={"a": [odd, 0.1, 2**70]})
        session.add_all([mail, empty, erased, pace, null, deep])
    made = make_backup(world, tmp_path / "registry.zip")
    bring_back(made.path, target_url, world)
    original = contents(world.wiring.engine)
    with engine_of(target_url) as engine:
        here = contents(engine)
    for table in ("stored_mails", "provider_pacing", "tasks"):
        assert here[table] == original[table]
        assert here[table]
    assert here["tasks"][0]["facts"] == "null"
    assert here["stored_mails"][0]["body"] == bytes(range(256))


def test_every_flipped_bit_is_noticed(backup_path: Path, tmp_path: Path) -> None:
    data = backup_path.read_bytes()
    broken = tmp_path / "broken.zip"
    places = {*range(0, len(data), 97), *range(40), *range(len(data) - 180, len(data))}
    for place in sorted(places):
        changed = bytearray(data)
        changed[place] ^= 1 << (place % 8)
        broken.write_bytes(changed)
        with pytest.raises((BackupDamaged, NotABackup)), open_backup(broken):
            pytest.fail(f"byte {place} was changed")
    assert len(places) > 200


def test_every_cut_is_noticed(backup_path: Path, tmp_path: Path) -> None:
    data = backup_path.read_bytes()
    cut = tmp_path / "cut.zip"
    for length in [*range(120), *range(200, len(data) - 200, 211), *range(len(data) - 120, len(data))]:
        cut.write_bytes(data[:length])
        with pytest.raises((BackupDamaged, NotABackup)), open_backup(cut):
            pytest.fail(f"{length} bytes were left")
    cut.write_bytes(data + b"\n")
    with pytest.raises(BackupDamaged), open_backup(cut):
        pytest.fail("a byte was added")


def test_what_is_no_backup_is_said(tmp_path: Path, sqlite_template: Path) -> None:
    with pytest.raises(NotABackup), open_backup(sqlite_template):
        pytest.fail("a database was taken for one")
    for path in (tmp_path, tmp_path / "missing.zip"):
        with pytest.raises(BackupUnreadable), open_backup(path):
            pytest.fail("there is nothing to read")


def test_a_file_of_another_format_is_said(backup_path: Path, tmp_path: Path) -> None:
    newer = forge(backup_path, tmp_path / "newer.zip", version=2)
    with pytest.raises(BackupFormatUnknown) as refused, open_backup(newer):
        pytest.fail("it was opened")
    assert refused.value.params == {"file": str(newer), "version": "2", "known": "1"}
    other = forge(backup_path, tmp_path / "other.zip", format="somebody-elses")
    with pytest.raises(NotABackup), open_backup(other):
        pytest.fail("it was opened")


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("events", "id", "one"),
        ("events", "payload", "{"),
        ("events", "actor", 5),
        ("deliveries", "possible_duplicate", 1),
        ("deliveries", "id", 2**63),
    ],
)
def test_a_value_that_is_not_of_its_kind_is_found_before_anything_is_written(
    backup_path: Path, tmp_path: Path, table: str, column: str, value: object
) -> None:
    odd = forge(backup_path, tmp_path / "odd.zip", change_row(table, lambda row: row.update({column: value})))
    with open_backup(odd) as opened, pytest.raises(BackupDamaged, match=f"table {table}, row 1"):
        opened.verify(no_progress)


def test_counts_and_digests_of_the_tables_must_be_those_stated(backup_path: Path, tmp_path: Path) -> None:
    with open_backup(backup_path) as opened:
        stated = opened.manifest.tables
    fewer = tuple(facts.model_copy(update={"rows": facts.rows + 1}) for facts in stated)
    other = tuple(facts.model_copy(update={"sha256": "0" * 64}) for facts in stated)
    for tables in (fewer, other):
        forged = forge(backup_path, tmp_path / "forged.zip", tables=tables)
        with open_backup(forged) as opened, pytest.raises(BackupDamaged, match="table events"):
            opened.verify(no_progress)
