"""A notice is drafted and edited: which changes it tells of, in which words, from when on, and when it is told.

One form for both. Every button in it sends it to its own address: to save, to take a day over from the calendar, or to
see another month of it. Where htmx is there, the last two and every choice that moves the dates ask for a piece alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from flask import flash, request
from pydantic import TypeAdapter, ValidationError
from sqlalchemy.orm import Session

from registry.domain.errors import IllegalTransition, InvalidInput, Problem, RegistryError
from registry.domain.lawful_days import NoSuchTime, local_instant
from registry.domain.notice_life import EDITABLE_STATES, NoticeState
from registry.domain.people import TeamRole
from registry.domain.publishers import PublisherFacts
from registry.domain.text import Line
from registry.domain.vocabulary import Weight
from registry.language import speaking
from registry.letters.rows import describe_change
from registry.markdown import to_html
from registry.pages.entry_facts import Names
from registry.queries.lawful_days import LawfulDays, find_lawful_days
from registry.queries.notice_page import ApprovalGiven, ChangeOfNotice, list_approvals, load_changes
from registry.queries.pending_changes import PendingChange, list_pending_changes, product_names
from registry.steps.draft_notice import draft_notice
from registry.steps.freeze_letters import own_language
from registry.steps.lookup import get_notice
from registry.steps.rewrite_draft import rewrite_draft
from registry.steps.send_back import NoticeChanged
from registry.tables import Notice, Publisher
from registry.web.team import notice_words as words
from registry.web.team.access import Desk, screen
from registry.web.team.frame import errors_of, go, show, status_of
from registry.web.team.notice_acts import refuse_unread, typed
from registry.web.team.notice_calendar import make_calendar, read_day, read_month, read_time
from registry.web.team.notice_reading import find_difference, write_reading
from registry.web.team.notices import say_transition, show_one

LONGEST_EXPLANATION: Final = 10_000
FIELD_OF: Final = {
    "notice-period-too-short": "effective_on",
    "date-in-the-past": "effective_on",
    "no-such-day": "effective_on",
    "clock-skips-time": "announce_time",
    "nothing-to-announce": "changes",
    "entry-in-open-notice": "changes",
    "unknown-entry": "changes",
    "reason-missing": "emergency_reason",
}
"""The field of the form that a step's refusal belongs beside."""
_EMPTY: Final = {"announce": "now", "emergency": "", "effective_on": "", "summary": "", "explanation": ""}
_LINE: Final[TypeAdapter[str]] = TypeAdapter(Line)


@dataclass(frozen=True)
class Typed:
    """What the form says, understood. `announce_at` is UTC, None for as soon as it is published."""

    keys: tuple[str, ...]
    summary: str
    explanation: str
    effective_on: date | None
    announce_at: datetime | None
    emergency_reason: str | None


@screen("/notices/new", TeamRole.EDITOR, post=True)
def new_notice(desk: Desk) -> Any:
    """Draft a notice of edits that wait."""
    if request.method == "GET":
        return _show(desk, None, values=_blank())
    if is_choosing():
        return _show(desk, None, values=_values())
    try:
        with desk.writing() as (session, publisher):
            given = read_form(desk, desk.facts(session, publisher))
            found = draft_notice(
                session,
                desk.now,
                publisher,
                desk.actor,
                effective_on=given.effective_on,
                entry_keys=given.keys,
                announce_at=given.announce_at,
                emergency_reason=given.emergency_reason,
                summary=given.summary,
                explanation=given.explanation,
            )
            number = found.number
    except RegistryError as error:
        return _show(desk, None, values=_values(), error=error)
    return go("notice", said=f"Notice {number} is drafted. Nobody outside knows of it yet.", number=number)


@screen("/notices/<number>/edit", TeamRole.EDITOR, post=True)
def edit_notice(desk: Desk, number: str) -> Any:
    """Edit a notice that is not published, which voids its approvals."""
    with desk.reading() as (session, publisher):
        found = get_notice(session, publisher, number)
    if NoticeState(found.state) not in EDITABLE_STATES:
        flash(say_transition(IllegalTransition(), found), "error")
        return go("notice", number=number)
    if request.method == "GET":
        return _show(desk, number, values={})
    if is_choosing():
        return _show(desk, number, values=_values())
    try:
        with desk.writing() as (session, publisher):
            found = get_notice(session, publisher, number)
            refuse_unread(session, publisher, found)
            given = read_form(desk, desk.facts(session, publisher))
            is_other = rewrite_draft(
                session,
                desk.now,
                publisher,
                found,
                desk.actor,
                entry_keys=given.keys,
                effective_on=given.effective_on,
                announce_at=given.announce_at,
                summary=given.summary,
                explanation=given.explanation,
                emergency_reason=given.emergency_reason,
            )
    except RegistryError as error:
        if error.code == "unknown-notice":
            raise
        return _show(desk, number, values=_values(), error=error)
    said = f"Notice {number} is changed, and a draft." if is_other else f"Nothing of notice {number} is different."
    return go("notice", said=said, number=number)


