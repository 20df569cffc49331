"""What a notice said to one customer, and what of it the customer did not get though it should have (R12, R13)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from registry.domain.deliveries import OUTBOX, TAKEN_STATES, DeliveryState, SkipReason, can_prove_receipt
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.standings import COUNTS_AS_TOLD, StandingState
from registry.domain.terms import Terms
from registry.domain.vocabulary import EXPLAINS, StatementKind

TAKEN: Final = tuple(sorted(state.value for state in TAKEN_STATES))
LOST: Final = (DeliveryState.FAILED.value, DeliveryState.BOUNCED.value)
CANNOT_BE_SENT: Final = (SkipReason.SUPPRESSED.value, SkipReason.NO_ADDRESS.value)
AT_AN_END: Final = (*TAKEN, *LOST, DeliveryState.CANCELLED.value, DeliveryState.SKIPPED.value)
"""What is in another state is under way, or waits for a person and is a task of its own."""
OWED: Final = (StatementKind.CORRECTION.value, StatementKind.POSTPONEMENT.value, StatementKind.WITHDRAWAL.value)
"""Whoever was told of a notice is told these, by whichever contact; of each kind the newest says how things stand."""
OUTDATED_BY_EFFECT: Final = (StatementKind.REMINDER.value, StatementKind.POSTPONEMENT.value)
WITHOUT_WORD_FOR: Final = timedelta(hours=72)
"""After this, what a server took and nobody reported on is shown as unconfirmed (DESIGN §4.4)."""


class WhyUnreached(StrEnum):
    """Why a customer counts as not reached."""

    NO_CONTACT = "no_contact"
    NOTHING_SENT = "nothing_sent"
    NOT_TAKEN = "not_taken"
    UNCONFIRMED = "unconfirmed"
    TIME_RUNNING_OUT = "time_running_out"


@dataclass(frozen=True)
class Said:
    """One statement of a notice (R15). `number` is its row, `seq` its place in the notice.

    `binds`: it told something binding, so that receipt has to be proved. `made_at` is UTC.
    """

    number: int
    seq: int
    kind: str
    restarts_clocks: bool
    binds: bool
    made_at: datetime


@dataclass(frozen=True)
class Standing:
    """How the customer stands in the notice, with the terms that it froze; None where these cannot be read."""

    state: str
    received_at: datetime | None
    terms: Terms | None


@dataclass(frozen=True)
class Letter:
    """One statement to one contact of a customer. `road` is the one that its last try went by.

    `is_unclear`: its tries are spent, and it may have arrived.
    """

    channel: str
    state: str
    skip_reason: str | None
    accepted_at: datetime | None
    tried_at: datetime | None
    road: str | None
    is_unclear: bool = False

    @property
    def is_taken(self) -> bool:
        return self.state in TAKEN

    @property
    def is_lost(self) -> bool:
        return self.state in LOST or self.skip_reason in CANNOT_BE_SENT


@dataclass(frozen=True)
class Told:
    """What a notice said to one customer: the letters of each statement, and those that it acknowledged.

    `letters` and `acknowledged` are by the statement's number. `known_lost` are the places of those of which an open
    task says that it did not get them. `has_no_contact`: it came after the announcement, and there is nobody to tell.
    `is_over`: its contract has ended, so what was kept back for that is not owed.
    """

    letters: Mapping[int, Sequence[Letter]]
    acknowledged: frozenset[int]
    standing: Standing | None
    known_lost: frozenset[int]
    has_no_contact: bool = False
    is_over: bool = False

    def has(self, statement: Said) -> bool:
        return statement.number in self.acknowledged or any(each.is_taken for each in self._of(statement))

    def has_counted(self, statement: Said) -> bool:
        """Whether it has the statement by a road that can start its clock: a chat room's word never does (R12)."""
        return statement.number in self.acknowledged or any(
            each.is_taken and self._counts(each.channel) for each in self._of(statement)
        )

    def may_know(self) -> bool:
        """Whether any statement of the notice was taken, or may have been."""
        every = (each for letters in self.letters.values() for each in letters)
        return any(each.is_taken or each.is_unclear for each in every)

    def lost(self, statement: Said, *, is_newest: bool) -> bool:
        """Whether nothing of the statement is under way to the customer any more, and it was lost or goes to nobody.

        It goes to nobody where it was cancelled with its contact, where whoever was told had ended before it was made
        and whoever came instead had no letter out yet, or where it was kept back for the end of a contract that runs.
        Those are told the newest of each kind alone. What a person was asked to see to is lost until the customer has
        it: a further try may fail as well.
        """
        letters = self._of(statement)
        if not (statement.seq in self.known_lost or all(each.state in AT_AN_END for each in letters)):
            return False
        if any(each.is_lost for each in letters):
            return True
        is_kept_back = any(each.skip_reason == SkipReason.CONTRACT_ENDED.value for each in letters)
        if not is_newest or (self.is_over and is_kept_back):
            return False
        is_owed = statement.kind in OWED and not statement.restarts_clocks
        was_cancelled = any(each.state == DeliveryState.CANCELLED.value for each in letters)
        return is_owed or (was_cancelled and statement.kind != StatementKind.REMINDER.value)

    def why_unreached(self, clock: Said, now: datetime) -> WhyUnreached | None:
        """Return why it has not what clocks run from, whatever became of its letters; None where it has or may have it.

        For a customer that a notice took effect without, and for one that came later. What a person was asked to see to
        is so until the customer has it, as in `lost`.
        """
        letters = [each for each in self._of(clock) if self._counts(each.channel)]
        is_known = clock.seq in self.known_lost
        is_nobodys = self.standing is None and not is_known and (letters or not self.has_no_contact)
        if clock.number in self.acknowledged or is_nobodys:
            return None
        is_over = all(each.state in AT_AN_END for each in letters)
        taken = [each for each in letters if each.is_taken and each.road != OUTBOX]
        if taken:
            # What was taken long since is not confirmed any more; and only what binds asks for that.
            is_late = all(each.accepted_at is None or each.accepted_at <= now - WITHOUT_WORD_FOR for each in taken)
            must_be_proved = self.standing is not None and clock.binds
            return WhyUnreached.UNCONFIRMED if must_be_proved and is_over and is_late else None
        if not (is_known or is_over):
            return None
        return WhyUnreached.NOTHING_SENT if self._of(clock) else WhyUnreached.NO_CONTACT

    def got_anything_after(self, at: datetime) -> bool:
        every = (each for letters in self.letters.values() for each in letters)
        return any(each.is_taken and each.accepted_at is not None and each.accepted_at > at for each in every)

    def last_try_at(self, statement: Said) -> datetime | None:
        return max((each.tried_at for each in self._of(statement) if each.tried_at is not None), default=None)

    def _of(self, statement: Said) -> Sequence[Letter]:
        return self.letters.get(statement.number, ())

    def _counts(self, channel: str) -> bool:
        # One that came after the announcement has no terms in the notice, and nothing waits for it (R17).
        return can_prove_receipt(channel, self.standing.terms if self.standing is not None else None)


