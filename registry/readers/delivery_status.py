"""The part of a bounce that is written for machines: one status for each recipient (RFC 3464)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from email.message import Message
from enum import StrEnum

from registry.readers.mail_message import addresses_in, blocks_of, clean, header, instant_in

_STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})

# RFC 3463 section 2; the subjects are those of its section 3, which keeps version numbers and addresses out.
_STATUS_IN_TEXT = re.compile(r"(?<![\d.])[245]\.[0-7]\.\d{1,3}(?!\d|\.\d)")
_STATUS_FIELD = re.compile(r"\s*([245]\.\d{1,3}\.\d{1,3})(?!\d|\.\d)")
_REPLY_CODE = re.compile(r"(?<![\d.])([245])[0-5]\d(?=[ -])")
_DIAGNOSTIC_TYPE = re.compile(r"\s*[\w-]{1,40}\s*;")


class Action(StrEnum):
    """What the reporting server did (RFC 3464 section 2.3.3).

    Only `delivered` says that the letter lies in the recipient's mailbox. `relayed` is that it went on to a server that
    reports no deliveries, `expanded` that it went on to a list of further recipients.
    """

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"
    EXPANDED = "expanded"
    DELIVERED = "delivered"


@dataclass(frozen=True)
class RecipientStatus:
    """What is reported of one recipient. The address is the one we wrote to, where the report names it."""

    action: Action
    is_permanent: bool
    recipient: str | None
    status: str | None
    diagnostic: str
    happened_at: datetime | None


def read_statuses(parts: Iterable[Message]) -> list[RecipientStatus]:
    """Return the statuses in the parts of a message that are for machines, in order. What says nothing is left out."""
    blocks = (block for part in parts if part.get_content_type() in _STATUS_TYPES for block in blocks_of(part))
    return list(_statuses(blocks))


def _statuses(blocks: Iterable[Message]) -> Iterator[RecipientStatus]:
    for block in blocks:
        diagnostic = clean(_DIAGNOSTIC_TYPE.sub("", header(block, "Diagnostic-Code"), count=1))
        status = _choose_status(header(block, "Status"), diagnostic)
        status_class = status[0] if status else find_class(diagnostic)
        action = _read_action(header(block, "Action"), status_class)
        if action is None:
            continue
        recipients = addresses_in(block, "Original-Recipient") or addresses_in(block, "Final-Recipient")
        yield RecipientStatus(
            action=action,
            is_permanent=action is Action.FAILED and status_class != "4",
            recipient=recipients[0] if recipients else None,
            status=status,
            diagnostic=diagnostic,
            happened_at=instant_in(block, "Last-Attempt-Date"),
        )


def find_status(text: str) -> str | None:
    """Return the first enhanced status code in a text, such as 5.1.1 (RFC 3463)."""
    match = _STATUS_IN_TEXT.search(text)
    return match[0] if match else None


def find_class(text: str) -> str | None:
    """Return the class, "2", "4" or "5", of the first code in a text: enhanced, or else a reply code such as 550."""
    status = find_status(text)
    if status is not None:
        return status[0]
    match = _REPLY_CODE.search(text)
    return match[1] if match else None


def _choose_status(field: str, diagnostic: str) -> str | None:
    match = _STATUS_FIELD.match(field)
    said = find_status(diagnostic)
    if match is None:
        return said
    # Exim and others give 5.0.0 to whatever failed; the far server's own words then know more.
    is_vague = match[1].endswith(".0.0")
    return said if is_vague and said is not None and said[0] == match[1][0] else match[1]


def _read_action(field: str, status_class: str | None) -> Action | None:
    word = field.strip().lower()
    if word.startswith("error"):
        return Action.FAILED  # OpenSMTPD's word for it
    # Some servers put a comment behind the word.
    named = next((action for action in Action if word.startswith(action)), None)
    if named is not None or status_class not in ("4", "5"):
        return named
    # Without an action nobody says that the letter will be tried again. To take it for given up is the safe side.
    return Action.FAILED
