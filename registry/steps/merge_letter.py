"""What differs per recipient: stored at the first attempt, so that a letter's exact bytes can be made again (R30).

Words are stored as they were said, since names change and wishes are confirmed later. Links are not: they follow from
the delivery's rows and the id of the key that signed. So a copy of the table opens nothing, and the bytes still come
out the same. The address stays in its own row, where it can be erased (R36).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.channels.base import Envelope
from registry.domain.notices import SHORTEST_TIME, latest_day_begun, local_date, plan_objection_deadline
from registry.domain.terms import Terms
from registry.domain.vocabulary import Audience
from registry.letters import wording
from registry.letters.compose import MERGE_VERSION, compose, list_headers
from registry.letters.return_path import make_return_path
from registry.letters.slots import Slot, slots_of
from registry.letters.values import FrozenLetter, Merge, Sender
from registry.steps.keyring import Keyring
from registry.steps.letterhead import Letterhead
from registry.steps.working_days import working_days_for
from registry.tables import (
    Address,
    ConfirmToken,
    Customer,
    Delivery,
    Letter,
    Notice,
    NoticeCustomer,
    Statement,
    Subscription,
)


class LetterErased(Exception):
    """The address of this delivery was erased, so its bytes cannot be made again; the hash stays (R36)."""


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


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A frozen letter as a value: its kind, who sends it, its texts, and the slots they have."""

    kind: str
    sender: Sender
    frozen: FrozenLetter
    wanted: frozenset[str]


@dataclass(frozen=True, slots=True)
class Addressee:
    """Whom a delivery's letter is for. `customer_name` is None for a follower; `name` is the person's own."""

    delivery_id: int
    subscription_id: int
    audience: Audience
    address: str
    name: str | None
    confirmed_at: datetime | None
    customer_name: str | None
    notice_number: str | None

    @property
    def shown_name(self) -> str | None:
        """The name that may be written; until it is confirmed it may be what a stranger typed for another's address."""
        return self.name if self.confirmed_at is not None else None


@dataclass(frozen=True, slots=True)
class Deadline:
    """The last local day to object, the instant (UTC) at which it ends, and the zone it is a date of."""

    last_on: date
    ends_at: datetime
    zone: str


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


def merge_for(session: Session, now: datetime, recipient: Recipient, letterhead: Letterhead, keyring: Keyring) -> None:
    """Store what this recipient's letter will say, counted from the local date of `now` (R30).

    The Message-ID is given once and stays over every retry. A contact's objection deadline is the one that follows if
    this attempt is the receipt, in the customer's own zone; a letter that does not tell it has none.
    """
    delivery = recipient.delivery
    letter, addressee = read_letter(recipient.letter), addressee_of(recipient)
    if delivery.message_id is None:
        delivery.message_id = new_message_id(letter, addressee, letterhead)
    deadline = _deadline_for(session, now, recipient) if Slot.OBJECTION_DEADLINE in letter.wanted else None
    delivery.deadline_at = deadline.ends_at if deadline else None
    delivery.merge = make_merge(now, letter, addressee, deadline, letterhead, keyring)


def new_message_id(letter: StoredLetter, addressee: Addressee, letterhead: Letterhead) -> str:
    """Return a Message-ID for a delivery that has none yet."""
    number = f"{addressee.notice_number}-" if addressee.notice_number else ""
    return f"<{number}{letter.kind}.{addressee.delivery_id}.{secrets.token_hex(8)}@{letterhead.host}>"


def make_merge(
    now: datetime,
    letter: StoredLetter,
    addressee: Addressee,
    deadline: Deadline | None,
    letterhead: Letterhead,
    keyring: Keyring,
) -> dict[str, Any]:
    """Return what is stored of a recipient's letter: words, Date, boundary, and by which key its links are signed."""
    said = _say(letter.sender, addressee, deadline, reference=f"{letterhead.host}/{addressee.delivery_id}")
    return {
        "version": MERGE_VERSION,
        "key_id": keyring.signing_key_id,
        "boundary": f"=_{secrets.token_hex(16)}",
        "date_at": now.replace(microsecond=0).isoformat(),
        "zone": deadline.zone if deadline else letter.sender.time_zone,
        "to_name": addressee.shown_name,
        "can_leave": addressee.confirmed_at is not None,
        "slots": {slot.value: words for slot, words in said.items() if slot.value in letter.wanted},
    }


def is_merge_stale(now: datetime, recipient: Recipient) -> bool:
    """Return whether nothing is stored yet, or what is stored was counted from an earlier local date than `now`'s.

    What another release stored, and this one cannot compose any more, is stale too.
    """
    merge = recipient.delivery.merge
    if merge is None or merge["version"] != MERGE_VERSION:
        return True
    stored_at = datetime.fromisoformat(merge["date_at"])
    return latest_day_begun(stored_at, merge["zone"]) != latest_day_begun(now, merge["zone"])


def make_envelope(
    session: Session, recipient: Recipient, keyring: Keyring, bounce_address: str | None = None
) -> Envelope:
    """Make the letter's bytes from what is stored. The same rows give the same bytes, today or in years (R30).

    Raises `LetterErased` once the address is gone.
    """
    delivery = recipient.delivery
    if recipient.address.value is None or delivery.merge is None or delivery.message_id is None:
        raise LetterErased(str(delivery.id))
    letter = read_letter(recipient.letter)
    confirm = None
    if Slot.CONFIRM_URL in letter.wanted:
        confirm = _confirm_secret(session, recipient.subscription, delivery, keyring)
    addressee = addressee_of(recipient)
    return fill_letter(letter, addressee, delivery.merge, delivery.message_id, keyring, confirm, bounce_address)


