"""Verifying an endpoint: whoever named it shows that it takes what is sent, before anything is.

    prepare_verification ──▶ probe_endpoint, with no database open ──▶ record_verification

A webhook answers a challenge; a chat room, which cannot, takes a test message that its members see.
"""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.channels.base import Accepted, Answer, Channel, Envelope
from registry.channels.webhook import WebhookChannel
from registry.domain.vocabulary import ChannelKind
from registry.letters.web_forms import write_test
from registry.steps.endpoint_errors import EndpointNotTried
from registry.steps.endpoints import get_endpoint
from registry.steps.lookup import read_facts
from registry.steps.make_statement import deliver_pending_to
from registry.steps.merge_web import load_secrets
from registry.steps.record import Actor, record_event
from registry.tables import Publisher, Subscription


@dataclass(frozen=True)
class Verification:
    """One try at verifying an endpoint: what is sent where, and what a webhook is to say to it."""

    number: int
    kind: ChannelKind
    url: str = field(repr=False)
    publisher: str
    secrets: tuple[str, ...] = field(repr=False)
    challenge: str = field(repr=False)
    message_id: str


@dataclass(frozen=True)
class Verified:
    """What came of it: how many subscriptions count from now on, and how many messages are due to them."""

    answer: Answer
    is_verified: bool
    confirmed: int = 0
    letters_due: int = 0


def prepare_verification(session: Session, now: datetime, publisher: Publisher, number: int) -> Verification:
    """Return what is to be sent to an endpoint at `now` (UTC). Raises `UnknownEndpoint` or `EndpointEnded`."""
    endpoint, address = get_endpoint(session, publisher, number)
    kind = ChannelKind(address.channel)
    return Verification(
        number=endpoint.address_id,
        kind=kind,
        url=address.value or "",
        publisher=read_facts(session, publisher).name,
        secrets=load_secrets(session, kind, number, now),
        challenge=random.token_urlsafe(24),
        message_id=f"endpoint-verification-{number}-{random.token_hex(8)}",
    )


def probe_endpoint(channel: Channel, verification: Verification) -> Answer:
    """Send the challenge or the test message, and return the answer. Raises `EndpointNotTried` where nothing leaves."""
    if not channel.is_real:
        raise EndpointNotTried(number=verification.number)
    if verification.kind is ChannelKind.WEBHOOK:
        if not isinstance(channel, WebhookChannel):
            raise TypeError(f"{channel.name} carries no challenge to a webhook")
        return channel.challenge(
            verification.url, verification.secrets, verification.challenge, verification.message_id
        )
    message = write_test(verification.kind, verification.publisher)
    return channel.send(Envelope(verification.url, "", message, verification.message_id))


def record_verification(
    session: Session, now: datetime, publisher: Publisher, verification: Verification, answer: Answer, actor: Actor
) -> Verified:
    """Record the answer. Where it is the right one, what waits for the endpoint counts from `now` (UTC) on, and is told
    at once what is pending (R18).

    Raises `UnknownEndpoint` or `EndpointEnded` for one that ended meanwhile.
    """
    endpoint, _ = get_endpoint(session, publisher, verification.number, lock=True)
    is_verified = isinstance(answer, Accepted)
    subject = ("endpoint", str(verification.number))
    if not is_verified:
        record_event(
            session,
            now,
            actor,
            "endpoint.not_verified",
            subject=subject,
            publisher_id=publisher.id,
            code=answer.code,
        )
        return Verified(answer, is_verified=False)
    endpoint.verified_at = now
    endpoint.failing_since = endpoint.owner_told_at = None
    waiting = session.scalars(
        select(Subscription)
        .where(
            Subscription.address_id == verification.number,
            Subscription.confirmed_at.is_(None),
            Subscription.ended_at.is_(None),
        )
        .order_by(Subscription.id)
    ).all()
    for subscription in waiting:
        subscription.confirmed_at = now
    session.flush()
    record_event(
        session,
        now,
        actor,
        "endpoint.verified",
        subject=subject,
        publisher_id=publisher.id,
        subscriptions=[subscription.id for subscription in waiting],
    )
    due = sum(deliver_pending_to(session, now, subscription) for subscription in waiting)
    return Verified(answer, is_verified=True, confirmed=len(waiting), letters_due=due)
