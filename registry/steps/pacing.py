"""The pace of each provider account, kept in one row that all workers share (R31).

Whoever is about to claim letters reserves their places first: the row says when the next request may begin, and each
reservation moves that on. A provider that asks for less is obeyed by every worker from the next claim on.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine, and_, or_, select, update
from sqlalchemy.orm import Session

from registry.channels.base import Rate
from registry.steps.claim_deliveries import LEASE, lease_clock
from registry.steps.insert_once import insert_once
from registry.steps.persist import persist
from registry.steps.record import WORKER, record_event
from registry.tables import ProviderConnection, ProviderPacing

AHEAD: Final = timedelta(seconds=1)
"""How far ahead places are reserved: a worker that dies leaves no longer gap than this."""
BLOCKED_FOR: Final = timedelta(seconds=30)
"""How long an account is left alone that asked for it without saying for how long."""
LONGEST_BLOCK: Final = timedelta(hours=24)
SLOWER_BY: Final = 1.05
"""How much slower to ask than a provider allows: requests arrive less evenly than they left."""
CONNECTION_LEASE: Final = timedelta(minutes=2)
"""So long the connections of a worker that was killed are kept from the others. Its heartbeat renews them every ten
seconds, whatever they are busy with, and may be late by as much before the worker counts as gone. A process without a
heartbeat (`registry tick`) takes them for LEASE, which is longer than any letter is on the wire."""

_AT_ONCE: Final = timedelta(0)
_has_heartbeat: Final = threading.Event()
_held: Final[set[str]] = set()
"""The tokens that this process holds connections by, or may: a commit whose answer was lost may stand."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """Places for `granted` requests: the first may begin after `wait`, the others each `interval` later.

    With none granted, `wait` is when to ask again.
    """

    granted: int
    wait: timedelta = _AT_ONCE
    interval: timedelta = _AT_ONCE


def reserve(
    session: Session, now: datetime, account: str, wanted: int, requests_per_second: float | None = None
) -> Reservation:
    """Reserve places for up to `wanted` requests of an account. `requests_per_second` is what the operator has set.

    The slower of what is set and what the provider asked for holds.
    """
    set_interval = 0 if requests_per_second is None else math.ceil(1_000_000 / requests_per_second)
    row = session.get(ProviderPacing, account)
    if row is None and not set_interval:
        return Reservation(wanted)
    if row is not None and row.blocked_until is None and not (row.interval_us or set_interval):
        # Nothing to take turns about, so nobody waits for anybody else's row.
        return Reservation(wanted)
    row, clock = _lock(session, now, account)
    if row.blocked_until is not None:
        if row.blocked_until > clock:
            return Reservation(0, row.blocked_until - clock)
        row.blocked_until = None
    interval = timedelta(microseconds=max(row.interval_us, set_interval))
    if not interval:
        return Reservation(wanted)
    begins_at = max(row.next_at, clock)
    if begins_at > clock + AHEAD:
        return Reservation(0, begins_at - clock - AHEAD)
    granted = min(wanted, max(1, int(AHEAD / interval)))
    row.next_at = begins_at + granted * interval
    row.updated_at = clock
    return Reservation(granted, begins_at - clock, interval)


def heed(session: Session, now: datetime, account: str, rate: Rate | None, *, uncounted: int = 1) -> bool:
    """Keep the pace that a provider asked for along with an answer; return whether it is another than the one kept.

    `uncounted` is how many requests were under way by then without that pace: the next ones leave room for them.
    No pace keeps the next request waiting for longer than LONGEST_BLOCK, whatever was asked for.
    """
    if rate is None or rate.requests < 1 or rate.per <= _AT_ONCE:
        return False
    longest = LONGEST_BLOCK / timedelta(microseconds=1)
    interval = math.ceil(min(SLOWER_BY * (rate.per / timedelta(microseconds=1)) / rate.requests, longest))
    row = session.get(ProviderPacing, account)
    if row is not None and row.interval_us == interval:
        return False
    row, clock = _lock(session, now, account)
    row.interval_us, row.updated_at = interval, clock
    row.next_at = max(row.next_at, clock + min(uncounted * timedelta(microseconds=interval), LONGEST_BLOCK))
    return True


def block(session: Session, now: datetime, account: str, retry_after: timedelta | None) -> None:
    """Leave an account alone for as long as it asked (HTTP 429), in every process, and put that on record."""
    row, clock = _lock(session, now, account)
    until = clock + min(retry_after or BLOCKED_FOR, LONGEST_BLOCK)
    if row.blocked_until is None or row.blocked_until < until:
        row.blocked_until, row.updated_at = until, clock
        seconds = round((until - clock).total_seconds())
        record_event(session, now, WORKER, "provider.blocked", subject=("provider", account), seconds=seconds)


def _lock(session: Session, now: datetime, account: str) -> tuple[ProviderPacing, datetime]:
    """Return the account's row, locked, and the clock (UTC) that it is measured by, read since."""
    clock = lease_clock(session, now)
    insert_once(session, ProviderPacing, {"account": account, "interval_us": 0, "next_at": clock, "updated_at": clock})
    locked = select(ProviderPacing).where(ProviderPacing.account == account).with_for_update(key_share=True)
    row = session.scalars(locked.execution_options(populate_existing=True)).one()
    clock = lease_clock(session, now)
    if row.updated_at > clock + AHEAD:
        # The clock was set back. What was noted by the other one would keep everybody waiting until it is reached.
        row.next_at, row.blocked_until, row.updated_at = clock, None, clock
    return row, clock


