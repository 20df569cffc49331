"""Confirming a wish by the link in its letter: to follow, or to take the place of a contact or address (R33, R34).

A link about an endpoint is for `registry.steps.request_endpoint`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.vocabulary import Audience
from registry.steps.addresses import is_suppressed
from registry.steps.audience_errors import ExpiredToken, UnknownToken, UsedToken
from registry.steps.choices import Choices, list_choices
from registry.steps.end_subscription import EndedBecause, end_subscription, find_subscription
from registry.steps.keyring import Keyring, hash_token
from registry.steps.make_statement import deliver_pending_to
from registry.steps.record import Actor, record_event
from registry.tables import Address, ConfirmToken, Customer, Publisher, Subscription

PUBLIC_PAGE = "public page"


@dataclass(frozen=True)
class Confirmation:
    """What a confirm link is about. `customer` is the name of the company a contact would speak for."""

    publisher: Publisher
    subscription: Subscription
    audience: Audience
    choices: Choices
    customer: str | None
    expires_at: datetime


@dataclass(frozen=True)
class Confirmed:
    """A wish that now counts, and how many letters about pending notices are due to it."""

    publisher: Publisher
    subscription: Subscription
    audience: Audience
    pending_notices_sent: int


def subscriber(audience: Audience) -> Actor:
    """Return who acts when a link from a letter is used. Names would be personal data (R39)."""
    return Actor("contact" if audience is Audience.CUSTOMER else "follower", PUBLIC_PAGE)


def find_confirmation(session: Session, now: datetime, token: str) -> Confirmation:
    """Return what a confirm link is about, changing nothing: mail scanners follow links.

    Raises `UnknownToken`, `UsedToken` or `ExpiredToken`.
    """
    row, subscription, publisher = _open(session, now, token)
    customer = session.get(Customer, subscription.customer_id) if subscription.customer_id else None
    return Confirmation(
        publisher,
        subscription,
        Audience(subscription.audience),
        list_choices(session, subscription),
        customer.name if customer else None,
        row.expires_at,
    )


def confirm(session: Session, now: datetime, token: str, keyring: Keyring) -> Confirmed:
    """Let a wish count from `now` on, and tell it at once of what is pending (R18).

    A contact that was named in others' place ends these, if its own address can be written to: a customer is never
    without one (R34). So does a follower's new address, which takes a pause over. Every link about the same wish is
    used up. Raises `UnknownToken`, `UsedToken` or `ExpiredToken`.
    """
    _, subscription, publisher = _open(session, now, token, lock=True)
    replaced = _use_up(session, now, subscription)
    if subscription.confirmed_at is None:
        subscription.confirmed_at = now
        if subscription.customer_id is None and replaced:
            subscription.paused_at = replaced[0].paused_at
    session.flush()
    audience = Audience(subscription.audience)
    record_event(
        session,
        now,
        subscriber(audience),
        "subscription.confirmed",
        subject=("subscription", str(subscription.id)),
        publisher_id=publisher.id,
        audience=audience.value,
        replaces=[contact.id for contact in replaced],
    )
    if replaced and _can_be_written_to(session, keyring, publisher, subscription):
        for contact in replaced:
            end_subscription(session, now, contact, EndedBecause.REPLACED, subscriber(audience))
    return Confirmed(publisher, subscription, audience, deliver_pending_to(session, now, subscription))


def _use_up(session: Session, now: datetime, subscription: Subscription) -> list[Subscription]:
    """Mark every open token of the wish as used, and return whom it was to replace that still stand."""
    tokens = session.scalars(
        select(ConfirmToken)
        .where(
            ConfirmToken.subscription_id == subscription.id,
            ConfirmToken.used_at.is_(None),
            ConfirmToken.endpoint_request_id.is_(None),
        )
        .order_by(ConfirmToken.id)
    ).all()
    for token in tokens:
        token.used_at = now
    ids = {token.replaces_subscription_id for token in tokens if now < token.expires_at}
    found = [find_subscription(session, each) for each in sorted(each for each in ids if each is not None)]
    return [contact for contact in found if contact is not None and contact.ended_at is None]


def _open(
    session: Session, now: datetime, token: str, *, lock: bool = False
) -> tuple[ConfirmToken, Subscription, Publisher]:
    query = select(ConfirmToken).where(ConfirmToken.token_hash == hash_token(token))
    row = session.scalar(query)
    if row is None or row.endpoint_request_id is not None:
        raise UnknownToken
    if lock:
        # Two clicks at once, or two links about one wish: the second waits here, and finds the wish confirmed.
        find_subscription(session, row.subscription_id)
        session.refresh(row)
    subscription = session.get_one(Subscription, row.subscription_id)
    publisher = session.get_one(Publisher, row.publisher_id)
    if row.used_at is not None:
        stands = subscription.confirmed_at is not None and subscription.ended_at is None
        raise UsedToken(publisher=publisher.slug, confirmed=stands)
    if now >= row.expires_at or subscription.ended_at is not None:
        raise ExpiredToken(publisher=publisher.slug, audience=subscription.audience)
    return row, subscription, publisher


def _can_be_written_to(session: Session, keyring: Keyring, publisher: Publisher, subscription: Subscription) -> bool:
    value = session.get_one(Address, subscription.address_id).value
    return value is not None and not is_suppressed(session, publisher, keyring, value)
