"""When an address may be written to about a wish that anybody can type into a form: once a day, whoever asks (R34).

A stranger can ask for any address and at every publisher of an installation, and must not fill a mailbox. So there is
one such letter to an address in 24 hours, over all of them. Of what else is asked for meanwhile one letter waits until
the day is over; what comes on top is dropped.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import or_, select, text
from sqlalchemy.orm import Session

from registry.domain.vocabulary import ServiceLetterKind
from registry.steps.addresses import EMAIL
from registry.steps.end_subscription import EndedBecause
from registry.steps.keyring import Keyring
from registry.steps.service_letters import ABOUT_A_WISH, PAUSE_BETWEEN_LETTERS
from registry.tables import Address, Delivery, Letter, Publisher, Subscription

_HASH_DIGITS = 15
"""Hexadecimal digits of an address's hash that fit PostgreSQL's number of a lock."""


def find_room(
    session: Session, now: datetime, keyring: Keyring, email: str, same_wish: Subscription | None = None
) -> datetime | None:
    """Return from when on (UTC) a letter about another wish may go to an address; None where none may be added.

    That is `now`, or 24 hours after the last one. None is added where one waits already, or where `same_wish` was
    written about within 24 hours. What went to a follower who has left since does not count: leaving and coming back is
    theirs. Two that ask at once wait for each other, until they commit.
    """
    hashed = keyring.lookup(EMAIL, email)
    if session.get_bind().dialect.name == "postgresql":
        # Its row is one of each publisher. On SQLite a writing session is alone anyway.
        session.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": int(hashed[:_HASH_DIGITS], 16)})
    since = now - PAUSE_BETWEEN_LETTERS
    rows = session.execute(
        select(Delivery.subscription_id, Letter.kind, Delivery.created_at, Delivery.due_at)
        .join(Letter, Letter.id == Delivery.letter_id)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Address, Address.id == Subscription.address_id)
        .where(
            # All publishers, said in the way that the index of addresses is found by.
            Address.publisher_id.in_(select(Publisher.id)),
            Address.channel == EMAIL.value,
            Address.lookup_hmac == hashed,
            Subscription.customer_id.is_(None),
            Subscription.ended_because.is_distinct_from(EndedBecause.UNSUBSCRIBED.value),
            Delivery.statement_id.is_(None),
            Letter.kind.in_(ABOUT_A_WISH),
            or_(Delivery.created_at > since, Delivery.due_at > since),
        )
    ).all()
    if not rows:
        return now
    latest = max(max(created_at, due_at) for *_, created_at, due_at in rows)
    of_mailbox = {kind for number, kind, *_ in rows if same_wish is not None and number == same_wish.id}
    # A request for an endpoint goes to the same mailbox, and is another wish.
    if of_mailbox - {ServiceLetterKind.CONFIRM_ENDPOINT.value} or latest > now:
        return None
    return latest + PAUSE_BETWEEN_LETTERS
