"""What happens to an objection between its coming and its cure: it is taken up, noted on, and answered (R25)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.errors import IllegalTransition, RegistryError
from registry.domain.objections import (
    NoteKind,
    ObjectionEvent,
    ObjectionState,
    next_objection_state,
    read_thread_words,
)
from registry.domain.vocabulary import ServiceLetterKind
from registry.steps.letterhead import Letterhead
from registry.steps.objection_letters import REPLY, list_mailboxes, write_to
from registry.steps.record import Actor, record_event
from registry.tables import Notice, Objection, ObjectionNote, Publisher, Subscription

WrittenTo = Literal["objector", "contacts"]
"""Who is answered: the contact whose link the objection came by, or every contact of the customer."""


class NobodyToWriteTo(RegistryError):
    """No contact of the customer can be written to by e-mail. Params: to."""

    code = "nobody-to-write-to"


def find_objection(session: Session, publisher: Publisher, number: int) -> Objection | None:
    """Return the publisher's objection with this number, or None. Numbers can be guessed; another's is none."""
    return session.scalar(select(Objection).where(Objection.publisher_id == publisher.id, Objection.id == number))


def take_up(session: Session, now: datetime, publisher: Publisher, objection: Objection, actor: Actor) -> None:
    """Take an objection up: somebody works on it. Raises `IllegalTransition` for one that is not new."""
    state = next_objection_state(ObjectionState(objection.state), ObjectionEvent.TAKE_UP)
    objection.state = state.value
    _record(session, now, publisher, objection, actor, "objection.taken_up")


def record_refund(
    session: Session, now: datetime, publisher: Publisher, objection: Objection, actor: Actor, words: str
) -> None:
    """Record that what was paid ahead was given back after the contract had ended.

    Raises `IllegalTransition` for an objection that was not closed by the end of the contract, and `InvalidInput`
    naming `text`.
    """
    words = read_thread_words(words)
    if objection.state != ObjectionState.TERMINATED.value:
        # An open one is closed by `resolve_objection`, with all others of the customer.
        raise IllegalTransition(machine="objection", state=objection.state, event=ObjectionEvent.REFUND)
    objection.state = next_objection_state(ObjectionState.TERMINATED, ObjectionEvent.REFUND).value
    objection.cure = "\n\n".join(part for part in (objection.cure, words) if part)
    _record(session, now, publisher, objection, actor, "objection.refunded")


def add_note(
    session: Session, now: datetime, publisher: Publisher, objection: Objection, actor: Actor, words: str
) -> ObjectionNote:
    """Put a note in the thread that the customer never sees. Raises `InvalidInput` naming `text`."""
    note = _note(publisher, now, objection, NoteKind.NOTE, read_thread_words(words), actor)
    session.add(note)
    _record(session, now, publisher, objection, actor, "objection.noted")
    return note


def send_reply(
    session: Session,
    now: datetime,
    publisher: Publisher,
    objection: Objection,
    actor: Actor,
    letterhead: Letterhead,
    words: str,
    to: WrittenTo = "contacts",
) -> list[Subscription]:
    """Answer the customer by e-mail; the words stand in the thread. Return the contacts written to.

    Raises `InvalidInput` naming `text`, and `NobodyToWriteTo` where no contact has a mailbox.
    """
    words = read_thread_words(words)
    contacts = list_mailboxes(session, objection)
    if to == "objector":
        contacts = [contact for contact in contacts if contact.id == objection.subscription_id]
    if not contacts:
        raise NobodyToWriteTo(to=to)
    note = _note(publisher, now, objection, NoteKind.REPLY, words, actor)
    kind = ServiceLetterKind.OBJECTION_REPLY
    write_to(session, now, publisher, letterhead, objection, note, kind, REPLY, contacts)
    _record(session, now, publisher, objection, actor, "objection.answered", contacts=len(contacts))
    return contacts


def put_in_thread(
    session: Session,
    now: datetime,
    publisher: Publisher,
    objection: Objection,
    kind: NoteKind,
    words: str,
    actor: Actor,
) -> ObjectionNote:
    """Put what the customer says by the link in the thread: more to its objection, or why it withdraws it."""
    note = _note(publisher, now, objection, kind, words, actor)
    session.add(note)
    session.flush()
    return note


def _note(
    publisher: Publisher, now: datetime, objection: Objection, kind: NoteKind, words: str, actor: Actor
) -> ObjectionNote:
    return ObjectionNote(
        publisher_id=publisher.id,
        objection_id=objection.id,
        kind=kind.value,
        text=words,
        author=actor.name,
        made_at=now,
    )


def _record(
    session: Session,
    now: datetime,
    publisher: Publisher,
    objection: Objection,
    actor: Actor,
    kind: str,
    **payload: object,
) -> None:
    record_event(
        session,
        now,
        actor,
        kind,
        subject=("notice", session.get_one(Notice, objection.notice_id).number),
        publisher_id=publisher.id,
        customer_id=objection.customer_id,
        objection=objection.id,
        **payload,
    )
    session.flush()
