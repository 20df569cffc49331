"""The start of one letter: what is committed before it goes on the wire, or why it must not go any more (R28–R30)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from registry.channels.base import Envelope
from registry.domain.deliveries import SENDABLE_STATES, DeliveryEvent, DeliveryNote, DeliveryState, SkipReason
from registry.domain.letter_order import find_wait, takes_back_nothing
from registry.domain.notice_life import NoticeState
from registry.domain.vocabulary import Audience, StatementKind
from registry.letters.compose import sha256_of
from registry.steps.addresses import is_row_suppressed
from registry.steps.claim_deliveries import Lease, find_held, get_attempt, release, renew_leases
from registry.steps.dispatch import Dispatch
from registry.steps.fan_out import NOT_REACHED
from registry.steps.installation import dispatch_pause
from registry.steps.merge_letter import Recipient, is_merge_stale, load_recipient, make_envelope, merge_for
from registry.steps.persist import DATABASE_TROUBLE
from registry.steps.record import WORKER, record_event
from registry.steps.settle_delivery import (
    accept,
    close_untried,
    exhaust,
    find_taken,
    may_have_arrived,
    move_delivery,
    put_before_a_person,
    started_attempts,
)
from registry.steps.statement_order import find_earlier, put_off, read_later
from registry.tables import Attempt, Delivery, Statement


def start_delivery(
    session: Session, now: datetime, lease: Lease, dispatch: Dispatch
) -> tuple[Envelope | None, str | None]:
    """Commit that the send begins; or return the state in which the row was let go of, None where it goes on waiting.

    Its savepoint keeps a letter that cannot be made from taking the settling of the one before it along.
    """
    delivery = find_held(session, lease)
    if delivery is None:
        return None, None
    attempt = get_attempt(session, lease)
    # A letter that is with nobody but here did not go out, though its start may be on record (`Road.put_back`).
    attempt.send_started_at = attempt.sha256 = None
    session.flush()
    if dispatch_pause(session) is not None:
        release(session, now, delivery, attempt)
        return None, None
    try:
        with session.begin_nested():
            ready = _make_ready(session, now, lease, delivery, attempt, dispatch)
    except DATABASE_TROUBLE:
        raise
    except Exception as trouble:  # noqa: BLE001 - it goes on record and before a person; raised, it would end every batch at this row
        close_untried(attempt, now)
        put_before_a_person(session, now, delivery, DeliveryNote.CANNOT_BE_MADE, trouble)
        ready = None
    return ready, None if ready or delivery.state in SENDABLE_STATES else delivery.state


def _make_ready(
    session: Session, now: datetime, lease: Lease, delivery: Delivery, attempt: Attempt, dispatch: Dispatch
) -> Envelope | None:
    recipient = load_recipient(session, delivery)
    earlier = [each for each in started_attempts(session, delivery) if each.n < lease.attempt_n]
    taken = find_taken(earlier)
    if taken is not None:
        # Its worker had lost the lease by the time the answer came; to send again would be a copy too many.
        close_untried(attempt, now)
        accept(session, now, delivery, taken.finished_at or now)
        return None
    is_unclear = may_have_arrived(earlier)
    # A restored one may have gone out after the backup was made, by an attempt that is not on record here.
    if _let_go(session, now, recipient, is_unclear or delivery.possible_duplicate):
        close_untried(attempt, now)
        return None
    if not is_unclear and _is_out_of_order(session, now, lease, recipient, attempt):
        return None
    if not is_unclear and is_merge_stale(now, recipient):
        merge_for(session, now, recipient, dispatch.letterhead, dispatch.keyring)
    envelope = make_envelope(session, recipient, dispatch.keyring, dispatch.letterhead.bounce_address, now=now)
    delivery.possible_duplicate = delivery.possible_duplicate or is_unclear
    delivery.note = None
    attempt.send_started_at = now
    attempt.sha256 = sha256_of(envelope.message)
    renew_leases(session, now, delivery)
    return envelope


def _let_go(session: Session, now: datetime, recipient: Recipient, is_unclear: bool) -> bool:
    """End a leased row that must not be sent any more, and record why; False for one that may go out (R28).

    `is_unclear`: an earlier try may have arrived. Then "skipped" would say too much.
    """
    delivery, subscription, address = recipient.delivery, recipient.subscription, recipient.address
    reason: SkipReason | None = None
    because = ""
    if is_withdrawn(recipient):
        because = "withdrawn"
        if not is_unclear:
            _spare_the_withdrawal(session, recipient)
    elif subscription.ended_at is not None:
        because = subscription.ended_because or SkipReason.UNSUBSCRIBED.value
        # A contact never leaves (R34): another one stands in its place, and what waits is cancelled.
        if subscription.audience == Audience.FOLLOWER.value and not is_unclear:
            reason = SkipReason.UNSUBSCRIBED
    elif address.value is None:
        reason = SkipReason.NO_ADDRESS
        # Erased while the letter was being made ready, which stored its words anew (R36).
        delivery.merge = None
    elif is_row_suppressed(session, address):
        reason = SkipReason.SUPPRESSED
    else:
        return False
    if reason is not None and is_unclear:
        exhaust(session, now, delivery, reason)
        return True
    move_delivery(delivery, DeliveryEvent.LAPSE_UNSENT)
    move_delivery(delivery, DeliveryEvent.CANCEL if reason is None else DeliveryEvent.SKIP)
    delivery.skip_reason = reason.value if reason is not None else None
    if is_unclear:
        delivery.note = DeliveryNote.MAY_HAVE_ARRIVED.value
    _record(session, now, recipient, because=reason.value if reason is not None else because)
    return True


def _record(session: Session, now: datetime, recipient: Recipient, because: str) -> None:
    delivery = recipient.delivery
    record_event(
        session,
        now,
        WORKER,
        f"delivery.{delivery.state}",
        subject=("delivery", str(delivery.id)),
        publisher_id=delivery.publisher_id,
        customer_id=recipient.subscription.customer_id,
        because=because,
    )


def _is_out_of_order(session: Session, now: datetime, lease: Lease, recipient: Recipient, attempt: Attempt) -> bool:
    """Cancel a withdrawal to somebody who was told nothing, or put off a letter whose turn is after another's (R15)."""
    delivery = recipient.delivery
    earlier = find_earlier(session, recipient)
    if not earlier:
        return False
    letter = read_later(session, recipient, lease.attempt_n)
    if takes_back_nothing(letter.kind, earlier):
        close_untried(attempt, now)
        move_delivery(delivery, DeliveryEvent.LAPSE_UNSENT)
        move_delivery(delivery, DeliveryEvent.CANCEL)
        _record(session, now, recipient, because="not_told")
        return True
    until = find_wait(now, letter, earlier)
    if until is None:
        return False
    put_off(session, now, delivery, attempt, until)
    return True