def fill_letter(
    letter: StoredLetter,
    addressee: Addressee,
    merge: dict[str, Any],
    message_id: str,
    keyring: Keyring,
    confirm_secret: str | None = None,
    bounce_address: str | None = None,
) -> Envelope:
    """Fill a frozen letter with one recipient's stored words, and the links that follow from its rows.

    With a `bounce_address` the return path names the delivery, and its signature keeps strangers from naming it.
    """
    links = _links(letter, addressee, merge["key_id"], keyring, confirm_secret)
    leaves_by = links[Slot.UNSUBSCRIBE_URL if addressee.audience is Audience.FOLLOWER else Slot.MANAGE_URL]
    filled = Merge(
        recipient=addressee.address,
        recipient_name=merge["to_name"],
        message_id=message_id,
        boundary=merge["boundary"],
        date_at=datetime.fromisoformat(merge["date_at"]),
        slots=(*merge["slots"].items(), *((slot.value, link) for slot, link in links.items())),
        headers=list_headers(
            letter.sender,
            addressee.audience,
            leaves_by if merge["can_leave"] else None,
            message_id.rpartition("@")[2][:-1],
        ),
        merge_version=merge["version"],
    )
    message = compose(letter.frozen, filled, letter.sender)
    return_path = letter.sender.from_address
    if bounce_address is not None:
        sign = partial(keyring.sign, "bounce")
        return_path = make_return_path(bounce_address, addressee.delivery_id, sign, key_id=merge["key_id"])
    return Envelope(addressee.address, return_path, message, message_id)


def read_letter(row: Letter) -> StoredLetter:
    """Return the frozen letter of a row as a value. Rows never change, so the last ones used are kept."""
    return _read_letter(row.digest, row.kind, row.subject, row.text, row.html, tuple(row.sender.items()))


@lru_cache(maxsize=64)
def _read_letter(
    digest: str, kind: str, subject: str, text: str, html: str, sender: tuple[tuple[str, Any], ...]
) -> StoredLetter:
    del digest  # covers the texts; it stands first so that two letters are told apart at a glance
    frozen = FrozenLetter(subject, text, html)
    return StoredLetter(kind, Sender(**dict(sender)), frozen, slots_of(frozen))


def addressee_of(recipient: Recipient) -> Addressee:
    """Return whom a delivery's letter is for, as values."""
    subscription, customer, notice = recipient.subscription, recipient.customer, recipient.notice
    return Addressee(
        delivery_id=recipient.delivery.id,
        subscription_id=subscription.id,
        audience=Audience(subscription.audience),
        address=recipient.address.value or "",
        name=subscription.name,
        confirmed_at=subscription.confirmed_at,
        customer_name=customer.name if customer else None,
        notice_number=notice.number if notice else None,
    )


def _say(sender: Sender, addressee: Addressee, deadline: Deadline | None, reference: str) -> dict[Slot, str]:
    said = {
        Slot.RECIPIENT_NAME: addressee.customer_name or addressee.shown_name or "",
        Slot.DELIVERY_REFERENCE: reference,
    }
    if addressee.customer_name is not None:
        said[Slot.WHY] = wording.say_why_contact(sender.name, addressee.customer_name)
    elif addressee.confirmed_at is not None:
        said[Slot.WHY] = _why_follower(sender.name, local_date(addressee.confirmed_at, sender.time_zone))
    if deadline is not None:
        said[Slot.OBJECTION_DEADLINE] = wording.say_deadline(deadline.last_on, deadline.zone)
    return said


_why_follower = lru_cache(maxsize=4096)(wording.say_why_follower)


def _links(
    letter: StoredLetter, addressee: Addressee, key_id: str, keyring: Keyring, confirm_secret: str | None
) -> dict[Slot, str]:
    base = letter.sender.page_url.rstrip("/")
    number = addressee.subscription_id
    links = {
        Slot.MANAGE_URL: f"{base}/manage/{keyring.sign('manage', number, key_id)}",
        Slot.UNSUBSCRIBE_URL: f"{base}/unsubscribe/{keyring.sign('unsubscribe', number, key_id)}",
    }
    if confirm_secret is not None:
        links[Slot.CONFIRM_URL] = f"{base}/confirm/{confirm_secret}"
    return links


def _confirm_secret(session: Session, subscription: Subscription, delivery: Delivery, keyring: Keyring) -> str:
    token = session.scalars(
        select(ConfirmToken)
        .where(ConfirmToken.subscription_id == subscription.id, ConfirmToken.created_at <= delivery.created_at)
        .order_by(ConfirmToken.id.desc())
        .limit(1)
    ).one()
    return keyring.confirm_secret(token.key_id, token.nonce)


def _deadline_for(session: Session, now: datetime, recipient: Recipient) -> Deadline | None:
    if recipient.notice is None or recipient.customer is None:
        return None
    frozen = session.get(NoticeCustomer, (recipient.notice.id, recipient.customer.id))
    terms = Terms.model_validate(frozen.terms if frozen else recipient.notice.terms)
    if frozen is not None and frozen.objection_ends_at is not None:
        # The customer has received the notice: its period runs already, and a later letter repeats the same deadline.
        ends_at = frozen.objection_ends_at
        return Deadline(local_date(ends_at - SHORTEST_TIME, terms.time_zone), ends_at, terms.time_zone)
    last_on, ends_at = plan_objection_deadline(now, terms, working_days_for(terms, local_date(now, terms.time_zone)))
    return Deadline(last_on, ends_at, terms.time_zone)
