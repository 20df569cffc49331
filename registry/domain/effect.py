"""Who holds a notice on its day, and until when (R17, R19, R21–R23): facts about customers in, named holds out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from registry.domain.terms import Terms


class HoldReason(StrEnum):
    """Why a customer keeps a notice from taking effect (R21)."""

    NOT_RECEIVED = "not_received"
    CLOCK_RUNNING = "clock_running"
    OBJECTION_OPEN = "objection_open"
    APPROVAL_MISSING = "approval_missing"
    TERMS_UNREADABLE = "terms_unreadable"


@dataclass(frozen=True)
class CustomerStanding:
    """One customer of a notice, frozen at its announcement (R17), with what is known about it by now.

    `earliest_at` (UTC) is when its clock has run, None while nothing proves receipt; deemed receipt and service by
    other means count as receipt here (R13). `exempt`: a person recorded that it no longer holds (R23). `dropped`: its
    contract ended. `approved`: it consented, which only specific authorisation asks for. Where its `terms` cannot be
    read, None, nothing can be decided for it, and it holds.
    """

    key: str
    name: str
    terms: Terms | None
    earliest_at: datetime | None
    exempt: bool = False
    dropped: bool = False
    approved: bool = False
    open_in_time_objections: int = 0


@dataclass(frozen=True)
class Hold:
    """One reason of one customer. `until_at` (UTC) is when it ends by itself, None where somebody must act."""

    customer_key: str
    customer_name: str
    reason: HoldReason
    until_at: datetime | None = None


def choose_holds(
    customers: Iterable[CustomerStanding], now: datetime, effective_at: datetime, *, emergency: bool
) -> tuple[Hold, ...]:
    """Return what keeps a notice from taking effect at `effective_at`, or now where that has passed (R21, R22).

    Before its day this is the outlook as things stand. Customers come by key, each with all its reasons. Followers are
    not asked: they never hold. An emergency has no holds; clocks and objections run on and are recorded (R19).
    """
    if emergency:
        return ()
    at = max(now, effective_at)
    return tuple(
        hold
        for customer in sorted(customers, key=lambda customer: customer.key)
        if not (customer.exempt or customer.dropped)
        for hold in _holds_of(customer, at)
    )


def _holds_of(customer: CustomerStanding, at: datetime) -> list[Hold]:
    def hold(reason: HoldReason, until_at: datetime | None = None) -> Hold:
        return Hold(customer.key, customer.name, reason, until_at)

    terms, holds = customer.terms, []
    if terms is None:
        holds.append(hold(HoldReason.TERMS_UNREADABLE))
    if customer.earliest_at is None:
        holds.append(hold(HoldReason.NOT_RECEIVED))
    elif customer.earliest_at > at:
        holds.append(hold(HoldReason.CLOCK_RUNNING, customer.earliest_at))
    if customer.open_in_time_objections and (terms is None or terms.objection == "hold"):
        holds.append(hold(HoldReason.OBJECTION_OPEN))
    if terms is not None and terms.authorisation == "specific" and not customer.approved:
        holds.append(hold(HoldReason.APPROVAL_MISSING))
    return holds


def find_possible_at(holds: Iterable[Hold], now: datetime) -> datetime | None:
    """Return the instant from which none of `holds` is left, `now` where there are none, None where nobody can say.

    It is what `registry.domain.notices.next_told_date` makes a date of.
    """
    possible_at = now
    for hold in holds:
        if hold.until_at is None:
            return None
        possible_at = max(possible_at, hold.until_at)
    return possible_at
