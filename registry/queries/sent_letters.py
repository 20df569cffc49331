"""What was sent to one subscription, as its owner sees it: what, when, and what became of it, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session, aliased

from registry.domain.deliveries import OUTBOX
from registry.tables import Acknowledgement, Attempt, Delivery, Letter, Notice, Statement, Subscription

LETTERS_SHOWN: Final = 20


@dataclass(frozen=True)
class SentLetter:
    """One letter. Times are UTC; `at` is when it reached the state it is in, as far as that is on record.

    `notice` is the number of the notice it is about, None for a letter about the subscription itself. `is_outbox`: it
    only became a file, on an installation that sends nothing.
    """

    number: int
    kind: str
    subject: str
    notice: str | None
    state: str
    skip_reason: str | None
    is_outbox: bool
    made_at: datetime
    at: datetime | None
    acknowledged_at: datetime | None


@dataclass(frozen=True)
class SentPage:
    """Letters, the newest first. `older` is the row below which the next page begins, None on the last one."""

    letters: tuple[SentLetter, ...]
    older: int | None


def load_sent(
    session: Session, subscription: Subscription, *, before: int | None = None, limit: int = LETTERS_SHOWN
) -> SentPage:
    """Load one page of the letters of a subscription, from below the row `before` on, in one query."""
    other = aliased(Attempt)
    last = select(func.max(other.n)).where(other.delivery_id == Delivery.id).correlate(Delivery).scalar_subquery()
    query = (
        select(Delivery, Letter.kind, Letter.subject, Notice.number, Attempt, Acknowledgement.acknowledged_at)
        .join(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Statement, Statement.id == Delivery.statement_id)
        .outerjoin(Notice, Notice.id == Statement.notice_id)
        .outerjoin(Attempt, (Attempt.delivery_id == Delivery.id) & (Attempt.n == last))
        .outerjoin(
            Acknowledgement,
            (Acknowledgement.statement_id == Delivery.statement_id)
            & (Acknowledgement.subscription_id == Delivery.subscription_id),
        )
        .where(Delivery.subscription_id == subscription.id)
        .order_by(Delivery.id.desc())
        .limit(limit + 1)
    )
    if before is not None:
        query = query.where(Delivery.id < before)
    rows = session.execute(query).all()
    letters = tuple(
        SentLetter(
            number=delivery.id,
            kind=kind,
            subject=subject,
            notice=number,
            state=delivery.state,
            skip_reason=delivery.skip_reason,
            is_outbox=attempt is not None and attempt.channel == OUTBOX,
            made_at=delivery.created_at,
            at=delivery.delivered_at or delivery.accepted_at or (attempt.finished_at if attempt is not None else None),
            acknowledged_at=acknowledged_at,
        )
        for delivery, kind, subject, number, attempt, acknowledged_at in rows[:limit]
    )
    return SentPage(letters, letters[-1].number if len(rows) > limit else None)
