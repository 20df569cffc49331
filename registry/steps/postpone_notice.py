"""A person puts an announced notice off to a later date, and everybody it was told to is told so (R15, R20).

What a hold puts off is the affair of `registry.steps.take_effect`; both tell a date by the same kind of statement, and
the date told last stands until it comes.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.errors import IllegalTransition, RegistryError
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.notices import NoSuchDay, first_effective_on, first_instant, is_a_day, refuse_too_far
from registry.domain.text import refuse_unclean
from registry.domain.vocabulary import StatementKind
from registry.steps.errors import ReasonMissing
from registry.steps.letterhead import Letterhead
from registry.steps.list_periods import touch
from registry.steps.lookup import lock_publisher, read_facts
from registry.steps.make_statement import make_statement
from registry.steps.record import Actor, record_event
from registry.steps.take_effect import TELLS_A_DATE
from registry.tables import Notice, Publisher, Statement


class NotLater(RegistryError):
    """A date that was told is never brought forward (R20). Params: requested_on, told_on, first_on."""

    code = "not-later"


def postpone_notice(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    actor: Actor,
    letterhead: Letterhead,
    *,
    effective_on: date,
    reason: str,
) -> dict[str, int]:
    """Put a notice off that customers were told of, to a later date of the publisher's zone; return who is told.

    It sends one postponement, with `reason` in words that customers read, to everybody whose announcement was
    attempted. Clocks, deadlines to object and what customers decided stay as they are, and on its new day the notice
    is looked at as on any other (R21). Raises `IllegalTransition` for a notice that is not pending, `ReasonMissing`,
    `NotLater` for a date that is not after every date told and after today (R22), `NoSuchDay`, and `InvalidInput`
    naming `effective_on` for one too far ahead.
    """
    refuse_unclean(reason=reason)
    lock_publisher(session, publisher, notice)
    if NoticeState(notice.state) not in PENDING_STATES:
        raise IllegalTransition(machine="notice", state=notice.state, event="postpone")
    if not reason.strip():
        raise ReasonMissing(what="reason")
    zone = read_facts(session, publisher).time_zone
    told_on = find_last_told_on(session, notice)
    first_on = find_first_later(now, told_on, zone)
    if effective_on < first_on:
        raise NotLater(requested_on=effective_on, told_on=told_on, first_on=first_on)
    refuse_too_far("effective_on", effective_on, now, zone)
    if not is_a_day(effective_on, zone):
        raise NoSuchDay(on=effective_on, zone=zone)
    previous_on = notice.effective_on
    notice.effective_on = effective_on
    notice.effective_at = first_instant(effective_on, zone)
    notice.updated_at = now
    touch(publisher, now)
    session.flush()
    counts = make_statement(
        session,
        now,
        publisher,
        notice,
        StatementKind.POSTPONEMENT,
        letterhead,
        previous_effective_on=told_on,
        reason=reason.strip(),
    )
    record_event(
        session,
        now,
        actor,
        "notice.postponed",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        before=previous_on.isoformat() if previous_on else None,
        after=effective_on.isoformat(),
        **counts,
    )
    session.flush()
    return counts


def find_last_told_on(session: Session, notice: Notice) -> date:
    """Return the latest date that customers were told for the notice, of the publisher's zone."""
    told = session.scalar(
        select(func.max(Statement.effective_on)).where(
            Statement.notice_id == notice.id, Statement.kind.in_(TELLS_A_DATE)
        )
    )
    return told or notice.planned_on


def find_first_later(now: datetime, told_on: date, zone: str) -> date:
    """Return the first date of the publisher's zone to which a notice may be put off: after the one told and today."""
    first = max(first_effective_on(now, zone), date.fromordinal(told_on.toordinal() + 1))
    while not is_a_day(first, zone):
        first = date.fromordinal(first.toordinal() + 1)
    return first
