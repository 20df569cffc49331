"""Somebody asks, by the public form, that changes are posted to an address on the web (R34).

request_endpoint ──▶ letter to whoever is to answer for it ──▶ confirm_endpoint ──▶ endpoint with its secret
                                └── 7 days without it ──▶ sweep_expired_requests      └──▶ `verify_endpoint`

Until its owner confirms, nothing is posted there and no endpoint is on record: anybody can type any address. What an
endpoint is that stands already, and who answers for it, the form changes nothing about.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import exists, select, update
from sqlalchemy.orm import Session

from registry.channels.reach import Reach
from registry.domain.errors import InvalidInput, Problem
from registry.domain.vocabulary import Audience, ChannelKind, ServiceLetterKind
from registry.steps.addresses import find_address, is_suppressed, record_address
from registry.steps.audience_errors import ExpiredToken, UnknownToken, UsedToken
from registry.steps.choices import Choices
from registry.steps.confirm import subscriber
from registry.steps.endpoint_errors import EndpointStands
from registry.steps.endpoints import EndpointAdded, EndpointWish, add_endpoint, read_endpoint_wish
from registry.steps.keyring import Keyring, hash_token, load_keyring
from registry.steps.letter_room import find_room
from registry.steps.letterhead import Letterhead
from registry.steps.record import Actor, record_event
from registry.steps.service_letters import add_confirm_token, add_service_delivery, freeze_service_letter
from registry.steps.subscribe import check_language, find_or_add_follower
from registry.tables import Address, ConfirmToken, Endpoint, EndpointRequest, Publisher, Subscription

OWNER = subscriber(Audience.FOLLOWER)


@dataclass(frozen=True)
class RequestedEndpoint:
    """What a confirm link about an endpoint opens: the request, and the mailbox that is to answer for it."""

    publisher: Publisher
    request: EndpointRequest
    mailbox: Subscription


def request_endpoint(
    session: Session,
    now: datetime,
    publisher: Publisher,
    letterhead: Letterhead,
    keyring: Keyring,
    wish: EndpointWish,
    reach: Reach,
    actor: Actor,
    *,
    wants_reminders: bool = True,
    wants_effect: bool = False,
) -> None:
    """Take the wish and write to whoever is to answer for the address, who confirms it.

    What it answers and how long it takes say nothing about either address. A mailbox gets one letter about wishes in 24
    hours (`find_room`), one that is suppressed none; for an address that is told already nothing is sent. Raises
    `InvalidInput` with every problem of the values given, in `url`, `owner`, `products`, `kinds` and `language`.
    """
    url, owner, choices = _read(session, publisher, wish, reach)
    letter = freeze_service_letter(
        session,
        now,
        publisher,
        letterhead,
        ServiceLetterKind.CONFIRM_ENDPOINT,
        Audience.FOLLOWER,
        choices.products,
        language=wish.language,
    )
    because = _find_refusal(session, publisher, keyring, wish.kind, url, owner)
    if because is not None:
        _record(session, now, actor, "endpoint.request_refused", publisher, because=because)
        return
    mailbox = find_or_add_follower(session, now, record_address(session, now, publisher, keyring, owner))
    due_at = None if _is_asked_for(session, mailbox, wish.kind, url) else find_room(session, now, keyring, owner)
    if due_at is None:
        _record(session, now, actor, "endpoint.asked_again", publisher)
        return
    request = EndpointRequest(
        publisher_id=publisher.id,
        subscription_id=mailbox.id,
        channel=wish.kind.value,
        url=url,
        language=wish.language,
        products=list(choices.products),
        kinds=[kind.value for kind in choices.kinds],
        wants_reminders=wants_reminders,
        wants_effect=wants_effect,
        created_at=now,
    )
    session.add(request)
    session.flush()
    add_confirm_token(session, now, keyring, mailbox, endpoint=request)
    add_service_delivery(session, now, mailbox, letter, due_at)
    _record(session, now, actor, "endpoint.requested", publisher, channel=wish.kind.value, request=request.id)


def _read(session: Session, publisher: Publisher, wish: EndpointWish, reach: Reach) -> tuple[str, str, Choices]:
    problems: list[Problem] = []
    try:
        check_language(wish.language)
    except InvalidInput as error:
        problems += error.problems
    try:
        read = read_endpoint_wish(session, publisher, wish, reach)
    except InvalidInput as error:
        raise InvalidInput([*error.problems, *problems]) from None
    if problems:
        raise InvalidInput(problems)
    return read


def _find_refusal(
    session: Session, publisher: Publisher, keyring: Keyring, kind: ChannelKind, url: str, owner: str
) -> str | None:
    if is_suppressed(session, publisher, keyring, owner):
        return "suppressed"
    address = find_address(session, publisher, keyring, url, kind)
    if address is not None and _stands(session, address):
        return "stands"
    return None


def _stands(session: Session, address: Address) -> bool:
    standing = exists().where(Endpoint.address_id == address.id, Endpoint.ended_at.is_(None))
    told = exists().where(Subscription.address_id == address.id, Subscription.ended_at.is_(None))
    return bool(session.scalar(select(standing | told)))


def _is_asked_for(session: Session, mailbox: Subscription, kind: ChannelKind, url: str) -> bool:
    same = exists().where(
        EndpointRequest.subscription_id == mailbox.id,
        EndpointRequest.closed_at.is_(None),
        EndpointRequest.channel == kind.value,
        EndpointRequest.url == url,
    )
    return bool(session.scalar(select(same)))


def find_requested_endpoint(session: Session, now: datetime, token: str) -> RequestedEndpoint | None:
    """Return what a confirm link about an endpoint is about, changing nothing; None where it is about something else.

    Raises `UsedToken` or `ExpiredToken`.
    """
    row = session.scalar(select(ConfirmToken).where(ConfirmToken.token_hash == hash_token(token)))
    if row is None or row.endpoint_request_id is None:
        return None
    request = session.get_one(EndpointRequest, row.endpoint_request_id)
    publisher = session.get_one(Publisher, row.publisher_id)
    mailbox = session.get_one(Subscription, row.subscription_id)
    if row.used_at is not None:
        raise UsedToken(publisher=publisher.slug, confirmed=request.closed_at is not None)
    is_known = session.get_one(Address, mailbox.address_id).value is not None
    if now >= row.expires_at or request.closed_at is not None or not is_known:
        raise ExpiredToken(publisher=publisher.slug, audience=Audience.FOLLOWER.value)
    return RequestedEndpoint(publisher, request, mailbox)


def confirm_endpoint(
    session: Session, now: datetime, token: str, reach: Reach
) -> tuple[EndpointAdded, RequestedEndpoint]:
    """Let a request become an endpoint, which waits to be verified; return it, and whose mailbox answers for it.

    Its secret is in what is returned, this once. Raises `UnknownToken`, `UsedToken`, `ExpiredToken`, `EndpointStands`
    where the address is told already by somebody else's wish, and `InvalidInput` where it cannot be taken any more.
    """
    found = find_requested_endpoint(session, now, token)
    if found is None:
        raise UnknownToken
    # Two clicks at once: the second waits here, and finds the request closed.
    request = session.get_one(EndpointRequest, found.request.id, with_for_update=True, populate_existing=True)
    if request.closed_at is not None or request.url is None:
        raise UsedToken(publisher=found.publisher.slug, confirmed=True)
    owner = session.get_one(Address, found.mailbox.address_id)
    wish = EndpointWish(
        ChannelKind(request.channel),
        request.url,
        owner.value or "",
        products=tuple(request.products),
        kinds=tuple(request.kinds),
        language=request.language,
    )
    _refuse_standing(session, now, found.publisher, wish, reach)
    added = add_endpoint(session, now, found.publisher, wish, reach, OWNER)
    added.subscription.wants_reminders = request.wants_reminders
    added.subscription.wants_effect = request.wants_effect
    request.closed_at, request.url = now, None
    session.execute(
        update(ConfirmToken)
        .where(ConfirmToken.endpoint_request_id == request.id, ConfirmToken.used_at.is_(None))
        .values(used_at=now)
    )
    session.flush()
    # Who had left meanwhile gets a subscription to manage it by, which is told nothing until it is confirmed.
    return added, replace(found, mailbox=find_or_add_follower(session, now, owner))


def _refuse_standing(session: Session, now: datetime, publisher: Publisher, wish: EndpointWish, reach: Reach) -> None:
    """Raise `EndpointStands`: whoever answers for an endpoint of a customer is not replaced by a form."""
    url, _, _ = read_endpoint_wish(session, publisher, wish, reach)
    address = find_address(session, publisher, load_keyring(session, now), url, wish.kind)
    if address is not None and _stands(session, address):
        raise EndpointStands(number=address.id, publisher=publisher.slug)


def _record(session: Session, now: datetime, actor: Actor, kind: str, publisher: Publisher, **payload: object) -> None:
    record_event(session, now, actor, kind, subject=("publisher", publisher.slug), publisher_id=publisher.id, **payload)
