"""Somebody asks to be told: a wish that counts once it is confirmed from the address it names (R34).

request_subscription ──▶ letter with a link ──▶ confirm ──▶ what is pending, at once (R18)
                               └── 7 days without it ──▶ sweep_expired_requests
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState
from registry.domain.errors import InvalidInput, Problem
from registry.domain.terms import Language
from registry.domain.text import Line
from registry.domain.validation import Document, read_model
from registry.domain.vocabulary import Audience, ChangeKind, ServiceLetterKind
from registry.readers.email_addresses import read_email_address
from registry.steps.addresses import add_follower, erase_if_unused, is_suppressed, record_address
from registry.steps.choices import Choices, list_choices, read_choices, record_choices
from registry.steps.end_subscription import EVERYTHING_WAITING, EndedBecause, end_subscription
from registry.steps.erase_address import ErasedBecause, erase_addresses
from registry.steps.keyring import Keyring
from registry.steps.legal_holds import Holds, find_hold_on_address, load_holds
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import lock_publisher
from registry.steps.record import WORKER, Actor, record_event
from registry.steps.service_letters import (
    TOKEN_LIFETIME,
    add_confirm_token,
    add_service_delivery,
    freeze_service_letter,
    was_written_to_lately,
)
from registry.tables import Address, ConfirmToken, Delivery, Publisher, Subscription


class _Person(Document):
    name: Line | None = None
    language: Language = "en"


def request_subscription(
    session: Session,
    now: datetime,
    publisher: Publisher,
    letterhead: Letterhead,
    keyring: Keyring,
    *,
    email: str,
    name: str | None = None,
    products: Sequence[str] = (),
    kinds: Sequence[str | ChangeKind] = (),
    wants_effect: bool = False,
    language: str = "en",
    actor: Actor,
) -> None:
    """Take the wish of a follower and write to its address, to confirm it or to say that it is subscribed already.

    What it answers and how long it takes say nothing about the address: nobody learns who is subscribed. An address
    gets one such letter in 24 hours; one that is suppressed gets none. A wish that still waits for its confirmation
    takes the new choices; those of a subscription that stands are changed by its own link only.

    Raises `InvalidInput` with every problem of the values given.
    """
    address_text, person, choices = _read_wish(session, publisher, email, name, language, products, kinds)
    if is_suppressed(session, publisher, keyring, address_text):
        # Made in vain, so that this takes as long as any other wish.
        freeze_service_letter(
            session, now, publisher, letterhead, ServiceLetterKind.CONFIRM, Audience.FOLLOWER, choices.products
        )
        _record(session, now, actor, "subscription.refused", publisher, because="suppressed")
        return
    address = record_address(session, now, publisher, keyring, address_text)
    subscription = _find_or_add(session, now, publisher, address)
    if subscription.confirmed_at is None:
        subscription.name, subscription.language = person.name, person.language
        subscription.wants_effect = wants_effect
        record_choices(session, subscription, choices)
    kind = ServiceLetterKind.ALREADY_SUBSCRIBED if subscription.confirmed_at else ServiceLetterKind.CONFIRM
    chosen = list_choices(session, subscription)
    letter = freeze_service_letter(session, now, publisher, letterhead, kind, Audience.FOLLOWER, chosen.products)
    if was_written_to_lately(session, now, address, customer=None):
        _record(session, now, actor, "subscription.asked_again", publisher, subscription)
        return
    if kind is ServiceLetterKind.CONFIRM:
        add_confirm_token(session, now, keyring, subscription)
    add_service_delivery(session, now, subscription, letter)
    _record(session, now, actor, "subscription.requested", publisher, subscription, letter=kind.value)


def _read_wish(
    session: Session,
    publisher: Publisher,
    email: str,
    name: str | None,
    language: str,
    products: Sequence[str],
    kinds: Sequence[str | ChangeKind],
) -> tuple[str, _Person, Choices]:
    problems: list[Problem] = []
    address, person, choices = "", _Person(), Choices()
    try:
        address = read_email_address(email)
    except InvalidInput as error:
        problems += error.problems
    try:
        # A form sends an empty field for a name that was not given.
        person = read_model(_Person, {"name": (name or "").strip() or None, "language": language})
    except InvalidInput as error:
        problems += error.problems
    try:
        choices = read_choices(session, publisher, products, kinds)
    except InvalidInput as error:
        problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return address, person, choices


def _find_or_add(session: Session, now: datetime, publisher: Publisher, address: Address) -> Subscription:
    known = session.scalar(
        select(Subscription).where(
            Subscription.address_id == address.id, Subscription.customer_id.is_(None), Subscription.ended_at.is_(None)
        )
    )
    if known is not None:
        return known
    return add_follower(session, now, address)


def _record(
    session: Session,
    now: datetime,
    actor: Actor,
    kind: str,
    publisher: Publisher,
    subscription: Subscription | None = None,
    **payload: object,
) -> None:
    subject = ("subscription", str(subscription.id)) if subscription else ("publisher", publisher.slug)
    record_event(session, now, actor, kind, subject=subject, publisher_id=publisher.id, **payload)


def sweep_expired_requests(session: Session, now: datetime) -> int:
    """End the wishes that nobody confirmed within 7 days, erase what they were about, and return how many (R36).

    The name goes, and unless another subscription needs it the address, with what mail servers answered about it. Under
    a legal hold both stay, and the wish ends all the same. One whose letter is on the wire at this moment waits for the
    next sweep.
    """
    has_expired = _has_expired(now)
    publishers = select(Subscription.publisher_id).where(has_expired).distinct().order_by(Subscription.publisher_id)
    ended = 0
    for publisher in session.scalars(publishers).all():
        # Who sets a hold waits for this, or this for them: no erasure comes after a hold that stands.
        lock_publisher(session, session.get_one(Publisher, publisher))
        holds = load_holds(session, publisher)
        expired = session.scalars(
            select(Subscription)
            .where(Subscription.publisher_id == publisher, has_expired)
            .order_by(Subscription.id)
            .with_for_update(skip_locked=True)
        ).all()
        for subscription in expired:
            _expire(session, now, subscription, holds)
        ended += len(expired)
    return ended


def _has_expired(now: datetime) -> ColumnElement[bool]:
    waits = exists().where(ConfirmToken.subscription_id == Subscription.id, ConfirmToken.expires_at > now)
    is_on_the_wire = exists().where(
        Delivery.subscription_id == Subscription.id, Delivery.state == DeliveryState.LEASED.value
    )
    return and_(
        Subscription.confirmed_at.is_(None),
        Subscription.ended_at.is_(None),
        Subscription.created_at <= now - TOKEN_LIFETIME,
        ~waits,
        ~is_on_the_wire,
    )


def _expire(session: Session, now: datetime, subscription: Subscription, holds: Holds) -> None:
    end_subscription(session, now, subscription, EndedBecause.EXPIRED, WORKER, EVERYTHING_WAITING)
    if find_hold_on_address(session, holds, subscription.address_id) is not None:
        # Once the hold is lifted, `erase_expired` finds a wish that ended unconfirmed, and erases at once.
        return
    subscription.name = None
    session.flush()
    if erase_if_unused(session, subscription.address_id):
        address = session.get_one(Address, subscription.address_id)
        erase_addresses(session, now, [address], WORKER, ErasedBecause.NOT_CONFIRMED)
