"""`registry bounce`: the pipe of a mail server, which loses nothing, and reading what was kept."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine, make_url, select

from registry.channels.smtp import SmtpChannel, parse_mail_url
from registry.cli import main
from registry.cli.bounces import TRY_AGAIN
from registry.clock import now
from registry.settings import Settings
from registry.steps.dispatch import Dispatch
from registry.steps.send_deliveries import send_deliveries
from registry.tables import Delivery, Outcome, StoredMail
from registry.tables.engine import reading
from registry.wiring import wire
from tests.channels.smtp_server import MailServer, ReceivedMessage
from tests.cli.conftest import LIST, Terminal
from tests.steps.bounce_cast import BOUNCES, came_back

REPLY = (
    b"From: Ann <ann@customer.example>\r\nTo: bounces@registry.example\r\nSubject: Re: \x1b[2J\r\n\r\n"
    b"Hello \x1b[31mred\r\n"
)


@dataclass
class Done:
    """How the command ended, as a mail server sees it."""

    returncode: int
    stdout: bytes
    stderr: bytes


def pipe(terminal: Terminal, message: bytes, *arguments: str, **environ: str) -> Done:
    """Run the command with the message on its standard input, in this process, since to begin one takes a second."""
    runner = CliRunner(env=terminal.environ | {"REGISTRY_BOUNCE_ADDRESS": BOUNCES} | environ)
    result = runner.invoke(main, ["bounce", *arguments], input=message)
    return Done(result.exit_code, result.stdout_bytes, result.stderr_bytes)


def pipe_to_process(
    terminal: Terminal, message: bytes, *arguments: str, **environ: str
) -> subprocess.CompletedProcess[bytes]:
    """Run the command as a mail server does: a process of its own, the message on its standard input."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    return subprocess.run(
        [sys.executable, "-m", "registry.cli", "bounce", *arguments],
        input=message,
        env=clean | terminal.environ | {"REGISTRY_BOUNCE_ADDRESS": BOUNCES} | environ,
        capture_output=True,
        timeout=60,
        check=False,
    )


def letter_sent(terminal: Terminal) -> ReceivedMessage:
    """Announce a move and send its letter for real, with a return path of its own."""
    terminal.publish_a_move()
    wiring = wire(Settings.from_env(terminal.environ))
    letterhead = replace(wiring.letterhead, bounce_address=BOUNCES)
    with MailServer() as server, closing(SmtpChannel(parse_mail_url(f"{server.url}?starttls=off"))) as channel:
        assert send_deliveries(wiring.engine, now, Dispatch({"email": channel}, letterhead, wiring.keyring)) == {
            "accepted": 1
        }
    wiring.engine.dispose()
    (letter,) = server.messages
    return letter


def test_a_bounce_in_the_pipe_bounces_its_letter(terminal: Terminal, engine: Engine) -> None:
    letter = letter_sent(terminal)
    message = came_back("postfix", letter)
    done = pipe_to_process(terminal, message, "--recipient", letter.mail_from)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == "Recorded of letter 1: bounced.\n"
    again = pipe(terminal, message, "take", "--json")
    assert again.returncode == 0
    assert json.loads(again.stdout)["happened"] == "known"
    with reading(engine) as session:
        assert session.scalars(select(Delivery.state)).all() == ["bounced"]
        assert session.scalars(select(Outcome.provider)).all() == ["dsn"]


def test_a_report_of_a_list_that_lost_one_of_its_members_is_recorded_and_kept(terminal: Terminal) -> None:
    letter = letter_sent(terminal)
    message = came_back("relayed", letter).replace(
        b"Status: 2.0.0\n", b"Status: 2.0.0\n\nFinal-Recipient: rfc822; left@x.example\nAction: failed\nStatus: 5.1.1\n"
    )
    done = pipe(terminal, message, "--recipient", letter.mail_from)
    assert done.stdout.decode() == (
        "Recorded of letter 1: relayed. Kept as mail 1 for a person (another-recipient): registry bounce show 1\n"
    )


def test_what_a_person_wrote_is_kept_listed_and_shown_without_harm(terminal: Terminal, engine: Engine) -> None:
    terminal.apply(LIST)
    done = pipe(terminal, REPLY)
    assert done.returncode == 0
    assert b"Kept as mail 1 for a person (no-report): registry bounce show 1" in done.stdout
    (listed,) = terminal.ask("bounce", "list")
    assert (listed["mail"], listed["reason"], listed["is_erased"]) == (1, "no-report", False)
    assert "no-report" in terminal.run("bounce", "list").stdout
    shown = terminal.run("bounce", "show", "1").stdout
    assert "Hello \N{REPLACEMENT CHARACTER}[31mred" in shown
    assert "\x1b" not in shown
    assert terminal.run("bounce", "show", "1", "--raw").stdout_bytes == REPLY
    assert terminal.ask("bounce", "show", "1")["message"] == REPLY.decode()
    (task,) = terminal.ask("task", "list")
    assert task["kind"] == "mail_to_read"


