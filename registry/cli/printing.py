"""What commands print: tables, days in words and ISO, and the same facts as JSON."""

from __future__ import annotations

import dataclasses
import json
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from babel import Locale
from babel.dates import format_date

from registry.domain.notices import SHORTEST_TIME, local_date
from registry.letters.wording import say_deadline, say_instant

GAP = "  "


def print_json(document: object) -> None:
    """Print one JSON document. Instants are UTC and end in Z; dates are local to the zone named beside them."""
    click.echo(json.dumps(plain(document), ensure_ascii=False, indent=2))


def plain(value: object) -> Any:
    """Return a value as JSON has it."""
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(member) for member in value]
    return value


def print_lines(lines: Iterable[str]) -> None:
    """Print lines of text."""
    for line in lines:
        click.echo(line)


def print_progress(text: str) -> None:
    """Say on standard error what is being done, where somebody is watching a terminal."""
    if sys.stderr is not None and sys.stderr.isatty():
        click.echo(text, err=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], indent: str = "") -> list[str]:
    """Return rows under headings, their columns aligned by the width that terminals give each character."""
    cells = [list(headings), *([str(cell) for cell in row] for row in rows)]
    widths = [max(width_of(row[column]) for row in cells) for column in range(len(headings))]
    lines = []
    for row in cells:
        padded = [cell + " " * (width - width_of(cell)) for cell, width in zip(row, widths, strict=True)]
        lines.append(indent + GAP.join(padded).rstrip())
    return lines


def width_of(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "FW" else 1
        for character in text
    )


def say_at(at: datetime | None, zone: str, otherwise: str = "not yet") -> str:
    """Return an instant in words and ISO, in a zone that is named."""
    return say_instant(at, zone) if at is not None else otherwise


def say_end(at: datetime, zone: str) -> str:
    """Return the end of a period, which is the first instant after it, as the last day that counts (R9)."""
    return say_deadline(local_date(at - SHORTEST_TIME, zone), zone)


def stamp(at: datetime | None, zone: str, otherwise: str = "–") -> str:
    """Return an instant for a table, to the second: "Sat 31 Oct 2026, 00:00:05 (2026-10-31T00:00:05+01:00)"."""
    if at is None:
        return otherwise
    local = at.astimezone(ZoneInfo(zone))
    words = format_date(local.date(), "EEE d MMM y", locale=Locale.parse("en_GB"))
    return f"{words}, {local:%H:%M:%S} ({local.isoformat(timespec='seconds')})"


def short_day(on: date | None, otherwise: str = "–") -> str:
    """Return a local date for a table: "Sat 31 Oct 2026 (2026-10-31)"."""
    if on is None:
        return otherwise
    return f"{format_date(on, 'EEE d MMM y', locale=Locale.parse('en_GB'))} ({on.isoformat()})"


def count_of(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: "1 letter", "2 letters"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def one_line(words: str) -> str:
    """Return what people wrote as one line for a terminal, in which what cannot be shown is escaped."""
    folded = " ".join(words.split())
    return "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in folded)


def words_of(code: str) -> str:
    """Return a word of a fixed vocabulary as people read it."""
    return code.replace("_", " ")
