"""What is done with a notice before anybody is told: submitted, approved, sent back, discarded.

Each act has a page that says what it does before it is done. Whoever's page is older than the notice is told what it
says by then, and nothing is done.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from flask import flash, request
from sqlalchemy.orm import Session

from registry.domain.errors import IllegalTransition, RegistryError
from registry.domain.notice_life import EDITABLE_STATES, NoticeState
from registry.domain.people import TeamRole
from registry.domain.vocabulary import StatementKind, Weight
from registry.i18n import explain
from registry.markdown import to_html
from registry.queries.notice_audience import Audience, load_audience
from registry.queries.notice_date import find_date_refusal
from registry.queries.notice_page import ChangeOfNotice, load_changes
from registry.steps.discard_draft import discard_draft
from registry.steps.errors import StaleBase
from registry.steps.installation import dispatch_pause
from registry.steps.lookup import get_notice
from registry.steps.publish_notice import approve_notice as approve
from registry.steps.publish_notice import submit_notice as submit
from registry.steps.revise_draft import list_changes, weigh_notice
from registry.steps.send_back import NoticeChanged, refuse_changed
from registry.steps.send_back import send_back_notice as send_back
from registry.steps.weigh_change import count_approvals_required
from registry.tables import Notice, Publisher
from registry.web.current import wiring
from registry.web.team import notice_words as words
from registry.web.team.access import Desk, screen
from registry.web.team.frame import errors_of, go, show, status_of
from registry.web.team.notice_reading import digest_read, find_difference, write_reading
from registry.web.team.notices import load_approvals, name_things, say_transition, show_one

FIELD_OF: Final = {
    "reason-missing": "reason",
    "not-later": "effective_on",
    "no-such-day": "effective_on",
}
"""The field of a form that a step's refusal belongs beside."""

Do = Callable[[Session, Publisher, Notice], str]
States = frozenset[NoticeState]


def show_act(
    desk: Desk,
    number: str,
    template: str,
    states: States,
    *,
    tells: StatementKind | None = None,
    reads_first: bool = False,
    names_approvers: bool = False,
    error: RegistryError | None = None,
    errors: Mapping[str, str] | None = None,
    values: Mapping[str, Any] | None = None,
    more: Callable[[Session, Publisher, Notice], Mapping[str, Any]] | None = None,
) -> Any:
    """Show the page of an act on a notice in one of `states`; in any other it leads to the notice and says so.

    With `reads_first` the notice stands above the form, with `names_approvers` the page says who could approve. With
    `tells` the template takes the `audience` of such a statement. `error` is why the act was refused just now: what was
    read is compared with what the notice says. `more` loads what a template needs besides, with `more_errors` and
    `more_values` for its form.
    """
    with desk.reading() as (session, publisher):
        found = get_notice(session, publisher, number)
        if NoticeState(found.state) not in states:
            flash(say_transition(IllegalTransition(), found), "error")
            return go("notice", number=number)
        facts = desk.facts(session, publisher)
        changes = load_changes(session, found)
        names = name_things(session, publisher, changes)
        given: dict[str, Any] = {
            "notice": found,
            "zone": facts.time_zone,
            "changes": [(each, show_one(each.change, names, desk.slug)) for each in changes],
            "explanation": to_html(found.explanation),
            "approvals": load_approvals(
                session, publisher, found, changes, facts.approvals_required, names_approvers=names_approvers
            )
            if EDITABLE_STATES & states
            else None,
            "reading": write_reading(session, found, changes),
            "audience": _audience(session, desk, publisher, found, tells, changes) if tells else None,
            "paused": dispatch_pause(session) if tells else None,
            "difference": None,
            "stale": None,
            "reads_first": reads_first,
            "words": words,
        }
        if isinstance(error, NoticeChanged):
            read = request.form.get("read", "")
            given["difference"] = find_difference(session, publisher, found, changes, names, read)
        if isinstance(error, StaleBase) and error.params["change"] is not None:
            given["stale"] = show_one(error.params["change"], names, desk.slug)  # type: ignore[arg-type]  # by its error
        given |= more(session, publisher, found) if more else {}
    said = dict(errors or {}) | given.pop("more_errors", {}) | (errors_beside(error) if error else {})
    status = status_of(error) if error else 400 if said else 200
    kept = dict(values or {}) | given.pop("more_values", {})
    return show(template, status=status, errors=said, values=kept, **given)


def _audience(
    session: Session,
    desk: Desk,
    publisher: Publisher,
    found: Notice,
    kind: StatementKind,
    changes: Sequence[ChangeOfNotice],
) -> Audience:
    facts = desk.facts(session, publisher)
    return load_audience(session, desk.now, publisher, found, kind=kind, facts=facts, changes=changes)


def errors_beside(error: RegistryError) -> dict[str, str]:
    """Return what a step refused, beside the field it is about."""
    said = errors_of(error)
    return {FIELD_OF[error.code]: said["form"]} if error.code in FIELD_OF and "form" in said else said


def typed(name: str) -> str:
    """Return what somebody typed into a field, with the line breaks of text instead of those of forms."""
    return request.form.get(name, "").replace("\r\n", "\n").strip()


