"""The record as a file, written while it is read, so that no length of it is too long."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from registry.queries.record import Act, Names, RecordFilter, each_act, load_names
from registry.tables import Publisher
from registry.web.team.record_rows import show_value, split_actor
from registry.web.team.record_sentences import say_act

FORMATS: Final = {"csv": "text/csv; charset=utf-8", "json": "application/json; charset=utf-8"}
COLUMNS: Final = (
    "number",
    "at",
    "actor",
    "by",
    "login",
    "kind",
    "what",
    "subject_kind",
    "subject",
    "subject_name",
    "details",
    "session",
    "address",
    "browser",
)
_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def write_record(
    session: Session,
    publisher: Publisher,
    wanted: RecordFilter,
    *,
    form: str,
    exported_at: datetime,
    up_to: int,
    with_sign_ins: bool,
) -> Iterator[str]:
    """Yield the acts that are meant as CSV or JSON (`form`), piece by piece, the newest first, up to the act `up_to`.

    Instants are UTC and end in Z. CSV begins with a byte order mark, for Excel; a cell that a spreadsheet would run as
    a formula begins with an apostrophe.
    """
    batches = (
        [_row(act, load) for act in acts]
        for acts in each_act(session, publisher, wanted, with_sign_ins=with_sign_ins, up_to=up_to)
        for load in [load_names(session, publisher, acts)]
    )
    if form == "csv":
        yield "\ufeff" + _csv_lines([COLUMNS])
        for rows in batches:
            yield _csv_lines([[_cell(row[column]) for column in COLUMNS] for row in rows])
        return
    head = {"publisher": publisher.slug, "exported_at": _stamp(exported_at), "up_to": up_to}
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "acts": ['
    is_first = True
    for rows in batches:
        lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        yield ("\n" if is_first else ",\n") + lines
        is_first = False
    yield "\n]}\n"


def _row(act: Act, names: Names) -> dict[str, Any]:
    actor, via, login = split_actor(act.actor)
    values = {name: show_value(value) for name, value in act.payload.items()}
    number = act.payload.get("customer_id")
    customer = names.customers.get(number) if isinstance(number, int) else None
    if customer is not None:
        values["customer"] = customer[1]
    person = names.people.get(act.subject) if act.subject_kind == "person" else None
    if person is not None:
        values["person"] = person
    return {
        "number": act.id,
        "at": _stamp(act.at),
        "actor": actor,
        "by": via,
        "login": login,
        "kind": act.kind,
        "what": say_act(act.kind, values),
        "subject_kind": act.subject_kind,
        "subject": act.subject,
        "subject_name": person or (customer[1] if customer is not None else None),
        "details": act.payload,
        "session": act.sign_in_id,
        "address": act.address,
        "browser": act.agent,
    }


def _stamp(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def _csv_lines(rows: Any) -> str:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, dict) else str(value)
    return f"'{text}" if text.startswith(_STARTS_A_FORMULA) else text
