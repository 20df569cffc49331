"""In which order the letters of one notice reach a reader, and who is told that it is withdrawn (R15, R28).

A later letter waits for the earlier ones to the same subscription: for one that a worker has until it is settled, and
for one that waits for its next try until it had that. So what is read last is what was said last, and whoever is told
that something is taken back has heard of it, or may have. A webhook's receiver keeps the statement with the highest
number: there only a withdrawal waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from registry.domain.deliveries import SENDABLE_STATES, TAKEN_STATES, DeliveryState
from registry.domain.vocabulary import ChannelKind, StatementKind

SETTLED: Final = TAKEN_STATES | {DeliveryState.BOUNCED, DeliveryState.FAILED}
"""States of a letter that was tried and is not tried again."""

WAIT_FOR_ANOTHER_WORKER: Final = timedelta(minutes=1)
"""Each time that a letter finds an earlier one at a worker it waits a minute longer: a dead one's for half an hour."""

_NOT_SENT = (DeliveryState.PENDING, DeliveryState.RETRY_WAIT, DeliveryState.CANCELLED, DeliveryState.SKIPPED)


@dataclass(frozen=True)
class EarlierLetter:
    """An earlier statement's letter to the same subscription, as its row and its tries tell.

    `state` is accepted where a try is on record as taken, whether or not that was settled by now. `begun_at` (UTC) is
    when its tries began, the first one first. `may_be_out`: by a try without a clear answer, or before a backup was
    brought back. `is_on_the_wire`: the try that its lease is for has begun.
    """

    kind: StatementKind
    state: DeliveryState
    due_at: datetime
    begun_at: Sequence[datetime]
    may_be_out: bool
    is_on_the_wire: bool

    @property
    def is_untold(self) -> bool:
        """Whether it certainly told its reader nothing and, its notice being withdrawn, never will.

        What a person must look at was tried until its tries were spent, and counts as told unless no try ever began.
        """
        if self.may_be_out:
            return False
        return self.state in _NOT_SENT or (self.state is DeliveryState.NEEDS_ATTENTION and not self.begun_at)

    @property
    def is_decided(self) -> bool:
        """Whether, its notice being withdrawn, it is clear already if its reader may have it, and none is on the way.

        One that a worker has and that may be out by an earlier try does not begin again.
        """
        return self.state is not DeliveryState.LEASED or (self.may_be_out and not self.is_on_the_wire)


@dataclass(frozen=True)
class LaterLetter:
    """The letter that is about to begin. `begun_at` (UTC) is when its tries began so far, `attempt_n` the next one."""

    kind: StatementKind | None
    channel_kind: str
    created_at: datetime
    begun_at: Sequence[datetime]
    attempt_n: int


def takes_back_nothing(kind: StatementKind | None, earlier: Sequence[EarlierLetter]) -> bool:
    """Return whether a letter is a withdrawal to somebody whom nothing of the notice was told, nor will be (R15)."""
    is_known = any(each.kind is StatementKind.ANNOUNCEMENT for each in earlier)
    return kind is StatementKind.WITHDRAWAL and is_known and all(each.is_untold for each in earlier)


def find_wait(now: datetime, letter: LaterLetter, earlier: Sequence[EarlierLetter]) -> datetime | None:
    """Return until when (UTC) a letter waits for earlier ones, None where it may go now.

    For one that is tried again and again it waits until the next try of that, and has its own right behind: whoever
    refuses the one and takes the other is told all the same, and it is on record how often each was tried. What is
    withdrawn is not tried any more, so that a withdrawal waits only for what a worker has.
    """
    again = now + WAIT_FOR_ANOTHER_WORKER * letter.attempt_n
    if letter.kind in (None, StatementKind.WITHDRAWAL):
        return None if all(each.is_decided for each in earlier) else again
    if letter.channel_kind == ChannelKind.WEBHOOK.value:
        return None
    if any(each.state is DeliveryState.LEASED for each in earlier):
        return again
    waited_for = [each.due_at for each in earlier if each.state in SENDABLE_STATES and not _was_tried(each, letter)]
    if not waited_for:
        return None
    due_at = max(waited_for)
    return due_at if due_at > now else again


def _was_tried(earlier: EarlierLetter, letter: LaterLetter) -> bool:
    """Whether the earlier one had a try since the later one was made or, where that was tried, after its last try."""
    if letter.begun_at:
        return any(at > letter.begun_at[-1] for at in earlier.begun_at)
    return any(at >= letter.created_at for at in earlier.begun_at)