def do_act(desk: Desk, number: str, do: Do, again: Callable[[RegistryError], Any], endpoint: str = "notice") -> Any:
    """Do an act on a notice and lead to it, or say why not: by `again`, or on the notice where its state is another."""
    try:
        with desk.writing() as (session, publisher):
            found = get_notice(session, publisher, number)
            said = do(session, publisher, found)
    except IllegalTransition as error:
        with desk.reading() as (session, publisher):
            flash(say_transition(error, get_notice(session, publisher, number)), "error")
        return go("notice", number=number)
    except RegistryError as error:
        if error.code == "unknown-notice":
            raise
        return again(error)
    return go(endpoint, said=said, number=number)


def refuse_unread(session: Session, publisher: Publisher, found: Notice) -> None:
    """Refuse an act on a notice that says something else than the page that was read. Raises `NoticeChanged`."""
    refuse_changed(session, publisher, found, digest_read(request.form.get("read", "")))


@screen("/notices/<number>/submit", TeamRole.EDITOR, post=True)
def submit_notice(desk: Desk, number: str) -> Any:
    """Hand a draft to those who approve."""
    states: States = frozenset({NoticeState.DRAFT})

    def refuse_date(session: Session, publisher: Publisher, found: Notice) -> str | None:
        facts, binds = desk.facts(session, publisher), weigh_notice(list_changes(session, found)) is Weight.BINDING
        refusal = find_date_refusal(session, desk.now, publisher, found, facts, binds=binds)
        return explain(refusal) if refusal else None

    def again(error: RegistryError | None = None) -> Any:
        return show_act(
            desk,
            number,
            "team/notices/submit.html",
            states,
            names_approvers=True,
            error=error,
            more=lambda session, publisher, found: {"date_refusal": refuse_date(session, publisher, found)},
        )

    def do(session: Session, publisher: Publisher, found: Notice) -> str:
        refuse_unread(session, publisher, found)
        submit(session, desk.now, publisher, found, desk.actor)
        if refuse_date(session, publisher, found):
            return f"Notice {number} is submitted. It cannot be published with its date: give it another one first."
        if not count_approvals_required(session, publisher, found):
            return f"Notice {number} is submitted. No approval is required: an approver can publish it."
        return f"Notice {number} waits for approval."

    return do_act(desk, number, do, again) if request.method == "POST" else again()


@screen("/notices/<number>/approve", TeamRole.APPROVER, post=True)
def approve_notice(desk: Desk, number: str) -> Any:
    """Approve exactly what the page shows; nobody approves what they wrote or last changed (R16)."""
    # One that was approved may need more approvals by now, if the publisher asks for more.
    states: States = frozenset({NoticeState.SUBMITTED, NoticeState.APPROVED})

    def again(error: RegistryError | None = None) -> Any:
        template = "team/notices/approve.html"
        return show_act(desk, number, template, states, reads_first=True, names_approvers=True, error=error)

    def do(session: Session, publisher: Publisher, found: Notice) -> str:
        if NoticeState(found.state) not in states:
            # The step would submit a draft by itself; what is approved here was handed over by its authors.
            raise IllegalTransition(machine="notice", state=found.state, event="approve")
        refuse_unread(session, publisher, found)
        approve(session, desk.now, publisher, found, desk.actor)
        done = found.state == NoticeState.APPROVED.value
        return f"You approved notice {number}." + (" It can be published now." if done else " It needs more approvals.")

    return do_act(desk, number, do, again) if request.method == "POST" else again()


@screen("/notices/<number>/send-back", TeamRole.APPROVER, post=True)
def send_back_notice(desk: Desk, number: str) -> Any:
    """Give a notice back to its authors as a draft, with a reason."""
    states: States = frozenset({NoticeState.SUBMITTED, NoticeState.APPROVED})

    def again(error: RegistryError | None = None) -> Any:
        return show_act(desk, number, "team/notices/send_back.html", states, error=error, values=request.form)

    def do(session: Session, publisher: Publisher, found: Notice) -> str:
        send_back(session, desk.now, publisher, found, desk.actor, reason=typed("reason"))
        return f"Notice {number} is a draft again, with your reason beside it."

    return do_act(desk, number, do, again) if request.method == "POST" else again()


@screen("/notices/<number>/discard", TeamRole.EDITOR, post=True)
def discard_notice(desk: Desk, number: str) -> Any:
    """Take back a notice that nobody was told of, with its edits or without them."""
    states: States = EDITABLE_STATES | {NoticeState.PUBLISHED} if desk.may(TeamRole.APPROVER) else EDITABLE_STATES

    def again(error: RegistryError | None = None) -> Any:
        values = {"edits": request.form.get("edits", "keep")}
        return show_act(desk, number, "team/notices/discard.html", states, error=error, values=values)

    def do(session: Session, publisher: Publisher, found: Notice) -> str:
        if NoticeState(found.state) not in states:
            raise IllegalTransition(machine="notice", state=found.state, event="discard")
        keeps = request.form.get("edits", "keep") != "drop"
        discard_draft(session, desk.now, publisher, found, desk.actor, wiring().letterhead, keeps_edits=keeps)
        kept = "Its edits wait for another notice." if keeps else "Its edits are dropped."
        return f"Notice {number} is discarded, and nobody was told of it. {kept}"

    return do_act(desk, number, do, again) if request.method == "POST" else again()
