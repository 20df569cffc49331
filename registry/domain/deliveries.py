"""One statement to one subscription, once: its states, what proves receipt, when to try again, who goes first.

Attempts and outcomes are append-only; the state is their fold (R26). Nothing here sends, waits or reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import reduce
from typing import Final

from registry.domain.errors import IllegalTransition
from registry.domain.terms import Terms
from registry.domain.vocabulary import Audience


class DeliveryState(StrEnum):
    """Where a delivery stands (DESIGN §4.4). Accepted is not delivered; `failed` was refused, `bounced` came back."""

    PENDING = "pending"
    LEASED = "leased"
    RETRY_WAIT = "retry_wait"
    ACCEPTED = "accepted"
    AMBIGUOUS = "ambiguous"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    FAILED = "failed"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    NEEDS_ATTENTION = "needs_attention"


class DeliveryEvent(StrEnum):
    """What happens to a delivery.

    The worker: `claim`, then one of `accept`, `defer` (refused for now), `refuse` (refused for good), `lose_answer`
    (cut after everything was sent), or a lease that lapses `unsent` or after the send began (`sent`). Reports come
    later, from a provider or mail server: `report_delivered`, `report_complaint`, `report_bounced`. The rest are
    decisions: `cancel` (notice withdrawn), `skip` (found at the claim, R28), `escalate` to a person, `give_up`,
    `requeue` by that person, and `call_in` of a contact that stood by (R13).
    """

    CLAIM = "claim"
    ACCEPT = "accept"
    DEFER = "defer"
    REFUSE = "refuse"
    LOSE_ANSWER = "lose_answer"
    LAPSE_UNSENT = "lapse_unsent"
    LAPSE_SENT = "lapse_sent"
    REPORT_DELIVERED = "report_delivered"
    REPORT_COMPLAINT = "report_complaint"
    REPORT_BOUNCED = "report_bounced"
    CANCEL = "cancel"
    SKIP = "skip"
    ESCALATE = "escalate"
    GIVE_UP = "give_up"
    REQUEUE = "requeue"
    CALL_IN = "call_in"


class SkipReason(StrEnum):
    """Why nobody is sent a statement although there is a subscription (R27, R28, R32, R34).

    `standby`: not yet, for the customer's other contacts come first (R13). `paused`: a follower who wanted no letters
    for a while, and is told of what is pending on coming back (R18).
    """

    SUPPRESSED = "suppressed"
    UNSUBSCRIBED = "unsubscribed"
    NOT_CONFIRMED = "not_confirmed"
    FILTERED_BY_PRODUCT = "filtered_by_product"
    FILTERED_BY_KIND = "filtered_by_kind"
    SAME_ADDRESS_AS_CONTACT = "same_address_as_contact"
    NO_ADDRESS = "no_address"
    CONTRACT_ENDED = "contract_ended"
    OUTSIDE_MAIL_ONLY_TO = "outside_mail_only_to"
    STANDBY = "standby"
    PAUSED = "paused"


class DeliveryNote(StrEnum):
    """Why a delivery ended without its letter being accepted, or waits for a person."""

    TRIES_SPENT = "tries_spent"
    MAY_HAVE_ARRIVED = "may_have_arrived"
    CRASHED_REPEATEDLY = "crashed_repeatedly"
    CANNOT_BE_MADE = "cannot_be_made"
    RECEIPT_NOT_COUNTED = "receipt_not_counted"


SENDABLE_STATES = frozenset({DeliveryState.PENDING, DeliveryState.RETRY_WAIT, DeliveryState.AMBIGUOUS})
"""A claim takes these when they are due."""

ON_ITS_WAY = SENDABLE_STATES | {DeliveryState.LEASED}
"""States of a letter that waits, is being sent, or will be tried again."""

OUTBOX: Final = "outbox"
"""The road on which nobody's server takes anything (R12)."""

TAKEN_STATES = frozenset({DeliveryState.ACCEPTED, DeliveryState.DELIVERED})
"""States of a letter that the other side took."""

REPORTABLE_STATES = frozenset(DeliveryState) - {DeliveryState.LEASED}
"""A report is taken in these: an earlier try may be behind any of them. One that comes during a lease is kept, and
matched again once the lease has settled."""

