"""What Resend reports later about a letter: callbacks, verified and read. Pure: no network and no clock.

    headers, body ──▶ signature ──▶ JSON ──▶ CallbackEvent
                   ForgedCallback   MalformedCallback

Callbacks come early, twice and out of order. `event_id` is the same for one that is sent again; what to do with it is
decided where the record is.
"""

from __future__ import annotations

import binascii
import hmac
import json
import re
import unicodedata
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from standardwebhooks.webhooks import Webhook

from registry.channels.base import clean_answer
from registry.channels.resend_letter import MESSAGE_ID_TAG, read_message_id_tag

LONGEST_CALLBACK = 256 * 1024
"""Bytes of a callback that are looked at. They have about a thousand; a subject and a bounce may be long."""

TOLERANCE = timedelta(minutes=5)
"""How far the time of signing may lie from now, either way: what somebody overheard cannot be used for long. Resend
signs every further try anew."""

_PREFIX = "whsec_"
_EVENT_ID = re.compile(r"[!-~]{1,200}")
_TIMESTAMP = re.compile(r"[0-9]{1,11}")
_LONGEST_SIGNATURES = 4_000
_EMAIL_ID = re.compile(r"[A-Za-z0-9_.:-]{1,100}")
_EVENT_TYPE = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_MESSAGE_ID = re.compile(r"[!-~]{1,998}")
_LONGEST_ADDRESS = 320
_MOST_RECIPIENTS = 100
_MOST_DIAGNOSTICS = 5


class ForgedCallback(Exception):
    """It does not come from Resend, or not now: the signature is missing or wrong, or too old or ahead of time."""


class MalformedCallback(Exception):
    """It is not a callback as Resend documents them. The message says where, and shows nothing of it."""


class CallbackKind(StrEnum):
    """What a callback says about a letter.

    `sent`: Resend has it and will try. `delivered`: the recipient's server took it. `delayed`: not yet. `complained`:
    the recipient has it and called it spam. Not received: `bounced_permanent`, `bounced_undetermined` (it came back,
    and nobody can tell why), `failed` (Resend could not send it) and `suppressed` (Resend did not try, for the address
    bounced or complained before). `bounced_transient` came back for a reason that may pass, or was answered by a
    machine. `ignored` is all that says nothing about whether a letter arrived: opened, clicked, scheduled, received,
    events about other things, and whatever is not known here.
    """

    SENT = "sent"
    DELIVERED = "delivered"
    DELAYED = "delayed"
    COMPLAINED = "complained"
    BOUNCED_PERMANENT = "bounced_permanent"
    BOUNCED_TRANSIENT = "bounced_transient"
    BOUNCED_UNDETERMINED = "bounced_undetermined"
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    IGNORED = "ignored"


@dataclass(frozen=True)
class CallbackEvent:
    """One callback, as far as it is of use.

    `event_type` is Resend's word for it. `email_id` is the `provider_ref` of the letter. `message_id` is the Message-ID
    this house gave the letter where the callback has it in its tags or headers, otherwise whatever Message-ID Resend
    names, if it names one. `happened_at` is an aware instant in UTC. `detail` is what Resend and the recipient's server
    said of it, clean and short, possibly empty. `recipients` are the addresses it is about. An ignored callback has
    none of these, and the time of signing for `happened_at`.
    """

    event_id: str
    event_type: str
    kind: CallbackKind
    email_id: str | None
    message_id: str | None
    happened_at: datetime
    detail: str
    recipients: tuple[str, ...]


_KINDS: Mapping[str, CallbackKind | None] = {
    "email.sent": CallbackKind.SENT,
    "email.delivered": CallbackKind.DELIVERED,
    "email.delivery_delayed": CallbackKind.DELAYED,
    "email.complained": CallbackKind.COMPLAINED,
    "email.failed": CallbackKind.FAILED,
    "email.suppressed": CallbackKind.SUPPRESSED,
    "email.bounced": None,
}
"""The events about a letter of ours; the kind of a bounce stands in its details."""
_DETAILS = {"email.bounced": "bounce", "email.failed": "failed", "email.suppressed": "suppressed"}
_PERMANENT_BOUNCE = "permanent"
# Amazon's word, and the one in Resend's reference.
_TRANSIENT_BOUNCES = frozenset({"transient", "temporary"})
_SUPPRESSED_BOUNCES = frozenset({"suppressed", "onaccountsuppressionlist"})


