"""Objections of customers: their life, and whether they are in time (R25). Who holds is in `registry.domain.effect`."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from registry.domain.errors import IllegalTransition


class ObjectionState(StrEnum):
    """Where an objection stands: two open states, the five cures (R25), and moot when the notice was withdrawn."""

    RECEIVED = "received"
    UNDER_REVIEW = "under_review"
    ACCOMMODATED = "accommodated"
    WITHDRAWN = "withdrawn"
    TERMINATED = "terminated"
    REFUNDED = "refunded"
    RESOLVED_OTHERWISE = "resolved_otherwise"
    MOOT = "moot"


class ObjectionEvent(StrEnum):
    """What happens to an objection.

    The publisher takes it up or accommodates it; the customer withdraws it; the contract is terminated, with or without
    a refund; something else settles it, in writing; or the notice it is about is withdrawn.
    """

    TAKE_UP = "take_up"
    ACCOMMODATE = "accommodate"
    WITHDRAW = "withdraw"
    TERMINATE = "terminate"
    REFUND = "refund"
    RESOLVE_OTHERWISE = "resolve_otherwise"
    NOTICE_WITHDRAWN = "notice_withdrawn"


OPEN_OBJECTION_STATES = frozenset({ObjectionState.RECEIVED, ObjectionState.UNDER_REVIEW})

_CLOSING = {
    ObjectionEvent.ACCOMMODATE: ObjectionState.ACCOMMODATED,
    ObjectionEvent.WITHDRAW: ObjectionState.WITHDRAWN,
    ObjectionEvent.TERMINATE: ObjectionState.TERMINATED,
    ObjectionEvent.REFUND: ObjectionState.REFUNDED,
    ObjectionEvent.RESOLVE_OTHERWISE: ObjectionState.RESOLVED_OTHERWISE,
    ObjectionEvent.NOTICE_WITHDRAWN: ObjectionState.MOOT,
}

_NEXT = {
    (ObjectionState.RECEIVED, ObjectionEvent.TAKE_UP): ObjectionState.UNDER_REVIEW,
    # What was paid ahead is often settled after the contract has ended.
    (ObjectionState.TERMINATED, ObjectionEvent.REFUND): ObjectionState.REFUNDED,
    **{(state, event): closed for state in OPEN_OBJECTION_STATES for event, closed in _CLOSING.items()},
}


def next_objection_state(state: ObjectionState, event: ObjectionEvent) -> ObjectionState:
    """Return the state of an objection after `event` (R25).

    Raises `IllegalTransition` for a step the life does not have. A closed objection is not opened again: a customer
    who objects anew has a new one, with its own date of receipt.
    """
    try:
        return _NEXT[state, event]
    except KeyError:
        raise IllegalTransition(machine="objection", state=state, event=event) from None


def is_in_time(
    received_at: datetime, printed_deadline_at: datetime | None, computed_deadline_at: datetime | None
) -> bool:
    """Return whether an objection received at `received_at` is in time: by the later of the two deadlines (R25).

    Deadlines are the instants at which the last day has ended, so the last day counts to its last hour (Reg. (EEC,
    Euratom) 1182/71 art. 3(2)(b)). `printed_deadline_at` is what the customer's letter said, None where no letter was
    rendered; `computed_deadline_at` follows from its receipt, None while nothing proves receipt. Such a customer's
    period has not begun, so it cannot have ended.
    """
    if computed_deadline_at is None:
        return True
    deadline_at = max(computed_deadline_at, printed_deadline_at or computed_deadline_at)
    return received_at < deadline_at
