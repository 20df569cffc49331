"""A follower's letters go to another address from the moment that address confirms it (R34)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.vocabulary import Audience, ServiceLetterKind
from registry.readers.email_addresses import read_email_address
from registry.steps.addresses import is_suppressed, record_address
from registry.steps.audience_errors import SubscriptionEnded
from registry.steps.choices import list_choices, record_choices
from registry.steps.confirm import subscriber
from registry.steps.former_address import tell_former_address
from registry.steps.keyring import Keyring
from registry.steps.letter_room import find_room
from registry.steps.letterhead import Letterhead
from registry.steps.record import record_event
from registry.steps.service_letters import add_confirm_token, add_service_delivery, freeze_service_letter
from registry.steps.subscribe import find_or_add_follower
from registry.tables import Publisher, Subscription


class NotAFollower(RegistryError):
    """A contract contact hands over to another contact; its address is not its own to change. Params: publisher."""

    code = "not-a-follower"


def request_address_change(
    session: Session,
    now: datetime,
    subscription: Subscription,
    letterhead: Letterhead,
    keyring: Keyring,
    *,
    email: str,
) -> None:
    """Ask another address whether a follower's letters are to go there, and tell the present one that somebody asked.

    The present one stays until then, with all it chose, which the other takes over. What is answered says nothing about
    the other address: one that follows already is told so, and one that is suppressed, or was asked within 24 hours,
    gets no letter. Raises `NotAFollower`, `SubscriptionEnded`, and `InvalidInput` for an address that cannot be or that
    is the present one (`same-address`).
    """
    publisher = session.get_one(Publisher, subscription.publisher_id)
    if subscription.customer_id is not None:
        raise NotAFollower(publisher=publisher.slug)
    if subscription.ended_at is not None:
        raise SubscriptionEnded(publisher=publisher.slug, because=subscription.ended_because)
    email = read_email_address(email)
    if is_suppressed(session, publisher, keyring, email):
        _record(session, now, publisher, subscription, "subscription.move_refused", because="suppressed")
        return
    address = record_address(session, now, publisher, keyring, email)
    if address.id == subscription.address_id:
        raise InvalidInput([Problem("email", email, "same-address")])
    other = find_or_add_follower(session, now, address)
    due_at = find_room(session, now, keyring, email, other)
    if due_at is None:
        _record(session, now, publisher, subscription, "subscription.move_asked_again")
        return
    kind = ServiceLetterKind.ALREADY_SUBSCRIBED if other.confirmed_at else ServiceLetterKind.CONFIRM
    choices = list_choices(session, subscription)
    letter = freeze_service_letter(
        session,
        now,
        publisher,
        letterhead,
        kind,
        Audience.FOLLOWER,
        choices.products,
        language=subscription.language,
    )
    if other.confirmed_at is None:
        other.name, other.language = subscription.name, subscription.language
        other.wants_reminders, other.wants_effect = subscription.wants_reminders, subscription.wants_effect
        record_choices(session, other, choices)
        add_confirm_token(session, now, keyring, other, replaces=subscription)
    add_service_delivery(session, now, other, letter, due_at)
    tell_former_address(session, now, publisher, letterhead, subscription)
    _record(session, now, publisher, subscription, "subscription.move_requested", by=other.id)


def _record(
    session: Session, now: datetime, publisher: Publisher, subscription: Subscription, kind: str, **payload: object
) -> None:
    record_event(
        session,
        now,
        subscriber(Audience.FOLLOWER),
        kind,
        subject=("subscription", str(subscription.id)),
        publisher_id=publisher.id,
        **payload,
    )
