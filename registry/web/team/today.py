"""Today: what needs a person now, each row leading straight to the act."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final

from registry.domain.notice_life import NoticeState
from registry.domain.notices import SHORTEST_TIME
from registry.domain.people import TeamRole
from registry.domain.transfers import load_mechanisms
from registry.pages.wording import count_of, local_date, short_date
from registry.queries.notice_page import is_author
from registry.queries.open_notices import PendingNotice, WaitingNotice
from registry.queries.second_person import ProposedWhat, WaitingProposal
from registry.queries.today import DueEntry, OpenObjection, OpenTask, Today, WaitingEdits, load_today
from registry.steps.task_words import say_task, say_time_left
from registry.steps.tasks import TaskKind
from registry.web.team.access import Desk, screen
from registry.web.team.frame import show, to_if_there
from registry.web.team.objection_words import STATE_WORDS

SOON: Final = timedelta(days=7)
_OF_CUSTOMERS: Final = (TaskKind.CUSTOMER_NOT_REACHED, TaskKind.CUSTOMER_NOT_TOLD, TaskKind.TERMS_UNREADABLE)


@dataclass(frozen=True)
class Row:
    """One thing that needs a person. `due_on` is a date in the publisher's zone, None where nothing ends.

    `act` and `url` lead to where it is done; `url` None where there is no screen for it. `is_late`: it stands under
    “Now” whatever its day.
    """

    title: str
    detail: str
    due_on: date | None
    act: str
    url: str | None
    is_late: bool = False


@screen("/", TeamRole.VIEWER)
def today(desk: Desk) -> Any:
    """Show what needs a person now, the most urgent first."""
    with desk.reading() as (session, publisher):
        facts = desk.facts(session, publisher)
        zone = facts.time_zone
        here_today = local_date(desk.now, zone)
        found = load_today(session, desk.now, here_today, publisher, desk.email)
        rows = sorted(
            _rows(desk, found, here_today, zone, facts.approvals_required),
            key=lambda row: (not row.is_late, row.due_on is None, row.due_on or date.max),
        )
        soon = here_today + SOON
        return show(
            "team/today.html",
            zone=zone,
            today=here_today,
            groups=[
                ("Now", [row for row in rows if row.is_late or (row.due_on is not None and row.due_on <= here_today)]),
                ("Within a week", [row for row in rows if _is_between(row, here_today, soon)]),
                ("Later", [row for row in rows if _is_between(row, soon, date.max)]),
                ("When you get to it", [row for row in rows if row.due_on is None and not row.is_late]),
            ],
            is_empty=not rows,
        )


def _is_between(row: Row, after: date, until: date) -> bool:
    return row.due_on is not None and not row.is_late and after < row.due_on <= until


def _rows(desk: Desk, found: Today, today_on: date, zone: str, approvals_required: int) -> Iterator[Row]:
    for task in found.tasks:
        yield _of_task(task, desk.here.name, desk.now, zone)
    for waiting in found.waiting:
        yield _of_waiting(waiting, desk, approvals_required)
    for pending in found.pending:
        yield _of_pending(pending, zone)
    for proposal in found.proposals:
        yield _of_proposal(proposal, desk, zone)
    for objection in found.objections:
        yield _of_objection(objection, desk, today_on, zone)
    yield from _of_edits(found.edits, desk)
    for review in found.reviews:
        yield Row(
            f"Review {review.name}",
            "The day you set for looking at it again.",
            review.ends_on,
            "Open the entry",
            to_if_there("entry", key=review.key),
            is_late=review.ends_on is not None and review.ends_on < today_on,
        )
    for ground in found.grounds:
        yield _of_ground(ground, today_on)


def _of_task(task: OpenTask, publisher: str, now: datetime, zone: str) -> Row:
    number, customer = task.facts.get("notice"), task.facts.get("customer")
    url = to_if_there("deliveries", number=number) if number else None
    if task.kind == TaskKind.ADDRESS_FAILS:
        url = to_if_there("settings")
    act = "Reach them another way" if customer and number and task.kind != TaskKind.TERMS_UNREADABLE else "Look"
    if task.kind == TaskKind.CONTRACT_RUNS_AGAIN:
        url, act = to_if_there("customer", key=task.customer_key), "Decide"
    return Row(
        say_task(task.kind, publisher, task.facts),
        f"{say_time_left(task.due_at, now).capitalize()}." if task.due_at else "No day is set by which it is too late.",
        local_date(task.due_at, zone) if task.due_at else None,
        act,
        url,
        # A customer that nothing reaches holds the notice, or knows nothing of it, until somebody does something.
        is_late=task.due_at <= now if task.due_at else task.kind in _OF_CUSTOMERS,
    )


def _of_waiting(notice: WaitingNotice, desk: Desk, approvals_required: int) -> Row:
    decides = desk.may(TeamRole.APPROVER)
    summary = notice.summary.rstrip(".") + "."
    if notice.state == NoticeState.SUBMITTED and not approvals_required:
        title, detail = f"Notice {notice.number} is submitted and not published", summary
        act = "Read it" if decides else "Look"
    elif notice.state == NoticeState.SUBMITTED:
        title = f"Notice {notice.number} waits for approval"
        can = decides and not notice.is_approved_by_me and not is_author(desk.email, notice.authors)
        act = "Read and approve" if can else "Look"
        if notice.is_approved_by_me:
            detail = f"{summary} You approved it; a colleague does next."
        else:
            detail = summary if can else f"{summary} A colleague who did not write it approves it."
    elif notice.state == NoticeState.APPROVED:
        title, detail = f"Notice {notice.number} is approved and not published", summary
        act = "Publish" if decides else "Look"
    else:
        title, detail = f"Notice {notice.number} is a draft", summary
        act = "Go on with it" if desk.may(TeamRole.EDITOR) else "Look"
    return Row(title, detail, notice.planned_on, act, to_if_there("notice", number=notice.number))


def _of_pending(notice: PendingNotice, zone: str) -> Row:
    said = _say_waits(notice, zone)
    detail = said[:1].upper() + said[1:]
    act, is_late = "Follow it", notice.state == NoticeState.HELD and notice.effective_on is None
    if notice.state == NoticeState.HELD:
        when = f"until {short_date(notice.effective_on)}" if notice.effective_on else "until further notice"
        title = f"Notice {notice.number} is held {when}"
        detail = detail or "Nobody holds it any more: it is given its date within minutes."
    elif notice.was_refused:
        title = f"Notice {notice.number} could not be announced"
        detail, act, is_late = "Its hour came, and nobody was told of it.", "See why", True
    elif notice.state == NoticeState.PUBLISHED:
        title, detail = f"Notice {notice.number} is published and will be announced", "Nobody was told of it yet."
    else:
        title, detail = f"Notice {notice.number} takes effect", detail or "Nothing stands in its way."
    due_on = local_date(notice.announce_at, zone) if notice.announce_at else notice.effective_on
    url = to_if_there("notice", number=notice.number)
    return Row(title, f"{notice.summary.rstrip('.')}. {detail}", due_on, act, url, is_late)


def _say_waits(notice: PendingNotice, zone: str) -> str:
    """Say what a notice that was told waits for, or what runs beside it; empty for nothing."""
    said = []
    if notice.not_received:
        customers = count_of(notice.customers, "customer", "customers")
        said.append(f"receipt by {notice.not_received} of {customers} is not proved yet")
    if notice.approvals_missing:
        missing = count_of(notice.approvals_missing, "customer has", "customers have")
        said.append(f"{missing} not approved it, as the contract asks")
    if notice.clocks_running and notice.clocks_end_at is not None:
        # A clock ends with a day, and that day is still the customer's.
        ends = short_date(local_date(notice.clocks_end_at - SHORTEST_TIME, zone))
        said.append(f"{count_of(notice.clocks_running, 'clock runs', 'clocks run')}, the last until {ends}")
    if notice.open_objections:
        said.append(count_of(notice.open_objections, "open objection", "open objections"))
    return "; ".join(said) + "." if said else ""


def _of_proposal(waiting: WaitingProposal, desk: Desk, zone: str) -> Row:
    number, key, customer = waiting.number, waiting.customer_key, waiting.customer
    decides = desk.may(TeamRole.APPROVER)
    match waiting.what:
        case ProposedWhat.SETTINGS:
            title, url = "New settings wait for a colleague’s yes", to_if_there("settings")
        case ProposedWhat.TERMS:
            title = f"Shorter terms of {customer} wait for a colleague’s yes"
            url = to_if_there("customer", key=key)
        case ProposedWhat.CORRECTION:
            title = f"The correction of notice {number} is proposed and not sent"
            url = to_if_there("correct_notice" if desk.may(TeamRole.EDITOR) else "notice", number=number)
        case ProposedWhat.OVERRIDE:
            title = f"To set the hold of {customer} on notice {number} aside waits for a colleague’s yes"
            url = to_if_there("override_notice" if decides else "standing", number=number, key=key)
    is_own = waiting.proposed_by == desk.email
    proposed_on = short_date(local_date(waiting.at, zone))
    detail = f"Proposed by {'you' if is_own else waiting.proposed_by} on {proposed_on}."
    return Row(title, detail, None, "Read and decide" if decides and not is_own else "Look", url)


def _of_objection(objection: OpenObjection, desk: Desk, today_on: date, zone: str) -> Row:
    timing = "in time" if objection.is_in_time else "late"
    return Row(
        f"{objection.customer or 'A customer'} objects to notice {objection.number}",
        f"Received on {short_date(local_date(objection.received_at, zone))}, {timing}; {STATE_WORDS[objection.state]}.",
        today_on if objection.is_in_time else None,
        "Answer" if desk.may(TeamRole.EDITOR) else "Look",
        to_if_there("objection", objection=objection.id),
    )


def _of_edits(edits: WaitingEdits, desk: Desk) -> Iterator[Row]:
    if edits.editorial:
        yield Row(
            f"{count_of(edits.editorial, 'editorial edit waits', 'editorial edits wait')} for approval",
            "No notice tells of it: it is on the list once a colleague who did not make it has approved it.",
            None,
            "Read and approve" if desk.may(TeamRole.APPROVER) else "Look",
            to_if_there("entries", state="waiting"),
        )
    if edits.loose:
        yield Row(
            f"{count_of(edits.loose, 'edit waits', 'edits wait')} and no notice tells of "
            f"{'it' if edits.loose == 1 else 'them'}",
            "What binds customers is told at least the days ahead that were agreed with them.",
            None,
            "Draft a notice" if desk.may(TeamRole.EDITOR) else "See the list",
            to_if_there("new_notice" if desk.may(TeamRole.EDITOR) else "entries"),
        )


def _of_ground(ground: DueEntry, today_on: date) -> Row:
    mechanism = load_mechanisms()[ground.mechanism or ""]
    if ground.ends_on is None:
        title, detail = f"Check the transfer ground of {ground.name}", "It was never checked, and it must be each year."
    elif ground.ends_on < today_on:
        title, detail = f"The transfer ground of {ground.name} has run out", "Check it, or name another ground."
    else:
        title, detail = f"The transfer ground of {ground.name} runs out", "Check it, or name another ground."
    is_late = ground.ends_on is not None and ground.ends_on < today_on
    url = to_if_there("entry", key=ground.key)
    return Row(title, f"{mechanism.label}. {detail}", ground.ends_on, "Open the entry", url, is_late)
