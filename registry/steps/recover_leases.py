"""Finding letters whose worker died: due again if the send had not begun, otherwise they may have arrived (R26)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.deliveries import (
    MAX_CRASHES,
    DeliveryEvent,
    DeliveryState,
    choose_exhausted_event,
    may_repeat_ambiguous,
)
from registry.domain.vocabulary import Audience
from registry.steps.record import WORKER, record_event
from registry.steps.send_deliveries import lease_clock, move_delivery, started_attempts
from registry.tables import Attempt, Delivery, Subscription


def recover_leases(session: Session, now: datetime) -> int:
    """Take back every lease that ran out, and record it; return how many there were.

    Three crashes on one row, or a road that cannot be taken twice, and a person must look: nothing is dropped.
    """
    lapsed = session.scalars(
        select(Delivery)
        .where(Delivery.state == DeliveryState.LEASED.value, Delivery.lease_until < lease_clock(session, now))
        .order_by(Delivery.id)
        .with_for_update(skip_locked=True)
    ).all()
    for delivery in lapsed:
        attempt = session.scalars(
            select(Attempt).where(Attempt.delivery_id == delivery.id, Attempt.n == delivery.attempt_count)
        ).one()
        audience = Audience(session.get_one(Subscription, delivery.subscription_id).audience)
        has_begun = attempt.send_started_at is not None
        delivery.crash_count += 1
        delivery.due_at = now
        move_delivery(delivery, DeliveryEvent.LAPSE_SENT if has_begun else DeliveryEvent.LAPSE_UNSENT)
        started = started_attempts(session, delivery)
        unclear = sum(each.answer_class in {"ambiguous", None} for each in started)
        since = now - (started[0].send_started_at or now) if started else now - now
        is_spent = has_begun and not may_repeat_ambiguous(attempt.channel, unclear, since)
        if is_spent or delivery.crash_count >= MAX_CRASHES:
            move_delivery(delivery, choose_exhausted_event(audience))
        attempt.answer_class = "ambiguous" if has_begun else "not_tried"
        record_event(
            session,
            now,
            WORKER,
            "delivery.lease_lapsed",
            subject=("delivery", str(delivery.id)),
            publisher_id=delivery.publisher_id,
            had_begun=has_begun,
            state=delivery.state,
        )
    return len(lapsed)
