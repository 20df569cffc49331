"""One objection whole: what was said by whom, its thread with each letter, and its effect on the notice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.effect import Hold, HoldReason, find_possible_at
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.notices import next_told_date
from registry.domain.objections import OPEN_OBJECTION_STATES, ObjectionState
from registry.domain.terms import Terms, find_terms, find_zone
from registry.steps.attachments import ListedDocument, list_documents
from registry.steps.objection_period import last_day_of
from registry.steps.take_effect import TELLS_A_DATE, find_holds
from registry.tables import (
    Address,
    Customer,
    Delivery,
    Notice,
    NoticeCustomer,
    Objection,
    ObjectionNote,
    Publisher,
    Statement,
    Subscription,
)


@dataclass(frozen=True)
class SentTo:
    """One letter of a thread to one contact. `address` is None once erased."""

    delivery: int
    address: str | None
    state: str


@dataclass(frozen=True)
class ThreadNote:
    """One contribution to the thread, and the letters it went out in. `at` is UTC; `text` is None once erased."""

    kind: str
    text: str | None
    author: str
    at: datetime
    sent: tuple[SentTo, ...]


@dataclass(frozen=True)
class Outlook:
    """What closing the customer's open objections would do to the notice, as things stand.

    `holds`: one of them holds it now. `others` are the holds that would be left. `effective_on` is the date of the
    publisher's zone on which it would take effect, None where nobody can say. `closes` counts the objections of the
    customer that are closed together.
    """

    holds: bool
    others: tuple[Hold, ...]
    effective_on: date | None
    closes: int


@dataclass(frozen=True)
class ObjectionSheet:
    """One objection with all that belongs to it. Instants are UTC; `last_on` is a date of the customer's own `zone`.

    `contact` is the address of the contact whose link was used, None for another road or once erased. `about` are names
    of entries, none for the whole notice. `terms` are the customer's in this notice, or the publisher's.
    """

    id: int
    customer_key: str
    customer: str
    number: str
    summary: str
    notice_state: str
    effective_on: date | None
    took_effect_at: datetime | None
    is_emergency: bool
    road: str | None
    contact: str | None
    contact_stands: bool
    name: str | None
    company: str | None
    about: tuple[str, ...]
    state: str
    is_in_time: bool
    ground: str | None
    cure: str | None
    received_at: datetime
    last_on: date | None
    zone: str
    resolved_at: datetime | None
    terms: Terms | None
    standing: str | None
    documents: tuple[ListedDocument, ...]
    thread: tuple[ThreadNote, ...]
    outlook: Outlook

    @property
    def is_open(self) -> bool:
        """Whether nobody has closed it."""
        return ObjectionState(self.state) in OPEN_OBJECTION_STATES


def load_objection(session: Session, now: datetime, publisher: Publisher, number: int) -> ObjectionSheet | None:
    """Load one objection of the publisher at `now` (UTC), or None where it has none of this number."""
    siblings = (
        select(func.count())
        .select_from(sibling := _sibling())
        .where(
            sibling.c.notice_id == Objection.notice_id,
            sibling.c.customer_id == Objection.customer_id,
            sibling.c.state.in_([state.value for state in OPEN_OBJECTION_STATES]),
        )
        .scalar_subquery()
    )
    row = session.execute(
        select(Objection, Notice, Customer, NoticeCustomer, Address.value, Subscription.ended_at, siblings)
        .join(Notice, Notice.id == Objection.notice_id)
        .join(Customer, Customer.id == Objection.customer_id)
        .outerjoin(
            NoticeCustomer,
            (NoticeCustomer.notice_id == Notice.id) & (NoticeCustomer.customer_id == Objection.customer_id),
        )
        .outerjoin(Subscription, Subscription.id == Objection.subscription_id)
        .outerjoin(Address, Address.id == Subscription.address_id)
        .where(Objection.publisher_id == publisher.id, Objection.id == number)
    ).first()
    if row is None:
        return None
    objection, notice, customer, standing, contact, ended_at, open_count = row
    terms = standing.terms if standing else notice.terms
    zone = find_zone(terms, notice.terms["time_zone"])
    statements = session.execute(
        select(Statement.kind, Statement.effective_on, Statement.changes)
        .where(Statement.notice_id == notice.id)
        .order_by(Statement.seq)
    ).all()
    names = {each["change"]["key"]: each["change"]["name"] for told in statements for each in told.changes}
    told_on = [told.effective_on for told in statements if told.kind in TELLS_A_DATE]
    documents = list_documents(session, publisher, "objection", [str(objection.id)])
    return ObjectionSheet(
        id=objection.id,
        customer_key=customer.key,
        customer=customer.name,
        number=notice.number,
        summary=notice.summary,
        notice_state=notice.state,
        effective_on=notice.effective_on,
        took_effect_at=notice.took_effect_at,
        is_emergency=notice.emergency_reason is not None,
        road=objection.road,
        contact=contact,
        contact_stands=objection.subscription_id is not None and contact is not None and ended_at is None,
        name=objection.name,
        company=objection.company,
        about=tuple(names.get(key, key) for key in objection.entry_keys or ()),
        state=objection.state,
        is_in_time=objection.is_in_time,
        ground=objection.ground,
        cure=objection.cure,
        received_at=objection.received_at,
        last_on=last_day_of(objection.deadline_at, zone),
        zone=zone,
        resolved_at=objection.resolved_at,
        terms=find_terms(terms),
        standing=standing.state if standing else None,
        documents=tuple(documents.get(str(objection.id), ())),
        thread=_load_thread(session, objection),
        outlook=_look_ahead(session, now, publisher, notice, customer.key, told_on, open_count),
    )


def _sibling() -> Any:
    return select(Objection.notice_id, Objection.customer_id, Objection.state).subquery("sibling")


def _load_thread(session: Session, objection: Objection) -> tuple[ThreadNote, ...]:
    notes = session.scalars(
        select(ObjectionNote).where(ObjectionNote.objection_id == objection.id).order_by(ObjectionNote.id)
    ).all()
    letters = [note.letter_id for note in notes if note.letter_id is not None]
    sent: dict[int, list[SentTo]] = {}
    if letters:
        # By the customer's own subscriptions, which have an index on deliveries; letters have none.
        contacts = select(Subscription.id).where(Subscription.customer_id == objection.customer_id)
        rows = session.execute(
            select(Delivery.letter_id, Delivery.id, Address.value, Delivery.state)
            .join(Subscription, Subscription.id == Delivery.subscription_id)
            .join(Address, Address.id == Subscription.address_id)
            .where(Delivery.subscription_id.in_(contacts), Delivery.letter_id.in_(letters))
            .order_by(Delivery.id)
        )
        for letter_id, delivery, address, state in rows:
            sent.setdefault(letter_id, []).append(SentTo(delivery, address, state))
    return tuple(
        ThreadNote(note.kind, note.text, note.author, note.made_at, tuple(sent.get(note.letter_id or 0, ())))
        for note in notes
    )


def _look_ahead(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    customer_key: str,
    told_on: Sequence[date | None],
    closes: int,
) -> Outlook:
    """Work out what `take_effect` would do next, were no objection of this customer open (R21, R22)."""
    if NoticeState(notice.state) not in PENDING_STATES:
        return Outlook(False, (), None, closes)
    holds = find_holds(session, now, notice)
    others = tuple(
        hold for hold in holds if (hold.customer_key, hold.reason) != (customer_key, HoldReason.OBJECTION_OPEN)
    )
    last_told = told_on[-1] if told_on else notice.planned_on
    stands = notice.effective_at is not None and notice.effective_at > now and notice.effective_on == last_told
    if stands and not others:
        effective_on = notice.effective_on
    else:
        dates = [on for on in told_on if on is not None]
        zone = publisher.facts["time_zone"]
        possible_at = find_possible_at(others, now)
        effective_on = next_told_date(possible_at, dates[-1] if dates else notice.planned_on, now, zone)
    return Outlook(len(others) < len(holds), others, effective_on, closes)
