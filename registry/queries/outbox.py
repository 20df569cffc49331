"""What was written to the outbox for one publisher: found by the record of its tries, not by what lies in a folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import OUTBOX
from registry.tables import Address, Attempt, Customer, Delivery, Letter, Notice, Publisher, Statement, Subscription


@dataclass(frozen=True)
class OutboxLetter:
    """One letter in the outbox. `number` is that of the try, `file` the name in the folder, `written_at` is UTC."""

    number: int
    delivery_id: int
    file: str
    written_at: datetime
    channel: str
    kind: str
    address: str | None
    customer: str | None
    notice: str | None

    @property
    def is_erased(self) -> bool:
        """Whether the address was erased, so that the letter is not shown either."""
        return self.address is None


def list_outbox(session: Session, publisher: Publisher, number: int, size: int) -> list[OutboxLetter]:
    """Return a page of what was written for a publisher, the newest first, and one more where another page follows."""
    query = _choose(publisher).order_by(Attempt.id.desc()).offset((number - 1) * size).limit(size + 1)
    return [_read(row) for row in session.execute(query)]


def find_outbox_letter(session: Session, publisher: Publisher, number: int) -> OutboxLetter | None:
    """Return one letter of the publisher's by its number, or None."""
    row = session.execute(_choose(publisher).where(Attempt.id == number)).one_or_none()
    return None if row is None else _read(row)


def _choose(publisher: Publisher) -> Select[Any]:
    columns: tuple[Any, ...] = (
        Attempt.id,
        Attempt.delivery_id,
        Attempt.provider_ref,
        Attempt.finished_at,
        Delivery.channel,
        Letter.kind,
        Address.value,
        Customer.name,
        Notice.number,
    )
    return (
        select(*columns)
        .join(Delivery, Delivery.id == Attempt.delivery_id)
        .join(Letter, Letter.id == Delivery.letter_id)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Address, Address.id == Subscription.address_id)
        .outerjoin(Customer, Customer.id == Subscription.customer_id)
        .outerjoin(Statement, Statement.id == Delivery.statement_id)
        .outerjoin(Notice, Notice.id == Statement.notice_id)
        .where(
            Delivery.publisher_id == publisher.id,
            Attempt.channel == OUTBOX,
            Attempt.provider_ref.is_not(None),
        )
    )


def _read(row: Row[Any]) -> OutboxLetter:
    return OutboxLetter(*tuple(row))
