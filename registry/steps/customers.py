"""Customers under contract, with their versioned terms and their contacts, as data (R8, R17, R34)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.customer_import import RESERVED_KEYS
from registry.domain.errors import InvalidInput, Problem
from registry.domain.publishers import ContactFacts, CustomerFacts, PublisherFacts
from registry.domain.terms import Terms, find_shortened
from registry.domain.validation import find_near
from registry.readers.email_addresses import read_email_address
from registry.steps.addresses import find_address
from registry.steps.contacts import add_contact, find_contact, has_left
from registry.steps.errors import ApprovalNeeded
from registry.steps.keyring import Keyring, make_keyring
from registry.steps.lookup import find_customer_terms, get_customer, read_facts
from registry.steps.record import Actor, record_event
from registry.tables import Customer, CustomerTerms, Product, Publisher, Subscription

UNTOUCHED_UNLESS_STATED: Final = ("contract_from", "contract_until")
"""A contract's end is recorded by command too, and a file that does not speak of it must not undo it."""


@dataclass
class _Counts:
    """What a call changed, in numbers, and what it left alone, by customer key."""

    customers_added: int = 0
    customers_changed: int = 0
    terms_changed: int = 0
    contacts_added: int = 0
    contacts_changed: int = 0
    letters_due: int = 0
    customers_not_in_file: tuple[str, ...] = ()
    contacts_not_in_file: tuple[str, ...] = ()
    contacts_left_before: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Wanted:
    """One customer as it should be, checked: its terms with the publisher's filled in, and its contacts' addresses."""

    facts: CustomerFacts
    terms: Terms
    overrides: dict[str, Any]
    contacts: tuple[ContactFacts, ...]


def record_customers(
    session: Session,
    now: datetime,
    publisher: Publisher,
    customers: Sequence[CustomerFacts],
    actor: Actor,
    *,
    is_shortening_approved: bool = False,
) -> dict[str, int | tuple[str, ...]]:
    """Bring the publisher's customers to what a file says of them; once more changes nothing.

    Nothing ends by being left out: customers and contacts that are not in the file go on, and are named in the answer
    (`customers_not_in_file`, `contacts_not_in_file`), as are customers of whom the file has a contact that was replaced
    or removed (`contacts_left_before`), and stays so (R34). These three hold customer keys, every other value is a
    count of what changed. Terms that differ from those on record become a new version (R8).

    Raises `InvalidInput` with every problem of all customers, and `ApprovalNeeded` where terms would be shortened, the
    publisher requires approvals, and there are none; before anything is changed.
    """
    named_by_place = [(f"customers.{at}.", each) for at, each in enumerate(customers)]
    counts = _record_all(session, now, publisher, named_by_place, actor, is_shortening_approved=is_shortening_approved)
    known = session.scalars(select(Customer.key).where(Customer.publisher_id == publisher.id).order_by(Customer.key))
    named = {customer.key for customer in customers}
    counts.customers_not_in_file = tuple(key for key in known if key not in named)
    return asdict(counts)


def record_customer(
    session: Session, now: datetime, publisher: Publisher, customer: CustomerFacts, actor: Actor
) -> Customer:
    """Add one customer, or bring it to what is said of it, as `record_customers` does; return its row."""
    _record_all(session, now, publisher, [("", customer)], actor)
    return get_customer(session, publisher, customer.key)


def end_contract(session: Session, now: datetime, publisher: Publisher, key: str, on: date, actor: Actor) -> Customer:
    """Record the last day of a customer's contract, a date of the customer's zone; it may have passed (R17).

    Raises `UnknownCustomer`, and `InvalidInput` for a day before the contract began.
    """
    customer = get_customer(session, publisher, key)
    if customer.contract_from is not None and on < customer.contract_from:
        params: dict[str, object] = {"from": customer.contract_from.isoformat(), "until": on.isoformat()}
        raise InvalidInput([Problem("contract_until", on.isoformat(), "contract-ends-before-it-begins", params)])
    if customer.contract_until != on:
        customer.contract_until = on
        _record_event(session, now, actor, "customer.contract_ended", customer, until_on=on.isoformat())
    return customer


def _record_all(
    session: Session,
    now: datetime,
    publisher: Publisher,
    customers: Iterable[tuple[str, CustomerFacts]],
    actor: Actor,
    *,
    is_shortening_approved: bool = False,
) -> _Counts:
    facts, keyring = read_facts(session, publisher), make_keyring(session, now)
    wanted, shortened = _check(session, publisher, facts, customers)
    if shortened and facts.approvals_required and not is_shortening_approved:
        raise ApprovalNeeded(publisher=publisher.slug, what=", ".join(shortened))
    counts = _Counts()
    for each in wanted:
        customer = _record_facts(session, now, publisher, each, actor, counts)
        _record_terms(session, now, customer, each, actor, counts)
        _record_contacts(session, now, publisher, keyring, customer, each, actor, counts)
    return counts


