"""`registry backup` and `registry restore`, as whoever keeps the service running meets them."""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import resource
import secrets
import subprocess
import sys
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from sqlalchemy import Engine, inspect, select

from registry.migrations import find_revision, newest_revision, upgrade
from registry.steps.backup_file import TableFacts, open_backup
from registry.tables import Event, Installation
from registry.tables import engine as engine_module
from registry.tables.engine import reading, writing
from tests.backups import Rows, contents, count_rows, engine_of, forge
from tests.cli.conftest import LIST, MOVED, Terminal, environ_for

BORIS = ("--as", "boris@antopsis.example")
OF = ("--publisher", "antopsis")


@pytest.fixture(params=["sqlite", "postgresql"])
def elsewhere(request: pytest.FixtureRequest, tmp_path: Path) -> Terminal:
    """A terminal of another installation, whose database has no schema, on each database."""
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("empty_postgresql_url")
    return Terminal(environ_for(url, tmp_path / "elsewhere"), tmp_path)


@pytest.fixture
def nowhere(tmp_path: Path) -> Terminal:
    """The same on SQLite alone; its database's file is not there."""
    url = f"sqlite:///{tmp_path / 'nowhere.db'}"
    return Terminal(environ_for(url, tmp_path / "elsewhere"), tmp_path)


def url_of(terminal: Terminal) -> str:
    return terminal.environ["REGISTRY_DATABASE_URL"]


def announce(terminal: Terminal) -> str:
    """Start the service once, then announce a move; its letter waits."""
    terminal.run("tick")
    return terminal.publish_a_move()


def back_up(terminal: Terminal, *options: str) -> Path:
    path = terminal.folder / "registry.zip"
    terminal.run("backup", str(path), *options)
    return path


def outbox(terminal: Terminal) -> list[Path]:
    return list((Path(terminal.environ["REGISTRY_INSTANCE"]) / "outbox").glob("*.eml"))


def test_an_installation_comes_back_on_either_database_and_waits_for_a_person(
    terminal: Terminal, engine: Engine, elsewhere: Terminal
) -> None:
    number = announce(terminal)
    path = terminal.folder / "registry.zip"
    told = terminal.run("backup", str(path), *BORIS).stdout
    assert hashlib.sha256(path.read_bytes()).hexdigest() in told
    assert "The secret key is not in it." in told
    assert path.stat().st_mode & 0o777 == 0o600
    with reading(engine) as session:
        [said] = session.scalars(select(Event).where(Event.kind == "installation.backed_up"))
        assert said.actor.startswith("boris@antopsis.example (command line")

    told = elsewhere.run("restore", str(path), *BORIS).stdout
    assert "Sending is paused (restored from a backup made " in told
    assert "Letters that were still to be sent: 1, of which 0 were with a worker" in told
    assert "`registry resume` lets sending go on, and 1 letter at once." in told
    assert "restored from a backup" in elsewhere.run("doctor", exit_code=1).stdout
    assert "Sending is paused (restored from a backup made " in elsewhere.run("tick").stdout
    assert outbox(elsewhere) == []
    elsewhere.run("resume", *BORIS)
    elsewhere.run("tick")
    assert len(outbox(elsewhere)) == 1
    status = elsewhere.run("notice", "status", number, *OF).stdout
    assert "possible duplicate" in status
    # The installation goes on as the original would have.
    [change] = elsewhere.ask("plan", elsewhere.file(MOVED), exit_code=3)["changes"]
    assert change["notice"] == number


