"""What is reported of a letter after somebody took it: what each report says, moves and suppresses (R12, R26).

    Moves nothing        sent · relayed · expanded · delayed · bounced_transient
    Proves receipt       delivered · complained (and the address is written to no more)
    The letter is lost   gave_up · refused · failed
                         bounced · suppressed (and the address is written to no more)

Reports come early, twice and in any order. What they come to does not depend on it: lost over received over nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from registry.domain.deliveries import DeliveryEvent


class OutcomeKind(StrEnum):
    """What a report says."""

    SENT = "sent"
    """The provider has the letter and will try."""
    RELAYED = "relayed"
    """It went on to a server that reports no deliveries."""
    EXPANDED = "expanded"
    """It went on to a list of further recipients."""
    DELAYED = "delayed"
    """It waits on its way, and is tried again there."""
    BOUNCED_TRANSIENT = "bounced_transient"
    """Something came back, and nobody says that the letter is lost: an automatic reply may be all there was."""
    DELIVERED = "delivered"
    COMPLAINED = "complained"
    """Its recipient called it unwanted, and so has it (R12)."""
    GAVE_UP = "gave_up"
    """It is lost for a reason that passes, such as a mailbox that was full for days."""
    REFUSED = "refused"
    """It is lost for what it is or who sent it: policy, spam, size. The same address may take another letter."""
    BOUNCED = "bounced"
    """It is lost, and so would be any other to this address."""
    FAILED = "failed"
    """The provider took it and could not send it."""
    SUPPRESSED = "suppressed"
    """The provider took it and did not try, since the address bounced or complained before."""


class SuppressionReason(StrEnum):
    """Why an address must not be sent to, the weightiest last: of several it is the one on record."""

    SUPPRESSED_BY_PROVIDER = "suppressed_by_provider"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    BY_HAND = "by_hand"


LOST: Final = frozenset(
    {
        *(OutcomeKind.GAVE_UP, OutcomeKind.REFUSED, OutcomeKind.BOUNCED),
        *(OutcomeKind.FAILED, OutcomeKind.SUPPRESSED),
    }
)
"""After these the letter is certainly not with its recipient."""

EVENTS: Final[Mapping[OutcomeKind, DeliveryEvent]] = {
    OutcomeKind.DELIVERED: DeliveryEvent.REPORT_DELIVERED,
    OutcomeKind.COMPLAINED: DeliveryEvent.REPORT_COMPLAINT,
    **dict.fromkeys(LOST, DeliveryEvent.REPORT_BOUNCED),
}
"""What a report does to a delivery; those that are missing are on record and move nothing."""

SUPPRESSES: Final[Mapping[OutcomeKind, SuppressionReason]] = {
    OutcomeKind.BOUNCED: SuppressionReason.BOUNCED,
    OutcomeKind.COMPLAINED: SuppressionReason.COMPLAINED,
    OutcomeKind.SUPPRESSED: SuppressionReason.SUPPRESSED_BY_PROVIDER,
}

# By subject and detail of RFC 3463, without the class. What is not here blames the address, or nobody knows what.
_BLAMES_THE_SENDER: Final = ("1.7", "1.8", "1.90")  # 1.90 is Exchange's, once this side's limit for a day is used up
_BLAMES_THE_LETTER: Final = ("2.3", "3.4")
_MAY_PASS: Final = ("2.2", "2.4", "2.121", "2.122")  # the last two are Exchange's limits of an hour
_NO_WAY_TO_IT: Final = ("4.0", "4.1", "4.4", "4.310")  # 4.310 is Exchange's for a domain that is not there
_BY_SUBJECT: Final[Mapping[str, OutcomeKind]] = {
    "3": OutcomeKind.GAVE_UP,  # the far mail system itself
    "4": OutcomeKind.GAVE_UP,  # the way there: no answer, no connection, a loop, too long on the road
    "5": OutcomeKind.REFUSED,  # the protocol
    "6": OutcomeKind.REFUSED,  # the content
    "7": OutcomeKind.REFUSED,  # security and policy: spam filters, SPF, DKIM, DMARC
}


def outranks(reason: SuppressionReason, other: SuppressionReason) -> bool:
    """Return whether `reason` says more than `other` about an address that both are about."""
    order = list(SuppressionReason)
    return order.index(reason) > order.index(other)


def choose_bounce_kind(status: str | None, *, is_permanent: bool, gave_up: bool) -> OutcomeKind:
    """Return what a bounce says of its letter and of the address.

    `status` is the enhanced code (5.1.1, RFC 3463), `gave_up` whether the server stopped trying. A letter that waits is
    delayed. One that is lost for good counts against the address only where the code blames the address, or blames
    nothing (5.0.0, or no code). A refusal by policy (5.7.x) is about the sender and its letters: to strike a customer's
    contact off for it would end the telling of a company because of our own misconfiguration.
    """
    if not gave_up:
        return OutcomeKind.DELAYED
    if not is_permanent:
        return OutcomeKind.GAVE_UP
    if status is None:
        return OutcomeKind.BOUNCED
    blamed = status.partition(".")[2]
    if blamed in _BLAMES_THE_SENDER or blamed in _BLAMES_THE_LETTER:
        return OutcomeKind.REFUSED
    if blamed in _MAY_PASS:
        return OutcomeKind.GAVE_UP
    if blamed in _NO_WAY_TO_IT:
        return OutcomeKind.BOUNCED
    return _BY_SUBJECT.get(blamed.partition(".")[0], OutcomeKind.BOUNCED)
