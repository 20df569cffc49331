"""Every benchmark that can be started by itself says how: `--help` shows an example, a wrong word is no traceback."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
STARTED = sorted(
    f"benchmarks.{path.stem}"
    for path in (ROOT / "benchmarks").glob("*.py")
    if path.stem != "__main__" and '__name__ == "__main__"' in path.read_text()
)


def start(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_they_are_found() -> None:
    assert {"benchmarks.phases", "benchmarks.smtp_wire_speed", "benchmarks.delivery"} <= set(STARTED)


@pytest.mark.parametrize("module", ["benchmarks", *STARTED])
def test_help_is_help(module: str) -> None:
    shown = start(module, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "usage: " in shown.stdout


@pytest.mark.parametrize("module", ["benchmarks.phases", "benchmarks.smtp_wire_speed", "benchmarks.web_hello"])
def test_what_takes_numbers_shows_an_example_and_refuses_words(module: str) -> None:
    assert f"Example: python -m {module}" in start(module, "--help").stdout
    refused = start(module, "many")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert "error: argument" in refused.stderr or "the following arguments are required" in refused.stderr


@pytest.mark.parametrize("module", ["benchmarks.phases", "benchmarks.smtp_wire_speed"])
def test_no_letter_is_too_few(module: str) -> None:
    refused = start(module, "0")
    assert refused.returncode == 2
    assert "at least one letter" in refused.stderr
