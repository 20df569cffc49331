"""What differs per recipient of what goes out by web: stored as words, and filled in to the same bytes again (R30)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from registry.channels.base import Envelope
from registry.domain.errors import RegistryError
from registry.domain.vocabulary import ChannelKind
from registry.language import speaking
from registry.letters import wording
from registry.letters.compose import OtherMergeVersion
from registry.letters.web_forms import fill_form
from registry.letters.web_slots import WEB_LINKS, WEB_MERGE_VERSION, WebSlot
from registry.letters.webhook_payload import say_instant
from registry.steps.keyring import Keyring
from registry.steps.load_letter import Addressee, StoredLetter
from registry.steps.told_deadline import Deadline
from registry.tables import EndpointSecret


class EndpointWithoutSecret(RegistryError):
    """A webhook cannot be signed, for its endpoint has no secret. Params: number (of the endpoint)."""

    code = "endpoint-without-secret"


def make_web_merge(
    now: datetime, letter: StoredLetter, addressee: Addressee, deadline: Deadline | None, reference: str, key_id: str
) -> dict[str, Any]:
    """Return what is stored of a recipient's message: the words of the slots that the message has.

    Of its links only by which key they are signed (`key_id`).
    """
    said = {WebSlot.DELIVERY_REFERENCE: reference}
    if addressee.customer_key is not None:
        said[WebSlot.CUSTOMER_KEY] = addressee.customer_key
        said[WebSlot.CUSTOMER_NAME] = addressee.customer_name or addressee.customer_key
    if deadline is not None:
        said[WebSlot.DEADLINE_AT] = say_instant(deadline.ends_at)
        said[WebSlot.DEADLINE_ON] = deadline.last_on.isoformat()
        said[WebSlot.DEADLINE_ZONE] = deadline.zone
        with speaking(letter.language):
            said[WebSlot.DEADLINE_IN_WORDS] = wording.say_deadline(deadline.last_on, deadline.zone)
    return {
        "version": WEB_MERGE_VERSION,
        "date_at": now.replace(microsecond=0).isoformat(),
        "zone": deadline.zone if deadline else letter.sender.time_zone,
        **({"key_id": key_id} if letter.wanted & WEB_LINKS else {}),
        "slots": {slot.value: words for slot, words in said.items() if slot.value in letter.wanted},
    }


def make_web_links(
    letter: StoredLetter, addressee: Addressee, merge: dict[str, Any], keyring: Keyring
) -> dict[str, str]:
    """Return the links of a message that a customer's endpoint gets, by the slots it has. They follow from its rows."""
    base, number = letter.sender.page_url.rstrip("/"), addressee.delivery_id
    links: dict[str, str] = {}
    if WebSlot.OBJECT_URL in letter.wanted:
        links[WebSlot.OBJECT_URL.value] = f"{base}/object/{keyring.sign('object', number, merge['key_id'])}"
    if WebSlot.ACKNOWLEDGE_URL in letter.wanted:
        token = keyring.sign("acknowledge", number, merge["key_id"])
        links[WebSlot.ACKNOWLEDGE_URL.value] = f"{base}/acknowledge/{token}"
    return links


def fill_web_letter(
    letter: StoredLetter,
    address: str,
    merge: dict[str, Any],
    message_id: str,
    secrets: tuple[str, ...],
    links: dict[str, str],
) -> Envelope:
    """Fill a frozen message with one recipient's stored words and its links. Raises `OtherMergeVersion`."""
    if merge["version"] != WEB_MERGE_VERSION:
        raise OtherMergeVersion(version=merge["version"], own=WEB_MERGE_VERSION)
    message = fill_form(letter.form, letter.frozen.text, merge["slots"] | links)
    return Envelope(address, "", message, message_id, secrets)


def load_secrets(session: Session, form: ChannelKind, address_id: int, now: datetime | None) -> tuple[str, ...]:
    """Return what signs a message to an endpoint, the newest first: all secrets that have not retired by `now` (UTC).

    Without `now` all that are kept. Nothing but a webhook is signed. Raises `EndpointWithoutSecret`.
    """
    if form is not ChannelKind.WEBHOOK:
        return ()
    query = select(EndpointSecret.secret).where(EndpointSecret.address_id == address_id)
    if now is not None:
        query = query.where(or_(EndpointSecret.retires_at.is_(None), EndpointSecret.retires_at > now))
    found = session.scalars(query.order_by(EndpointSecret.id.desc())).all()
    if not found:
        raise EndpointWithoutSecret(number=address_id)
    return tuple(found)
