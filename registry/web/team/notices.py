"""Notices: the list of them, and each one whole, with what may be done with it now."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from flask import request
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange
from registry.domain.errors import IllegalTransition
from registry.domain.notice_life import EDITABLE_STATES, PENDING_STATES, NoticeState
from registry.domain.people import TeamRole
from registry.domain.vocabulary import Weight
from registry.i18n import explain
from registry.markdown import to_html
from registry.pages.entry_facts import Names
from registry.pages.notice_facts import ChangeShown, show_change
from registry.pages.values import Addresses
from registry.queries.notice_audience import load_audience
from registry.queries.notice_date import find_date_refusal
from registry.queries.notice_page import (
    ChangeOfNotice,
    list_approvals,
    list_approvers,
    list_authors,
    list_events,
    list_statements,
    load_changes,
    load_customers,
)
from registry.queries.notices import list_notices
from registry.queries.pending_changes import product_names
from registry.steps.announce_notice import find_refusal
from registry.steps.lookup import get_notice
from registry.tables import Notice, Publisher
from registry.web.team import notice_words as words
from registry.web.team.access import Desk, screen
from registry.web.team.frame import PAGE_SIZE, cut_page, go, is_live, page_number, show
from registry.web.team.notice_words import Approvals

FILTERS: Final = (
    ("open", "With the team", EDITABLE_STATES | {NoticeState.PUBLISHED}),
    ("pending", "Announced", frozenset({NoticeState.ANNOUNCED})),
    ("held", "On hold", frozenset({NoticeState.HELD})),
    ("in_effect", "In effect", frozenset({NoticeState.IN_EFFECT})),
    ("withdrawn", "Withdrawn", frozenset({NoticeState.WITHDRAWN})),
)
CUSTOMERS_SHOWN: Final = 20


@screen("/notices/", TeamRole.VIEWER)
def notices(desk: Desk) -> Any:
    """List the publisher's notices, the newest first, of all states or of some."""
    chosen = request.args.get("state", "")
    states = next((states for name, _, states in FILTERS if name == chosen), frozenset())
    with desk.reading() as (session, publisher):
        offset = (page_number() - 1) * PAGE_SIZE
        rows = list_notices(session, desk.now, publisher, states=states, offset=offset, limit=PAGE_SIZE + 1)
        zone = publisher.facts["time_zone"]
    return show(
        "team/notices/list.html",
        page=cut_page(rows, page_number()),
        filters=FILTERS,
        values={"state": chosen if states else ""},
        zone=zone,
        words=words,
    )


@screen("/notices/<number>", TeamRole.VIEWER)
def notice(desk: Desk, number: str) -> Any:
    """Show one notice: where it stands, what comes next, what it changes, whom it waits for, and its record."""
    with desk.reading() as (session, publisher):
        found = get_notice(session, publisher, number)
        facts = desk.facts(session, publisher)
        state = NoticeState(found.state)
        is_told = found.announced_at is not None
        changes = load_changes(session, found)
        names = name_things(session, publisher, changes)
        approvals = load_approvals(session, publisher, found, changes, facts.approvals_required)
        at = page_number()
        customers = (
            load_customers(session, desk.now, found, offset=(at - 1) * CUSTOMERS_SHOWN, limit=CUSTOMERS_SHOWN + 1)
            if is_told
            else None
        )
        statements = list_statements(session, found) if is_told else ()
        events = list_events(session, publisher, found)
        refusal = find_refusal(session, desk.now, publisher, found, facts)
        binds = any(each.weight is Weight.BINDING for each in changes)
        date_refusal = find_date_refusal(session, desk.now, publisher, found, facts, binds=binds)
    submitted_at = next((event.at for event in events if event.kind == "notice.submitted"), None)
    return show(
        "team/notices/notice.html",
        notice=found,
        zone=facts.time_zone,
        state=state,
        is_editable=state in EDITABLE_STATES,
        is_pending=state in PENDING_STATES,
        is_told=is_told,
        stations=words.list_stations(found, submitted_at, approvals),
        next_step=words.say_next(found, approvals, binds=binds, is_refused=(refusal or date_refusal) is not None),
        date_refusal=explain(date_refusal) if date_refusal else None,
        refusal=explain(refusal) if refusal else None,
        acts=offer_acts(desk, found, approvals, has_date=date_refusal is None),
        approvals=approvals,
        changes=[(each, show_one(each.change, names, desk.slug)) for each in changes],
        binds=binds,
        explanation=to_html(found.explanation),
        customers=customers,
        customers_page=cut_page(customers.rows, at, CUSTOMERS_SHOWN) if customers else None,
        statements=statements,
        events=events,
        sent_back=_sent_back(events),
        words=words,
    )


