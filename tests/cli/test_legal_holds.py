"""`registry legal-hold`, and what it stops."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.cli.conftest import LIST, Terminal

OF = ("--publisher", "antopsis")
WHY = ("--reason", "Claim of 3 Nov 2026, file 26-114")


def holds(terminal: Terminal, *options: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = terminal.ask("legal-hold", "list", *OF, *options)
    return answer


def test_where_none_stands_the_list_teaches(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    told = sqlite_terminal.run("legal-hold", "list", *OF).stdout
    assert told == (
        "No legal hold stands on antopsis, so personal data is erased when its days are over. "
        "`registry legal-hold set --publisher antopsis --reason TEXT` keeps it all.\n"
    )
    assert holds(sqlite_terminal) == []
    assert "No legal hold was ever set on antopsis" in sqlite_terminal.run("legal-hold", "list", *OF, "--all").stdout


def test_a_hold_is_set_listed_and_lifted(terminal: Terminal) -> None:
    number = terminal.publish_a_move()
    said = terminal.run("legal-hold", "set", *OF, *WHY, "--as", "anna@antopsis.example").stdout
    assert said == (
        "Legal hold 1 stands on everything of antopsis: Claim of 3 Nov 2026, file 26-114. Nothing it covers is erased, "
        "by time or by command, until it is lifted.\n"
    )
    assert "stands on the customer hanoi:" in terminal.run("legal-hold", "set", *OF, *WHY, "--customer", "hanoi").stdout
    third = terminal.ask("legal-hold", "set", *OF, *WHY, "--notice", number)
    assert (third["hold"], third["scope"], third["subject"], third["lifted_at"]) == (3, "notice", number, None)
    assert [(each["hold"], each["scope"], each["subject"]) for each in holds(terminal)] == [
        (1, "publisher", "antopsis"),
        (2, "customer", "hanoi"),
        (3, "notice", number),
    ]
    table = terminal.run("legal-hold", "list", *OF).stdout.splitlines()
    assert table[0].split() == ["Hold", "Covers", "Reason", "Set"]
    assert "everything of antopsis" in table[1]
    assert "by anna@antopsis.example" in table[1]
    lifted = terminal.run("legal-hold", "lift", "1", *OF, "--reason", "Settled on 12 May").stdout
    assert lifted == (
        "Legal hold 1 on everything of antopsis is lifted: Settled on 12 May. 2 more stand on antopsis.\n"
        "What is due and under no hold is erased by the next sweep, for good.\n"
    )
    assert [each["hold"] for each in holds(terminal)] == [2, 3]
    assert [bool(each["lifted_at"]) for each in holds(terminal, "--all")] == [True, False, False]
    everything = terminal.run("legal-hold", "list", *OF, "--all").stdout
    assert "Settled on 12 May" in everything
    assert "stands\n" in everything
    terminal.ask("legal-hold", "lift", "2", *OF, "--reason", "x")
    assert terminal.ask("legal-hold", "lift", "3", *OF, "--reason", "x")["others_standing"] == 0


def test_what_cannot_be_is_refused_with_what_would_do(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)

    def refused(*arguments: str) -> str:
        return sqlite_terminal.run("legal-hold", *arguments, exit_code=2).stderr

    assert "one customer or one notice" in refused(
        *("set", *OF, *WHY), *("--customer", "hanoi", "--notice", "2026-001")
    )
    assert "has no customer “hanoy”" in refused("set", *OF, *WHY, "--customer", "hanoy")
    assert "has no notice “2026-009”" in refused("set", *OF, *WHY, "--notice", "2026-009")
    assert "only with a reason on record" in refused("set", *OF, "--reason", " ")
    assert "Missing option '--reason'" in refused("set", *OF)
    assert "has no legal hold of the number 4" in refused("lift", "4", *OF, *WHY)
    sqlite_terminal.run("legal-hold", "set", *OF, *WHY)
    sqlite_terminal.run("legal-hold", "lift", "1", *OF, *WHY)
    assert "was lifted already" in refused("lift", "1", *OF, *WHY)
    assert holds(sqlite_terminal) == []


def test_where_approvals_are_required_somebody_else_lifts(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST, approvals=1)
    sqlite_terminal.run("legal-hold", "set", *OF, *WHY, "--as", "anna@antopsis.example")
    refused = sqlite_terminal.run("legal-hold", "lift", "1", *OF, *WHY, "--as", "Anna@antopsis.example", exit_code=2)
    assert "let somebody else lift it" in refused.stderr
    sqlite_terminal.run("legal-hold", "lift", "1", *OF, *WHY, "--as", "boris@antopsis.example")
    [lifted] = holds(sqlite_terminal, "--all")
    assert (lifted["set_by"], lifted["lifted_by"]) == ("anna@antopsis.example", "boris@antopsis.example")


def test_a_hold_stops_the_erasing_of_a_person(sqlite_terminal: Terminal) -> None:
    sqlite_terminal.apply(LIST)
    sqlite_terminal.run("customer", "contact-add", "hanoi", "legal@hanoi.example", *OF)
    sqlite_terminal.run("customer", "contact-end", "hanoi", "privacy@hanoi.example", *OF)
    sqlite_terminal.run("legal-hold", "set", *OF, *WHY, "--customer", "hanoi")
    refused = sqlite_terminal.run("erase", "privacy@hanoi.example", *OF, exit_code=2)
    assert "legal hold 1 stands on the customer hanoi (Claim of 3 Nov 2026, file 26-114)" in refused.stderr
    assert "registry legal-hold lift 1 --publisher antopsis --reason TEXT" in refused.stderr
    sqlite_terminal.run("legal-hold", "lift", "1", *OF, *WHY)
    assert "Erased." in sqlite_terminal.run("erase", "privacy@hanoi.example", *OF).stdout


def test_a_tick_erases_what_has_had_its_days_and_shows_it(terminal: Terminal) -> None:
    retention = "  retention: {contacts: 10}\n"
    terminal.apply(LIST.replace("products:", f"{retention}products:", 1))
    terminal.run("customer", "contact-add", "hanoi", "legal@hanoi.example", *OF)
    terminal.run("customer", "contact-end", "hanoi", "privacy@hanoi.example", *OF)
    terminal.run("legal-hold", "set", *OF, *WHY)
    later = (datetime.now(UTC) + timedelta(days=13)).isoformat(timespec="seconds")

    def tick() -> str:
        return terminal.run("tick", "--at", later, REGISTRY_ALLOW_TIME_TRAVEL="1").stdout

    assert re.search(r"^erase expired +nothing$", tick(), re.MULTILINE)
    terminal.run("legal-hold", "lift", "1", *OF, *WHY)
    assert re.search(r"^erase expired +1 addresses$", tick(), re.MULTILINE)
    assert terminal.run("erase", "privacy@hanoi.example", *OF, exit_code=2).stderr.count("erased already") == 1