def is_withdrawn(recipient: Recipient) -> bool:
    """Return whether a letter is of a notice that was withdrawn, and is not the one that says so."""
    notice, statement = recipient.notice, recipient.statement
    return (
        notice is not None
        and statement is not None
        and notice.state == NoticeState.WITHDRAWN.value
        and statement.kind != StatementKind.WITHDRAWAL.value
    )


def _spare_the_withdrawal(session: Session, recipient: Recipient) -> None:
    """Who was not told of the notice is not told of its withdrawal (R15), which was made while this row was leased.

    Whoever may have another letter of the notice keeps it, and so does a withdrawal that has begun: each finds out by
    itself, when its turn comes.
    """
    statement = recipient.statement
    if statement is None or statement.kind != StatementKind.ANNOUNCEMENT.value:
        return
    rows = session.execute(
        select(Delivery.id, Delivery.state, Statement.kind)
        .join(Statement, Statement.id == Delivery.statement_id)
        .where(
            Statement.notice_id == statement.notice_id,
            Statement.id != statement.id,
            Delivery.subscription_id == recipient.subscription.id,
        )
    ).all()
    withdrawals = [row.id for row in rows if row.kind == StatementKind.WITHDRAWAL.value]
    others = [row for row in rows if row.id not in withdrawals and row.state not in NOT_REACHED]
    if not others:
        session.execute(
            update(Delivery)
            .where(Delivery.id.in_(withdrawals), Delivery.state == DeliveryState.PENDING.value)
            .values(state=DeliveryState.CANCELLED.value)
            .execution_options(synchronize_session=False)
        )