@screen("/notices/<number>/audience", TeamRole.VIEWER)
def notice_audience(desk: Desk, number: str) -> Any:
    """Show whom a notice would reach if it were announced now: a piece of its screen, and a page of its own."""
    with desk.reading() as (session, publisher):
        found = get_notice(session, publisher, number)
        facts = desk.facts(session, publisher)
        if found.announced_at is not None:
            return go("notice", number=number)
        audience = load_audience(session, desk.now, publisher, found, facts=facts)
    template = "team/notices/_audience.html" if is_live() else "team/notices/audience.html"
    return show(template, notice=found, audience=audience, zone=facts.time_zone, words=words)


def load_approvals(
    session: Session,
    publisher: Publisher,
    found: Notice,
    changes: Collection[ChangeOfNotice],
    required: int,
    *,
    names_approvers: bool = True,
) -> Approvals:
    """Load how far a notice's approvals are; authors and approvers only while anybody could still approve."""
    given = list_approvals(session, found)
    needed = max(required, 1 if any(each.is_lowered for each in changes) else 0)
    if NoticeState(found.state) not in EDITABLE_STATES:
        return Approvals(needed, given, (), frozenset())
    authors = list_authors(session, found)
    approvers = list_approvers(session, publisher, authors) if names_approvers else ()
    return Approvals(needed, given, approvers, authors)


def name_things(session: Session, publisher: Publisher, changes: Collection[ChangeOfNotice]) -> Names:
    """Return what products and the entries of these changes are called."""
    names_some = any(field.field == "products" for each in changes for field in each.change.fields)
    products = product_names(session, publisher) if names_some else {}
    return Names(products, {each.key: each.change.name for each in changes})


def show_one(change: EntryChange, names: Names, slug: str) -> ChangeShown:
    """Prepare a change for a template; its address is that of the entry's screen."""
    return show_change(change, Addresses(f"/team/{slug}"), names)


def _sent_back(events: Collection[Any]) -> Any:
    """Return the act by which a draft was sent back, unless it was revised or submitted since."""
    for event in events:
        if event.kind in {"notice.sent_back", "notice.submitted"}:
            return event if event.kind == "notice.sent_back" else None
    return None


@dataclass(frozen=True)
class Act:
    """Something this person may do with a notice now: its screen, and what the button says."""

    endpoint: str
    label: str
    style: str = ""


def offer_acts(desk: Desk, found: Notice, approvals: Approvals, *, has_date: bool) -> list[Act]:
    """Return what this person may do with a notice in its state, what leads on first; what is refused is left out.

    `has_date`: it could be published with its date.
    """
    state, acts = NoticeState(found.state), []
    edits, decides = desk.may(TeamRole.EDITOR), desk.may(TeamRole.APPROVER)
    may_approve = decides and desk.email in {each.email for each in approvals.open_to}
    if state in EDITABLE_STATES:
        edit = Act("edit_notice", "Edit", "plain" if has_date else "")
        if edits and not has_date:
            acts.append(edit)
        if decides and approvals.is_complete and has_date:
            acts.append(Act("publish_confirm", "Publish …"))
        if state is not NoticeState.DRAFT and may_approve and not approvals.is_complete:
            acts.append(Act("approve_notice", "Approve …", "plain" if acts else ""))
        if state is NoticeState.DRAFT and edits:
            acts.append(Act("submit_notice", "Submit …", "plain" if acts else ""))
        if state is not NoticeState.DRAFT and decides:
            acts.append(Act("send_back_notice", "Send back …", "plain"))
        if edits:
            acts += [edit] if has_date else []
            acts.append(Act("discard_notice", "Discard …", "plain"))
    elif state is NoticeState.PUBLISHED and decides:
        acts.append(Act("discard_notice", "Take back …", "plain"))
    elif state in PENDING_STATES and decides:
        acts += [Act("postpone_notice", "Postpone …", "plain"), Act("correct_notice", "Correct …", "plain")]
        acts.append(Act("withdraw_notice", "Withdraw …", "plain"))
    elif state in PENDING_STATES and edits:
        acts.append(Act("correct_notice", "Propose a correction …", "plain"))
    return acts


def say_transition(error: IllegalTransition, found: Notice) -> str:
    """Say in which state a notice is by now, for somebody whose page was older."""
    return (
        f"Nothing was done. Notice {found.number} is by now: {words.say_state(found.state).lower()}. "
        "This is what it says now."
    )
