"""What differs per recipient: stored at the first attempt, so that a letter's exact bytes can be made again (R30).

Words are stored as they were said, since names change and wishes are confirmed later. Links are not: they follow from
the delivery's rows and the id of the key that signed. So a copy of the table opens nothing, and the bytes still come
out the same. The address stays in its own row, where it can be erased (R36).
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache, partial
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.channels.base import Envelope
from registry.domain.notices import latest_day_begun, local_date
from registry.domain.vocabulary import Audience, ChannelKind
from registry.language import speaking
from registry.letters import wording
from registry.letters.compose import MERGE_VERSION, list_headers
from registry.letters.return_path import make_return_path
from registry.letters.slots import Slot
from registry.letters.values import Merge
from registry.letters.web_slots import WEB_MERGE_VERSION, WebSlot
from registry.steps.keyring import Keyring
from registry.steps.letterhead import Letterhead
from registry.steps.load_letter import Addressee, Recipient, StoredLetter, addressee_of, load_recipient, read_letter
from registry.steps.merge_web import fill_web_letter, load_secrets, make_web_links, make_web_merge
from registry.steps.told_deadline import Deadline, find_deadline
from registry.tables import ConfirmToken, Delivery, Subscription

__all__ = [
    "Addressee",
    "Deadline",
    "LetterErased",
    "Recipient",
    "StoredLetter",
    "addressee_of",
    "fill_letter",
    "is_merge_stale",
    "load_recipient",
    "make_envelope",
    "make_merge",
    "merge_for",
    "new_message_id",
    "read_letter",
]

_NAMES: Final[dict[Slot, str]] = {slot: slot.value for slot in Slot}
"""The slots' names as words alone: to ask a member of an enumeration for its value takes a third of a microsecond."""

TELLS_THE_DEADLINE = frozenset({Slot.OBJECTION_DEADLINE, WebSlot.DEADLINE_AT, WebSlot.DEADLINE_IN_WORDS})


class LetterErased(Exception):
    """The address of this delivery was erased, so its bytes cannot be made again; the hash stays (R36)."""


def merge_for(session: Session, now: datetime, recipient: Recipient, letterhead: Letterhead, keyring: Keyring) -> None:
    """Store what this recipient's letter will say, counted from the local date of `now` (R30).

    The Message-ID is given once and stays over every retry. A contact's objection deadline is the one that follows if
    this attempt is the receipt, in the customer's own zone; a letter that does not tell it has none. By web it is never
    earlier than an earlier try told.
    """
    delivery = recipient.delivery
    letter, addressee = read_letter(recipient.letter), addressee_of(recipient)
    if delivery.message_id is None:
        delivery.message_id = new_message_id(letter, addressee, letterhead, keyring)
    # A server that refuses a letter by mail has not got it. By web whoever answered may have had the message all the
    # same, and passed it on: what it told stands, whatever receipt is learnt of since (R25).
    told = delivery.deadline_at if letter.form is not ChannelKind.EMAIL else None
    deadline = find_deadline(session, now, recipient, told) if letter.wanted & TELLS_THE_DEADLINE else None
    delivery.deadline_at = deadline.ends_at if deadline else None
    if letter.form is ChannelKind.EMAIL:
        delivery.merge = make_merge(now, letter, addressee, deadline, letterhead, keyring)
    else:
        reference = _reference(letterhead, addressee)
        delivery.merge = make_web_merge(now, letter, addressee, deadline, reference, keyring.signing_key_id)


def new_message_id(letter: StoredLetter, addressee: Addressee, letterhead: Letterhead, keyring: Keyring) -> str:
    """Return the Message-ID of a delivery. It follows from the row: the same after a restore, and no other row's."""
    number = f"{addressee.notice_number}-" if addressee.notice_number else ""
    mark = keyring.letter_mark(addressee.delivery_id, addressee.created_at)
    return f"<{number}{letter.kind}.{addressee.delivery_id}.{mark}@{letterhead.host}>"


def make_merge(
    now: datetime,
    letter: StoredLetter,
    addressee: Addressee,
    deadline: Deadline | None,
    letterhead: Letterhead,
    keyring: Keyring,
) -> dict[str, Any]:
    """Return what is stored of a recipient's letter: words, Date, boundary, and by which key its links are signed."""
    said = _say(letter, addressee, deadline, reference=_reference(letterhead, addressee))
    return {
        "version": MERGE_VERSION,
        "key_id": keyring.signing_key_id,
        "boundary": f"=_{secrets.token_hex(16)}",
        "date_at": _whole_second(now),
        "zone": deadline.zone if deadline else letter.sender.time_zone,
        "to_name": addressee.shown_name,
        "can_leave": addressee.confirmed_at is not None,
        "slots": {_NAMES[slot]: words for slot, words in said.items() if slot in letter.wanted},
    }


@lru_cache(maxsize=8)
def _whole_second(at: datetime) -> str:
    """Return an instant as the words of a slice of letters have it, which are counted from the same one."""
    return at.replace(microsecond=0).isoformat()


