"""The reminder, once per notice, the publisher's number of days before its date (R15)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.orm import Session

from registry.domain.notice_life import NoticeState
from registry.domain.notices import local_date
from registry.domain.vocabulary import StatementKind
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import lock_notice, read_facts
from registry.steps.make_statement import make_statement
from registry.steps.one_by_one import NoteTrouble, one_by_one
from registry.tables import Notice, Publisher, Statement


def send_reminders(
    session: Session, now: datetime, letterhead: Letterhead, *, note_trouble: NoteTrouble | None = None
) -> int:
    """Make the reminders that are due by the publisher's local date; return how many notices were reminded of.

    None is made for a notice told within the reminder's own span, since its announcement is as fresh as a reminder.
    For `note_trouble` see `one_by_one`.
    """
    candidates = session.scalars(
        select(Notice.id)
        .where(Notice.state == NoticeState.ANNOUNCED.value, Notice.effective_at > now, ~_was_reminded())
        .order_by(Notice.publisher_id, Notice.id)
    ).all()
    made: list[int] = []

    def remind(notice_id: int) -> None:
        publisher, notice = lock_notice(session, notice_id)
        if _is_due(session, now, publisher, notice):
            make_statement(session, now, publisher, notice, StatementKind.REMINDER, letterhead)
            made.append(notice_id)

    one_by_one(session, candidates, remind, note_trouble)
    return len(made)


def _was_reminded() -> ColumnElement[bool]:
    return exists().where(Statement.notice_id == Notice.id, Statement.kind == StatementKind.REMINDER.value)


def _is_due(session: Session, now: datetime, publisher: Publisher, notice: Notice) -> bool:
    # Asked again under the lock: another tick may have reminded, or a person withdrawn, while this one waited.
    if session.scalar(select(Notice.id).where(Notice.id == notice.id, _was_reminded())) is not None:
        return False
    facts = read_facts(session, publisher)
    if notice.state != NoticeState.ANNOUNCED.value or notice.announced_at is None or facts.reminder_days is None:
        return False
    if notice.effective_on is None or notice.effective_at is None or notice.effective_at <= now:
        return False
    from_on = notice.effective_on - timedelta(days=facts.reminder_days)
    return local_date(notice.announced_at, facts.time_zone) < from_on <= local_date(now, facts.time_zone)
