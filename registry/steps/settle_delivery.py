"""What becomes of a delivery once its try has an answer, or will have none (DESIGN §4.4, R26)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.channels.base import Accepted, Ambiguous, Answer, PermanentFailure, TemporaryFailure
from registry.domain.deliveries import (
    MAX_CRASHES,
    DeliveryEvent,
    DeliveryNote,
    DeliveryState,
    SkipReason,
    choose_exhausted_event,
    may_repeat_ambiguous,
    next_delivery_state,
    next_try_after,
)
from registry.domain.vocabulary import Audience, ChannelKind
from registry.steps.endpoint_results import end_endpoint, note_endpoint_result
from registry.steps.persist import DATABASE_TROUBLE, name_of
from registry.steps.receipts import note_receipt
from registry.steps.record import WORKER, record_event
from registry.tables import Attempt, Delivery, Subscription

AMBIGUOUS_WAIT = timedelta(minutes=1)

ACCEPTED = "accepted"
TEMPORARY = "temporary"
PERMANENT = "permanent"
AMBIGUOUS = "ambiguous"
NOT_TRIED = "not_tried"
CERTAINLY_NOT_TAKEN = (TEMPORARY, PERMANENT, NOT_TRIED)
"""Classes of an attempt's answer after which the letter is not out there. One without an answer may be."""


def move_delivery(delivery: Delivery, event: DeliveryEvent) -> None:
    """Take the delivery one step along its machine, giving up its lease. Raises `IllegalTransition`."""
    delivery.state = next_delivery_state(DeliveryState(delivery.state), event).value
    if delivery.state != DeliveryState.LEASED.value:
        delivery.token = None
        delivery.lease_until = None
        if delivery.state != DeliveryState.AMBIGUOUS.value:
            delivery.batch_id = None
    if delivery.state != DeliveryState.SKIPPED.value:
        # A report may still come about a try before the one that was skipped.
        delivery.skip_reason = None


def started_attempts(session: Session, delivery: Delivery) -> list[Attempt]:
    """Return the attempts whose send began, the first one first."""
    query = select(Attempt).where(Attempt.delivery_id == delivery.id, Attempt.send_started_at.is_not(None))
    return list(session.scalars(query.order_by(Attempt.n)))


def may_have_arrived(started: Iterable[Attempt]) -> bool:
    """Return whether the letter may be out there after these attempts whose send began."""
    return bool(_unclear(started))


def find_taken(started: Iterable[Attempt]) -> Attempt | None:
    """Return the first of these attempts that the other side took."""
    return next((attempt for attempt in started if attempt.answer_class == ACCEPTED), None)


def _unclear(started: Iterable[Attempt]) -> list[Attempt]:
    return [attempt for attempt in started if attempt.answer_class not in CERTAINLY_NOT_TAKEN]


def count_defect(session: Session, now: datetime, delivery: Delivery) -> None:
    """Note that a channel failed at a letter as no network does. After three times it is not tried at every repeat."""
    delivery.crash_count += 1
    if delivery.crash_count >= MAX_CRASHES and delivery.state == DeliveryState.AMBIGUOUS.value:
        put_before_a_person(session, now, delivery, DeliveryNote.CRASHED_REPEATEDLY)


def lapse(delivery: Delivery, *, has_begun: bool) -> None:
    """Take a lease back. `has_begun`: the send had begun, in this lease or an earlier one that has no clear answer."""
    move_delivery(delivery, DeliveryEvent.LAPSE_SENT if has_begun else DeliveryEvent.LAPSE_UNSENT)


def settle_delivery(
    session: Session,
    delivery: Delivery,
    attempt: Attempt,
    answer: Answer,
    answered_at: datetime,
    channel_kind: str,
    jitter: float,
) -> None:
    """Move a delivery whose lease holds by the answer to its attempt, which came at `answered_at` (UTC).

    Accepted starts the clock of the customer it was for (R12). A refusal for now waits for its next try; after an
    earlier try that may have arrived the delivery stays ambiguous meanwhile. Where a repeat does no harm there are as
    many as refusals would have. `jitter` in [-1, 1] spreads retries.

    Where an earlier try was accepted, and its answer came after its lease was lost, nothing that is said of this one
    takes that back: the letter is there since then.
    """
    record_answer(attempt, answer, answered_at)
    session.flush()
    started = started_attempts(session, delivery)
    taken = find_taken(started)
    match answer:
        case _ if taken is not None:
            accept(session, answered_at, delivery, taken.finished_at or answered_at)
        case Accepted():
            accept(session, answered_at, delivery, answered_at)
        case TemporaryFailure():
            since_first = answered_at - _began_at(started, answered_at)
            wait = next_try_after(channel_kind, len(started), jitter, answer.retry_after, waited=since_first)
            if wait is None:
                note = DeliveryNote.MAY_HAVE_ARRIVED if may_have_arrived(started) else DeliveryNote.TRIES_SPENT
                exhaust(session, answered_at, delivery, note, code=answer.code)
            else:
                event = DeliveryEvent.LOSE_ANSWER if may_have_arrived(started) else DeliveryEvent.DEFER
                move_delivery(delivery, event)
                delivery.due_at = answered_at + wait
        case PermanentFailure():
            move_delivery(delivery, DeliveryEvent.REFUSE)
            delivery.note = DeliveryNote.MAY_HAVE_ARRIVED.value if may_have_arrived(started) else None
            _record(session, answered_at, delivery, code=answer.code)
        case Ambiguous(is_final=True):
            put_before_a_person(session, answered_at, delivery, DeliveryNote.MAY_HAVE_ARRIVED)
        case Ambiguous():
            unclear = _unclear(started)
            since_first = answered_at - _began_at(unclear, answered_at)
            wait = next_try_after(channel_kind, len(unclear), jitter, answer.retry_after, waited=since_first)
            if wait is None:
                exhaust(session, answered_at, delivery, DeliveryNote.MAY_HAVE_ARRIVED)
            else:
                due_at = answered_at + max(AMBIGUOUS_WAIT, wait)
                settle_ambiguous(session, answered_at, delivery, attempt.channel, due_at)
    if delivery.channel != ChannelKind.EMAIL.value:
        _note_endpoint(session, answered_at, delivery, answer)


