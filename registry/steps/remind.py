"""The reminder, once per notice, the publisher's number of days before its date (R15)."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.notice_life import NoticeState
from registry.domain.notices import local_date
from registry.domain.vocabulary import StatementKind
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import read_facts
from registry.steps.make_statement import make_statement
from registry.tables import Notice, Publisher, Statement


def send_reminders(session: Session, now: datetime, letterhead: Letterhead) -> int:
    """Make the reminders that are due by the publisher's local date; return how many notices were reminded of.

    None is made for a notice told within the reminder's own span, since its announcement is as fresh as a reminder.
    """
    reminded = select(Statement.notice_id).where(Statement.kind == StatementKind.REMINDER.value)
    notices = session.scalars(
        select(Notice)
        .where(
            Notice.state == NoticeState.ANNOUNCED.value,
            Notice.effective_at > now,
            Notice.id.not_in(reminded),
        )
        .order_by(Notice.id)
        .with_for_update(skip_locked=True)
    ).all()
    made = 0
    for notice in notices:
        publisher = session.get_one(Publisher, notice.publisher_id)
        facts = read_facts(session, publisher)
        if facts.reminder_days is None or notice.effective_on is None or notice.announced_at is None:
            continue
        from_on = notice.effective_on - timedelta(days=facts.reminder_days)
        if local_date(notice.announced_at, facts.time_zone) < from_on <= local_date(now, facts.time_zone):
            make_statement(session, now, publisher, notice, StatementKind.REMINDER, letterhead)
            made += 1
    return made