def read_callback(headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime) -> CallbackEvent:
    """Verify a callback and return what it says.

    `headers` are the request's, in any case; the signature stands in `svix-id`, `svix-timestamp` and `svix-signature`,
    or in their `webhook-` twins. `body` is the request's body untouched. `secrets` are the signing secrets that hold at
    the moment, two while one replaces the other; one that `check_signing_secret` refuses verifies nothing. `now` is an
    aware instant.

    Raises ForgedCallback or MalformedCallback whatever comes in, and nothing else (ValueError for a naive `now` aside).
    Both deserve a 400. A callback of a kind that is of no use is never malformed, as long as it is JSON and names its
    type: Resend gives up endpoints that refuse, and new kinds may come.
    """
    if now.tzinfo is None:
        raise ValueError("`now` must be an aware instant")
    if len(body) > LONGEST_CALLBACK:
        raise MalformedCallback("the body is too long")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise MalformedCallback("the body is not UTF-8") from None
    event_id, signed_at = _verify(headers, text, secrets, now)
    try:
        payload = json.loads(text)
    except (ValueError, RecursionError):
        raise MalformedCallback("the body is not JSON") from None
    payload = _object(payload, "the body")
    event_type = payload.get("type")
    if not isinstance(event_type, str) or not _EVENT_TYPE.fullmatch(event_type):
        raise MalformedCallback("`type` is not the name of an event")
    if event_type not in _KINDS:
        return CallbackEvent(event_id, event_type, CallbackKind.IGNORED, None, None, signed_at, "", ())
    return _event_about_letter(event_id, event_type, payload)


def check_signing_secret(secret: str) -> None:
    """Raise ValueError where no callback could be verified with this secret, as it stands in the settings.

    `standardwebhooks` reads over whatever is no base64, so that a mistyped secret becomes another, shorter one.
    """
    try:
        text = secret.removeprefix(_PREFIX)
        raw = b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("the signing secret must be base64, as Resend shows it: whsec_…") from None
    if len(raw) < 16:
        raise ValueError("the signing secret is too short to be one of Resend's: copy it again, with all of its end")


def _verify(headers: Mapping[str, str], text: str, secrets: Sequence[str], now: datetime) -> tuple[str, datetime]:
    """Return the callback's id and the time of signing, once its signature holds.

    `Webhook.verify` is not used: it looks at the machine's clock, and trips over malformed input in five ways.
    """
    known = {name.lower(): value for name, value in headers.items()}
    event_id, stamp, signatures = (
        known.get(f"svix-{name}", known.get(f"webhook-{name}", "")) for name in ("id", "timestamp", "signature")
    )
    if not (event_id and stamp and signatures):
        raise ForgedCallback("it is not signed")
    if not (_EVENT_ID.fullmatch(event_id) and _TIMESTAMP.fullmatch(stamp) and len(signatures) <= _LONGEST_SIGNATURES):
        raise ForgedCallback("its signature has no proper form")
    signed_at = datetime.fromtimestamp(int(stamp), tz=UTC)
    if abs(now - signed_at) > TOLERANCE:
        raise ForgedCallback("it was signed too long ago, or ahead of time")
    given = [signature.encode("utf-8", "replace") for signature in signatures.split(" ")]
    for webhook in _verifiers(secrets):
        wanted = webhook.sign(event_id, signed_at, text).encode("ascii")
        if any(hmac.compare_digest(wanted, signature) for signature in given):
            return event_id, signed_at
    raise ForgedCallback("its signature is wrong")


def _verifiers(secrets: Sequence[str]) -> Iterator[Webhook]:
    for secret in secrets:
        try:
            check_signing_secret(secret)
        except ValueError:
            continue
        yield Webhook(secret)