@screen("/notices/days", TeamRole.EDITOR, get=False)
def notice_days(desk: Desk) -> Any:
    """Show what the choices of the form mean for its dates: a piece of it, asked for while somebody types."""
    with desk.reading() as (session, publisher):
        number = request.form.get("number") or None
        notice = get_notice(session, publisher, number) if number else None
        offered, weights = _offer(session, publisher, load_changes(session, notice) if notice else ())
        given = _dates(desk, session, publisher, offered, weights, _values())
    return show("team/notices/_dates.html", words=words, number=number, **given)


@screen("/notices/explanation", TeamRole.EDITOR, get=False)
def notice_explanation(desk: Desk) -> Any:
    """Show an explanation as customers will read it: a piece of the form."""
    del desk
    return show("team/notices/_explanation.html", explanation=to_html(typed("explanation")[:LONGEST_EXPLANATION]))


def is_choosing() -> bool:
    """Return whether a button of the calendar sent the form, which saves nothing."""
    return "pick" in request.form or "month" in request.form


def read_form(desk: Desk, facts: PublisherFacts) -> Typed:
    """Return what the form says. Raises `InvalidInput` with all that cannot be understood, and `NoSuchTime`."""
    problems: list[Problem] = []

    def collect(read: Any, *arguments: Any) -> Any:
        try:
            return read(*arguments)
        except InvalidInput as error:
            problems.extend(error.problems)
            return None

    keys = tuple(request.form.getlist("changes"))
    if not keys:
        problems.append(Problem("changes", None, "nothing-to-tell"))
    summary = collect(_read_summary, typed("summary")) or ""
    effective_on = collect(read_day, request.form.get("effective_on", ""), "effective_on", desk.now, facts.time_zone)
    announce_at = collect(_read_announcement, desk.now, facts.time_zone)
    emergency = typed("emergency_reason") if request.form.get("emergency") else None
    if emergency is not None and not emergency:
        problems.append(Problem("emergency_reason", None, "nothing-written"))
    if problems:
        raise InvalidInput(problems)
    return Typed(keys, summary, typed("explanation"), effective_on, announce_at, emergency)


def _read_summary(text: str) -> str:
    if not text:
        return ""
    try:
        return _LINE.validate_python(text)
    except ValidationError as error:
        kind = error.errors()[0]["type"]
        code = {"string_too_long": "too-long"}.get(kind, kind)
        params: dict[str, object] = dict(error.errors()[0].get("ctx") or {})
        raise InvalidInput([Problem("summary", text[:60], code, params)]) from None


def _read_announcement(now: datetime, zone: str) -> datetime | None:
    if request.form.get("announce") != "later":
        return None
    on = read_day(request.form.get("announce_on", ""), "announce_on", now, zone)
    if on is None:
        raise InvalidInput([Problem("announce_on", None, "missing")])
    at = local_instant(on, read_time(request.form.get("announce_time", ""), "announce_time"), zone)
    if at <= now:
        raise InvalidInput([Problem("announce_on", f"{on.isoformat()}", "announced-in-the-past")])
    return at


def _blank() -> dict[str, Any]:
    """Return the values of a new form: of one entry, where its own screen leads here, or of all that is free."""
    return {**_EMPTY, "changes": request.args.getlist("entry") or None, "announce_time": "09:00"}


def _values() -> dict[str, Any]:
    # A box that is not ticked, and a radio that is not chosen, send nothing.
    return {**_EMPTY, **request.form, "changes": request.form.getlist("changes")}


def _values_of(notice: Notice, keys: list[str], zone: str) -> dict[str, Any]:
    announce = notice.announce_at.astimezone(ZoneInfo(zone)) if notice.announce_at else None
    return {
        "changes": keys,
        "summary": notice.summary,
        "explanation": notice.explanation,
        "effective_on": notice.planned_on.isoformat(),
        "announce": "later" if announce else "now",
        "announce_on": announce.date().isoformat() if announce else "",
        "announce_time": f"{announce:%H:%M}" if announce else "09:00",
        "emergency": notice.emergency_reason is not None,
        "emergency_reason": notice.emergency_reason or "",
    }


def _offer(
    session: Session, publisher: Publisher, changes: Sequence[ChangeOfNotice]
) -> tuple[list[PendingChange], dict[str, Weight]]:
    """Return the edits that wait, and the weight each has: in its draft where it stands in this one."""
    offered = list_pending_changes(session, publisher)
    weights = {each.key: each.change.weight for each in offered}
    return offered, weights | {each.key: each.weight for each in changes}


