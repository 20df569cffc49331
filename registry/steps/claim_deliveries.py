"""Claiming what is due: each row to one worker, for as long as its lease runs (R28, R31).

Each road is claimed for by itself, so that one which is slow or shut keeps no other waiting. On it contacts come before
followers, the nearest deadline first. Followers of several publishers are taken in turn, so that a long list delays
nobody else's.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import cast
from urllib.parse import urlsplit

from sqlalchemy import Executable, Integer, Select, Table, TextClause, bindparam, func, insert, select, text, update
from sqlalchemy.orm import Session

from registry.channels.base import Channel
from registry.domain.deliveries import (
    SENDABLE_STATES,
    DeliveryEvent,
    DeliveryNote,
    DeliveryState,
    SkipReason,
    may_repeat_ambiguous,
    next_delivery_state,
)
from registry.steps.installation import dispatch_pause
from registry.steps.settle_delivery import (
    close_untried,
    exhaust,
    is_recognised,
    lapse,
    may_have_arrived,
    started_attempts,
)
from registry.tables import Address, Attempt, Delivery, Notice, Statement, Subscription
from registry.tables.among import is_among
from registry.tables.deliveries import DUE_STATES, TO_CONTACTS

LEASE = timedelta(minutes=30)
"""Longer than one letter may take on the wire, also where it begins with no more than RENEW_BELOW left."""
RENEW_BELOW = LEASE * 3 / 4
OUTSIDE_WAIT = timedelta(hours=1)
"""How long a letter waits that `REGISTRY_MAIL_ONLY_TO` keeps back, until it is looked at again."""
MOST_LOOKED_AT = 5_000
"""Letters looked at together where all that came before were kept back: a hundred at a time, that takes hours."""

# The indexes of what is due are used only by queries that say these very words.
IS_WAITING = text(f"deliveries.{DUE_STATES}")
IS_TO_A_CONTACT = text(f"deliveries.{TO_CONTACTS}")

LEASED = next(iter({next_delivery_state(state, DeliveryEvent.CLAIM) for state in SENDABLE_STATES})).value


_DELIVERIES = cast(Table, Delivery.__table__)
_IS_DUE = (
    IS_WAITING,
    Delivery.channel == bindparam("kind"),
    Delivery.due_at <= bindparam("at"),
    Delivery.batch_id.is_(None),
)
_NEXT_PUBLISHER = (
    select(Delivery.publisher_id)
    .where(*_IS_DUE, Delivery.publisher_id > bindparam("after"))
    .order_by(Delivery.publisher_id)
    .limit(1)
)
# SKIP LOCKED lets workers on PostgreSQL pass each other by. SQLite drops it; there a writing session is alone.
# What went out in a batch without a clear answer is repeated with its batch (`send_batches`).
_DUE = (
    select(Delivery.id)
    .where(*_IS_DUE)
    .order_by(Delivery.priority, Delivery.due_at, Delivery.id)
    .limit(bindparam("wanted", type_=Integer))
    .with_for_update(skip_locked=True, key_share=True)
)
_NOTICES = (
    select(Statement.id, Notice.number)
    .join(Notice, Notice.id == Statement.notice_id)
    .where(Statement.id.in_(bindparam("ids", expanding=True)))
)
_DUE_TO_CONTACTS = _DUE.where(IS_TO_A_CONTACT)
_DUE_OF_PUBLISHER = _DUE.where(Delivery.publisher_id == bindparam("publisher"))


def go_straight_on() -> None:
    """Do nothing between two statements."""


def is_in(state: str) -> TextClause:
    """Whether a delivery is in a state of that name, in words and not as a value to be bound.

    SQLite plans a statement anew each time that such a value is given to it, since there are indexes of some states
    that it might fit. That takes five times as long as the statement.
    """
    return text(f"deliveries.state = '{state}'")


@dataclass(frozen=True, slots=True)
class Lease:
    """One claimed delivery: the row, the attempt's number and the fencing token; the rest is for the log.

    The attempt has the same token, and keeps it when the lease is lost, so `attempt_token` is said only where the
    delivery has none: it is settled (`send_batches`).
    """

    delivery_id: int
    publisher_id: int
    attempt_n: int
    token: str
    channel: str
    notice: str | None = None
    attempt_token: str | None = None


def claim_deliveries(
    session: Session,
    now: datetime,
    channel: Channel,
    mail_only_to: tuple[str, ...],
    wanted: int,
    *,
    after_publisher: int = 0,
    between: Callable[[], object] = go_straight_on,
) -> list[Lease]:
    """Lease up to `wanted` letters that `channel` carries and that are due at `now` (UTC), in the order to send them.

    Each gets its attempt's row. `after_publisher` is whose turn it was last. Claims nothing while dispatch is paused
    (R32). What `mail_only_to` keeps back goes on waiting, with a note that says so, and nothing else about it changes.

    `between` is called between two statements, for whoever must not wait for all of them. The rows are locked then: it
    must change no delivery.
    """
    if dispatch_pause(session) is not None:
        return []
    between()
    looked_at = wanted
    while due := _find_next(session, now, channel.kind, looked_at, after_publisher):
        between()
        kept_back = _find_kept_back(session, due, mail_only_to)
        if kept_back:
            session.execute(
                update(Delivery)
                .where(Delivery.id.in_(kept_back))
                .values(due_at=now + OUTSIDE_WAIT, note=SkipReason.OUTSIDE_MAIL_ONLY_TO.value)
                .execution_options(synchronize_session=False)
            )
        kept_back |= _end_forgotten(session, now, channel, due)
        if leases := lease_rows(
            session, now, channel, [each for each in due if each not in kept_back][:wanted], between
        ):
            return leases
        looked_at = min(2 * looked_at, MOST_LOOKED_AT)
    return []


def lease_rows(
    session: Session,
    now: datetime,
    channel: Channel,
    ids: Sequence[int],
    between: Callable[[], object] = go_straight_on,
) -> list[Lease]:
    """Lease these rows, which are locked and may be claimed, with an attempt's row for each; the order is kept.

    `between` as for `claim_deliveries`.
    """
    token = secrets.token_hex(16)
    lease, make_attempts = _leasing(session.get_bind().dialect.name)
    given = {"ids": list(ids), "held_by": token, "until": lease_clock(session, now) + LEASE}
    session.flush()
    connection = session.connection()
    rows = connection.execute(lease, given).all()
    if not rows:
        return []
    between()
    notices = _find_notices(session, {row.statement_id for row in rows})
    connection.execute(make_attempts, {"ids": given["ids"], "held_by": token, "by": channel.name, "at": now})
    between()
    leases = {
        delivery_id: Lease(delivery_id, publisher_id, n, token, channel.kind, notices.get(statement_id))
        for delivery_id, publisher_id, n, statement_id in rows
    }
    return [leases[delivery_id] for delivery_id in ids]


@lru_cache
def _leasing(dialect_name: str) -> tuple[Executable, Executable]:
    """The statements that lease rows and make their attempts; made once, since that takes as long as to run them."""
    those = is_among(Delivery.id, "ids", dialect_name)
    token = bindparam("held_by", type_=Delivery.token.type)
    lease = (
        update(_DELIVERIES)
        .where(those)
        .values(
            state=LEASED,
            token=token,
            lease_until=bindparam("until", type_=Delivery.lease_until.type),
            attempt_count=_DELIVERIES.c.attempt_count + 1,
        )
        .returning(
            _DELIVERIES.c.id, _DELIVERIES.c.publisher_id, _DELIVERIES.c.attempt_count, _DELIVERIES.c.statement_id
        )
    )
    made = select(
        Delivery.publisher_id,
        Delivery.id,
        Delivery.attempt_count,
        Delivery.token,
        bindparam("by", type_=Attempt.channel.type),
        bindparam("at", type_=Attempt.claimed_at.type),
    ).where(those, Delivery.token == token)
    columns = ("publisher_id", "delivery_id", "n", "token", "channel", "claimed_at")
    return lease, insert(cast(Table, Attempt.__table__)).from_select(columns, made.order_by(Delivery.id))


def _find_notices(session: Session, statement_ids: set[int | None]) -> dict[int | None, str]:
    """Return the numbers of the notices that these statements are about."""
    found = session.connection().execute(_NOTICES, {"ids": list(statement_ids - {None})})
    return {row.id: row.number for row in found}


def _find_next(session: Session, now: datetime, kind: str, wanted: int, after_publisher: int) -> Sequence[int]:
    connection, given = session.connection(), {"kind": kind, "at": now, "wanted": wanted}
    contacts = connection.scalars(_DUE_TO_CONTACTS, given).all()
    if contacts:
        return contacts
    for publisher_id in _in_turn(session, now, kind, after_publisher):
        # What is due of one publisher may all be in another worker's hands, and must not keep the others waiting.
        if found := connection.scalars(_DUE_OF_PUBLISHER, {**given, "publisher": publisher_id}).all():
            return found
    return []


def _in_turn(session: Session, now: datetime, kind: str, after: int) -> Iterator[int]:
    """Yield the publishers with something due: those behind `after`, then the others."""
    for beyond, last in ((after, None), (0, after)):
        found = _next_publisher(session, now, kind, beyond)
        while found is not None and (last is None or found <= last):
            yield found
            found = _next_publisher(session, now, kind, found)


def _next_publisher(session: Session, now: datetime, kind: str, after: int) -> int | None:
    """Return the first publisher behind `after` with something due."""
    # Read off the index from there on. Asked for all publishers that have something due, PostgreSQL goes through all
    # that is due, for as long as it does not know yet how much that is.
    return session.connection().scalar(_NEXT_PUBLISHER, {"kind": kind, "after": after, "at": now})


def _end_forgotten(session: Session, now: datetime, channel: Channel, ids: Sequence[int]) -> set[int]:
    """End those that may have arrived so long ago that the provider would send a repeat anew; return which (R29)."""
    if may_repeat_ambiguous(channel.name, 1, timedelta.max):
        return set()
    unclear = select(Delivery).where(Delivery.id.in_(ids), Delivery.state == DeliveryState.AMBIGUOUS.value)
    ended = [each for each in session.scalars(unclear) if not is_recognised(session, now, each, channel.name)]
    for delivery in ended:
        exhaust(session, now, delivery, DeliveryNote.MAY_HAVE_ARRIVED)
    session.flush()
    return {delivery.id for delivery in ended}


def _find_kept_back(session: Session, ids: Sequence[int], mail_only_to: tuple[str, ...]) -> set[int]:
    if not mail_only_to:
        return set()
    rows = session.execute(
        select(Delivery.id, Address.value)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Address, Address.id == Subscription.address_id)
        .where(Delivery.id.in_(ids), Address.value.is_not(None))
    )
    return {delivery_id for delivery_id, value in rows if not may_write_to(value or "", mail_only_to)}


def may_write_to(address: str, mail_only_to: tuple[str, ...]) -> bool:
    """Return whether `REGISTRY_MAIL_ONLY_TO` lets this installation write to `address`, by mail or by web (R32)."""
    low = address.lower()
    host = urlsplit(low).hostname or "" if low.startswith(("https://", "http://")) else low.rpartition("@")[2]
    return not mail_only_to or low in mail_only_to or f"@{host}" in mail_only_to


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
            .where(Delivery.token == delivery.token, Delivery.state == LEASED)
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
    close_untried(attempt, now)
    lapse(delivery, has_begun=may_have_arrived(started_attempts(session, delivery)))


def find_held(session: Session, lease: Lease) -> Delivery | None:
    """Return the row if the lease still holds, locked; None once somebody else has taken it over."""
    return session.scalar(
        select(Delivery)
        .where(Delivery.id == lease.delivery_id, Delivery.token == lease.token, Delivery.state == LEASED)
        .with_for_update(key_share=True)
    )


def get_attempt(session: Session, lease: Lease) -> Attempt:
    """Return the row of the attempt that a lease is for which holds. Raises `NoResultFound` (see `find_attempt`)."""
    return session.scalars(_attempt_of(lease)).one()


def find_attempt(session: Session, lease: Lease) -> Attempt | None:
    """Return the row of the attempt that the lease is or was for; None where a backup was brought back since.

    Its number may be another reader's letter then, and what was answered to the lost one says nothing of that.
    """
    return session.scalar(_attempt_of(lease))


def _attempt_of(lease: Lease) -> Select[Attempt]:
    return select(Attempt).where(
        Attempt.delivery_id == lease.delivery_id,
        Attempt.n == lease.attempt_n,
        Attempt.token == lease.token,
    )
