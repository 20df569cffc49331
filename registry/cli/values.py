"""Values people type on a command line: days, instants and files."""

from __future__ import annotations

import re
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import BinaryIO

import click

from registry import clock
from registry.cli.invocation import Refusal
from registry.domain.notices import FURTHEST_AHEAD
from registry.steps.record_outcome import EARLIEST

STANDARD_INPUT = STANDARD_OUTPUT = "-"
NO_INPUT = "Standard input is closed, so there is nothing to read. Start the command with one, such as < FILE."
NUMBER = click.IntRange(1, 2**63 - 1)
"""The number of a row: what is larger no database could look up."""


class LocalDate(click.ParamType[date]):
    """A calendar date, written 2026-11-21. Which zone it is local to, the option says."""

    name = "date"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """Return the date, or fail with what would do."""
        if isinstance(value, date):
            return value
        text = str(value).strip()
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            self.fail(f"“{text}” is no date. Write year, month and day, such as 2026-11-21.", param, ctx)
        try:
            return date.fromisoformat(text)
        except ValueError:
            self.fail(f"“{text}” is no day of the calendar. Write a date that exists.", param, ctx)


class Instant(click.ParamType[datetime]):
    """An instant with its offset, such as 2026-11-21T09:00+01:00; it becomes UTC (R37).

    One long before any registry, or too far ahead, is a slip, and near the ends of the calendar not every zone has it.
    """

    name = "instant"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the instant in UTC, or fail with what would do. A time without an offset is nobody's instant."""
        if isinstance(value, datetime):
            return value
        text = str(value).strip()
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            self.fail(f"“{text}” is no time. Write it as 2026-11-21T09:00+01:00, or end it in Z for UTC.", param, ctx)
        if at.tzinfo is None:
            shown = f"{text}T09:00" if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII) else text
            self.fail(
                f"“{text}” has no offset, so it could mean another instant in every zone. Write {shown}+01:00 with the "
                f"offset that is meant, or {shown}Z for UTC.",
                param,
                ctx,
            )
        latest_at = clock.now() + FURTHEST_AHEAD
        if not EARLIEST <= at <= latest_at:
            self.fail(f"“{text}” is not between {EARLIEST:%Y-%m-%d} and {latest_at:%Y-%m-%d}. Correct it.", param, ctx)
        return at.astimezone(UTC)


FILE_NAME = click.Path(readable=False, allow_dash=True)
"""The name of a file, of any bytes, or -; whether it can be read shows when it is."""
LOCAL_DATE = LocalDate()
INSTANT = Instant()


def standard_input() -> BinaryIO:
    """Return standard input, or refuse where whoever started the command closed it."""
    if sys.stdin is None:
        raise Refusal(NO_INPUT)
    return sys.stdin.buffer


def read_input(name: str) -> tuple[bytes, str]:
    """Return the bytes of a file, or of standard input for `-`, and what to call it in messages."""
    if name == STANDARD_INPUT:
        return standard_input().read(), "standard input"
    try:
        return Path(name).read_bytes(), name
    except OSError as error:
        raise Refusal(f"{name} cannot be read: {error.strerror}.") from error


def read_text(name: str) -> str:
    """Return what a file says, or standard input for `-`, as UTF-8."""
    return _decode(*read_input(name))


def read_line() -> str:
    """Return the first line of standard input, as UTF-8, without the blanks around it."""
    return _decode(standard_input().readline(), "standard input").strip()


def _decode(data: bytes, shown: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refusal(f"{shown} is not written in UTF-8. Save it as UTF-8.") from error


def write_output(path: Path, data: bytes) -> None:
    """Write a whole file, or leave what was there as it is. A link stays one, and a device or a pipe is written to."""
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)
            return
        file = path.resolve()
        draft = file.with_name(f".{file.name}.part")
        try:
            draft.write_bytes(data)
            draft.replace(file)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise Refusal(f"{path} cannot be written: {error.strerror}.") from error
    except RuntimeError as error:
        raise Refusal(f"{path} cannot be written: it is a link that leads to itself.") from error
