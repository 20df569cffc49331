"""A notice speaks: a numbered statement, its letters frozen and its deliveries written in one transaction (R15)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.notice_life import PENDING_STATES
from registry.domain.vocabulary import EXPLAINS, StatementKind
from registry.steps.fan_out import fan_out
from registry.steps.freeze_letters import freeze_letters, freeze_missing
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import lock_publisher, read_facts
from registry.steps.record import WORKER, record_event
from registry.steps.revise_draft import list_changes
from registry.tables import Notice, Publisher, Statement, Subscription

TOLD_TO_JOINERS = (
    StatementKind.ANNOUNCEMENT.value,
    StatementKind.CORRECTION.value,
    StatementKind.POSTPONEMENT.value,
)


def make_statement(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    kind: StatementKind,
    letterhead: Letterhead,
    *,
    previous_effective_on: date | None = None,
    reason: str | None = None,
    restarts_clocks: bool = False,
) -> dict[str, int]:
    """Add the notice's next statement, freeze it per language, audience and form, and fan it out; return the counts.

    An announcement starts customers' clocks; `restarts_clocks` says that a correction starts them anew (R20).
    """
    last = session.scalar(select(func.max(Statement.seq)).where(Statement.notice_id == notice.id)) or 0
    statement = word_statement(session, now, notice, kind, last + 1)
    statement.reason = reason
    statement.restarts_clocks = restarts_clocks or kind is StatementKind.ANNOUNCEMENT
    session.add(statement)
    session.flush()
    facts = read_facts(session, publisher)
    freeze_letters(session, facts, publisher, notice, statement, letterhead, previous_on=previous_effective_on)
    freeze_missing(session, now, notice, statement)
    counts = fan_out(session, now, notice, statement)
    record_event(
        session,
        now,
        WORKER,
        f"statement.{kind.value}",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        seq=statement.seq,
        told_on=notice.effective_on.isoformat() if notice.effective_on else None,
        **counts,
    )
    return counts


def word_statement(session: Session, now: datetime, notice: Notice, kind: StatementKind, seq: int) -> Statement:
    """Return what a notice says at `now` (UTC) by a statement of this kind, as a row that is not stored."""
    return Statement(
        publisher_id=notice.publisher_id,
        notice_id=notice.id,
        seq=seq,
        kind=kind.value,
        effective_on=notice.effective_on,
        summary=notice.summary,
        explanation=notice.explanation if kind in EXPLAINS else "",
        changes=[{"change": row.change, "weight": row.weight} for row in list_changes(session, notice)],
        made_at=now,
    )


def deliver_pending_to(session: Session, now: datetime, subscription: Subscription) -> int:
    """Give a subscription that was just confirmed what is pending: announcements and the last postponement (R18).

    Returns how many letters are due to it. One call again adds nothing.
    """
    # Who confirms while a notice is being announced would be missed by both: the fan-out does not see the wish yet,
    # and the wish not the notice. Here the second waits for the first.
    lock_publisher(session, session.get_one(Publisher, subscription.publisher_id))
    notices = session.scalars(
        select(Notice)
        .where(
            Notice.publisher_id == subscription.publisher_id,
            Notice.state.in_([state.value for state in PENDING_STATES]),
        )
        .order_by(Notice.id)
    )
    return sum(deliver_notice_to(session, now, notice, subscription) for notice in notices.all())


def deliver_notice_to(session: Session, now: datetime, notice: Notice, subscription: Subscription) -> int:
    """Give a subscription what is pending of one notice; return how many letters are due to it."""
    due = 0
    for statement in list_told_to_joiners(session, notice):
        freeze_missing(session, now, notice, statement, joiner=subscription)
        due += fan_out(session, now, notice, statement, joiner=subscription)["due"]
    return due


def list_told_to_joiners(session: Session, notice: Notice) -> list[Statement]:
    """Return what somebody is told who comes to a pending notice later, in order (R18).

    That is its announcement, its last correction and postponement, and the statement that clocks run from (R20).
    """
    newest: dict[str, Statement] = {}
    told = session.scalars(
        select(Statement)
        .where(Statement.notice_id == notice.id, Statement.kind.in_(TOLD_TO_JOINERS))
        .order_by(Statement.seq)
    )
    for statement in told:
        newest[statement.kind] = statement
        if statement.restarts_clocks:
            newest["clock"] = statement
    return sorted(set(newest.values()), key=lambda each: each.seq)
