"""Finding letters whose worker died: due again if the send had not begun, otherwise they may have arrived (R26)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.deliveries import MAX_CRASHES, DeliveryNote, DeliveryState
from registry.steps.claim_deliveries import lease_clock, release
from registry.steps.record import WORKER, record_event
from registry.steps.send_batches import end_old_batches
from registry.steps.settle_delivery import (
    ACCEPTED,
    AMBIGUOUS,
    NOT_TRIED,
    accept,
    find_taken,
    put_before_a_person,
    settle_ambiguous,
    started_attempts,
)
from registry.tables import Attempt, Delivery

SUSPECTS_APART: Final = timedelta(minutes=1)
"""Between letters that had begun when their worker died: one by one they go out again, so that what ends it a second
time tells which of them it was."""

Leased = tuple[Delivery, Attempt]


def recover_leases(session: Session, now: datetime) -> int:
    """Take back every lease that ran out, and record it; return how many there were.

    A letter that is on record as taken counts for none: its worker died before it had settled it (`letter_turns`), and
    so it is settled here. Batches without an answer that nobody can ask for any more are ended along with that.
    Three crashes on one row, or a road that cannot be taken twice, and a person must look: nothing is dropped. A crash
    is put down to each letter that its worker was at, since any may have ended it, and not to those that merely waited.
    """
    # The attempts are locked as well: an answer that comes at this very moment would be written over (`letter_turns`).
    rows = session.execute(
        select(Delivery, Attempt)
        .join(Attempt, (Attempt.delivery_id == Delivery.id) & (Attempt.n == Delivery.attempt_count))
        .where(Delivery.state == DeliveryState.LEASED.value, Delivery.lease_until < lease_clock(session, now))
        .order_by(Delivery.priority, Delivery.due_at, Delivery.id)
        .with_for_update(of=(Delivery, Attempt), skip_locked=True, key_share=True)
    ).all()
    claims: dict[str, list[Leased]] = {}
    for delivery, attempt in rows:
        if attempt.answer_class == ACCEPTED:
            accept(session, now, delivery, attempt.finished_at or now)
        else:
            claims.setdefault(attempt.token, []).append((delivery, attempt))
    for claimed in claims.values():
        parcels = _find_parcels(claimed)
        # Where none had begun, the first in turn was being made ready.
        suspects = {parcel[0] for parcel in parcels} or {claimed[0][0].id}
        places = {delivery_id: place for place, parcel in enumerate(parcels) for delivery_id in parcel}
        for delivery, attempt in claimed:
            delivery.due_at = now + places.get(delivery.id, 0) * SUSPECTS_APART
            _take_back(session, now, delivery, attempt, is_suspect=delivery.id in suspects)
    session.flush()
    end_old_batches(session, now)
    return sum(map(len, claims.values()))


def _find_parcels(claimed: Sequence[Leased]) -> list[list[int]]:
    """Return the deliveries of a claim that had begun, in turn: each by itself, or those that went in one request."""
    parcels: dict[tuple[bool, int], list[int]] = {}
    for delivery, attempt in claimed:
        if attempt.send_started_at is not None:
            parcel = (True, attempt.batch_id) if attempt.batch_id is not None else (False, delivery.id)
            parcels.setdefault(parcel, []).append(delivery.id)
    return list(parcels.values())


def _take_back(session: Session, now: datetime, delivery: Delivery, attempt: Attempt, *, is_suspect: bool) -> None:
    has_begun = attempt.send_started_at is not None
    delivery.crash_count += is_suspect
    taken = find_taken(started_attempts(session, delivery)) if delivery.attempt_count > 1 else None
    if taken is not None:
        # Its worker had lost the lease by the time the answer came, and the one that had it then died.
        attempt.answer_class = AMBIGUOUS if has_begun else NOT_TRIED
        accept(session, now, delivery, taken.finished_at or now)
    elif is_suspect and delivery.crash_count >= MAX_CRASHES:
        attempt.answer_class = AMBIGUOUS if has_begun else NOT_TRIED
        put_before_a_person(session, now, delivery, DeliveryNote.CRASHED_REPEATEDLY)
    elif has_begun:
        attempt.answer_class = AMBIGUOUS
        settle_ambiguous(session, now, delivery, attempt.channel, due_at=delivery.due_at, is_crash=True)
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
