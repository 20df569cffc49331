"""How the customers of a notice stand: received, deemed, served by other means, exempt, or waited for (R12, R13)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Select, func, or_, select
from sqlalchemy.orm import Session

from registry.domain.standings import HOLDING
from registry.domain.terms import Deemed, Terms, find_terms, find_zone
from registry.tables import Customer, Notice, NoticeCustomer


@dataclass(frozen=True)
class Standing:
    """How one customer stands in a notice, with the terms that were frozen for it, None where they cannot be read.

    Instants are UTC, to be said in `zone`.
    """

    customer_id: int
    key: str
    name: str
    state: str
    terms: Terms | None
    zone: str
    received_at: datetime | None
    earliest_at: datetime | None
    objection_ends_at: datetime | None
    approved_at: datetime | None
    basis: str | None

    @property
    def may_hold(self) -> bool:
        """Whether it can hold the notice: nobody took it out, and its contract runs (R17, R23)."""
        return self.state in HOLDING

    @property
    def clause(self) -> str | None:
        """The clause of its contract that deems receipt (R13), None where it has none."""
        undeliverable = self.terms.undeliverable if self.terms else None
        return undeliverable.clause if isinstance(undeliverable, Deemed) else None

    @property
    def needs_own_approval(self) -> bool:
        """Whether its terms ask for its own approval, which is waited for and has not come (R21)."""
        asks_for_it = self.terms is not None and self.terms.authorisation == "specific"
        return self.may_hold and asks_for_it and self.approved_at is None


def count_standings(session: Session, notice: Notice) -> dict[str, int]:
    """Return how many customers of a notice stand how."""
    rows = session.execute(
        select(NoticeCustomer.state, func.count())
        .where(NoticeCustomer.notice_id == notice.id)
        .group_by(NoticeCustomer.state)
    )
    return {row[0]: row[1] for row in rows}


def list_standings(
    session: Session, notice: Notice, state: str | None, part: str, number: int, size: int
) -> list[Standing]:
    """Return a page of a notice's customers by their key, and one more where another follows.

    `part` is a part of a customer's key or name; empty and None limit nothing.
    """
    query = choose_standings(notice)
    if state is not None:
        query = query.where(NoticeCustomer.state == state)
    if part:
        query = query.where(
            or_(Customer.key.icontains(part, autoescape=True), Customer.name.icontains(part, autoescape=True))
        )
    rows = session.execute(query.offset((number - 1) * size).limit(size + 1))
    return [read_standing(notice, *row) for row in rows]


def find_standing(session: Session, notice: Notice, key: str) -> Standing | None:
    """Return how the customer with this key stands in a notice, or None where the notice does not concern it."""
    row = session.execute(choose_standings(notice).where(Customer.key == key)).one_or_none()
    return None if row is None else read_standing(notice, *row)


def choose_standings(notice: Notice) -> Select[NoticeCustomer, str, str]:
    """Choose the rows of a notice's customers, each with its key and name, by the key."""
    return (
        select(NoticeCustomer, Customer.key, Customer.name)
        .join(Customer, Customer.id == NoticeCustomer.customer_id)
        .where(NoticeCustomer.notice_id == notice.id)
        .order_by(Customer.key)
    )


def read_standing(notice: Notice, row: NoticeCustomer, key: str, name: str) -> Standing:
    """Return a row of `choose_standings` as a value."""
    return Standing(
        row.customer_id,
        key,
        name,
        row.state,
        find_terms(row.terms),
        find_zone(row.terms, notice.terms["time_zone"]),
        row.received_at,
        row.earliest_at,
        row.objection_ends_at,
        row.approved_at,
        row.basis,
    )
