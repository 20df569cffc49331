"""Looking up what `letter_order` judges: the earlier letters of a notice to the same subscription (R15, R28)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, exists, or_, select
from sqlalchemy.orm import Session, aliased

from registry.domain.deliveries import DeliveryEvent, DeliveryState
from registry.domain.letter_order import SETTLED, EarlierLetter, LaterLetter
from registry.domain.vocabulary import StatementKind
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


def find_earlier(session: Session, recipient: Recipient) -> list[EarlierLetter]:
    """Return the letters of the same notice's earlier statements to the same subscription, in their order."""
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
    return [_read_earlier(session, delivery, StatementKind(kind)) for delivery, kind in rows]


def _read_earlier(session: Session, delivery: Delivery, kind: StatementKind) -> EarlierLetter:
    started = started_attempts(session, delivery)
    return EarlierLetter(
        kind=kind,
        state=DeliveryState.ACCEPTED if find_taken(started) is not None else DeliveryState(delivery.state),
        due_at=delivery.due_at,
        begun_at=_begun_at(started),
        may_be_out=delivery.possible_duplicate or may_have_arrived(started),
        is_on_the_wire=any(each.n == delivery.attempt_count for each in started),
    )


def read_later(session: Session, recipient: Recipient, attempt_n: int) -> LaterLetter:
    """Return what is to be known of the letter that is about to begin its try `attempt_n`."""
    delivery, statement = recipient.delivery, recipient.statement
    return LaterLetter(
        kind=StatementKind(statement.kind) if statement is not None else None,
        channel_kind=delivery.channel,
        created_at=delivery.created_at,
        begun_at=_begun_at(started_attempts(session, delivery)),
        attempt_n=attempt_n,
    )


def _begun_at(started: list[Attempt]) -> list[datetime]:
    return [each.send_started_at for each in started if each.send_started_at is not None]


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
