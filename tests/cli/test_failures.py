"""Whatever goes wrong, a person gets one clear message and an exit code, and a machine gets JSON."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from registry.cli import files
from registry.tables import engine as engine_module
from tests.cli.conftest import LIST, Terminal, environ_for


def test_a_missing_schema_names_the_command_that_makes_it(empty_database_url: str, tmp_path: Path) -> None:
    terminal = Terminal(environ_for(empty_database_url, tmp_path / "instance"), tmp_path)
    refused = terminal.run("publisher", "list", exit_code=2)
    assert refused.stderr == "Error: The database has no schema yet. Run `registry upgrade`.\n"
    upgraded = terminal.ask("upgrade")
    assert (upgraded["from"], upgraded["changed"]) == (None, True)
    assert terminal.ask("publisher", "list") == []
    assert "the newest already" in terminal.run("upgrade").stdout


def test_a_schema_of_a_newer_release_is_not_touched(sqlite_terminal: Terminal) -> None:
    path = make_url(sqlite_terminal.environ["REGISTRY_DATABASE_URL"]).database
    assert path is not None
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    for command in ("upgrade", "worker", "tick"):
        assert "a newer release" in sqlite_terminal.run(command, exit_code=2).stderr
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("9999",)]


def test_a_database_that_cannot_be_reached_is_said_without_its_password(tmp_path: Path) -> None:
    url = "postgresql://registry:hunter2-is-secret@127.0.0.1:1/registry"
    terminal = Terminal(environ_for(url, tmp_path / "instance"), tmp_path)
    for command in (["publisher", "list"], ["upgrade"], ["tick"]):
        refused = terminal.run(*command, exit_code=2)
        assert "The database cannot be opened" in refused.stderr
        assert refused.stderr.count("\n") == 1
        assert "hunter2" not in refused.output


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_bytes(b"no database at all, but long enough to be read as one " * 20)
    terminal = Terminal(environ_for(f"sqlite:///{tmp_path / 'registry.db'}", tmp_path / "instance"), tmp_path)
    refused = terminal.run("publisher", "list", exit_code=2)
    assert "file is not a database" in refused.stderr


def test_a_locked_database_says_that_nothing_was_changed(
    sqlite_terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_terminal.apply(LIST)
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.1)
    path = make_url(sqlite_terminal.environ["REGISTRY_DATABASE_URL"]).database
    assert path is not None
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        refused = sqlite_terminal.run("notice", "draft", "--publisher", "antopsis", exit_code=2)
    assert "The database is in use by another process for too long" in refused.stderr
    assert "Nothing was changed" in refused.stderr


def test_bad_settings_are_named_with_what_would_do(sqlite_terminal: Terminal) -> None:
    refused = sqlite_terminal.run("publisher", "list", exit_code=2, REGISTRY_ENV="prod", REGISTRY_BASE_ULR="x")
    assert "REGISTRY_ENV is 'prod'" in refused.stderr
    assert "REGISTRY_BASE_URL may be meant" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["notice", "draf"], "No such command 'draf'. Did you mean 'draft'? `registry notice --help` shows how."),
        (["plan"], "Missing argument 'FILE'. `registry plan --help` shows how."),
        (["--wrong"], "No such option '--wrong'."),
        (["serve", "--port", "0"], "0 is not in the range 1<=x<=65535."),
        (["apply", "list.yaml", "--as", " "], "--as takes one name or e-mail address"),
    ],
)
def test_bad_usage_is_one_line_on_standard_error(sqlite_terminal: Terminal, arguments: list[str], said: str) -> None:
    refused = sqlite_terminal.run(*arguments, exit_code=2)
    assert said in refused.stderr
    assert refused.stderr.startswith("Error: ")
    assert refused.stderr.count("\n") == 1
    assert refused.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (("pause", "--reason"), "--reason"),
        (("notice", "list", "--publisher"), "--publisher"),
        (("notice", "draft", "--publisher", "antopsis", "--entry", "stripe", "--entry"), "--entry"),
        (("customer", "add", "acme", "--publisher", "antopsis", "--name"), "--name"),
        (("suppression", "add", "--publisher", "antopsis"), "EMAIL"),
    ],
)
def test_an_argument_that_is_not_utf_8_is_named_with_its_bytes(
    sqlite_terminal: Terminal, arguments: tuple[str, ...], field: str
) -> None:
    refused = sqlite_terminal.run(*arguments, os.fsdecode(b"Serverw\xe4chsel"), exit_code=2)
    assert refused.stderr.startswith(f"Error: Invalid value for '{field}': “Serverw\\xe4chsel” is not UTF-8. Set the")


def test_the_name_of_a_file_may_be_any_bytes(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.run("tick")
    path = str(sqlite_terminal.folder / os.fsdecode(b"w\xe4chsel.yaml"))
    Path(sqlite_terminal.file(LIST)).rename(path)
    sqlite_terminal.run("plan", path, exit_code=3)
    assert "Stripe (stripe): on the list" in sqlite_terminal.run("apply", path).stdout
    assert "w\\udce4chsel.yaml: 1 approval." in sqlite_terminal.run("publisher", "approve-terms", path).stdout
    told = sqlite_terminal.ask("export", "--publisher", "antopsis", "--format", "csv", "-o", f"{path}.csv")
    assert told["file"] == f"{path}.csv"
    sqlite_terminal.run("backup", f"{path}.zip")
    assert "is there already" in sqlite_terminal.run("backup", f"{path}.zip", exit_code=2).stderr
    draft = ("notice", "draft", "--publisher", "antopsis", "--explanation-file")
    assert "No edit of antopsis waits" in sqlite_terminal.run(*draft, path, exit_code=2).stderr


def test_a_refusal_is_json_for_a_machine(sqlite_terminal: Terminal) -> None:
    refused = sqlite_terminal.run("notice", "list", "--publisher", "nobody", "--json", exit_code=2)
    assert json.loads(refused.stderr) == {
        "error": "unknown-publisher",
        "message": "There is no publisher “nobody”.",
        "problems": [],
    }
    refused = sqlite_terminal.run("plan", "--json", exit_code=2)
    assert json.loads(refused.stderr)["error"] == "bad-usage"


def test_a_bug_is_owned_up_to_and_its_traceback_is_for_those_who_ask(
    sqlite_terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise LookupError("a defect\nover two lines")

    monkeypatch.setattr(files, "registry_file_schema", broken)
    told = sqlite_terminal.run("schema", exit_code=70)
    assert told.stderr == (
        "Error: This is a bug (LookupError: a defect over two lines). Run it again with --debug to see where.\n"
    )
    assert "Traceback" in sqlite_terminal.run("schema", "--debug", exit_code=70).stderr


def test_a_reader_that_has_had_enough_ends_the_command_quietly() -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "registry.cli", "schema"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1


def test_help_is_there_for_everything(sqlite_terminal: Terminal) -> None:
    told = sqlite_terminal.run("--help").stdout
    assert "tells customers before anything changes" in told
    told = sqlite_terminal.run("notice", "draft", "-h").stdout
    assert "Examples:" in told
    assert "  registry notice draft --publisher antopsis\n" in told
    assert "Usage: registry notice" in sqlite_terminal.run("notice", exit_code=2).stderr


@pytest.mark.parametrize(
    "command",
    [
        ("bounce", "show", "99999999999999999999"),
        ("task", "close", "99999999999999999999", "--reason", "Done."),
        ("endpoint", "verify", "99999999999999999999", "--publisher", "antopsis"),
        ("endpoint", "end", "99999999999999999999", "--publisher", "antopsis"),
        ("endpoint", "rotate-secret", "99999999999999999999", "--publisher", "antopsis"),
        ("legal-hold", "lift", "99999999999999999999", "--publisher", "antopsis", "--reason", "Settled."),
    ],
)
def test_a_number_that_no_row_can_have_is_a_mistake_and_no_bug(terminal: Terminal, command: tuple[str, ...]) -> None:
    refused = terminal.run(*command, exit_code=2)
    assert "99999999999999999999 is not in the range" in refused.stderr
