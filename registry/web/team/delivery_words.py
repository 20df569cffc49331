"""Deliveries in words: what a state means, how it is to be taken, and what can be shown to whom."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from markupsafe import Markup

from registry.domain.deliveries import OUTBOX, DeliveryNote, DeliveryState, SkipReason
from registry.domain.told import WhyUnreached
from registry.domain.vocabulary import ChannelKind
from registry.queries.customer_page import LastLetter
from registry.queries.deliveries import ListedDelivery
from registry.web.team.frame import show_until

STATES: Final = {
    DeliveryState.PENDING.value: ("waits to be sent", "busy"),
    DeliveryState.LEASED.value: ("is being sent", "busy"),
    DeliveryState.RETRY_WAIT.value: ("will be tried again", "busy"),
    DeliveryState.AMBIGUOUS.value: ("may have arrived", "busy"),
    DeliveryState.ACCEPTED.value: ("accepted", "good"),
    DeliveryState.DELIVERED.value: ("delivered", "good"),
    DeliveryState.BOUNCED.value: ("came back", "bad"),
    DeliveryState.FAILED.value: ("refused", "bad"),
    DeliveryState.NEEDS_ATTENTION.value: ("needs attention", "bad"),
    DeliveryState.CANCELLED.value: ("cancelled", "calm"),
    DeliveryState.SKIPPED.value: ("not sent", "calm"),
}
"""Each state as a word for a badge, and its tone."""

MEANINGS: Final = {
    DeliveryState.PENDING.value: "It is next in the queue, or soon.",
    DeliveryState.LEASED.value: "A worker is sending it at this moment.",
    DeliveryState.RETRY_WAIT.value: "The other side did not take it for now. It is tried again by itself.",
    DeliveryState.AMBIGUOUS.value: (
        "It was sent whole and no clear answer came back. It is sent once more with the same Message-ID, so that a "
        "mail program can tell a second copy from the first."
    ),
    DeliveryState.ACCEPTED.value: (
        "The recipient’s server took it over. That is not yet proof that a person has it; no report of a failure is "
        "none either."
    ),
    DeliveryState.DELIVERED.value: "It was reported as put into the recipient’s mailbox.",
    DeliveryState.BOUNCED.value: "The server took it and sent it back later. It no longer counts as received.",
    DeliveryState.FAILED.value: "The other side refused it for good. It is not tried again.",
    DeliveryState.NEEDS_ATTENTION.value: "Nothing more happens by itself: a person has to look at it.",
    DeliveryState.CANCELLED.value: "It was called off before it went out, since the notice was withdrawn.",
    DeliveryState.SKIPPED.value: "Nothing was sent to this subscription.",
}

SKIPPED: Final = {
    SkipReason.SUPPRESSED.value: "the address must not be written to",
    SkipReason.UNSUBSCRIBED.value: "unsubscribed before it went out",
    SkipReason.NOT_CONFIRMED.value: "never confirmed",
    SkipReason.FILTERED_BY_PRODUCT.value: "only wants to hear of other products",
    SkipReason.FILTERED_BY_KIND.value: "only wants to hear of other kinds of change",
    SkipReason.SAME_ADDRESS_AS_CONTACT.value: "the same address is told as a customer’s contact",
    SkipReason.NO_ADDRESS.value: "the address was erased",
    SkipReason.CONTRACT_ENDED.value: "the customer’s contract has ended",
    SkipReason.OUTSIDE_MAIL_ONLY_TO.value: "this installation may write to certain addresses only",
    SkipReason.STANDBY.value: "stands by until the customer’s other contacts were not reached",
    SkipReason.PAUSED.value: "wants no letters for now",
}

NOTES: Final = {
    DeliveryNote.TRIES_SPENT.value: "It was tried for days without success.",
    DeliveryNote.MAY_HAVE_ARRIVED.value: "It may have arrived: it was sent whole, and no clear answer came.",
    DeliveryNote.CRASHED_REPEATEDLY.value: "Sending it failed three times in a way that no mail server causes.",
    DeliveryNote.CANNOT_BE_MADE.value: "The letter could not be made from what is stored.",
    DeliveryNote.RECEIPT_NOT_COUNTED.value: "It was taken, and the receipt could not be counted yet.",
}

UNREACHED: Final = {
    WhyUnreached.NO_CONTACT: "It has no contact whose receipt would count.",
    WhyUnreached.NOTHING_SENT: "Nothing is under way to it that would count as receipt.",
    WhyUnreached.NOT_TAKEN: "No mailbox of its contacts took the letter.",
    WhyUnreached.UNCONFIRMED: "Its server took the letter, and the receipt that its terms ask for has not come.",
    WhyUnreached.TIME_RUNNING_OUT: "Its letters are still being tried, and little time or none is left.",
}
UNREACHED_REMEDIES: Final = {
    WhyUnreached.NO_CONTACT: "Name a contact, who is told at once, or serve it by post or courier.",
    WhyUnreached.NOTHING_SENT: "Look at what became of its letters, then name another contact, or serve it otherwise.",
    WhyUnreached.NOT_TAKEN: "Send to another contact, or serve it by post or courier.",
    WhyUnreached.UNCONFIRMED: "Ask it to confirm, or serve it in a way that is signed for.",
    WhyUnreached.TIME_RUNNING_OUT: "Do not wait for the next try: call, send to another contact, or use a courier.",
}

CHANNELS: Final = {
    ChannelKind.EMAIL.value: "E-mail",
    ChannelKind.WEBHOOK.value: "Webhook",
    ChannelKind.SLACK.value: "Slack",
    ChannelKind.TEAMS.value: "Microsoft Teams",
}
ROADS: Final = {
    "smtp": "mail server",
    "resend": "Resend",
    "outbox": "outbox (not sent)",
    "webhook": "webhook",
    "slack": "Slack",
    "teams": "Microsoft Teams",
}
ANSWERS: Final = {
    "accepted": ("taken", "good"),
    "temporary": ("not now", "busy"),
    "permanent": ("refused", "bad"),
    "ambiguous": ("no clear answer", "busy"),
    "not_tried": ("not tried", "calm"),
}

STANDINGS: Final = {
    "waiting": ("not received yet", "busy"),
    "received": ("received", "good"),
    "deemed": ("deemed, not received", "calm"),
    "served": ("served by other means", "good"),
    "exempt": ("exempt", "calm"),
    "overridden": ("hold set aside", "calm"),
    "dropped": ("dropped out", "calm"),
}


IN_OUTBOX: Final = ("written, not sent", "busy")
IN_OUTBOX_MEANS: Final = (
    "It was written to the outbox of this installation, for no mail server was set up. It went to nobody, and starts "
    "nobody’s period."
)
IN_OUTBOX_OF_DEMO_MEANS: Final = (
    "It was written to the outbox of this installation, for no mail server was set up. It went to nobody. It counts "
    "as received all the same, for this is a demonstration."
)


def say_state(state: str, road: str | None) -> tuple[str, str]:
    """Return a delivery's state as a word and its tone. What lies in the outbox is not sent, whatever its state."""
    return IN_OUTBOX if is_in_outbox(state, road) else STATES[state]


