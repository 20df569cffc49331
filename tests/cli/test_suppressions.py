"""`registry suppression`: who is not written to, and why."""

from __future__ import annotations

from tests.cli.conftest import LIST, Terminal

PRIVACY = "privacy@hanoi.example"
HERE = ("--publisher", "antopsis")


def test_an_address_is_added_listed_and_lifted(terminal: Terminal) -> None:
    terminal.apply(LIST)
    assert "writes to every address" in terminal.run("suppression", "list", *HERE).stdout
    assert "does not write to" in terminal.run("suppression", "add", PRIVACY, *HERE, "--as", "anna@x.example").stdout
    assert "Nothing changed" in terminal.run("suppression", "add", PRIVACY.upper(), *HERE).stdout
    (entry,) = terminal.ask("suppression", "list", *HERE)
    assert (entry["address"], entry["reason"], entry["customers"]) == (PRIVACY, "by_hand", ["hanoi"])
    shown = terminal.run("suppression", "list", *HERE).stdout
    assert "by hand" in shown
    assert "hanoi" in shown
    lifted = terminal.run("suppression", "lift", PRIVACY, *HERE, "--because", "works-again").stdout
    assert "writes to privacy@hanoi.example again. Why it did not: by hand." in lifted
    assert terminal.ask("suppression", "list", *HERE) == []


def test_machines_are_told_the_same(terminal: Terminal) -> None:
    terminal.apply(LIST)
    assert terminal.ask("suppression", "add", PRIVACY, *HERE) == {"address": PRIVACY, "is_new": True}
    assert terminal.ask("suppression", "lift", PRIVACY, *HERE, "--because", "asked-for") == {
        "address": PRIVACY,
        "was": "by_hand",
        "because": "asked-for",
    }


def test_what_is_not_on_the_list_cannot_be_lifted_and_a_reason_is_asked_for(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    refused = sqlite_terminal.run("suppression", "lift", PRIVACY, *HERE, "--because", "works-again", exit_code=2)
    assert "antopsis writes to this address" in refused.stderr
    assert "--because" in sqlite_terminal.run("suppression", "lift", PRIVACY, *HERE, exit_code=2).stderr
    assert "cannot be an e-mail address" in sqlite_terminal.run("suppression", "add", "x", *HERE, exit_code=2).stderr


def test_applying_the_file_again_lifts_nothing(terminal: Terminal) -> None:
    terminal.apply(LIST)
    terminal.run("suppression", "add", PRIVACY, *HERE)
    terminal.apply(LIST.replace("Hanoi Streams Co.", "Hanoi Streaming Co."))
    assert [each["address"] for each in terminal.ask("suppression", "list", *HERE)] == [PRIVACY]
