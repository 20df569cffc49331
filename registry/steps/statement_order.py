"""The statements of one notice reach a reader in their order, and a withdrawal only whom something was told (R15, R28).

A later letter waits for the earlier ones to the same subscription: for one that a worker has until it is settled, and
for one that waits for its next try until it had that. So what is read last is what was said last, and whoever is told
that something is taken back has heard of it, or may have. A webhook's receiver keeps the statement with the highest
number: there only a withdrawal waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session, aliased

from registry.domain.deliveries import SENDABLE_STATES, TAKEN_STATES, DeliveryEvent, DeliveryState
from registry.domain.vocabulary import ChannelKind, StatementKind
from registry.steps.load_letter import Recipient
from registry.steps.settle_delivery import (
    CERTAINLY_NOT_TAKEN,
    close_untried,
    find_taken,
    may_have_arrived,
    move_delivery,
    started_attempts,
)
from registry.tables import Attempt, Delivery, Statement

SETTLED = TAKEN_STATES | {DeliveryState.BOUNCED, DeliveryState.FAILED}
"""States of a letter that was tried and is not tried again."""

WAIT_FOR_ANOTHER_WORKER = timedelta(minutes=1)
"""Each time that a letter finds an earlier one at a worker it waits a minute longer: a dead one's for half an hour."""

_NOT_SENT = (DeliveryState.PENDING, DeliveryState.RETRY_WAIT, DeliveryState.CANCELLED, DeliveryState.SKIPPED)


@dataclass(frozen=True)
class Earlier:
    """An earlier statement's letter to the same subscription, with the attempts whose send began."""

    delivery: Delivery
    kind: StatementKind
    started: Sequence[Attempt]

    @property
    def state(self) -> DeliveryState:
        """Where it stands. One that is on record as taken is accepted, whether or not that was settled by now."""
        if find_taken(self.started) is not None:
            return DeliveryState.ACCEPTED
        return DeliveryState(self.delivery.state)

    @property
    def is_untold(self) -> bool:
        """Whether it certainly told its reader nothing and, its notice being withdrawn, never will.

        What a person must look at was tried until its tries were spent, and counts as told unless no try ever began.
        """
        if self.delivery.possible_duplicate or may_have_arrived(self.started):
            return False
        return self.state in _NOT_SENT or (self.state is DeliveryState.NEEDS_ATTENTION and not self.started)

    @property
    def is_decided(self) -> bool:
        """Whether, its notice being withdrawn, it is clear already if its reader may have it, and none is on the way.

        One that a worker has and that may be out by an earlier try does not begin again.
        """
        if self.state is not DeliveryState.LEASED:
            return True
        is_on_the_wire = any(each.n == self.delivery.attempt_count for each in self.started)
        return not is_on_the_wire and (self.delivery.possible_duplicate or may_have_arrived(self.started))

    def was_tried_since(self, at: datetime, *, later: bool = False) -> bool:
        """Return whether a try of it began at `at` (UTC) or, where `later`, after that."""
        began = [each.send_started_at for each in self.started if each.send_started_at is not None]
        return any(each > at or (each == at and not later) for each in began)


def find_earlier(session: Session, recipient: Recipient) -> list[Earlier]:
    """Return the letters of the same notice's earlier statements to the same subscription."""
    statement = recipient.statement
    if statement is None or statement.kind == StatementKind.ANNOUNCEMENT.value:
        return []
    rows = session.execute(
        select(Delivery, Statement.kind)
        .join(Statement, Statement.id == Delivery.statement_id)
        .where(
            Statement.notice_id == statement.notice_id,
            Statement.seq < statement.seq,
            Delivery.subscription_id == recipient.subscription.id,
        )
        .order_by(Statement.seq)
    ).all()
    return [Earlier(delivery, StatementKind(kind), started_attempts(session, delivery)) for delivery, kind in rows]


def takes_back_nothing(recipient: Recipient, earlier: Sequence[Earlier]) -> bool:
    """Return whether a letter is a withdrawal to somebody whom nothing of the notice was told, nor will be (R15)."""
    statement = recipient.statement
    if statement is None or statement.kind != StatementKind.WITHDRAWAL.value:
        return False
    is_known = any(each.kind is StatementKind.ANNOUNCEMENT for each in earlier)
    return is_known and all(each.is_untold for each in earlier)


def find_wait(
    session: Session, now: datetime, recipient: Recipient, earlier: Sequence[Earlier], attempt_n: int
) -> datetime | None:
    """Return until when (UTC) a letter waits for earlier ones, None where it may go now. `attempt_n` is its try.

    For one that is tried again and again it waits until the next try of that, and has its own right behind: whoever
    refuses the one and takes the other is told all the same, and it is on record how often each was tried. What is
    withdrawn is not tried any more, so that a withdrawal waits only for what a worker has.
    """
    delivery, statement = recipient.delivery, recipient.statement
    again = now + WAIT_FOR_ANOTHER_WORKER * attempt_n
    if statement is None or statement.kind == StatementKind.WITHDRAWAL.value:
        return None if all(each.is_decided for each in earlier) else again
    if delivery.channel == ChannelKind.WEBHOOK.value:
        return None
    if any(each.state is DeliveryState.LEASED for each in earlier):
        return again
    own = [each.send_started_at for each in started_attempts(session, delivery) if each.send_started_at is not None]
    since = own[-1] if own else delivery.created_at
    waited_for = [
        each.delivery.due_at
        for each in earlier
        if each.state in SENDABLE_STATES and not each.was_tried_since(since, later=bool(own))
    ]
    if not waited_for:
        return None
    due_at = max(waited_for)
    return due_at if due_at > now else again


def put_off(session: Session, now: datetime, delivery: Delivery, attempt: Attempt, until: datetime) -> None:
    """Give back a letter whose send has not begun, to wait `until` then (UTC). It stays refused if it was."""
    close_untried(attempt, now)
    was_refused = bool(started_attempts(session, delivery))
    move_delivery(delivery, DeliveryEvent.DEFER if was_refused else DeliveryEvent.LAPSE_UNSENT)
    delivery.due_at = until


def waits_for_earlier() -> ColumnElement[bool]:
    """Whether an earlier statement's letter to the same subscription is not settled, of a delivery and its statement.

    To be asked of a row at a time: each answer is a few looks into indexes.
    """
    other, told = aliased(Delivery), aliased(Statement)
    return exists().where(
        told.notice_id == Statement.notice_id,
        told.seq < Statement.seq,
        other.statement_id == told.id,
        other.subscription_id == Delivery.subscription_id,
        other.state.not_in([state.value for state in SETTLED]),
    )


def was_never_out() -> ColumnElement[bool]:
    """Whether a delivery's letter is certainly not out there: no try of it is unclear, and it is no restored one."""
    unclear = exists().where(
        Attempt.delivery_id == Delivery.id,
        Attempt.send_started_at.is_not(None),
        or_(Attempt.answer_class.is_(None), Attempt.answer_class.not_in(CERTAINLY_NOT_TAKEN)),
    )
    return ~Delivery.possible_duplicate & ~unclear


def has_begun() -> ColumnElement[bool]:
    """Whether any try of a delivery ever began."""
    return exists().where(Attempt.delivery_id == Delivery.id, Attempt.send_started_at.is_not(None))
