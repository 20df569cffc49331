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
from registry.steps.settle_delivery import CERTAINLY_NOT_TAKEN, move_delivery, started_attempts
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
    values = {
        "provider": provider,
        "event_id": event_id,
        "message_id": message_id,
        "kind": kind.value,
        "detail": detail,
        "happened_at": happened_at,
        "recorded_at": now,
    }
    if not insert_once(session, Outcome, values):
        return False
    outcome = session.scalars(select(Outcome).where(Outcome.provider == provider, Outcome.event_id == event_id)).one()
    _match(session, now, outcome, actor)
    return True


def match_outcomes(session: Session, now: datetime, actor: Actor) -> int:
    """Match reports that came before their delivery could take them; return how many found theirs.

    Those that match nothing yet are not touched: mail servers also report about letters that are not ours.
    """
    found = session.scalars(
        select(Outcome)
        .join(Delivery, Delivery.message_id == Outcome.message_id)
        .where(Outcome.delivery_id.is_(None), Delivery.state.in_([state.value for state in REPORTABLE_STATES]))
        .order_by(Outcome.id)
        .with_for_update(of=Outcome, skip_locked=True, key_share=True)
    ).all()
    return sum(_match(session, now, outcome, actor) for outcome in found)


def _match(session: Session, now: datetime, outcome: Outcome, actor: Actor) -> bool:
    delivery = session.scalar(
        select(Delivery)
        .where(Delivery.message_id == outcome.message_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    )
    if delivery is None or DeliveryState(delivery.state) not in REPORTABLE_STATES:
        return False
    kind = OutcomeKind(outcome.kind)
    outcome.delivery_id = delivery.id
    outcome.publisher_id = delivery.publisher_id
    move_delivery(delivery, _EVENTS[kind])
    if delivery.state == DeliveryState.DELIVERED.value:
        delivered_at = _when_possible(session, delivery, outcome)
        delivery.delivered_at = min(delivery.delivered_at or delivered_at, delivered_at)
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


def _when_possible(session: Session, delivery: Delivery, outcome: Outcome) -> datetime:
    """Return when the letter was delivered by the report, but not before it was sent nor after the report came.

    A provider whose clock is wrong must not start a customer's period too early (R24).
    """
    taken = [each for each in started_attempts(session, delivery) if each.answer_class not in CERTAINLY_NOT_TAKEN]
    earliest = taken[0].send_started_at if taken else None
    reported_at = min(outcome.happened_at, outcome.recorded_at)
    return max(reported_at, earliest) if earliest is not None else reported_at


def _suppress(session: Session, now: datetime, delivery: Delivery, kind: OutcomeKind) -> None:
    address = session.scalars(
        select(Address)
        .join(Subscription, Subscription.address_id == Address.id)
        .where(Subscription.id == delivery.subscription_id)
    ).one()
    values = {"publisher_id": address.publisher_id, "channel": address.channel, "lookup_hmac": address.lookup_hmac}
    insert_once(session, Suppression, values | {"reason": kind.value, "since_at": now})
