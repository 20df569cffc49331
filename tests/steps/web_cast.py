"""What the tests of webhooks and chat rooms share: receivers on this machine, endpoints added and verified."""

from __future__ import annotations

from typing import Any

import time_machine
from sqlalchemy import select

from registry.channels.base import Answer
from registry.domain.vocabulary import ChannelKind
from registry.steps.endpoints import EndpointAdded, EndpointWish, add_endpoint
from registry.steps.lookup import get_customer, get_publisher
from registry.steps.verify_endpoint import Verified, prepare_verification, probe_endpoint, record_verification
from registry.tables import Delivery, Endpoint, Letter, Subscription
from tests.channels.http_receiver import Echo, HttpReceiver, WebhookRequest
from tests.world import ANNA, World, antopsis

OWNER = "ops@bremen.example"

NO_CONTACTS = """  - key: bremen
    name: Bremen Media GmbH
    time_zone: Europe/Berlin
    notice: {terms}
    contacts: [{contacts}]
"""


def bremen(terms: str = "{receipt_by_webhook: true}", contacts: str = "") -> str:
    """The customer of these tests, with these terms and contacts by e-mail."""
    return NO_CONTACTS.format(terms=terms, contacts=contacts)


NO_OTHER_WAY = bremen()
"""The customer without a contact by e-mail, whose terms count a webhook."""


def add(
    world: World,
    url: str,
    kind: ChannelKind = ChannelKind.WEBHOOK,
    customer: str | None = "bremen",
    owner: str = OWNER,
    **limits: Any,
) -> EndpointAdded:
    """Add an endpoint for a customer, or for a follower."""
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        row = get_customer(session, publisher, customer) if customer is not None else None
        wish = EndpointWish(kind, url, owner, row, **limits)
        return add_endpoint(session, world.at, publisher, wish, world.wiring.reach, ANNA)


def probe(world: World, number: int) -> tuple[Verified, Answer]:
    """Try to verify an endpoint, over the world's own channel."""
    with world.reading() as session:
        tried = prepare_verification(session, world.at, get_publisher(session, "antopsis"), number)
    answer = probe_endpoint(world.channels[tried.kind.value], tried)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis", lock=True)
        return record_verification(session, world.at, publisher, tried, answer, ANNA), answer


def verify(world: World, receiver: HttpReceiver, number: int) -> Verified:
    """Verify a webhook whose receiver answers the challenge."""
    receiver.script(Echo())
    verified, answer = probe(world, number)
    assert verified.is_verified, answer
    receiver.requests.clear()
    return verified


def connect(world: World, receiver: HttpReceiver, **options: Any) -> EndpointAdded:
    """Add the receiver's endpoint as a webhook and verify it."""
    added = add(world, receiver.url, **options)
    verify(world, receiver, added.number)
    return added


def announce_by_web(world: World, receiver: HttpReceiver, customers: str = NO_OTHER_WAY, **options: Any) -> int:
    """Announce a second place to customers, one of them by the receiver's webhook; return the endpoint's number."""
    world.apply(antopsis(customers=customers))
    number = connect(world, receiver, **options).number
    world.announce(antopsis(helsinki=True, customers=customers))
    return number


def posted(receiver: HttpReceiver) -> list[dict[str, Any]]:
    """What the receiver was posted, read as JSON."""
    return [request.json for request in receiver.requests]


def verified_by(world: World, request: WebhookRequest, secret: str) -> Any:
    """Check a signature as the receiver does, at the world's own time, and return the payload."""
    with time_machine.travel(world.at, tick=False):
        return request.verify(secret)


def endpoint_of(world: World, number: int) -> Endpoint:
    """Return an endpoint's row as it is now."""
    with world.reading() as session:
        return session.get_one(Endpoint, number)


def delivery_at(world: World, number: int, kind: str = "announcement") -> Delivery:
    """Return the row of the message of this kind to an endpoint."""
    with world.reading() as session:
        return session.scalars(
            select(Delivery)
            .join(Letter, Letter.id == Delivery.letter_id)
            .join(Subscription, Subscription.id == Delivery.subscription_id)
            .where(Subscription.address_id == number, Letter.kind == kind)
        ).one()


def forms_frozen(world: World) -> dict[str, int]:
    """Return how many letters of statements there are in each form."""
    with world.reading() as session:
        rows = session.scalars(select(Letter.form).where(Letter.statement_id.is_not(None))).all()
    return {form: rows.count(form) for form in sorted(set(rows))}
