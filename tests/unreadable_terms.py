"""Terms on record that this release cannot read: a damaged row, or one that a newer release wrote."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Engine, select

from registry.tables import Customer, CustomerTerms, NoticeCustomer
from registry.tables.engine import writing

DAMAGED: Final = {"days": "soon", "undeliverable": {}}
NEWER: Final = {"time_zone": "Asia/Ho_Chi_Minh", "days": 90, "told_by": "messenger"}


def spoil_frozen_terms(engine: Engine, customer: str, document: Any = DAMAGED) -> None:
    """Leave terms that nobody can read in every notice of a customer."""
    with writing(engine) as session:
        whose = select(Customer.id).where(Customer.key == customer)
        for row in session.scalars(select(NoticeCustomer).where(NoticeCustomer.customer_id.in_(whose))):
            row.terms = document


def spoil_terms(engine: Engine, customer: str, document: Any = DAMAGED) -> None:
    """Leave terms that nobody can read as the newest ones of a customer."""
    with writing(engine) as session:
        row = session.scalars(select(Customer).where(Customer.key == customer)).one()
        versions = session.scalars(select(CustomerTerms).where(CustomerTerms.customer_id == row.id)).all()
        session.add(
            CustomerTerms(
                publisher_id=row.publisher_id,
                customer_id=row.id,
                version=max((each.version for each in versions), default=0) + 1,
                document=document,
                from_at=row.created_at,
            )
        )
