"""What a message to the bounce address was read as, and what of it is about the address that a letter went to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypedDict

from registry.readers.delivery_status import Action, RecipientStatus, Whose, choose_statuses


class Permanence(StrEnum):
    """Whether the same letter to the same address would fail again: the class of the status, 5 or 4 (RFC 3463)."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"


class UnreadableReason(StrEnum):
    """Why a message is for a person to read."""

    EMPTY = "empty"
    TOO_LARGE = "too-large"
    TOO_NESTED = "too-nested"
    BROKEN = "broken"
    """Reading it failed; `diagnostic` is how."""
    NO_HEADERS = "no-headers"
    NO_OUTCOME = "no-outcome"
    """A mail system wrote it, and it does not say in any known form what became of which letter."""
    NO_REPORT = "no-report"
    """It looks written by a person."""
    CONTRADICTORY = "contradictory"
    """It calls itself an automatic reply and reads like a bounce."""
    OTHER_FEEDBACK = "other-feedback"
    """A feedback report that is no complaint."""


@dataclass(frozen=True, kw_only=True)
class _Message:
    """What is read from any message.

    `delivered_to` are the addresses that the message came to, by its own headers, and the return path of the letter it
    returns: one of them may be a signed return path. `recipients` are whom the report is about, and `statuses` what it
    says of each, where it says so for each. `status` is the enhanced code (5.1.1), `diagnostic` what the other side
    said, in one clean line of at most 2,000 characters. `original_message_id` is that of the letter, with its angle
    brackets. `happened_at` (UTC) is as the other side states it, and so may be anything.
    """

    delivered_to: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    statuses: tuple[RecipientStatus, ...] = ()
    status: str | None = None
    diagnostic: str = ""
    original_message_id: str | None = None
    happened_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class Bounce(_Message):
    """A letter did not arrive, or not yet.

    `gave_up` is whether the server stopped trying. It may have done so for a transient reason (a mailbox that was full
    for days: action failed, status 4.2.2): the letter is lost, and the address need not be. With `gave_up` false the
    letter waits there, and another report may follow.
    """

    permanence: Permanence
    gave_up: bool


@dataclass(frozen=True, kw_only=True)
class DeliveryConfirmation(_Message):
    """A letter went on its way or arrived. Only the action `delivered` says that it lies in the mailbox."""

    action: Action


@dataclass(frozen=True, kw_only=True)
class Complaint(_Message):
    """The recipient has the letter and reported it, as `feedback_type`: abuse, fraud, opt-out or opt-out-list."""

    feedback_type: str


@dataclass(frozen=True, kw_only=True)
class AutoReply(_Message):
    """A program answered for a person. It is no bounce and no receipt; `diagnostic` is what it says.

    That somebody has left for good is said in the same form, so it is worth showing to the team.
    """


@dataclass(frozen=True, kw_only=True)
class UnreadableBounce(_Message):
    """A message that a person must read."""

    reason: UnreadableReason


BounceMessage = Bounce | DeliveryConfirmation | Complaint | AutoReply | UnreadableBounce


@dataclass(frozen=True)
class Narrowed:
    """What a message says of a letter to one address.

    `report` is of the recipients that `whose` names. With `others_failed` the letter failed for somebody besides them.
    """

    report: BounceMessage
    whose: Whose
    others_failed: bool = False


class Context(TypedDict):
    """What every result takes from the message, whatever the message turns out to be."""

    delivered_to: tuple[str, ...]
    original_message_id: str | None
    happened_at: datetime | None


def narrow(report: BounceMessage, is_ours: Callable[[str], bool]) -> Narrowed:
    """Return what a report says of a letter to the address that `is_ours` knows.

    First stands what it says of that address itself. Where it has nothing on it, what it says of the mailboxes that the
    letter was sent on to: those whose original recipient is that address. Else what it says of others, of whom nobody
    knows what they have to do with it.
    """
    if isinstance(report, Complaint):
        is_of_another = bool(report.recipients) and not any(map(is_ours, report.recipients))
        return Narrowed(report, Whose.ANOTHER if is_of_another else Whose.OURS)
    if not report.statuses:
        return Narrowed(report, Whose.OURS)
    said, whose = choose_statuses(report.statuses, is_ours)
    context: Context = {
        "delivered_to": report.delivered_to,
        "original_message_id": report.original_message_id,
        "happened_at": report.happened_at,
    }
    return Narrowed(
        say_statuses(said, report.statuses, context), whose, _count_failed(report.statuses) > _count_failed(said)
    )


def say_statuses(
    said: Sequence[RecipientStatus], statuses: Sequence[RecipientStatus], context: Context
) -> BounceMessage:
    """Return the report that `said`, which are all of one kind, make among all the statuses of a message."""
    first = said[0]
    recipients = tuple(dict.fromkeys(each.recipient for each in said if each.recipient is not None))
    if first.happened_at is not None:
        context["happened_at"] = first.happened_at
    if first.action not in (Action.FAILED, Action.DELAYED):
        return DeliveryConfirmation(
            action=first.action,
            recipients=recipients,
            statuses=tuple(statuses),
            status=first.status,
            diagnostic=first.diagnostic,
            **context,
        )
    return Bounce(
        permanence=Permanence.PERMANENT if first.is_permanent else Permanence.TRANSIENT,
        gave_up=first.action is Action.FAILED,
        recipients=recipients,
        statuses=tuple(statuses),
        status=first.status,
        diagnostic=first.diagnostic,
        **context,
    )


def _count_failed(statuses: Sequence[RecipientStatus]) -> int:
    return sum(each.action is Action.FAILED for each in statuses)
