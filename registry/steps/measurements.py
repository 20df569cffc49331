"""The figures of an installation as they stand in its database: queues, ages, outcomes, tasks (for `/metrics`).

Few queries, each over what an index holds or over the rows of one table once. No address and no name is in them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import String, case, cast, exists, func, select, text
from sqlalchemy.orm import Session, aliased

from registry.domain.deliveries import DeliveryState
from registry.steps.sweep_slots import shared_clock
from registry.steps.tasks import count_open_tasks
from registry.tables import Attempt, Delivery, Event, Installation, ProviderPacing
from registry.tables.deliveries import DUE_STATES

FIRST_TRIES_OF: Final = timedelta(days=1)
MOST_FIRST_TRIES: Final = 5_000
"""The newest first tries that are looked at; on a busy day that is less than a day of them."""
QUANTILES: Final = (0.5, 0.9, 0.99, 1.0)
OPEN_STATES: Final = (
    *(DeliveryState.PENDING.value, DeliveryState.LEASED.value),
    *(DeliveryState.RETRY_WAIT.value, DeliveryState.AMBIGUOUS.value),
)


@dataclass(frozen=True)
class Measurements:
    """The figures at one instant. Spans are seconds.

    `deliveries` counts every delivery there ever was by (channel, state). `first_try_seconds` are quantiles of the time
    from a letter's being due to its first try, None without any.
    """

    deliveries: Mapping[tuple[str, str], int]
    oldest_due_seconds: float
    first_try_seconds: Mapping[float, float]
    first_tries: int
    open_tasks: Mapping[str, int]
    is_paused: bool
    heartbeat_age_seconds: float | None
    blocked_providers: int

    @property
    def queue(self) -> Mapping[tuple[str, str], int]:
        """The deliveries that are not at an end, by channel and state."""
        return {key: count for key, count in self.deliveries.items() if key[1] in OPEN_STATES}

    @property
    def needs_attention(self) -> int:
        """The deliveries that wait for a person."""
        waiting = DeliveryState.NEEDS_ATTENTION.value
        return sum(count for (_, state), count in self.deliveries.items() if state == waiting)


def measure(session: Session, now: datetime) -> Measurements:
    """Take the figures at `now` (UTC)."""
    rows = session.execute(
        select(Delivery.channel, Delivery.state, func.count()).group_by(Delivery.channel, Delivery.state)
    )
    deliveries = {(channel, state): count for channel, state, count in rows}
    oldest_at = session.scalar(
        select(func.min(Delivery.due_at)).where(text(f"deliveries.{DUE_STATES}"), Delivery.due_at <= now)
    )
    installation = session.get(Installation, 1)
    beat_at = installation.heartbeat_at if installation is not None else None
    blocked = session.scalars(
        select(func.count()).where(ProviderPacing.blocked_until > shared_clock(session, now))
    ).one()
    spans = _first_tries(session, now)
    return Measurements(
        deliveries=deliveries,
        oldest_due_seconds=_seconds(now - oldest_at) if oldest_at is not None else 0.0,
        first_try_seconds=_quantiles(spans),
        first_tries=len(spans),
        open_tasks=count_open_tasks(session),
        is_paused=installation is not None and installation.paused_at is not None,
        heartbeat_age_seconds=_seconds(abs(now - beat_at)) if beat_at is not None else None,
        blocked_providers=blocked,
    )


def _first_tries(session: Session, now: datetime) -> list[float]:
    """Return the seconds from due to the first try of the newest letters, sorted.

    The newest tries have the highest numbers: no index by time is needed. A row tells when its letter is due, until it
    is tried again; the record, when one was called in that stood by; and else it was due when it was made. A worker
    that died before it began had claimed only what was due.
    """
    newest = (
        select(Attempt.id, Attempt.delivery_id, Attempt.n, Attempt.send_started_at)
        .order_by(Attempt.id.desc())
        .limit(MOST_FIRST_TRIES)
        .subquery()
    )
    earlier, any_try = aliased(Attempt), aliased(Attempt)
    was_begun_before = exists().where(
        earlier.delivery_id == newest.c.delivery_id, earlier.n < newest.c.n, earlier.send_started_at.is_not(None)
    )
    claimed_at = select(func.min(any_try.claimed_at)).where(any_try.delivery_id == Delivery.id).scalar_subquery()
    is_tried_again = Delivery.due_at > newest.c.send_started_at
    called_in_at = (
        select(func.max(Event.at))
        .where(
            Event.publisher_id == Delivery.publisher_id,
            Event.subject_kind == "delivery",
            Event.subject == cast(Delivery.id, String),
            Event.kind == "delivery.called_in",
        )
        .scalar_subquery()
    )
    rows = session.execute(
        select(
            newest.c.send_started_at,
            case((is_tried_again, func.coalesce(called_in_at, Delivery.created_at)), else_=Delivery.due_at),
            claimed_at,
        )
        .join(Delivery, Delivery.id == newest.c.delivery_id)
        .where(newest.c.send_started_at >= now - FIRST_TRIES_OF, ~was_begun_before)
    )
    return sorted(_seconds(started_at - min(due_at, claimed_at)) for started_at, due_at, claimed_at in rows)


def _quantiles(spans: Sequence[float]) -> dict[float, float]:
    # The nearest rank: every figure is one that was measured.
    return {each: spans[math.ceil(len(spans) * each) - 1] for each in QUANTILES} if spans else {}


def _seconds(span: timedelta) -> float:
    return max(0.0, span.total_seconds())
