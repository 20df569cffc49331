"""Step five: claim, send, settle (DESIGN §4.4, R26–R31). The one step that owns its transactions.

```
claim N rows ──▶ commit ──▶ for each: start k (and settle k-1) ──▶ commit ──▶ on the wire ──▶ … ──▶ settle the last
```

Nothing is open while on the wire. A row is fenced by its lease's token: who lost the lease settles nothing. If the
process dies, `recover_leases` finds the row: before the send began it is due again, afterwards it may have arrived.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session

from registry.channels.base import Accepted, Answer, Channel, Envelope, PermanentFailure, TemporaryFailure
from registry.domain.deliveries import (
    SENDABLE_STATES,
    DeliveryEvent,
    DeliveryState,
    SkipReason,
    choose_exhausted_event,
    may_repeat_ambiguous,
    next_delivery_state,
    next_try_after,
)
from registry.domain.notice_life import NoticeState
from registry.domain.vocabulary import Audience, StatementKind
from registry.letters.compose import sha256_of
from registry.steps.installation import dispatch_pause
from registry.steps.keyring import Keyring
from registry.steps.letterhead import Letterhead
from registry.steps.merge_letter import Recipient, is_merge_stale, load_recipient, make_envelope, merge_for
from registry.steps.receipts import note_receipt
from registry.steps.record import WORKER, record_event
from registry.tables import Address, Attempt, Delivery, Subscription, Suppression
from registry.tables.engine import writing

BATCH = 20
LEASE = timedelta(minutes=20)
"""Longer than one letter may take on the wire; every start of a letter extends it."""
AMBIGUOUS_WAIT = timedelta(minutes=1)
OUTSIDE_WAIT = timedelta(hours=1)


@dataclass(frozen=True)
class Dispatch:
    """What sending needs. `mail_only_to` holds addresses and `@domains`, empty for anyone (R32)."""

    channels: Mapping[str, Channel]
    letterhead: Letterhead
    keyring: Keyring
    mail_only_to: tuple[str, ...] = ()
    jitter: Callable[[], float] = field(default=lambda: random.uniform(-1, 1))  # noqa: S311 - spreads retries only


@dataclass(frozen=True)
class Lease:
    """One claimed delivery: the row, the attempt's number, the fencing token and the road it takes."""

    delivery_id: int
    attempt_n: int
    token: str
    channel: Channel


def send_deliveries(
    engine: Engine,
    clock: Callable[[], datetime],
    dispatch: Dispatch,
    limit: int | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> dict[str, int]:
    """Send what is due until nothing is, or until `limit` letters; return how many ended in each state.

    `clock` gives aware UTC. Sends nothing while dispatch is paused (R32). Once `should_stop` says so, the letter on
    the wire is finished and settled, and what was claimed beyond it is due again at once.
    """
    counts: dict[str, int] = {}
    taken = 0
    while (limit is None or taken < limit) and not should_stop():
        wanted = BATCH if limit is None else min(BATCH, limit - taken)
        with writing(engine) as session:
            leases = _claim(session, clock(), dispatch, wanted)
        if not leases:
            break
        taken += len(leases)
        for state in _send_batch(engine, clock, dispatch, leases, should_stop):
            counts[state] = counts.get(state, 0) + 1
    return counts


def _send_batch(
    engine: Engine,
    clock: Callable[[], datetime],
    dispatch: Dispatch,
    leases: Sequence[Lease],
    should_stop: Callable[[], bool],
) -> list[str]:
    states: list[str] = []
    on_the_wire: tuple[Lease, Answer] | None = None
    for lease in leases:
        with writing(engine) as session:
            if on_the_wire is not None:
                states += _settle(session, clock(), *on_the_wire, dispatch)
            if should_stop():
                envelope = None
                _give_back(session, clock(), lease)
            else:
                envelope = _start(session, clock(), lease, dispatch)
        on_the_wire = (lease, lease.channel.send(envelope)) if envelope is not None else None
    if on_the_wire is not None:
        with writing(engine) as session:
            states += _settle(session, clock(), *on_the_wire, dispatch)
    return states


def _claim(session: Session, now: datetime, dispatch: Dispatch, wanted: int) -> list[Lease]:
    if dispatch_pause(session) is not None:
        return []
    token = secrets.token_hex(16)
    # SKIP LOCKED lets workers on PostgreSQL pass each other by; SQLite drops it, but there only one writes at a time.
    due = (
        select(Delivery.id)
        .where(Delivery.state.in_([state.value for state in SENDABLE_STATES]), Delivery.due_at <= now)
        .order_by(Delivery.priority, Delivery.due_at, Delivery.id)
        .limit(wanted)
        .with_for_update(skip_locked=True)
    )
    claimed = session.execute(
        update(Delivery)
        .where(Delivery.id.in_(due))
        .values(
            state=DeliveryState.LEASED.value,
            token=token,
            lease_until=lease_clock(session, now) + LEASE,
            attempt_count=Delivery.attempt_count + 1,
        )
        .returning(Delivery.id, Delivery.attempt_count, Delivery.publisher_id, Delivery.priority)
        .execution_options(synchronize_session=False)
    ).all()
    roads = session.execute(
        select(Delivery.id, Address.channel)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Address, Address.id == Subscription.address_id)
        .where(Delivery.token == token)
    )
    road_of = {row.id: row.channel for row in roads}
    leases = []
    for delivery_id, n, publisher_id, _ in sorted(claimed, key=lambda row: (row.priority, row.id)):
        channel = dispatch.channels[road_of[delivery_id]]
        leases.append(Lease(delivery_id, n, token, channel))
        session.add(
            Attempt(
                publisher_id=publisher_id,
                delivery_id=delivery_id,
                n=n,
                token=token,
                channel=channel.name,
                claimed_at=now,
            )
        )
    return leases


