"""`registry task` and `registry notice status --watch`: what needs a person, and letters as they go out."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine, update

from registry.cli.notice_watch import Pace, Progress, say_progress
from registry.steps.tasks import open_task
from registry.tables import Delivery
from registry.tables.engine import writing
from tests.cli.conftest import Terminal
from tests.processes import running, wait_for

OF = ("--publisher", "antopsis")
NOW = datetime(2026, 9, 30, 8, tzinfo=UTC)


def fail_letters(engine: Engine) -> None:
    with writing(engine) as session:
        session.execute(update(Delivery).values(state="failed", token=None, lease_until=None))


def test_a_customer_who_was_not_reached_is_listed_with_the_time_left_and_what_to_do(
    terminal: Terminal, engine: Engine
) -> None:
    number = terminal.publish_a_move()
    assert terminal.run("task", "list").stdout == "No task is open.\n"
    fail_letters(engine)
    terminal.run("tick")
    told = terminal.run("task", "list").stdout
    assert re.search(rf"^ +\d+  hanoi was not reached by notice {number} of antopsis: no mailbox", told, re.MULTILINE)
    in_berlin = r"\(\d{4}-\d\d-\d\dT\S+, Europe/Berlin\)"
    lines = rf"^ +\d+ (hours|days) left: .*{in_berlin}. Open since .*{in_berlin}\.$"
    assert re.search(lines, told, re.MULTILINE), told
    assert "registry customer contact-add hanoi EMAIL --publisher antopsis" in told
    assert told.endswith("1 task open.\n")
    (listed,) = terminal.ask("task", "list", *OF)
    assert (listed["kind"], listed["publisher"], listed["facts"]["customer"]) == (
        "customer_not_reached",
        "antopsis",
        "hanoi",
    )
    assert listed["seconds_left"] > 0
    assert listed["time_left"].endswith("left")


def test_a_task_that_closes_by_itself_is_not_closed_by_hand_and_closes_when_it_is_mended(
    terminal: Terminal, engine: Engine
) -> None:
    number = terminal.publish_a_move()
    fail_letters(engine)
    terminal.run("tick")
    (listed,) = terminal.ask("task", "list")
    refused = terminal.run("task", "close", str(listed["number"]), "--reason", "seen", exit_code=2)
    assert "closes by itself once it is no longer true" in refused.stderr
    today = datetime.now(ZoneInfo("Asia/Ho_Chi_Minh")).date().isoformat()
    served = ("--on", today, "--document", "Courier's receipt 17")
    terminal.run("notice", "served", number, *OF, "--customer", "hanoi", *served)
    terminal.run("tick")
    assert terminal.ask("task", "list") == []
    (closed,) = terminal.ask("task", "list", "--all")
    assert (closed["closed_because"], closed["time_left"]) == ("no-longer-true", None)


def test_a_person_closes_a_task_with_a_reason_once(terminal: Terminal, engine: Engine) -> None:
    with writing(engine) as session:
        number = open_task(session, NOW, "callback_unmatched", subject=("provider", "resend"), provider="resend").id
    terminal.run("task", "close", str(number), exit_code=2)
    closed = terminal.run(
        "task", "close", str(number), "--reason", "Another service's", "--as", "anna@antopsis.example"
    )
    assert f"Task {number} is closed, by anna@antopsis.example" in closed.stdout
    again = terminal.run("task", "close", str(number), "--reason", "x", exit_code=2)
    assert "was closed already" in again.stderr
    assert "There is no task 4711." in terminal.run("task", "close", "4711", "--reason", "x", exit_code=2).stderr
    told = terminal.run("task", "list", "--all").stdout
    assert "Another service's" in told
    assert "No task is open." in told


def test_the_list_of_one_publisher_needs_one_that_is_there(sqlite_terminal: Terminal) -> None:
    assert "nobody" in sqlite_terminal.run("task", "list", "--publisher", "nobody", exit_code=2).stderr


def test_watching_prints_a_line_for_each_change_and_ends_with_the_whole_status(terminal: Terminal) -> None:
    number = terminal.publish_a_move()
    environ = terminal.environ
    with running(environ, terminal.folder / "watch.log", "notice", "status", number, *OF, "--watch") as watching:
        log = terminal.folder / "watch.log"
        wait_for(lambda: f"{number}: 1 pending" in log.read_text(), "first look")
        terminal.run("tick")
        assert watching.wait(timeout=30) == 0
    lines = log.read_text().splitlines()
    assert lines[0] == f"{number}: 1 pending; 1 under way"
    assert lines[1] == f"{number}: 1 written and not sent"
    assert f"Notice {number} of antopsis: announced" in lines[2]


def test_watching_in_json_is_a_document_on_a_line_for_each_change(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    log = sqlite_terminal.folder / "watch.log"
    with running(sqlite_terminal.environ, log, "notice", "status", number, *OF, "--watch", "--json") as watching:
        wait_for(lambda: "pending" in log.read_text(), "first look")
        sqlite_terminal.run("tick")
        assert watching.wait(timeout=30) == 0
    first, last = map(json.loads, log.read_text().splitlines())
    assert (first["counts"], first["under_way"], first["per_second"]) == ({"pending": 1}, 1, None)
    assert (last["counts"], last["done"], last["is_on_its_way"]) == ({"accepted": 1}, 1, False)
    assert last["notice"] == number


def test_a_terminal_has_one_line_that_is_written_over(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    sqlite_terminal.run("tick")
    master, slave = pty.openpty()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    command = [sys.executable, "-m", "registry.cli", "notice", "status", number, *OF, "--watch"]
    done = subprocess.run(command, env=clean | sqlite_terminal.environ, stdout=slave, timeout=60)
    os.close(slave)
    shown = os.read(master, 100_000).decode()
    os.close(master)
    assert done.returncode == 0
    assert shown.startswith(f"\r\x1b[K{number}: 1 written and not sent\r\nNotice {number} of antopsis")


def test_the_pace_is_that_of_the_last_looks() -> None:
    pace = Pace()
    assert pace.look(100.0, 0) is None
    assert pace.look(101.0, 50) == 50
    assert pace.look(102.0, 150) == 75
    for second in range(3, 30):
        last = pace.look(100.0 + second, 150)
    assert last == 0, "what was fast ten seconds ago is not fast now"


@pytest.mark.parametrize(
    ("per_second", "seconds_left", "said"),
    [
        (None, None, "1,204 under way"),
        (412.0, 3, "412.0 letters a second, about 3 s left"),
        (12.5, 97, "12.5 letters a second, about 1 min 37 s left"),
        (0.1, 12_040, "0.1 letters a second, about 3 h 20 min left"),
        (0.0, None, "0.0 letters a second, none goes now"),
    ],
)
def test_progress_is_one_line(per_second: float | None, seconds_left: int | None, said: str) -> None:
    counts = {"pending": 1_200, "retry_wait": 4, "accepted": 96}
    progress = Progress(NOW + timedelta(0), "2026-003", "announced", counts, per_second, seconds_left)
    assert (progress.under_way, progress.done) == (1_204, 96)
    assert say_progress(progress) == f"2026-003: 1,200 pending, 4 retry wait, 96 accepted; {said}"
