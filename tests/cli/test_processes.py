"""Two processes that live and end together, with small programs in place of the web and the worker."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from registry.cli.invocation import Refusal
from registry.cli.processes import Stops, answers, choose_address, run_together

LIVES = [sys.executable, "-c", "import time; time.sleep(60)"]
ENDS_WITH_5 = [sys.executable, "-c", "raise SystemExit(5)"]
ENDS_WELL = [sys.executable, "-c", "pass"]
HOLDS_OUT = "import pathlib, signal, sys, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); " + (
    "pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"
)


def run(stops: Stops, announced: list[float] | None = None, **commands: list[str]) -> int:
    told: list[float] = [] if announced is None else announced
    return run_together(commands, os.environ, stops, lambda: True, lambda: told.append(time.monotonic()))


@pytest.mark.parametrize(("command", "code"), [(ENDS_WITH_5, 5), (ENDS_WELL, 1)])
def test_when_one_ends_by_itself_the_other_is_stopped(
    command: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    assert run(Stops(), web=LIVES, worker=command) == code
    assert time.monotonic() - began < 20
    assert "the worker ended with exit code" in capsys.readouterr().err


def test_a_stop_that_was_asked_for_ends_both_with_0() -> None:
    stops = Stops()
    announced: list[float] = []
    timer = threading.Timer(0.5, stops.ask)
    timer.start()
    assert run(stops, announced, web=LIVES, worker=LIVES) == 0
    timer.join()
    assert len(announced) == 1


def test_a_second_signal_ends_what_does_not_want_to_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stops, is_up = Stops(), tmp_path / "up"
    second = threading.Timer(0.5, stops.ask)

    def ask_twice() -> None:
        stops.ask()
        second.start()

    command = [sys.executable, "-c", HOLDS_OUT, str(is_up)]
    assert run_together({"web": command}, os.environ, stops, is_up.exists, ask_twice) == 0
    second.join()
    assert "Stopping at once." in capsys.readouterr().err


def test_a_host_that_is_not_this_machine_is_refused() -> None:
    with pytest.raises(Refusal, match="cannot be used"):
        choose_address("192.0.2.1", 8000)


def test_nobody_answers_on_a_port_nobody_has() -> None:
    assert answers("127.0.0.1", 1) is False