def lease_clock(session: Session, now: datetime) -> datetime:
    """Return the clock that leases are measured by: the database's on PostgreSQL, which all machines share (R37)."""
    if session.get_bind().dialect.name == "postgresql":
        at = session.scalar(select(func.clock_timestamp()))
        assert isinstance(at, datetime)  # noqa: S101 - narrowing for the type checker
        return at
    return now


def _held(session: Session, lease: Lease) -> Delivery | None:
    """Return the row if the lease still holds, locked; None once somebody else has taken it over."""
    return session.scalar(
        select(Delivery)
        .where(
            Delivery.id == lease.delivery_id,
            Delivery.token == lease.token,
            Delivery.state == DeliveryState.LEASED.value,
        )
        .with_for_update()
    )


def _attempt(session: Session, lease: Lease) -> Attempt:
    return session.scalars(
        select(Attempt).where(Attempt.delivery_id == lease.delivery_id, Attempt.n == lease.attempt_n)
    ).one()


def started_attempts(session: Session, delivery: Delivery) -> list[Attempt]:
    """Return the attempts whose send began, the first one first."""
    query = select(Attempt).where(Attempt.delivery_id == delivery.id, Attempt.send_started_at.is_not(None))
    return list(session.scalars(query.order_by(Attempt.n)))


def move_delivery(delivery: Delivery, event: DeliveryEvent) -> None:
    """Take the delivery one step along its machine, giving up its lease. Raises `IllegalTransition`."""
    delivery.state = next_delivery_state(DeliveryState(delivery.state), event).value
    if delivery.state != DeliveryState.LEASED.value:
        delivery.token = None
        delivery.lease_until = None


def _start(session: Session, now: datetime, lease: Lease, dispatch: Dispatch) -> Envelope | None:
    """Commit that the send begins, or let the row go where it must not be sent any more (R28, R29)."""
    delivery = _held(session, lease)
    if delivery is None:
        return None
    attempt = _attempt(session, lease)
    recipient = load_recipient(session, delivery)
    earlier = started_attempts(session, delivery)
    if _let_go(session, now, recipient, attempt, bool(earlier), dispatch):
        return None
    may_have_arrived = any(each.answer_class in {"ambiguous", None} for each in earlier)
    if is_merge_stale(now, recipient) and not may_have_arrived:
        merge_for(session, now, recipient, dispatch.letterhead, dispatch.keyring)
    if may_have_arrived:
        delivery.possible_duplicate = True
    envelope = make_envelope(session, recipient, dispatch.keyring)
    attempt.send_started_at = now
    attempt.sha256 = sha256_of(envelope.message)
    delivery.lease_until = lease_clock(session, now) + LEASE
    delivery.note = None
    return envelope


def _give_back(session: Session, now: datetime, lease: Lease) -> None:
    """Let a claimed letter go that was not begun: the worker stops, and the next one need not wait for the lease."""
    delivery = _held(session, lease)
    if delivery is not None:
        attempt = _attempt(session, lease)
        attempt.finished_at = now
        attempt.answer_class = "not_tried"
        move_delivery(delivery, DeliveryEvent.LAPSE_UNSENT)