_WAITING = SENDABLE_STATES | {DeliveryState.NEEDS_ATTENTION}

_NEXT = {
    **{(state, DeliveryEvent.CLAIM): DeliveryState.LEASED for state in SENDABLE_STATES},
    (DeliveryState.LEASED, DeliveryEvent.ACCEPT): DeliveryState.ACCEPTED,
    (DeliveryState.LEASED, DeliveryEvent.DEFER): DeliveryState.RETRY_WAIT,
    (DeliveryState.LEASED, DeliveryEvent.REFUSE): DeliveryState.FAILED,
    (DeliveryState.LEASED, DeliveryEvent.LOSE_ANSWER): DeliveryState.AMBIGUOUS,
    (DeliveryState.LEASED, DeliveryEvent.LAPSE_UNSENT): DeliveryState.PENDING,
    (DeliveryState.LEASED, DeliveryEvent.LAPSE_SENT): DeliveryState.AMBIGUOUS,
    # A withdrawn notice is not sent again, not even to where it may have arrived: the withdrawal goes there (R15).
    # A leased letter settles first (R28).
    **{(state, DeliveryEvent.CANCEL): DeliveryState.CANCELLED for state in _WAITING},
    **{
        (state, DeliveryEvent.SKIP): DeliveryState.SKIPPED
        for state in (DeliveryState.PENDING, DeliveryState.RETRY_WAIT)
    },
    **{(state, DeliveryEvent.ESCALATE): DeliveryState.NEEDS_ATTENTION for state in ON_ITS_WAY},
    **{(state, DeliveryEvent.GIVE_UP): DeliveryState.FAILED for state in _WAITING | {DeliveryState.LEASED}},
    (DeliveryState.NEEDS_ATTENTION, DeliveryEvent.REQUEUE): DeliveryState.PENDING,
    # Nothing was sent yet: the others were tried first, in vain.
    (DeliveryState.SKIPPED, DeliveryEvent.CALL_IN): DeliveryState.PENDING,
    # A permanent bounce over delivered over accepted; a report about an earlier try ends the waiting for a further one.
    **{(state, DeliveryEvent.REPORT_BOUNCED): DeliveryState.BOUNCED for state in REPORTABLE_STATES},
    **{(state, DeliveryEvent.REPORT_DELIVERED): DeliveryState.DELIVERED for state in REPORTABLE_STATES},
    # Only somebody who has the letter can complain about it (R12).
    **{(state, DeliveryEvent.REPORT_COMPLAINT): DeliveryState.DELIVERED for state in REPORTABLE_STATES},
    **{
        (DeliveryState.BOUNCED, report): DeliveryState.BOUNCED
        for report in (DeliveryEvent.REPORT_DELIVERED, DeliveryEvent.REPORT_COMPLAINT)
    },
}


def next_delivery_state(state: DeliveryState, event: DeliveryEvent) -> DeliveryState:
    """Return the state of a delivery after `event` (R26). Raises `IllegalTransition` for a step the machine lacks.

    Reports are facts, and come late, twice and out of order: once a try has settled, any of them is taken and at most
    moves the state on.
    """
    try:
        return _NEXT[state, event]
    except KeyError:
        raise IllegalTransition(machine="delivery", state=state, event=event) from None


def fold_delivery(events: Iterable[DeliveryEvent]) -> DeliveryState:
    """Return the state that `events`, in the order they were recorded, lead to from `pending` (R26)."""
    return reduce(next_delivery_state, events, DeliveryState.PENDING)


def choose_exhausted_event(audience: Audience) -> DeliveryEvent:
    """Return what becomes of a delivery whose tries are spent: a person for a contact, failed for a follower (R26)."""
    return DeliveryEvent.ESCALATE if audience is Audience.CUSTOMER else DeliveryEvent.GIVE_UP


MAX_CRASHES = 3
"""After this many leases that lapsed, a row waits for a person: something about it may be what ends the worker."""

SHARE_OF_JITTER = 0.2
LONGEST_RETRY_AFTER = timedelta(days=1)
"""A server may ask for patience, not for so much that the notice is late."""

