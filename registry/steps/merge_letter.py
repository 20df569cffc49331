"""What differs per recipient: stored at the first attempt, so that a letter's exact bytes can be made again (R30).

Links are not stored: they follow from the delivery's rows, the base address and the id of the key that signed. So a
copy of the table opens nothing, and the bytes still come out the same.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

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
    this attempt is the receipt, in the customer's own zone.
    """
    delivery = recipient.delivery
    installation = letterhead.host
    if delivery.message_id is None:
        number = f"{recipient.notice.number}-" if recipient.notice else ""
        kind = f"{number}{recipient.letter.kind}"
        delivery.message_id = f"<{kind}.{delivery.id}.{secrets.token_hex(8)}@{installation}>"
    merge: dict[str, Any] = {
        "version": MERGE_VERSION,
        "key_id": keyring.signing_key_id,
        "base": letterhead.base_url,
        "boundary": f"=_{secrets.token_hex(16)}",
        "date_at": now.replace(microsecond=0).isoformat(),
        "reference": f"{installation}/{delivery.id}",
    }
    deadline = _deadline_for(session, now, recipient)
    if deadline is not None:
        last_on, ends_at, zone = deadline
        delivery.deadline_at = ends_at
        merge |= {"deadline_on": last_on.isoformat(), "deadline_zone": zone}
    delivery.merge = merge


def is_merge_stale(now: datetime, recipient: Recipient) -> bool:
    """Return whether the stored deadline was counted from an earlier local date than that of `now`."""
    merge = recipient.delivery.merge
    if merge is None:
        return True
    zone = merge.get("deadline_zone") or recipient.letter.sender["time_zone"]
    return latest_day_begun(datetime.fromisoformat(merge["date_at"]), zone) != latest_day_begun(now, zone)


def make_envelope(session: Session, recipient: Recipient, keyring: Keyring) -> Envelope:
    """Make the letter's bytes from what is stored. The same rows give the same bytes, today or in years (R30).

    Raises `LetterErased` once the address is gone.
    """
    delivery, address = recipient.delivery, recipient.address
    if address.value is None or delivery.merge is None or delivery.message_id is None:
        raise LetterErased(str(delivery.id))
    merge, letter = delivery.merge, recipient.letter
    sender = Sender(**letter.sender)
    audience = Audience(recipient.subscription.audience)
    base = sender.page_url.rstrip("/")
    manage_url = f"{base}/manage/{keyring.sign('manage', recipient.subscription.id, merge['key_id'])}"
    leave = keyring.sign("unsubscribe", recipient.subscription.id, merge["key_id"])
    unsubscribe_url = f"{base}/unsubscribe/{leave}"
    frozen = FrozenLetter(letter.subject, letter.text, letter.html)
    values = _slot_values(session, recipient, sender, merge, manage_url, unsubscribe_url, keyring, base, frozen)
    leaves_by = unsubscribe_url if audience is Audience.FOLLOWER else manage_url
    is_confirmed = recipient.subscription.confirmed_at is not None
    headers = list_headers(
        sender, audience, leaves_by if is_confirmed else None, delivery.message_id.rpartition("@")[2][:-1]
    )
    filled = Merge(
        recipient=address.value,
        recipient_name=recipient.subscription.name,
        message_id=delivery.message_id,
        boundary=merge["boundary"],
        date_at=datetime.fromisoformat(merge["date_at"]),
        slots=values,
        headers=headers,
        merge_version=merge["version"],
    )
    return Envelope(address.value, sender.from_address, compose(frozen, filled, sender), delivery.message_id)


def _slot_values(
    session: Session,
    recipient: Recipient,
    sender: Sender,
    merge: dict[str, Any],
    manage_url: str,
    unsubscribe_url: str,
    keyring: Keyring,
    base: str,
    frozen: FrozenLetter,
) -> tuple[tuple[str, str], ...]:
    wanted = slots_of(frozen)
    subscription, customer = recipient.subscription, recipient.customer
    known = {
        Slot.RECIPIENT_NAME: customer.name if customer else (subscription.name or ""),
        Slot.MANAGE_URL: manage_url,
        Slot.UNSUBSCRIBE_URL: unsubscribe_url,
        Slot.DELIVERY_REFERENCE: merge["reference"],
    }
    if customer is not None:
        known[Slot.WHY] = wording.say_why_contact(sender.name, customer.name)
    elif subscription.confirmed_at is not None:
        confirmed_on = local_date(subscription.confirmed_at, sender.time_zone)
        known[Slot.WHY] = wording.say_why_follower(sender.name, confirmed_on)
    if "deadline_on" in merge:
        last_on = date.fromisoformat(merge["deadline_on"])
        known[Slot.OBJECTION_DEADLINE] = wording.say_deadline(last_on, merge["deadline_zone"])
    if Slot.CONFIRM_URL in wanted:
        known[Slot.CONFIRM_URL] = (
            f"{base}/confirm/{_confirm_secret(session, subscription, recipient.delivery, keyring)}"
        )
    return tuple((slot.value, value) for slot, value in known.items() if slot.value in wanted)


def _confirm_secret(session: Session, subscription: Subscription, delivery: Delivery, keyring: Keyring) -> str:
    token = session.scalars(
        select(ConfirmToken)
        .where(ConfirmToken.subscription_id == subscription.id, ConfirmToken.created_at <= delivery.created_at)
        .order_by(ConfirmToken.id.desc())
        .limit(1)
    ).one()
    return keyring.confirm_secret(token.key_id, token.nonce)


def _deadline_for(session: Session, now: datetime, recipient: Recipient) -> tuple[date, datetime, str] | None:
    if recipient.notice is None or recipient.customer is None:
        return None
    frozen = session.get(NoticeCustomer, (recipient.notice.id, recipient.customer.id))
    terms = Terms.model_validate(frozen.terms if frozen else recipient.notice.terms)
    if frozen is not None and frozen.objection_ends_at is not None:
        # The customer has received the notice: its period runs already, and a later letter repeats the same deadline.
        ends_at = frozen.objection_ends_at
        return local_date(ends_at - SHORTEST_TIME, terms.time_zone), ends_at, terms.time_zone
    last_on, ends_at = plan_objection_deadline(now, terms, working_days_for(terms, local_date(now, terms.time_zone)))
    return last_on, ends_at, terms.time_zone
