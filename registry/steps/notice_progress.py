"""How far a notice's letters are, in one query: for whoever watches them go out."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState
from registry.tables import Delivery, Notice, Statement

ON_ITS_WAY = frozenset({DeliveryState.PENDING, DeliveryState.LEASED, DeliveryState.RETRY_WAIT, DeliveryState.AMBIGUOUS})
"""States of a letter that waits, is being sent, or will be tried again."""


def count_by_state(session: Session, notice: Notice) -> dict[str, int]:
    """Return how many of a notice's letters are in each state, in the order of a letter's life."""
    rows = session.execute(
        select(Delivery.state, func.count())
        .join(Statement, Statement.id == Delivery.statement_id)
        .where(Statement.notice_id == notice.id)
        .group_by(Delivery.state)
    )
    counts = {row[0]: row[1] for row in rows}
    return {state.value: counts[state.value] for state in DeliveryState if state.value in counts}
