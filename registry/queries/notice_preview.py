"""Customers by a few letters of their name or key, for whoever chooses one to read a letter as."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import case, func, or_, select
from sqlalchemy.orm import Session

from registry.tables import Customer, Publisher

CUSTOMERS_OFFERED: Final = 20
"""So many are offered at once; who is not among them is found by more letters."""


@dataclass(frozen=True)
class CustomerOffered:
    """A customer that may be chosen. `is_exact`: what was typed is its very key or name."""

    key: str
    name: str
    is_exact: bool


def offer_customers(session: Session, publisher: Publisher, typed: str) -> list[CustomerOffered]:
    """Return the customers whose name or key holds what was typed, the exact ones first, then by name."""
    typed = typed.strip().lower()
    key, name = func.lower(Customer.key), func.lower(Customer.name)
    is_key, is_name = key == typed, name == typed
    rows = session.execute(
        select(Customer.key, Customer.name, case((or_(is_key, is_name), 1), else_=0))
        .where(
            Customer.publisher_id == publisher.id,
            or_(name.contains(typed, autoescape=True), key.contains(typed, autoescape=True)),
        )
        .order_by(case((is_key, 0), (is_name, 1), else_=2), Customer.name, Customer.key)
        .limit(CUSTOMERS_OFFERED)
    )
    return [CustomerOffered(found, called, bool(exact)) for found, called, exact in rows]
