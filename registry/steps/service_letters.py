"""Letters about a subscription itself, not about a notice: asking to confirm it, or saying that it stands already."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState
from registry.domain.vocabulary import Audience, ServiceLetterKind
from registry.language import find_language
from registry.letters.values import FailingEndpoint
from registry.steps.end_subscription import EndedBecause
from registry.steps.freeze_letters import freeze, own_language
from registry.steps.keyring import Keyring, hash_token, new_nonce
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import read_facts
from registry.tables import (
    Address,
    ConfirmToken,
    Customer,
    Delivery,
    EndpointRequest,
    Letter,
    Product,
    Publisher,
    Subscription,
)

TOKEN_LIFETIME: Final = timedelta(days=7)
PAUSE_BETWEEN_LETTERS: Final = timedelta(hours=24)

ABOUT_A_WISH: Final = (
    ServiceLetterKind.CONFIRM.value,
    ServiceLetterKind.CONFIRM_ENDPOINT.value,
    ServiceLetterKind.ALREADY_SUBSCRIBED.value,
)

BEFORE_ALL_OTHERS: Final = 0
"""Somebody is waiting at their screen for a service letter, and there are few of them."""


def add_confirm_token(
    session: Session,
    now: datetime,
    keyring: Keyring,
    subscription: Subscription,
    *,
    replaces: Subscription | None = None,
    endpoint: EndpointRequest | None = None,
) -> ConfirmToken:
    """Add a token that confirms `subscription` within 7 days of `now`, ending the one it replaces, if any (R34).

    With `endpoint` it confirms that request instead, whose mailbox `subscription` is.
    """
    nonce = new_nonce()
    token = ConfirmToken(
        publisher_id=subscription.publisher_id,
        subscription_id=subscription.id,
        replaces_subscription_id=replaces.id if replaces else None,
        endpoint_request_id=endpoint.id if endpoint else None,
        nonce=nonce,
        key_id=keyring.signing_key_id,
        token_hash=hash_token(keyring.confirm_secret(keyring.signing_key_id, nonce)),
        created_at=now,
        expires_at=now + TOKEN_LIFETIME,
    )
    session.add(token)
    session.flush()
    return token


def freeze_service_letter(
    session: Session,
    now: datetime,
    publisher: Publisher,
    letterhead: Letterhead,
    kind: ServiceLetterKind,
    audience: Audience,
    product_keys: tuple[str, ...] = (),
    endpoint: FailingEndpoint | None = None,
    *,
    language: str,
) -> Letter:
    """Return the frozen service letter that names these products, or this endpoint, adding it where none says the same
    yet.

    It is in `language`, a tag such as de-AT, or in the publisher's own where there are no letters in that one.
    """
    spoken = find_language(language) or own_language(publisher)
    names = session.scalars(
        select(Product.name)
        .where(Product.publisher_id == publisher.id, Product.key.in_(product_keys))
        .order_by(Product.position, Product.key)
    ).all()
    sender = letterhead.sender_for(read_facts(session, publisher), audience)
    frozen = letterhead.renderer.render_service_letter(kind, sender, spoken, tuple(names), endpoint)
    letter = freeze(now, publisher.id, None, kind.value, audience, sender, frozen, language=spoken)
    known = session.scalar(
        select(Letter)
        .where(Letter.publisher_id == publisher.id, Letter.statement_id.is_(None), Letter.digest == letter.digest)
        .order_by(Letter.id)
        .limit(1)
    )
    if known is not None:
        return known
    session.add(letter)
    session.flush()
    return letter


def add_service_delivery(
    session: Session, now: datetime, subscription: Subscription, letter: Letter, due_at: datetime | None = None
) -> Delivery:
    """Add the delivery of a service letter, due at once unless another instant (UTC) is given."""
    delivery = Delivery(
        publisher_id=subscription.publisher_id,
        statement_id=None,
        subscription_id=subscription.id,
        letter_id=letter.id,
        state=DeliveryState.PENDING.value,
        priority=BEFORE_ALL_OTHERS,
        due_at=due_at or now,
        created_at=now,
    )
    session.add(delivery)
    session.flush()
    return delivery


def was_written_to_lately(session: Session, now: datetime, address: Address, customer: Customer | None) -> bool:
    """Return whether a letter about the same wish was made for this address within the last 24 hours.

    A stranger can type any address into a form, and must not fill its mailbox. The wish to follow is one and the wish
    to be a customer's contact another, since the second is made by who holds a contact's link. What went to a follower
    who has left since does not count: leaving and coming back is theirs.
    """
    same_wish = Subscription.customer_id == customer.id if customer else Subscription.customer_id.is_(None)
    lately = exists().where(
        Delivery.subscription_id == Subscription.id,
        Delivery.letter_id == Letter.id,
        Letter.kind.in_(ABOUT_A_WISH),
        Delivery.statement_id.is_(None),
        Delivery.created_at > now - PAUSE_BETWEEN_LETTERS,
        Subscription.address_id == address.id,
        same_wish,
        Subscription.ended_because.is_distinct_from(EndedBecause.UNSUBSCRIBED.value),
    )
    return bool(session.scalar(select(lately)))