def test_machines_are_told_what_was_made_and_what_came_back(terminal: Terminal, elsewhere: Terminal) -> None:
    announce(terminal)
    path = terminal.folder / "registry.zip"
    made = terminal.ask("backup", str(path))
    assert made["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert made["bytes"] == path.stat().st_size
    assert made["is_recorded"] is True
    assert (made["tables"]["deliveries"], made["left_out"].keys()) == (1, {"artefacts"})
    back = elsewhere.ask("restore", str(path))
    assert {name: back[name] for name in ("sha256", "made_at", "rows", "tables", "installation")} == {
        name: made[name] for name in ("sha256", "made_at", "rows", "tables", "installation")
    }
    assert back["letters"] == {"open": 1, "due": 1, "leased": 0}
    assert (back["is_same_key"], back["is_same_address"]) == (True, True)
    assert back["schema"] == newest_revision()


def test_a_restored_installation_says_what_differs_here(sqlite_terminal: Terminal, elsewhere: Terminal) -> None:
    announce(sqlite_terminal)
    path = back_up(sqlite_terminal)
    elsewhere.environ |= {
        "REGISTRY_SECRET_KEY": "Vq7-another-installation-0aZ91xLm",
        "REGISTRY_BASE_URL": "https://list.example.com",
    }
    told = elsewhere.run("restore", str(path)).stdout
    assert "The secret key here is not the original's." in told
    assert "Links led to http://127.0.0.1:8000, and lead to https://list.example.com from here." in told
    assert "Sending is paused" in elsewhere.run("tick").stdout
    elsewhere.run("resume")
    assert "Sending is paused" not in elsewhere.run("tick").stdout
    assert len(outbox(elsewhere)) == 1


def test_a_restored_team_signs_in_anew_and_hears_of_codes_that_another_key_sealed(
    sqlite_terminal: Terminal, nowhere: Terminal, elsewhere: Terminal
) -> None:
    announce(sqlite_terminal)
    sqlite_terminal.run("user", "add", "ola@antopsis.example", *OF, "--role", "owner")
    path = back_up(sqlite_terminal)
    told = nowhere.run("restore", str(path)).stdout
    assert "The team signs in anew, since the original may have ended sessions meanwhile.\n" in told
    elsewhere.environ["REGISTRY_SECRET_KEY"] = "Vq7-another-installation-0aZ91xLm"
    assert "Codes of theirs fit no more: `registry doctor`" in elsewhere.run("restore", str(path)).stdout
    assert elsewhere.ask("user", "list") == sqlite_terminal.ask("user", "list")


def rows_as_of(url: str) -> Mapping[str, set[str]]:
    with engine_of(url) as engine:
        found = inspect(engine)
        return {name: {column["name"] for column in found.get_columns(name)} for name in found.get_table_names()}


@pytest.mark.parametrize("has_the_newest_schema", [False, True])
def test_a_backup_of_an_older_schema_is_brought_to_the_newest(
    sqlite_terminal: Terminal, elsewhere: Terminal, tmp_path: Path, has_the_newest_schema: bool
) -> None:
    announce(sqlite_terminal)
    path = back_up(sqlite_terminal)
    upgrade(f"sqlite:///{tmp_path / 'first.db'}", "0001")
    first = rows_as_of(f"sqlite:///{tmp_path / 'first.db'}")

    def as_first(facts: TableFacts, rows: Rows) -> Any:
        if facts.name not in first:
            return None
        return {name: kind for name, kind in facts.columns.items() if name in first[facts.name]}, rows

    older = forge(path, tmp_path / "older.zip", as_first, schema_revision="0001", product="0.0.9")
    if has_the_newest_schema:
        elsewhere.run("upgrade")
    back = elsewhere.ask("restore", str(older))
    assert (back["made_with_schema"], back["schema"]) == ("0001", newest_revision())
    assert find_revision(url_of(elsewhere)) == newest_revision()
    assert back["letters"]["open"] == 1
    with engine_of(url_of(elsewhere)) as engine, reading(engine) as session:
        assert session.scalars(select(Installation)).one().paused_because == back["paused_because"]
    elsewhere.run("resume")
    elsewhere.run("tick")
    assert len(outbox(elsewhere)) == 1


def refused(terminal: Terminal, *arguments: str, **environ: str) -> str:
    """Run a command that is refused, and return its one line on standard error."""
    result: Result = terminal.run(*arguments, exit_code=2, **environ)
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1, result.stderr
    return str(result.stderr)


def test_a_backup_of_a_newer_schema_is_refused_untouched(sqlite_terminal: Terminal, nowhere: Terminal) -> None:
    announce(sqlite_terminal)
    newer = forge(back_up(sqlite_terminal), nowhere.folder / "newer.zip", schema_revision="9999", product="7.0")
    said = refused(nowhere, "restore", str(newer))
    assert "made by release 7.0 with the schema 9999" in said
    assert "Restore it with that release or a newer one." in said
    assert not (nowhere.folder / "nowhere.db").exists()


def test_what_is_no_whole_backup_is_refused_and_nothing_changes(sqlite_terminal: Terminal, nowhere: Terminal) -> None:
    announce(sqlite_terminal)
    path = back_up(sqlite_terminal)
    data = path.read_bytes()
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 4
    bad = nowhere.folder / "bad.zip"
    for wrong, says in (
        (data[:-1], "is damaged (its end is missing)"),
        (data[: len(data) // 2], "is damaged (its end is missing)"),
        (bytes(flipped), "is damaged (its bytes are not those that were written)"),
        (b"", "is no backup of a registry"),
        (LIST.encode(), "is no backup of a registry"),
    ):
        bad.write_bytes(wrong)
        assert says in refused(nowhere, "restore", str(bad))
    assert "cannot be read: No such file or directory" in refused(nowhere, "restore", str(nowhere.folder / "no.zip"))
    odd = forge(path, bad, lambda facts, rows: (facts.columns, [] if facts.name == "letters" else rows))
    assert not (nowhere.folder / "nowhere.db").exists()
    assert "does not fit this database: table deliveries" in refused(nowhere, "restore", str(odd))
    with engine_of(url_of(nowhere)) as engine:
        assert count_rows(engine) == 0
    nowhere.run("restore", str(path))


def test_a_database_that_holds_anything_is_refused_with_what_to_do(terminal: Terminal, engine: Engine) -> None:
    announce(terminal)
    path = back_up(terminal)
    before = contents(engine)
    said = refused(terminal, "restore", str(path))
    assert "The database holds an installation's rows already" in said
    assert "Name another in REGISTRY_DATABASE_URL" in said
    assert contents(engine) == before


def test_a_schema_of_a_newer_release_is_left_alone(sqlite_terminal: Terminal, nowhere: Terminal) -> None:
    announce(sqlite_terminal)
    path = back_up(sqlite_terminal)
    nowhere.run("upgrade")
    with engine_of(url_of(nowhere)) as engine, writing(engine) as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    assert "a newer release made" in refused(nowhere, "restore", str(path))
    assert find_revision(url_of(nowhere)) == "9999"


def test_a_database_that_cannot_be_reached_is_said(sqlite_terminal: Terminal, tmp_path: Path) -> None:
    announce(sqlite_terminal)
    path = back_up(sqlite_terminal)
    away = Terminal(environ_for("postgresql://registry@127.0.0.1:1/registry", tmp_path / "away"), tmp_path)
    assert "The database cannot be opened" in refused(away, "restore", str(path))
    assert "The database cannot be opened" in refused(away, "backup", str(tmp_path / "other.zip"))
    assert not (tmp_path / "other.zip").exists()


def test_a_backup_names_what_is_in_its_way(sqlite_terminal: Terminal) -> None:
    folder = sqlite_terminal.folder
    sqlite_terminal.run("publisher", "list")
    unbound = refused(sqlite_terminal, "backup", str(folder / "registry.zip"))
    assert "belongs to no installation yet" in unbound
    sqlite_terminal.run("tick")
    path = back_up(sqlite_terminal)
    first = path.read_bytes()
    assert "is there already, and is not overwritten" in refused(sqlite_terminal, "backup", str(path))
    assert path.read_bytes() == first
    sqlite_terminal.run("backup", str(path), "--force")
    assert path.read_bytes() != first
    missing = refused(sqlite_terminal, "backup", str(folder / "missing" / "registry.zip"))
    assert "cannot be written: No such file or directory" in missing
    assert "cannot be written: this is no plain file" in refused(sqlite_terminal, "backup", str(folder), "--force")
    assert "cannot be written: File name too long" in refused(sqlite_terminal, "backup", str(folder / ("a" * 306)))
    assert "needs a file that has a name" in refused(sqlite_terminal, "backup", "-")


def test_a_backup_counts_though_the_database_takes_no_more(
    sqlite_terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    announce(sqlite_terminal)
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.1)
    path = sqlite_terminal.folder / "registry.zip"
    with locked(sqlite_terminal):
        result = sqlite_terminal.run("backup", str(path), "--json")
    assert json.loads(result.stdout)["is_recorded"] is False
    assert "is whole, but the record could not take note of it (database is locked)" in result.stderr
    with open_backup(path) as opened:
        opened.verify(lambda table, rows: None)


@contextmanager
def locked(terminal: Terminal) -> Any:
    with engine_of(url_of(terminal)) as engine, writing(engine) as session:
        session.connection()
        yield


def test_long_work_is_told_of_as_it_goes(
    sqlite_terminal: Terminal, nowhere: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    # The package has the command of that name, which hides the module.
    commands = importlib.import_module("registry.cli.backup")
    monkeypatch.setattr(commands, "TELL_EVERY", 1)
    monkeypatch.setattr(commands, "print_progress", told.append)
    announce(sqlite_terminal)
    nowhere.run("restore", str(back_up(sqlite_terminal)))
    for doing in ("Reading", "Verifying", "Writing"):
        assert f"{doing} …" in told
        assert f"{doing} deliveries: 1 row …" in told


def run_with_little_room(terminal: Terminal, room: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run `registry` where no file may grow beyond `room` bytes, as on a disk that is full."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, room))

    command = [sys.executable, "-m", "registry.cli", *arguments]
    return subprocess.run(
        command,
        env=os.environ | terminal.environ,
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
        timeout=60,
    )


def fill(terminal: Terminal, rows: int) -> None:
    """Put rows on record that no zip makes smaller."""
    with engine_of(url_of(terminal)) as engine, writing(engine) as session:
        at = session.scalars(select(Installation.created_at)).one()
        session.add_all(
            Event(
                at=at,
                actor="anna",
                kind="tried",
                subject_kind="test",
                subject="1",
                payload={"n": secrets.token_hex(999)},
            )
            for _ in range(rows)
        )


def test_a_full_disk_leaves_no_half_backup(terminal: Terminal, engine: Engine) -> None:
    announce(terminal)
    fill(terminal, 400)
    folder = terminal.folder / "backups"
    folder.mkdir()
    full = run_with_little_room(terminal, 200_000, "backup", str(folder / "registry.zip"))
    assert full.returncode == 2, full.stderr
    assert "cannot be written: File too large. Nothing of it was left behind." in full.stderr
    assert full.stderr.count("\n") == 1
    assert list(folder.iterdir()) == []
    with reading(engine) as session:
        assert session.scalars(select(Event).where(Event.kind == "installation.backed_up")).all() == []


def test_a_disk_that_fills_up_during_a_restore_leaves_an_empty_database(
    sqlite_terminal: Terminal, nowhere: Terminal
) -> None:
    announce(sqlite_terminal)
    fill(sqlite_terminal, 1_500)
    path = back_up(sqlite_terminal)
    nowhere.run("upgrade")
    full = run_with_little_room(nowhere, 2_000_000, "restore", str(path))
    assert full.returncode == 2, full.stderr
    assert "The database cannot be used" in full.stderr
    assert "Nothing was changed" in full.stderr
    with engine_of(url_of(nowhere)) as engine:
        assert count_rows(engine) == 0
    nowhere.run("restore", str(path))
    with engine_of(url_of(nowhere)) as engine:
        assert count_rows(engine) > 1_500
