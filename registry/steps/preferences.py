"""What a subscriber may see and change by the link in each letter, and how a follower leaves (R34)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from registry.domain.vocabulary import Audience, ChangeKind, ChannelKind
from registry.steps.audience_errors import ContactMayNotLeave, SubscriptionEnded, UnknownToken
from registry.steps.choices import Choices, list_choices, read_choices, record_choices
from registry.steps.confirm import subscriber
from registry.steps.end_subscription import EndedBecause, end_subscription, find_subscription
from registry.steps.endpoint_results import end_endpoint, is_alone_at_endpoint
from registry.steps.list_endpoints import show_address
from registry.steps.record import record_event
from registry.steps.subscribe import check_language
from registry.tables import Address, Customer, Publisher, Subscription


@dataclass(frozen=True)
class Preferences:
    """A subscription as its owner sees it.

    `email` is where it is told, None once erased: an e-mail address, or for another `channel` an address on the web as
    it may be shown. `customer` is the name of the company a contact speaks for. Instants are aware UTC.
    """

    publisher: Publisher
    audience: Audience
    channel: ChannelKind
    email: str | None
    name: str | None
    customer: str | None
    language: str
    choices: Choices
    wants_effect: bool
    wants_reminders: bool
    confirmed_at: datetime | None
    paused_at: datetime | None
    ended_at: datetime | None
    ended_because: str | None


def read_preferences(session: Session, subscription: Subscription) -> Preferences:
    """Return what a subscription stands at, also once it has ended."""
    customer = session.get(Customer, subscription.customer_id) if subscription.customer_id else None
    address = session.get_one(Address, subscription.address_id)
    return Preferences(
        publisher=session.get_one(Publisher, subscription.publisher_id),
        audience=Audience(subscription.audience),
        channel=ChannelKind(address.channel),
        email=show_address(address.channel, address.value) if address.value is not None else None,
        name=subscription.name,
        customer=customer.name if customer else None,
        language=subscription.language,
        choices=list_choices(session, subscription),
        wants_effect=subscription.wants_effect,
        wants_reminders=subscription.wants_reminders,
        confirmed_at=subscription.confirmed_at,
        paused_at=subscription.paused_at,
        ended_at=subscription.ended_at,
        ended_because=subscription.ended_because,
    )


def change_preferences(
    session: Session,
    now: datetime,
    subscription: Subscription,
    products: Sequence[str],
    kinds: Sequence[str | ChangeKind],
    wants_effect: bool,
    wants_reminders: bool,
    language: str | None = None,
) -> bool:
    """Take what a subscriber chose, and return whether anything is otherwise than before.

    A contact's choices never drop a change that binds its company (R27), and reminders come to it in any case. Without
    a `language` it stays as it is. Raises `InvalidInput` as `read_choices` does, or naming `language`, and
    `SubscriptionEnded`.
    """
    publisher = session.get_one(Publisher, subscription.publisher_id)
    if subscription.ended_at is not None:
        raise SubscriptionEnded(publisher=publisher.slug, because=subscription.ended_because)
    audience = Audience(subscription.audience)
    language = subscription.language if language is None else language
    if language != subscription.language:
        check_language(language)
    choices = read_choices(session, publisher, products, kinds)
    wants_reminders = wants_reminders or audience is Audience.CUSTOMER
    wishes = (wants_effect, wants_reminders, language)
    wished_otherwise = wishes != (subscription.wants_effect, subscription.wants_reminders, subscription.language)
    subscription.wants_effect, subscription.wants_reminders, subscription.language = wishes
    chose_otherwise = record_choices(session, subscription, choices)
    if not (wished_otherwise or chose_otherwise):
        return False
    record_event(
        session,
        now,
        subscriber(audience),
        "subscription.changed",
        subject=("subscription", str(subscription.id)),
        publisher_id=publisher.id,
        products=list(choices.products),
        kinds=[kind.value for kind in choices.kinds],
        wants_effect=wants_effect,
        wants_reminders=wants_reminders,
        language=language,
    )
    session.flush()
    return True


def unsubscribe(session: Session, now: datetime, subscription_id: int) -> Subscription:
    """End a follower's subscription and cancel what waits for it. Leaving twice is leaving once.

    An endpoint that nobody else is told by ends with it.

    Raises `ContactMayNotLeave` for a contract contact, whose page offers to name another instead (R34), and
    `UnknownToken` where there is no such subscription.
    """
    subscription = find_subscription(session, subscription_id)
    if subscription is None:
        raise UnknownToken
    if subscription.ended_at is not None:
        return subscription
    if subscription.customer_id is not None:
        publisher = session.get_one(Publisher, subscription.publisher_id)
        customer = session.get_one(Customer, subscription.customer_id)
        raise ContactMayNotLeave(publisher=publisher.slug, customer=customer.name)
    if is_alone_at_endpoint(session, subscription):
        end_endpoint(session, now, subscription.address_id, EndedBecause.UNSUBSCRIBED, subscriber(Audience.FOLLOWER))
        session.refresh(subscription)
        return subscription
    end_subscription(session, now, subscription, EndedBecause.UNSUBSCRIBED, subscriber(Audience.FOLLOWER))
    return subscription