@contextmanager
def renewed_by_heartbeat() -> Iterator[None]:
    """While this lasts the process has a heartbeat, which calls `renew_connections` far oftener than CONNECTION_LEASE.

    It is for the whole process, whichever thread takes the connections.
    """
    _has_heartbeat.set()
    try:
        yield
    finally:
        _has_heartbeat.clear()


def connection_lease() -> timedelta:
    """Return for how long this process takes connections: one that does not renew them must not lose them meanwhile."""
    return CONNECTION_LEASE if _has_heartbeat.is_set() else LEASE


def take_connections(session: Session, now: datetime, account: str, token: str, wanted: int, in_all: int) -> int:
    """Take up to `wanted` of the connections that all workers together may hold; return how many `token` holds now.

    They are the worker's until it gives them back, or for `connection_lease`; `renew_connections` renews them, and
    taking none more does. Whatever becomes of the transaction, they are to be given back.
    """
    _held.add(token)
    clock = lease_clock(session, now)
    known = set(session.scalars(select(ProviderConnection.n).where(ProviderConnection.account == account)))
    for n in sorted(set(range(1, in_all + 1)) - known):
        insert_once(session, ProviderConnection, {"account": account, "n": n})
    # Its own are waited for: where the heartbeat renews them just now, they are held all the same.
    ours = _lock_connections(session, {token})
    if len(ours) < wanted:
        free = session.scalars(
            select(ProviderConnection)
            .where(
                ProviderConnection.account == account,
                ProviderConnection.n <= in_all,
                or_(
                    ProviderConnection.token.is_(None),
                    and_(ProviderConnection.token != token, ProviderConnection.lease_until < clock),
                ),
            )
            .order_by(ProviderConnection.n)
            .limit(wanted - len(ours))
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
        ours += free
    for row in ours:
        row.token, row.lease_until = token, clock + connection_lease()
    session.flush()
    return len(ours)


def renew_connections(session: Session, now: datetime) -> None:
    """Renew all connections that this process holds, by whichever token."""
    # A copy, since another thread may take some meanwhile.
    held = _lock_connections(session, frozenset(_held)) if _held else []
    if held:
        until = lease_clock(session, now) + connection_lease()
        for row in held:
            row.lease_until = until
        session.flush()


def free_connections(session: Session, now: datetime) -> None:
    """Free what a worker that was killed left behind: for the one worker of an embedded database, at its start.

    A tick may run beside it. What that holds ends later than anything a worker takes, and is left alone.
    """
    ends = ProviderConnection.lease_until
    # Beyond LEASE nothing ends unless the clock was set back.
    is_no_ticks = or_(ends <= now + CONNECTION_LEASE, ends > now + LEASE)
    session.execute(update(ProviderConnection).where(is_no_ticks).values(token=None, lease_until=None))


def give_back_connections(session: Session, token: str) -> None:
    """Give back all connections that `token` holds. Where that fails they are renewed no more."""
    _held.discard(token)
    for row in _lock_connections(session, {token}):
        row.token = row.lease_until = None
    session.flush()


def give_back(engine: Engine, token: str) -> None:
    """Give back all connections that `token` holds, in a transaction of its own.

    Raises what the database does where that stays away: they are renewed no more then, and free once their lease ends.
    """
    _held.discard(token)
    persist(engine, lambda session: give_back_connections(session, token))


def _lock_connections(session: Session, tokens: Collection[str]) -> list[ProviderConnection]:
    """Lock what these tokens hold, always in one order: a heartbeat and whoever takes or gives back may meet."""
    held = select(ProviderConnection).where(ProviderConnection.token.in_(tokens))
    held = held.order_by(ProviderConnection.account, ProviderConnection.n).with_for_update()
    return list(session.scalars(held.execution_options(populate_existing=True)))
