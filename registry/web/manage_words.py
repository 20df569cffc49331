"""What became of a letter, as the person reads it whom it was for: no more than is known."""

from __future__ import annotations

from typing import Final

from registry.domain.deliveries import DeliveryState, SkipReason
from registry.domain.vocabulary import ChannelKind, ServiceLetterKind, StatementKind
from registry.language import gettext as _
from registry.language import marked
from registry.queries.sent_letters import SentLetter

KINDS: Final[dict[str, str]] = {
    StatementKind.ANNOUNCEMENT.value: marked("Announcement"),
    StatementKind.CORRECTION.value: marked("Correction"),
    StatementKind.REMINDER.value: marked("Reminder"),
    StatementKind.POSTPONEMENT.value: marked("Postponement"),
    StatementKind.WITHDRAWAL.value: marked("Withdrawal"),
    StatementKind.EFFECT.value: marked("In effect"),
    ServiceLetterKind.CONFIRM.value: marked("Please confirm"),
    ServiceLetterKind.CONFIRM_ENDPOINT.value: marked("Please confirm"),
    ServiceLetterKind.ALREADY_SUBSCRIBED.value: marked("Subscribed already"),
    ServiceLetterKind.ADDRESS_CHANGE.value: marked("Another address"),
    ServiceLetterKind.ENDPOINT_FAILING.value: marked("An address on the web fails"),
    ServiceLetterKind.ACKNOWLEDGED.value: marked("Acknowledged"),
    ServiceLetterKind.OBJECTION_RECEIVED.value: marked("Your company’s objection"),
    ServiceLetterKind.OBJECTION_REPLY.value: marked("Answer to your company’s objection"),
}

_BY_MAIL: Final[dict[str, str]] = {
    DeliveryState.PENDING.value: marked("Waits to be sent"),
    DeliveryState.LEASED.value: marked("Is being sent"),
    DeliveryState.RETRY_WAIT.value: marked("Not taken yet; it is tried again"),
    DeliveryState.AMBIGUOUS.value: marked("Sent, and no answer came: it may have arrived"),
    DeliveryState.ACCEPTED.value: marked("Taken by a mail server. Whether it reached the mailbox is not known"),
    DeliveryState.DELIVERED.value: marked("Delivered, as the mailbox’s server reported"),
    DeliveryState.BOUNCED.value: marked("Came back: it did not reach the mailbox"),
    DeliveryState.FAILED.value: marked("Could not be sent"),
    DeliveryState.CANCELLED.value: marked("Not sent: it was no longer needed"),
    DeliveryState.NEEDS_ATTENTION.value: marked("Could not be sent yet; a person looks after it"),
}
_BY_WEB: Final[dict[str, str]] = {
    **_BY_MAIL,
    DeliveryState.ACCEPTED.value: marked("Taken by the address. Whether anybody read it is not known"),
    DeliveryState.DELIVERED.value: marked("Taken by the address. Whether anybody read it is not known"),
    DeliveryState.BOUNCED.value: marked("Refused by the address"),
    DeliveryState.FAILED.value: marked("Refused by the address, or not taken in a week"),
}
SKIPPED: Final[dict[str, str]] = {
    SkipReason.SUPPRESSED.value: marked("Not sent: this address is not written to, since letters came back from it"),
    SkipReason.UNSUBSCRIBED.value: marked("Not sent: the letters had been stopped"),
    SkipReason.FILTERED_BY_PRODUCT.value: marked("Not sent: it is about products you did not choose"),
    SkipReason.FILTERED_BY_KIND.value: marked("Not sent: it is about kinds of change you did not choose"),
    SkipReason.CONTRACT_ENDED.value: marked("Not sent: the contract has ended"),
    SkipReason.STANDBY.value: marked("Not sent: other contacts of your company were told first"),
}


def say_kind(letter: SentLetter) -> str:
    """Say what a letter is."""
    return _(KINDS.get(letter.kind, "Letter"))


def say_state(letter: SentLetter, channel: ChannelKind) -> str:
    """Say what became of a letter. Accepted is not delivered, and a file in the outbox was never sent."""
    if letter.state == DeliveryState.SKIPPED.value:
        return _(SKIPPED.get(letter.skip_reason or "", marked("Not sent")))
    if letter.is_outbox and letter.state in {DeliveryState.ACCEPTED.value, DeliveryState.DELIVERED.value}:
        return _("Not sent: this installation is for trying out, and only wrote a file")
    states = _BY_MAIL if channel is ChannelKind.EMAIL else _BY_WEB
    return _(states[letter.state])
