"""One run of a command: what it works on, who acts, and the frame every command shares (--json, --debug, --help)."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

import click

from registry import clock
from registry.domain.text import LINE_LENGTH, find_unclean
from registry.settings import Settings
from registry.steps.approvals import COMMAND_LINE
from registry.steps.record import Actor
from registry.wiring import Wiring, wire

Function = TypeVar("Function", bound=Callable[..., Any])


class Refusal(Exception):
    """The command cannot do what was asked. The text is one sentence or more, for the person who asked."""


@dataclass
class Invocation:
    """What one run of a command knows.

    `now` (UTC) is read once, so that all it records carries one instant. `environ` is its own copy of the process's
    environment.
    """

    as_json: bool = False
    now: datetime = field(default_factory=clock.now)
    environ: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    @cached_property
    def settings(self) -> Settings:
        """The settings of this process. Raises `BadSettings`."""
        return Settings.from_env(self.environ)

    @cached_property
    def unchecked(self) -> Wiring:
        """The installation's parts, whatever state its database is in."""
        return wire(self.settings)

    @cached_property
    def wiring(self) -> Wiring:
        """The installation's parts, on a database with this release's schema.

        Raises `SchemaMissing`, `SchemaOutdated`, `SchemaNewer` or `DatabaseUnreachable`.
        """
        self.unchecked.check_schema()
        return self.unchecked

    def close(self) -> None:
        """Let go of the database."""
        if "unchecked" in self.__dict__:
            self.unchecked.engine.dispose()

    def actor(self, acting_as: str | None) -> Actor:
        """Return who acts: the name claimed by `--as`, else the operating system's user; recorded with that user (R16).

        An e-mail address is taken in small letters, so that nobody approves their own work by writing it otherwise.
        """
        login = login_name()
        name = login if acting_as is None else acting_as.strip()
        if not name or len(name) > LINE_LENGTH or "\n" in name or "\t" in name or find_unclean(name):
            raise Refusal("--as takes one name or e-mail address, such as anna@company.example.")
        return Actor(name.lower() if "@" in name else name, COMMAND_LINE, login)


def login_name() -> str:
    """Return the operating system's name of the user this process runs as; a bare number has none in a container."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _set_json(context: click.Context, _: click.Parameter, value: bool) -> None:
    context.ensure_object(Invocation).as_json = value


def _refuse_unless_utf_8(context: click.Context, param: click.Parameter, value: str) -> None:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(value).decode("utf-8", "backslashreplace")
        said = f"“{shown}” is not UTF-8. Set the terminal, or the script it comes from, to UTF-8, and write it again."
        raise click.BadParameter(said, context, param) from error


class Command(click.Command):
    """A command of the house: with `--json` and `--debug`, and examples at the end of its help."""

    def __init__(self, *args: Any, examples: Sequence[str] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.examples = tuple(examples)
        self.params += [
            click.Option(
                ["--json"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                callback=_set_json,
                help="Answer in JSON, for machines.",
            ),
            click.Option(
                ["--debug"],
                is_flag=True,
                is_eager=True,
                expose_value=False,
                help="Show where an error arose, in full.",
            ),
        ]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; each is text in UTF-8, save the names of files, which may be any bytes."""
        rest = super().parse_args(ctx, args)
        for param in self.params:
            given = ctx.params.get(param.name or "")
            for value in given if isinstance(given, tuple) else (given,):
                if isinstance(value, str) and not isinstance(param.type, click.Path):
                    _refuse_unless_utf_8(ctx, param, value)
        return rest

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, each on a line of its own."""
        if self.examples:
            with formatter.section("Examples"):
                for example in self.examples:
                    formatter.write(f"{'':{formatter.current_indent}}{example}\n")


class Section(click.Group):
    """A group of commands about one noun."""

    command_class = Command
    group_class = type


pass_invocation = click.make_pass_decorator(Invocation)


def publisher_option(function: Function) -> Function:
    """Add `--publisher`, the slug of the publisher that is meant."""
    return click.option("--publisher", "publisher_slug", required=True, metavar="P", help="The publisher's slug.")(
        function
    )


def as_option(function: Function) -> Function:
    """Add `--as`, the person in whose name the command acts."""
    return click.option(
        "--as",
        "acting_as",
        metavar="EMAIL",
        help="Who acts, if not the user of this machine. Recorded as claimed by that user.",
    )(function)
