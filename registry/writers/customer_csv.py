"""Customers and their contacts as CSV, for a spreadsheet and for an import of the same table."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """Return a table as CSV in UTF-8, parted by semicolons: as spreadsheets in Europe and the import here take it.

    A byte order mark comes first, because Excel takes a file without one for another encoding. A cell that a
    spreadsheet would run as a formula begins with an apostrophe.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow(f"'{cell}" if cell.startswith(_STARTS_A_FORMULA) else cell for cell in row)
    return b"\xef\xbb\xbf" + text.getvalue().encode("utf-8", "replace")
