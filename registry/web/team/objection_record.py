"""Recording an objection that came by post, by e-mail or on the phone, for a customer (R25)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask import request

from registry.domain.documents import ENDINGS, TAKEN
from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.objections import ObjectionRoad, read_objection_words
from registry.domain.people import TeamRole
from registry.i18n import explain
from registry.queries.objections import list_announced, list_customers_to_choose
from registry.steps.errors import UnknownCustomer, UnknownNotice
from registry.steps.lookup import get_notice
from registry.steps.receive_objection import receive_objection
from registry.web.current import wiring
from registry.web.team import objection_words as words
from registry.web.team.access import Desk, screen
from registry.web.team.documents import LONGEST_UPLOAD, read_upload
from registry.web.team.frame import errors_of, go, show, status_of


@screen("/objections/new", TeamRole.EDITOR, post=True, longest_body=LONGEST_UPLOAD)
def new_objection(desk: Desk) -> Any:
    """Record an objection that did not come by the link."""
    if request.method == "GET":
        given = {"notice": request.args.get("notice", ""), "customer": request.args.get("customer", ""), "tell": "1"}
        return _form(desk, given)
    form, upload = request.form, read_upload()
    try:
        with desk.writing() as (session, publisher):
            received_at = _read_moment(form.get("received_at", ""), publisher.facts["time_zone"])
            said = read_objection_words(*(form.get(name, "") for name in ("ground", "name", "company")))
            objection, told = receive_objection(
                session,
                desk.now,
                publisher,
                get_notice(session, publisher, form.get("notice", "")),
                form.get("customer", "").strip(),
                desk.actor,
                wiring().letterhead,
                received_at=received_at,
                words=said,
                road=_read_road(form.get("road", "")),
                upload=upload,
                tells="tell" in form,
            )
            number, in_time = objection.id, objection.is_in_time
    except RegistryError as error:
        return _form(desk, form, status=_status(error), error=error)
    when = "in time" if in_time else "late"
    letters = f" {told} letters confirm it." if told > 1 else " 1 letter confirms it." if told else ""
    return go("objection", said=f"The objection is recorded as {when}.{letters}", objection=number)


def _form(desk: Desk, values: Any, *, status: int = 200, error: RegistryError | None = None) -> Any:
    with desk.reading() as (session, publisher):
        notices = list_announced(session, publisher)
        customers = list_customers_to_choose(session, publisher)
        zone = publisher.facts["time_zone"]
    return show(
        "team/objections/new.html",
        status=status,
        notices=[(row.number, f"{row.number}: {row.summary}") for row in notices],
        customers=customers,
        zone=zone,
        roads=words.ROADS,
        endings=",".join(ENDINGS),
        taken=TAKEN,
        errors=_errors(error, zone) if error else {},
        values=values,
    )


def _read_moment(text: str, zone: str) -> datetime:
    """Return the UTC instant of what a field of date and time says, local to the publisher."""
    try:
        local = datetime.fromisoformat(text.strip()).replace(tzinfo=ZoneInfo(zone))
        at = local.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput([Problem("received_at", text, "impossible-time")]) from None
    if at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local.replace(tzinfo=None):
        raise InvalidInput([Problem("received_at", text, "no-such-time", {"zone": zone})])
    return at


def _read_road(text: str) -> ObjectionRoad:
    if text not in {road for road, _ in words.ROADS}:
        raise InvalidInput([Problem("road", text, "unknown-road")])
    return ObjectionRoad(text)


def _status(error: RegistryError) -> int:
    return 400 if isinstance(error, UnknownCustomer | UnknownNotice) else status_of(error)


def _errors(error: RegistryError, zone: str) -> dict[str, str]:
    if isinstance(error, UnknownCustomer):
        return {"customer": explain(error)}
    if isinstance(error, UnknownNotice):
        return {"notice": explain(error)}
    return errors_of(error, zone=zone)
