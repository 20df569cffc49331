"""The customers of a publisher as a list that can be searched and filtered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Text, case, cast, exists, func, literal, or_, select
from sqlalchemy.orm import Session

from registry.domain.notices import local_date
from registry.domain.publishers import PublisherFacts
from registry.domain.terms import Terms, find_merged_terms
from registry.domain.vocabulary import ChannelKind
from registry.steps.list_endpoints import show_address
from registry.tables import Address, Customer, CustomerTerms, Endpoint, Publisher, Subscription, Suppression
from registry.tables.audience import suppresses

OWN_TERMS: Final = tuple(name for name in Terms.model_fields if name not in {"time_zone", "counting_rule"})
"""The terms in which a contract may differ, besides its zone."""


class ContractState(StrEnum):
    """How a contract stands on a day of the customer's zone. Its first and its last day count as running (R17)."""

    RUNNING = "running"
    TO_COME = "to_come"
    ENDED = "ended"


class ContactState(StrEnum):
    """Whether a contact can be told, and if not, why."""

    WORKS = "works"
    SUPPRESSED = "suppressed"
    ERASED = "erased"
    FAILING = "failing"
    NOT_VERIFIED = "not_verified"
    NOT_CONFIRMED = "not_confirmed"


@dataclass(frozen=True)
class CustomerFilter:
    """What of the list is asked for; None where anything will do. `text` is looked for in names and keys.

    With `in_addresses` it is looked for in the addresses of contacts too.
    """

    text: str = ""
    in_addresses: bool = False
    contract: ContractState | None = None
    authorisation: str | None = None
    product: str | None = None
    without_contact: bool = False
    differing: bool = False

    @property
    def is_set(self) -> bool:
        """Whether anything is asked for at all."""
        return self != CustomerFilter(in_addresses=self.in_addresses)


@dataclass(frozen=True)
class ListedCustomer:
    """One customer in the list. `own_terms` are the names of the terms in which it differs from the publisher.

    `contacts` are the states of those that stand. Its dates are those of its zone. Where its terms cannot be read,
    `terms` are the publisher's.
    """

    key: str
    name: str
    terms: Terms
    has_readable_terms: bool
    own_terms: tuple[str, ...]
    contract: ContractState
    contract_from: date | None
    contract_until: date | None
    contacts: tuple[ContactState, ...]

    @property
    def working(self) -> int:
        """How many contacts can be told."""
        return self.contacts.count(ContactState.WORKS)

    @property
    def warning(self) -> str | None:
        """What keeps it from being told: no_contact, none_works, endpoint_failing; None where nothing does.

        Nobody owes anything to a customer whose contract has ended.
        """
        if self.contract is ContractState.ENDED:
            return None
        if not self.contacts:
            return "no_contact"
        if not self.working:
            return "none_works"
        return "endpoint_failing" if ContactState.FAILING in self.contacts else None


def list_customers(
    session: Session,
    now: datetime,
    publisher: Publisher,
    facts: PublisherFacts,
    wanted: CustomerFilter,
    *,
    offset: int,
    limit: int,
) -> list[ListedCustomer]:
    """Return customers by name, `limit` and one more from `offset` on: three questions, however many there are."""
    newest = newest_terms_version()
    query = (
        select(Customer, CustomerTerms.document)
        .outerjoin(CustomerTerms, (CustomerTerms.customer_id == Customer.id) & (CustomerTerms.version == newest))
        .where(Customer.publisher_id == publisher.id, *_conditions(session, now, publisher, facts, wanted))
        .order_by(func.lower(Customer.name), Customer.id)
        .offset(offset)
        .limit(limit + 1)
    )
    rows = session.execute(query).all()
    contacts = _contact_states(session, [customer.id for customer, _ in rows])
    return [_listed(now, facts, row, document, contacts.get(row.id, ())) for row, document in rows]


def count_customers(session: Session, publisher: Publisher) -> int:
    """Return how many customers the publisher has, those whose contract ended too."""
    query = select(func.count()).select_from(Customer).where(Customer.publisher_id == publisher.id)
    return session.scalar(query) or 0


def contract_state(on: date, contract_from: date | None, contract_until: date | None) -> ContractState:
    """Return how a contract stands on a date of the customer's zone."""
    if contract_from is not None and on < contract_from:
        return ContractState.TO_COME
    return ContractState.ENDED if contract_until is not None and contract_until < on else ContractState.RUNNING


def contact_state(
    contact: Subscription, address: Address, suppression: int | None, endpoint: Endpoint | None
) -> ContactState:
    """Return whether a contact that has not ended can be told."""
    if address.value is None:
        return ContactState.ERASED
    if suppression is not None:
        return ContactState.SUPPRESSED
    if endpoint is not None and endpoint.verified_at is None:
        return ContactState.NOT_VERIFIED
    if contact.confirmed_at is None:
        return ContactState.NOT_CONFIRMED
    return ContactState.FAILING if endpoint is not None and endpoint.failing_since else ContactState.WORKS


