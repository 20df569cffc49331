"""The end of a subscription, whatever its reason: it is told nothing more, and what waits for it is cancelled."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryEvent, DeliveryState, next_delivery_state
from registry.steps.note_untold import note_left
from registry.steps.record import Actor, record_event
from registry.tables import Delivery, Subscription


class EndedBecause(StrEnum):
    """Why a subscription ended. All but the last are somebody's wish, which no import undoes (R34).

    `gone`: an endpoint answered that it wants nothing more (HTTP 410).
    """

    UNSUBSCRIBED = "unsubscribed"
    REPLACED = "replaced"
    REMOVED = "removed"
    GONE = "gone"
    EXPIRED = "expired"


NOT_TRIED_YET = (DeliveryState.PENDING, DeliveryState.RETRY_WAIT)
"""Cancelled with the subscription. What may be on the wire settles first (R28)."""

EVERYTHING_WAITING = (*NOT_TRIED_YET, DeliveryState.AMBIGUOUS, DeliveryState.NEEDS_ATTENTION)
"""Cancelled where the address itself goes, so that nobody waits for what cannot be sent any more (R36)."""


def end_subscription(
    session: Session,
    now: datetime,
    subscription: Subscription,
    because: EndedBecause,
    actor: Actor,
    waiting: Iterable[DeliveryState] = NOT_TRIED_YET,
) -> int:
    """End a subscription at `now`, cancel its deliveries that are in a state of `waiting`, and return how many.

    A withdrawal that a customer's contact gets no more, and nobody else of the customer has, is a task from then on.
    """
    subscription.ended_at = now
    subscription.ended_because = because.value
    session.flush()
    cancelled = 0
    for state in waiting:
        # Conditional, since a worker may be claiming: either it has the row, or it finds the row cancelled.
        settled = session.scalars(
            update(Delivery)
            .where(Delivery.subscription_id == subscription.id, Delivery.state == state.value)
            .values(state=next_delivery_state(state, DeliveryEvent.CANCEL).value)
            .returning(Delivery.id)
        ).all()
        cancelled += len(settled)
    record_event(
        session,
        now,
        actor,
        "subscription.ended",
        subject=("subscription", str(subscription.id)),
        publisher_id=subscription.publisher_id,
        audience=subscription.audience,
        because=because.value,
        cancelled=cancelled,
    )
    if subscription.customer_id is not None:
        note_left(session, now, subscription, actor)
    return cancelled


def find_subscription(session: Session, subscription_id: int) -> Subscription | None:
    """Return a subscription, locked so that two acts upon it come one after the other, or None."""
    query = select(Subscription).where(Subscription.id == subscription_id).with_for_update(key_share=True)
    # What was read before the lock may be out of date by now.
    return session.scalar(query.execution_options(populate_existing=True))
