"""Deliveries and customers' standing as CSV, for whoever keeps them outside: streamed, and on record.

A file is made by a POST, since who took addresses out of the house goes on record, and no GET writes.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import Response
from sqlalchemy.orm import Session

from registry.domain.people import TeamRole
from registry.queries.deliveries import (
    DeliveryFilter,
    choose_deliveries,
    count_progress,
    describe_deliveries,
    read_listed,
)
from registry.queries.delivery_customers import choose_standings, read_standing
from registry.steps.lookup import get_notice
from registry.steps.record import record_event
from registry.tables import Delivery, Notice
from registry.tables.engine import reading
from registry.web.current import wiring
from registry.web.team import delivery_words as say
from registry.web.team.access import Desk, screen
from registry.web.team.frame import show

ROWS_AT_ONCE: Final = 500
CSV: Final = "text/csv; charset=utf-8"
BYTE_ORDER_MARK: Final = "\ufeff"
"""Without it Excel takes the file for another encoding and spoils every name with an accent."""
_STARTS_A_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")

DELIVERY_COLUMNS: Final = (
    "delivery",
    "statement",
    "kind",
    "audience",
    "customer_key",
    "customer_name",
    "address",
    "channel",
    "state",
    "not_sent_because",
    "note",
    "tries",
    "possible_duplicate",
    "message_id",
    "made_at",
    "made_on",
    "last_try_at",
    "last_try_on",
    "last_answer",
    "last_code",
    "last_words",
    "accepted_at",
    "accepted_on",
    "delivered_at",
    "delivered_on",
)
STANDING_COLUMNS: Final = (
    "customer_key",
    "customer_name",
    "standing",
    "basis",
    "time_zone",
    "notice_days",
    "objection_days",
    "received_at",
    "received_on",
    "clock_has_run_at",
    "clock_has_run_on",
    "objections_until_at",
    "objections_until_on",
    "own_approval_needed",
    "own_approval_at",
    "own_approval_on",
)

Cells = Iterable[object]


@screen("/notices/<number>/deliveries/files", TeamRole.VIEWER)
def delivery_files(desk: Desk, number: str) -> Any:
    """Show which files there are of a notice's delivery."""
    with desk.reading() as (session, publisher):
        notice = get_notice(session, publisher, number)
    return show("team/deliveries/files.html", notice=notice, zone=publisher.facts["time_zone"], with_addresses=False)


@screen("/notices/<number>/deliveries/files/addresses", TeamRole.APPROVER, is_fresh=True)
def delivery_addresses(desk: Desk, number: str) -> Any:
    """Show the file with addresses, to whoever proved lately who they are."""
    with desk.reading() as (session, publisher):
        notice = get_notice(session, publisher, number)
    return show("team/deliveries/files.html", notice=notice, zone=publisher.facts["time_zone"], with_addresses=True)


@screen("/notices/<number>/deliveries/files/deliveries", TeamRole.VIEWER, get=False)
def deliveries_file(desk: Desk, number: str) -> Any:
    """Hand out a notice's deliveries without addresses."""
    return _send(desk, number, "deliveries", DELIVERY_COLUMNS, _deliveries(has_addresses=False))


@screen("/notices/<number>/deliveries/files/deliveries-with-addresses", TeamRole.APPROVER, get=False, is_fresh=True)
def deliveries_file_with_addresses(desk: Desk, number: str) -> Any:
    """Hand out a notice's deliveries with the addresses that were not erased."""
    rows = _deliveries(has_addresses=True)
    return _send(desk, number, "deliveries-with-addresses", DELIVERY_COLUMNS, rows, has_addresses=True)


@screen("/notices/<number>/deliveries/files/customers", TeamRole.VIEWER, get=False)
def standings_file(desk: Desk, number: str) -> Any:
    """Hand out how a notice's customers stand; it holds no address."""
    return _send(desk, number, "customers", STANDING_COLUMNS, _standings)


Rows = Callable[[Session, Notice, str], Iterator[Cells]]


def _send(
    desk: Desk, number: str, what: str, columns: tuple[str, ...], rows: Rows, *, has_addresses: bool = False
) -> Response:
    with desk.writing() as (session, publisher):
        notice = get_notice(session, publisher, number)
        record_event(
            session,
            desk.now,
            desk.actor,
            "deliveries.downloaded",
            subject=("notice", notice.number),
            publisher_id=publisher.id,
            file=what,
            has_addresses=has_addresses,
        )
        zone = publisher.facts["time_zone"]
    engine = wiring().engine

    def lines() -> Iterator[str]:
        yield BYTE_ORDER_MARK + _line(columns)
        # A session of its own: the request's is closed by the time that this is asked for more.
        with reading(engine) as session:
            for cells in rows(session, notice, zone):
                yield _line(cells)

    answer = Response(lines(), content_type=CSV)
    answer.cache_control.no_store = True
    name = f"{desk.slug}-{number}-{what}.csv"
    answer.headers.set("Content-Disposition", "attachment", filename=name)
    return answer


def _deliveries(*, has_addresses: bool) -> Rows:
    def rows(session: Session, notice: Notice, zone: str) -> Iterator[Cells]:
        chosen = choose_deliveries(count_progress(session, notice), DeliveryFilter()).subquery()
        query = describe_deliveries().join(chosen, chosen.c.id == Delivery.id).order_by(Delivery.id)
        for row in session.execute(query.execution_options(yield_per=ROWS_AT_ONCE)):
            each = read_listed(row)
            words = each.answer or ""
            yield (
                each.id,
                each.seq,
                each.kind,
                each.audience,
                each.customer_key,
                each.customer_name,
                each.address if has_addresses else "",
                each.channel,
                each.state,
                each.skip_reason,
                each.note,
                each.tries,
                "yes" if each.possible_duplicate else "no",
                each.message_id,
                *_instant(each.created_at, zone),
                *_instant(each.tried_at, zone),
                each.answer_class,
                each.code,
                words if has_addresses else say.mask_in(words, each.address),
                *_instant(each.accepted_at, zone),
                *_instant(each.delivered_at, zone),
            )

    return rows


def _standings(session: Session, notice: Notice, _: str) -> Iterator[Cells]:
    query = choose_standings(notice).execution_options(yield_per=ROWS_AT_ONCE)
    for row in session.execute(query):
        each = read_standing(notice, *row)
        own, terms = each.zone, each.terms
        yield (
            each.key,
            each.name,
            each.state,
            each.basis,
            own,
            terms.days if terms else None,
            terms.objection_days if terms else None,
            *_instant(each.received_at, own),
            *_instant(each.earliest_at, own),
            *_instant(each.objection_ends_at, own),
            terms and ("yes" if terms.authorisation == "specific" else "no"),
            *_instant(each.approved_at, own),
        )


def _instant(at: datetime | None, zone: str) -> tuple[str, str]:
    """Return an instant in UTC (ISO 8601), and its date in a zone."""
    if at is None:
        return "", ""
    instant = at.isoformat(timespec="seconds").replace("+00:00", "Z")
    return instant, at.astimezone(ZoneInfo(zone)).date().isoformat()


def _line(cells: Cells) -> str:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\r\n").writerow([_harmless("" if cell is None else str(cell)) for cell in cells])
    return text.getvalue()


def _harmless(cell: str) -> str:
    """Keep a spreadsheet from running a cell as a formula."""
    return f"'{cell}" if cell.startswith(_STARTS_A_FORMULA) else cell
