"""The days on which a notice may take effect, and whose clock closes those before them (R10, R11, R19)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from registry.domain.notices import EarliestEffect, local_date
from registry.domain.publishers import PublisherFacts
from registry.steps.plan_dates import find_earliest
from registry.tables import Publisher


@dataclass(frozen=True)
class LawfulDays:
    """From which date of `zone` on a notice may take effect that is announced at `announced_at` (UTC).

    `earliest` says whose clock decides it; None where no clock is asked, since nothing binds or it is an emergency.
    """

    zone: str
    today: date
    announced_at: datetime
    open_from: date
    earliest: EarliestEffect | None


def find_lawful_days(
    session: Session,
    now: datetime,
    publisher: Publisher,
    facts: PublisherFacts,
    *,
    announce_at: datetime | None,
    waits: bool,
) -> LawfulDays:
    """Return the lawful days of a notice announced at `announce_at` (UTC; None is now).

    `waits` says whether clocks are asked: at least one change binds, and it is no emergency.
    """
    announced_at = max(now, announce_at or now)
    zone = facts.time_zone
    today, announced_on = local_date(now, zone), local_date(announced_at, zone)
    earliest = find_earliest(session, announced_at, publisher, facts) if waits else None
    return LawfulDays(zone, today, announced_at, earliest.effective_on if earliest else announced_on, earliest)