def is_merge_stale(now: datetime, recipient: Recipient) -> bool:
    """Return whether nothing is stored yet, or what is stored was counted from an earlier local date than `now`'s.

    What another release stored, and this one cannot compose any more, is stale too.
    """
    merge = recipient.delivery.merge
    own = MERGE_VERSION if recipient.letter.form == ChannelKind.EMAIL.value else WEB_MERGE_VERSION
    if merge is None or merge["version"] != own:
        return True
    stored_at = datetime.fromisoformat(merge["date_at"])
    return latest_day_begun(stored_at, merge["zone"]) != latest_day_begun(now, merge["zone"])


def make_envelope(
    session: Session,
    recipient: Recipient,
    keyring: Keyring,
    bounce_address: str | None = None,
    *,
    now: datetime | None = None,
) -> Envelope:
    """Make the letter's bytes from what is stored. The same rows give the same bytes, today or in years (R30).

    `now` (UTC) tells which secrets of a webhook's endpoint have retired. Raises `LetterErased` once the address is
    gone, and `EndpointWithoutSecret` for a webhook that cannot be signed.
    """
    delivery = recipient.delivery
    if recipient.address.value is None or delivery.merge is None or delivery.message_id is None:
        raise LetterErased(str(delivery.id))
    letter = read_letter(recipient.letter)
    if letter.form is not ChannelKind.EMAIL:
        signing = load_secrets(session, letter.form, recipient.address.id, now)
        links = make_web_links(letter, addressee_of(recipient), delivery.merge, keyring)
        return fill_web_letter(letter, recipient.address.value, delivery.merge, delivery.message_id, signing, links)
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
    message = fill_with_links(letter, addressee, merge, message_id, links)
    return_path = letter.sender.from_address
    if bounce_address is not None:
        sign = partial(keyring.sign, "bounce")
        return_path = make_return_path(bounce_address, addressee.delivery_id, sign, key_id=merge["key_id"])
    return Envelope(addressee.address, return_path, message, message_id, has_crlf=letter.has_crlf)


def fill_with_links(
    letter: StoredLetter, addressee: Addressee, merge: dict[str, Any], message_id: str, links: Mapping[Slot, str]
) -> bytes:
    """Fill a frozen letter with one recipient's stored words and these links, whatever they open; return its bytes."""
    leaves_by = links[Slot.UNSUBSCRIBE_URL if addressee.audience is Audience.FOLLOWER else Slot.MANAGE_URL]
    filled = Merge(
        recipient=addressee.address,
        recipient_name=merge["to_name"],
        message_id=message_id,
        boundary=merge["boundary"],
        date_at=datetime.fromisoformat(merge["date_at"]),
        slots=(*merge["slots"].items(), *((_NAMES[slot], link) for slot, link in links.items())),
        headers=list_headers(
            letter.sender,
            addressee.audience,
            leaves_by if merge["can_leave"] else None,
            message_id.rpartition("@")[2][:-1],
        ),
        merge_version=merge["version"],
    )
    return letter.press.merge(filled)


def _reference(letterhead: Letterhead, addressee: Addressee) -> str:
    return f"{letterhead.host}/{addressee.delivery_id}"


def _say(letter: StoredLetter, addressee: Addressee, deadline: Deadline | None, reference: str) -> dict[Slot, str]:
    sender = letter.sender
    said = {
        Slot.RECIPIENT_NAME: addressee.customer_name or addressee.shown_name or "",
        Slot.DELIVERY_REFERENCE: reference,
    }
    if addressee.customer_name is not None:
        with speaking(letter.language):
            said[Slot.WHY] = wording.say_why_contact(sender.name, addressee.customer_name)
    elif addressee.confirmed_at is not None:
        on = local_date(addressee.confirmed_at, sender.time_zone)
        said[Slot.WHY] = _why_follower(letter.language, sender.name, on)
    if deadline is not None:
        with speaking(letter.language):
            said[Slot.OBJECTION_DEADLINE] = wording.say_deadline(deadline.last_on, deadline.zone)
    return said


@lru_cache(maxsize=4096)
def _why_follower(language: str, publisher: str, subscribed_on: date) -> str:
    with speaking(language):
        return wording.say_why_follower(publisher, subscribed_on)


def _links(
    letter: StoredLetter, addressee: Addressee, key_id: str, keyring: Keyring, confirm_secret: str | None
) -> dict[Slot, str]:
    base = letter.sender.page_url.rstrip("/")
    number = addressee.subscription_id
    links = {
        Slot.MANAGE_URL: f"{base}/manage/{keyring.sign('manage', number, key_id)}",
        Slot.UNSUBSCRIBE_URL: f"{base}/unsubscribe/{keyring.sign('unsubscribe', number, key_id)}",
    }
    if Slot.OBJECT_URL in letter.wanted:
        links[Slot.OBJECT_URL] = f"{base}/object/{keyring.sign('object', addressee.delivery_id, key_id)}"
    if Slot.ACKNOWLEDGE_URL in letter.wanted:
        links[Slot.ACKNOWLEDGE_URL] = f"{base}/acknowledge/{keyring.sign('acknowledge', addressee.delivery_id, key_id)}"
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
