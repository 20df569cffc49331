"""Mending a notice under way: `registry notice revise`, `correct`, `add-customer` and `resend`."""

from __future__ import annotations

from tests.cli.conftest import LIST, MOVED, Terminal

ANNA = ("--as", "anna@antopsis.example")
BORIS = ("--as", "boris@antopsis.example")
OF = ("--publisher", "antopsis")
WHY = ("--reason", "The place is Tallinn, not Nuremberg")
MEANT = MOVED.replace("country: DE, place: Nuremberg", "country: EE, place: Tallinn")


def test_a_draft_gets_another_date_and_summary(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.apply(MOVED)
    number = sqlite_terminal.run("notice", "draft", *OF).stdout.strip()
    revised = sqlite_terminal.run(
        "notice", "revise", number, *OF, "--effective-on", "2090-05-01", "--summary", "Hetzner moves"
    )
    assert "(2090-05-01), Europe/Berlin" in revised.stdout
    (listed,) = sqlite_terminal.ask("notice", "list", *OF)
    assert (listed["planned_on"], listed["summary"]) == ("2090-05-01", "Hetzner moves")
    refused = sqlite_terminal.run("notice", "revise", number, *OF, "--effective-on", "2026-11-22", exit_code=2)
    assert "2026-11-22" in refused.stderr


def test_a_correction_is_told_and_restarts_clocks(terminal: Terminal) -> None:
    number = terminal.publish_a_move()
    terminal.run("tick")
    assert "No edit" in terminal.run("notice", "correct", number, *OF, *WHY, exit_code=2).stderr
    terminal.apply(MEANT)
    corrected = terminal.run("notice", "correct", number, *OF, *WHY, *ANNA)
    assert f"Notice {number} is corrected; 1 letter due." in corrected.stdout
    status = terminal.ask("notice", "status", number, *OF)
    assert [each["kind"] for each in status["deliveries"]] == ["announcement", "correction"]
    # Nothing waits for a correction any more.
    terminal.run("notice", "correct", number, *OF, *WHY, *BORIS, "--approve", exit_code=2)


def test_a_customer_that_was_forgotten_is_added_and_told(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    unknown = sqlite_terminal.run("notice", "add-customer", number, *OF, "--customer", "bremen", exit_code=2)
    assert "bremen" in unknown.stderr
    more = "  - {key: bremen, name: Bremen Media GmbH, contacts: [dpo@bremen.example]}\n"
    sqlite_terminal.apply(MOVED + more)
    added = sqlite_terminal.run("notice", "add-customer", number, *OF, "--customer", "bremen")
    assert f"bremen stands in notice {number} now" in added.stdout
    status = sqlite_terminal.ask("notice", "status", number, *OF)
    assert [each["key"] for each in status["customers"]] == ["bremen", "hanoi"]


def test_nothing_needs_to_be_sent_again_where_nothing_failed(sqlite_terminal: Terminal) -> None:
    number = sqlite_terminal.publish_a_move()
    assert sqlite_terminal.ask("notice", "resend", number, *OF) == {"number": number, "due": 0}
