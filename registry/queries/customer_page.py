"""One customer with all that is known of it: its terms through time, contacts, notices it stands in, objections."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select, union
from sqlalchemy.orm import Session

from registry.domain.publishers import PublisherFacts
from registry.domain.terms import Terms, find_merged_terms, find_overrides
from registry.domain.vocabulary import ChannelKind
from registry.queries.customers import ContactState, contact_state
from registry.queries.deliveries import is_last_try
from registry.queries.newest_letter import newest_letter
from registry.steps.lookup import get_customer
from registry.steps.propose_terms import TermsProposal, find_proposal
from registry.tables import (
    Address,
    Attempt,
    Customer,
    CustomerTerms,
    Delivery,
    Endpoint,
    Letter,
    Notice,
    NoticeCustomer,
    Objection,
    Product,
    Publisher,
    Statement,
    Subscription,
    Suppression,
)
from registry.tables.audience import suppresses

MOST_NOTICES: Final = 50
MOST_CONTACTS: Final = 200


@dataclass(frozen=True)
class LastLetter:
    """The newest letter to somebody. `notice` is None for one that belongs to the subscription itself.

    `road` is that of the last try, None before any.
    """

    number: int
    kind: str
    notice: str | None
    state: str
    road: str | None
    skip_reason: str | None
    at: datetime


@dataclass(frozen=True)
class ContactRow:
    """One contact that stands or waits to be confirmed, in the customer's order. Times are UTC."""

    number: int
    channel: str
    address: str | None
    name: str | None
    language: str
    is_standby: bool
    state: ContactState
    suppressed_because: str | None
    confirmed_at: datetime | None
    failing_since: datetime | None
    last: LastLetter | None

    @property
    def is_endpoint(self) -> bool:
        """Whether it is an address on the web, and not a mailbox."""
        return self.channel != ChannelKind.EMAIL.value


@dataclass(frozen=True)
class TermsVersion:
    """One version of what a customer's terms say differently, with the terms that it and the version before led to."""

    version: int
    from_at: datetime
    document: dict[str, Any]
    differing: tuple[tuple[str, Any, Any], ...]


@dataclass(frozen=True)
class StandsIn:
    """A notice a customer stands in, or objected to. `state` is None where it does not stand in it. Times are UTC."""

    notice: Notice
    state: str | None
    received_at: datetime | None
    earliest_at: datetime | None
    objection_ends_at: datetime | None
    basis: str | None
    objections: tuple[Objection, ...]


@dataclass(frozen=True)
class CustomerPage:
    """All that is known of one customer. `terms` are those that count for the next notice.

    Where they cannot be read, they are the publisher's.
    """

    row: Customer
    terms: Terms
    has_readable_terms: bool
    overrides: dict[str, Any]
    version: int
    versions: tuple[TermsVersion, ...]
    contacts: tuple[ContactRow, ...]
    notices: tuple[StandsIn, ...]
    products: dict[str, str]
    proposal: TermsProposal | None

    @property
    def working(self) -> int:
        """How many of its contacts can be told."""
        return sum(each.state is ContactState.WORKS for each in self.contacts)


def load_customer(session: Session, publisher: Publisher, facts: PublisherFacts, key: str) -> CustomerPage:
    """Load one customer in six questions. Raises `UnknownCustomer`."""
    found = session.execute(
        select(Customer, CustomerTerms)
        .outerjoin(CustomerTerms, CustomerTerms.customer_id == Customer.id)
        .where(Customer.publisher_id == publisher.id, Customer.key == key)
        .order_by(CustomerTerms.version.desc())
    ).all()
    row = found[0][0] if found else get_customer(session, publisher, key)
    stored = [terms for _, terms in found if terms is not None]
    document = stored[0].document if stored else {}
    readable = find_merged_terms(facts.notice, document)
    products = session.execute(
        select(Product.key, Product.name)
        .where(Product.publisher_id == publisher.id)
        .order_by(Product.position, Product.key)
    )
    return CustomerPage(
        row=row,
        terms=readable or facts.notice,
        has_readable_terms=readable is not None,
        overrides=find_overrides(document),
        version=stored[0].version if stored else 0,
        versions=_versions(stored),
        contacts=_contacts(session, row),
        notices=_notices(session, row),
        products={each[0]: each[1] for each in products},
        proposal=find_proposal(session, publisher, row, facts, stored[0] if stored else None),
    )


