"""A mail from a stranger, read within bounds: whatever it holds, reading it ends soon.

The standard library's parser calls itself for each message within a message, and takes much longer than the length of a
text for some texts that nobody writes in good faith. So what is given to it is bounded first.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message
from email.parser import HeaderParser, Parser
from email.utils import parsedate_to_datetime
from typing import Final

LONGEST_TEXT: Final = 2_000
"""The most characters of what the other side said that are kept."""

# A report stands before the letter it returns, within the first kilobytes.
_BYTES_READ: Final = 512 * 1024
_LINES_READ: Final = 20_000
_LONGEST_LINE: Final = 1_000
"""RFC 5322 section 2.1.1 allows 998 characters."""
_LONGEST_CONTENT_TYPE: Final = 4_000
_MOST_PARTS: Final = 60
_LONGEST_HEADER: Final = 10_000
_MOST_ADDRESSES: Final = 20

_CONTENT_TYPE = re.compile(r"^content-type:[^\n]*(?:\n[ \t][^\n]*)*", re.I | re.M)
# Every level that a message nests has one of these in its Content-Type.
_NESTING = re.compile(r"boundary[\s*0-9]*=|message/", re.I)
_IN_ADDRESS = r"[^\s\x00-\x1f\x7f<>()\[\],;:\\\"@]"
# Servers that rewrite return paths make mailboxes longer than the 64 octets that are allowed.
_ADDRESS = re.compile(rf"(?<!{_IN_ADDRESS}){_IN_ADDRESS}{{1,200}}@{_IN_ADDRESS}{{1,253}}")
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,250}>")
_BLANK_LINE = re.compile(r"\n[ \t]*(?=\n)")
# Unknown names, and codecs that are no character sets at all, are read as UTF-8.
_CHARSETS = re.compile(r"iso-8859-\d{1,2}|windows-125\d|iso-2022-jp|shift_jis|euc-(?:jp|kr)|gb(?:2312|k|18030)|big5")


class MessageTooNested(Exception):
    """The message holds more parts within parts than any mail server makes."""


def read_text(message: bytes) -> str:
    """Return the beginning of a message as text with bounded lines, for the readers below.

    What is not UTF-8 is replaced, so that no header is anything but text.
    """
    text = message[:_BYTES_READ].decode("utf-8", "replace")
    for line_end in ("\r\r\n", "\r\n", "\r"):  # the first is made by programs that put a CR before each LF they see
        text = text.replace(line_end, "\n")
    return "\n".join(line[:_LONGEST_LINE] for line in text.split("\n", _LINES_READ)[:_LINES_READ])


def read_headers(text: str) -> Message:
    """Return the headers that `text` begins with."""
    return HeaderParser().parsestr(text)


def read_message(text: str) -> Message:
    """Return the message with its parts. Raises `MessageTooNested`."""
    if len(_NESTING.findall(text)) > _MOST_PARTS:
        raise MessageTooNested
    if any(len(found[0]) > _LONGEST_CONTENT_TYPE for found in _CONTENT_TYPE.finditer(text)):
        raise MessageTooNested
    return Parser().parsestr(text)


def own_parts(message: Message) -> Iterator[Message]:
    """Yield the parts that are no containers, in order. What stands inside a returned letter is none of them."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        payload = part.get_payload()
        if part.get_content_maintype() == "multipart" and isinstance(payload, list):
            waiting += reversed([each for each in payload if isinstance(each, Message)])
        else:
            yield part


def text_of(part: Message) -> str:
    """Return what a part says, decoded. Never raises; what cannot be decoded is replaced."""
    payload = part.get_payload()
    if not isinstance(payload, str):
        return ""
    if _encoding_of(part) not in ("base64", "quoted-printable"):
        return payload
    decoded = part.get_payload(decode=True)
    charset = str(part.get_content_charset() or "")
    known = charset if _CHARSETS.fullmatch(charset) else "utf-8"
    return decoded.decode(known, "replace").replace("\r\n", "\n") if isinstance(decoded, bytes) else ""


