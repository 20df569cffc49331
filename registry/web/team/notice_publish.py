"""What customers are told by: publishing a notice, and putting it off or taking it back once they know of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from flask import flash, request
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.lawful_days import LAST_YEAR
from registry.domain.notice_life import EDITABLE_STATES, PENDING_STATES, NoticeState
from registry.domain.people import TeamRole
from registry.domain.vocabulary import StatementKind
from registry.i18n import explain
from registry.pages.wording import short_date
from registry.queries.notice_page import load_changes
from registry.steps.errors import ReasonMissing
from registry.steps.lookup import get_notice, read_facts
from registry.steps.pick_changes import pick_changes
from registry.steps.postpone_notice import find_first_later, find_last_told_on
from registry.steps.postpone_notice import postpone_notice as postpone
from registry.steps.publish_notice import publish_notice
from registry.steps.withdraw_notice import withdraw_notice as withdraw
from registry.tables import Notice, Publisher
from registry.web.current import wiring
from registry.web.team.access import Desk, screen
from registry.web.team.frame import go, show, today_at
from registry.web.team.notice_acts import do_act, refuse_unread, show_act, typed
from registry.web.team.notice_calendar import make_calendar, read_day, read_month

AGREED = "understood"


@screen("/notices/<number>/publish", TeamRole.APPROVER, post=True, is_fresh=True)
def publish_confirm(desk: Desk, number: str) -> Any:
    """Say whom a notice goes to and from when on it cannot be taken back unseen; with the box ticked, publish it."""
    letterhead = wiring().letterhead

    def again(error: RegistryError | None = None, errors: Mapping[str, str] | None = None) -> Any:
        return show_act(
            desk,
            number,
            "team/notices/publish.html",
            EDITABLE_STATES,
            tells=StatementKind.ANNOUNCEMENT,
            reads_first=True,
            error=error,
            errors=errors,
            more=lambda session, publisher, found: {"is_due": not found.announce_at or found.announce_at <= desk.now},
        )

    def do(session: Session, publisher: Publisher, found: Notice) -> str:
        refuse_unread(session, publisher, found)
        publish_notice(session, desk.now, publisher, found, desk.actor, letterhead)
        if found.state == NoticeState.PUBLISHED.value:
            return f"Notice {number} is published. It is announced at its hour, and can be taken back until then."
        return f"Notice {number} is announced: the public page shows it, and its letters are on their way."

    if request.method == "POST" and not request.form.get(AGREED):
        return again(errors={AGREED: "Nothing was published. Tick the box once you have read whom it goes to."})
    return do_act(desk, number, do, again) if request.method == "POST" else again()


@screen("/notices/<number>/pin", TeamRole.EDITOR, get=False)
def pin_notice(desk: Desk, number: str) -> Any:
    """Compare a draft's edits with the list as it is now, after the list changed under it (R4)."""

    def again(error: RegistryError) -> Any:
        flash(explain(error), "error")
        return go("notice", number=number)

    def do(session: Session, publisher: Publisher, found: Notice) -> str:
        keys = [each.key for each in load_changes(session, found)]
        pick_changes(session, desk.now, publisher, found, desk.actor, keys)
        return f"Notice {number} is compared with the list as it is now. It is a draft again: look at it once more."

    return do_act(desk, number, do, again)


@screen("/notices/<number>/withdraw", TeamRole.APPROVER, post=True, is_fresh=True)
def withdraw_notice(desk: Desk, number: str) -> Any:
    """Take back a notice that customers were told of: everybody who was told is told that too."""

    def again(error: RegistryError | None = None) -> Any:
        return show_act(
            desk,
            number,
            "team/notices/withdraw.html",
            PENDING_STATES,
            tells=StatementKind.WITHDRAWAL,
            error=error,
            values=request.form,
        )

    def do(session: Session, publisher: Publisher, found: Notice) -> str:
        reason = typed("reason")
        if not reason:
            raise ReasonMissing(what="reason")
        counts = withdraw(session, desk.now, publisher, found, desk.actor, wiring().letterhead, reason)
        told, cancelled = counts.get("due", 0), counts.get("cancelled", 0)
        return f"Notice {number} is withdrawn. Told of it: {told}. Cancelled before they were sent: {cancelled}."

    return do_act(desk, number, do, again) if request.method == "POST" else again()


@screen("/notices/<number>/postpone", TeamRole.APPROVER, post=True, is_fresh=True)
def postpone_notice(desk: Desk, number: str) -> Any:
    """Put an announced notice off to a later date, and tell everybody who was told of it."""

    def again(error: RegistryError | None = None) -> Any:
        return show_act(
            desk,
            number,
            "team/notices/postpone.html",
            PENDING_STATES,
            tells=StatementKind.POSTPONEMENT,
            error=error,
            values=request.form,
            more=lambda session, publisher, found: _later_days(desk, session, publisher, found),
        )

    def do(session: Session, publisher: Publisher, found: Notice) -> str:
        zone = read_facts(session, publisher).time_zone
        on = read_day(request.form.get("effective_on", ""), "effective_on", desk.now, zone)
        if on is None:
            raise InvalidInput([Problem("effective_on", None, "missing")])
        counts = postpone(
            session,
            desk.now,
            publisher,
            found,
            desk.actor,
            wiring().letterhead,
            effective_on=on,
            reason=typed("reason"),
        )
        return f"Notice {number} is postponed to {short_date(on)}. Told of it: {counts.get('due', 0)}."

    # The calendar's buttons send the form too, to show another month or to take a day over.
    is_choosing = "pick" in request.form or "month" in request.form
    return do_act(desk, number, do, again) if request.method == "POST" and not is_choosing else again()


@screen("/notices/<number>/postpone/days", TeamRole.APPROVER, get=False)
def postpone_days(desk: Desk, number: str) -> Any:
    """Show the calendar of a postponement anew: another month, or with a day taken over."""
    with desk.reading() as (session, publisher):
        found = get_notice(session, publisher, number)
        given = _later_days(desk, session, publisher, found)
    errors, values = given.pop("more_errors"), given.pop("more_values")
    return show("team/notices/_days.html", errors=errors, values=values, notice=found, **given)


def _later_days(desk: Desk, session: Session, publisher: Publisher, found: Notice) -> dict[str, Any]:
    zone = read_facts(session, publisher).time_zone
    told_on = find_last_told_on(session, found)
    # A notice that was told for the last days of the calendar can be put off no more; its page is shown all the same.
    first = find_first_later(desk.now, min(told_on, date(LAST_YEAR, 12, 31)), zone)
    why = (
        f"Customers were told {short_date(told_on)}, and a date told is never brought forward. The first possible day "
        f"is {short_date(first)}."
    )
    typed_on, picked = _day("effective_on", desk, zone), _day("pick", desk, zone)
    refused = make_calendar(first, today_at(zone), first, zone, None, why).why_not(picked)
    on = (picked if picked and not refused else typed_on) or first
    month = read_month(request.form.get("month"), picked or on)
    return {
        "calendar": make_calendar(month, today_at(zone), first, zone, on, why),
        "told_on": told_on,
        "first_on": first,
        "more_errors": refused,
        "more_values": {
            "effective_on": request.form.get("effective_on", "") if not picked or refused else on.isoformat()
        },
    }


def _day(field: str, desk: Desk, zone: str) -> date | None:
    try:
        return read_day(request.form.get(field, ""), field, desk.now, zone)
    except InvalidInput:
        return None
