"""`registry plan`, `apply`, `schema` and `export`."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import jsonschema
import pytest

from tests.cli.conftest import LINKED, LIST, MOVED, RENAMED, Terminal


def test_a_plan_exits_3_for_a_first_load_and_0_once_it_is_applied(sqlite_terminal: Terminal) -> None:
    path = sqlite_terminal.file(LIST)
    planned = sqlite_terminal.run("plan", path, exit_code=3)
    assert "stated as it is" in planned.stdout
    assert "Hetzner (hetzner)" in planned.stdout
    sqlite_terminal.run("apply", path)
    assert "No changes" in sqlite_terminal.run("plan", path).stdout
    assert sqlite_terminal.ask("plan", path)["changes"] == []


def test_a_plan_names_weight_values_and_whose_clock_decides(terminal: Terminal) -> None:
    terminal.apply(LIST)
    planned = terminal.run("plan", terminal.file(MOVED), exit_code=3).stdout
    assert "Binding: customers are told first, and their clocks must run (1)" in planned
    assert "Hetzner (hetzner): change of places" in planned
    assert "Falkenstein" in planned
    assert "Nuremberg" in planned
    assert "45 days of notice of Hanoi Streams Co. (hanoi), counted in Asia/Ho_Chi_Minh" in planned
    assert re.search(r"the earliest lawful date is \w+day, \d+ \w+ \d{4} \(\d{4}-\d\d-\d\d\), Europe/Berlin", planned)
    document = terminal.ask("plan", terminal.file(MOVED), exit_code=3)
    assert document["earliest"]["governed_by"] == "hanoi"
    assert [(each["key"], each["weight"]) for each in document["changes"]] == [("hetzner", "binding")]


def test_a_plan_changes_nothing(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.run("plan", sqlite_terminal.file(MOVED), exit_code=3)
    assert "nothing waits" not in sqlite_terminal.run("notice", "draft", "--publisher", "antopsis", exit_code=2).output


def test_a_plan_says_what_is_drafted_already_and_in_which_notice(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.apply(MOVED)
    assert "already drafted" in sqlite_terminal.run("plan", sqlite_terminal.file(MOVED), exit_code=3).stdout
    number = sqlite_terminal.run("notice", "draft", "--publisher", "antopsis").stdout.strip()
    planned = sqlite_terminal.run("plan", sqlite_terminal.file(MOVED), exit_code=3).stdout
    assert f"in notice {number}" in planned
    # The notice has its date, so none is offered for it any more.
    assert "earliest lawful date" not in planned


def test_a_plan_without_binding_changes_offers_no_date(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    planned = sqlite_terminal.run("plan", sqlite_terminal.file(RENAMED), exit_code=3).stdout
    assert "Informing: customers are told, and no clock runs (1)" in planned
    assert "earliest" not in planned


def test_a_bad_file_is_refused_with_its_lines_and_changes_nothing(sqlite_terminal: Terminal) -> None:
    path = sqlite_terminal.file(LIST.replace("country: DE, place", "country: Germany, place"))
    for command in ("plan", "apply"):
        refused = sqlite_terminal.run(command, path, exit_code=2)
        assert f"{path}:20: entries.1.locations.0.country: “Germany” is no country code" in refused.stderr
        assert refused.stdout == ""
    problems = json.loads(sqlite_terminal.run("apply", path, "--json", exit_code=2).stderr)["problems"]
    assert [(each["field"], each["line"]) for each in problems] == [("entries.1.locations.0.country", 20)]
    assert sqlite_terminal.ask("publisher", "list") == []


def test_half_a_character_in_a_file_is_named(sqlite_terminal: Terminal) -> None:
    path = sqlite_terminal.file(LIST.replace("slug: antopsis", 'slug: "\\ud800"'))
    refused = sqlite_terminal.run("plan", path, exit_code=2).stderr
    assert "publisher.slug: The character U+D800 cannot stand in text that people read. Take it out." in refused


def test_standard_input_is_read_for_a_dash(sqlite_terminal: Terminal) -> None:
    text = Path(sqlite_terminal.file(LIST)).read_text(encoding="utf-8")
    assert "Stripe (stripe)" in sqlite_terminal.run("plan", "-", exit_code=3, given=text).stdout
    assert "standard input" in sqlite_terminal.run("plan", "-", exit_code=2, given="registry: [").stderr


def test_a_file_that_is_not_there_is_one_clear_line(sqlite_terminal: Terminal) -> None:
    refused = sqlite_terminal.run("apply", "/nowhere/list.yaml", exit_code=2)
    assert refused.stderr == "Error: /nowhere/list.yaml cannot be read: No such file or directory.\n"


def test_applying_says_what_became_of_each_entry_and_what_to_do_next(terminal: Terminal) -> None:
    founded = terminal.apply(LIST).stdout
    assert "Stripe (stripe): on the list" in founded
    assert "http://127.0.0.1:8000/antopsis/" in founded
    drafted = terminal.apply(MOVED).stdout
    assert "Hetzner (hetzner): binding, drafted" in drafted
    assert "Next: registry notice draft --publisher antopsis" in drafted
    assert "nothing changed" in terminal.apply(MOVED).stdout
    assert "dropped" in terminal.apply(LIST).stdout
    corrected = terminal.apply(LINKED).stdout
    assert "Stripe (stripe): editorial, in effect" in corrected
    assert "Next:" not in corrected


def test_applying_while_a_notice_is_drafted_leads_back_to_it(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.apply(MOVED)
    number = sqlite_terminal.run("notice", "draft", "--publisher", "antopsis").stdout.strip()
    applied = sqlite_terminal.apply(MOVED.replace("Nuremberg", "Helsinki").replace("country: DE", "country: FI")).stdout
    assert f"now in the draft {number}" in applied
    assert f"Next: registry notice status {number} --publisher antopsis" in applied


def test_a_file_of_another_publisher_is_refused(sqlite_terminal: Terminal) -> None:
    refused = sqlite_terminal.run("apply", sqlite_terminal.file(LIST), "--publisher", "nextapi", exit_code=2)
    assert refused.stderr == ("Error: This file is the list of antopsis, not of nextapi. Nothing was changed.\n")
    assert sqlite_terminal.ask("publisher", "list") == []


def test_the_schema_printed_accepts_the_examples_shape(sqlite_terminal: Terminal) -> None:
    schema = json.loads(sqlite_terminal.run("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"registry": 2}, schema)


def test_an_export_is_the_published_list_as_json_and_csv(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    as_json = json.loads(sqlite_terminal.run("export", "--publisher", "antopsis", "--format", "json").stdout)
    assert [entry["key"] for entry in as_json["entries"]] == ["hetzner", "stripe"]
    as_csv = sqlite_terminal.run("export", "--publisher", "antopsis", "--format", "csv").stdout_bytes
    rows = list(csv.DictReader(io.StringIO(as_csv.decode("utf-8-sig"), newline="")))
    assert [row["key"] for row in rows] == ["hetzner", "stripe"]


def test_an_export_is_in_the_publishers_own_language(sqlite_terminal: Terminal) -> None:
    german = LIST.replace("  slug: antopsis\n", "  slug: antopsis\n  language: de\n").replace(
        "purposes: [Payments]\n", "purposes: [Zahlungen]\n    translations: {en: {Zahlungen: Payments}}\n"
    )
    sqlite_terminal.apply(german)
    as_csv = sqlite_terminal.run("export", "--publisher", "antopsis", "--format", "csv").stdout_bytes
    rows = csv.DictReader(io.StringIO(as_csv.decode("utf-8-sig"), newline=""))
    assert [row["purposes"] for row in rows if row["key"] == "stripe"] == ["Zahlungen"]


def test_an_export_into_a_file_is_described(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    path = sqlite_terminal.folder / "list.json"
    told = sqlite_terminal.ask("export", "--publisher", "antopsis", "--format", "json", "-o", str(path))
    assert told["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert told["bytes"] == path.stat().st_size
    assert list(sqlite_terminal.folder.glob(".*")) == []


def test_an_export_leaves_a_link_a_link_and_writes_to_a_pipe_as_it_is(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    link, file, pipe = (sqlite_terminal.folder / name for name in ("newest.json", "list.json", "pipe"))
    file.write_text("before")
    link.symlink_to(file)
    export = ("export", "--publisher", "antopsis", "--format", "json", "-o")
    sqlite_terminal.run(*export, str(link))
    assert link.readlink() == file
    assert [entry["key"] for entry in json.loads(file.read_bytes())["entries"]] == ["hetzner", "stripe"]
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as threads:
        read = threads.submit(pipe.read_bytes)
        sqlite_terminal.run(*export, str(pipe))
        assert read.result(timeout=60) == file.read_bytes()
    assert pipe.is_fifo()
    refused = sqlite_terminal.run(*export, str(sqlite_terminal.folder), exit_code=2)
    assert "cannot be written: Is a directory." in refused.stderr


def test_an_export_that_cannot_be_written_says_why(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    refused = sqlite_terminal.run(
        "export", "--publisher", "antopsis", "--format", "csv", "-o", "/nowhere/list.csv", exit_code=2
    )
    assert "Error: /nowhere/list.csv cannot be written: No such file or directory." in refused.stderr


def test_an_export_to_a_dash_goes_to_standard_output(
    sqlite_terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqlite_terminal.apply(LIST)
    monkeypatch.chdir(sqlite_terminal.folder)
    export = ("export", "--publisher", "antopsis", "--format", "csv")
    assert sqlite_terminal.run(*export, "-o", "-").stdout_bytes == sqlite_terminal.run(*export).stdout_bytes
    assert not (sqlite_terminal.folder / "-").exists()
    assert "there is none" in sqlite_terminal.run(*export, "-o", "-", "--json", exit_code=2).stderr


def test_an_export_to_what_no_file_can_be_is_refused_with_why(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    file, loop = (sqlite_terminal.folder / name for name in ("file", "loop"))
    file.touch()
    loop.symlink_to(loop)
    for path, why in (
        ("/", "Is a directory"),
        ("", "Is a directory"),
        (str(file / "list.csv"), "Not a directory"),
        ("a" * 306, "File name too long"),
        (str(loop), "it is a link that leads to itself"),
    ):
        refused = sqlite_terminal.run("export", "--publisher", "antopsis", "--format", "csv", "-o", path, exit_code=2)
        assert f"cannot be written: {why}.\n" in refused.stderr


def test_an_export_of_a_day_to_come_or_before_the_list_is_refused(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    for day, said in (("2999-01-01", "still to come"), ("2001-01-01", "There was no list")):
        refused = sqlite_terminal.run(
            "export", "--publisher", "antopsis", "--format", "csv", "--as-of", day, exit_code=2
        )
        assert said in refused.stderr
