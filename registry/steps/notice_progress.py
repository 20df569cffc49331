"""How far a notice's letters are, in one query: for whoever watches them go out."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import OUTBOX, TAKEN_STATES, DeliveryState
from registry.tables import Attempt, Delivery, Notice, Statement


@dataclass(frozen=True)
class Counted:
    """A notice's letters, counted by state in the order of a letter's life.

    `in_outbox` is how many of those in each state were written to the outbox and taken by no server (R12).
    """

    by_state: dict[str, int]
    in_outbox: dict[str, int]


def count_by_state(session: Session, notice: Notice) -> Counted:
    """Count how many of a notice's letters are in each state."""
    outboxed = case((and_(Attempt.channel == OUTBOX, Delivery.state.in_(TAKEN_STATES)), 1), else_=0)
    rows = session.execute(
        select(Delivery.state, func.count(), func.sum(outboxed))
        .join(Statement, Statement.id == Delivery.statement_id)
        .outerjoin(Attempt, and_(Attempt.delivery_id == Delivery.id, Attempt.n == Delivery.attempt_count))
        .where(Statement.notice_id == notice.id)
        .group_by(Delivery.state)
    )
    found = {row[0]: (row[1], int(row[2])) for row in rows}
    states = [state.value for state in DeliveryState if state.value in found]
    return Counted({each: found[each][0] for each in states}, {each: found[each][1] for each in states})
