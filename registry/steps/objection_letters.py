"""Letters to the contacts of a customer that objected: that it was received, and what the publisher answers (R25).

They go the way of every service letter. Which objection one is about follows from the note in its thread, so that the
link in it opens the customer's objection as the link in the notice's own letter does.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from registry.domain.objections import NoteKind
from registry.domain.terms import find_zone
from registry.domain.vocabulary import Audience, ChannelKind, ServiceLetterKind
from registry.language import find_language
from registry.letters.values import ObjectionFacts
from registry.steps.freeze_letters import freeze, own_language
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import read_facts
from registry.steps.objection_period import last_day_of
from registry.steps.revise_draft import list_changes
from registry.steps.service_letters import add_service_delivery
from registry.tables import (
    Address,
    Delivery,
    Letter,
    Notice,
    NoticeCustomer,
    Objection,
    ObjectionNote,
    Publisher,
    Subscription,
)

RECEIVED, ADDED, WITHDRAWN = "received", "added", "withdrawn"
"""What a contact is told of: the objection itself, more to it, or that it was withdrawn."""
REPLY = "reply"

ERASED: Final = "erased"
"""What stands in the place of a letter's texts, which every letter has."""


def tell_contacts(
    session: Session, now: datetime, publisher: Publisher, letterhead: Letterhead, objection: Objection, act: str
) -> int:
    """Tell every contact of the customer what came by the link, since a letter can be forwarded; return how many.

    `act` is `RECEIVED`, `ADDED` or `WITHDRAWN`. That they were told stands in the thread.
    """
    contacts = list_mailboxes(session, objection)
    note = ObjectionNote(
        publisher_id=publisher.id,
        objection_id=objection.id,
        kind=NoteKind.TOLD.value,
        text="",
        author="registry",
        made_at=now,
    )
    kind = ServiceLetterKind.OBJECTION_RECEIVED
    write_to(session, now, publisher, letterhead, objection, note, kind, act, contacts)
    return len(contacts)


def write_to(
    session: Session,
    now: datetime,
    publisher: Publisher,
    letterhead: Letterhead,
    objection: Objection,
    note: ObjectionNote,
    kind: ServiceLetterKind,
    act: str,
    contacts: list[Subscription],
) -> None:
    """Freeze the letter that a note of the thread goes out with, and make it due to these contacts at once.

    Without any contact the note stands by itself.
    """
    session.add(note)
    if contacts:
        notice = session.get_one(Notice, objection.notice_id)
        sender = letterhead.sender_for(read_facts(session, publisher), Audience.CUSTOMER)
        words = note.text if act == REPLY else None
        facts = _say(session, notice, objection, act, words, f"{sender.page_url}notices/{notice.number}")
        # One letter to all, by which the note is found again: in the language of the contact who comes first.
        language = find_language(contacts[0].language) or own_language(publisher)
        frozen = letterhead.renderer.render_objection_letter(kind, sender, language, facts)
        letter = freeze(now, publisher.id, None, kind.value, Audience.CUSTOMER, sender, frozen, language=language)
        session.add(letter)
        session.flush()
        note.letter_id = letter.id
        for contact in contacts:
            add_service_delivery(session, now, contact, letter)
    session.flush()


def list_mailboxes(session: Session, objection: Objection) -> list[Subscription]:
    """Return the contacts of the customer that are written to by e-mail, in the order of their rank."""
    query = (
        select(Subscription)
        .join(Address, Address.id == Subscription.address_id)
        .where(
            Subscription.publisher_id == objection.publisher_id,
            Subscription.customer_id == objection.customer_id,
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
            Address.channel == ChannelKind.EMAIL.value,
            Address.value.is_not(None),
        )
        .order_by(Subscription.rank, Subscription.id)
    )
    return list(session.scalars(query))


def erase_replies(session: Session, notes: Collection[int]) -> None:
    """Erase the letters of those of these notes whose words have had their days: a reply's letter quotes them (R36).

    Its digest and the hashes of what was sent stay. Without its merged words no letter is made of the rest.
    """
    if not notes:
        return
    quoting = select(ObjectionNote.letter_id).where(
        ObjectionNote.id.in_(notes),
        ObjectionNote.kind == NoteKind.REPLY.value,
        ObjectionNote.text.is_(None),
        ObjectionNote.letter_id.is_not(None),
    )
    letters = session.scalars(quoting).all()
    if not letters:
        return
    customers = select(Objection.customer_id).join(ObjectionNote, ObjectionNote.objection_id == Objection.id)
    # By the contacts, which deliveries are found by; letters have no index there.
    contacts = select(Subscription.id).where(Subscription.customer_id.in_(customers.where(ObjectionNote.id.in_(notes))))
    at_once = {"synchronize_session": False}
    session.execute(
        update(Delivery)
        .where(Delivery.subscription_id.in_(contacts), Delivery.letter_id.in_(letters))
        .values(merge=None),
        execution_options=at_once,
    )
    session.execute(
        update(Letter).where(Letter.id.in_(letters)).values(text=ERASED, html=ERASED), execution_options=at_once
    )


def _say(
    session: Session,
    notice: Notice,
    objection: Objection,
    act: str,
    words: str | None,
    notice_url: str,
) -> ObjectionFacts:
    standing = session.get(NoticeCustomer, (notice.id, objection.customer_id))
    zone = find_zone(standing.terms if standing else None, notice.terms["time_zone"])
    names = {row.change["key"]: row.change["name"] for row in list_changes(session, notice)}
    return ObjectionFacts(
        act=act,
        number=notice.number,
        summary=" ".join(notice.summary.split()),
        notice_url=notice_url,
        received_at=objection.received_at,
        zone=zone,
        last_on=last_day_of(objection.deadline_at, zone),
        is_in_time=objection.is_in_time,
        about=tuple(names.get(key, key) for key in objection.entry_keys or ()),
        words=words,
    )
