"""Somebody asks to be told: a wish that counts once it is confirmed from the address it names (R34).

request_subscription ──▶ letter with a link ──▶ confirm ──▶ what is pending, at once (R18)
                               └── 7 days without it ──▶ sweep_expired_requests

An address on the web is asked for in `request_endpoint`, and goes the same way.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, select, update
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState
from registry.domain.errors import InvalidInput, Problem
from registry.domain.text import Line
from registry.domain.validation import Document, read_model
from registry.domain.vocabulary import Audience, ChangeKind, ServiceLetterKind
from registry.language import LANGUAGES
from registry.readers.email_addresses import read_email_address
from registry.steps.addresses import add_follower, erase_if_unused, is_suppressed, record_address
from registry.steps.choices import Choices, list_choices, read_choices, record_choices
from registry.steps.end_subscription import EVERYTHING_WAITING, EndedBecause, end_subscription
from registry.steps.endpoint_results import end_endpoint, is_alone_at_endpoint
from registry.steps.erase_address import ErasedBecause, erase_addresses
from registry.steps.keyring import Keyring
from registry.steps.legal_holds import Holds, find_hold_on_address, load_holds
from registry.steps.letter_room import find_room
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import lock_publisher
from registry.steps.record import WORKER, Actor, record_event
from registry.steps.service_letters import (
    TOKEN_LIFETIME,
    add_confirm_token,
    add_service_delivery,
    freeze_service_letter,
)
from registry.tables import (
    Address,
    ConfirmToken,
    Delivery,
    Endpoint,
    EndpointRequest,
    LegalHold,
    Publisher,
    Subscription,
)


class _Person(Document):
    name: Line | None = None


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
    wants_reminders: bool = True,
    wants_effect: bool = False,
    language: str = "en",
    actor: Actor,
) -> None:
    """Take the wish of a follower and write to its address, to confirm it or to say that it is subscribed already.

    What it answers and how long it takes say nothing about the address: nobody learns who is subscribed. An address
    gets one such letter in 24 hours (`find_room`); one that is suppressed gets none. A wish that still waits for its
    confirmation takes the new choices; those of a subscription that stands are changed by its own link only.

    Raises `InvalidInput` with every problem of the values given.
    """
    address_text, person, choices = _read_wish(session, publisher, email, name, language, products, kinds)
    if is_suppressed(session, publisher, keyring, address_text):
        # Made in vain, so that this takes as long as any other wish.
        kind = ServiceLetterKind.CONFIRM
        freeze_service_letter(
            session, now, publisher, letterhead, kind, Audience.FOLLOWER, choices.products, language=language
        )
        _record(session, now, actor, "subscription.refused", publisher, because="suppressed")
        return
    address = record_address(session, now, publisher, keyring, address_text)
    subscription = find_or_add_follower(session, now, address)
    if subscription.confirmed_at is None:
        subscription.name, subscription.language = person.name, language
        subscription.wants_reminders, subscription.wants_effect = wants_reminders, wants_effect
        record_choices(session, subscription, choices)
    kind = ServiceLetterKind.ALREADY_SUBSCRIBED if subscription.confirmed_at else ServiceLetterKind.CONFIRM
    chosen = list_choices(session, subscription)
    letter = freeze_service_letter(
        session,
        now,
        publisher,
        letterhead,
        kind,
        Audience.FOLLOWER,
        chosen.products,
        language=subscription.language,
    )
    due_at = find_room(session, now, keyring, address_text, subscription)
    if due_at is None:
        _record(session, now, actor, "subscription.asked_again", publisher, subscription)
        return
    if kind is ServiceLetterKind.CONFIRM:
        add_confirm_token(session, now, keyring, subscription)
    add_service_delivery(session, now, subscription, letter, due_at)
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
        person = read_model(_Person, {"name": (name or "").strip() or None})
    except InvalidInput as error:
        problems += error.problems
    try:
        check_language(language)
    except InvalidInput as error:
        problems += error.problems
    try:
        choices = read_choices(session, publisher, products, kinds)
    except InvalidInput as error:
        problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return address, person, choices


def check_language(language: str) -> None:
    """Raise `InvalidInput` for a language that letters are not written in."""
    if language not in LANGUAGES:
        raise InvalidInput([Problem("language", language, "unknown-choice", {"expected": ", ".join(LANGUAGES)})])


def find_follower(session: Session, address: Address) -> Subscription | None:
    """Return the follower's subscription at an address that has not ended, confirmed or not, or None."""
    return session.scalar(
        select(Subscription).where(
            Subscription.address_id == address.id, Subscription.customer_id.is_(None), Subscription.ended_at.is_(None)
        )
    )


