"""The earliest lawful effect of a notice, over all customers whose contract runs (R10, R11)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from registry.domain.notices import EarliestEffect, local_date, plan_effective
from registry.steps.lookup import list_running_customers, read_facts
from registry.steps.working_days import working_days_for
from registry.tables import Publisher


def find_earliest(session: Session, announced_at: datetime, publisher: Publisher) -> EarliestEffect:
    """Return when a binding change announced at `announced_at` (UTC) may take effect, and whose clock decides."""
    facts = read_facts(session, publisher)
    running = list_running_customers(session, publisher, facts.notice, announced_at)
    return plan_effective(
        announced_at,
        facts.notice,
        working_days_for(facts.notice, local_date(announced_at, facts.notice.time_zone)),
        facts.time_zone,
        [customer for _, customer in running],
        facts.dispatch_margin_days,
    )
