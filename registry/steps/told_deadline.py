"""The deadline to object that a letter tells: the customer's own, in its own zone (R9, R30)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.orm import Session

from registry.domain.notices import SHORTEST_TIME, local_date, plan_objection_deadline
from registry.domain.terms import Terms
from registry.steps.load_letter import Recipient
from registry.steps.working_days import working_days_for
from registry.tables import NoticeCustomer


@dataclass(frozen=True, slots=True)
class Deadline:
    """The last local day to object, the instant (UTC) at which it ends, and the zone it is a date of."""

    last_on: date
    ends_at: datetime
    zone: str


def find_deadline(
    session: Session, now: datetime, recipient: Recipient, told: datetime | None = None
) -> Deadline | None:
    """Return the deadline that follows if this attempt, at `now` (UTC), is the receipt; None for who has none.

    Where the customer has received the notice its period runs already, and a later letter repeats the same deadline.
    It is not earlier than the one that was `told` (UTC) before.
    """
    if recipient.notice is None or recipient.customer is None:
        return None
    frozen = session.get(NoticeCustomer, (recipient.notice.id, recipient.customer.id))
    terms = Terms.model_validate(frozen.terms if frozen else recipient.notice.terms)
    deadline = deadline_under(terms, now, frozen.objection_ends_at if frozen else None)
    return deadline_under(terms, now, told) if told is not None and told > deadline.ends_at else deadline


def deadline_under(terms: Terms, now: datetime, ends_at: datetime | None = None) -> Deadline:
    """Return the deadline by these terms if `now` (UTC) is the receipt, or the one that ends at `ends_at` already."""
    if ends_at is not None:
        return Deadline(local_date(ends_at - SHORTEST_TIME, terms.time_zone), ends_at, terms.time_zone)
    last_on, ends_at = plan_objection_deadline(now, terms, working_days_for(terms, local_date(now, terms.time_zone)))
    return Deadline(last_on, ends_at, terms.time_zone)
