"""Documentation is tested: what docs/commands.md lacks of the commands fails here, and so does what is stale."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import click
import pytest

from registry.cli import main
from registry.cli.invocation import Command
from registry.worker import SCHEDULE

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "commands.md").read_text(encoding="utf-8")
EVERYWHERE = {"--json", "--debug", "--help"}


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


COMMANDS = dict(commands(main, "registry"))


def sections() -> dict[str, str]:
    parts = re.split(r"^### (registry .+)$", DOCUMENT, flags=re.MULTILINE)[1:]
    return {
        name: re.split(r"^## ", text, flags=re.MULTILINE)[0] for name, text in zip(parts[::2], parts[1::2], strict=True)
    }


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert set(sections()) == set(COMMANDS)


@pytest.mark.parametrize("path", COMMANDS)
def test_every_option_and_argument_is_documented_and_no_other(path: str) -> None:
    text, command = sections()[path], COMMANDS[path]
    options = {name for param in command.params if isinstance(param, click.Option) for name in param.opts}
    documented = {
        name
        for row in re.findall(r"^\| (`-.*?) \|", text, flags=re.MULTILINE)
        for name in re.findall(r"`(--?[a-z-]+)`", row)
    }
    assert documented == options - EVERYWHERE
    for param in command.params:
        if isinstance(param, click.Argument):
            assert re.search(rf"`{path} [A-Z_ ]*{param.make_metavar(click.Context(command))}", text), param.name
    assert EVERYWHERE - {"--help"} <= options


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_says_what_it_does_and_shows_examples(path: str) -> None:
    command = COMMANDS[path]
    assert isinstance(command, Command)
    assert command.help
    assert command.examples
    assert all(path in example for example in command.examples)
    assert all(param.help for param in command.params if isinstance(param, click.Option))


@pytest.mark.parametrize("path", COMMANDS)
def test_the_examples_name_options_that_exist(path: str) -> None:
    command = COMMANDS[path]
    known = {name for param in command.params for name in param.opts}
    assert isinstance(command, Command)
    used = {name for example in command.examples for name in re.findall(r"(?<!\S)(--[a-z-]+)", example)}
    assert used <= known


def test_the_intervals_of_the_sweeps_are_those_of_the_worker() -> None:
    told: dict[str, timedelta] = {}
    words = {"second": 1, "minute": 60, "hour": 3600}
    for names, count, unit in re.findall(
        r"^\| ([a-z, ]+) \| (\d*) ?(second|minute|hour)s? \|$", DOCUMENT, re.MULTILINE
    ):
        every = timedelta(seconds=int(count or 1) * words[unit])
        told |= {name.strip().replace(" ", "_"): every for name in names.split(",")}
    assert told == {name: every for name, (every, _) in SCHEDULE.items()}
