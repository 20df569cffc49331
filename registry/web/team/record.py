"""The record: who did what and when, to be searched, and to be taken away as a file."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from flask import Response, request, stream_with_context
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput, Problem
from registry.domain.people import TeamRole
from registry.queries.people import list_addresses
from registry.queries.record import Act, RecordFilter, list_acts, load_names
from registry.steps.record import record_event
from registry.tables import Publisher
from registry.tables.engine import reading
from registry.web.current import wiring
from registry.web.team.access import Desk, screen
from registry.web.team.frame import PAGE_SIZE, errors_of, show, to
from registry.web.team.record_export import FORMATS, write_record
from registry.web.team.record_filter import FIELDS, read_filter
from registry.web.team.record_rows import make_row
from registry.web.team.record_sentences import AREAS, SENTENCES, SUBJECTS

MOST_SUGGESTED: Final = 50


@screen("/record/", TeamRole.VIEWER)
def record(desk: Desk) -> Any:
    """Show the record, the newest first, as far as the filters in the address let it."""
    errors: dict[str, str] = {}
    before = _read_before()
    with desk.reading() as (session, publisher):
        zone = publisher.facts["time_zone"]
        acts: list[Act] = []
        wanted = RecordFilter()
        try:
            wanted = read_filter(request.args, zone)
            acts = list_acts(
                session,
                publisher,
                wanted,
                with_sign_ins=desk.may(TeamRole.OWNER),
                before=before,
                limit=PAGE_SIZE + 1,
            )
        except InvalidInput as error:
            errors = errors_of(error)
        names = load_names(session, publisher, acts)
        suggested = list_addresses(session, publisher, MOST_SUGGESTED)
    rows = [
        make_row(act, names, may_see_origin=desk.may(TeamRole.APPROVER), may_see_people=desk.may(TeamRole.OWNER))
        for act in acts[:PAGE_SIZE]
    ]
    given = {name: request.args[name] for name in FIELDS if request.args.get(name)}
    return show(
        "team/record/list.html",
        status=400 if errors else 200,
        errors=errors,
        values=given,
        rows=rows,
        zone=zone,
        is_filtered=bool(given),
        suggested=suggested,
        kinds=_kind_choices(given.get("kind")),
        subjects=SUBJECTS,
        first_page=to("record", **given) if before is not None else None,
        next_page=to("record", **given, before=rows[-1].id) if len(acts) > PAGE_SIZE else None,
        export=to("record_export", **given) if desk.may(TeamRole.APPROVER) and not errors else None,
    )


@screen("/record/export", TeamRole.APPROVER, post=True, is_fresh=True)
def record_export(desk: Desk) -> Any:
    """Say what would be in the file, and hand it out; that somebody took it is on record itself."""
    given = request.form if request.method == "POST" else request.args
    try:
        if request.method == "GET":
            with desk.reading() as (_, publisher):
                zone = publisher.facts["time_zone"]
            read_filter(given, zone)
            return _show_export(desk, given)
        form = given.get("format", "")
        if form not in FORMATS:
            raise InvalidInput([Problem("format", form, "unknown-choice", {"expected": "csv or json"})])
        with desk.writing() as (session, publisher):
            zone = publisher.facts["time_zone"]
            wanted = read_filter(given, zone)
            up_to = _record_export(session, desk, publisher, given, form)
    except InvalidInput as error:
        return _show_export(desk, given, errors_of(error))
    with_sign_ins = desk.may(TeamRole.OWNER)
    publisher_id, at = desk.here.row.id, desk.now
    engine = wiring().engine

    def stream() -> Any:
        with reading(engine) as session:
            publisher = session.get_one(Publisher, publisher_id)
            yield from write_record(
                session, publisher, wanted, form=form, exported_at=at, up_to=up_to, with_sign_ins=with_sign_ins
            )

    answer = Response(stream_with_context(stream()), content_type=FORMATS[form])
    answer.cache_control.no_store = True
    answer.headers.set("Content-Disposition", "attachment", filename=_file_name(desk, at, form))
    return answer


def _record_export(session: Session, desk: Desk, publisher: Publisher, given: Any, form: str) -> int:
    """Put on record that the record is taken away; return the number of that act, which is the last one taken."""
    # Whose acts were looked for names people, and so is no matter of the payload (R39).
    filters = {name: given[name].strip() for name in FIELDS if given.get(name, "").strip()}
    payload = {name: value for name, value in filters.items() if name not in {"actor", "subject"}}
    event = record_event(
        session,
        desk.now,
        desk.actor,
        "record.exported",
        subject=("publisher", publisher.slug),
        publisher_id=publisher.id,
        format=form,
        filtered_by=sorted(filters),
        **{f"filter_{name}": value for name, value in payload.items()},
    )
    session.flush()
    return event.id


def _show_export(desk: Desk, given: Any, errors: dict[str, str] | None = None) -> Any:
    filters = {name: given[name] for name in FIELDS if given.get(name)}
    return show(
        "team/record/export.html",
        status=400 if errors else 200,
        errors=errors or {},
        filters=filters,
        labels=_LABELS,
        with_sign_ins=desk.may(TeamRole.OWNER),
        back=to("record", **filters),
    )


_LABELS: Final = {
    "actor": "Who",
    "kind": "What",
    "subject_kind": "About what",
    "subject": "Which",
    "from": "From",
    "to": "To",
}


def _kind_choices(chosen: str | None) -> list[tuple[str, list[tuple[str, str]]]]:
    groups = [
        (
            label,
            [
                (area, f"{label}: all"),
                *((kind, _say_kind(kind)) for kind in SENTENCES if kind.partition(".")[0] == area),
            ],
        )
        for area, label in AREAS
    ]
    known = {value for _, choices in groups for value, _ in choices}
    if chosen and chosen not in known:
        groups.insert(0, ("Another kind", [(chosen, chosen)]))
    return groups


def _say_kind(kind: str) -> str:
    return kind.partition(".")[2].replace("_", " ")


def _read_before() -> int | None:
    text = request.args.get("before", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _file_name(desk: Desk, at: datetime, form: str) -> str:
    return f"{desk.slug}-record-{at:%Y%m%dT%H%M%SZ}.{form}"
