"""Standard streams that are closed, or take nothing more: what a command then says, and what it did all the same."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from tests.cli.conftest import LIST, Terminal

OF = ("--publisher", "antopsis")
END = ("customer", "contract-end", "hanoi", *OF, "--on", "2099-12-31")
OWNED = ("--kind", "slack", "--owner", "ops@acme.example")
COMMAND = (sys.executable, "-m", "registry.cli")


def run_closed(terminal: Terminal, closing: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command with a stream closed, which `closing` says as a shell does."""
    return subprocess.run(
        ["sh", "-c", f'exec "$@" {closing}', "sh", *COMMAND, *arguments],
        env={**os.environ, **terminal.environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def contract_until(terminal: Terminal) -> object:
    return terminal.ask("customer", "list", *OF)[0]["contract_until"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("plan", "-"),
        ("notice", "draft", *OF, "--explanation-file", "-"),
        ("endpoint", "add", "-", *OF, *OWNED),
    ],
)
def test_closed_standard_input_is_said(sqlite_terminal: Terminal, arguments: tuple[str, ...]) -> None:
    done = run_closed(sqlite_terminal, "<&-", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("Error: Standard input is closed, so there is nothing to read.")


def test_a_pipe_without_a_message_is_to_be_brought_again_and_is_no_bug(sqlite_terminal: Terminal) -> None:
    done = run_closed(sqlite_terminal, "<&-", "bounce")
    assert done.returncode == os.EX_TEMPFAIL
    assert done.stderr.startswith("4.3.0 The message was not taken.\nError: Standard input is closed")


def test_an_address_on_standard_input_that_is_not_utf_8_is_said(sqlite_terminal: Terminal) -> None:
    done = subprocess.run(
        [*COMMAND, "endpoint", "add", "-", *OF, *OWNED],
        env={**os.environ, **sqlite_terminal.environ},
        input=b"https://hooks.slack.com/services/\xe4\n",
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (2, b"Error: standard input is not written in UTF-8. Save it as UTF-8.\n")


def test_without_standard_output_a_command_does_its_work(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    for closing in (">&-", ">&- 2>&-"):
        done = run_closed(sqlite_terminal, closing, *END)
        assert (done.returncode, done.stderr) == (0, "")
    assert contract_until(sqlite_terminal) == "2099-12-31"


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_full_disk_behind_standard_output_is_said_and_what_was_done_stays(
    sqlite_terminal: Terminal, more: tuple[str, ...]
) -> None:
    sqlite_terminal.apply(LIST)
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        done = subprocess.run(
            [*COMMAND, *END, *more],
            env={**os.environ, **sqlite_terminal.environ},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    finally:
        os.close(full)
    assert done.returncode == os.EX_IOERR
    said = json.loads(done.stderr)["message"] if more else done.stderr
    assert "The output could not be written: No space left on device. What the command did is done" in said
    assert contract_until(sqlite_terminal) == "2099-12-31"
