"""How each customer of a notice stands, and what a person records about it: service, exemption, its own approval."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import abort, flash, request
from sqlalchemy.orm import Session

from registry.domain.documents import ENDINGS, TAKEN, DocumentPurpose
from registry.domain.errors import IllegalTransition, InvalidInput, Problem, RegistryError
from registry.domain.people import TeamRole
from registry.domain.standings import StandingState
from registry.queries.deliveries import list_sent_to
from registry.queries.delivery_customers import (
    Standing,
    count_standings,
    find_standing,
    list_standings,
)
from registry.steps.attachments import attach, list_documents
from registry.steps.lookup import get_notice
from registry.steps.record_objection import approve_for_customer, exempt_customer, record_service
from registry.tables import Notice, Publisher
from registry.web.team import delivery_words as say
from registry.web.team.access import Desk, screen
from registry.web.team.deliveries import describe_rows, is_pending
from registry.web.team.documents import LONGEST_UPLOAD, read_upload
from registry.web.team.frame import PAGE_SIZE, cut_page, errors_of, go, page_number, show, status_of
from registry.web.team.notices import say_transition

WAYS: Final = (
    ("post", "By post"),
    ("registered post", "By registered post"),
    ("courier", "By courier"),
    ("in person", "Handed over in person"),
    ("fax", "By fax"),
)
LONGEST_BASIS: Final = 500

Act = Callable[[Session, Publisher, Notice, Standing], None]


@screen("/notices/<number>/customers", TeamRole.VIEWER)
def standings(desk: Desk, number: str) -> Any:
    """Show how the customers of a notice stand."""
    state = request.args.get("state")
    state = state if state in set(StandingState) else None
    with desk.reading() as (session, publisher):
        notice = get_notice(session, publisher, number)
        counts = count_standings(session, notice)
        part = request.args.get("customer", "").strip()[:200]
        rows = list_standings(session, notice, state, part, page_number(), PAGE_SIZE)
    return show(
        "team/deliveries/standings.html",
        notice=notice,
        zone=publisher.facts["time_zone"],
        counts=counts,
        page=cut_page(rows, page_number()),
        choices=[
            (each, f"{say.STANDINGS[each][0].capitalize()} ({counts[each]})")
            for each in StandingState
            if counts.get(each)
        ],
        is_filtered=bool(state or part),
        values=request.args.to_dict(),
        say=say,
    )


@screen("/notices/<number>/customers/<key>", TeamRole.VIEWER)
def standing(desk: Desk, number: str, key: str) -> Any:
    """Show how one customer stands in a notice, what was sent to it, and what can be recorded."""
    with desk.reading() as (session, publisher):
        return _show(desk, session, publisher, number, key)


@screen("/notices/<number>/customers/<key>/served", TeamRole.EDITOR, get=False, longest_body=LONGEST_UPLOAD)
def serve_customer(desk: Desk, number: str, key: str) -> Any:
    """Record service by other means: when, in which way, with its document."""

    def act(session: Session, publisher: Publisher, notice: Notice, found: Standing) -> None:
        served_at = way = document = reference = None
        problems: list[Problem] = []
        # Everything that is wrong at once, so that one correction mends the lot.
        with _collecting(problems):
            way = _read_way()
        with _collecting(problems):
            served_at = _read_served_at(found.zone, desk.now)
        with _collecting(problems):
            reference = _read_line("reference", is_needed=False)
        with _collecting(problems):
            document = _attach(desk, session, publisher, notice, found, DocumentPurpose.SERVICE, "document", True)
        if served_at is None or problems:
            raise InvalidInput(problems)
        basis = ", ".join(each for each in (way, reference, document) if each)
        record_service(session, desk.now, publisher, notice, key, desk.actor, served_at=served_at, document=basis)

    return _do(desk, number, key, act, "serve", "Service by other means is on record, and its clock counts from it.")


@screen("/notices/<number>/customers/<key>/exempt", TeamRole.APPROVER, get=False, longest_body=LONGEST_UPLOAD)
def exempt_from_notice(desk: Desk, number: str, key: str) -> Any:
    """Record that a customer no longer holds the notice, with the basis of it."""

    def act(session: Session, publisher: Publisher, notice: Notice, found: Standing) -> None:
        basis = _read_line("basis")
        document = _attach(desk, session, publisher, notice, found, DocumentPurpose.EXEMPTION, "exempt_document")
        basis = " ".join(each for each in (basis, f"({document})" if document else "") if each)
        exempt_customer(session, desk.now, publisher, notice, key, desk.actor, basis=basis)

    said = "It no longer holds the notice. That is on record as an exemption, neither as receipt nor as consent."
    return _do(desk, number, key, act, "exempt", said)


@screen("/notices/<number>/customers/<key>/approved", TeamRole.EDITOR, get=False, longest_body=LONGEST_UPLOAD)
def record_customer_approval(desk: Desk, number: str, key: str) -> Any:
    """Record a customer's own approval, which its terms ask for."""

    def act(session: Session, publisher: Publisher, notice: Notice, found: Standing) -> None:
        basis = _read_line("approval")
        document = _attach(desk, session, publisher, notice, found, DocumentPurpose.APPROVAL, "approval_document")
        basis = " ".join(each for each in (basis, f"({document})" if document else "") if each)
        approve_for_customer(session, desk.now, publisher, notice, key, desk.actor, basis=basis)

    return _do(desk, number, key, act, "approve", "The customer’s own approval is on record.")