def shown_address(channel: str, value: str | None, *, in_full: bool) -> str:
    """Return an address as somebody may see it: whole, or of the part before the @ its first letter alone.

    Of a chat room only the host is shown to anybody, and "erased" of what is erased.
    """
    if value is None:
        return "erased"
    if channel != ChannelKind.EMAIL.value:
        return show_address(channel, value) if in_full else f"{value.split('/')[2]}/…"
    mailbox, _, domain = value.rpartition("@")
    return value if in_full else f"{mailbox[:1]}…@{domain}"


def newest_terms_version() -> ColumnElement[Any]:
    """Return the number of a customer's newest terms, for a query about `Customer`."""
    return (
        select(func.max(CustomerTerms.version))
        .where(CustomerTerms.customer_id == Customer.id)
        .correlate(Customer)
        .scalar_subquery()
    )


def _listed(
    now: datetime, facts: PublisherFacts, row: Customer, document: object, contacts: Sequence[ContactState]
) -> ListedCustomer:
    readable = find_merged_terms(facts.notice, {} if document is None else document)
    terms = readable or facts.notice
    return ListedCustomer(
        key=row.key,
        name=row.name,
        terms=terms,
        has_readable_terms=readable is not None,
        own_terms=tuple(name for name in OWN_TERMS if getattr(terms, name) != getattr(facts.notice, name)),
        contract=contract_state(local_date(now, terms.time_zone), row.contract_from, row.contract_until),
        contract_from=row.contract_from,
        contract_until=row.contract_until,
        contacts=tuple(contacts),
    )


def _contact_states(session: Session, customers: list[int]) -> dict[int, list[ContactState]]:
    rows = session.execute(
        select(Subscription, Address, Suppression.id, Endpoint)
        .join(Address, Address.id == Subscription.address_id)
        .outerjoin(Suppression, suppresses())
        .outerjoin(Endpoint, Endpoint.address_id == Address.id)
        .where(
            Subscription.customer_id.in_(customers),
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
        )
    )
    found: dict[int, list[ContactState]] = {}
    for contact, address, suppression, endpoint in rows:
        found.setdefault(contact.customer_id or 0, []).append(contact_state(contact, address, suppression, endpoint))
    return found


def _conditions(
    session: Session, now: datetime, publisher: Publisher, facts: PublisherFacts, wanted: CustomerFilter
) -> list[ColumnElement[bool]]:
    document = CustomerTerms.document
    standing = exists().where(
        Subscription.customer_id == Customer.id,
        Subscription.confirmed_at.is_not(None),
        Subscription.ended_at.is_(None),
    )
    conditions: list[ColumnElement[bool]] = []
    if wanted.text:
        conditions.append(_is_about(wanted))
    if wanted.authorisation:
        said = func.coalesce(document["authorisation"].as_string(), facts.notice.authorisation)
        conditions.append(said == wanted.authorisation)
    if wanted.product:
        # Keys of products hold nothing that JSON or LIKE would take for something else.
        products = cast(Customer.products, Text)
        conditions.append(or_(products == "[]", products.contains(f'"{wanted.product}"', autoescape=True)))
    if wanted.without_contact:
        conditions.append(~standing)
    if wanted.differing:
        conditions.append(or_(*(document[name].as_string().is_not(None) for name in OWN_TERMS)))
    if wanted.contract is not None:
        conditions.append(_contract_is(session, now, publisher, facts, wanted.contract))
    return conditions


def _is_about(wanted: CustomerFilter) -> ColumnElement[bool]:
    text = wanted.text.lower()
    found = [func.lower(Customer.name).contains(text, autoescape=True), Customer.key.contains(text, autoescape=True)]
    if wanted.in_addresses:
        found.append(
            exists().where(
                Subscription.customer_id == Customer.id,
                Subscription.ended_at.is_(None),
                Address.id == Subscription.address_id,
                func.lower(Address.value).contains(text, autoescape=True),
            )
        )
    return or_(*found)


def _contract_is(
    session: Session, now: datetime, publisher: Publisher, facts: PublisherFacts, wanted: ContractState
) -> ColumnElement[bool]:
    """Compare the dates of a contract with today's where the customer is, which may be another day than here."""
    here = local_date(now, facts.notice.time_zone)
    zone = CustomerTerms.document["time_zone"].as_string()
    zones = session.scalars(
        select(zone).where(CustomerTerms.publisher_id == publisher.id, zone.is_not(None)).distinct()
    )
    elsewhere: dict[date, list[str]] = {}
    for name in zones:
        on = local_date(now, name)
        if on != here:
            elsewhere.setdefault(on, []).append(name)
    today: ColumnElement[date] = literal(here)
    if elsewhere:
        today = case(*((zone.in_(names), literal(on)) for on, names in elsewhere.items()), else_=literal(here))
    begun = or_(Customer.contract_from.is_(None), Customer.contract_from <= today)
    over = Customer.contract_until.is_not(None) & (Customer.contract_until < today)
    match wanted:
        case ContractState.TO_COME:
            return ~begun
        case ContractState.ENDED:
            return begun & over
        case ContractState.RUNNING:
            return begun & ~over
