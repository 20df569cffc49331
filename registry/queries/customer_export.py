"""All customers of a publisher with their contacts, as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.customer_import import TERMS_BY_COLUMN
from registry.domain.terms import find_overrides
from registry.domain.vocabulary import ChannelKind
from registry.queries.customers import contact_state, newest_terms_version
from registry.readers.customer_table import COLUMNS
from registry.steps.list_endpoints import show_address
from registry.tables import Address, Customer, CustomerTerms, Endpoint, Publisher, Subscription, Suppression
from registry.tables.audience import suppresses

CONTACT_COLUMNS: Final = ("customer_key", "customer", "channel", "address", "name", "language", "standby", "state")


def export_customers(session: Session, publisher: Publisher) -> Iterator[list[str]]:
    """Yield one row a customer, in the columns of the import, so that the table can be imported again."""
    mailboxes: dict[int, list[str]] = {}
    for customer_id, value in session.execute(
        select(Subscription.customer_id, Address.value)
        .join(Address, Address.id == Subscription.address_id)
        .where(
            Subscription.publisher_id == publisher.id,
            Subscription.customer_id.is_not(None),
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
            Address.channel == ChannelKind.EMAIL.value,
            Address.value.is_not(None),
        )
        .order_by(Subscription.rank, Subscription.id)
    ):
        mailboxes.setdefault(customer_id or 0, []).append(value or "")
    rows = session.execute(
        select(Customer, CustomerTerms.document)
        .outerjoin(
            CustomerTerms,
            (CustomerTerms.customer_id == Customer.id) & (CustomerTerms.version == newest_terms_version()),
        )
        .where(Customer.publisher_id == publisher.id)
        .order_by(Customer.key)
    )
    for row, document in rows:
        stated = find_overrides(document)
        cells = {column: _cell(stated.get(term)) for column, term in TERMS_BY_COLUMN.items()}
        cells |= {
            "key": row.key,
            "name": row.name,
            "contract_from": _cell(row.contract_from),
            "contract_until": _cell(row.contract_until),
            "products": "; ".join(row.products),
            "contacts": "; ".join(mailboxes.get(row.id, ())),
        }
        yield [cells[column] for column in COLUMNS]


def export_contacts(session: Session, publisher: Publisher) -> Iterator[list[str]]:
    """Yield one row a contact that stands, in the order in which they are told."""
    rows = session.execute(
        select(Customer, Subscription, Address, Suppression.id, Endpoint)
        .join(Subscription, Subscription.customer_id == Customer.id)
        .join(Address, Address.id == Subscription.address_id)
        .outerjoin(Suppression, suppresses())
        .outerjoin(Endpoint, Endpoint.address_id == Address.id)
        .where(Customer.publisher_id == publisher.id, Subscription.ended_at.is_(None))
        .order_by(Customer.key, Subscription.rank, Subscription.id)
    )
    for customer, contact, address, suppression, endpoint in rows:
        state = contact_state(contact, address, suppression, endpoint).value
        shown = show_address(address.channel, address.value) if address.value is not None else ""
        standby = "yes" if contact.is_standby else "no"
        yield [
            *(customer.key, customer.name, address.channel, shown),
            *(contact.name or "", contact.language, standby, state.replace("_", " ")),
        ]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