def _note_endpoint(session: Session, now: datetime, delivery: Delivery, answer: Answer) -> None:
    """Note whether an address on the web takes messages, and end one that wants no more of them (HTTP 410)."""
    address_id = session.get_one(Subscription, delivery.subscription_id).address_id
    note_endpoint_result(session, now, address_id, isinstance(answer, Accepted))
    if isinstance(answer, PermanentFailure) and answer.ends_address:
        end_endpoint(session, now, address_id)


def record_answer(attempt: Attempt, answer: Answer, answered_at: datetime) -> None:
    """Keep what the other side said, whoever holds the delivery by now."""
    attempt.finished_at = answered_at
    attempt.code = answer.code
    attempt.answer = answer.answer
    attempt.answer_class = class_of(answer)
    attempt.provider_ref = answer.provider_ref if isinstance(answer, Accepted) else None


def close_untried(attempt: Attempt, now: datetime) -> None:
    """Keep that a try ended at `now` (UTC) without being sent. Nor did it begin, though its start was on record."""
    attempt.send_started_at = attempt.sha256 = None
    attempt.finished_at = now
    attempt.answer_class = NOT_TRIED


def accept(session: Session, now: datetime, delivery: Delivery, accepted_at: datetime) -> None:
    """Note that the other side took the letter at `accepted_at` (UTC), and start the clock that this starts."""
    move_delivery(delivery, DeliveryEvent.ACCEPT)
    delivery.accepted_at = accepted_at
    session.flush()
    try:
        with session.begin_nested():
            note_receipt(session, now, delivery)
    except DATABASE_TROUBLE:
        raise
    except Exception as trouble:  # noqa: BLE001 - it goes on record; raised, it would undo the acceptance, and the letter go out twice
        delivery.note = f"{DeliveryNote.RECEIPT_NOT_COUNTED}: {name_of(trouble)}"
        _record(session, now, delivery, kind="delivery.receipt_not_counted", trouble=name_of(trouble))


def settle_ambiguous(
    session: Session, now: datetime, delivery: Delivery, road: str, due_at: datetime, *, is_crash: bool = False
) -> None:
    """Let a leased delivery that may have arrived wait for its next try at `due_at` (UTC), or end it (R29).

    A crash is no sign of trouble with the letter until it is the third: until then each one allows a further try.
    """
    session.flush()
    unclear = _unclear(started_attempts(session, delivery))
    tries = 1 if is_crash else len(unclear)
    if may_repeat_ambiguous(road, tries, now - _began_at(unclear, now)):
        lapse(delivery, has_begun=True)
        delivery.due_at = due_at
    else:
        exhaust(session, now, delivery, DeliveryNote.MAY_HAVE_ARRIVED)


def is_recognised(session: Session, now: datetime, delivery: Delivery, road: str) -> bool:
    """Return whether `road` still takes a repeat of a letter that may have arrived for the same letter (R29)."""
    unclear = _unclear(started_attempts(session, delivery))
    return may_repeat_ambiguous(road, 1, now - _began_at(unclear, now))


def exhaust(
    session: Session,
    now: datetime,
    delivery: Delivery,
    note: DeliveryNote | SkipReason,
    *,
    code: int | None = None,
) -> None:
    """End a delivery whose tries are spent: a contact's waits for a person, a follower's has failed (R26)."""
    audience = Audience(session.get_one(Subscription, delivery.subscription_id).audience)
    move_delivery(delivery, choose_exhausted_event(audience))
    delivery.note = note.value
    _record(session, now, delivery, code=code)


def put_before_a_person(
    session: Session, now: datetime, delivery: Delivery, note: DeliveryNote, trouble: Exception | None = None
) -> None:
    """End the tries of a letter at which this house fails, not its reader: so a follower's is not given up either."""
    move_delivery(delivery, DeliveryEvent.ESCALATE)
    delivery.note = f"{note}: {name_of(trouble)}" if trouble is not None else note.value
    _record(session, now, delivery)


def _record(session: Session, now: datetime, delivery: Delivery, *, kind: str | None = None, **facts: object) -> None:
    subscription = session.get_one(Subscription, delivery.subscription_id)
    record_event(
        session,
        now,
        WORKER,
        kind or f"delivery.{delivery.state}",
        subject=("delivery", str(delivery.id)),
        publisher_id=delivery.publisher_id,
        customer_id=subscription.customer_id,
        note=delivery.note,
        **facts,
    )


def _began_at(started: list[Attempt], otherwise: datetime) -> datetime:
    return next((each.send_started_at for each in started if each.send_started_at is not None), otherwise)


def class_of(answer: Answer) -> str:
    """Return the class that an answer is kept under."""
    match answer:
        case Accepted():
            return ACCEPTED
        case TemporaryFailure():
            return TEMPORARY
        case PermanentFailure():
            return PERMANENT
        case _:
            return AMBIGUOUS
