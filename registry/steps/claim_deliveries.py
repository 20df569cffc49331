"""Claiming what is due: each row to one worker, for as long as its lease runs (R28, R31).

Contacts come before followers, the nearest deadline first. Followers of several publishers are taken in turn, so that
a long list delays nobody else's.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, func, select, text, update
from sqlalchemy.orm import Session

from registry.channels.base import Channel
from registry.domain.deliveries import (
    DeliveryEvent,
    DeliveryState,
    SkipReason,
    delivery_priority,
    next_delivery_state,
)
from registry.domain.vocabulary import Audience
from registry.steps.installation import dispatch_pause
from registry.steps.settle_delivery import NOT_TRIED, lapse, may_have_arrived, started_attempts
from registry.tables import Address, Attempt, Delivery, Subscription
from registry.tables.deliveries import DUE_STATES

LEASE = timedelta(minutes=20)
"""Longer than one letter may take on the wire; the start of a letter renews it."""
RENEW_BELOW = LEASE * 3 / 4
OUTSIDE_WAIT = timedelta(hours=1)
"""How long a letter waits that `REGISTRY_MAIL_ONLY_TO` keeps back, until it is looked at again."""

# The index of what is due is used only by a query that says these very words.
IS_WAITING = text(f"deliveries.{DUE_STATES}")
FIRST_FOLLOWER = delivery_priority(Audience.FOLLOWER, datetime.fromtimestamp(0, UTC))

Due = tuple[Delivery, str, str | None]
"""A row that is due, with the road and the value of its address."""


@dataclass(frozen=True)
class Lease:
    """One claimed delivery: the row, the attempt's number and the fencing token."""

    delivery_id: int
    publisher_id: int
    attempt_n: int
    token: str


def claim_deliveries(
    session: Session,
    now: datetime,
    channels: Mapping[str, Channel],
    mail_only_to: tuple[str, ...],
    wanted: int,
    after_publisher: int = 0,
) -> list[Lease]:
    """Lease up to `wanted` letters that are due at `now` (UTC), each with its attempt's row, in the order to send them.

    `after_publisher` is whose turn it was last. Claims nothing while dispatch is paused (R32). What `mail_only_to`
    keeps back goes on waiting, with a note that says so, and nothing else about it changes.
    """
    if dispatch_pause(session) is not None:
        return []
    token = secrets.token_hex(16)
    until = lease_clock(session, now) + LEASE
    leases: list[Lease] = []
    while not leases and (due := _find_next(session, now, wanted, after_publisher)):
        for delivery, road, value in due:
            if value is not None and not may_write_to(value, mail_only_to):
                delivery.due_at = now + OUTSIDE_WAIT
                delivery.note = SkipReason.OUTSIDE_MAIL_ONLY_TO.value
                continue
            delivery.state = next_delivery_state(DeliveryState(delivery.state), DeliveryEvent.CLAIM).value
            delivery.token = token
            delivery.lease_until = until
            delivery.attempt_count += 1
            attempt = Attempt(
                publisher_id=delivery.publisher_id,
                delivery_id=delivery.id,
                n=delivery.attempt_count,
                token=token,
                channel=channels[road].name if road in channels else road,
                claimed_at=now,
            )
            session.add(attempt)
            leases.append(Lease(delivery.id, delivery.publisher_id, delivery.attempt_count, token))
        session.flush()
    return leases


def _find_next(session: Session, now: datetime, wanted: int, after_publisher: int) -> list[Due]:
    due = _find_due(session, now, Delivery.priority < FIRST_FOLLOWER, wanted)
    if due:
        return due
    publisher_id = session.scalar(
        select(Delivery.publisher_id)
        .where(IS_WAITING, Delivery.due_at <= now)
        .order_by(Delivery.publisher_id <= after_publisher, Delivery.publisher_id)
        .limit(1)
    )
    # With 0 added, the index of all that a publisher ever sent is of no use, and that of what is due is taken.
    return [] if publisher_id is None else _find_due(session, now, Delivery.publisher_id + 0 == publisher_id, wanted)


def _find_due(session: Session, now: datetime, which: ColumnElement[bool], wanted: int) -> list[Due]:
    # SKIP LOCKED lets workers on PostgreSQL pass each other by. SQLite drops it; there a writing session is alone.
    ids = session.scalars(
        select(Delivery.id)
        .where(IS_WAITING, Delivery.due_at <= now, which)
        .order_by(Delivery.priority, Delivery.due_at, Delivery.id)
        .limit(wanted)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()
    rows = session.execute(
        select(Delivery, Address.channel, Address.value)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Address, Address.id == Subscription.address_id)
        .where(Delivery.id.in_(ids))
        .order_by(Delivery.priority, Delivery.due_at, Delivery.id)
    )
    return [(delivery, road, value) for delivery, road, value in rows]


def may_write_to(address: str, mail_only_to: tuple[str, ...]) -> bool:
    """Return whether `REGISTRY_MAIL_ONLY_TO` lets this installation write to `address` (R32)."""
    low = address.lower()
    return not mail_only_to or low in mail_only_to or f"@{low.rpartition('@')[2]}" in mail_only_to


def lease_clock(session: Session, now: datetime) -> datetime:
    """Return the clock that leases are measured by: the database's on PostgreSQL, which all machines share (R37)."""
    if session.get_bind().dialect.name == "postgresql":
        at: datetime = session.scalars(select(func.clock_timestamp())).one()
        return at
    return now


def renew_leases(session: Session, now: datetime, delivery: Delivery) -> None:
    """Give the letter that is about to be sent its full lease, and a slow batch's other letters theirs."""
    clock = lease_clock(session, now)
    if delivery.lease_until is not None and delivery.lease_until - clock < RENEW_BELOW:
        session.execute(
            update(Delivery)
            .where(Delivery.token == delivery.token, Delivery.state == DeliveryState.LEASED.value)
            .values(lease_until=clock + LEASE)
            .execution_options(synchronize_session=False)
        )
    delivery.lease_until = clock + LEASE


def release_leases(session: Session, now: datetime, leases: Iterable[Lease]) -> None:
    """Give back letters whose send has not begun; they are as due as they were. Those that were lost are left alone."""
    for lease in leases:
        delivery = find_held(session, lease)
        if delivery is not None:
            release(session, now, delivery, get_attempt(session, lease))


def release(session: Session, now: datetime, delivery: Delivery, attempt: Attempt) -> None:
    """Give back one letter whose send has not begun. One that an earlier try may have delivered stays ambiguous."""
    attempt.finished_at = now
    attempt.answer_class = NOT_TRIED
    lapse(delivery, has_begun=may_have_arrived(started_attempts(session, delivery)))


def find_held(session: Session, lease: Lease) -> Delivery | None:
    """Return the row if the lease still holds, locked; None once somebody else has taken it over."""
    return session.scalar(
        select(Delivery)
        .where(
            Delivery.id == lease.delivery_id,
            Delivery.token == lease.token,
            Delivery.state == DeliveryState.LEASED.value,
        )
        .with_for_update(key_share=True)
    )


def get_attempt(session: Session, lease: Lease) -> Attempt:
    """Return the row of the attempt that the lease is for."""
    return session.scalars(
        select(Attempt).where(Attempt.delivery_id == lease.delivery_id, Attempt.n == lease.attempt_n)
    ).one()
