"""The sweep that ends what has had its days: names, addresses, merged words, answers, words of objections (R36).

```
find while reading ──▶ lock the publisher, its holds, the rows ──▶ erase, with one event ──▶ commit ──▶ the next rows
```

It owns its transactions, so that a backlog of a million rows holds no lock for longer than a few hundred take. Digests,
hashes, times, states, keyed hashes and codes of answers are not personal data, and stay for good.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Final

from sqlalchemy import Engine, Select, exists, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from registry.domain.retention import is_use_over
from registry.steps.address_uses import load_uses
from registry.steps.end_subscription import EVERYTHING_WAITING, EndedBecause, end_subscription
from registry.steps.erase_address import ErasedBecause, erase_addresses
from registry.steps.erase_limits import Limits, load_limits
from registry.steps.find_expired import PLACES, Place, find_subscriptions
from registry.steps.legal_holds import find_holds_on
from registry.steps.lookup import lock_publisher
from registry.steps.objection_letters import erase_replies
from registry.steps.record import WORKER, record_event
from registry.tables import Address, Endpoint, ObjectionNote, Publisher, Subscription
from registry.tables.engine import reading, writing

BATCH: Final = 500
"""Rows of each place that one transaction erases at most."""

BATCHES_AHEAD: Final = 20
"""How many batches are found at once: looking is dear where little is due, and what was found is asked again."""

BATCHES_IN_A_RUN: Final = 200
"""Some seconds' work: the effect of a notice may wait behind it, and must not wait for long."""

PEOPLE: Final = "people"
"""Subscriptions, beside the places by their tables' names."""


def erase_expired(
    engine: Engine,
    clock: Callable[[], datetime],
    *,
    should_stop: Callable[[], bool] = lambda: False,
    batch: int = BATCH,
) -> dict[str, int]:
    """Erase what is due by each publisher's retention and under no legal hold; return how much of each kind.

    `clock` gives aware UTC. A run has `BATCHES_IN_A_RUN` at most, and goes on where it was in the next. Once nothing is
    left, another run does nothing. Rows that somebody else has locked wait for the next one, and so does what belongs
    to a letter under way. Between two transactions `should_stop` is asked.
    """
    erased: Counter[str] = Counter()
    with reading(engine) as session:
        publishers: list[int | None] = [*session.scalars(select(Publisher.id).order_by(Publisher.id)), None]
    batches = 0
    for publisher_id in publishers:
        looked_at = dict.fromkeys([*(place.name for place in PLACES), PEOPLE], 0)
        while looked_at and not should_stop():
            with reading(engine) as session:
                found = _find(session, clock(), publisher_id, looked_at, batch * BATCHES_AHEAD)
            for begin in range(0, max(map(len, found.values())), batch):
                if should_stop() or batches == BATCHES_IN_A_RUN:
                    return dict(erased)
                some = {name: ids[begin : begin + batch] for name, ids in found.items()}
                with writing(engine) as session:
                    did = _erase(session, clock(), publisher_id, some)
                erased += did
                # One that found nothing due costs little, and must not keep the run from those that do.
                batches += did.total() > 0
            looked_at = {name: ids[-1] for name, ids in found.items() if len(ids) == batch * BATCHES_AHEAD}
    return dict(erased)


def _find(
    session: Session, now: datetime, publisher_id: int | None, looked_at: dict[str, int], most: int
) -> dict[str, list[int]]:
    """Return the next rows of each place, after those that this run has looked at."""
    publisher = session.get_one(Publisher, publisher_id) if publisher_id is not None else None
    limits = load_limits(session, now, publisher)

    def next_of(query: Select[int], number: InstrumentedAttribute[int], after: int) -> list[int]:
        return list(session.scalars(query.where(number > after).order_by(number).limit(most)))

    found = {
        place.name: next_of(place.find_due(limits), place.table.id, looked_at[place.name])
        for place in PLACES
        if place.name in looked_at
    }
    if PEOPLE in looked_at:
        found[PEOPLE] = next_of(find_subscriptions(limits), Subscription.id, looked_at[PEOPLE])
    return found


