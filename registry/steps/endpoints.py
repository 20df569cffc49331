"""Endpoints: addresses on the web that are told, with their secrets and the person who answers for each.

add_endpoint ──▶ verify (`verify_endpoint`) ──▶ told of what is pending ──▶ … ──▶ remove_endpoint, or HTTP 410
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, exists, select, update
from sqlalchemy.orm import Session

from registry.channels.public_addresses import LONGEST_URL, AddressProblem, WebAddress
from registry.channels.reach import Reach
from registry.channels.webhook_signing import make_secret
from registry.domain.errors import InvalidInput, Problem
from registry.domain.vocabulary import Audience, ChannelKind
from registry.readers.email_addresses import read_email_address
from registry.steps.addresses import is_suppressed, record_address
from registry.steps.choices import Choices, read_choices, record_choices
from registry.steps.contacts import add_contact, add_unconfirmed_contact, refuse_last_contact
from registry.steps.end_subscription import EndedBecause
from registry.steps.endpoint_errors import EndpointEnded, EndpointNotSigned, EndpointStands, UnknownEndpoint
from registry.steps.endpoint_results import end_endpoint
from registry.steps.keyring import Keyring, make_keyring
from registry.steps.record import Actor, record_event
from registry.tables import Address, Customer, Endpoint, EndpointSecret, Publisher, Subscription

OLD_SECRET_SIGNS_FOR: Final = timedelta(hours=24)
"""How long an old secret goes on signing beside the new one, where nobody says otherwise."""


@dataclass(frozen=True)
class EndpointWish:
    """What somebody asks for: an address, who answers for it, and what is to be told there.

    Without a customer it follows the list. No product and no kind of change chosen means all.
    """

    kind: ChannelKind
    url: str
    owner: str
    customer: Customer | None = None
    products: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    language: str = "en"


@dataclass(frozen=True)
class EndpointAdded:
    """An endpoint that waits to be verified. `secret` is shown this once; None where there is none to be shown.

    `has_new_standby`: its owner is a contact of the customer from now on, told by e-mail where the endpoint fails.
    """

    number: int
    subscription: Subscription
    secret: str | None
    has_new_standby: bool


def add_endpoint(
    session: Session, now: datetime, publisher: Publisher, wish: EndpointWish, reach: Reach, actor: Actor
) -> EndpointAdded:
    """Add an address on the web that is told once it is verified. One that had ended begins anew, with a new secret.

    A customer that has no contact by e-mail gets the owner as one that stands by, so that the duty to tell it is met
    also where the endpoint fails, or cannot prove receipt (R12, R13); one that loses its mailbox later gets the owner
    by `call_in`. Raises `InvalidInput` with every problem of the values given, and `EndpointStands` where the address
    is told already.
    """
    url, owner, choices = read_endpoint_wish(session, publisher, wish, reach)
    keyring = make_keyring(session, now)
    needs_standby = wish.customer is not None and not has_mailbox(session, publisher, keyring, wish.customer)
    if needs_standby and is_suppressed(session, publisher, keyring, owner):
        raise InvalidInput([Problem("owner", owner, "owner-not-written-to")])
    address = record_address(session, now, publisher, keyring, url, wish.kind)
    standing = session.scalar(
        select(Subscription.id).where(
            Subscription.address_id == address.id,
            Subscription.customer_id.is_not_distinct_from(wish.customer.id if wish.customer else None),
            Subscription.ended_at.is_(None),
        )
    )
    if standing is not None:
        raise EndpointStands(number=address.id, publisher=publisher.slug)
    owner_address = record_address(session, now, publisher, keyring, owner)
    secret = _begin(session, now, publisher, address, owner_address, wish)
    subscription = _add_subscription(session, now, publisher, address, wish)
    record_choices(session, subscription, choices)
    record_event(
        session,
        now,
        actor,
        "endpoint.added",
        subject=("endpoint", str(address.id)),
        publisher_id=publisher.id,
        channel=wish.kind.value,
        subscription=subscription.id,
        customer=wish.customer.key if wish.customer else None,
    )
    has_new_standby = False
    if wish.customer is not None and needs_standby:
        added = add_contact(session, now, wish.customer, owner, actor, language=wish.language, is_standby=True)
        has_new_standby = added.is_new
    return EndpointAdded(address.id, subscription, secret, has_new_standby)


def get_endpoint(
    session: Session, publisher: Publisher, number: int, *, lock: bool = False
) -> tuple[Endpoint, Address]:
    """Return an endpoint that stands, with its address. Raises `UnknownEndpoint` or `EndpointEnded`."""
    query = (
        select(Endpoint, Address)
        .join(Address, Address.id == Endpoint.address_id)
        .where(Endpoint.publisher_id == publisher.id, Endpoint.address_id == number)
    )
    found = session.execute(query.with_for_update(of=Endpoint) if lock else query).one_or_none()
    if found is None:
        known = session.scalars(
            select(Endpoint.address_id).where(Endpoint.publisher_id == publisher.id, Endpoint.ended_at.is_(None))
        )
        raise UnknownEndpoint(number=number, publisher=publisher.slug, known=[str(each) for each in sorted(known)])
    endpoint, address = found
    if endpoint.ended_at is not None or address.value is None:
        raise EndpointEnded(number=number, publisher=publisher.slug)
    return endpoint, address


def rotate_secret(
    session: Session,
    now: datetime,
    publisher: Publisher,
    number: int,
    actor: Actor,
    old_signs_for: timedelta = OLD_SECRET_SIGNS_FOR,
) -> str:
    """Give a webhook a new secret, and return it, this once. Until the old one retires both sign (Standard Webhooks).

    Raises `UnknownEndpoint`, `EndpointEnded`, and `EndpointNotSigned` for a chat room.
    """
    endpoint, address = get_endpoint(session, publisher, number, lock=True)
    if address.channel != ChannelKind.WEBHOOK.value:
        raise EndpointNotSigned(number=number, kind=address.channel)
    retires_at = now + old_signs_for
    # One that retires sooner already keeps its hour.
    session.execute(
        update(EndpointSecret)
        .where(EndpointSecret.address_id == number, EndpointSecret.retires_at.is_(None))
        .values(retires_at=retires_at)
    )
    retire_secrets(session, now)
    secret = _add_secret(session, now, publisher, endpoint.address_id)
    record_event(
        session,
        now,
        actor,
        "endpoint.secret_rotated",
        subject=("endpoint", str(number)),
        publisher_id=publisher.id,
        old_retires_at=retires_at.isoformat(),
    )
    return secret


def retire_secrets(session: Session, now: datetime) -> int:
    """Delete the secrets that have retired by `now` (UTC), and return how many. The newest one never does."""
    retired = session.scalars(
        delete(EndpointSecret).where(EndpointSecret.retires_at <= now).returning(EndpointSecret.id)
    ).all()
    return len(retired)


def remove_endpoint(session: Session, now: datetime, publisher: Publisher, number: int, actor: Actor) -> int:
    """End an endpoint, where each of its customers has another contact that can be written to; return how many ended.

    Raises `UnknownEndpoint`, `EndpointEnded` and `LastContact`.
    """
    get_endpoint(session, publisher, number, lock=True)
    keyring = make_keyring(session, now)
    contacts = session.execute(
        select(Subscription, Customer)
        .join(Customer, Customer.id == Subscription.customer_id)
        .where(
            Subscription.address_id == number,
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
        )
        .with_for_update(of=Customer, key_share=True)
    ).all()
    for contact, customer in contacts:
        refuse_last_contact(session, publisher, keyring, customer, contact)
    return end_endpoint(session, now, number, EndedBecause.REMOVED, actor)


def has_mailbox(
    session: Session, publisher: Publisher, keyring: Keyring, customer: Customer, *, besides: Address | None = None
) -> bool:
    """Return whether a customer has a contact by e-mail that can be written to, `besides` one address."""
    mailboxes = session.execute(
        select(Address.id, Address.value)
        .join(Subscription, Subscription.address_id == Address.id)
        .where(
            Subscription.customer_id == customer.id,
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
            Address.channel == ChannelKind.EMAIL.value,
            Address.value.is_not(None),
        )
    )
    return any(
        value is not None
        and (besides is None or number != besides.id)
        and not is_suppressed(session, publisher, keyring, value)
        for number, value in mailboxes
    )


def read_endpoint_wish(
    session: Session, publisher: Publisher, wish: EndpointWish, reach: Reach
) -> tuple[str, str, Choices]:
    """Return the address, the owner's mailbox and the choices as they are kept.

    Raises `InvalidInput` with every problem.
    """
    problems: list[Problem] = []
    url, owner, choices = "", "", Choices()
    address = reach.read_address(wish.kind.value, wish.url.strip())
    if isinstance(address, WebAddress):
        url = address.url
    else:
        problems.append(_problem_of(wish.url, address))
    try:
        owner = read_email_address(wish.owner, "owner")
    except InvalidInput as error:
        problems += error.problems
    try:
        choices = read_choices(session, publisher, wish.products, wish.kinds)
    except InvalidInput as error:
        problems += error.problems
    if problems:
        raise InvalidInput(problems)
    return url, owner, choices


def _problem_of(url: str, problem: AddressProblem) -> Problem:
    match problem:
        case AddressProblem.TOO_LONG:
            return Problem("url", url, "too-long", {"max_length": LONGEST_URL})
        case AddressProblem.NOT_A_URL:
            return Problem("url", url, "not-a-web-address")
        case AddressProblem.NOT_HTTPS:
            return Problem("url", url, "address-not-https")
        case AddressProblem.HAS_SIGN_IN:
            return Problem("url", url, "address-with-sign-in")
        case AddressProblem.BAD_HOST:
            return Problem("url", url, "address-bad-host")
        case AddressProblem.BAD_PORT:
            return Problem("url", url, "address-bad-port")
        case AddressProblem.NOT_PUBLIC:
            return Problem("url", url, "address-not-public")
        case AddressProblem.FOREIGN_HOST:
            return Problem("url", url, "address-foreign-host")


def _begin(
    session: Session, now: datetime, publisher: Publisher, address: Address, owner: Address, wish: EndpointWish
) -> str | None:
    """Add the endpoint, or let one that had ended begin anew; return its secret where it got one."""
    endpoint = session.get(Endpoint, address.id, with_for_update=True)
    if endpoint is not None and endpoint.ended_at is None:
        # Told for somebody else already. Who is named last answers for it; for a customer's nobody who merely follows,
        # since the owner may come to stand by for the customer.
        if wish.customer is not None or not _is_told_for_customers(session, address):
            endpoint.owner_address_id = owner.id
        return None
    if endpoint is None:
        endpoint = Endpoint(address_id=address.id, publisher_id=publisher.id, created_at=now)
        session.add(endpoint)
    endpoint.owner_address_id = owner.id
    endpoint.verified_at = endpoint.failing_since = endpoint.owner_told_at = endpoint.ended_at = None
    session.flush()
    session.execute(delete(EndpointSecret).where(EndpointSecret.address_id == address.id))
    return _add_secret(session, now, publisher, address.id) if wish.kind is ChannelKind.WEBHOOK else None


def _is_told_for_customers(session: Session, address: Address) -> bool:
    told = exists().where(
        Subscription.address_id == address.id, Subscription.customer_id.is_not(None), Subscription.ended_at.is_(None)
    )
    return bool(session.scalar(select(told)))


def _add_secret(session: Session, now: datetime, publisher: Publisher, address_id: int) -> str:
    secret = make_secret()
    session.add(EndpointSecret(publisher_id=publisher.id, address_id=address_id, secret=secret, created_at=now))
    session.flush()
    return secret


def _add_subscription(
    session: Session, now: datetime, publisher: Publisher, address: Address, wish: EndpointWish
) -> Subscription:
    if wish.customer is not None:
        return add_unconfirmed_contact(session, now, wish.customer, address, None, wish.language, None)
    subscription = Subscription(
        publisher_id=publisher.id,
        address_id=address.id,
        audience=Audience.FOLLOWER.value,
        language=wish.language,
        created_at=now,
    )
    session.add(subscription)
    session.flush()
    return subscription
