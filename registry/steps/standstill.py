"""Since when a mail road has taken nobody's letter: from the tries alone, however many letters wait."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, func, or_, select, text
from sqlalchemy.orm import Session

from registry.domain.deliveries import blames_the_road
from registry.domain.vocabulary import ChannelKind
from registry.steps.claim_deliveries import IS_WAITING, LEASE
from registry.steps.settle_delivery import ACCEPTED, AMBIGUOUS, PERMANENT, TEMPORARY
from registry.tables import Attempt, Delivery

MAIL_ROADS: Final = ("smtp", "resend")
LOOKED_BACK_FOR: Final = 2 * LEASE
"""A try that was answered since the last look was claimed no longer before it than this."""
ANSWERED: Final = (ACCEPTED, PERMANENT)
UNANSWERED: Final = (TEMPORARY, AMBIGUOUS)
"""Whether such a try says something about the road, and not about one mailbox, says `blames_the_road`."""
# The index of what is leased is used only by queries that say these very words.
IS_ON_THE_WIRE: Final = text("deliveries.state = 'leased'")


def does_mail_wait(session: Session) -> bool:
    """Return whether any letter by mail was tried in vain and is to be tried again, or just is: a server may hang."""
    by_mail = Delivery.channel == ChannelKind.EMAIL.value
    waits = exists().where(IS_WAITING, by_mail, Delivery.attempt_count > 0)
    # The try that is under way is counted among its tries.
    is_tried_again = exists().where(IS_ON_THE_WIRE, by_mail, Delivery.attempt_count > 1)
    return bool(session.scalar(select(or_(waits, is_tried_again))))


def find_mail_road(session: Session) -> str | None:
    """Return the road that mail goes by now, which is that of the newest try; None where no mail was ever tried."""
    return session.scalar(
        select(Attempt.channel).where(Attempt.channel.in_(MAIL_ROADS)).order_by(Attempt.id.desc()).limit(1)
    )


@dataclass(frozen=True)
class KnownStandstill:
    """What was found at an earlier look: since when nobody's letter goes, and when that was seen (both UTC)."""

    since: datetime
    seen_at: datetime


def find_standstill(session: Session, road: str, known: KnownStandstill | None) -> datetime | None:
    """Return the end (UTC) of the first of the tries since which nobody's letter went by `road`; None if one does.

    With `known` only tries since that look are looked at, for in a long outage there are more with every hour: after a
    minute as after a day in which nobody looked. Tries that never began tell nothing.
    """
    by_road = (Attempt.channel == road, Attempt.finished_at.is_not(None))
    if known is not None:
        seen = _last_before(session, known.seen_at - LOOKED_BACK_FOR)
        newer = and_(Attempt.id > seen, Attempt.finished_at > known.since)
        return known.since if _newest_answered(session, road, newer) is None else None
    answered = _newest_answered(session, road)
    after = []
    if answered is not None:
        answered_id, answered_at = answered
        # One that was claimed before may have been answered after those that were claimed later.
        after = [Attempt.id > answered_id, Attempt.finished_at > answered_at]
    return session.scalar(
        select(Attempt.finished_at)
        .where(*by_road, Attempt.answer_class.in_(UNANSWERED), *after)
        .order_by(Attempt.id)
        .limit(1)
    )


def _last_before(session: Session, at: datetime) -> int:
    """Return the newest try that was claimed before `at`, 0 for none; tries are claimed in the order of their rows."""
    return session.scalar(select(Attempt.id).where(Attempt.claimed_at < at).order_by(Attempt.id.desc()).limit(1)) or 0


def _newest_answered(session: Session, road: str, *among: ColumnElement[bool]) -> tuple[int, datetime] | None:
    """Return the newest try by which the road showed that it works, and when it was answered."""
    by_road = (Attempt.channel == road, Attempt.finished_at.is_not(None), *among)
    settled = session.execute(
        select(Attempt.id, Attempt.finished_at)
        .where(*by_road, Attempt.answer_class.in_(ANSWERED))
        .order_by(Attempt.id.desc())
        .limit(1)
    ).first()
    others = session.execute(
        select(Attempt.code, func.max(Attempt.id), func.max(Attempt.finished_at))
        .where(*by_road, Attempt.answer_class.in_(UNANSWERED), Attempt.id > (settled.id if settled else 0))
        .group_by(Attempt.code)
    )
    found = [(settled.id, settled.finished_at)] if settled else []
    found += [(newest, at) for code, newest, at in others if not blames_the_road(road, code)]
    return max(found, default=None)
