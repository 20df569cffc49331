"""A follower wants no letters for a while, and later again (R18, R34). A customer's contact cannot pause."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.errors import RegistryError
from registry.domain.notice_life import PENDING_STATES
from registry.domain.vocabulary import Audience, StatementKind
from registry.steps.audience_errors import SubscriptionEnded, UnknownToken
from registry.steps.confirm import subscriber
from registry.steps.end_subscription import find_subscription
from registry.steps.fan_out import fan_out
from registry.steps.freeze_letters import freeze_missing
from registry.steps.make_statement import deliver_pending_to
from registry.steps.record import record_event
from registry.tables import Customer, Notice, Publisher, Statement, Subscription

HOW_IT_ENDED = (StatementKind.WITHDRAWAL.value, StatementKind.EFFECT.value)


class ContactMayNotPause(RegistryError):
    """A customer is owed its notices: its contact cannot stop them for a while (R34). Params: publisher, customer."""

    code = "contact-may-not-pause"


def pause(session: Session, now: datetime, subscription_id: int) -> Subscription:
    """Tell a follower nothing that is made from `now` on, until it resumes. What is on its way arrives still.

    Pausing twice is pausing once. Raises `ContactMayNotPause`, `SubscriptionEnded`, and `UnknownToken` where there is
    no such subscription.
    """
    subscription = _find(session, subscription_id)
    if subscription.paused_at is None:
        subscription.paused_at = now
        _record(session, now, subscription, "subscription.paused")
    return subscription


def resume(session: Session, now: datetime, subscription_id: int) -> int:
    """Tell a follower again, and at once of what was announced meanwhile and is pending; return how many letters.

    Of a notice that it was told of before the pause and that has come to its end, it is told that too, as far as it
    wants to know of effects. Raises as `pause` does.
    """
    subscription = _find(session, subscription_id)
    since = subscription.paused_at
    if since is None:
        return 0
    subscription.paused_at = None
    session.flush()
    # First on record: the reconciler must not take for lost what was rightly not sent.
    _record(session, now, subscription, "subscription.resumed", paused_at=since.isoformat())
    return deliver_pending_to(session, now, subscription) + _tell_how_it_ended(session, now, subscription, since)


def _tell_how_it_ended(session: Session, now: datetime, subscription: Subscription, since: datetime) -> int:
    rows = session.execute(
        select(Statement, Notice)
        .join(Notice, Notice.id == Statement.notice_id)
        .where(
            Notice.publisher_id == subscription.publisher_id,
            Notice.state.not_in([state.value for state in PENDING_STATES]),
            Statement.kind.in_(HOW_IT_ENDED),
            Statement.made_at >= since,
        )
        .order_by(Statement.id)
    ).all()
    due = 0
    for statement, notice in rows:
        freeze_missing(session, now, notice, statement, joiner=subscription)
        due += fan_out(session, now, notice, statement, joiner=subscription)["due"]
    return due


def _find(session: Session, subscription_id: int) -> Subscription:
    subscription = find_subscription(session, subscription_id)
    if subscription is None:
        raise UnknownToken
    publisher = session.get_one(Publisher, subscription.publisher_id)
    if subscription.customer_id is not None:
        customer = session.get_one(Customer, subscription.customer_id)
        raise ContactMayNotPause(publisher=publisher.slug, customer=customer.name)
    if subscription.ended_at is not None:
        raise SubscriptionEnded(publisher=publisher.slug, because=subscription.ended_because)
    return subscription


def _record(session: Session, now: datetime, subscription: Subscription, kind: str, **payload: object) -> None:
    record_event(
        session,
        now,
        subscriber(Audience.FOLLOWER),
        kind,
        subject=("subscription", str(subscription.id)),
        publisher_id=subscription.publisher_id,
        **payload,
    )
