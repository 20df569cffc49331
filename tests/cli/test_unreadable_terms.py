"""The command line while the terms of one customer cannot be read: every command answers, and says what is so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest
from click.testing import CliRunner
from sqlalchemy import Engine

from registry.cli import main
from registry.cli.failures import BUG
from tests.cli.conftest import LIST, MOVED, Terminal
from tests.unreadable_terms import spoil_frozen_terms, spoil_terms

OF: Final = ("--publisher", "antopsis")
HANOI: Final = ("--customer", "hanoi")
TWO: Final = MOVED + "  - {key: bremen, name: Bremen Media GmbH, contacts: [dpo@bremen.example]}\n"
COMMANDS: Final = (
    ("notice", "list", *OF),
    ("notice", "status", "NUMBER", *OF),
    ("notice", "object", "NUMBER", *OF, *HANOI),
    ("notice", "resolve", "NUMBER", *OF, *HANOI, "--cure", "other"),
    ("notice", "approve-for", "NUMBER", *OF, *HANOI, "--basis", "Mail"),
    ("notice", "served", "NUMBER", *OF, *HANOI, "--on", "TODAY", "--document", "Post RR 1 DE"),
    ("notice", "override", "NUMBER", *OF, *HANOI, "--reason", "Contract ended"),
    ("notice", "exempt", "NUMBER", *OF, *HANOI, "--basis", "Mail"),
    ("notice", "resend", "NUMBER", *OF),
    ("customer", "list", *OF),
    ("customer", "contact-add", "hanoi", "second@hanoi.example", *OF),
    ("customer", "contact-end", "hanoi", "second@hanoi.example", *OF),
    ("customer", "contract-end", "hanoi", *OF, "--on", "2099-01-01"),
    ("doctor",),
    ("task", "list"),
    ("tick",),
    ("plan", "FILE"),
    ("notice", "add-customer", "NUMBER", *OF, *HANOI),
    ("apply", "FILE"),
)


def announce(terminal: Terminal) -> str:
    terminal.apply(LIST)
    terminal.apply(TWO)
    number = terminal.run("notice", "draft", *OF).stdout.strip()
    terminal.run("notice", "publish", number, *OF)
    terminal.run("tick")
    return number


@pytest.mark.parametrize("options", [(), ("--json",)])
@pytest.mark.parametrize("spoil", [spoil_frozen_terms, spoil_terms])
def test_no_command_meets_a_bug(
    terminal: Terminal, engine: Engine, spoil: Callable[[Engine, str], None], options: tuple[str, ...]
) -> None:
    number = announce(terminal)
    spoil(engine, "hanoi")
    (today,) = {each["made_at"][:10] for each in terminal.ask("notice", "status", number, *OF)["statements"]}
    named = {"NUMBER": number, "FILE": terminal.file(TWO), "TODAY": today}
    for command in COMMANDS:
        words = [named.get(word, word) for word in command]
        answered = CliRunner(env=terminal.environ).invoke(main, [*words, *options])
        assert answered.exit_code != BUG, (words, answered.output)
        assert "Traceback" not in answered.output, words


def test_the_hold_is_named_and_frozen_terms_are_set_anew(terminal: Terminal, engine: Engine) -> None:
    number = announce(terminal)
    spoil_frozen_terms(engine, "hanoi")
    said = terminal.run("notice", "status", number, *OF).stdout
    assert (
        "Hanoi Streams Co. (hanoi): its terms cannot be read, so nothing can be decided for it: set them anew" in said
    )
    assert "Hanoi Streams Co. (hanoi): waiting, its terms cannot be read" in said
    holds = terminal.ask("notice", "status", number, *OF)["holds"]
    assert [each["reason"] for each in holds if each["customer_key"] == "hanoi"] == ["terms_unreadable", "not_received"]
    added = terminal.run("notice", "add-customer", number, *OF, *HANOI)
    assert f"hanoi stands in notice {number} now" in added.stdout
    assert {each["reason"] for each in terminal.ask("notice", "status", number, *OF)["holds"]} == {"not_received"}


def test_own_terms_are_named_where_they_are_asked_for_and_set_anew_by_a_file(
    terminal: Terminal, engine: Engine
) -> None:
    number = announce(terminal)
    spoil_frozen_terms(engine, "hanoi")
    spoil_terms(engine, "hanoi")
    assert "cannot be read" in terminal.run("customer", "list", *OF).stdout
    refused = terminal.run("notice", "add-customer", number, *OF, *HANOI, exit_code=2)
    assert "The terms of hanoi cannot be read" in refused.stderr
    terminal.apply(TWO)
    assert "45/30 calendar" in terminal.run("customer", "list", *OF).stdout
