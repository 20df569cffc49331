"""A table of customers from a spreadsheet, as text: which cells stand in which row, and nothing of what they mean.

Spreadsheets write CSV in several encodings and with several delimiters; which ones were found is told, so that somebody
whose names come out wrong knows why.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from registry.domain.errors import InvalidInput, Problem
from registry.domain.validation import find_near

LONGEST_FILE: Final = 2 * 1024 * 1024
"""Bytes."""
MOST_ROWS: Final = 5_000
LONGEST_CELL: Final = 5_000

COLUMNS: Final = (
    "key",
    "name",
    "time_zone",
    "contract_from",
    "contract_until",
    "products",
    "contacts",
    "language",
    "notice_days",
    "objection_days",
    "counting",
    "roll_to_working_day",
    "holidays",
    "authorisation",
    "objection",
    "clock_starts_on",
)
"""The columns of the table in the order of the template; a file may leave out all but the first."""

_ALSO_CALLED: Final[Mapping[str, str]] = {
    "customer": "key",
    "customer_key": "key",
    "company": "name",
    "timezone": "time_zone",
    "zone": "time_zone",
    "product": "products",
    "contact": "contacts",
    "email": "contacts",
    "emails": "contacts",
    "e_mail": "contacts",
    "days": "notice_days",
    "authorization": "authorisation",
}
_DELIMITERS: Final = {";": "semicolon", ",": "comma", "\t": "tab"}
_MARKS: Final = (
    (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8"),
    (b"\xff\xfe", "utf-16", "UTF-16"),
    (b"\xfe\xff", "utf-16", "UTF-16"),
)
_STARTS_A_FORMULA: Final = "=+-@"


@dataclass(frozen=True)
class TableRow:
    """One row. `line` is that of the file where it begins, from 1; `cells` are by column, trimmed."""

    line: int
    cells: Mapping[str, str]


@dataclass(frozen=True)
class CustomerTable:
    """A table as it was read. `encoding` and `delimiter` are words for people, `ignored` columns of no use here."""

    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    encoding: str
    delimiter: str
    ignored: tuple[str, ...] = ()


def read_customer_table(data: bytes) -> CustomerTable:
    """Read a table of customers from a CSV file, in UTF-8, UTF-16 or Windows-1252, parted by semicolon, comma or tab.

    An apostrophe that a spreadsheet puts before what it would run as a formula is taken off. Columns that are not
    known are left aside and told. Raises `InvalidInput` naming the field `file`, with the line where there is one.
    """
    if len(data) > LONGEST_FILE:
        raise _refusal(None, "file-too-large", bytes=len(data), limit=LONGEST_FILE)
    text, encoding = _decode(data)
    # What Excel writes to itself about the delimiter.
    announced = re.match(r"\s*sep=([;,\t])\r?\n", text, re.IGNORECASE)
    skipped = 0
    if announced:
        text, skipped = text[announced.end() :], 1
    if not text.strip():
        raise _refusal(None, "table-empty")
    delimiter = announced[1] if announced else _choose_delimiter(text)
    rows = _split(text, delimiter, skipped)
    if not rows:
        raise _refusal(None, "table-empty")
    header_line, header = rows[0]
    columns, ignored = _read_header(header, header_line)
    if len(rows) - 1 > MOST_ROWS:
        raise _refusal(None, "table-too-long", rows=len(rows) - 1, limit=MOST_ROWS)
    read = tuple(TableRow(line, _cells(columns, cells, line)) for line, cells in rows[1:])
    if not read:
        raise _refusal(None, "table-empty")
    return CustomerTable(
        tuple(name for name in columns if name), read, encoding, _DELIMITERS[delimiter], tuple(ignored)
    )


def _decode(data: bytes) -> tuple[str, str]:
    marks = (
        (b"\xef\xbb\xbf", "utf-8-sig", "UTF-8"),
        (b"\xff\xfe", "utf-16", "UTF-16"),
        (b"\xfe\xff", "utf-16", "UTF-16"),
    )
    tried = [(codec, shown) for mark, codec, shown in marks if data.startswith(mark)]
    for codec, shown in tried or [("utf-8", "UTF-8"), ("cp1252", "Windows-1252")]:
        try:
            text = data.decode(codec)
        except UnicodeDecodeError:
            continue
        if "\0" in text:
            break
        return text, shown
    raise _refusal(None, "table-not-text")


def _choose_delimiter(text: str) -> str:
    """Return the delimiter by which the first line holds the most columns that are known, the most columns else."""
    header = next(line for line in text.splitlines() if line.strip())

    def fit(delimiter: str) -> tuple[int, int]:
        names = header.split(delimiter)
        return sum(_name(each) in COLUMNS for each in names), len(names)

    return max(_DELIMITERS, key=fit)


def _split(text: str, delimiter: str, skipped: int) -> list[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows: list[tuple[int, list[str]]] = []
    begins = skipped + 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                rows.append((begins, cells))
            if len(rows) > MOST_ROWS * 4:
                # Counting on would only tell how much more it is.
                break
            begins = skipped + reader.line_num + 1
    except csv.Error:
        raise _refusal(None, "table-broken", begins) from None
    return rows


def _read_header(header: list[str], line: int) -> tuple[list[str], list[str]]:
    columns: list[str] = []
    ignored: list[str] = []
    for cell in header:
        name = _name(cell)
        if name in columns and name:
            raise _refusal(cell.strip(), "table-repeated-column", line)
        columns.append(name if name in COLUMNS else "")
        if name not in COLUMNS and cell.strip():
            ignored.append(cell.strip()[:80])
    if "key" not in columns:
        near = find_near("key", [each.lower() for each in ignored])
        raise _refusal(header[0].strip(), "table-without-keys", line, near=near)
    return columns, ignored


def _name(cell: str) -> str:
    name = re.sub(r"[\s-]+", "_", cell.strip().strip("'\ufeff").lower())
    return _ALSO_CALLED.get(name, name)


def _cells(columns: list[str], cells: list[str], line: int) -> dict[str, str]:
    if len([cell for cell in cells if cell.strip()]) > len(columns):
        raise _refusal(cells[-1][:80], "table-row-too-wide", line, columns=len(columns))
    found = dict.fromkeys((name for name in columns if name), "")
    for name, cell in zip(columns, cells, strict=False):
        if len(cell) > LONGEST_CELL:
            raise _refusal(cell[:80], "too-long", line, max_length=LONGEST_CELL)
        if name:
            found[name] = _without_apostrophe(cell.replace("\r\n", "\n").replace("\r", "\n").strip(" \t\n\u00a0"))
    return found


def _without_apostrophe(cell: str) -> str:
    """Take off what marks a cell as text in a spreadsheet, and leave a name such as “'s Gravenhage” as it is."""
    marked = cell[:1] == "'" and len(cell) > 1 and (cell[1] in _STARTS_A_FORMULA or cell[1].isdigit())
    return cell[1:] if marked else cell


def _refusal(value: object, code: str, line: int | None = None, **params: object) -> InvalidInput:
    return InvalidInput([Problem("file", value, code, params, line)])