IDEMPOTENCY_KEY_LIFETIME = timedelta(hours=24)
"""How long Resend recognises a repeated request."""
RECOGNISED_WITHIN = IDEMPOTENCY_KEY_LIFETIME - timedelta(hours=1)
"""How long a request is repeated. The hour between is for clocks that differ and a request that is long under way."""


@dataclass(frozen=True)
class RetrySchedule:
    """The gaps between one try and the next, and how long after the first try there may be a further one."""

    gaps: tuple[timedelta, ...]
    horizon: timedelta


def _schedule(opening: Iterable[timedelta], *stretches: tuple[timedelta, timedelta]) -> RetrySchedule:
    gaps = list(opening)
    total = sum(gaps, timedelta())
    for gap, until in stretches:
        while total + gap <= until:
            gaps.append(gap)
            total += gap
    return RetrySchedule(tuple(gaps), stretches[-1][1])


_BY_WEB = _schedule(
    [
        timedelta(seconds=5),
        timedelta(minutes=5),
        timedelta(minutes=30),
        *(timedelta(hours=hours) for hours in (2, 5, 10, 14, 20, 24)),
    ],
    (timedelta(days=1), timedelta(days=7)),
)

RETRY_SCHEDULES: Mapping[str, RetrySchedule] = {
    "email": _schedule(
        [timedelta(minutes=minutes) for minutes in (1, 5, 15, 30)],
        (timedelta(hours=1), timedelta(hours=24)),
        (timedelta(hours=4), timedelta(days=5)),
    ),
    "webhook": _BY_WEB,
    "slack": _BY_WEB,
    "teams": _BY_WEB,
}
"""By kind of channel (DESIGN §4.4). A weekend without anybody to mend a server fits into both schedules."""


def next_try_after(
    channel_kind: str,
    attempt_n: int,
    jitter: float,
    retry_after: timedelta | None = None,
    *,
    waited: timedelta = timedelta(0),
) -> timedelta | None:
    """Return how long to wait after try `attempt_n` (from 1) failed for now, or None where the tries are spent.

    `jitter` in [-1, 1] moves the gap by up to a fifth either way, so that what failed together is not tried together.
    `retry_after` is what the server asked for: it is honoured up to a day and never undercut. `waited` is the time
    since the first try: past 5 days for e-mail, 7 by web, there is no further one, however few there were.
    Raises ValueError for a jitter outside its range, a try before the first or an unknown kind of channel.
    """
    if not -1 <= jitter <= 1:
        raise ValueError("jitter must lie between -1 and 1")
    if attempt_n < 1:
        raise ValueError("tries are counted from 1")
    if channel_kind not in RETRY_SCHEDULES:
        raise ValueError(f"no retry schedule for {channel_kind}")
    schedule = RETRY_SCHEDULES[channel_kind]
    if attempt_n > len(schedule.gaps) or waited >= schedule.horizon:
        return None
    gap = schedule.gaps[attempt_n - 1] * (1 + SHARE_OF_JITTER * jitter)
    return max(gap, min(retry_after or timedelta(0), LONGEST_RETRY_AFTER))


def may_repeat_ambiguous(road: str, ambiguous_tries: int, since_first_start: timedelta) -> bool:
    """Return whether a delivery that may have arrived is tried again, with the same bytes and id (DESIGN §4.4, R29).

    `road` is "smtp", "outbox", "resend", "webhook", "slack" or "teams"; `since_first_start` the time since the first
    ambiguous send began. Resend and webhooks recognise a repeat, Resend for a day, an hour of which is left over. Mail
    servers do not, and a chat room shows every copy: there is one more try, marked as a possible duplicate. An
    outbox file is written over by its own name, so a repeat adds nothing. Where the answer is False a person must look.
    Raises ValueError for an unknown road.
    """
    match road:
        case "resend":
            return since_first_start < RECOGNISED_WITHIN
        case "smtp" | "slack" | "teams":
            return ambiguous_tries < 2
        case "webhook" | "outbox":
            return True
        case _:
            raise ValueError(f"no rule for repeating over {road}")


