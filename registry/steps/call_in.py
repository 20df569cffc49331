"""Calling in contacts that stand by: where a customer's others were not reached, the next one is told (R13).

Whatever could still prove receipt is waited for; what cannot, such as a chat room, is not. One contact is called in at
a time, the next one once that one was not reached either.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Final

from sqlalchemy import Select, and_, func, or_, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryEvent, DeliveryState, SkipReason, can_prove_receipt
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.terms import Terms
from registry.steps.lookup import lock_notice, read_customer_terms, read_facts
from registry.steps.make_statement import list_told_to_joiners
from registry.steps.one_by_one import NoteTrouble, one_by_one
from registry.steps.receipts import starts_clocks
from registry.steps.record import WORKER, record_event
from registry.steps.settle_delivery import move_delivery
from registry.tables import Attempt, Customer, Delivery, Notice, NoticeCustomer, Publisher, Statement, Subscription

IN_VAIN_AFTER: Final = timedelta(hours=24)
"""A contact that was tried for so long without success is not waited for any more; its tries go on."""

WAITING: Final = "waiting"
BEING_TRIED: Final = (DeliveryState.RETRY_WAIT, DeliveryState.AMBIGUOUS)
NOT_REACHED: Final = (
    DeliveryState.FAILED,
    DeliveryState.BOUNCED,
    DeliveryState.NEEDS_ATTENTION,
    DeliveryState.CANCELLED,
    DeliveryState.SKIPPED,
)


@dataclass(frozen=True)
class _Letter:
    """The letter that clocks run from, to one contact of a customer. `tried_at` (UTC) is when its first try began."""

    delivery: Delivery
    tried_at: datetime | None

    @property
    def stands_by(self) -> bool:
        return self.delivery.skip_reason == SkipReason.STANDBY.value

    def is_hopeless(self, terms: Terms, now: datetime) -> bool:
        """Whether the customer will not be reached by it, or not in time."""
        state = DeliveryState(self.delivery.state)
        if state in NOT_REACHED or not can_prove_receipt(self.delivery.channel, terms):
            return True
        return state in BEING_TRIED and self.tried_at is not None and now - self.tried_at > IN_VAIN_AFTER


def call_in(session: Session, now: datetime, *, note_trouble: NoteTrouble | None = None) -> int:
    """Call in the next contact of every customer of a pending notice whose others were not reached; return how many.

    A customer that has received the notice, that a person has decided about, or that dropped out, is left alone.
    For `note_trouble` see `one_by_one`.
    """
    notices = session.scalars(
        select(Notice.id)
        .where(
            Notice.state.in_([state.value for state in PENDING_STATES]),
            Notice.publisher_id.in_(_publishers_with_standbys()),
        )
        .order_by(Notice.publisher_id, Notice.id)
    ).all()
    called: list[int] = []

    def call(notice_id: int) -> None:
        publisher, notice = lock_notice(session, notice_id)
        if NoticeState(notice.state) in PENDING_STATES:
            called.append(_call_in_for(session, now, publisher, notice))

    one_by_one(session, notices, call, note_trouble)
    return sum(called)


def _publishers_with_standbys() -> Select[int]:
    return (
        select(Subscription.publisher_id)
        # Of all subscriptions only those of contacts, for which there is an index.
        .where(Subscription.customer_id.is_not(None), Subscription.ended_at.is_(None), Subscription.is_standby)
        .distinct()
    )


def _call_in_for(session: Session, now: datetime, publisher: Publisher, notice: Notice) -> int:
    of_notice = and_(NoticeCustomer.notice_id == notice.id, NoticeCustomer.customer_id == Subscription.customer_id)
    # Whom nobody has to be called in for any more is left out here: there may be thousands, every minute.
    standing_by = (
        select(Subscription.customer_id)
        .join(Delivery, Delivery.subscription_id == Subscription.id)
        .outerjoin(NoticeCustomer, of_notice)
        .where(
            Subscription.publisher_id == publisher.id,
            Subscription.customer_id.is_not(None),
            Subscription.ended_at.is_(None),
            Subscription.is_standby,
            Delivery.statement_id == starts_clocks(notice.id).scalar_subquery(),
            Delivery.skip_reason == SkipReason.STANDBY.value,
            or_(NoticeCustomer.customer_id.is_(None), NoticeCustomer.state == WAITING),
        )
        .distinct()
    )
    frozen = {
        each.customer_id: each
        for each in session.scalars(
            select(NoticeCustomer).where(
                NoticeCustomer.notice_id == notice.id, NoticeCustomer.customer_id.in_(standing_by)
            )
        )
    }
    called = 0
    for customer_id, letters in _load_letters(session, notice, standing_by):
        terms = _find_terms(session, publisher, frozen.get(customer_id), customer_id)
        if all(letter.stands_by or letter.is_hopeless(terms, now) for letter in letters):
            _call(session, now, notice, customer_id, next(letter for letter in letters if letter.stands_by))
            called += 1
    return called


def _find_terms(session: Session, publisher: Publisher, standing: NoticeCustomer | None, customer_id: int) -> Terms:
    """Return the terms of a customer that still is to be reached."""
    if standing is not None:
        return Terms.model_validate(standing.terms)
    # One that came after the announcement is told like the others, and holds nothing (R17).
    customer = session.get_one(Customer, customer_id)
    return read_customer_terms(session, customer, read_facts(session, publisher).notice)


def _load_letters(
    session: Session, notice: Notice, customers: Select[int | None]
) -> Iterator[tuple[int, Sequence[_Letter]]]:
    """Yield each customer with the letters to its contacts, those of ended ones too, in the order of the contacts."""
    tried_at = select(func.min(Attempt.send_started_at)).where(Attempt.delivery_id == Delivery.id).scalar_subquery()
    rows = session.execute(
        select(Subscription.customer_id, Delivery, tried_at)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .where(
            Subscription.customer_id.in_(customers),
            Delivery.statement_id == starts_clocks(notice.id).scalar_subquery(),
        )
        .order_by(Subscription.customer_id, Subscription.rank, Subscription.id)
    ).all()
    for customer_id, of_customer in groupby(rows, key=itemgetter(0)):
        if customer_id is not None:
            yield customer_id, [_Letter(delivery, at) for _, delivery, at in of_customer]


def _call(session: Session, now: datetime, notice: Notice, customer_id: int, letter: _Letter) -> None:
    """Let all go that a contact would be told who joins today: what clocks run from, and what was told since (R18)."""
    told = [statement.id for statement in list_told_to_joiners(session, notice)]
    waiting = session.scalars(
        select(Delivery)
        .join(Statement, Statement.id == Delivery.statement_id)
        .where(
            Delivery.subscription_id == letter.delivery.subscription_id,
            Delivery.statement_id.in_(told),
            Delivery.state == DeliveryState.SKIPPED.value,
            Delivery.skip_reason == SkipReason.STANDBY.value,
        )
        .order_by(Statement.seq)
        .with_for_update(of=Delivery, key_share=True)
    ).all()
    for delivery in waiting:
        move_delivery(delivery, DeliveryEvent.CALL_IN)
        delivery.due_at = now
        record_event(
            session,
            now,
            WORKER,
            "delivery.called_in",
            subject=("delivery", str(delivery.id)),
            publisher_id=notice.publisher_id,
            customer_id=customer_id,
            notice=notice.number,
        )
    session.flush()