def _versions(stored: list[CustomerTerms]) -> tuple[TermsVersion, ...]:
    """Return the versions, the newest first, each with what it says otherwise than the one before it."""
    found = []
    documents = [*(find_overrides(each.document) for each in stored), {}]
    for each, said, before in zip(stored, documents, documents[1:], strict=False):
        names = [name for name in Terms.model_fields if said.get(name) != before.get(name)]
        differing = tuple((name, before.get(name), said.get(name)) for name in names)
        found.append(TermsVersion(each.version, each.from_at, said, differing))
    return tuple(found)


def _contacts(session: Session, customer: Customer) -> tuple[ContactRow, ...]:
    rows = session.execute(
        select(Subscription, Address, Suppression, Endpoint, Delivery, Attempt.channel, Letter.kind, Notice.number)
        .join(Address, Address.id == Subscription.address_id)
        .outerjoin(Suppression, suppresses())
        .outerjoin(Endpoint, Endpoint.address_id == Address.id)
        .outerjoin(Delivery, Delivery.id == newest_letter())
        .outerjoin(Attempt, is_last_try())
        .outerjoin(Letter, Letter.id == Delivery.letter_id)
        .outerjoin(Statement, Statement.id == Delivery.statement_id)
        .outerjoin(Notice, Notice.id == Statement.notice_id)
        .where(Subscription.customer_id == customer.id, Subscription.ended_at.is_(None))
        .order_by(Subscription.confirmed_at.is_(None), Subscription.rank, Subscription.id)
        .limit(MOST_CONTACTS)
    )
    return tuple(
        ContactRow(
            number=contact.id,
            channel=address.channel,
            address=address.value,
            name=contact.name,
            language=contact.language,
            is_standby=contact.is_standby,
            state=contact_state(contact, address, suppression.id if suppression else None, endpoint),
            suppressed_because=suppression.reason if suppression else None,
            confirmed_at=contact.confirmed_at,
            failing_since=endpoint.failing_since if endpoint else None,
            last=last_letter(delivery, road, kind, number) if delivery else None,
        )
        for contact, address, suppression, endpoint, delivery, road, kind, number in rows
    )


def last_letter(delivery: Delivery, road: str | None, kind: str, notice: str | None) -> LastLetter:
    """Return what a list tells of a letter: of which sort it is, by which road, how it stands, since when (UTC)."""
    at = delivery.delivered_at or delivery.accepted_at or delivery.created_at
    return LastLetter(delivery.id, kind, notice, delivery.state, road, delivery.skip_reason, at)


def _notices(session: Session, customer: Customer) -> tuple[StandsIn, ...]:
    of_customer = union(
        select(NoticeCustomer.notice_id).where(NoticeCustomer.customer_id == customer.id),
        select(Objection.notice_id).where(Objection.customer_id == customer.id),
    ).scalar_subquery()
    rows = session.execute(
        select(Notice, NoticeCustomer, Objection)
        .outerjoin(
            NoticeCustomer, (NoticeCustomer.notice_id == Notice.id) & (NoticeCustomer.customer_id == customer.id)
        )
        .outerjoin(Objection, (Objection.notice_id == Notice.id) & (Objection.customer_id == customer.id))
        .where(Notice.publisher_id == customer.publisher_id, Notice.id.in_(of_customer))
        .order_by(Notice.id.desc(), Objection.id.desc())
        .limit(MOST_NOTICES)
    ).all()
    found: dict[int, StandsIn] = {}
    for notice, standing, objection in rows:
        before = found[notice.id].objections if notice.id in found else ()
        found[notice.id] = StandsIn(
            notice,
            standing.state if standing else None,
            standing.received_at if standing else None,
            standing.earliest_at if standing else None,
            standing.objection_ends_at if standing else None,
            standing.basis if standing else None,
            (*before, objection) if objection else before,
        )
    return tuple(found.values())
