"""Step six: what a provider or mail server reports later about a letter, once per event, in any order (R12, R26).

callback ──┐                       ┌──▶ known already: nothing
bounce  ───┼──▶ record_outcome ────┼──▶ its delivery is found, and moves on, or does not
by hand ───┘                       └──▶ not found, or on the wire: kept ──▶ match_outcomes, until it is
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Engine, and_, or_, select, union
from sqlalchemy.orm import Session

from registry.domain.deliveries import REPORTABLE_STATES, DeliveryEvent, DeliveryNote, DeliveryState
from registry.domain.outcomes import EVENTS, SUPPRESSES, OutcomeKind
from registry.steps.insert_once import insert_once
from registry.steps.note_untold import note_untold
from registry.steps.persist import DATABASE_TROUBLE, name_of
from registry.steps.receipts import note_receipt
from registry.steps.record import Actor, record_event
from registry.steps.settle_delivery import CERTAINLY_NOT_TAKEN, move_delivery, started_attempts
from registry.steps.suppressions import suppress
from registry.tables import Address, Attempt, Delivery, Outcome, Subscription
from registry.tables.engine import reading, writing

__all__ = ["OutcomeKind", "match_outcomes", "record_outcome"]

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
FURTHEST_AHEAD: Final = timedelta(days=366)
"""Other clocks are wrong, but what lies beyond these is no time at all, and a database server may not give it back."""

_MOVING: Final = [kind.value for kind in EVENTS]


def record_outcome(
    session: Session,
    now: datetime,
    *,
    provider: str,
    event_id: str,
    kind: OutcomeKind,
    happened_at: datetime,
    actor: Actor,
    message_id: str | None = None,
    provider_ref: str | None = None,
    detail: str | None = None,
) -> bool:
    """Store one report and let it move the delivery it is about; return False for one that is known already.

    `message_id` is that of the letter, with its angle brackets; `provider_ref` is the name that `provider`, a channel,
    gave to it. One of them is needed, and the first is tried first. A report that matches no delivery yet, or one that
    is on the wire, is kept, and `match_outcomes` takes it up later; so is one whose matching fails, which then fails
    there, where it is logged. Raises ValueError for a report about nothing.
    """
    if message_id is None and provider_ref is None:
        raise ValueError("a report names its letter by one of its names")
    values = {
        "provider": provider,
        "event_id": event_id,
        "message_id": message_id,
        "provider_ref": provider_ref,
        "kind": kind.value,
        "detail": detail,
        "happened_at": min(max(happened_at, EARLIEST), now + FURTHEST_AHEAD),
        "recorded_at": now,
    }
    if not insert_once(session, Outcome, values):
        return False
    outcome = session.scalars(select(Outcome).where(Outcome.provider == provider, Outcome.event_id == event_id)).one()
    try:
        with session.begin_nested():
            _match(session, now, outcome, actor)
    except DATABASE_TROUBLE:
        raise
    except Exception:  # noqa: BLE001 - the sweep meets it again and says so; raised here, the report would be lost
        session.refresh(outcome)
    return True


def match_outcomes(
    engine: Engine,
    clock: Callable[[], datetime],
    actor: Actor,
    *,
    should_stop: Callable[[], bool] = lambda: False,
) -> int:
    """Match reports that came before their delivery could take them; return how many found theirs.

    Those that match nothing yet are not touched: mail servers also report about letters that are not ours. Each is
    matched in a transaction of its own: one that held the rows of several letters would wait for others in turn with
    whoever settles these, and both for ever. One whose matching fails keeps no other waiting; its error is
    raised at the end.
    """
    with reading(engine) as session:
        waiting = _find_ready(session)
    matched = 0
    trouble: Exception | None = None
    for outcome_id in waiting:
        if should_stop():
            break
        try:
            with writing(engine) as session:
                outcome = session.scalar(
                    select(Outcome)
                    .where(Outcome.id == outcome_id, Outcome.delivery_id.is_(None))
                    .with_for_update(skip_locked=True, key_share=True)
                )
                matched += outcome is not None and _match(session, clock(), outcome, actor)
        except DATABASE_TROUBLE:
            raise
        except Exception as raised:  # noqa: BLE001 - it is raised once the others had their turn
            trouble = trouble or raised
    if trouble is not None:
        raise trouble
    return matched


def _find_ready(session: Session) -> Sequence[int]:
    """Return the reports that have no delivery and could have one now."""
    is_ready = or_(Outcome.kind.not_in(_MOVING), Delivery.state.in_([state.value for state in REPORTABLE_STATES]))
    by_message_id = (
        select(Outcome.id)
        .join(Delivery, Delivery.message_id == Outcome.message_id)
        .where(Outcome.delivery_id.is_(None), is_ready)
    )
    by_reference = (
        select(Outcome.id)
        .join(Attempt, and_(Attempt.provider_ref == Outcome.provider_ref, Attempt.channel == Outcome.provider))
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .where(Outcome.delivery_id.is_(None), is_ready)
    )
    found = union(by_message_id, by_reference).subquery()
    return session.scalars(select(found.c.id).order_by(found.c.id)).all()


def _find_delivery_id(session: Session, outcome: Outcome) -> int | None:
    found: int | None = None
    if outcome.message_id is not None:
        found = session.scalar(select(Delivery.id).where(Delivery.message_id == outcome.message_id))
    if found is None and outcome.provider_ref is not None:
        found = session.scalar(
            select(Attempt.delivery_id)
            .where(Attempt.provider_ref == outcome.provider_ref, Attempt.channel == outcome.provider)
            .order_by(Attempt.id)
            .limit(1)
        )
    return found


def _match(session: Session, now: datetime, outcome: Outcome, actor: Actor) -> bool:
    delivery_id = _find_delivery_id(session, outcome)
    if delivery_id is None:
        return False
    event = EVENTS.get(OutcomeKind(outcome.kind))
    if event is None:
        # On record and no more, so it need not wait for a letter that is on the wire.
        delivery = session.get_one(Delivery, delivery_id)
        outcome.delivery_id, outcome.publisher_id = delivery.id, delivery.publisher_id
        session.flush()
        return True
    delivery = session.scalars(
        select(Delivery)
        .where(Delivery.id == delivery_id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).one()
    if DeliveryState(delivery.state) not in REPORTABLE_STATES:
        return False
    outcome.delivery_id, outcome.publisher_id = delivery.id, delivery.publisher_id
    _take(session, now, delivery, outcome, event, actor)
    return True


def _take(
    session: Session, now: datetime, delivery: Delivery, outcome: Outcome, event: DeliveryEvent, actor: Actor
) -> None:
    kind = OutcomeKind(outcome.kind)
    move_delivery(delivery, event)
    if event is not DeliveryEvent.REPORT_BOUNCED:
        delivered_at = _when_possible(session, delivery, outcome)
        delivery.delivered_at = min(delivery.delivered_at or delivered_at, delivered_at)
    subscription = session.get_one(Subscription, delivery.subscription_id)
    if kind in SUPPRESSES:
        address = session.get_one(Address, subscription.address_id)
        suppress(session, now, address.publisher_id, address.channel, address.lookup_hmac, SUPPRESSES[kind], actor)
    session.flush()
    _count_receipt(session, now, delivery, subscription, actor)
    if event is DeliveryEvent.REPORT_BOUNCED and subscription.ended_at is not None:
        note_untold(session, now, delivery, actor)
    record_event(
        session,
        now,
        actor,
        f"delivery.reported_{kind.value}",
        subject=("delivery", str(delivery.id)),
        publisher_id=delivery.publisher_id,
        state=delivery.state,
    )


def _count_receipt(
    session: Session, now: datetime, delivery: Delivery, subscription: Subscription, actor: Actor
) -> None:
    """Bring the customer's clock up to date. What fails there must not keep the report from being on record."""
    try:
        with session.begin_nested():
            note_receipt(session, now, delivery)
    except DATABASE_TROUBLE:
        raise
    except Exception as trouble:  # noqa: BLE001 - it goes on record; raised, the report would be refused again and again
        delivery.note = f"{DeliveryNote.RECEIPT_NOT_COUNTED}: {name_of(trouble)}"
        record_event(
            session,
            now,
            actor,
            "delivery.receipt_not_counted",
            subject=("delivery", str(delivery.id)),
            publisher_id=delivery.publisher_id,
            customer_id=subscription.customer_id,
            trouble=name_of(trouble),
        )


def _when_possible(session: Session, delivery: Delivery, outcome: Outcome) -> datetime:
    """Return when the letter was delivered by the report, but not before it was sent nor after the report came.

    A provider whose clock is wrong must not start a customer's period too early (R24).
    """
    taken = [each for each in started_attempts(session, delivery) if each.answer_class not in CERTAINLY_NOT_TAKEN]
    earliest = taken[0].send_started_at if taken else None
    reported_at = min(outcome.happened_at, outcome.recorded_at)
    return max(reported_at, earliest) if earliest is not None else reported_at
