"""What became of messages to an endpoint, as far as it is about the endpoint itself: failing, working again, gone."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from registry.steps.end_subscription import EVERYTHING_WAITING, EndedBecause, end_subscription
from registry.steps.record import WORKER, Actor, record_event
from registry.tables import Endpoint, Subscription


def note_endpoint_result(session: Session, now: datetime, address_id: int, ok: bool) -> None:
    """Note that an endpoint took a message at `now` (UTC), or did not. An address that is no endpoint is left alone.

    `failing_since` is when the first of an unbroken line of failures was. The next success ends the line, and the next
    line is told to the owner anew.
    """
    if ok:
        session.execute(
            update(Endpoint)
            .where(Endpoint.address_id == address_id, Endpoint.failing_since.is_not(None))
            .values(failing_since=None, owner_told_at=None)
        )
    else:
        session.execute(
            update(Endpoint)
            .where(Endpoint.address_id == address_id, Endpoint.failing_since.is_(None))
            .values(failing_since=now)
        )


def is_alone_at_endpoint(session: Session, subscription: Subscription) -> bool:
    """Return whether a subscription's address is an endpoint that stands and that nobody else is told by."""
    endpoint = session.get(Endpoint, subscription.address_id)
    others = exists().where(
        Subscription.address_id == subscription.address_id,
        Subscription.id != subscription.id,
        Subscription.ended_at.is_(None),
    )
    return endpoint is not None and endpoint.ended_at is None and not session.scalar(select(others))


def end_endpoint(
    session: Session,
    now: datetime,
    address_id: int,
    because: EndedBecause = EndedBecause.GONE,
    actor: Actor = WORKER,
) -> int:
    """End an endpoint and its subscriptions at `now` (UTC), cancel what waits for it, and return how many ended.

    Its customers' contacts that stand by are called in by the next sweep. One that has ended stays as it is, and so
    does an address that is no endpoint.
    """
    endpoint = session.scalar(
        select(Endpoint).where(Endpoint.address_id == address_id, Endpoint.ended_at.is_(None)).with_for_update()
    )
    if endpoint is None:
        return 0
    endpoint.ended_at = now
    session.flush()
    standing = session.scalars(
        select(Subscription)
        .where(Subscription.address_id == address_id, Subscription.ended_at.is_(None))
        .order_by(Subscription.id)
    ).all()
    for subscription in standing:
        end_subscription(session, now, subscription, because, actor, EVERYTHING_WAITING)
    record_event(
        session,
        now,
        actor,
        "endpoint.ended",
        subject=("endpoint", str(address_id)),
        publisher_id=endpoint.publisher_id,
        because=because.value,
        subscriptions=[subscription.id for subscription in standing],
    )
    return len(standing)
