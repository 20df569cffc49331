"""Erasing an address with everything that quotes it: the proof stays, the person goes (R36)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, null, select, update
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryEvent, next_delivery_state
from registry.steps.end_subscription import EVERYTHING_WAITING
from registry.steps.note_untold import note_left
from registry.steps.record import Actor, record_event
from registry.tables import (
    Address,
    Attempt,
    Delivery,
    EndpointRequest,
    Objection,
    Outcome,
    StoredMail,
    Subscription,
)


class ErasedBecause(StrEnum):
    """Why an address was erased: somebody asked for it, nobody confirmed the wish, or its days were over."""

    ASKED_FOR = "asked_for"
    NOT_CONFIRMED = "not_confirmed"
    RETENTION = "retention"


def erase_addresses(
    session: Session, now: datetime, addresses: Sequence[Address], actor: Actor, because: ErasedBecause
) -> int:
    """Erase addresses; return how many letters they had been sent or due. Their subscriptions have ended before.

    With them go the names of their subscriptions and of who objected by their links, the words merged into their
    letters, and what servers answered, since these quote them; and addresses on the web that somebody asked to have
    posted to in their name. What still waited is cancelled: it cannot be sent any more, and is a task where a customer
    gets a withdrawal by nobody else. The keyed hash stays, so that a suppression goes on, and so do times, states and
    the hashes of letters, whose bytes cannot be made again.
    """
    ids = [address.id for address in addresses]
    uses = select(Subscription.id).where(Subscription.address_id.in_(ids))
    letters = select(Delivery.id).where(Delivery.subscription_id.in_(uses))
    for state in EVERYTHING_WAITING:
        session.execute(
            update(Delivery)
            .where(Delivery.subscription_id.in_(uses), Delivery.state == state.value)
            .values(state=next_delivery_state(state, DeliveryEvent.CANCEL).value)
        )
    contacts = select(Subscription).where(Subscription.address_id.in_(ids), Subscription.customer_id.is_not(None))
    for contact in session.scalars(contacts.order_by(Subscription.id)).all():
        note_left(session, now, contact, actor)
    session.execute(
        update(Subscription).where(Subscription.address_id.in_(ids), Subscription.name.is_not(None)).values(name=None)
    )
    for erasure in (
        update(Delivery).where(Delivery.id.in_(letters), Delivery.merge.is_not(null())).values(merge=None),
        update(Attempt).where(Attempt.delivery_id.in_(letters), Attempt.answer.is_not(None)).values(answer=None),
        update(Outcome).where(Outcome.delivery_id.in_(letters), Outcome.detail.is_not(None)).values(detail=None),
        update(StoredMail).where(StoredMail.delivery_id.in_(letters), StoredMail.body.is_not(None)).values(body=None),
        update(Objection).where(Objection.subscription_id.in_(uses), Objection.name.is_not(None)).values(name=None),
        update(EndpointRequest)
        .where(EndpointRequest.subscription_id.in_(uses), EndpointRequest.closed_at.is_(None))
        .values(url=None, closed_at=now),
    ):
        session.execute(erasure)
    rows = session.execute(
        select(Subscription.address_id, func.count())
        .join(Delivery, Delivery.subscription_id == Subscription.id)
        .where(Subscription.address_id.in_(ids))
        .group_by(Subscription.address_id)
    )
    counts = {row[0]: row[1] for row in rows}
    for address in addresses:
        address.value = None
        record_event(
            session,
            now,
            actor,
            "address.erased",
            subject=("address", str(address.id)),
            publisher_id=address.publisher_id,
            because=because.value,
            letters=counts.get(address.id, 0),
        )
    session.flush()
    return sum(counts.values())