def find_clock(statements: Sequence[Said]) -> Said | None:
    """Return the one whose receipt starts clocks."""
    return next((each for each in reversed(statements) if each.restarts_clocks), None)


def find_missed(
    notice_state: NoticeState, statements: Sequence[Said], told: Told, now: datetime
) -> Iterator[tuple[Said, WhyUnreached | None]]:
    """Yield the statements of a notice that a customer did not get and should have.

    Each with why, where no letter was lost: there is none, or the receipt that counts never came.
    """
    clock = find_clock(statements)
    state = told.standing.state if told.standing is not None else None
    if clock is None or state == StandingState.DROPPED:
        return
    was_told = state in COUNTS_AS_TOLD or any(told.has(each) for each in statements if each.kind in EXPLAINS)
    if notice_state is NoticeState.WITHDRAWN:
        # Whoever may have heard anything of it is told that it is withdrawn (R15).
        was_told = was_told or told.may_know()
    newest = {each.kind: each.number for each in statements}
    is_pending = notice_state in PENDING_STATES
    for statement in statements:
        is_lost = told.lost(statement, is_newest=newest[statement.kind] == statement.number)
        if statement.number == clock.number and notice_state is not NoticeState.WITHDRAWN:
            # Whom a pending notice waits for is named by `find_unreached`, with the time that is left.
            if (is_pending and state == StandingState.WAITING) or state in COUNTS_AS_TOLD:
                continue
            why = told.why_unreached(statement, now) if state in (None, StandingState.WAITING) else None
            if is_lost and not told.has_counted(statement):
                yield statement, None
            elif why is not None:
                yield statement, why
            continue
        is_missed = is_lost and was_told and not told.has(statement)
        if is_missed and not _is_outdated(notice_state, clock, statements, statement, told):
            yield statement, None


def _is_outdated(notice_state: NoticeState, clock: Said, statements: Sequence[Said], missed: Said, told: Told) -> bool:
    """Return whether a statement that a customer did not get says nothing any more that it should know."""
    if notice_state is NoticeState.WITHDRAWN:
        return missed.kind != StatementKind.WITHDRAWAL.value
    if missed.seq < clock.seq or (notice_state is NoticeState.IN_EFFECT and missed.kind in OUTDATED_BY_EFFECT):
        return True
    standing = told.standing
    served_at = standing.received_at if standing is not None and standing.state == StandingState.SERVED else None
    if served_at is not None and served_at >= missed.made_at:
        # Whoever handed it over then told how things stood.
        return True
    if missed.kind == StatementKind.REMINDER.value and told.got_anything_after(missed.made_at):
        return True
    later = [each for each in statements if each.seq > missed.seq and told.has(each)]
    return any(each.kind in EXPLAINS or missed.kind not in EXPLAINS for each in later)