def _erase(session: Session, now: datetime, publisher_id: int | None, found: dict[str, list[int]]) -> Counter[str]:
    """Erase what was found, as far as it is due still, in one transaction with one event for it all."""
    publisher = session.get_one(Publisher, publisher_id) if publisher_id is not None else None
    if publisher is not None:
        # Who sets a hold waits for this, or this for them: no erasure comes after a hold that stands.
        lock_publisher(session, publisher)
    limits = load_limits(session, now, publisher)
    erased: Counter[str] = Counter()
    for place in PLACES:
        erased[place.kind.value] += _empty(session, place, limits, found.get(place.name, []))
    erase_replies(session, found.get(ObjectionNote.__tablename__, []))
    addresses = 0
    if publisher is not None and found.get(PEOPLE):
        addresses, erased["names"] = _erase_people(session, now, publisher, limits, found[PEOPLE])
    counts = {kind: count for kind, count in erased.items() if count}
    if counts:
        subject = ("publisher", publisher.slug) if publisher is not None else ("installation", "unmatched")
        record_event(session, now, WORKER, "retention.erased", subject=subject, publisher_id=publisher_id, **counts)
    return Counter({**counts, "addresses": addresses})


def _empty(session: Session, place: Place, limits: Limits, ids: list[int]) -> int:
    if not ids:
        return 0
    number = place.table.id
    due = place.find_due(limits).where(number.in_(ids)).order_by(number)
    rows = session.scalars(due.with_for_update(of=place.table, skip_locked=True, key_share=True)).all()
    session.execute(place.empty(rows), execution_options={"synchronize_session": False})
    return len(rows)


def _erase_people(
    session: Session, now: datetime, publisher: Publisher, limits: Limits, ids: list[int]
) -> tuple[int, int]:
    """Erase the names of subscriptions whose days are over, and the addresses that have no other use.

    Return how many addresses went, and how many names without their address.
    """
    addresses, subscriptions = _lock_people(session, ids)
    uses = load_uses(session, publisher, subscriptions)
    held = find_holds_on(session, limits.holds, subscriptions)
    over = [
        each
        for each in subscriptions
        if each.id in uses and each.id not in held and is_use_over(uses[each.id], limits.cutoffs)
    ]
    is_over = {each.id for each in over}
    needed = {each.address_id for each in subscriptions if each.id not in is_over}
    needed |= _find_owners(session, [address.id for address in addresses])
    names = 0
    for each in over:
        if each.ended_at is None:
            # Nobody's wish, so a customer that comes back may name this contact again (R34).
            end_subscription(session, now, each, EndedBecause.EXPIRED, WORKER, EVERYTHING_WAITING)
        names += each.name is not None and each.address_id in needed
        each.name = None
    session.flush()
    gone = [address for address in addresses if address.value is not None and address.id not in needed]
    if gone:
        erase_addresses(session, now, gone, WORKER, ErasedBecause.RETENTION)
    owners = _find_idle_owners(session, [address.id for address in gone])
    if owners:
        erase_addresses(session, now, owners, WORKER, ErasedBecause.RETENTION)
    return len(gone) + len(owners), names


def _lock_people(session: Session, ids: list[int]) -> tuple[list[Address], list[Subscription]]:
    """Lock the addresses of these subscriptions, with every use of each; leave out what somebody else has locked.

    A new use begins by locking the address (`record_address`), so what is read after the lock is all there is.
    """
    wanted = select(Subscription.address_id).where(Subscription.id.in_(ids))
    addresses = session.scalars(
        select(Address)
        .where(Address.id.in_(wanted))
        .order_by(Address.id)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()
    at_these = Subscription.address_id.in_([address.id for address in addresses])
    known = session.execute(select(Subscription.id, Subscription.address_id).where(at_these)).all()
    subscriptions = session.scalars(
        select(Subscription)
        .where(at_these)
        .order_by(Subscription.id)
        .with_for_update(skip_locked=True, key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    in_hand = {each.id for each in subscriptions}
    busy = {address_id for row_id, address_id in known if row_id not in in_hand}
    return (
        [address for address in addresses if address.id not in busy],
        [each for each in subscriptions if each.address_id not in busy],
    )


def _find_owners(session: Session, addresses: list[int]) -> set[int]:
    """Return those of the addresses whose owner answers for an endpoint on the web that is there still."""
    owned = select(Endpoint.owner_address_id).join(Address, Address.id == Endpoint.address_id)
    return set(session.scalars(owned.where(Endpoint.owner_address_id.in_(addresses), Address.value.is_not(None))))


def _find_idle_owners(session: Session, endpoints: list[int]) -> list[Address]:
    """Return the addresses that were known for nothing but answering for these endpoints, locked."""
    owners = select(Endpoint.owner_address_id).where(Endpoint.address_id.in_(endpoints))
    has_use = exists().where(Subscription.address_id == Address.id)
    idle = session.scalars(
        select(Address)
        .where(Address.id.in_(owners), Address.value.is_not(None), ~has_use)
        .order_by(Address.id)
        .with_for_update(skip_locked=True, key_share=True)
    ).all()
    still = _find_owners(session, [address.id for address in idle])
    return [address for address in idle if address.id not in still]
