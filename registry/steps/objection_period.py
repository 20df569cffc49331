"""Until when a customer may object to a notice: by what its letters printed, and by what follows from receipt (R25)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.notices import SHORTEST_TIME, local_date
from registry.domain.objections import is_in_time
from registry.domain.terms import find_zone
from registry.tables import Customer, Delivery, Notice, NoticeCustomer, Statement, Subscription


@dataclass(frozen=True)
class ObjectionPeriod:
    """The two ends of a customer's period (UTC), None where there is none yet, and the customer's own zone.

    `printed_at` is the latest that a letter said, `computed_at` what follows from receipt.
    """

    printed_at: datetime | None
    computed_at: datetime | None
    zone: str

    @property
    def ends_at(self) -> datetime | None:
        """The instant (UTC) at which the last day has ended: the later of the two; None while no period has begun."""
        return max((at for at in (self.printed_at, self.computed_at) if at is not None), default=None)

    @property
    def last_on(self) -> date | None:
        """The last day to object, which counts to its end, as a date of the customer's zone."""
        return last_day_of(self.ends_at, self.zone)

    def takes(self, received_at: datetime) -> bool:
        """Return whether an objection that came at `received_at` (UTC) is in time."""
        return is_in_time(received_at, self.printed_at, self.computed_at)


def last_day_of(ends_at: datetime | None, zone: str) -> date | None:
    """Return the local date whose end is the instant `ends_at` (UTC), as deadlines are told; None for none."""
    return None if ends_at is None else local_date(ends_at - SHORTEST_TIME, zone)


def find_period(session: Session, notice: Notice, customer: Customer) -> ObjectionPeriod | None:
    """Return the customer's period to object to the notice, or None where the notice does not concern it.

    Who came to a notice later was told and does not hold it (R17, R18); for them the day that their letter printed is
    the only one there is.
    """
    standing = session.get(NoticeCustomer, (notice.id, customer.id))
    printed_at = session.scalar(
        select(func.max(Delivery.deadline_at))
        .join(Statement, Statement.id == Delivery.statement_id)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .where(Statement.notice_id == notice.id, Subscription.customer_id == customer.id)
    )
    if standing is not None:
        zone = find_zone(standing.terms, notice.terms["time_zone"])
        return ObjectionPeriod(printed_at, standing.objection_ends_at, zone)
    if printed_at is None:
        return None
    return ObjectionPeriod(printed_at, printed_at, notice.terms["time_zone"])