def say_meaning(state: str, road: str | None, *, is_demo: bool) -> str:
    """Return what a delivery's state means, in a sentence or two. In a demonstration the outbox counts (R12)."""
    if is_in_outbox(state, road):
        return IN_OUTBOX_OF_DEMO_MEANS if is_demo else IN_OUTBOX_MEANS
    return MEANINGS[state]


def say_last(letter: LastLetter) -> str:
    """Return how somebody's newest letter stands, beside their name in a list: "accepted", "written, not sent"."""
    word, _ = say_state(letter.state, letter.road)
    return f"{word}: {say_skipped(letter.skip_reason)}" if letter.skip_reason else word


def is_in_outbox(state: str, road: str | None) -> bool:
    """Return whether a letter was written to the outbox, by its state and the road of its last try."""
    return road == OUTBOX and state in {DeliveryState.ACCEPTED.value, DeliveryState.DELIVERED.value}


def say_skipped(reason: str) -> str:
    """Return why nothing was sent, in words."""
    return SKIPPED.get(reason, reason.replace("_", " "))


def say_note(note: str) -> str:
    """Return why a letter waits for a person, in words."""
    return NOTES.get(note, f"{note.replace('_', ' ').capitalize()}.")


def say_span(span: timedelta) -> str:
    """Return a length of time in the unit that says most: "12 seconds", "3 minutes", "2 hours", "4 days"."""
    seconds = max(int(span.total_seconds()), 0)
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= 2 * size:
            return f"{seconds // size} {word}s"
    return f"{seconds} second{'' if seconds == 1 else 's'}"


def say_until(at: datetime | None, zone: str) -> Markup:
    """Show when a period is over as it is told: by its last day, where it ends with a day of the zone."""
    return show_until(at, zone)


def say_last_answer(delivery: ListedDelivery) -> str | None:
    """Return what the last try was answered, None before any was."""
    said = [str(delivery.code)] if delivery.code is not None else []
    return " ".join([*said, delivery.answer]) if delivery.answer else (said[0] if said else None)


def is_unconfirmed(delivery: ListedDelivery, now: datetime) -> bool:
    """Return whether a letter was accepted three days ago, and nobody has reported about it (DESIGN §4.4)."""
    return (
        delivery.state == DeliveryState.ACCEPTED.value
        and delivery.road != OUTBOX
        and delivery.accepted_at is not None
        and now - delivery.accepted_at >= timedelta(hours=72)
    )


def mask_address(address: str) -> str:
    """Return an address as far as everybody of a team may see it: its first letter and its domain.

    Of an address on the web only the host is left, for the rest of it is the secret that lets one post there.
    """
    if "://" in address:
        return address.split("://", 1)[1].split("/", 1)[0] + "/…"
    mailbox, at, domain = address.rpartition("@")
    return f"{mailbox[:1]}…{at}{domain}" if at else "…"


def mask_in(text: str, address: str | None) -> str:
    """Return a text in which an address is masked wherever it stands, however its letters are cased."""
    if not address:
        return text
    masked, lowered, wanted, at = [], text.lower(), address.lower(), 0
    if len(lowered) != len(text):
        return text.replace(address, mask_address(address))
    while (found := lowered.find(wanted, at)) >= 0:
        masked += [text[at:found], mask_address(address)]
        at = found + len(wanted)
    return "".join([*masked, text[at:]])