def find_or_add_follower(session: Session, now: datetime, address: Address) -> Subscription:
    """Return the follower's subscription at an address, adding one that is not confirmed where there is none."""
    return find_follower(session, address) or add_follower(session, now, address)


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

    A request for an endpoint is closed, and its address goes. Of a subscription the name goes, and unless another one
    needs it the address, with what mail servers answered about it. Under a legal hold both stay, and the wish ends all
    the same. One whose letter is on the wire at this moment waits for the next sweep. Who answers for an endpoint
    without being told anything keeps a subscription to manage it by, though not a name that came with a wish.
    """
    _close_requests(session, now)
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


def _close_requests(session: Session, now: datetime) -> None:
    is_held = exists().where(
        LegalHold.publisher_id == EndpointRequest.publisher_id,
        LegalHold.lifted_at.is_(None),
        LegalHold.customer_id.is_(None),
        LegalHold.notice_id.is_(None),
    )
    is_old = and_(EndpointRequest.closed_at.is_(None), EndpointRequest.created_at <= now - TOKEN_LIFETIME)
    # One under a hold stays as it is: its link is too old by then.
    session.execute(update(EndpointRequest).where(is_old, ~is_held).values(closed_at=now, url=None))
    names = (Subscription.name.is_not(None), Subscription.confirmed_at.is_(None), Subscription.ended_at.is_(None))
    named = (*names, Subscription.customer_id.is_(None), Subscription.created_at <= now - TOKEN_LIFETIME)
    session.execute(update(Subscription).where(*named, ~_token_waits(now), _answers_for_one()).values(name=None))


def _token_waits(now: datetime) -> ColumnElement[bool]:
    return exists().where(ConfirmToken.subscription_id == Subscription.id, ConfirmToken.expires_at > now)


def _answers_for_one() -> ColumnElement[bool]:
    return exists().where(Endpoint.owner_address_id == Subscription.address_id, Endpoint.ended_at.is_(None))


def _has_expired(now: datetime) -> ColumnElement[bool]:
    is_on_the_wire = exists().where(
        Delivery.subscription_id == Subscription.id, Delivery.state == DeliveryState.LEASED.value
    )
    return and_(
        Subscription.confirmed_at.is_(None),
        Subscription.ended_at.is_(None),
        Subscription.created_at <= now - TOKEN_LIFETIME,
        ~_token_waits(now),
        ~_answers_for_one(),
        ~is_on_the_wire,
    )


def _expire(session: Session, now: datetime, subscription: Subscription, holds: Holds) -> None:
    if is_alone_at_endpoint(session, subscription):
        # One that never proved itself: nobody is left to be told there.
        end_endpoint(session, now, subscription.address_id, EndedBecause.EXPIRED)
        session.refresh(subscription)
    else:
        end_subscription(session, now, subscription, EndedBecause.EXPIRED, WORKER, EVERYTHING_WAITING)
    if find_hold_on_address(session, holds, subscription.address_id) is not None:
        # Once the hold is lifted, `erase_expired` finds a wish that ended unconfirmed, and erases at once.
        return
    subscription.name = None
    session.flush()
    if erase_if_unused(session, subscription.address_id):
        address = session.get_one(Address, subscription.address_id)
        erase_addresses(session, now, [address], WORKER, ErasedBecause.NOT_CONFIRMED)
