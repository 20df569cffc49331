"""What retention must know of subscriptions before it lets their addresses go (R36): facts, and no decision."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from registry.domain.notice_life import FINAL_STATES, PENDING_STATES
from registry.domain.objections import OPEN_OBJECTION_STATES
from registry.domain.retention import UNDER_WAY, AddressUse, find_contract_end
from registry.domain.standings import StandingState
from registry.domain.vocabulary import Audience
from registry.steps.lookup import find_customer_terms, read_facts
from registry.tables import Customer, Delivery, Notice, NoticeCustomer, Objection, Publisher, Statement, Subscription


def load_uses(session: Session, publisher: Publisher, subscriptions: Iterable[Subscription]) -> dict[int, AddressUse]:
    """Return the facts of each subscription, by its row; of one with a letter under way none: it waits until that ends.

    The subscriptions are the publisher's, and locked.
    """
    given = list(subscriptions)
    under_way = set(
        session.scalars(
            select(Delivery.subscription_id)
            .where(
                Delivery.subscription_id.in_([each.id for each in given]),
                Delivery.state.in_([state.value for state in UNDER_WAY]),
            )
            .distinct()
        )
    )
    contacts = [each for each in given if each.customer_id is not None]
    told_until = _find_told_until(session, [each.id for each in contacts])
    customer_ids = {each.customer_id for each in contacts if each.customer_id is not None}
    contract_ends = _find_contract_ends(session, publisher, customer_ids)
    needing = _find_customers_that_need_contacts(session, customer_ids)
    uses = {}
    for each in given:
        if each.id in under_way:
            continue
        told, is_pending = told_until.get(each.id, (None, False))
        stands = each.ended_at is None
        uses[each.id] = AddressUse(
            audience=Audience(each.audience),
            confirmed_at=each.confirmed_at,
            ended_at=each.ended_at,
            contract_ended_at=contract_ends.get(each.customer_id) if each.customer_id is not None else None,
            told_until=told,
            is_needed=is_pending or (stands and each.customer_id in needing),
        )
    return uses


def _find_told_until(session: Session, contacts: list[int]) -> dict[int, tuple[datetime | None, bool]]:
    """Return when the last notice that each was written about came to its end, and whether one is pending still."""
    rows = session.execute(
        select(
            Delivery.subscription_id,
            func.max(func.coalesce(Notice.took_effect_at, Notice.withdrawn_at)),
            func.max(case((Notice.state.in_([state.value for state in FINAL_STATES]), 0), else_=1)),
        )
        .join(Statement, Statement.id == Delivery.statement_id)
        .join(Notice, Notice.id == Statement.notice_id)
        .where(Delivery.subscription_id.in_(contacts))
        .group_by(Delivery.subscription_id)
    )
    return {contact: (told_until, bool(is_pending)) for contact, told_until, is_pending in rows}


def _find_contract_ends(session: Session, publisher: Publisher, customers: set[int]) -> dict[int, datetime]:
    """Return the last moment of those contracts that have a last day, each by the customer's own zone."""
    ending = session.scalars(
        select(Customer).where(Customer.id.in_(customers), Customer.contract_until.is_not(None)).order_by(Customer.id)
    ).all()
    terms = read_facts(session, publisher).notice
    ends = {}
    for customer in ending:
        if customer.contract_until is not None:
            zone = (find_customer_terms(session, customer, terms) or terms).time_zone
            ends[customer.id] = find_contract_end(customer.contract_until, zone)
    return ends


def _find_customers_that_need_contacts(session: Session, customers: set[int]) -> set[int]:
    """Return those whose clock can run, as they stand in a pending notice, or who have an objection open."""
    standing = (
        select(NoticeCustomer.customer_id)
        .join(Notice, Notice.id == NoticeCustomer.notice_id)
        .where(
            NoticeCustomer.customer_id.in_(customers),
            NoticeCustomer.state != StandingState.DROPPED.value,
            Notice.state.in_([state.value for state in PENDING_STATES]),
        )
    )
    objecting = select(Objection.customer_id).where(
        Objection.customer_id.in_(customers), Objection.state.in_([state.value for state in OPEN_OBJECTION_STATES])
    )
    found = {*session.scalars(standing), *session.scalars(objecting)}
    return {customer for customer in found if customer is not None}
