"""Taking a notice back: what was not sent is cancelled, and whoever was told is told again (R15, R28)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryEvent, DeliveryState
from registry.domain.notice_life import PENDING_STATES, NoticeEvent, NoticeState, next_notice_state
from registry.domain.objections import OPEN_OBJECTION_STATES, ObjectionEvent, ObjectionState, next_objection_state
from registry.domain.text import refuse_unclean
from registry.domain.vocabulary import StatementKind
from registry.steps.editorial import settle_waiting_edits
from registry.steps.letterhead import Letterhead
from registry.steps.list_periods import touch
from registry.steps.lookup import lock_publisher
from registry.steps.make_statement import make_statement
from registry.steps.record import Actor, record_event
from registry.steps.revise_draft import list_changes
from registry.steps.settle_delivery import move_delivery
from registry.steps.statement_order import has_begun, was_never_out
from registry.tables import Delivery, Notice, Objection, PendingEdit, Publisher, Statement

CANCELLABLE = (DeliveryState.PENDING.value, DeliveryState.RETRY_WAIT.value)


def withdraw_notice(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    actor: Actor,
    letterhead: Letterhead,
    reason: str | None = None,
) -> dict[str, int]:
    """Withdraw a notice that is not in effect; return what was cancelled and who is told.

    Its edits no longer wait; the entries are free for another notice. A draft vanishes without a word, since nobody
    has seen it; its number is not given again. Letters that a worker has settle first, then their readers get the
    withdrawal, or do not where it turns out that they were told nothing (`statement_order`). Raises `InvalidInput`
    for a reason that people cannot read.
    """
    refuse_unclean(reason=reason or "")
    lock_publisher(session, publisher, notice)
    was_told = NoticeState(notice.state) in PENDING_STATES
    notice.state = next_notice_state(NoticeState(notice.state), NoticeEvent.WITHDRAW).value
    notice.withdrawn_at = now
    notice.updated_at = now
    changes = list_changes(session, notice)
    for change in changes:
        change.is_open = False
    session.execute(delete(PendingEdit).where(PendingEdit.version_id.in_([row.target_version_id for row in changes])))
    counts: dict[str, int] = {}
    if was_told:
        touch(publisher, now)
        session.flush()
        # What was never sent is cancelled first: who was not told of the notice is not told of its withdrawal (R15).
        cancelled = _untold(session, notice)
        for delivery in cancelled:
            move_delivery(delivery, DeliveryEvent.CANCEL)
        session.flush()
        counts = make_statement(session, now, publisher, notice, StatementKind.WITHDRAWAL, letterhead, reason=reason)
        counts["cancelled"] = len(cancelled)
        _close_objections(session, now, publisher, notice, actor)
    record_event(
        session,
        now,
        actor,
        "notice.withdrawn",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        was_told=was_told,
        **counts,
    )
    session.flush()
    settle_waiting_edits(session, now, publisher, notice, actor)
    return counts


def _untold(session: Session, notice: Notice) -> list[Delivery]:
    """Return the letters that wait and are certainly not out there, those too that could never be made.

    Of the others that wait, each is let go of by itself when its turn comes, and its reader gets the withdrawal.
    """
    waits = Delivery.state.in_(CANCELLABLE)
    was_not_made = and_(Delivery.state == DeliveryState.NEEDS_ATTENTION.value, ~has_begun())
    return list(
        session.scalars(
            select(Delivery)
            .join(Statement, Statement.id == Delivery.statement_id)
            .where(Statement.notice_id == notice.id, or_(waits, was_not_made), was_never_out())
            .with_for_update(of=Delivery, key_share=True)
        )
    )


def _close_objections(session: Session, now: datetime, publisher: Publisher, notice: Notice, actor: Actor) -> None:
    open_ones = session.scalars(
        select(Objection).where(
            Objection.notice_id == notice.id,
            Objection.state.in_([state.value for state in OPEN_OBJECTION_STATES]),
        )
    )
    for objection in open_ones:
        objection.state = next_objection_state(ObjectionState(objection.state), ObjectionEvent.NOTICE_WITHDRAWN).value
        objection.resolved_at = now
        record_event(
            session,
            now,
            actor,
            "objection.moot",
            subject=("notice", notice.number),
            publisher_id=publisher.id,
            customer_id=objection.customer_id,
        )
