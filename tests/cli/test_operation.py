"""`registry tick`, `pause`, `resume`, `erase` and `rotate-keys`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.cli.conftest import Terminal, environ_for

OF = ("--publisher", "antopsis")


def outbox(terminal: Terminal) -> list[Path]:
    return list((terminal.folder / "instance" / "outbox").glob("*.eml"))


def test_a_second_tick_does_nothing_more(terminal: Terminal) -> None:
    terminal.publish_a_move()
    first = terminal.run("tick").stdout
    assert "1 accepted" in first
    assert "TIME TRAVEL" not in first
    again = terminal.ask("tick")
    assert again["sweeps"]["send"] == {}
    assert again["is_evidence"] is True
    assert len(outbox(terminal)) == 1


def test_time_is_travelled_only_where_that_is_allowed_and_the_database_is_marked(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    far = (datetime.now(UTC) + timedelta(days=200)).isoformat(timespec="seconds")
    refused = sqlite_terminal.run("tick", "--at", far, exit_code=2)
    assert "REGISTRY_ALLOW_TIME_TRAVEL=1" in refused.stderr
    travelled = sqlite_terminal.run("tick", "--at", far, REGISTRY_ALLOW_TIME_TRAVEL="1").stdout
    assert "TIME TRAVEL: this database is marked as no evidence" in travelled
    # Nobody has proved receipt, so the day that came holds the notice and says so.
    assert sqlite_terminal.ask("notice", "status", number, *OF)["state"] == "held"
    assert "held   until further notice  " in sqlite_terminal.run("notice", "list", *OF).stdout
    assert "so it proves nothing" in sqlite_terminal.run("doctor", exit_code=1).stdout


def test_time_is_never_travelled_in_production(sqlite_url: str, tmp_path: Path) -> None:
    production = {
        "REGISTRY_ENV": "production",
        "REGISTRY_BASE_URL": "https://list.example.com",
        "REGISTRY_MAIL_URL": "smtp://127.0.0.1:2525",
        "REGISTRY_MAIL_FROM": "notices@example.com",
    }
    terminal = Terminal(environ_for(sqlite_url, tmp_path / "instance") | production, tmp_path)
    refused = terminal.run("tick", "--at", "2030-01-01T00:00Z", exit_code=2)
    assert "this is production" in refused.stderr


def test_pausing_stops_letters_and_resuming_lets_them_go(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.publish_a_move()
    refused = sqlite_terminal.run("pause", exit_code=2)
    assert "belongs to no installation yet" in refused.stderr
    sqlite_terminal.run("tick", REGISTRY_MAIL_ONLY_TO="nobody@example.com")
    assert outbox(sqlite_terminal) == []
    paused = sqlite_terminal.run("pause", "--reason", "The mail server moves").stdout
    assert "The mail server moves" in paused
    told = sqlite_terminal.run("tick").stdout
    assert "Sending is paused (The mail server moves)" in told
    assert outbox(sqlite_terminal) == []
    assert "it was paused: The mail server moves" in sqlite_terminal.run("resume").stdout
    assert "was not paused" in sqlite_terminal.run("resume").stdout


def test_a_copy_started_at_another_address_pauses_itself(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.run("tick")
    sqlite_terminal.publish_a_move()
    elsewhere = "https://staging.example.com"
    assert "Sending is paused (other-base-url)" in sqlite_terminal.run("tick", REGISTRY_BASE_URL=elsewhere).stdout
    assert outbox(sqlite_terminal) == []
    assert (
        "Letters link to https://staging.example.com."
        in sqlite_terminal.run("resume", REGISTRY_BASE_URL=elsewhere).stdout
    )
    sqlite_terminal.run("tick", REGISTRY_BASE_URL=elsewhere)
    assert len(outbox(sqlite_terminal)) == 1


def test_an_address_is_erased_and_keys_are_rotated_by_command(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.publish_a_move()
    standing = sqlite_terminal.run("erase", "privacy@hanoi.example", "--publisher", "antopsis", exit_code=2)
    assert "registry customer contact-end hanoi privacy@hanoi.example --publisher antopsis." in standing.stderr
    unknown = sqlite_terminal.run("erase", "nobody@reader.example", "--publisher", "antopsis", exit_code=2)
    assert "knows nothing of this address" in unknown.stderr
    assert sqlite_terminal.ask("rotate-keys") == {"rotated": True}