def _let_go(
    session: Session, now: datetime, recipient: Recipient, attempt: Attempt, has_started: bool, dispatch: Dispatch
) -> bool:
    delivery, subscription, address = recipient.delivery, recipient.subscription, recipient.address
    statement, notice = recipient.statement, recipient.notice
    suppressed = session.scalar(
        select(Suppression.id).where(
            Suppression.publisher_id == address.publisher_id,
            Suppression.channel == address.channel,
            Suppression.lookup_hmac == address.lookup_hmac,
        )
    )
    withdrawn = (
        notice is not None
        and notice.state == NoticeState.WITHDRAWN.value
        and statement is not None
        and statement.kind != StatementKind.WITHDRAWAL.value
    )
    reason: SkipReason | None = None
    if address.value is None:
        reason = SkipReason.NO_ADDRESS
    elif suppressed is not None:
        reason = SkipReason.SUPPRESSED
    elif subscription.ended_at is not None and subscription.audience == Audience.FOLLOWER.value:
        reason = SkipReason.UNSUBSCRIBED
    outside = address.value is not None and not may_write_to(address.value, dispatch.mail_only_to)
    if reason is None and not withdrawn and not outside:
        return False
    attempt.finished_at = now
    attempt.answer_class = "not_tried"
    move_delivery(delivery, DeliveryEvent.LAPSE_UNSENT)
    if withdrawn:
        move_delivery(delivery, DeliveryEvent.CANCEL)
    elif reason is None:
        delivery.due_at = now + OUTSIDE_WAIT
        delivery.note = SkipReason.OUTSIDE_MAIL_ONLY_TO.value
    elif has_started:
        # An earlier try may have arrived, so "skipped" would say too much.
        move_delivery(delivery, choose_exhausted_event(Audience(subscription.audience)))
        delivery.note = reason.value
    else:
        move_delivery(delivery, DeliveryEvent.SKIP)
        delivery.skip_reason = reason.value
    return True


def may_write_to(address: str, mail_only_to: tuple[str, ...]) -> bool:
    """Return whether `REGISTRY_MAIL_ONLY_TO` lets this installation write to `address` (R32)."""
    low = address.lower()
    return not mail_only_to or low in mail_only_to or f"@{low.rpartition('@')[2]}" in mail_only_to


def _settle(session: Session, now: datetime, lease: Lease, answer: Answer, dispatch: Dispatch) -> list[str]:
    delivery = _held(session, lease)
    attempt = _attempt(session, lease)
    attempt.finished_at = now
    attempt.code = answer.code
    attempt.answer = answer.answer
    attempt.answer_class = _class_of(answer)
    attempt.provider_ref = answer.provider_ref if isinstance(answer, Accepted) else None
    if delivery is None:
        # The lease ran out meanwhile. What the server said stays on record; whoever holds the row now settles it.
        return []
    subscription = session.get_one(Subscription, delivery.subscription_id)
    exhausted = choose_exhausted_event(Audience(subscription.audience))
    session.flush()
    earlier = started_attempts(session, delivery)
    since_first = now - (earlier[0].send_started_at or now)
    match answer:
        case Accepted():
            move_delivery(delivery, DeliveryEvent.ACCEPT)
            delivery.accepted_at = now
            session.flush()
            note_receipt(session, now, delivery)
        case TemporaryFailure():
            wait = next_try_after(
                lease.channel.kind, len(earlier), dispatch.jitter(), answer.retry_after, waited=since_first
            )
            move_delivery(delivery, DeliveryEvent.DEFER if wait is not None else exhausted)
            delivery.due_at = now + (wait or timedelta())
        case PermanentFailure():
            move_delivery(delivery, DeliveryEvent.REFUSE)
        case _:
            _settle_ambiguous(now, delivery, lease.channel.name, earlier, exhausted)
    if delivery.state in {DeliveryState.FAILED.value, DeliveryState.NEEDS_ATTENTION.value}:
        record_event(
            session,
            now,
            WORKER,
            f"delivery.{delivery.state}",
            subject=("delivery", str(delivery.id)),
            publisher_id=delivery.publisher_id,
            customer_id=subscription.customer_id,
            code=answer.code,
        )
    return [delivery.state]


def _settle_ambiguous(
    now: datetime, delivery: Delivery, road: str, started: list[Attempt], exhausted: DeliveryEvent
) -> None:
    tries = sum(each.answer_class in {"ambiguous", None} for each in started)
    since = now - (started[0].send_started_at or now)
    if may_repeat_ambiguous(road, tries, since):
        move_delivery(delivery, DeliveryEvent.LOSE_ANSWER)
        delivery.due_at = now + AMBIGUOUS_WAIT
    else:
        move_delivery(delivery, exhausted)


def _class_of(answer: Answer) -> str:
    match answer:
        case Accepted():
            return "accepted"
        case TemporaryFailure():
            return "temporary"
        case PermanentFailure():
            return "permanent"
        case _:
            return "ambiguous"