def _check(
    session: Session, publisher: Publisher, facts: PublisherFacts, customers: Iterable[tuple[str, CustomerFacts]]
) -> tuple[list[_Wanted], list[str]]:
    known = list(session.scalars(select(Product.key).where(Product.publisher_id == publisher.id)))
    problems: list[Problem] = []
    checked: list[_Wanted] = []
    shortened: list[str] = []
    for prefix, customer in customers:
        # The workbench could not lead to it; what an earlier release took stays.
        if customer.key in RESERVED_KEYS and _find(session, publisher, customer.key) is None:
            problems.append(Problem(f"{prefix}key", customer.key, "reserved-key"))
        problems += [
            Problem(f"{prefix}products.{at}", key, "unknown-product", {"near": find_near(key, known), "known": known})
            for at, key in enumerate(customer.products)
            if key not in known
        ]
        contacts = []
        for at, contact in enumerate(customer.contacts):
            try:
                email = read_email_address(contact.email, f"{prefix}contacts.{at}.email")
                contacts.append(contact.model_copy(update={"email": email}))
            except InvalidInput as error:
                problems += error.problems
        try:
            terms = customer.terms_under(facts.notice, f"{prefix}notice")
        except InvalidInput as error:
            problems += error.problems
            continue
        stated = {*customer.notice, *(["time_zone"] if customer.time_zone else [])}
        overrides = {name: value for name, value in terms.model_dump(mode="json").items() if name in stated}
        checked.append(_Wanted(customer, terms, overrides, tuple(contacts)))
        shortened += _find_shortened(session, publisher, facts, customer.key, terms)
    if problems:
        raise InvalidInput(problems)
    return checked, shortened


def _find_shortened(session: Session, publisher: Publisher, facts: PublisherFacts, key: str, terms: Terms) -> list[str]:
    customer = _find(session, publisher, key)
    if customer is None:
        return []
    old = find_customer_terms(session, customer, facts.notice)
    return [f"customers.{key}.notice.{name}" for name in find_shortened(terms, old)]


def _find(session: Session, publisher: Publisher, key: str) -> Customer | None:
    return session.scalar(select(Customer).where(Customer.publisher_id == publisher.id, Customer.key == key))


def _record_facts(
    session: Session, now: datetime, publisher: Publisher, wanted: _Wanted, actor: Actor, counts: _Counts
) -> Customer:
    facts = wanted.facts
    values: dict[str, Any] = {"name": facts.name, "products": list(facts.products)}
    customer = _find(session, publisher, facts.key)
    for name in UNTOUCHED_UNLESS_STATED:
        if customer is None or name in facts.model_fields_set:
            values[name] = getattr(facts, name)
    if customer is None:
        customer = Customer(publisher_id=publisher.id, key=facts.key, created_at=now, **values)
        session.add(customer)
        session.flush()
        counts.customers_added += 1
        _record_event(session, now, actor, "customer.added", customer)
        return customer
    differing = sorted(name for name, value in values.items() if getattr(customer, name) != value)
    if differing:
        for name in differing:
            setattr(customer, name, values[name])
        session.flush()
        counts.customers_changed += 1
        _record_event(session, now, actor, "customer.changed", customer, fields=differing)
    return customer


def _record_terms(
    session: Session, now: datetime, customer: Customer, wanted: _Wanted, actor: Actor, counts: _Counts
) -> None:
    newest = session.scalar(
        select(CustomerTerms)
        .where(CustomerTerms.customer_id == customer.id)
        .order_by(CustomerTerms.version.desc())
        .limit(1)
    )
    if wanted.overrides == (newest.document if newest else {}):
        return
    version = newest.version + 1 if newest else 1
    session.add(
        CustomerTerms(
            publisher_id=customer.publisher_id,
            customer_id=customer.id,
            version=version,
            document=wanted.overrides,
            from_at=now,
        )
    )
    session.flush()
    counts.terms_changed += 1
    _record_event(
        session, now, actor, "customer.terms_changed", customer, version=version, fields=sorted(wanted.overrides)
    )


def _record_contacts(
    session: Session,
    now: datetime,
    publisher: Publisher,
    keyring: Keyring,
    customer: Customer,
    wanted: _Wanted,
    actor: Actor,
    counts: _Counts,
) -> None:
    in_file: set[int] = set()
    for rank, contact in enumerate(wanted.contacts):
        address = find_address(session, publisher, keyring, contact.email)
        known = find_contact(session, customer, address) if address else None
        if address is not None and known is None and has_left(session, customer, address):
            counts.contacts_left_before += (customer.key,)
            continue
        if known is None or known.confirmed_at is None:
            language = contact.language or wanted.terms.language
            added = add_contact(
                session, now, customer, contact.email, actor, name=contact.name, language=language, rank=rank
            )
            counts.contacts_added += 1
            counts.letters_due += added.letters_due
            known = added.subscription
        elif _update_contact(known, contact, rank):
            counts.contacts_changed += 1
            _record_event(session, now, actor, "contact.changed", customer, subscription=known.id)
        in_file.add(known.id)
    standing = session.scalars(
        select(Subscription.id).where(
            Subscription.customer_id == customer.id,
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
        )
    )
    if set(standing) - in_file:
        counts.contacts_not_in_file += (customer.key,)


def _update_contact(known: Subscription, contact: ContactFacts, rank: int) -> bool:
    """Take over what the file states of a contact, and return whether that changed anything."""
    values: dict[str, Any] = {"rank": rank}
    if contact.name is not None:
        values["name"] = contact.name
    if contact.language is not None:
        values["language"] = contact.language
    differing = [name for name, value in values.items() if getattr(known, name) != value]
    for name in differing:
        setattr(known, name, values[name])
    return bool(differing)


def _record_event(
    session: Session, now: datetime, actor: Actor, kind: str, customer: Customer, **payload: object
) -> None:
    subject = ("customer", customer.key)
    record_event(session, now, actor, kind, subject=subject, publisher_id=customer.publisher_id, **payload)
