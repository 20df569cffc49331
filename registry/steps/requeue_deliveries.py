"""A person has looked at letters that waited for one, and lets them be tried again (R26)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryEvent, DeliveryState
from registry.steps.record import Actor, record_event
from registry.steps.settle_delivery import move_delivery
from registry.tables import Delivery, Notice, Publisher, Statement


def requeue_deliveries(session: Session, now: datetime, publisher: Publisher, notice: Notice, actor: Actor) -> int:
    """Make every letter of the notice that needs attention due again at `now` (UTC), and return how many there are.

    Each is tried once more, and once more only where its tries were spent before. One that may have arrived goes out
    with the same bytes and is marked as a possible duplicate.
    """
    waiting = session.scalars(
        select(Delivery)
        .join(Statement, Statement.id == Delivery.statement_id)
        .where(Statement.notice_id == notice.id, Delivery.state == DeliveryState.NEEDS_ATTENTION.value)
        .order_by(Delivery.id)
        .with_for_update(of=Delivery, key_share=True)
    ).all()
    for delivery in waiting:
        move_delivery(delivery, DeliveryEvent.REQUEUE)
        delivery.due_at = now
        delivery.crash_count = 0
        delivery.note = None
    if waiting:
        record_event(
            session,
            now,
            actor,
            "delivery.requeued",
            subject=("notice", notice.number),
            publisher_id=publisher.id,
            deliveries=[delivery.id for delivery in waiting],
        )
    return len(waiting)
