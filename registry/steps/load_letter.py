"""The rows that a delivery's letter is made from, and what they say as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.vocabulary import Audience, ChannelKind
from registry.language import ENGLISH
from registry.letters.press import Press
from registry.letters.slots import slots_of
from registry.letters.values import FrozenLetter, Sender
from registry.tables import Address, Customer, Delivery, Letter, Notice, Statement, Subscription


@dataclass(frozen=True)
class Recipient:
    """The rows a delivery's letter is made from."""

    delivery: Delivery
    letter: Letter
    subscription: Subscription
    address: Address
    customer: Customer | None
    notice: Notice | None
    statement: Statement | None


@dataclass(frozen=True)
class StoredLetter:
    """A frozen letter as a value: its kind, form and language, who sends it, its texts, and the slots they have."""

    kind: str
    sender: Sender
    frozen: FrozenLetter
    wanted: frozenset[str]
    form: ChannelKind = ChannelKind.EMAIL
    language: str = ENGLISH

    @cached_property
    def has_crlf(self) -> bool:
        """Whether all bytes made of it end each line in CRLF: they do unless its texts hold a CR of their own."""
        return "\r" not in self.frozen.text + self.frozen.html

    @cached_property
    def press(self) -> Press:
        """The letter made ready for many recipients, once."""
        return Press(self.frozen, self.sender)


class Addressee(NamedTuple):
    """Whom a delivery's letter is for. `customer_name` and its key are None for a follower; `name` is the person's."""

    delivery_id: int
    created_at: datetime
    subscription_id: int
    audience: Audience
    address: str
    name: str | None
    confirmed_at: datetime | None
    customer_name: str | None
    notice_number: str | None
    customer_key: str | None = None

    @property
    def shown_name(self) -> str | None:
        """The name that may be written; until it is confirmed it may be what a stranger typed for another's address."""
        return self.name if self.confirmed_at is not None else None


def load_recipient(session: Session, delivery: Delivery) -> Recipient:
    """Load what the letter of `delivery` is made from, in one query."""
    row = session.execute(
        select(Letter, Subscription, Address, Customer, Notice, Statement)
        .select_from(Delivery)
        .join(Letter, Letter.id == Delivery.letter_id)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Address, Address.id == Subscription.address_id)
        .outerjoin(Customer, Customer.id == Subscription.customer_id)
        .outerjoin(Statement, Statement.id == Delivery.statement_id)
        .outerjoin(Notice, Notice.id == Statement.notice_id)
        .where(Delivery.id == delivery.id)
    ).one()
    letter, subscription, address, customer, notice, statement = row
    return Recipient(delivery, letter, subscription, address, customer, notice, statement)


def read_letter(row: Letter) -> StoredLetter:
    """Return the frozen letter of a row as a value. Rows never change, so the last ones used are kept."""
    sender = tuple(row.sender.items())
    return _read_letter(row.digest, row.kind, row.form, row.language, row.subject, row.text, row.html, sender)


@lru_cache(maxsize=64)
def _read_letter(
    digest: str,
    kind: str,
    form: str,
    language: str,
    subject: str,
    text: str,
    html: str,
    sender: tuple[tuple[str, Any], ...],
) -> StoredLetter:
    del digest  # covers the texts; it stands first so that two letters are told apart at a glance
    frozen = FrozenLetter(subject, text, html)
    return StoredLetter(kind, Sender(**dict(sender)), frozen, slots_of(frozen), ChannelKind(form), language)


def addressee_of(recipient: Recipient) -> Addressee:
    """Return whom a delivery's letter is for, as values."""
    subscription, customer, notice = recipient.subscription, recipient.customer, recipient.notice
    return Addressee(
        delivery_id=recipient.delivery.id,
        created_at=recipient.delivery.created_at,
        subscription_id=subscription.id,
        audience=Audience(subscription.audience),
        address=recipient.address.value or "",
        name=subscription.name,
        confirmed_at=subscription.confirmed_at,
        customer_name=customer.name if customer else None,
        notice_number=notice.number if notice else None,
        customer_key=customer.key if customer else None,
    )
