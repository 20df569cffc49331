"""Customers from a table: first what it would do, row by row, then exactly that, all of it or nothing (R34).

read_customer_table ──▶ plan_import ──▶ somebody looks ──▶ apply_import (the same plan, or nothing)
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.customer_import import (
    ImportPlan,
    ImportRules,
    KnownContact,
    KnownCustomer,
    PlannedRow,
    RowFate,
    list_addresses,
    plan_row,
    refuse_repeated,
)
from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.publishers import CustomerFacts
from registry.domain.vocabulary import ChannelKind
from registry.readers.customer_table import CustomerTable
from registry.readers.email_addresses import read_email_address
from registry.steps.add_customers import add_customers, in_batches
from registry.steps.customers import record_customers
from registry.steps.end_subscription import EndedBecause
from registry.steps.keyring import Keyring, load_keyring
from registry.steps.lookup import lock_publisher, read_facts
from registry.steps.record import Actor, record_event
from registry.tables import Address, Customer, CustomerTerms, Product, Publisher, Subscription, Suppression


class ImportOutdated(RegistryError):
    """What a table would do is not what was shown: something changed since. Params: publisher."""

    code = "import-outdated"


class ImportHasRefusedRows(RegistryError):
    """Rows of the table are refused, and nobody said that they may be left out. Params: rows (how many)."""

    code = "import-has-refused-rows"


def plan_import(session: Session, now: datetime, publisher: Publisher, table: CustomerTable) -> ImportPlan:
    """Return what a table would do to the publisher's customers. Changes nothing.

    The questions it asks of the database grow with the table by one for a thousand rows each.
    """
    facts = read_facts(session, publisher)
    products = session.scalars(
        select(Product.key).where(Product.publisher_id == publisher.id).order_by(Product.position, Product.key)
    )
    rules = ImportRules(facts.notice, tuple(products), facts.approvals_required > 0)
    known = _load_customers(session, publisher, {row.cells["key"] for row in table.rows})
    written = {address for row in table.rows for address in list_addresses(row.cells)}
    addresses = _read_addresses(written)
    uses = _AddressUses(session, publisher, load_keyring(session, now), addresses)
    rows = []
    for row in table.rows:
        contacts = {address: uses.of(address, row.cells["key"]) for address in list_addresses(row.cells)}
        rows.append(plan_row(row.line, row.cells, known.get(row.cells["key"]), contacts, rules))
    return ImportPlan(tuple(refuse_repeated(rows)))


def apply_import(
    session: Session,
    now: datetime,
    publisher: Publisher,
    table: CustomerTable,
    digest: str,
    actor: Actor,
    *,
    without_refused: bool = False,
) -> ImportPlan:
    """Do what `plan_import` said, where it would say the same again (`digest`); return the plan that was carried out.

    Customers that are not in the table are not touched, nor are rows that change nothing. `without_refused` leaves the
    refused rows out. Raises `ImportOutdated`, and `ImportHasRefusedRows`; nothing is changed then.
    """
    lock_publisher(session, publisher)
    plan = plan_import(session, now, publisher, table)
    if plan.digest != digest:
        raise ImportOutdated(publisher=publisher.slug)
    refused = plan.of(RowFate.REFUSED)
    if refused and not without_refused:
        raise ImportHasRefusedRows(rows=len(refused))
    new = [row.facts for row in plan.of(RowFate.NEW) if row.facts is not None]
    own_terms = read_facts(session, publisher).notice
    add_customers(session, now, publisher, own_terms, load_keyring(session, now), new, actor)
    record_customers(session, now, publisher, [_changed(row) for row in plan.of(RowFate.CHANGED)], actor)
    record_event(
        session,
        now,
        actor,
        "customers.imported",
        subject=("publisher", publisher.slug),
        publisher_id=publisher.id,
        digest=digest,
        **{fate.value: len(plan.of(fate)) for fate in RowFate},
    )
    return plan


def _changed(row: PlannedRow) -> CustomerFacts:
    """Return the facts of a row that changes a customer; contacts that stay as they are need no looking at."""
    assert row.facts is not None  # noqa: S101 - a row that is not refused has them
    has_contacts = any(each.field == "contacts" or each.field.startswith("name of ") for each in row.differences)
    return row.facts if has_contacts else row.facts.model_copy(update={"contacts": ()})


def _load_customers(session: Session, publisher: Publisher, keys: set[str]) -> dict[str, KnownCustomer]:
    rows: dict[str, Customer] = {}
    overrides: dict[int, object] = {}
    contacts: dict[int, dict[str, tuple[int, str | None]]] = {}
    for some in in_batches(keys):
        found = session.scalars(select(Customer).where(Customer.publisher_id == publisher.id, Customer.key.in_(some)))
        batch = {row.key: row for row in found}
        rows |= batch
        ids = [row.id for row in batch.values()]
        versions = session.scalars(
            select(CustomerTerms).where(CustomerTerms.customer_id.in_(ids)).order_by(CustomerTerms.version)
        )
        overrides |= {each.customer_id: each.document for each in versions}
        standing = session.execute(
            select(Subscription.customer_id, Subscription.rank, Subscription.name, Address.value)
            .join(Address, Address.id == Subscription.address_id)
            .where(
                Subscription.customer_id.in_(ids),
                Subscription.confirmed_at.is_not(None),
                Subscription.ended_at.is_(None),
                Address.channel == ChannelKind.EMAIL.value,
                Address.value.is_not(None),
            )
            .order_by(Subscription.rank, Subscription.id)
        )
        for customer_id, rank, name, value in standing:
            contacts.setdefault(customer_id or 0, {})[(value or "").lower()] = (rank, name)
    return {
        key: KnownCustomer(
            key,
            row.name,
            row.contract_from,
            row.contract_until,
            tuple(row.products),
            overrides.get(row.id, {}),
            contacts.get(row.id, {}),
        )
        for key, row in rows.items()
    }


def _read_addresses(written: Iterable[str]) -> dict[str, str | Problem]:
    """Return each address in its normalised form, or why it cannot be one."""
    read: dict[str, str | Problem] = {}
    for address in written:
        try:
            read[address] = read_email_address(address, "contacts")
        except InvalidInput as error:
            read[address] = error.problems[0]
    return read


class _AddressUses:
    """What is on record of the addresses of a table: whose contacts they are or were, and whether to write to them."""

    def __init__(
        self, session: Session, publisher: Publisher, keyring: Keyring, addresses: dict[str, str | Problem]
    ) -> None:
        self._addresses = addresses
        emails = {email for email in addresses.values() if isinstance(email, str)}
        self._hashed = {email: keyring.lookup(ChannelKind.EMAIL, email) for email in emails}
        self._standing: dict[str, set[str]] = {}
        self._left: dict[str, set[str]] = {}
        self._suppressed: set[str] = set()
        for some in in_batches(self._hashed.values()):
            self._load(session, publisher, some)

    def _load(self, session: Session, publisher: Publisher, hashed: list[str]) -> None:
        uses = session.execute(
            select(Address.lookup_hmac, Customer.key, Subscription.ended_at, Subscription.ended_because)
            .join(Subscription, Subscription.address_id == Address.id)
            .join(Customer, Customer.id == Subscription.customer_id)
            .where(
                Address.publisher_id == publisher.id,
                Address.channel == ChannelKind.EMAIL.value,
                Address.lookup_hmac.in_(hashed),
                Subscription.ended_at.is_not(None) | Subscription.confirmed_at.is_not(None),
            )
        )
        for hashed_value, key, ended_at, because in uses:
            if ended_at is None:
                self._standing.setdefault(hashed_value, set()).add(key)
            elif because != EndedBecause.EXPIRED.value:
                self._left.setdefault(hashed_value, set()).add(key)
        suppressed = select(Suppression.lookup_hmac).where(
            Suppression.publisher_id == publisher.id,
            Suppression.channel == ChannelKind.EMAIL.value,
            Suppression.lookup_hmac.in_(hashed),
        )
        self._suppressed |= set(session.scalars(suppressed))

    def of(self, address: str, customer: str) -> KnownContact:
        """Return what is on record of an address, seen from one customer."""
        email = self._addresses[address]
        if isinstance(email, Problem):
            return KnownContact(address, problem=email)
        hashed = self._hashed[email]
        standing = self._standing.get(hashed, set())
        return KnownContact(
            email,
            stands=customer in standing,
            has_left=customer in self._left.get(hashed, set()),
            is_suppressed=hashed in self._suppressed,
            others=tuple(sorted(standing - {customer})),
        )
