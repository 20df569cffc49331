"""Whoever answers for an endpoint is written to once letters to it have failed for seven days.

Once for each line of failures. A letter that is called off while it waits is none of them: what nobody tries any more
does not fail. An owner whom nobody may write to is not told, and that is a task for the team.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, case, exists, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState
from registry.domain.vocabulary import Audience, ServiceLetterKind
from registry.letters.values import FailingEndpoint
from registry.steps.addresses import add_follower, is_row_suppressed
from registry.steps.letterhead import Letterhead
from registry.steps.record import WORKER, record_event
from registry.steps.service_letters import add_service_delivery, freeze_service_letter
from registry.steps.tasks import TaskKind, open_task
from registry.tables import Address, Attempt, Customer, Delivery, Endpoint, Publisher, Subscription, Task

TOLD_AFTER: Final = timedelta(days=7)
LONGEST_ANSWER_TOLD: Final = 200

_STILL_OWED: Final = (
    *(DeliveryState.PENDING, DeliveryState.LEASED, DeliveryState.RETRY_WAIT, DeliveryState.AMBIGUOUS),
    *(DeliveryState.FAILED, DeliveryState.NEEDS_ATTENTION),
)
"""States of a letter that an endpoint was to take and has not: it waits, or its tries are spent."""


class WhyNotTold(StrEnum):
    """Why the owner of an endpoint is not written to."""

    SUPPRESSED = "suppressed"
    """The address stands on the suppression list."""
    ERASED = "erased"
    """The address is on record no more."""


def tell_owners(session: Session, now: datetime, letterhead: Letterhead) -> int:
    """Write to the owners of endpoints that have failed without a break for seven days; return how many.

    For so long a letter that is still wanted was not taken, and no other either: one that was withdrawn after its first
    try says nothing of the days since. Each owner is told once, until the endpoint works again and a new line of
    failures begins. One whose address is suppressed or was erased is not told, which is on record and a task once; it
    is told after all should the suppression be lifted.
    """
    failing = session.execute(
        select(Endpoint, Address)
        .join(Address, Address.id == Endpoint.address_id)
        .where(
            Endpoint.failing_since <= now - TOLD_AFTER,
            Endpoint.owner_told_at.is_(None),
            Endpoint.ended_at.is_(None),
            Address.value.is_not(None),
            _has_owed_a_letter(now),
        )
        .order_by(Endpoint.address_id)
        .with_for_update(of=Endpoint, skip_locked=True)
    ).all()
    told = 0
    for endpoint, address in failing:
        why = _why_not_told(session, endpoint)
        if why is None:
            _tell(session, now, letterhead, endpoint, address)
            told += 1
        else:
            _note_not_told(session, now, endpoint, why)
    return told


def _has_owed_a_letter(now: datetime) -> ColumnElement[bool]:
    """Return whether a letter that is still wanted failed seven days ago or more, in this line of failures."""
    return exists(
        select(Attempt.id)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .where(
            Subscription.address_id == Endpoint.address_id,
            Delivery.state.in_([state.value for state in _STILL_OWED]),
            Attempt.finished_at.between(Endpoint.failing_since, now - TOLD_AFTER),
        )
    )


def host_of(url: str) -> str:
    """Return where an address leads, without what may be a credential in it."""
    return urlsplit(url).hostname or ""


def _tell(session: Session, now: datetime, letterhead: Letterhead, endpoint: Endpoint, address: Address) -> None:
    publisher = session.get_one(Publisher, endpoint.publisher_id)
    customers = session.execute(
        select(Customer.id, Customer.name)
        .join(Subscription, Subscription.customer_id == Customer.id)
        .where(Subscription.address_id == address.id, Subscription.ended_at.is_(None))
        .order_by(Customer.name)
    ).all()
    mailbox = _find_mailbox(session, now, endpoint, [customer_id for customer_id, _ in customers])
    facts = FailingEndpoint(
        number=address.id,
        kind=address.channel,
        place=host_of(address.value or ""),
        failing_since=endpoint.failing_since or now,
        answer=_last_answer(session, address),
        customers=tuple(name for _, name in customers),
    )
    letter = freeze_service_letter(
        session,
        now,
        publisher,
        letterhead,
        ServiceLetterKind.ENDPOINT_FAILING,
        Audience(mailbox.audience),
        endpoint=facts,
        language=mailbox.language,
    )
    add_service_delivery(session, now, mailbox, letter)
    endpoint.owner_told_at = now
    record_event(
        session,
        now,
        WORKER,
        "endpoint.owner_told",
        subject=("endpoint", str(address.id)),
        publisher_id=publisher.id,
        failing_since=facts.failing_since.isoformat(),
    )


def _why_not_told(session: Session, endpoint: Endpoint) -> WhyNotTold | None:
    owner = session.get_one(Address, endpoint.owner_address_id)
    if owner.value is None:
        return WhyNotTold.ERASED
    return WhyNotTold.SUPPRESSED if is_row_suppressed(session, owner) else None


def _note_not_told(session: Session, now: datetime, endpoint: Endpoint, why: WhyNotTold) -> None:
    """Put on record that an owner was not told, and open a task; once for each owner in a line of failures."""
    subject = ("endpoint", str(endpoint.address_id))
    owner, failing_since = endpoint.owner_address_id, (endpoint.failing_since or now).isoformat()
    noted = session.scalars(
        select(Task.facts).where(Task.kind == TaskKind.OWNER_NOT_TOLD.value, Task.subject == subject[1])
    )
    if any((facts.get("owner"), facts.get("failing_since")) == (owner, failing_since) for facts in noted):
        return
    record_event(
        session,
        now,
        WORKER,
        "endpoint.owner_not_told",
        subject=subject,
        publisher_id=endpoint.publisher_id,
        failing_since=failing_since,
        because=why.value,
    )
    open_task(
        session,
        now,
        TaskKind.OWNER_NOT_TOLD,
        subject=subject,
        publisher_id=endpoint.publisher_id,
        endpoint=endpoint.address_id,
        owner=owner,
        failing_since=failing_since,
        why=why.value,
    )


def _find_mailbox(session: Session, now: datetime, endpoint: Endpoint, customers: list[int]) -> Subscription:
    """Return a subscription of the owner's address by which a letter can go to it.

    That of a contact of the endpoint's own customers, or else a follower's. Where the owner has neither there is one
    that was never confirmed: it is told of no notice, and ends as every such wish does.
    """
    found = session.scalar(
        select(Subscription)
        .where(
            Subscription.address_id == endpoint.owner_address_id,
            Subscription.ended_at.is_(None),
            Subscription.customer_id.is_(None) | Subscription.customer_id.in_(customers),
        )
        .order_by(case((Subscription.customer_id.is_(None), 1), else_=0), Subscription.id)
        .limit(1)
    )
    if found is not None:
        return found
    return add_follower(session, now, session.get_one(Address, endpoint.owner_address_id))


def _last_answer(session: Session, address: Address) -> str | None:
    answer = session.scalar(
        select(Attempt.answer)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .where(Subscription.address_id == address.id, Attempt.answer.is_not(None))
        .order_by(Attempt.id.desc())
        .limit(1)
    )
    return answer if answer is None or len(answer) <= LONGEST_ANSWER_TOLD else f"{answer[:LONGEST_ANSWER_TOLD]}…"
