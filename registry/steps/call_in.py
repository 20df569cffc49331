"""Calling in contacts that stand by: where a customer's others are not reached, the next one is told (R13).

Whatever could still prove receipt is waited for; what cannot, such as a chat room, is not. One contact is called in at
a time, the next one once that one was not reached either. A customer that nobody stands by for gets whoever answers for
its endpoint, so that an endpoint which fails leaves no customer untold.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, union
from sqlalchemy.orm import Session, aliased

from registry.domain.deliveries import (
    RETRY_SCHEDULES,
    DeliveryEvent,
    DeliveryState,
    SkipReason,
    can_prove_receipt,
)
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.standings import StandingState
from registry.domain.terms import Terms, find_terms
from registry.domain.vocabulary import ChannelKind
from registry.steps.contacts import add_contact, has_left
from registry.steps.end_subscription import EndedBecause
from registry.steps.lookup import find_customer_terms, lock_notice, lock_publisher, read_facts
from registry.steps.make_statement import deliver_notice_to, list_told_to_joiners
from registry.steps.one_by_one import NoteTrouble, one_by_one
from registry.steps.receipts import starts_clocks
from registry.steps.record import WORKER, record_event
from registry.steps.settle_delivery import move_delivery
from registry.tables import (
    Acknowledgement,
    Address,
    Attempt,
    Customer,
    Delivery,
    Endpoint,
    Notice,
    NoticeCustomer,
    Publisher,
    Statement,
    Subscription,
    Suppression,
)
from registry.tables.audience import suppresses

IN_VAIN_AFTER: Final = timedelta(hours=24)
"""A contact that was tried for so long without success is not waited for any more; its tries go on."""

STILL_OWED: Final = max(schedule.horizon for schedule in RETRY_SCHEDULES.values()) + timedelta(days=1)
"""For so long after its effect a notice may still be on its way to a customer: a day longer than tries go on."""

BEING_TRIED: Final = (DeliveryState.RETRY_WAIT, DeliveryState.AMBIGUOUS)
NOT_REACHED: Final = (
    DeliveryState.FAILED,
    DeliveryState.BOUNCED,
    DeliveryState.NEEDS_ATTENTION,
    DeliveryState.CANCELLED,
    DeliveryState.SKIPPED,
)
IN_GOOD_HANDS: Final = (DeliveryState.PENDING, DeliveryState.LEASED, DeliveryState.ACCEPTED, DeliveryState.DELIVERED)
FEW: Final = 500
BEARS_A_DUTY: Final = (ChannelKind.EMAIL.value, ChannelKind.WEBHOOK.value)


@dataclass(frozen=True)
class _Letter:
    """A letter to one contact of a customer. `tried_at` (UTC) is when its first try began.

    `is_gone`: nothing more can be sent to the contact; it ended, or its address was erased or is suppressed.
    """

    delivery: Delivery
    tried_at: datetime | None
    is_gone: bool

    @property
    def stands_by(self) -> bool:
        return self.delivery.skip_reason == SkipReason.STANDBY.value

    def is_hopeless(self, terms: Terms | None, now: datetime) -> bool:
        """Whether the customer, its terms None where they cannot be read, will not be reached by it, or not in time."""
        state = DeliveryState(self.delivery.state)
        if state in NOT_REACHED or not can_prove_receipt(self.delivery.channel, terms):
            return True
        if self.is_gone and state is not DeliveryState.LEASED:
            return True
        return state in BEING_TRIED and self.tried_at is not None and now - self.tried_at > IN_VAIN_AFTER


def call_in(session: Session, now: datetime, *, note_trouble: NoteTrouble | None = None) -> int:
    """Call in the next contact of every customer of a pending notice whose others are not reached; return how many.

    That is so where no letter of the statement that clocks run from, or of one after it, is taken or still may be in
    time by a contact that stands. A customer that a person has decided about, or that dropped out, is left alone. A
    notice that took effect although somebody was not reached yet, such as an emergency, is looked at for eight days
    more. Nobody is called in for a withdrawal: all who were told of the notice get it, and nobody else may (R15); where
    it reaches none of them it is a task (`untold`). For `note_trouble` see `one_by_one`.
    """
    notices = session.scalars(
        select(Notice.id)
        .where(
            or_(
                Notice.state.in_([state.value for state in PENDING_STATES]),
                and_(Notice.state == NoticeState.IN_EFFECT.value, Notice.took_effect_at > now - STILL_OWED),
            ),
            Notice.publisher_id.in_(_publishers_with_next_contacts()),
        )
        .order_by(Notice.publisher_id, Notice.id)
    ).all()
    called: list[int] = []

    def call(notice_id: int) -> None:
        publisher, notice = lock_notice(session, notice_id)
        if NoticeState(notice.state) is not NoticeState.WITHDRAWN:
            called.append(_call_in_for(session, now, publisher, notice, note_trouble))

    one_by_one(session, notices, call, note_trouble)
    return sum(called)


def call_in_contact(session: Session, now: datetime, contact: Subscription) -> None:
    """Tell a contact that stands by no longer what is pending (R18). What it was not to be told stays untold."""
    lock_publisher(session, session.get_one(Publisher, contact.publisher_id))
    pending = select(Notice).where(
        Notice.publisher_id == contact.publisher_id, Notice.state.in_([state.value for state in PENDING_STATES])
    )
    for notice in session.scalars(pending.order_by(Notice.id)).all():
        _call(session, now, notice, contact)


def _publishers_with_next_contacts() -> Select[int]:
    standing_by = (
        select(Subscription.publisher_id)
        # Of all subscriptions only those of contacts, for which there is an index.
        .where(Subscription.customer_id.is_not(None), Subscription.ended_at.is_(None), Subscription.is_standby)
    )
    found = union(standing_by, select(Endpoint.publisher_id)).subquery()
    return select(found.c.publisher_id)


def _call_in_for(
    session: Session, now: datetime, publisher: Publisher, notice: Notice, note_trouble: NoteTrouble | None
) -> int:
    clock = session.scalar(starts_clocks(notice.id))
    told = list_told_to_joiners(session, notice)
    since = next((index for index, statement in enumerate(told) if statement.id == clock), len(told))
    if NoticeState(notice.state) is NoticeState.IN_EFFECT:
        told = told[: since + 1]
    return sum(
        _call_in_by(session, now, publisher, notice, statement, note_trouble, is_clock=statement.id == clock)
        for statement in told[since:]
    )


def _call_in_by(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    statement: Statement,
    note_trouble: NoteTrouble | None,
    *,
    is_clock: bool,
) -> int:
    """Call in the next contact of every customer whom none of the letters of one statement reaches."""
    query = _select_customers(session, notice, statement, is_clock=is_clock)
    found = session.scalars(query).all()
    if not found:
        return 0
    # Few are named, so that it is not asked once more who they are.
    looked_at = found if len(found) <= FEW else query
    of_notice = select(NoticeCustomer).where(NoticeCustomer.notice_id == notice.id)
    rows = session.scalars(of_notice.where(NoticeCustomer.customer_id.in_(looked_at)))
    frozen = {each.customer_id: each for each in rows}
    untold: dict[int, Sequence[_Letter]] = {}
    # Read whole: who is called in below is not to be looked at again.
    for customer_id, letters in list(_load_letters(session, statement, looked_at)):
        terms = _find_terms(session, publisher, frozen.get(customer_id), customer_id)
        if all(letter.stands_by or letter.is_hopeless(terms, now) for letter in letters):
            untold[customer_id] = letters
    called: list[bool] = []

    def call(customer_id: int) -> None:
        next_one = next((each for each in untold[customer_id] if each.stands_by and not each.is_gone), None)
        if next_one is not None:
            contact: Subscription | None = session.get_one(Subscription, next_one.delivery.subscription_id)
        else:
            contact = _let_owner_stand_by(session, now, notice, statement, customer_id)
        called.append(contact is not None and _call(session, now, notice, contact) > 0)

    one_by_one(session, untold, call, note_trouble)
    return sum(called)


def _select_customers(session: Session, notice: Notice, statement: Statement, *, is_clock: bool) -> Select[int | None]:
    """Select the customers that may have to be told by another contact, and for whom there is one.

    Whom nobody has to be called in for any more is left out here: there may be thousands, every minute.
    """
    standing_by = (
        select(Subscription.customer_id)
        .join(Delivery, Delivery.subscription_id == Subscription.id)
        .where(
            Subscription.publisher_id == notice.publisher_id,
            Subscription.customer_id.is_not(None),
            Subscription.ended_at.is_(None),
            Subscription.is_standby,
            Delivery.statement_id == statement.id,
            Delivery.skip_reason == SkipReason.STANDBY.value,
        )
    )
    with_owners = _select_owners(session, statement).with_only_columns(Subscription.customer_id).order_by(None)
    found = union(standing_by, with_owners).subquery()
    may_be_untold: ColumnElement[bool] = found.c.customer_id.not_in(_select_told(statement))
    is_waiting = or_(NoticeCustomer.customer_id.is_(None), NoticeCustomer.state == StandingState.WAITING.value)
    if NoticeState(notice.state) is NoticeState.IN_EFFECT:
        who = is_waiting
    elif is_clock:
        who = or_(is_waiting, and_(NoticeCustomer.state == StandingState.RECEIVED.value, may_be_untold))
    else:
        who = and_(or_(is_waiting, NoticeCustomer.state == StandingState.RECEIVED.value), may_be_untold)
    of_notice = and_(NoticeCustomer.notice_id == notice.id, NoticeCustomer.customer_id == found.c.customer_id)
    return select(found.c.customer_id).outerjoin(NoticeCustomer, of_notice).where(who)


def _select_told(statement: Statement) -> Select[int | None]:
    """Select the customers of which a contact that can be written to has a statement, or is about to."""
    # A list that a database makes once, and no question asked for every customer.
    return (
        select(Subscription.customer_id)
        .join(Delivery, Delivery.subscription_id == Subscription.id)
        .join(Address, Address.id == Subscription.address_id)
        .outerjoin(Suppression, suppresses())
        .outerjoin(Acknowledgement, Acknowledgement.delivery_id == Delivery.id)
        .where(
            Subscription.publisher_id == statement.publisher_id,
            Subscription.customer_id.is_not(None),
            Subscription.ended_at.is_(None),
            Delivery.statement_id == statement.id,
            or_(Delivery.state.in_([state.value for state in IN_GOOD_HANDS]), Acknowledgement.id.is_not(None)),
            Delivery.channel.in_(BEARS_A_DUTY),
            Address.value.is_not(None),
            Suppression.id.is_(None),
        )
    )


def _select_owners(session: Session, statement: Statement) -> Select[int | None, Address, Subscription]:
    """Select the customers that a statement went to at an endpoint, with who answers for it and the subscription.

    Of owners those who can be written to and are no contact of the customer. An endpoint that a person ended is none.
    """
    contact = aliased(Subscription)
    is_contact = exists().where(
        contact.address_id == Endpoint.owner_address_id,
        contact.customer_id == Subscription.customer_id,
        # Implied by the line above; said so that the database finds it by the index of contacts.
        contact.customer_id.is_not(None),
        contact.ended_at.is_(None),
    )
    # Subscriptions that have ended are in no index, so they are looked for only where there are any.
    gone = session.scalars(
        select(Endpoint.address_id).where(
            Endpoint.publisher_id == statement.publisher_id, Endpoint.ended_at >= statement.made_at
        )
    ).all()
    is_endpoints: ColumnElement[bool] = Subscription.ended_at.is_(None)
    if gone:
        has_gone = and_(
            Subscription.address_id.in_(gone),
            Subscription.ended_because == EndedBecause.GONE.value,
            # Or else the endpoint has begun anew since, and somebody else may answer for it.
            Subscription.ended_at == Endpoint.ended_at,
        )
        is_endpoints = or_(is_endpoints, has_gone)
    return (
        select(Subscription.customer_id, Address, Subscription)
        .join(Delivery, Delivery.subscription_id == Subscription.id)
        .join(Endpoint, Endpoint.address_id == Subscription.address_id)
        .join(Address, Address.id == Endpoint.owner_address_id)
        .outerjoin(Suppression, suppresses())
        .where(
            Endpoint.publisher_id == statement.publisher_id,
            Subscription.customer_id.is_not(None),
            is_endpoints,
            Delivery.statement_id == statement.id,
            Delivery.skip_reason.is_(None),
            Address.value.is_not(None),
            Suppression.id.is_(None),
            ~is_contact,
        )
        .order_by(Subscription.rank, Subscription.id)
    )


def _let_owner_stand_by(
    session: Session, now: datetime, notice: Notice, statement: Statement, customer_id: int
) -> Subscription | None:
    """Make whoever answers for a customer's endpoint a contact that stands by, and return it; None where nobody may be.

    Whom a person has ended as a contact is not brought back by what happens by itself (R34). At an endpoint by which
    several customers are told nobody knows for which of them its owner may act.
    """
    customer = session.get_one(Customer, customer_id)
    owners = _select_owners(session, statement).where(Subscription.customer_id == customer_id)
    for _, owner, by_web in session.execute(owners).all():
        if not has_left(session, customer, owner) and not _is_shared(session, by_web):
            email, language = owner.value or "", by_web.language
            added = add_contact(session, now, customer, email, WORKER, language=language, is_standby=True)
            # A notice in effect is told to nobody who joins, but it is still owed to this customer.
            deliver_notice_to(session, now, notice, added.subscription)
            return added.subscription
    return None


def _is_shared(session: Session, by_web: Subscription) -> bool:
    other = exists().where(
        Subscription.address_id == by_web.address_id,
        Subscription.customer_id != by_web.customer_id,
        or_(Subscription.ended_at.is_(None), Subscription.ended_because == EndedBecause.GONE.value),
    )
    return bool(session.scalar(select(other)))


def _find_terms(session: Session, publisher: Publisher, row: NoticeCustomer | None, customer_id: int) -> Terms | None:
    """Return the terms of a customer that still is to be reached, None where they cannot be read."""
    if row is not None:
        return find_terms(row.terms)
    # One that came after the announcement is told like the others, and holds nothing (R17).
    customer = session.get_one(Customer, customer_id)
    return find_customer_terms(session, customer, read_facts(session, publisher).notice)


def _load_letters(
    session: Session, statement: Statement, customers: Select[int | None] | Sequence[int | None]
) -> Iterator[tuple[int, Sequence[_Letter]]]:
    """Yield each customer with the letters to its contacts, those of ended ones too, in the order of the contacts."""
    tried_at = select(func.min(Attempt.send_started_at)).where(Attempt.delivery_id == Delivery.id).scalar_subquery()
    is_gone = or_(Subscription.ended_at.is_not(None), Address.value.is_(None), Suppression.id.is_not(None))
    rows = session.execute(
        select(Subscription.customer_id, Delivery, tried_at, is_gone)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Address, Address.id == Subscription.address_id)
        .outerjoin(Suppression, suppresses())
        .where(Subscription.customer_id.in_(customers), Delivery.statement_id == statement.id)
        .order_by(Subscription.customer_id, Subscription.rank, Subscription.id)
    ).all()
    for customer_id, of_customer in groupby(rows, key=itemgetter(0)):
        if customer_id is not None:
            yield customer_id, [_Letter(delivery, at, is_gone) for _, delivery, at, is_gone in of_customer]


def _call(session: Session, now: datetime, notice: Notice, contact: Subscription) -> int:
    """Let all go that a contact would be told who joins today: what clocks run from, and what was told since (R18).

    Returns how many letters.
    """
    told = [statement.id for statement in list_told_to_joiners(session, notice)]
    waiting = session.scalars(
        select(Delivery)
        .join(Statement, Statement.id == Delivery.statement_id)
        .where(
            Delivery.subscription_id == contact.id,
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
            customer_id=contact.customer_id,
            notice=notice.number,
        )
    session.flush()
    return len(waiting)
