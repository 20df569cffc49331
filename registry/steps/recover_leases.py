"""Finding letters whose worker died: due again if the send had not begun, otherwise they may have arrived (R26)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.deliveries import MAX_CRASHES, DeliveryState
from registry.steps.claim_deliveries import lease_clock, release
from registry.steps.record import WORKER, record_event
from registry.steps.send_batches import end_old_batches
from registry.steps.settle_delivery import (
    ACCEPTED,
    AMBIGUOUS,
    NOT_TRIED,
    DeliveryNote,
    accept,
    put_before_a_person,
    settle_ambiguous,
)
from registry.tables import Attempt, Delivery


def recover_leases(session: Session, now: datetime) -> int:
    """Take back every lease that ran out, and record it; return how many there were.

    A letter that is on record as taken counts for none: its worker died before it had settled it (`letter_turns`), and
    so it is settled here. Batches without an answer that nobody can ask for any more are ended along with that.
    Three crashes on one row, or a road that cannot be taken twice, and a person must look: nothing is dropped. A crash
    is put down to the letter that its worker was at, not to the others of the batch, which merely waited for it.
    """
    rows = session.execute(
        select(Delivery, Attempt)
        .join(Attempt, (Attempt.delivery_id == Delivery.id) & (Attempt.n == Delivery.attempt_count))
        .where(Delivery.state == DeliveryState.LEASED.value, Delivery.lease_until < lease_clock(session, now))
        .order_by(Delivery.priority, Delivery.due_at, Delivery.id)
        .with_for_update(of=Delivery, skip_locked=True, key_share=True)
    ).all()
    batches: dict[str, list[tuple[Delivery, Attempt]]] = {}
    for delivery, attempt in rows:
        if attempt.answer_class == ACCEPTED:
            accept(session, now, delivery, attempt.finished_at or now)
        else:
            batches.setdefault(attempt.token, []).append((delivery, attempt))
    for batch in batches.values():
        culprit = _find_culprit(batch)
        for delivery, attempt in batch:
            _take_back(session, now, delivery, attempt, is_culprit=delivery is culprit)
    session.flush()
    end_old_batches(session, now)
    return sum(map(len, batches.values()))


def _find_culprit(batch: Sequence[tuple[Delivery, Attempt]]) -> Delivery:
    """Return the letter that had begun, or else the first in turn: it was being made ready when its worker died."""
    begun = (delivery for delivery, attempt in batch if attempt.send_started_at is not None)
    return next(begun, batch[0][0])


def _take_back(session: Session, now: datetime, delivery: Delivery, attempt: Attempt, *, is_culprit: bool) -> None:
    has_begun = attempt.send_started_at is not None
    delivery.crash_count += is_culprit
    delivery.due_at = now
    if is_culprit and delivery.crash_count >= MAX_CRASHES:
        attempt.answer_class = AMBIGUOUS if has_begun else NOT_TRIED
        put_before_a_person(session, now, delivery, DeliveryNote.CRASHED_REPEATEDLY)
    elif has_begun:
        attempt.answer_class = AMBIGUOUS
        settle_ambiguous(session, now, delivery, attempt.channel, due_at=now, is_crash=True)
    else:
        release(session, now, delivery, attempt)
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
