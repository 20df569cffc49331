"""Customers from a table: upload or paste, look at what it would do row by row, then do exactly that."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import Any, Final

from flask import Response, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from sqlalchemy.orm import Session

from registry.domain.customer_import import CLEARED, TERMS_BY_COLUMN, ImportPlan, PlannedRow, RowFate
from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.people import TeamRole
from registry.i18n import say_problem
from registry.readers.customer_table import (
    COLUMNS,
    LONGEST_FILE,
    MOST_ROWS,
    CustomerTable,
    TableRow,
    read_customer_table,
)
from registry.steps.customer_import import ImportOutdated, apply_import, plan_import
from registry.tables import Publisher
from registry.web.current import wiring
from registry.web.team.access import Desk, screen
from registry.web.team.customer_words import TERMS
from registry.web.team.frame import Page, errors_of, go, private, show, status_of

LONGEST_UPLOAD: Final = LONGEST_FILE + 64 * 1024
"""Bytes: the file, and what a form has besides."""
LONGEST_KEPT: Final = 450_000
"""Bytes. What is shown goes back with the form, since nothing is stored before it is applied; a form's field takes
500,000."""
KEPT_SECONDS: Final = 12 * 3_600
ROWS_SHOWN: Final = 100

COLUMN_WORDS: Final = {
    "key": "By which a customer stays known: small letters, digits and hyphens. Needed in every row.",
    "name": "Of the company. Needed for a customer that is new.",
    "contract_from": "First day of the contract, such as 2026-01-31 or 31.01.2026.",
    "contract_until": f"Last day of the contract; {CLEARED} for none.",
    "products": "Keys of the products it uses, with ; between them; all for all.",
    "contacts": "E-mail addresses with ; between them, in the order of telling. Name <address> gives a name too.",
    **{column: TERMS[term].label for column, term in TERMS_BY_COLUMN.items()},
}
_ORDER: Final = (RowFate.REFUSED, RowFate.CHANGED, RowFate.NEW, RowFate.SAME)


@dataclass(frozen=True)
class ShownRow:
    """A row of the preview, with its sentences."""

    row: PlannedRow
    problems: list[str]
    warnings: list[str]


@screen("/customers/import", TeamRole.EDITOR)
def import_customers(desk: Desk) -> Any:
    """Explain how a table is imported, and take one."""
    return _show_start({}, 200)


@screen("/customers/import/template.csv", TeamRole.EDITOR)
def import_template(desk: Desk) -> Any:
    """Give an empty table to fill in, for a spreadsheet."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=";", lineterminator="\r\n").writerow(COLUMNS)
    response = private(b"\xef\xbb\xbf" + text.getvalue().encode(), content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = 'attachment; filename="customers.csv"'
    return response


@screen("/customers/import/preview", TeamRole.EDITOR, get=False, longest_body=LONGEST_UPLOAD)
def preview_customers(desk: Desk) -> Any:
    """Show what a table would do. Nothing is written."""
    try:
        table = _table_given(desk)
    except InvalidInput as error:
        return _show_start({"file": _place(error)}, 400)
    return _show_preview(desk, table)


@screen("/customers/import/apply", TeamRole.EDITOR, get=False, longest_body=LONGEST_UPLOAD)
def apply_customers(desk: Desk) -> Any:
    """Do what was shown, all of it or nothing."""
    try:
        table = _unpack(desk, request.form.get("table", ""))
    except InvalidInput as error:
        return _show_start({"file": _place(error)}, 400)
    try:
        with desk.writing() as (session, publisher):
            plan = apply_import(
                session,
                desk.now,
                publisher,
                table,
                request.form.get("digest", ""),
                desk.actor,
                without_refused=bool(request.form.get("without_refused")),
            )
    except RegistryError as error:
        return _show_preview(desk, table, error)
    counts = {fate: len(plan.of(fate)) for fate in RowFate}
    return go(
        "customers",
        said=f"The table is on record: {counts[RowFate.NEW]} customers are new, {counts[RowFate.CHANGED]} changed, "
        f"{counts[RowFate.SAME]} were as they are, {counts[RowFate.REFUSED]} rows were left out.",
    )


def _table_given(desk: Desk) -> CustomerTable:
    if request.form.get("table"):
        return _unpack(desk, request.form["table"])
    upload = request.files.get("file")
    pasted = request.form.get("pasted", "")
    if upload is not None and upload.filename:
        with upload.stream as file:
            return read_customer_table(file.read(LONGEST_FILE + 1))
    if pasted.strip():
        return read_customer_table(pasted.encode("utf-8", "replace"))
    raise InvalidInput([Problem("file", None, "table-empty")])


def _show_start(errors: dict[str, str], status: int) -> Response:
    return show(
        "team/customers/import.html",
        status,
        errors=errors,
        values=request.form,
        columns=[(name, COLUMN_WORDS[name]) for name in COLUMNS],
        most_rows=MOST_ROWS,
        megabytes=LONGEST_FILE // 2**20,
        cleared=CLEARED,
    )


def _show_preview(desk: Desk, table: CustomerTable, error: RegistryError | None = None) -> Response:
    kept = _pack(desk, table)
    if len(kept) > LONGEST_KEPT:
        refusal = InvalidInput([Problem("file", None, "table-too-large-at-once")])
        return _show_start({"file": _place(refusal)}, 400)
    with desk.reading() as (session, publisher):
        plan = _plan(session, desk, publisher, table)
    ordered = sorted(plan.rows, key=lambda row: (_ORDER.index(row.fate), not row.warnings, row.line))
    number = _page_asked(len(ordered))
    shown = ordered[(number - 1) * ROWS_SHOWN : number * ROWS_SHOWN]
    is_outdated = isinstance(error, ImportOutdated)
    return show(
        "team/customers/preview.html",
        status_of(error) if error else 200,
        table=table,
        kept=kept,
        digest=plan.digest,
        counts={fate.value: len(plan.of(fate)) for fate in RowFate},
        warned=sum(bool(row.warnings) for row in plan.rows),
        page=Page([_say(row) for row in shown], number, number * ROWS_SHOWN < len(ordered)),
        errors=errors_of(error) if error else {},
        is_outdated=is_outdated,
    )


def _plan(session: Session, desk: Desk, publisher: Publisher, table: CustomerTable) -> ImportPlan:
    return plan_import(session, desk.now, publisher, table)


def _page_asked(rows: int) -> int:
    text = request.form.get("page", "1")
    last = max(1, -(-rows // ROWS_SHOWN))
    return min(max(int(text), 1), last) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def _say(row: PlannedRow) -> ShownRow:
    problems = [f"{problem.field}: {say_problem(problem)}" for problem in row.problems]
    return ShownRow(row, problems, [say_problem(warning) for warning in row.warnings])


def _place(error: InvalidInput) -> str:
    problem = error.problems[0]
    return f"Line {problem.line}: {say_problem(problem)}" if problem.line else say_problem(problem)


def _serializer(desk: Desk) -> URLSafeTimedSerializer:
    # Signed for this publisher alone: what comes back is what was shown, and was read within its limits.
    return URLSafeTimedSerializer(wiring().secret_key, salt=f"customer-table-{desk.here.row.id}")


def _pack(desk: Desk, table: CustomerTable) -> str:
    rows = [[row.line, *(row.cells[name] for name in table.columns)] for row in table.rows]
    packed = _serializer(desk).dumps([table.columns, rows, table.encoding, table.delimiter, table.ignored])
    return packed if isinstance(packed, str) else packed.decode("ascii")


def _unpack(desk: Desk, packed: str) -> CustomerTable:
    """Return the table that `_pack` packed. Raises `InvalidInput` where it did not, or half a day ago."""
    try:
        columns, rows, encoding, delimiter, ignored = _serializer(desk).loads(packed, max_age=KEPT_SECONDS)
    except BadSignature:
        raise InvalidInput([Problem("file", None, "table-not-kept")]) from None
    return CustomerTable(
        tuple(columns),
        tuple(TableRow(line, dict(zip(columns, cells, strict=True))) for line, *cells in rows),
        encoding,
        delimiter,
        tuple(ignored),
    )
