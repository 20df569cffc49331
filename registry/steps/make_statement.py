"""A notice speaks: a numbered statement, its letters frozen and its deliveries written in one transaction (R15)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.notice_life import PENDING_STATES
from registry.domain.vocabulary import Audience, StatementKind
from registry.steps.fan_out import fan_out
from registry.steps.freeze_letters import LANGUAGE, freeze, freeze_web_forms, read_statement
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
    """Add the notice's next statement, freeze it per audience and form, and fan it out; return the counts.

    An announcement starts customers' clocks; `restarts_clocks` says that a correction starts them anew (R20).
    """
    last = session.scalar(select(func.max(Statement.seq)).where(Statement.notice_id == notice.id)) or 0
    statement = Statement(
        publisher_id=publisher.id,
        notice_id=notice.id,
        seq=last + 1,
        kind=kind.value,
        effective_on=notice.effective_on,
        restarts_clocks=restarts_clocks or kind is StatementKind.ANNOUNCEMENT,
        summary=notice.summary,
        changes=[{"change": row.change, "weight": row.weight} for row in list_changes(session, notice)],
        reason=reason,
        made_at=now,
    )
    session.add(statement)
    session.flush()
    facts = read_facts(session, publisher)
    for audience in Audience:
        sender = letterhead.sender_for(facts, audience)
        told = replace(read_statement(session, notice, statement, sender), previous_effective_on=previous_effective_on)
        frozen = letterhead.renderer.render_statement(told, audience, LANGUAGE)
        session.add(freeze(now, publisher.id, statement.id, kind.value, audience, sender, frozen))
    session.flush()
    freeze_web_forms(session, now, notice, statement)
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
        freeze_web_forms(session, now, notice, statement, joiner=subscription)
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