def blocks_of(part: Message) -> Iterator[Message]:
    """Yield the blocks of headers that a part of the type message/… is made of.

    A returned letter's first block is its headers; a delivery status has one for the message and one for each
    recipient (RFC 3464 section 2.1).
    """
    payload = part.get_payload()
    if not isinstance(payload, list):
        yield from _blocks(text_of(part))
        return
    blocks = [each for each in payload if isinstance(each, Message)]
    if _encoding_of(part) == "base64":
        # Not allowed (RFC 2046 section 5.2), and done: the parser took the Base64 for a message without headers.
        encoded = Message()
        encoded["Content-Transfer-Encoding"] = "base64"
        encoded.set_payload("".join(text_of(block) for block in blocks))
        yield from _blocks(text_of(encoded))
        return
    for block in blocks:
        yield block
        # The parser knows the blocks of a delivery status only; of its newer kin the first is headers, the rest text.
        yield from _blocks(text_of(block))


def _blocks(text: str) -> Iterator[Message]:
    for block in _BLANK_LINE.split(text):
        if block.strip():
            yield read_headers(block.lstrip("\n"))


def _encoding_of(part: Message) -> str:
    return header(part, "Content-Transfer-Encoding").strip().lower()


def header(message: Message, name: str) -> str:
    """Return a header as it stands in the message, cut at 10,000 characters; empty where there is none."""
    return str(message.get(name, ""))[:_LONGEST_HEADER]


def words_of(message: Message, name: str) -> str:
    """Return a header in words, cleaned: decoded where it is encoded (RFC 2047) and can be."""
    raw = header(message, name)
    try:
        return clean(str(make_header(decode_header(raw[:_LONGEST_LINE]))))
    except (MessageError, LookupError, ValueError):
        return clean(raw)


def addresses_in(message: Message, *names: str) -> tuple[str, ...]:
    """Return the bare addresses in the headers of these names, each once, in order, at most 20."""
    return find_addresses(
        " ".join(
            str(value)[:_LONGEST_HEADER] for name in names for value in message.get_all(name, [])[:_MOST_ADDRESSES]
        )
    )


def find_addresses(text: str) -> tuple[str, ...]:
    """Return the bare addresses in a text, each once, in order, at most 20."""
    found: dict[str, str] = {}
    for match in _ADDRESS.finditer(text):
        address = match[0].removesuffix(".")
        if clean(address) == address:
            found.setdefault(address.lower(), address)
        if len(found) == _MOST_ADDRESSES:
            break
    return tuple(found.values())


def message_id_in(message: Message, *names: str) -> str | None:
    """Return the first Message-ID, with its angle brackets, in the headers of these names."""
    return next((found for name in names if (found := find_message_id(header(message, name)))), None)


def find_message_id(text: str) -> str | None:
    """Return the first Message-ID in a text, with its angle brackets."""
    match = _MESSAGE_ID.search(text)
    return match[0] if match and clean(match[0]) == match[0] else None


def instant_in(message: Message, name: str) -> datetime | None:
    """Return the instant (UTC) that a header states, or None for one that is not there, is none, or names no zone."""
    text = header(message, name).strip()[:100]
    try:
        stated = parsedate_to_datetime(text)
        if stated.tzinfo is None and text.endswith("-0000"):
            # UTC, by a server that does not say where it stands (RFC 5322 section 3.3).
            stated = stated.replace(tzinfo=UTC)
        return None if stated.tzinfo is None else stated.astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def clean(text: str) -> str:
    """Make what a stranger wrote fit to be stored and shown: one line, no control characters, at most 2,000 long."""
    # Cut first, with room to spare: a stranger must not have a megabyte cleaned to keep two thousand characters.
    spaced = "".join(
        " " if unicodedata.category(character).startswith(("C", "Z")) else character
        for character in text[: 4 * LONGEST_TEXT]
    )
    cleaned = " ".join(spaced.split())
    return cleaned if len(cleaned) <= LONGEST_TEXT else cleaned[: LONGEST_TEXT - 1] + "…"
