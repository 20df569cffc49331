"""The list of notices: each with its state, its dates, how far its letters are, and how many customers hold it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import ON_ITS_WAY, OUTBOX, DeliveryState
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.queries.deliveries import is_last_try
from registry.queries.notice_holds import count_holding
from registry.tables import Attempt, Delivery, Notice, Publisher, Statement

REACHED = frozenset({DeliveryState.ACCEPTED, DeliveryState.DELIVERED})
"""A server took it. Taken is not read, and not even delivered; the page of deliveries tells them apart."""
NOT_REACHED = frozenset({DeliveryState.FAILED, DeliveryState.BOUNCED, DeliveryState.NEEDS_ATTENTION})


@dataclass(frozen=True)
class LetterCounts:
    """How far letters are: taken by a server, under way, and refused, returned or in need of a person.

    `not_sent` were written to the outbox, and went to nobody (R12).
    """

    reached: int = 0
    under_way: int = 0
    not_reached: int = 0
    not_sent: int = 0

    @property
    def total(self) -> int:
        """All letters that were to be sent; those skipped and cancelled are not among them."""
        return self.reached + self.under_way + self.not_reached + self.not_sent


@dataclass(frozen=True)
class NoticeRow:
    """One notice of the list. `effective_on` is a date of the publisher's zone, None for "until further notice".

    `holding` counts the customers that keep it from taking effect, or would on its day as things stand.
    """

    number: str
    summary: str
    state: NoticeState
    effective_on: date | None
    announce_at: datetime | None
    announced_at: datetime | None
    took_effect_at: datetime | None
    withdrawn_at: datetime | None
    is_emergency: bool
    letters: LetterCounts
    holding: int


def list_notices(
    session: Session,
    now: datetime,
    publisher: Publisher,
    *,
    states: Collection[NoticeState] = (),
    offset: int,
    limit: int,
) -> list[NoticeRow]:
    """Return notices, the newest first: at most `limit` from `offset` on, of these states or of all."""
    query = select(Notice).where(Notice.publisher_id == publisher.id)
    if states:
        query = query.where(Notice.state.in_([state.value for state in states]))
    notices = session.scalars(query.order_by(Notice.id.desc()).offset(offset).limit(limit)).all()
    letters = count_letters(session, [notice.id for notice in notices if notice.announced_at is not None])
    holding = count_holding(
        session, now, [notice.id for notice in notices if NoticeState(notice.state) in PENDING_STATES]
    )
    return [
        NoticeRow(
            number=notice.number,
            summary=notice.summary,
            state=NoticeState(notice.state),
            effective_on=notice.effective_on,
            announce_at=notice.announce_at,
            announced_at=notice.announced_at,
            took_effect_at=notice.took_effect_at,
            withdrawn_at=notice.withdrawn_at,
            is_emergency=notice.emergency_reason is not None,
            letters=letters.get(notice.id, LetterCounts()),
            holding=holding.get(notice.id, 0),
        )
        for notice in notices
    ]


def count_in(states: Collection[DeliveryState]) -> ColumnElement[int]:
    """Return how many deliveries of a group are in one of these states."""
    return func.sum(case((_is_in(states), 1), else_=0))


def count_in_outbox() -> ColumnElement[int]:
    """Return how many deliveries of a group, joined with their last try, lie in the outbox instead of a mailbox."""
    return func.sum(case((and_(_is_in(REACHED), Attempt.channel == OUTBOX), 1), else_=0))


def _is_in(states: Collection[DeliveryState]) -> ColumnElement[bool]:
    return Delivery.state.in_([state.value for state in states])


def read_counts(reached: int, under_way: int, not_reached: int, not_sent: int) -> LetterCounts:
    """Return what the database counted; what lies in the outbox was taken by no server."""
    return LetterCounts(int(reached) - int(not_sent), int(under_way), int(not_reached), int(not_sent))


def count_letters(session: Session, notice_ids: Collection[int]) -> dict[int, LetterCounts]:
    """Return how far the letters of each of these notices are, over all its statements."""
    if not notice_ids:
        return {}
    rows = session.execute(
        select(Statement.notice_id, count_in(REACHED), count_in(ON_ITS_WAY), count_in(NOT_REACHED), count_in_outbox())
        .join(Delivery, Delivery.statement_id == Statement.id)
        .outerjoin(Attempt, is_last_try())
        .where(Statement.notice_id.in_(notice_ids))
        .group_by(Statement.notice_id)
    )
    return {notice_id: read_counts(*counts) for notice_id, *counts in rows}
