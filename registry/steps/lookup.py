"""Finding rows by the names people use, and reading stored documents back as values of the domain."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import and_, func, select
from sqlalchemy.orm import Session

from registry.domain.entries import EntryContent
from registry.domain.notices import CustomerTerms, local_date
from registry.domain.publishers import PublisherFacts
from registry.domain.terms import Terms, find_merged_terms
from registry.domain.validation import find_near
from registry.steps.errors import TermsUnreadable, UnknownCustomer, UnknownEntry, UnknownNotice, UnknownPublisher
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

    With `lock`, as `lock_publisher`.
    """
    publisher = session.scalar(select(Publisher).where(Publisher.slug == slug))
    if publisher is None:
        known = list(session.scalars(select(Publisher.slug).order_by(Publisher.slug)))
        raise UnknownPublisher(slug=slug, near=find_near(slug, known), known=known)
    if lock:
        lock_publisher(session, publisher)
    return publisher


def lock_publisher(session: Session, publisher: Publisher, *notices: Notice) -> None:
    """Let the writers of one publisher's list and notices go one after the other, until they commit.

    The rows are read anew, for another writer may have changed them while this one waited. On SQLite every writer
    waits for every other anyway. Who locks several publishers does so in the order of their ids.
    """
    # NO KEY UPDATE: a plain FOR UPDATE would also stop whoever adds a row that refers to the publisher, such as the
    # attempt of a letter on its way, and could lock both up for good.
    locked = select(Publisher).where(Publisher.id == publisher.id).with_for_update(key_share=True)
    session.scalars(locked.execution_options(populate_existing=True)).one()
    for notice in notices:
        session.refresh(notice)


def lock_notice(session: Session, notice_id: int) -> tuple[Publisher, Notice]:
    """Lock the publisher of a notice as `lock_publisher` does, and return both as they are now."""
    notice = session.get_one(Notice, notice_id)
    publisher = session.get_one(Publisher, notice.publisher_id)
    lock_publisher(session, publisher, notice)
    return publisher, notice


def read_facts(session: Session, publisher: Publisher, before: datetime | None = None) -> PublisherFacts:
    """Return what is known of the publisher, with its newest notice terms, or those it had just before an instant."""
    versions = select(PublisherTerms).where(PublisherTerms.publisher_id == publisher.id)
    if before is not None:
        versions = versions.where(PublisherTerms.from_at < before)
    terms = session.scalars(versions.order_by(PublisherTerms.version.desc()).limit(1)).one()
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


@dataclass(frozen=True)
class EntryVersions:
    """An entry's version on the list now, and its last edit that is not on the list yet; None where there is none."""

    current: EntryVersion | None = None
    pending: EntryVersion | None = None

    @property
    def wanted(self) -> EntryVersion | None:
        """The last edit, or the version on the list where no edit waits."""
        return self.pending or self.current


def load_versions(session: Session, publisher: Publisher) -> dict[int, EntryVersions]:
    """Return the versions of all entries of the publisher that have any, by the entry's row, in two queries."""
    on_list = session.scalars(
        select(EntryVersion)
        .join(ListPeriod, ListPeriod.version_id == EntryVersion.id)
        .where(ListPeriod.publisher_id == publisher.id, ListPeriod.to_at.is_(None))
    )
    waiting = session.scalars(
        select(EntryVersion)
        .join(PendingEdit, PendingEdit.version_id == EntryVersion.id)
        .where(PendingEdit.publisher_id == publisher.id)
    )
    current = {version.entry_id: version for version in on_list}
    pending = {version.entry_id: version for version in waiting}
    return {row: EntryVersions(current.get(row), pending.get(row)) for row in current | pending}


def load_entries_by_key(session: Session, publisher: Publisher) -> dict[str, Entry]:
    """Return the publisher's entries by every key they have or had."""
    rows = session.execute(
        select(EntryKey.key, Entry)
        .join(Entry, Entry.id == EntryKey.entry_id)
        .where(EntryKey.publisher_id == publisher.id)
        .order_by(Entry.position, Entry.key)
    )
    return {row[0]: row[1] for row in rows}


def read_content(version: EntryVersion | None) -> EntryContent | None:
    """Return a version's content; None for no version and for a removal."""
    if version is None or version.document is None:
        return None
    return EntryContent.model_validate(version.document)


def find_customer_terms(session: Session, customer: Customer, publisher_terms: Terms) -> Terms | None:
    """Return the customer's newest terms, filled up with the publisher's (R8); None where they cannot be read."""
    stored = session.scalar(
        select(StoredCustomerTerms)
        .where(StoredCustomerTerms.customer_id == customer.id)
        .order_by(StoredCustomerTerms.version.desc())
        .limit(1)
    )
    return find_merged_terms(publisher_terms, stored.document if stored else {})


def list_running_customers(
    session: Session, publisher: Publisher, publisher_terms: Terms, now: datetime
) -> list[tuple[Customer, CustomerTerms]]:
    """Return the customers whose contract runs at `now`, each with the terms that count for it (R17).

    The first and the last day of a contract are dates of the customer's own zone, and both count. Raises
    `TermsUnreadable` for the first customer whose terms cannot be read: nobody is left out who may have to be told.
    """
    newest = (
        select(func.max(StoredCustomerTerms.version))
        .where(StoredCustomerTerms.customer_id == Customer.id)
        .correlate(Customer)
        .scalar_subquery()
    )
    of_customer = and_(StoredCustomerTerms.customer_id == Customer.id, StoredCustomerTerms.version == newest)
    rows = session.execute(
        select(Customer, StoredCustomerTerms.document)
        .outerjoin(StoredCustomerTerms, of_customer)
        .where(Customer.publisher_id == publisher.id)
        .order_by(Customer.key)
    )
    running = []
    for customer, document in rows:
        terms = find_merged_terms(publisher_terms, {} if document is None else document)
        if terms is None:
            raise TermsUnreadable(customer=customer.key, publisher=publisher.slug)
        today = local_date(now, terms.time_zone)
        if runs_on(today, customer.contract_from, customer.contract_until):
            value = CustomerTerms(customer.key, customer.name, terms, working_days_for(terms, today))
            running.append((customer, value))
    return running


def runs_on(on: date, contract_from: date | None, contract_until: date | None) -> bool:
    """Return whether a contract runs on a date of the customer's zone. Its first and its last day both count (R17)."""
    return (contract_from is None or contract_from <= on) and (contract_until is None or on <= contract_until)
