"""The notices that are not at their end, as Today shows them: what a person moves on, and what those told wait for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, case, exists, func, select
from sqlalchemy.orm import Session

from registry.domain.notice_life import EDITABLE_STATES, OPEN_STATES, NoticeState
from registry.domain.objections import OPEN_OBJECTION_STATES
from registry.domain.standings import HOLDING
from registry.domain.vocabulary import Weight
from registry.queries.notice_page import list_authors_of
from registry.tables import Approval, Event, Notice, NoticeChange, NoticeCustomer, Objection, Publisher


@dataclass(frozen=True)
class WaitingNotice:
    """A notice that a person moves on: draft, submitted or approved.

    `authors` are those who wrote it or an edit in it, and do not approve it; `is_approved_by_me` says whether whoever
    looks has said yes to exactly this already.
    """

    number: str
    state: str
    summary: str
    planned_on: date
    authors: frozenset[str]
    is_approved_by_me: bool


@dataclass(frozen=True)
class PendingNotice:
    """A published notice: what its customers wait for, or it for them.

    Customers who no longer hold it are left out: `not_received` counts those of the others of whom nothing proves
    receipt, and `clocks_running` those whose clock runs, the last until `clocks_end_at` (UTC). `approvals_missing` are
    those that hold it since their terms ask for their own approval (R21). `was_refused`: its hour came, and it could
    not be announced.
    """

    number: str
    state: str
    summary: str
    announce_at: datetime | None
    was_refused: bool
    effective_on: date | None
    customers: int
    not_received: int
    clocks_running: int
    clocks_end_at: datetime | None
    approvals_missing: int
    open_objections: int


def load_open_notices(
    session: Session, now: datetime, publisher: Publisher, me: str, most: int
) -> tuple[tuple[WaitingNotice, ...], tuple[PendingNotice, ...]]:
    """Return the open notices, the soonest first: those that a person moves on, and those that were published.

    It takes two queries, whatever is open. `me` is the address of whoever looks, `most` how many are shown of all.
    """
    # Where nothing binds there is no clock to run, and nobody is waited for (R3).
    binds = exists().where(NoticeChange.notice_id == Notice.id, NoticeChange.weight == Weight.BINDING.value)
    holds = NoticeCustomer.state.in_(HOLDING) & binds
    runs = holds & NoticeCustomer.earliest_at.is_not(None) & (NoticeCustomer.earliest_at > now)
    asks_for_approval = NoticeCustomer.terms["authorisation"].as_string() == "specific"
    unapproved = asks_for_approval & NoticeCustomer.approved_at.is_(None) & Notice.emergency_reason.is_(None)
    objections = (
        select(func.count(Objection.id))
        .where(
            Objection.notice_id == Notice.id,
            Objection.is_in_time,
            Objection.state.in_([state.value for state in OPEN_OBJECTION_STATES]),
        )
        .correlate(Notice)
        .scalar_subquery()
    )
    refused = exists().where(
        Event.publisher_id == Notice.publisher_id,
        Event.subject_kind == "notice",
        Event.subject == Notice.number,
        Event.kind == "notice.announce_refused",
    )
    approved_by_me = exists().where(
        Approval.publisher_id == Notice.publisher_id,
        Approval.subject == "notice",
        Approval.subject_id == Notice.id,
        Approval.digest == Notice.digest,
        func.lower(Approval.actor) == me.lower(),
    )
    rows = session.execute(
        select(
            Notice,
            approved_by_me,
            and_(Notice.state == NoticeState.PUBLISHED.value, refused),
            func.count(NoticeCustomer.customer_id),
            _count_if(holds & NoticeCustomer.earliest_at.is_(None)),
            _count_if(runs),
            func.max(case((runs, NoticeCustomer.earliest_at))),
            _count_if(holds & unapproved),
            objections,
        )
        .outerjoin(NoticeCustomer, NoticeCustomer.notice_id == Notice.id)
        .where(Notice.publisher_id == publisher.id, Notice.state.in_([state.value for state in OPEN_STATES]))
        .group_by(Notice.id)
        .order_by(func.coalesce(Notice.effective_on, Notice.planned_on), Notice.id)
        .limit(most)
    ).all()
    drafts = [row for row in rows if NoticeState(row[0].state) in EDITABLE_STATES]
    authors = list_authors_of(session, [row[0] for row in drafts]) if drafts else {}
    waiting = tuple(
        WaitingNotice(each.number, each.state, each.summary, each.planned_on, authors[each.id], is_approved)
        for each, is_approved, *_ in drafts
    )
    pending = tuple(
        PendingNotice(
            notice.number,
            notice.state,
            notice.summary,
            notice.announce_at if notice.announced_at is None else None,
            was_refused,
            notice.effective_on or (notice.planned_on if notice.announced_at is None else None),
            *counts,
        )
        for notice, _, was_refused, *counts in rows
        if NoticeState(notice.state) not in EDITABLE_STATES
    )
    return waiting, pending


def _count_if(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)
