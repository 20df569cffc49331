"""What is mended about a notice by people's decision: a change's weight, a wrong statement, a customer's hold."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from flask import request
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from registry.domain.errors import IllegalTransition, InvalidInput, Problem, RegistryError
from registry.domain.notice_life import EDITABLE_STATES, PENDING_STATES
from registry.domain.people import TeamRole
from registry.domain.vocabulary import StatementKind, Weight
from registry.pages.entry_facts import Names
from registry.queries.notice_corrections import (
    WaitingCorrection,
    list_correction_approvals,
    list_waiting_corrections,
)
from registry.queries.notice_page import is_author, list_authors, load_changes
from registry.queries.pending_changes import product_names
from registry.steps.correct_notice import approve_correction as approve_words
from registry.steps.correct_notice import correct_notice as correct
from registry.steps.errors import UnknownCustomer
from registry.steps.lookup import get_customer
from registry.steps.override_hold import override_hold
from registry.steps.plan_dates import find_earliest
from registry.steps.propose import (
    find_proposed_correction,
    find_proposed_override,
    list_correction_proposers,
    propose_correction,
    propose_override,
)
from registry.steps.record_objection import get_standing
from registry.steps.weigh_change import weigh_change
from registry.tables import Notice, Publisher
from registry.web.current import wiring
from registry.web.team.access import Desk, screen
from registry.web.team.notice_acts import do_act, show_act, typed
from registry.web.team.notices import show_one


@screen("/notices/<number>/weight/<key>", TeamRole.EDITOR, post=True)
def weigh_notice(desk: Desk, number: str, key: str) -> Any:
    """Raise or lower what one change in a draft asks for (R3), which voids approvals."""

    def load(session: Session, publisher: Publisher, found: Notice) -> Mapping[str, Any]:
        change = next((each for each in load_changes(session, found) if each.key == key), None)
        if change is None:
            raise NotFound
        more = {} if request.method == "POST" else {"more_values": {"weight": change.weight.value}}
        return {"weighed": change, "weights": list(reversed(Weight)), **more}

    def again(error: RegistryError | None = None) -> Any:
        template = "team/notices/weigh.html"
        return show_act(desk, number, template, EDITABLE_STATES, error=error, values=request.form, more=load)

    def do(session: Session, publisher: Publisher, found: Notice) -> str:
        given = request.form.get("weight", "")
        if given not in set(Weight):
            raise InvalidInput([Problem("weight", given[:40], "unknown-choice", {"expected": list(Weight)})])
        weigh_change(
            session, desk.now, publisher, found, key, Weight(given), desk.actor, reason=typed("reason") or None
        )
        return f"The change of {key} is {given} in notice {number} now."

    return do_act(desk, number, do, again) if request.method == "POST" else again()


@screen("/notices/<number>/correct", TeamRole.EDITOR, post=True)
def correct_notice(desk: Desk, number: str) -> Any:
    """Propose a correction of an announced notice, by the edits of its entries that wait (R20)."""

    def again(error: RegistryError | None = None) -> Any:
        return _show_correction(desk, number, error)

    def do(session: Session, publisher: Publisher, found: Notice) -> str:
        _refuse_unless_pending(found, "correct")
        reason, summary = typed("reason"), typed("summary")
        propose_correction(session, desk.now, publisher, found, desk.actor, reason=reason, summary=summary)
        return "The words of the correction are proposed. Nobody was told yet."

    return do_act(desk, number, do, again, "correct_notice") if request.method == "POST" else again()


@screen("/notices/<number>/correct/approve", TeamRole.APPROVER, get=False)
def approve_correction(desk: Desk, number: str) -> Any:
    """Approve the words that somebody else proposed for a correction, with exactly these edits (R16)."""

    def again(error: RegistryError | None = None) -> Any:
        return _show_correction(desk, number, error)

    def do(session: Session, publisher: Publisher, found: Notice) -> str:
        reason, summary = _proposed(session, publisher, found)
        approve_words(session, desk.now, publisher, found, desk.actor, reason=reason, summary=summary)
        return "You approved the correction. It can be sent now, once it has all approvals."

    return do_act(desk, number, do, again, "correct_notice")


@screen("/notices/<number>/correct/send", TeamRole.APPROVER, post=True, is_fresh=True)
def send_correction(desk: Desk, number: str) -> Any:
    """Send the proposed correction to everybody who was told of the notice."""

    def again(error: RegistryError | None = None) -> Any:
        return _show_correction(desk, number, error)

    def do(session: Session, publisher: Publisher, found: Notice) -> str:
        reason, summary = _proposed(session, publisher, found)
        letterhead = wiring().letterhead
        counts = correct(
            session, desk.now, publisher, found, desk.actor, letterhead, reason=reason, summary=summary or None
        )
        return f"Notice {number} is corrected. Told of it: {counts.get('due', 0)}."

    return do_act(desk, number, do, again) if request.method == "POST" else again()


def _proposed(session: Session, publisher: Publisher, found: Notice) -> tuple[str, str]:
    proposal = find_proposed_correction(session, publisher, found)
    reason, summary = typed("proposed_reason"), typed("proposed_summary")
    read = (reason, summary, typed("edits"))
    edits = _name_edits(list_waiting_corrections(session, found))
    if proposal is None or (proposal.reason, proposal.summary, edits) != read:
        raise InvalidInput([Problem("form", None, "proposal-changed")])
    return reason, summary


def _name_edits(waiting: Collection[WaitingCorrection]) -> str:
    """Name the edits that a page shows, for a hidden field of its form: an approval is of what was read (R16)."""
    return " ".join(str(each.version_id) for each in waiting)


def _refuse_unless_pending(found: Notice, event: str) -> None:
    if found.state not in {state.value for state in PENDING_STATES}:
        raise IllegalTransition(machine="notice", state=found.state, event=event)


def _show_correction(desk: Desk, number: str, error: RegistryError | None) -> Any:
    def load(session: Session, publisher: Publisher, found: Notice) -> Mapping[str, Any]:
        waiting = list_waiting_corrections(session, found)
        facts = desk.facts(session, publisher)
        restarts = any(each.restarts_clocks for each in waiting)
        proposal = find_proposed_correction(session, publisher, found)
        earliest = find_earliest(session, desk.now, publisher, facts) if restarts else None
        moves = earliest is not None and not found.emergency_reason
        told_on = found.effective_on
        names_some = any(field.field == "products" for each in waiting for field in each.change.fields)
        products = product_names(session, publisher) if names_some else {}
        names = Names(products, {each.key: each.change.name for each in waiting})
        values = {"reason": proposal.reason, "summary": proposal.summary} if proposal else {}
        authors = {each.author for each in waiting}
        if proposal is not None:
            authors |= list_authors(session, found) | list_correction_proposers(session, publisher, found)
        return {
            "waiting": [(each, show_one(each.change, names, desk.slug)) for each in waiting],
            "edits": _name_edits(waiting),
            "restarts": restarts,
            "earliest": earliest,
            "moves_to": max(earliest.effective_on, found.planned_on)
            if earliest is not None and moves and (told_on is None or earliest.effective_on > told_on)
            else None,
            "proposal": proposal,
            "approved_by": list_correction_approvals(session, found, proposal.proposed_at) if proposal else [],
            "required": facts.approvals_required,
            "wrote_it": proposal is not None and is_author(desk.email, authors),
            "more_values": dict(request.form) if request.method == "POST" else values,
        }

    return show_act(
        desk,
        number,
        "team/notices/correct.html",
        PENDING_STATES,
        tells=StatementKind.CORRECTION,
        error=error,
        more=load,
    )


@screen("/notices/<number>/override/<key>", TeamRole.APPROVER, post=True, is_fresh=True)
def override_notice(desk: Desk, number: str, key: str) -> Any:
    """Set a customer's hold aside: one person asks with a reason, a second agrees (R23)."""

    def load(session: Session, publisher: Publisher, found: Notice) -> Mapping[str, Any]:
        try:
            standing = get_standing(session, publisher, found, key)
        except UnknownCustomer:
            raise NotFound from None
        return {
            "customer": get_customer(session, publisher, key),
            "standing": standing,
            "proposal": find_proposed_override(session, publisher, found, key),
            "own": desk.actor,
        }

    def again(error: RegistryError | None = None) -> Any:
        template = "team/notices/override.html"
        return show_act(desk, number, template, PENDING_STATES, error=error, values=request.form, more=load)

    def do(session: Session, publisher: Publisher, found: Notice) -> str:
        if request.form.get("act") == "agree":
            proposal = find_proposed_override(session, publisher, found, key)
            reason = typed("proposed_reason")
            if proposal is None or proposal.reason != reason:
                raise InvalidInput([Problem("form", None, "proposal-changed")])
        else:
            reason = typed("reason")
            propose_override(session, desk.now, publisher, found, key, desk.actor, reason=reason)
        is_aside = override_hold(session, desk.now, publisher, found, key, desk.actor, reason=reason)
        name = get_customer(session, publisher, key).name
        if is_aside:
            return f"The hold of {name} is set aside. It is neither receipt nor consent, and stands on record."
        return f"Asked for. The hold of {name} stands until a second person agrees."

    return do_act(desk, number, do, again) if request.method == "POST" else again()