def _do(desk: Desk, number: str, key: str, act: Act, anchor: str, said: str) -> Any:
    try:
        with desk.writing() as (session, publisher):
            notice = get_notice(session, publisher, number)
            act(session, publisher, notice, _get(session, notice, key))
    except IllegalTransition as error:
        with desk.reading() as (session, publisher):
            flash(say_transition(error, get_notice(session, publisher, number)), "error")
        return go("standing", number=number, key=key)
    except RegistryError as error:
        with desk.reading() as (session, publisher):
            return _show(desk, session, publisher, number, key, error, anchor)
    return go("standing", said=said, number=number, key=key)


def _get(session: Session, notice: Notice, key: str) -> Standing:
    found = find_standing(session, notice, key)
    if found is None:
        abort(404)
    return found


def _show(
    desk: Desk,
    session: Session,
    publisher: Publisher,
    number: str,
    key: str,
    error: RegistryError | None = None,
    opened: str | None = None,
) -> Any:
    notice = get_notice(session, publisher, number)
    found = _get(session, notice, key)
    documents = list_documents(session, publisher, "notice", [notice.number], customer_id=found.customer_id)
    sent = list_sent_to(session, notice, found.customer_id)
    return show(
        "team/deliveries/standing.html",
        status=status_of(error) if error is not None else 200,
        errors=_errors_of(error, found.zone) if error is not None else {},
        values=request.form.to_dict() if error is not None else {},
        opened=opened,
        notice=notice,
        standing=found,
        zone=publisher.facts["time_zone"],
        documents=documents.get(notice.number, []),
        sent=sent,
        ways=WAYS,
        taken=TAKEN,
        accept=",".join(ENDINGS),
        is_pending=is_pending(notice),
        today=desk.now.astimezone(ZoneInfo(found.zone)).date().isoformat(),
        **describe_rows(desk),
    )


def _errors_of(error: RegistryError, zone: str) -> dict[str, str]:
    """What was refused, beside the fields of the form: the instant of service was given as a date and a time."""
    said = errors_of(error, zone=zone)
    return {"served_on" if field == "served_at" else field: sentence for field, sentence in said.items()}


def _attach(
    desk: Desk,
    session: Session,
    publisher: Publisher,
    notice: Notice,
    found: Standing,
    purpose: DocumentPurpose,
    field: str,
    is_needed: bool = False,
) -> str:
    """Keep the document of an act, and return how its basis names it; empty where none was given."""
    upload = read_upload(field)
    if upload is None:
        if is_needed:
            raise InvalidInput([Problem(field, None, "document-missing")])
        return ""
    subject = ("notice", notice.number)
    kept = attach(
        session,
        desk.now,
        publisher,
        desk.actor,
        purpose=purpose,
        subject=subject,
        customer_id=found.customer_id,
        upload=upload,
        field=field,
    )
    return f"document {kept.id}"


@contextmanager
def _collecting(problems: list[Problem]) -> Iterator[None]:
    try:
        yield
    except InvalidInput as error:
        problems += error.problems


def _read_way() -> str:
    way = request.form.get("way", "")
    if way not in dict(WAYS):
        raise InvalidInput([Problem("way", way, "missing")])
    return way


def _read_line(field: str, *, is_needed: bool = True) -> str:
    """Read one line of a form. Parts of a basis are joined by semicolons, so none may stand in one."""
    text = " ".join(request.form.get(field, "").replace(";", ",").split())
    if is_needed and not text:
        raise InvalidInput([Problem(field, "", "nothing-written")])
    if len(text) > LONGEST_BASIS:
        raise InvalidInput([Problem(field, text, "too-long", {"max_length": LONGEST_BASIS})])
    unclean = next((character for character in text if not character.isprintable()), None)
    if unclean is not None:
        raise InvalidInput([Problem(field, text, "control-character", {"character": f"U+{ord(unclean):04X}"})])
    return text


def _read_served_at(zone: str, now: datetime) -> datetime:
    """Read when something was handed over: a date and a time of the customer's own zone, as an instant in UTC."""
    on, at = request.form.get("served_on", "").strip(), request.form.get("served_time", "").strip()
    problems = []
    try:
        day = date.fromisoformat(on)
    except ValueError:
        problems.append(Problem("served_on", on, "not-a-date" if on else "missing"))
    try:
        hour = time.fromisoformat(at).replace(tzinfo=None)
    except ValueError:
        problems.append(Problem("served_time", at, "not-a-time" if at else "missing"))
    if problems:
        raise InvalidInput(problems)
    # Of an hour that a clock shows twice the later one: nobody is told less time than there was.
    local = datetime.combine(day, hour, ZoneInfo(zone)).replace(fold=1)
    try:
        served_at = local.astimezone(UTC)
    except OverflowError:
        raise InvalidInput([Problem("served_on", on, "impossible-date")]) from None
    if served_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise InvalidInput([Problem("served_time", f"{on} {at}", "no-such-time", {"zone": zone})])
    if served_at > now:
        raise InvalidInput([Problem("served_on", f"{on} {at}", "served-in-the-future")])
    return served_at