def test_what_was_erased_is_told_by_its_digest(terminal: Terminal, engine: Engine) -> None:
    terminal.apply(LIST)
    pipe(terminal, REPLY)
    with engine.begin() as connection:
        connection.execute(StoredMail.__table__.update().values(body=None))  # type: ignore[attr-defined]  # a mapped class has one
    assert "SHA-256" in terminal.run("bounce", "show", "1", exit_code=2).stderr
    assert "(erased)" in terminal.run("bounce", "list").stdout
    assert terminal.ask("bounce", "show", "1")["message"] is None


def test_mail_that_is_not_there_is_refused(sqlite_terminal: Terminal) -> None:
    assert "No mail 7 is kept." in sqlite_terminal.run("bounce", "show", "7", exit_code=2).stderr
    assert "No mail was kept" in sqlite_terminal.run("bounce", "list").stdout


@pytest.mark.parametrize(
    "trouble",
    [
        {"REGISTRY_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/away"},
        {"REGISTRY_BASE_URL": "no address"},
        {"REGISTRY_NO_SUCH_SETTING": "1"},
    ],
    ids=["database-away", "bad-setting", "unknown-setting"],
)
def test_what_cannot_be_recorded_is_to_be_brought_again(sqlite_terminal: Terminal, trouble: dict[str, str]) -> None:
    sqlite_terminal.apply(LIST)
    done = pipe(sqlite_terminal, REPLY, **trouble)
    assert done.returncode == TRY_AGAIN == os.EX_TEMPFAIL
    assert done.stdout == b""
    assert done.stderr.startswith(b"4.3.0 The message was not taken.\n")
    assert pipe(sqlite_terminal, REPLY).returncode == 0


def test_a_database_without_its_schema_is_no_reason_to_lose_a_message(
    empty_sqlite_url: str, sqlite_terminal: Terminal
) -> None:
    done = pipe(sqlite_terminal, REPLY, REGISTRY_DATABASE_URL=empty_sqlite_url.replace("registry.db", "new.db"))
    assert done.returncode == TRY_AGAIN
    assert b"registry upgrade" in done.stderr


def test_a_database_that_others_lock_is_no_reason_either(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    path = str(make_url(sqlite_terminal.environ["REGISTRY_DATABASE_URL"]).database)
    impatient = (
        "import registry.tables.engine as engine; engine.BUSY_SECONDS = 0.2; from registry.cli import main; main()"
    )
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        done = subprocess.run(
            [sys.executable, "-c", impatient, "bounce"],
            input=REPLY,
            env={**os.environ, **sqlite_terminal.environ},
            capture_output=True,
            timeout=60,
            check=False,
        )
        other.execute("ROLLBACK")
    assert done.returncode == TRY_AGAIN, done.stderr
    assert sqlite_terminal.ask("bounce", "list") == []


def test_a_mistyped_option_in_the_mail_servers_file_loses_nothing(sqlite_terminal: Terminal) -> None:
    for arguments in (["--recipent", "x"], ["take", "--nothing"], ["--recipient"]):
        done = pipe(sqlite_terminal, REPLY, *arguments)
        assert (done.returncode, done.stderr[:5]) == (TRY_AGAIN, b"4.3.0"), arguments
    process = pipe_to_process(sqlite_terminal, REPLY, "--recipent", "x")
    assert (process.returncode, process.stderr[:5], process.stdout) == (TRY_AGAIN, b"4.3.0", b"")


def test_a_failure_tells_machines_too(sqlite_terminal: Terminal) -> None:
    done = pipe(sqlite_terminal, REPLY, "--json", REGISTRY_BASE_URL="no address")
    assert done.returncode == TRY_AGAIN
    assert json.loads(done.stderr.decode().partition("\n")[2])["error"] == "bad-settings"


def test_an_empty_message_is_kept_too(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    assert b"(empty)" in pipe(sqlite_terminal, b"").stdout


def test_help_is_help(sqlite_terminal: Terminal) -> None:
    for arguments in (["--help"], ["take", "--help"]):
        done = pipe(sqlite_terminal, b"", *arguments)
        assert (done.returncode, done.stdout[:6]) == (0, b"Usage:")


def test_a_big_message_is_kept_whole(sqlite_terminal: Terminal, tmp_path: Path) -> None:
    sqlite_terminal.apply(LIST)
    message = b"Subject: big\r\n\r\n" + bytes(range(256)) * 50_000
    assert b"(too-large)" in pipe(sqlite_terminal, message).stdout
    assert pipe(sqlite_terminal, b"", "show", "1", "--raw").stdout == message
