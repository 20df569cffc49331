"""A finished letter in the JSON that Resend takes. Pure: no connection is needed to know what will be sent."""

from __future__ import annotations

import base64
import email
import hashlib
import json
import re
import unicodedata
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.utils import getaddresses
from functools import lru_cache

from registry.channels.base import Envelope

MESSAGE_ID_TAG = "message_id"
"""The tag under which a letter's Message-ID travels, in base64url without padding. Resend gives tags back in callbacks,
while the Message-ID header may be replaced on the way by the servers that send for it."""

_LONGEST_TAG = 256
_LONGEST_MESSAGE_ID_IN_KEY = 150

# What Resend writes itself from its own fields, or from its clock.
_OWN_HEADERS = frozenset({"from", "to", "reply-to", "subject", "date", "mime-version", "return-path"})
# Naming more people would send to them, or show them; no letter of this house does.
_REFUSED_HEADERS = re.compile(r"cc|bcc|resent-.*")
_NEEDS_QUOTES = re.compile(r'[()<>\[\]:;@\\,."]')
_PLAIN_NAME = re.compile(r"[\w' -]+")
# Thousands of letters have the same sender and subject, and reading these takes longer than all the rest.
_remembered = lru_cache(maxsize=64)
_KEY_SAFE = re.compile(r"[A-Za-z0-9._@+=-]+")


class Untranslatable(ValueError):
    """The letter has something for which Resend's JSON has no place. The message says what."""


def translate(envelope: Envelope) -> bytes:
    """Return the letter as one JSON object in ASCII. The same envelope gives the same bytes.

    It goes to the envelope's recipient, whatever the To header says. Every other header goes along in `headers`, the
    Message-ID too, but for those that Resend writes itself (Date is one). Resend chooses the return path. Text has line
    feeds for line ends. Where there is no plain text, Resend is told not to make any up.

    Raises `Untranslatable` for a letter with attachments, with further recipients, without sender or subject, or with
    text that is not in the character set it claims.
    """
    message = email.message_from_bytes(envelope.message)
    headers = _headers(message)
    known = {name.lower(): value for name, value in headers}
    if len(known) != len(headers):
        raise Untranslatable("a header stands twice in the letter")
    if refused := next((name for name in known if _REFUSED_HEADERS.fullmatch(name)), None):
        raise Untranslatable(f"the letter has a header that would name further recipients: {refused}")
    letter: dict[str, object] = {"from": _sender(known.get("from", "")), "to": [_recipient(envelope, known)]}
    if "reply-to" in known:
        letter["reply_to"] = list(_mailboxes("reply-to", known["reply-to"]))
    if not known.get("subject"):
        raise Untranslatable("the letter has no subject")
    letter["subject"] = _decoded(known["subject"])
    letter |= _bodies(message)
    letter["headers"] = {
        name: value
        for name, value in headers
        if name.lower() not in _OWN_HEADERS and not name.lower().startswith("content-")
    }
    tag = base64.urlsafe_b64encode(envelope.message_id.encode("utf-8")).rstrip(b"=").decode("ascii")
    if 0 < len(tag) <= _LONGEST_TAG:
        letter["tags"] = [{"name": MESSAGE_ID_TAG, "value": tag}]
    return json.dumps(letter, ensure_ascii=True, separators=(",", ":")).encode("ascii")


def read_message_id_tag(tag: str) -> str | None:
    """Return the Message-ID that `translate` put into a tag, or None where the tag is somebody else's."""
    if not 0 < len(tag) <= _LONGEST_TAG:
        return None
    try:
        return base64.b64decode(tag + "=" * (-len(tag) % 4), altchars=b"-_", validate=True).decode("ascii")
    except ValueError:
        return None


def key_for(message_id: str, body: bytes) -> str:
    """Return the Idempotency-Key of a letter sent by itself: its Message-ID and the SHA-256 of what is sent.

    The same letter has the same key over every retry, and other bytes have another, so that a correction is never
    taken for a repeat. At most 256 characters, which is what Resend takes.
    """
    bare = message_id.removeprefix("<").removesuffix(">")
    if len(bare) > _LONGEST_MESSAGE_ID_IN_KEY or not _KEY_SAFE.fullmatch(bare):
        bare = hashlib.sha256(message_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{bare}/{hashlib.sha256(body).hexdigest()}"


def _headers(message: Message) -> list[tuple[str, str]]:
    headers = []
    for name, raw in message.raw_items():
        try:
            # The parser hands over what is not ASCII as lone surrogates; it is UTF-8 (RFC 6532) or it is nothing.
            value = str(raw).encode("ascii", "surrogateescape").decode("utf-8")
        except UnicodeError:
            raise Untranslatable(f"the header {name} is not UTF-8") from None
        value = re.sub(r"\r?\n(?=[ \t])", "", value).replace("\t", " ").strip()
        if not value.isprintable() and any(unicodedata.category(character).startswith("C") for character in value):
            raise Untranslatable(f"the header {name} has a control character")
        headers.append((name, value))
    return headers


@_remembered
def _decoded(value: str) -> str:
    try:
        return str(make_header(decode_header(value))) if "=?" in value else value
    except (LookupError, UnicodeError, MessageError):
        raise Untranslatable(f"a header has encoded words that cannot be read: {value}") from None


@_remembered
def _mailboxes(name: str, value: str) -> tuple[str, ...]:
    found = getaddresses([value])
    if not found or not all("@" in address for _, address in found):
        raise Untranslatable(f"the letter's {name} header is no address: {value!r}")
    return tuple(_mailbox(_decoded(display), address) for display, address in found)


def _sender(value: str) -> str:
    found = _mailboxes("from", value)
    if len(found) > 1:
        raise Untranslatable("the letter's from header has more than one address")
    return found[0]


def _recipient(envelope: Envelope, known: dict[str, str]) -> str:
    """The recipient with the name the letter gives it, if that name can be misread by nobody.

    A name in quotes might be refused as an invalid recipient, and then the letter would be lost for a nicety.
    """
    for display, address in getaddresses([known.get("to", "")]):
        name = _decoded(display)
        if address == envelope.recipient and _PLAIN_NAME.fullmatch(name):
            return f"{name} <{address}>"
    return envelope.recipient


def _mailbox(name: str, address: str) -> str:
    if not name:
        return address
    if _NEEDS_QUOTES.search(name):
        escaped = name.replace("\\", "\\\\").replace('"', '\\"')
        name = f'"{escaped}"'
    return f"{name} <{address}>"


def _bodies(message: Message) -> dict[str, object]:
    bodies: dict[str, object] = {"text": ""}
    seen = set()
    for part in message.walk():
        kind = part.get_content_type()
        if part.defects:
            raise Untranslatable(f"a part of the letter is broken: {type(part.defects[0]).__name__}")
        if kind == "multipart/alternative":
            continue
        if kind not in ("text/plain", "text/html") or part.get_content_disposition() == "attachment" or kind in seen:
            raise Untranslatable(f"the letter has a part that is neither its text nor its HTML: {kind}")
        seen.add(kind)
        bodies["text" if kind == "text/plain" else "html"] = _text_of(part)
    if not seen:
        raise Untranslatable("the letter has no text")
    return bodies


def _text_of(part: Message) -> str:
    raw = part.get_payload(decode=True)
    try:
        text = raw.decode(part.get_content_charset("utf-8")) if isinstance(raw, bytes) else ""
    except (LookupError, UnicodeError):
        raise Untranslatable("a part of the letter is not in the character set it claims") from None
    return text.replace("\r\n", "\n").replace("\r", "\n")
