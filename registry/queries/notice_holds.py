"""Which customers keep notices from taking effect, counted and found by the database (R21–R23).

The rule is that of `registry.domain.effect.choose_holds`; this is the same rule in SQL, so that a list of notices and a
page of customers ask it once. A test compares the two.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, Text, and_, case, cast, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.standings import NO_LONGER_HOLDING, StandingState
from registry.domain.terms import find_terms
from registry.domain.vocabulary import Weight
from registry.steps.take_effect import count_open_objections
from registry.tables import Notice, NoticeChange, NoticeCustomer


def find_unreadable(session: Session, notice_ids: Collection[int]) -> list[str]:
    """Return the terms that cannot be read among those of customers of these notices, each once, as they are stored."""
    stored = cast(NoticeCustomer.terms, Text)
    documents = session.scalars(select(stored).where(NoticeCustomer.notice_id.in_(notice_ids)).distinct())
    return [document for document in documents if find_terms(json.loads(document)) is None]


def is_holding(now: datetime, unreadable: Collection[str]) -> ColumnElement[bool]:
    """Return the condition that a customer (`NoticeCustomer`) holds its notice (`Notice`, joined) at `now` (UTC).

    Before a notice's day it is the outlook for that day as things stand, as in `find_holds`. `unreadable` are terms of
    `find_unreadable`: who has one of them holds.
    """
    at_now = literal(now, Notice.effective_at.type)
    at = case(
        (and_(Notice.state != NoticeState.HELD.value, Notice.effective_at > at_now), Notice.effective_at), else_=at_now
    )
    binds = exists().where(NoticeChange.notice_id == Notice.id, NoticeChange.weight == Weight.BINDING.value)
    return and_(
        Notice.emergency_reason.is_(None),
        Notice.state.in_([state.value for state in PENDING_STATES]),
        binds,
        NoticeCustomer.state.not_in([*NO_LONGER_HOLDING, StandingState.DROPPED.value]),
        or_(
            NoticeCustomer.earliest_at.is_(None),
            NoticeCustomer.earliest_at > at,
            cast(NoticeCustomer.terms, Text).in_(unreadable),
            and_(NoticeCustomer.terms["objection"].as_string() == "hold", count_open_objections() > 0),
            and_(NoticeCustomer.terms["authorisation"].as_string() == "specific", NoticeCustomer.approved_at.is_(None)),
        ),
    )


def count_holding(session: Session, now: datetime, notice_ids: Collection[int]) -> dict[int, int]:
    """Return how many customers hold each of these notices; those that nobody holds are left out."""
    rows = session.execute(
        select(NoticeCustomer.notice_id, func.count())
        .join(Notice, Notice.id == NoticeCustomer.notice_id)
        .where(NoticeCustomer.notice_id.in_(notice_ids), is_holding(now, find_unreadable(session, notice_ids)))
        .group_by(NoticeCustomer.notice_id)
    )
    return {notice_id: count for notice_id, count in rows}  # noqa: C416 - a row is no pair to the type checker
