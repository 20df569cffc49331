"""Finding rows by the names people use, and reading stored documents back as values of the domain."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.entries import EntryContent
from registry.domain.notices import CustomerTerms, local_date
from registry.domain.publishers import PublisherFacts
from registry.domain.terms import Terms, merge_terms
from registry.domain.validation import find_near
from registry.steps.errors import UnknownCustomer, UnknownEntry, UnknownNotice, UnknownPublisher
from registry.steps.working_days import working_days_for
from registry.tables import (
    Customer,
    Entry,
    EntryKey,
    EntryVersion,
    ListPeriod,
    Notice,
    PendingEdit,
    Publisher,
    PublisherTerms,
)
from registry.tables import CustomerTerms as StoredCustomerTerms


def get_publisher(session: Session, slug: str, *, lock: bool = False) -> Publisher:
    """Return the publisher with this slug, or raise `UnknownPublisher`.

    With `lock`, writers of one publisher go one after the other (on SQLite every writer does anyway).
    """
    query = select(Publisher).where(Publisher.slug == slug)
    publisher = session.scalar(query.with_for_update() if lock else query)
    if publisher is None:
        known = list(session.scalars(select(Publisher.slug).order_by(Publisher.slug)))
        raise UnknownPublisher(slug=slug, near=find_near(slug, known), known=known)
    return publisher


def read_facts(session: Session, publisher: Publisher) -> PublisherFacts:
    """Return what is known of the publisher, with the newest version of its notice terms."""
    terms = session.scalars(
        select(PublisherTerms)
        .where(PublisherTerms.publisher_id == publisher.id)
        .order_by(PublisherTerms.version.desc())
        .limit(1)
    ).one()
    return PublisherFacts.model_validate(publisher.facts | {"notice": terms.document})


def find_entry(session: Session, publisher: Publisher, key: str) -> Entry | None:
    """Return the entry that has or had this key, or None."""
    return session.scalar(
        select(Entry)
        .join(EntryKey, EntryKey.entry_id == Entry.id)
        .where(EntryKey.publisher_id == publisher.id, EntryKey.key == key)
    )


def get_entry(session: Session, publisher: Publisher, key: str) -> Entry:
    """Return the entry that has or had this key, or raise `UnknownEntry`."""
    entry = find_entry(session, publisher, key)
    if entry is None:
        known = session.scalars(select(EntryKey.key).where(EntryKey.publisher_id == publisher.id))
        raise UnknownEntry(key=key, publisher=publisher.slug, near=find_near(key, known))
    return entry


def get_notice(session: Session, publisher: Publisher, number: str) -> Notice:
    """Return the publisher's notice with this number, or raise `UnknownNotice`."""
    notice = session.scalar(select(Notice).where(Notice.publisher_id == publisher.id, Notice.number == number))
    if notice is None:
        known = session.scalars(
            select(Notice.number).where(Notice.publisher_id == publisher.id).order_by(Notice.number.desc()).limit(5)
        )
        raise UnknownNotice(number=number, publisher=publisher.slug, known=list(known))
    return notice


def get_customer(session: Session, publisher: Publisher, key: str) -> Customer:
    """Return the publisher's customer with this key, or raise `UnknownCustomer`."""
    customer = session.scalar(select(Customer).where(Customer.publisher_id == publisher.id, Customer.key == key))
    if customer is None:
        known = session.scalars(select(Customer.key).where(Customer.publisher_id == publisher.id))
        raise UnknownCustomer(key=key, publisher=publisher.slug, near=find_near(key, known))
    return customer


def find_current_version(session: Session, entry: Entry) -> EntryVersion | None:
    """Return the version that is on the list now, or None where the entry is not on it."""
    return session.scalar(
        select(EntryVersion)
        .join(ListPeriod, ListPeriod.version_id == EntryVersion.id)
        .where(ListPeriod.entry_id == entry.id, ListPeriod.to_at.is_(None))
    )


def find_pending_version(session: Session, entry: Entry) -> EntryVersion | None:
    """Return the last edit of the entry that is not on the list yet, or None."""
    return session.scalar(
        select(EntryVersion)
        .join(PendingEdit, PendingEdit.version_id == EntryVersion.id)
        .where(PendingEdit.entry_id == entry.id)
    )


def read_content(version: EntryVersion | None) -> EntryContent | None:
    """Return a version's content; None for no version and for a removal."""
    if version is None or version.document is None:
        return None
    return EntryContent.model_validate(version.document)


def read_customer_terms(session: Session, customer: Customer, publisher_terms: Terms) -> Terms:
    """Return the customer's newest terms, filled up with the publisher's (R8)."""
    stored = session.scalar(
        select(StoredCustomerTerms)
        .where(StoredCustomerTerms.customer_id == customer.id)
        .order_by(StoredCustomerTerms.version.desc())
        .limit(1)
    )
    return merge_terms(publisher_terms, stored.document if stored else {})


def list_running_customers(
    session: Session, publisher: Publisher, publisher_terms: Terms, now: datetime
) -> list[tuple[Customer, CustomerTerms]]:
    """Return the customers whose contract runs at `now`, each with the terms that count for it (R17).

    The first and the last day of a contract are dates of the customer's own zone, and both count.
    """
    customers = session.scalars(select(Customer).where(Customer.publisher_id == publisher.id).order_by(Customer.key))
    running = []
    for customer in customers:
        terms = read_customer_terms(session, customer, publisher_terms)
        today = local_date(now, terms.time_zone)
        if _runs(customer, today):
            value = CustomerTerms(customer.key, customer.name, terms, working_days_for(terms, today))
            running.append((customer, value))
    return running


def _runs(customer: Customer, today: date) -> bool:
    begun = customer.contract_from is None or customer.contract_from <= today
    ended = customer.contract_until is not None and customer.contract_until < today
    return begun and not ended
