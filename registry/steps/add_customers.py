"""Many customers that are new, with their terms and contacts, in a few statements: as `record_customers` adds one.

Adding them one by one asks the database some twenty times for each, which is minutes for a table of thousands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import insert, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from registry.domain.notice_life import PENDING_STATES
from registry.domain.publishers import CustomerFacts
from registry.domain.terms import Terms
from registry.domain.vocabulary import Audience, ChannelKind
from registry.steps.keyring import Keyring
from registry.steps.make_statement import deliver_pending_to
from registry.steps.record import Actor
from registry.tables import Address, Customer, CustomerTerms, Event, Notice, Publisher, Subscription, Suppression

AT_ONCE: Final = 1_000
"""How many rows one statement holds."""

Value = TypeVar("Value")


def add_customers(
    session: Session,
    now: datetime,
    publisher: Publisher,
    own_terms: Terms,
    keyring: Keyring,
    customers: Sequence[CustomerFacts],
    actor: Actor,
) -> int:
    """Add customers whose keys nobody has, and return how many letters about pending notices are due to their contacts.

    `own_terms` are the publisher's; the values of all were checked, and the addresses are in their normalised form. The
    caller holds the publisher's lock. Each act stands in the record as if it had been done alone.
    """
    if not customers:
        return 0
    ids = _add_rows(session, now, publisher, customers)
    record = _Record(now, publisher, actor)
    for facts in customers:
        record.add("customer.added", ("customer", facts.key))
    versions = []
    for facts in customers:
        stated = {*facts.notice, *(["time_zone"] if facts.time_zone else [])}
        terms = facts.terms_under(own_terms).model_dump(mode="json")
        document = {name: value for name, value in terms.items() if name in stated}
        if document:
            ref = {"publisher_id": publisher.id, "customer_id": ids[facts.key]}
            versions.append(ref | {"version": 1, "document": document, "from_at": now})
            record.add("customer.terms_changed", ("customer", facts.key), version=1, fields=sorted(document))
    for some in in_batches(versions):
        session.execute(insert(CustomerTerms), some)
    added = _add_contacts(session, now, publisher, own_terms, keyring, customers, ids, record)
    for some in in_batches(record.events):
        session.execute(insert(Event), some)
    is_any_pending = session.scalar(
        select(Notice.id)
        .where(Notice.publisher_id == publisher.id, Notice.state.in_([state.value for state in PENDING_STATES]))
        .limit(1)
    )
    if is_any_pending is None:
        return 0
    contacts = (contact for some in in_batches(added) for contact in _load_contacts(session, some))
    return sum(deliver_pending_to(session, now, contact) for contact in contacts)


def in_batches(values: Iterable[Value]) -> Iterator[list[Value]]:
    """Yield values in lists of a length that one statement may name; SQLite takes 32,766 of them."""
    rest = iter(values)
    while some := list(islice(rest, AT_ONCE)):
        yield some


class _Record:
    """What goes into the record, as rows of its table."""

    def __init__(self, now: datetime, publisher: Publisher, actor: Actor) -> None:
        self.events: list[dict[str, Any]] = []
        self._same = {"publisher_id": publisher.id, "at": now, "actor": str(actor), "sign_in_id": actor.sign_in}

    def add(self, kind: str, subject: tuple[str, str], **payload: object) -> None:
        self.events.append(
            self._same | {"kind": kind, "subject_kind": subject[0], "subject": subject[1], "payload": payload}
        )


def _add_rows(
    session: Session, now: datetime, publisher: Publisher, customers: Sequence[CustomerFacts]
) -> dict[str, int]:
    ids: dict[str, int] = {}
    for some in in_batches(customers):
        rows = [
            {
                "publisher_id": publisher.id,
                "key": facts.key,
                "name": facts.name,
                "contract_from": facts.contract_from,
                "contract_until": facts.contract_until,
                "products": list(facts.products),
                "created_at": now,
            }
            for facts in some
        ]
        for row_id, key in session.execute(insert(Customer).returning(Customer.id, Customer.key), rows):
            ids[key] = row_id
    return ids


def _add_contacts(
    session: Session,
    now: datetime,
    publisher: Publisher,
    own_terms: Terms,
    keyring: Keyring,
    customers: Sequence[CustomerFacts],
    ids: dict[str, int],
    record: _Record,
) -> list[int]:
    emails = {contact.email for facts in customers for contact in facts.contacts}
    hashed = {email: keyring.lookup(ChannelKind.EMAIL, email) for email in emails}
    addresses = _record_addresses(session, now, publisher, hashed)
    suppressed = _find_suppressed(session, publisher, hashed.values())
    wanted: dict[tuple[int, int], tuple[str, bool, dict[str, Any]]] = {}
    for facts in customers:
        language = facts.terms_under(own_terms).language
        for rank, contact in enumerate(facts.contacts):
            lookup = hashed[contact.email]
            row = {
                "publisher_id": publisher.id,
                "address_id": addresses[lookup],
                "customer_id": ids[facts.key],
                "audience": Audience.CUSTOMER.value,
                "language": contact.language or language,
                "name": contact.name,
                "rank": rank,
                "created_at": now,
                "confirmed_at": now,
            }
            # Two ways of writing one address are one contact.
            wanted.setdefault((ids[facts.key], addresses[lookup]), (facts.key, lookup in suppressed, row))
    added: list[int] = []
    returned = (Subscription.id, Subscription.customer_id, Subscription.address_id)
    for some in in_batches(wanted.values()):
        rows = [row for _, _, row in some]
        for contact_id, customer_id, address_id in session.execute(insert(Subscription).returning(*returned), rows):
            key, is_suppressed, _ = wanted[customer_id or 0, address_id]
            subject = ("subscription", str(contact_id))
            record.add("contact.added", subject, customer=key, is_standby=False, suppressed=is_suppressed)
            added.append(contact_id)
    return added


def _record_addresses(session: Session, now: datetime, publisher: Publisher, hashed: dict[str, str]) -> dict[str, int]:
    """Return the rows of addresses by their hashes; new ones are added, erased ones get their value back."""
    found: dict[str, int] = {}
    channel = ChannelKind.EMAIL.value
    for some in in_batches(hashed.items()):
        rows = [
            {"publisher_id": publisher.id, "channel": channel, "lookup_hmac": lookup, "value": email, "created_at": now}
            for email, lookup in some
        ]
        is_sqlite = session.get_bind().dialect.name == "sqlite"
        new = sqlite.insert(Address) if is_sqlite else postgresql.insert(Address)
        session.execute(new.on_conflict_do_nothing(), rows)
        values = {lookup: email for email, lookup in some}
        known = session.scalars(
            select(Address).where(
                Address.publisher_id == publisher.id, Address.channel == channel, Address.lookup_hmac.in_(values)
            )
        )
        for address in known:
            if address.value is None:
                address.value = values[address.lookup_hmac]
            found[address.lookup_hmac] = address.id
    session.flush()
    return found


def _find_suppressed(session: Session, publisher: Publisher, hashes: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for some in in_batches(hashes):
        query = select(Suppression.lookup_hmac).where(
            Suppression.publisher_id == publisher.id,
            Suppression.channel == ChannelKind.EMAIL.value,
            Suppression.lookup_hmac.in_(some),
        )
        found |= set(session.scalars(query))
    return found


def _load_contacts(session: Session, numbers: list[int]) -> list[Subscription]:
    return list(session.scalars(select(Subscription).where(Subscription.id.in_(numbers)).order_by(Subscription.id)))