def _dates(
    desk: Desk,
    session: Session,
    publisher: Publisher,
    offered: list[PendingChange],
    weights: dict[str, Weight],
    values: dict[str, Any],
) -> dict[str, Any]:
    """Return what the form's dates are made of: the calendar, the days that are lawful, and what is proposed."""
    facts = desk.facts(session, publisher)
    chosen = [each for each in offered if each.key in (values.get("changes") or ())]
    binds = any(weights[each.key] is Weight.BINDING for each in chosen)
    is_emergency = bool(values.get("emergency"))
    announce_at = _announcement_or_none(desk, facts)
    days = find_lawful_days(
        session, desk.now, publisher, facts, announce_at=announce_at, waits=binds and not is_emergency
    )
    closed_by = why_closed(days, binds=binds, is_emergency=is_emergency)
    typed_on, picked = (
        _day_or_none(text, desk.now, days.zone)
        for text in (values.get("effective_on") or "", request.form.get("pick", ""))
    )
    trial = make_calendar(days.today, days.today, days.open_from, days.zone, None, closed_by)
    # A closed day that was chosen all the same changes nothing but says why.
    refused = trial.why_not(picked) if picked else trial.why_not(typed_on)
    on = (picked if picked and not refused else typed_on) or days.open_from
    month = read_month(request.form.get("month"), max(picked or on, days.today))
    calendar = make_calendar(month, days.today, days.open_from, days.zone, on, closed_by)
    products = product_names(session, publisher)
    with speaking(own_language(publisher)):
        told = [describe_change(each.change, products) for each in chosen]
    proposed = "; ".join(f"{said.name}: {said.headline}" for said in told)
    given_text = values.get("effective_on") or ""
    # What is no date stays as it was typed, with its error.
    values = {**values, "effective_on": given_text if given_text and not picked else on.isoformat()}
    return {
        "calendar": calendar,
        "days": days,
        "binds": binds,
        "is_emergency": is_emergency,
        "has_chosen": bool(chosen),
        "proposed": proposed,
        "values": values,
        "errors": refused,
        "products": products,
    }


def why_closed(days: LawfulDays, *, binds: bool, is_emergency: bool) -> str:
    """Say which days are closed and by whose clock."""
    if days.earliest is not None:
        return words.say_earliest(days.earliest)
    if is_emergency:
        return "An emergency waits for no clock: any day from its announcement on can be chosen."
    if binds:
        return "Any day from the announcement on can be chosen."
    return "Nothing chosen binds, so no clock is waited for: any day from the announcement on can be chosen."


def _announcement_or_none(desk: Desk, facts: PublisherFacts) -> datetime | None:
    try:
        return _read_announcement(desk.now, facts.time_zone)
    except (InvalidInput, NoSuchTime):
        # Said when the form is sent; while it is typed the dates are reckoned from now.
        return None


def _day_or_none(text: str, now: datetime, zone: str) -> date | None:
    try:
        return read_day(text, "effective_on", now, zone)
    except InvalidInput:
        return None


def _show(desk: Desk, number: str | None, *, values: dict[str, Any], error: RegistryError | None = None) -> Any:
    difference = None
    with desk.reading() as (session, publisher):
        facts = desk.facts(session, publisher)
        notice = get_notice(session, publisher, number) if number else None
        changes = load_changes(session, notice) if notice else ()
        offered, weights = _offer(session, publisher, changes)
        free = [each.key for each in offered if each.taken_by in {None, number}]
        if values.get("changes") is None:
            informs = [each.key for each in offered if each.key in free and each.change.weight is not Weight.EDITORIAL]
            own = [each.key for each in offered if number is not None and each.taken_by == number]
            values = {**values, "changes": own if notice else informs}
        if notice is not None and "announce" not in values:
            values = _values_of(notice, values["changes"], facts.time_zone)
        given = _dates(desk, session, publisher, offered, weights, values)
        errors = given.pop("errors") | (_errors_of(error) if error else {})
        names = Names(given["products"], {each.key: each.change.name for each in offered})
        reading = ""
        approvals: tuple[ApprovalGiven, ...] = ()
        if notice is not None:
            reading, approvals = write_reading(session, notice, changes), list_approvals(session, notice)
            if isinstance(error, NoticeChanged):
                read = request.form.get("read", "")
                difference = find_difference(session, publisher, notice, changes, names, read)
    return show(
        "team/notices/form.html",
        status=status_of(error) if error else 200,
        errors=errors,
        number=number,
        notice=notice,
        offered=[(each, show_one(each.change, names, desk.slug), weights[each.key]) for each in offered],
        free=free,
        reading=reading,
        approvals=approvals,
        difference=difference,
        explained=to_html(given["values"].get("explanation") or ""),
        offset=f"{desk.now.astimezone(ZoneInfo(facts.time_zone)):%z}",
        words=words,
        **given,
    )


def _errors_of(error: RegistryError) -> dict[str, str]:
    said = errors_of(error)
    return {FIELD_OF[error.code]: said["form"]} if error.code in FIELD_OF and "form" in said else said