def _event_about_letter(event_id: str, event_type: str, payload: Mapping[str, object]) -> CallbackEvent:
    data = _object(payload.get("data"), "`data`")
    details = _details(event_type, data)
    return CallbackEvent(
        event_id=event_id,
        event_type=event_type,
        kind=_KINDS[event_type] or _bounce_kind(details),
        email_id=_email_id(data),
        message_id=_message_id(data),
        happened_at=_instant(payload.get("created_at")),
        detail=_words(details),
        recipients=_recipients(data),
    )


def _bounce_kind(bounce: Mapping[str, object]) -> CallbackKind:
    """Which kind of bounce it is.

    What is neither permanent nor transient (`Undetermined`, or nothing at all) is so by name: the letter came back, and
    nobody said what for. To take it for received would be a mistake, and so would be to give the address up.
    """
    words = [word.lower() if isinstance(word, str) else "" for word in (bounce.get("type"), bounce.get("subType"))]
    if words[1] in _SUPPRESSED_BOUNCES:
        return CallbackKind.SUPPRESSED
    if words[0] in _TRANSIENT_BOUNCES:
        return CallbackKind.BOUNCED_TRANSIENT
    return CallbackKind.BOUNCED_PERMANENT if words[0] == _PERMANENT_BOUNCE else CallbackKind.BOUNCED_UNDETERMINED


def _details(event_type: str, data: Mapping[str, object]) -> Mapping[str, object]:
    name = _DETAILS.get(event_type)
    details = data.get(name) if name else None
    return {} if details is None else _object(details, f"`{name}`")


def _words(details: Mapping[str, object]) -> str:
    """The kind, the reason and what the recipient's server said, as far as they are there and are text."""
    diagnostics = details.get("diagnosticCode")
    spoken = [
        *(details.get(name) for name in ("type", "subType", "reason", "message")),
        *(diagnostics[:_MOST_DIAGNOSTICS] if isinstance(diagnostics, list) else [diagnostics]),
    ]
    return clean_answer("; ".join(words for words in spoken if isinstance(words, str) and words))


def _email_id(data: Mapping[str, object]) -> str:
    email_id = data.get("email_id")
    if not isinstance(email_id, str) or not _EMAIL_ID.fullmatch(email_id):
        raise MalformedCallback("`email_id` is missing or no name of a letter")
    return email_id


def _message_id(data: Mapping[str, object]) -> str | None:
    tagged = dict(_pairs(data.get("tags"))).get(MESSAGE_ID_TAG)
    own = read_message_id_tag(tagged) if tagged else None
    if own is None:
        own = {name.lower(): value for name, value in _pairs(data.get("headers"))}.get("message-id")
    if own is None:
        named = data.get("message_id")
        if named is not None and not isinstance(named, str):
            raise MalformedCallback("`message_id` is not text")
        own = named
    if own is None:
        return None
    if not _MESSAGE_ID.fullmatch(own):
        raise MalformedCallback("the Message-ID has a character it cannot have")
    return own


def _pairs(value: object) -> Iterator[tuple[str, str]]:
    """Names and values of tags or headers, which come as an object or as a list of `{name, value}`."""
    items: list[tuple[object, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = [(item.get("name"), item.get("value")) for item in value if isinstance(item, dict)]
    for name, content in items:
        if isinstance(name, str) and isinstance(content, str):
            yield name, content


def _instant(value: object) -> datetime:
    if not isinstance(value, str) or len(value) > 40:
        raise MalformedCallback("`created_at` is missing or no time")
    try:
        instant = datetime.fromisoformat(value)
        if instant.tzinfo is None:
            raise MalformedCallback("`created_at` names no zone")
        return instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedCallback("`created_at` is no time") from None


def _recipients(data: Mapping[str, object]) -> tuple[str, ...]:
    to = data.get("to")
    addresses = [to] if isinstance(to, str) else [] if to is None else to
    if not isinstance(addresses, list) or len(addresses) > _MOST_RECIPIENTS:
        raise MalformedCallback("`to` is no list of addresses")
    for address in addresses:
        if (
            not isinstance(address, str)
            or not 0 < len(address) <= _LONGEST_ADDRESS
            or any(unicodedata.category(character).startswith(("C", "Zl", "Zp")) for character in address)
        ):
            raise MalformedCallback("`to` has something that is no address")
    return tuple(addresses)


def _object(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise MalformedCallback(f"{where} is not an object")
    return value
