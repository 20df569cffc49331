"""Customers of whom no contact has what a notice said, nor is about to get it: those to be looked at (R12, R13).

The question is who has each statement, and not only whose letter was lost: a contact that was told may have ended
since, and whoever came instead may have no letter of it at all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, case, exists, or_, select
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryNote, DeliveryState
from registry.domain.notice_life import NoticeState
from registry.domain.notices import local_date
from registry.domain.standings import COUNTS_AS_TOLD
from registry.domain.told import CANNOT_BE_SENT, LOST, OWED, TAKEN, Said, find_clock
from registry.steps.fan_out import LAST_ZONE_TO_END_A_DAY
from registry.tables import Customer, Delivery, Notice, NoticeCustomer, Subscription

_HAS_IT: Final = "has it"
_MAY_GET_IT: Final = "may get it"
_LOST: Final = "lost"
_CANCELLED: Final = "cancelled"


def find_left_out(session: Session, now: datetime, notice: Notice, statements: Sequence[Said]) -> set[int]:
    """Return the customers, by their row, that may not have got one of a notice's `statements`, in their order.

    Those with a letter that was lost; those of whom nobody has the statement that clocks run from and whose letter was
    cancelled; and of all others who was told of the notice, or counts as told. Whose contract is over is owed nothing
    but an answer to what was lost at a contact that stands.
    """
    letters = {each.number: session.execute(_letters_to_contacts(notice, each)).all() for each in statements}
    told = {customer for rows in letters.values() for customer, _, what in rows if what == _HAS_IT}
    told |= set(
        session.scalars(
            select(NoticeCustomer.customer_id).where(
                NoticeCustomer.notice_id == notice.id, NoticeCustomer.state.in_(COUNTS_AS_TOLD)
            )
        )
    )
    if notice.state == NoticeState.WITHDRAWN.value:
        told |= set(session.scalars(_unclear_to_contacts(notice, statements)))
    clock = find_clock(statements)
    at_standing: set[int] = set()
    at_nobody: set[int] = set()
    for statement in statements:
        rows = letters[statement.number]
        at_standing |= {customer for customer, stands, what in rows if stands and what == _LOST}
        lost = {customer for customer, _, what in rows if what in (_LOST, _CANCELLED)}
        owing = told if statement.kind in OWED else lost & told
        if clock is not None and statement.number == clock.number:
            owing = lost if notice.state != NoticeState.WITHDRAWN.value else set()
        at_nobody |= owing - {customer for customer, _, what in rows if what in (_HAS_IT, _MAY_GET_IT)}
    if at_nobody:
        over_on = local_date(now, LAST_ZONE_TO_END_A_DAY)
        is_over = (Customer.publisher_id == notice.publisher_id, Customer.contract_until < over_on)
        at_nobody -= set(session.scalars(select(Customer.id).where(*is_over)))
    return at_standing | at_nobody


def contacts_of(publisher_id: int) -> tuple[ColumnElement[bool], ...]:
    """The conditions by which a publisher's contacts are found, those that have ended too."""
    # Added to, so that no database looks through all of a publisher's subscriptions by their own index.
    return (Subscription.customer_id.is_not(None), Subscription.publisher_id + 0 == publisher_id)


def _letters_to_contacts(notice: Notice, statement: Said) -> Select[Any]:
    """Select each contact's customer, whether the contact stands, and what became of the statement's letter to it.

    That is None where there is no letter, or one that was skipped and may be sent later.
    """
    # A question for each contact, of whom there are few and an index: a statement may have a million followers.
    what = (
        select(
            case(
                (Delivery.state.in_(TAKEN), _HAS_IT),
                (or_(Delivery.state.in_(LOST), Delivery.skip_reason.in_(CANNOT_BE_SENT)), _LOST),
                (Delivery.state == DeliveryState.CANCELLED.value, _CANCELLED),
                (Delivery.state == DeliveryState.SKIPPED.value, None),
                else_=_MAY_GET_IT,
            )
        )
        .where(Delivery.statement_id == statement.number, Delivery.subscription_id == Subscription.id)
        .correlate(Subscription)
        .scalar_subquery()
    )
    stands = Subscription.ended_at.is_(None)
    return select(Subscription.customer_id, stands, what).where(*contacts_of(notice.publisher_id))


def _unclear_to_contacts(notice: Notice, statements: Sequence[Said]) -> Select[Any]:
    """Select the customers with a contact that may have got one of the statements."""
    unclear = exists().where(
        Delivery.statement_id.in_([each.number for each in statements]),
        Delivery.subscription_id == Subscription.id,
        Delivery.note == DeliveryNote.MAY_HAVE_ARRIVED.value,
    )
    return select(Subscription.customer_id).where(*contacts_of(notice.publisher_id), unclear)
