"""The part of a bounce that is written for machines: one status for each recipient (RFC 3464)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
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
# What Exim says once it has given up a letter that was only ever put off.
_TRIED_FOR_LONG = re.compile(
    r"\bretry timeout exceeded|\bfailing for a long time|\bafter a long failure period", re.IGNORECASE
)


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


class Whose(StrEnum):
    """Whom a report is about, seen from the address that we wrote to."""

    OURS = "ours"
    """That address, or nobody is named."""
    BEHIND_OURS = "behind-ours"
    """Another mailbox that the letter to that address was sent on to, as the report says."""
    ANOTHER = "another"
    """An address of which nothing here says what it has to do with ours: a forward's target, a list's member."""


@dataclass(frozen=True)
class RecipientStatus:
    """What is reported of one recipient.

    `final` is the mailbox that it befell, `original` the address that the letter was sent to at first (RFC 3464
    sections 2.3.1 and 2.3.2), where the report names them.
    """

    action: Action
    is_permanent: bool
    original: str | None
    final: str | None
    status: str | None
    diagnostic: str
    happened_at: datetime | None

    @property
    def recipient(self) -> str | None:
        """The address we wrote to, where the report names it, or else whom it befell."""
        return self.original or self.final

    def whose(self, is_ours: Callable[[str], bool]) -> Whose:
        """Return whom it is about, where `is_ours` knows the address that we wrote to."""
        befell = self.final or self.original
        if befell is None or is_ours(befell):
            return Whose.OURS
        return Whose.BEHIND_OURS if self.original is not None and is_ours(self.original) else Whose.ANOTHER


def read_statuses(parts: Iterable[Message], words: str = "") -> list[RecipientStatus]:
    """Return the statuses in the parts of a message that are for machines, in order. What says nothing is left out.

    `words` are what the report says to people. They count where it is about one recipient alone, and says nothing to
    machines of why the letter failed.
    """
    blocks = (block for part in parts if part.get_content_type() in _STATUS_TYPES for block in blocks_of(part))
    statuses = list(_statuses(blocks))
    return [_by_words(statuses[0], words)] if len(statuses) == 1 else statuses


def _statuses(blocks: Iterable[Message]) -> Iterator[RecipientStatus]:
    for block in blocks:
        diagnostic = clean(_DIAGNOSTIC_TYPE.sub("", header(block, "Diagnostic-Code"), count=1))
        status = _choose_status(header(block, "Status"), diagnostic)
        status_class = _choose_class(status, diagnostic)
        action = _read_action(header(block, "Action"), status_class)
        if action is None:
            continue
        yield RecipientStatus(
            action=action,
            is_permanent=action is Action.FAILED and status_class != "4",
            original=next(iter(addresses_in(block, "Original-Recipient")), None),
            final=next(iter(addresses_in(block, "Final-Recipient")), None),
            status=status,
            diagnostic=diagnostic,
            happened_at=instant_in(block, "Last-Attempt-Date"),
        )


def _by_words(each: RecipientStatus, words: str) -> RecipientStatus:
    if each.action is not Action.FAILED or each.diagnostic or not is_vague(each.status):
        return each
    status = _choose_status(each.status or "", words)
    is_permanent = _choose_class(status, words) != "4"
    return replace(each, is_permanent=is_permanent, status=status, diagnostic=clean(words))


def find_worst(statuses: Sequence[RecipientStatus]) -> list[RecipientStatus]:
    """Return those that say the worst: failed for good, then for now, then delayed, and a delivery last."""
    worst = min(map(_rank, statuses))
    return [each for each in statuses if _rank(each) == worst]


def choose_statuses(
    statuses: Sequence[RecipientStatus], is_ours: Callable[[str], bool]
) -> tuple[list[RecipientStatus], Whose]:
    """Return the statuses that count for a letter to the address that `is_ours` knows, and whom they are about.

    What is said of that address itself stands over all else. Then comes what is said of mailboxes that its letter was
    sent on to, and of several the best: one that has the letter has it. What is said of others counts where there is
    nothing else.
    """
    by_whose: dict[Whose, list[RecipientStatus]] = {whose: [] for whose in Whose}
    for each in statuses:
        by_whose[each.whose(is_ours)].append(each)
    whose = next(whose for whose, said in by_whose.items() if said)
    said = by_whose[whose]
    if whose is not Whose.BEHIND_OURS:
        return find_worst(said), whose
    best = max(map(_rank, said))
    return [each for each in said if _rank(each) == best], whose


def _rank(each: RecipientStatus) -> tuple[int, bool]:
    return list(Action).index(each.action), not each.is_permanent


def find_status(text: str) -> str | None:
    """Return the first enhanced status code in a text, such as 5.1.1 (RFC 3463).

    One that says no more than its class, such as 5.0.0 or Exchange's 5.0.350, gives way to a later one of that class.
    """
    found = [match[0] for match in _STATUS_IN_TEXT.finditer(text)]
    telling = (each for each in found if each[0] == found[0][0] and not is_vague(each))
    return next(telling, found[0]) if found else None


def find_class(text: str) -> str | None:
    """Return the class, "2", "4" or "5", of the first code in a text: enhanced, or else a reply code such as 550.

    Where there is no code, what Exim says of a letter that it put off for too long is of the class "4".
    """
    status = find_status(text)
    if status is not None:
        return status[0]
    match = _REPLY_CODE.search(text)
    if match is not None:
        return match[1]
    return "4" if _TRIED_FOR_LONG.search(text) else None


def is_vague(status: str | None) -> bool:
    """Return whether a status is missing, or names no subject (RFC 3463 section 3.1), whatever its last number is."""
    return status is None or status.split(".")[1] == "0"


def _choose_status(field: str, diagnostic: str) -> str | None:
    match = _STATUS_FIELD.match(field)
    said = find_status(diagnostic)
    if match is None:
        return said
    # Exim and others give 5.0.0 to whatever failed, also for now; the far server's own words then know more.
    known = said is not None and (said[0] == match[1][0] or (said[0], match[1][0]) == ("4", "5"))
    return said if known and is_vague(match[1]) else match[1]


def _choose_class(status: str | None, diagnostic: str) -> str | None:
    if status is None:
        return find_class(diagnostic)
    return "4" if status[0] == "5" and is_vague(status) and find_class(diagnostic) == "4" else status[0]


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
