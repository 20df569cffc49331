"""Whether a notice with the team could be published with its date: while it waits, the first lawful one moves on."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from registry.domain.errors import RegistryError
from registry.domain.notice_life import EDITABLE_STATES, NoticeState
from registry.domain.notices import NoticePeriodTooShort, check_effective_on, local_date
from registry.domain.publishers import PublisherFacts
from registry.steps.errors import DateInThePast, TermsUnreadable
from registry.steps.plan_dates import find_earliest
from registry.tables import Notice, Publisher


def find_date_refusal(
    session: Session, now: datetime, publisher: Publisher, notice: Notice, facts: PublisherFacts, *, binds: bool
) -> RegistryError | None:
    """Return why a notice could not be published with its date at `now` (UTC), as publishing would say (R11, R24).

    `binds`: at least one of its changes does. None for one that could be published or is, and where terms of a customer
    cannot be read, which is said elsewhere.
    """
    if NoticeState(notice.state) not in EDITABLE_STATES:
        return None
    announced_at = max(now, notice.announce_at or now)
    today = local_date(announced_at, facts.time_zone)
    if notice.planned_on < today:
        return DateInThePast(requested_on=notice.planned_on, today=today)
    if not binds or notice.emergency_reason:
        return None
    try:
        check_effective_on(notice.planned_on, find_earliest(session, announced_at, publisher, facts))
    except NoticePeriodTooShort as refusal:
        return refusal
    except TermsUnreadable:
        return None
    return None