# Zones lie whole quarter hours apart, so this tells all deadlines apart and still fits a 32-bit column.
_QUARTER_HOUR = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NO_DEADLINE = 300_000_000
_FOLLOWERS = 1_000_000_000


def delivery_priority(audience: Audience, deadline_at: datetime | None) -> int:
    """Return a delivery's rank in the queue, lowest first: contacts before followers, nearest deadline first (R31).

    `deadline_at` is an aware instant; a delivery without one comes after those of its audience that have one. The
    number fits a 32-bit integer. Turns between publishers are the claim's affair.
    """
    rank = _NO_DEADLINE if deadline_at is None else (deadline_at - _EPOCH) // _QUARTER_HOUR
    return rank if audience is Audience.CUSTOMER else _FOLLOWERS + rank


class EvidenceGrade(StrEnum):
    """How well receipt is proved (R12). `outbox` is a file on this machine, labelled "not sent".

    `acknowledged`: a contact of the customer said so itself, by the link in its letter.
    """

    OUTBOX = "outbox"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True)
class Receipt:
    """One proof that a contact received a statement: when (UTC), how well proved, over which kind of channel."""

    received_at: datetime
    grade: EvidenceGrade
    channel_kind: str = "email"


def choose_grade(state: DeliveryState, *, outbox: bool) -> EvidenceGrade | None:
    """Return what a delivery in `state` proves, None where it proves nothing. `outbox`: it only became a file.

    A bounced one proves nothing any more (R12: a later permanent bounce revokes), and "no bounce" never did.
    """
    if state not in (DeliveryState.ACCEPTED, DeliveryState.DELIVERED):
        return None
    return EvidenceGrade.OUTBOX if outbox else EvidenceGrade(state.value)


def receipt_counts(grade: EvidenceGrade, terms: Terms, demo: bool, channel_kind: str = "email") -> bool:
    """Return whether a receipt of `grade` starts the clock of a customer with `terms` (R12).

    Delivered counts also where accepted suffices. The outbox counts on an installation marked as a demo only, and
    there for whatever the terms ask. A webhook counts where terms say so, chat never. Who acknowledged the statement
    has it, whatever the terms ask and whatever road it came by.
    """
    if grade is EvidenceGrade.ACKNOWLEDGED:
        return True
    if channel_kind != "email" and not (channel_kind == "webhook" and terms.receipt_by_webhook):
        return False
    if grade is EvidenceGrade.OUTBOX:
        return demo
    return grade is EvidenceGrade.DELIVERED or terms.clock_starts_on == "accepted"


def can_prove_receipt(channel_kind: str, terms: Terms | None) -> bool:
    """Return whether a letter by this kind of channel can ever start the clock of a customer with `terms` (R12).

    Mail can be reported as delivered. The answer of a webhook is all that it ever gives, and counts as accepted. Of a
    customer whose terms nobody knows, None, it is what some terms would let count.
    """
    if terms is None:
        return channel_kind in {"email", "webhook"}
    best = EvidenceGrade.DELIVERED if channel_kind == "email" else EvidenceGrade.ACCEPTED
    return receipt_counts(best, terms, demo=False, channel_kind=channel_kind)


def choose_receipt_at(receipts: Iterable[Receipt], terms: Terms, demo: bool) -> datetime | None:
    """Return the earliest receipt by a contact designated for notices that counts, None where there is none (R12).

    `receipts` are those that stand: one that a permanent bounce revoked is not among them.
    """
    return min(
        (
            receipt.received_at
            for receipt in receipts
            if receipt_counts(receipt.grade, terms, demo, receipt.channel_kind)
        ),
        default=None,
    )


_SMTP_CLOSING = 421
_SMTP_REFUSED = 500


def blames_the_road(road: str, code: int | None) -> bool:
    """Return whether a try that did not succeed says that nobody's letters go by this mail road, not just this one.

    `road` is "smtp" or "resend", `code` the answer's, None where no complete answer came. A mail server's other 4xx are
    about a mailbox; a 5xx after which a letter is tried again blames the sender or the sign-in (RFC 5321, RFC 4954).
    Resend refuses for now only whole accounts.
    """
    return road != "smtp" or code is None or code == _SMTP_CLOSING or code >= _SMTP_REFUSED
