"""A customer's contact objects by the link in its letter, adds to what it said, or withdraws it (R25, R33).

The token names a delivery, and so the notice, the customer and the contact. It is the only way in from outside: the
number of an objection opens nothing. A letter can be forwarded, so every contact of the customer is told of each act.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.documents import DocumentPurpose, Upload
from registry.domain.notice_life import NoticeState
from registry.domain.objections import (
    NoteKind,
    ObjectionRoad,
    ObjectionWords,
    choose_objected,
    read_thread_words,
)
from registry.domain.vocabulary import Audience
from registry.steps.attachments import attach
from registry.steps.audience_errors import UnknownToken
from registry.steps.confirm import subscriber
from registry.steps.errors import UnknownObjection
from registry.steps.keyring import Keyring
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import lock_publisher
from registry.steps.objection_letters import ADDED, RECEIVED, WITHDRAWN, tell_contacts
from registry.steps.objection_period import ObjectionPeriod, find_period
from registry.steps.objection_thread import put_in_thread
from registry.steps.record import record_event
from registry.steps.record_objection import Objector, find_open_objections, record_objection, resolve_objection
from registry.steps.revise_draft import list_changes
from registry.tables import (
    Customer,
    Delivery,
    Notice,
    Objection,
    ObjectionNote,
    Publisher,
    Statement,
    Subscription,
)

BY_LINK = subscriber(Audience.CUSTOMER)


@dataclass(frozen=True)
class ObjectionLink:
    """What a link to object opens: the notice, the customer, its period, and the contact whose letter it stood in.

    `is_standing`: that contact still is one. Who was replaced may still bring an objection, and not withdraw one.
    """

    publisher: Publisher
    notice: Notice
    customer: Customer
    contact: Subscription
    period: ObjectionPeriod

    @property
    def is_standing(self) -> bool:
        """Whether the contact has not been replaced or removed."""
        return self.contact.ended_at is None


def open_link(session: Session, keyring: Keyring, publisher: Publisher, token: str) -> ObjectionLink:
    """Return what a link opens at this publisher, changing nothing. Raises `UnknownToken`.

    The letters of an objection are no statement of a notice; theirs is found by the thread they stand in.
    """
    number = keyring.verify("object", token)
    delivery = session.get(Delivery, number) if number is not None else None
    if delivery is None or delivery.publisher_id != publisher.id:
        raise UnknownToken
    if not keyring.could_sign_for(token, delivery.created_at):
        raise UnknownToken
    contact = session.get_one(Subscription, delivery.subscription_id)
    customer = session.get(Customer, contact.customer_id) if contact.customer_id is not None else None
    notice = _find_notice(session, delivery)
    period = find_period(session, notice, customer) if notice is not None and customer is not None else None
    if notice is None or customer is None or period is None:
        raise UnknownToken
    return ObjectionLink(publisher, notice, customer, contact, period)


def _find_notice(session: Session, delivery: Delivery) -> Notice | None:
    if delivery.statement_id is not None:
        query = select(Notice).join(Statement, Statement.notice_id == Notice.id)
        return session.scalar(query.where(Statement.id == delivery.statement_id))
    query = select(Notice).join(Objection, Objection.notice_id == Notice.id)
    query = query.join(ObjectionNote, ObjectionNote.objection_id == Objection.id)
    return session.scalar(query.where(ObjectionNote.letter_id == delivery.letter_id).limit(1))


def object_by_link(
    session: Session,
    now: datetime,
    letterhead: Letterhead,
    link: ObjectionLink,
    words: ObjectionWords,
    chosen: Collection[str],
    upload: Upload | None = None,
) -> Objection:
    """Record the customer's objection, received now, and tell its contacts.

    While one is open there is no second: the same words again change nothing, and other words are added to it. Raises
    `InvalidInput` naming `changes` or `document`.
    """
    lock_publisher(session, link.publisher, link.notice)
    standing = find_open_objections(session, link.notice, link.customer.id)
    if standing:
        if words.ground != standing[0].ground or upload is not None:
            _add(session, now, letterhead, link, standing[0], words.ground, upload)
        return standing[0]
    changes = {row.change["key"]: row.change["name"] for row in list_changes(session, link.notice)}
    objection = record_objection(
        session,
        now,
        link.publisher,
        link.notice,
        link.customer.key,
        BY_LINK,
        received_at=now,
        ground=words.ground,
        road=ObjectionRoad.LINK,
        objector=Objector(words.name, words.company, link.contact.id),
        entry_keys=choose_objected(changes, chosen),
    )
    _keep(session, now, link, objection, upload)
    tell_contacts(session, now, link.publisher, letterhead, objection, RECEIVED)
    return objection


def add_by_link(
    session: Session, now: datetime, letterhead: Letterhead, link: ObjectionLink, words: str, upload: Upload | None
) -> Objection:
    """Add words, a document or both to the customer's open objection, and tell its contacts.

    Raises `InvalidInput` naming `text` or `document`, and `UnknownObjection` where none is open.
    """
    objection = _get_open(session, link)
    text = "" if upload is not None and not words.strip() else read_thread_words(words)
    _add(session, now, letterhead, link, objection, text, upload)
    return objection


def withdraw_by_link(
    session: Session, now: datetime, letterhead: Letterhead, link: ObjectionLink, words: str
) -> Objection:
    """Withdraw the customer's open objections, with the reason it gives, and tell its contacts.

    Raises `InvalidInput` naming `reason`, `UnknownObjection` where none is open, and `UnknownToken` where the contact
    has been replaced: who is no contact any more gives nothing up for the company.
    """
    if not link.is_standing:
        raise UnknownToken
    objection = _get_open(session, link)
    words = read_thread_words(words, "reason")
    closed = resolve_objection(
        session, now, link.publisher, link.notice, link.customer.key, BY_LINK, cure="withdrawn", note=words
    )
    for each in closed:
        put_in_thread(session, now, link.publisher, each, NoteKind.WITHDRAWAL, words, BY_LINK)
    tell_contacts(session, now, link.publisher, letterhead, objection, WITHDRAWN)
    return objection


def may_object(link: ObjectionLink) -> bool:
    """Return whether there is anything to object to: a withdrawn notice changes nothing."""
    return link.notice.state != NoticeState.WITHDRAWN.value


def _get_open(session: Session, link: ObjectionLink) -> Objection:
    lock_publisher(session, link.publisher, link.notice)
    standing = find_open_objections(session, link.notice, link.customer.id)
    if not standing:
        raise UnknownObjection(number=link.notice.number, customer=link.customer.name)
    return standing[0]


def _add(
    session: Session,
    now: datetime,
    letterhead: Letterhead,
    link: ObjectionLink,
    objection: Objection,
    words: str,
    upload: Upload | None,
) -> None:
    _keep(session, now, link, objection, upload)
    put_in_thread(session, now, link.publisher, objection, NoteKind.ADDITION, words, BY_LINK)
    record_event(
        session,
        now,
        BY_LINK,
        "objection.added_to",
        subject=("notice", link.notice.number),
        publisher_id=link.publisher.id,
        customer_id=link.customer.id,
        objection=objection.id,
    )
    tell_contacts(session, now, link.publisher, letterhead, objection, ADDED)


def _keep(session: Session, now: datetime, link: ObjectionLink, objection: Objection, upload: Upload | None) -> None:
    if upload is None:
        return
    attach(
        session,
        now,
        link.publisher,
        BY_LINK,
        purpose=DocumentPurpose.OBJECTION,
        subject=("objection", str(objection.id)),
        customer_id=link.customer.id,
        upload=upload,
    )
