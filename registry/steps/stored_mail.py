"""Mail that was kept for a person, as it is listed and read."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from registry.domain.errors import RegistryError
from registry.tables import Customer, Delivery, Notice, Publisher, Statement, StoredMail, Subscription


class UnknownMail(RegistryError):
    """No mail is kept under this number. Params: number."""

    code = "unknown-mail"


@dataclass(frozen=True)
class ListedMail:
    """A message that was kept, and what it is about as far as that is known: slug, number and key."""

    mail: StoredMail
    publisher: str | None
    notice: str | None
    customer: str | None


def list_mail(session: Session, limit: int) -> list[ListedMail]:
    """Return the newest messages that were kept, those erased since among them."""
    query = _described().order_by(StoredMail.received_at.desc(), StoredMail.id.desc()).limit(limit)
    return [ListedMail(*row) for row in session.execute(query)]


def get_mail(session: Session, number: int) -> ListedMail:
    """Return one message that was kept. Raises `UnknownMail`."""
    row = session.execute(_described().where(StoredMail.id == number)).one_or_none()
    if row is None:
        raise UnknownMail(number=number)
    return ListedMail(*row)


def _described() -> Select[StoredMail, str | None, str | None, str | None]:
    return (
        select(StoredMail, Publisher.slug, Notice.number, Customer.key)
        .select_from(StoredMail)
        .outerjoin(Publisher, Publisher.id == StoredMail.publisher_id)
        .outerjoin(Delivery, Delivery.id == StoredMail.delivery_id)
        .outerjoin(Subscription, Subscription.id == Delivery.subscription_id)
        .outerjoin(Customer, Customer.id == Subscription.customer_id)
        .outerjoin(Statement, Statement.id == Delivery.statement_id)
        .outerjoin(Notice, Notice.id == Statement.notice_id)
    )
