"""From a frozen letter and one recipient's values to the bytes that are sent, hashed and, if need be, made again (R30).

The same letter, merge and sender give the same bytes, in any process and in later releases: nothing here reads a clock,
a random source or a setting, and `registry.letters.mime` writes every line itself. Whoever changes what this module
makes gives it a new `MERGE_VERSION`; a golden digest in the tests notices.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Sequence
from typing import Final

from registry.domain.errors import RegistryError
from registry.domain.text import find_unclean
from registry.domain.vocabulary import Audience
from registry.letters import plain_text
from registry.letters.mime import (
    ImpossibleHeader,
    address_header,
    ascii_address,
    date_header,
    text_header,
    verbatim_header,
    write_alternative,
)
from registry.letters.slots import LINKS, SLOTS, STX, UnknownSlot, fill_slots
from registry.letters.values import FrozenLetter, Merge, Sender

MERGE_VERSION: Final = 1
"""The way of composing this release has. Bytes of a merge of another version cannot be made by it."""

WEB_ADDRESS = re.compile(r"https?://[!-~]+")
_OWN_HEADERS: Final = frozenset(
    {"from", "sender", "to", "cc", "bcc", "reply-to", "subject", "date", "message-id", "auto-submitted"}
    | {"return-path", "mime-version", "content-type", "content-transfer-encoding", "content-disposition"}
)
"""What the letter itself says, or nobody may: no delivery brings these along."""


class ImpossibleLink(RegistryError):
    """A slot for a web address was given something else. Params: slot, value."""

    code = "impossible-link"


class OtherMergeVersion(RegistryError):
    """A merge was stored by another way of composing, so its bytes cannot be made again here. Params: version, own."""

    code = "other-merge-version"


def compose(letter: FrozenLetter, merge: Merge, sender: Sender) -> bytes:
    """Fill the slots of `letter` with the values of `merge` and return the message as RFC 5322 bytes, before any DKIM.

    `merge.date_at` is an aware instant and becomes the Date header in UTC. Names and words are cleaned rather than
    refused, since a stray character in a customer's name must not keep a letter from it; a link is exact or refused.

    Raises `MissingSlotValue`, `UnknownSlot`, `BrokenSlot`, `ImpossibleLink`, `ImpossibleHeader`, `BoundaryInContent` or
    `OtherMergeVersion`.
    """
    if merge.merge_version != MERGE_VERSION:
        raise OtherMergeVersion(version=merge.merge_version, own=MERGE_VERSION)
    values = slot_values(merge)
    escaped = {name: html.escape(value, quote=True) for name, value in values.items()}
    headers = [
        ("From", address_header("From", on_one_clean_line(sender.name), sender.from_address)),
        ("To", address_header("To", on_one_clean_line(merge.recipient_name or ""), merge.recipient)),
        ("Reply-To", reply_to_header(sender)),
        ("Subject", text_header("Subject", fill_slots(letter.subject, values))),
        ("Date", date_header(merge.date_at)),
        ("Message-ID", verbatim_header("Message-ID", merge.message_id)),
        ("Auto-Submitted", "auto-generated"),
        *extra_headers(merge.headers),
    ]
    text = "\n".join(_fill_line(line, values) for line in letter.text.split("\n"))
    return write_alternative(headers, merge.boundary, text, fill_slots(letter.html, escaped))


def reply_to_header(sender: Sender) -> str:
    """Return where answers to a letter go. People read the contact as it was written, mail servers only ASCII.

    Raises `ImpossibleHeader`.
    """
    return address_header("Reply-To", None, ascii_address(sender.contact))


def sha256_of(message: bytes) -> str:
    """Return the SHA-256 of a message's bytes, in hexadecimal, as the record of an attempt keeps it (R30)."""
    return hashlib.sha256(message).hexdigest()


def list_headers(
    sender: Sender, audience: Audience, unsubscribe_url: str | None, list_id_host: str
) -> tuple[tuple[str, str], ...]:
    """Return the list headers of one letter, in order: List-Id, and how to leave.

    A follower leaves with one click (RFC 8058: `unsubscribe_url` takes the POST). A contract contact cannot silently
    end the duty to tell its company (R34), so its `unsubscribe_url` is the page where the contact is changed, and there
    is no List-Unsubscribe-Post. The two audiences are two lists (RFC 2919). `list_id_host` is a host; a port is cut.
    """
    is_follower = audience is Audience.FOLLOWER
    host = list_id_host.partition(":")[0]
    headers = [("List-Id", f"<{sender.slug}.{'notices' if is_follower else 'customer-notices'}.{host}>")]
    if unsubscribe_url is not None:
        if any(character in unsubscribe_url for character in "<>, "):
            raise ImpossibleHeader(header="List-Unsubscribe", value=unsubscribe_url, why="not-a-web-address")
        headers.append(("List-Unsubscribe", f"<{unsubscribe_url}>"))
        if is_follower:
            headers.append(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"))
    return tuple(headers)


def slot_values(merge: Merge) -> dict[str, str]:
    """Return the values of a merge as they are filled in. Raises `UnknownSlot` or `ImpossibleLink`."""
    values: dict[str, str] = {}
    for name, value in merge.slots:
        if name not in SLOTS:
            raise UnknownSlot(slot=name)
        if name not in LINKS:
            value = on_one_clean_line(value)
        elif not WEB_ADDRESS.fullmatch(value):
            raise ImpossibleLink(slot=name, value=value)
        values[name] = value
    return values


def on_one_clean_line(words: str) -> str:
    """Leave out what may not stand in text people read, and every line break; what remains are the same words."""
    if words.isprintable():
        return " ".join(words.split())
    return " ".join("".join(" " if find_unclean(character) else character for character in words).split())


def _fill_line(line: str, values: dict[str, str]) -> str:
    slot_at = line.find(STX)
    filled = fill_slots(line, values)
    return filled if slot_at < 0 else plain_text.rewrap(filled, slot_at)


def extra_headers(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return the headers a delivery brings along. Raises `ImpossibleHeader` for one that is the letter's, or twice."""
    seen: set[str] = set()
    extra = []
    for name, value in headers:
        if name.lower() in _OWN_HEADERS or name.lower() in seen:
            raise ImpossibleHeader(header=name, value=value, why="not-allowed-here")
        seen.add(name.lower())
        extra.append((name, verbatim_header(name, value)))
    return extra
