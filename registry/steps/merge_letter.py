"""What differs per recipient: stored at the first attempt, so that a letter's exact bytes can be made again (R30).

Words are stored as they were said, since names change and wishes are confirmed later. Links are not: they follow from
the delivery's rows and the id of the key that signed. So a copy of the table opens nothing, and the bytes still come
out the same. The address stays in its own row, where it can be erased (R36).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.channels.base import Envelope
from registry.domain.notices import SHORTEST_TIME, latest_day_begun, local_date, plan_objection_deadline
from registry.domain.terms import Terms
from registry.domain.vocabulary import Audience
from registry.letters import wording
from registry.letters.compose import MERGE_VERSION, compose, list_headers
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


@dataclass(frozen=True)
class _Deadline:
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
    if delivery.message_id is None:
        number = f"{recipient.notice.number}-" if recipient.notice else ""
        kind = f"{number}{recipient.letter.kind}"
        delivery.message_id = f"<{kind}.{delivery.id}.{secrets.token_hex(8)}@{letterhead.host}>"
    wanted = slots_of(_frozen(recipient.letter))
    deadline = _deadline_for(session, now, recipient) if Slot.OBJECTION_DEADLINE in wanted else None
    delivery.deadline_at = deadline.ends_at if deadline else None
    said = _say(recipient, deadline, reference=f"{letterhead.host}/{delivery.id}")
    delivery.merge = {
        "version": MERGE_VERSION,
        "key_id": keyring.signing_key_id,
        "boundary": f"=_{secrets.token_hex(16)}",
        "date_at": now.replace(microsecond=0).isoformat(),
        "zone": deadline.zone if deadline else recipient.letter.sender["time_zone"],
        "to_name": _name_of(recipient),
        "can_leave": recipient.subscription.confirmed_at is not None,
        "slots": {slot.value: words for slot, words in said.items() if slot.value in wanted},
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


def make_envelope(session: Session, recipient: Recipient, keyring: Keyring) -> Envelope:
    """Make the letter's bytes from what is stored. The same rows give the same bytes, today or in years (R30).

    Raises `LetterErased` once the address is gone.
    """
    delivery, address = recipient.delivery, recipient.address
    merge, letter = delivery.merge, recipient.letter
    if address.value is None or merge is None or delivery.message_id is None:
        raise LetterErased(str(delivery.id))
    sender = Sender(**letter.sender)
    audience = Audience(recipient.subscription.audience)
    frozen = _frozen(letter)
    links = _links(session, recipient, sender, merge["key_id"], keyring, slots_of(frozen))
    leaves_by = links[Slot.UNSUBSCRIBE_URL if audience is Audience.FOLLOWER else Slot.MANAGE_URL]
    filled = Merge(
        recipient=address.value,
        recipient_name=merge["to_name"],
        message_id=delivery.message_id,
        boundary=merge["boundary"],
        date_at=datetime.fromisoformat(merge["date_at"]),
        slots=(*merge["slots"].items(), *((slot.value, link) for slot, link in links.items())),
        headers=list_headers(
            sender, audience, leaves_by if merge["can_leave"] else None, delivery.message_id.rpartition("@")[2][:-1]
        ),
        merge_version=merge["version"],
    )
    return Envelope(address.value, sender.from_address, compose(frozen, filled, sender), delivery.message_id)


def _frozen(letter: Letter) -> FrozenLetter:
    return FrozenLetter(letter.subject, letter.text, letter.html)


def _name_of(recipient: Recipient) -> str | None:
    # Until it is confirmed, the name may be anything that a stranger typed for somebody else's address.
    return recipient.subscription.name if recipient.subscription.confirmed_at is not None else None


def _say(recipient: Recipient, deadline: _Deadline | None, reference: str) -> dict[Slot, str]:
    sender, subscription, customer = recipient.letter.sender, recipient.subscription, recipient.customer
    said = {
        Slot.RECIPIENT_NAME: customer.name if customer else _name_of(recipient) or "",
        Slot.DELIVERY_REFERENCE: reference,
    }
    if customer is not None:
        said[Slot.WHY] = wording.say_why_contact(sender["name"], customer.name)
    elif subscription.confirmed_at is not None:
        confirmed_on = local_date(subscription.confirmed_at, sender["time_zone"])
        said[Slot.WHY] = wording.say_why_follower(sender["name"], confirmed_on)
    if deadline is not None:
        said[Slot.OBJECTION_DEADLINE] = wording.say_deadline(deadline.last_on, deadline.zone)
    return said


def _links(
    session: Session,
    recipient: Recipient,
    sender: Sender,
    key_id: str,
    keyring: Keyring,
    wanted: frozenset[str],
) -> dict[Slot, str]:
    base = sender.page_url.rstrip("/")
    number = recipient.subscription.id
    links = {
        Slot.MANAGE_URL: f"{base}/manage/{keyring.sign('manage', number, key_id)}",
        Slot.UNSUBSCRIBE_URL: f"{base}/unsubscribe/{keyring.sign('unsubscribe', number, key_id)}",
    }
    if Slot.CONFIRM_URL in wanted:
        secret = _confirm_secret(session, recipient.subscription, recipient.delivery, keyring)
        links[Slot.CONFIRM_URL] = f"{base}/confirm/{secret}"
    return links


def _confirm_secret(session: Session, subscription: Subscription, delivery: Delivery, keyring: Keyring) -> str:
    token = session.scalars(
        select(ConfirmToken)
        .where(ConfirmToken.subscription_id == subscription.id, ConfirmToken.created_at <= delivery.created_at)
        .order_by(ConfirmToken.id.desc())
        .limit(1)
    ).one()
    return keyring.confirm_secret(token.key_id, token.nonce)


def _deadline_for(session: Session, now: datetime, recipient: Recipient) -> _Deadline | None:
    if recipient.notice is None or recipient.customer is None:
        return None
    frozen = session.get(NoticeCustomer, (recipient.notice.id, recipient.customer.id))
    terms = Terms.model_validate(frozen.terms if frozen else recipient.notice.terms)
    if frozen is not None and frozen.objection_ends_at is not None:
        # The customer has received the notice: its period runs already, and a later letter repeats the same deadline.
        ends_at = frozen.objection_ends_at
        return _Deadline(local_date(ends_at - SHORTEST_TIME, terms.time_zone), ends_at, terms.time_zone)
    last_on, ends_at = plan_objection_deadline(now, terms, working_days_for(terms, local_date(now, terms.time_zone)))
    return _Deadline(last_on, ends_at, terms.time_zone)
