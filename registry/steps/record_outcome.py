"""Step six: what a provider or mail server reports later about a letter, once per event, in any order (R12, R26)."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.deliveries import REPORTABLE_STATES, DeliveryEvent, DeliveryState
from registry.steps.insert_once import insert_once
from registry.steps.receipts import note_receipt
from registry.steps.record import Actor, record_event
from registry.steps.send_deliveries import move_delivery
from registry.tables import Address, Delivery, Outcome, Subscription, Suppression


class OutcomeKind(StrEnum):
    """What is reported. Only a permanent bounce or a complaint suppresses the address."""

    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


_EVENTS = {
    OutcomeKind.DELIVERED: DeliveryEvent.REPORT_DELIVERED,
    OutcomeKind.BOUNCED: DeliveryEvent.REPORT_BOUNCED,
    OutcomeKind.COMPLAINED: DeliveryEvent.REPORT_COMPLAINT,
}
_SUPPRESSING = (OutcomeKind.BOUNCED, OutcomeKind.COMPLAINED)


def record_outcome(
    session: Session,
    now: datetime,
    *,
    provider: str,
    event_id: str,
    message_id: str,
    kind: OutcomeKind,
    happened_at: datetime,
    actor: Actor,
    detail: str | None = None,
) -> bool:
    """Store one report and let it move the delivery it is about; return False for one that is known already.

    `message_id` is that of the letter, with its angle brackets. A report that matches no delivery yet, or one that is
    on the wire, is kept, and `match_outcomes` takes it up later.
    """
    outcome = Outcome(
        provider=provider,
        event_id=event_id,
        message_id=message_id,
        kind=kind.value,
        detail=detail,
        happened_at=happened_at,
        recorded_at=now,
    )
    known = session.scalar(select(Outcome.id).where(Outcome.provider == provider, Outcome.event_id == event_id))
    if known is not None:
        return False
    session.add(outcome)
    session.flush()
    _match(session, now, outcome, actor)
    return True


def match_outcomes(session: Session, now: datetime, actor: Actor) -> int:
    """Match reports that came before their delivery could take them; return how many found theirs."""
    open_ones = session.scalars(select(Outcome).where(Outcome.delivery_id.is_(None)).order_by(Outcome.id)).all()
    return sum(_match(session, now, outcome, actor) for outcome in open_ones)


def _match(session: Session, now: datetime, outcome: Outcome, actor: Actor) -> bool:
    delivery = session.scalar(select(Delivery).where(Delivery.message_id == outcome.message_id).with_for_update())
    if delivery is None or DeliveryState(delivery.state) not in REPORTABLE_STATES:
        return False
    kind = OutcomeKind(outcome.kind)
    outcome.delivery_id = delivery.id
    outcome.publisher_id = delivery.publisher_id
    move_delivery(delivery, _EVENTS[kind])
    if delivery.state == DeliveryState.DELIVERED.value:
        delivery.delivered_at = min(delivery.delivered_at or outcome.happened_at, outcome.happened_at)
    if kind in _SUPPRESSING:
        _suppress(session, now, delivery, kind)
    session.flush()
    note_receipt(session, now, delivery)
    record_event(
        session,
        now,
        actor,
        f"delivery.reported_{kind.value}",
        subject=("delivery", str(delivery.id)),
        publisher_id=delivery.publisher_id,
        state=delivery.state,
    )
    return True


def _suppress(session: Session, now: datetime, delivery: Delivery, kind: OutcomeKind) -> None:
    address = session.scalars(
        select(Address)
        .join(Subscription, Subscription.address_id == Address.id)
        .where(Subscription.id == delivery.subscription_id)
    ).one()
    values = {"publisher_id": address.publisher_id, "channel": address.channel, "lookup_hmac": address.lookup_hmac}
    insert_once(session, Suppression, values | {"reason": kind.value, "since_at": now})
