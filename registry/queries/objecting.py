"""What the page behind "Object to this change" shows: the notice, the customer's own deadline, and what was received.

It reads and changes nothing, for mail scanners follow links. The page shows the company what it sent, and not who sent
it: a letter can be forwarded to anybody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange
from registry.domain.objections import OPEN_OBJECTION_STATES, NoteKind, ObjectionState
from registry.pages.entry_facts import Names
from registry.pages.notice_facts import ChangeShown, tell_change
from registry.pages.own_words import tell_own_words
from registry.pages.values import Addresses, PublicPublisher
from registry.steps.attachments import list_documents
from registry.steps.object_by_link import ObjectionLink, may_object
from registry.steps.revise_draft import list_changes
from registry.tables import Objection, ObjectionNote

FROM_THE_CUSTOMER = (NoteKind.ADDITION.value, NoteKind.WITHDRAWAL.value)


@dataclass(frozen=True)
class Said:
    """What the customer said later: its kind, the words (None once erased, empty with a document alone), and when."""

    kind: str
    text: str | None
    at: datetime


@dataclass(frozen=True)
class ReceivedObjection:
    """One objection of the customer as it is shown to it. `about` are names of entries, none for the whole notice."""

    received_at: datetime
    state: str
    is_open: bool
    is_in_time: bool
    about: tuple[str, ...]
    ground: str | None
    documents: tuple[str, ...]
    said: tuple[Said, ...]
    resolved_at: datetime | None


@dataclass(frozen=True)
class ObjectingPage:
    """The page: instants are UTC, shown in `zone`, the customer's own; `effective_on` is a date of the publisher's.

    `last_on` is the customer's last day to object, None while no letter told one. `is_unproved`: no proof of receipt is
    on record, so that no period has ended whatever a letter printed (R25). `may_object` is false for a notice
    that was withdrawn, `may_withdraw` for a contact that has been replaced.
    """

    number: str
    summary: str
    state: str
    notice_url: str
    effective_on: date | None
    took_effect_at: datetime | None
    is_emergency: bool
    customer: str
    zone: str
    last_on: date | None
    is_in_time: bool
    is_unproved: bool
    may_object: bool
    may_withdraw: bool
    changes: tuple[ChangeShown, ...]
    own_words: Mapping[str, Any]
    received: tuple[ReceivedObjection, ...]

    @property
    def standing(self) -> ReceivedObjection | None:
        """The objection that is open, or None."""
        return next((each for each in self.received if each.is_open), None)


def load_objecting(
    session: Session, now: datetime, link: ObjectionLink, publisher: PublicPublisher, addresses: Addresses
) -> ObjectingPage:
    """Load what the page of one link shows at `now` (UTC)."""
    notice, customer = link.notice, link.customer
    changes = [EntryChange.from_document(row.change) for row in list_changes(session, notice)]
    entry_names = {change.key: change.name for change in changes}
    names = Names({product.key: product.name for product in publisher.products}, entry_names)
    return ObjectingPage(
        number=notice.number,
        summary=notice.summary,
        state=notice.state,
        notice_url=addresses.at(f"notices/{notice.number}"),
        effective_on=notice.effective_on,
        took_effect_at=notice.took_effect_at,
        is_emergency=notice.emergency_reason is not None,
        customer=customer.name,
        zone=link.period.zone,
        last_on=link.period.last_on,
        is_in_time=link.period.takes(now),
        is_unproved=link.period.computed_at is None,
        may_object=may_object(link),
        may_withdraw=link.is_standing,
        changes=tuple(tell_change(change, addresses, names) for change in changes),
        own_words=tell_own_words(publisher, changes),
        received=_load_received(session, link, entry_names),
    )


def _load_received(session: Session, link: ObjectionLink, names: dict[str, str]) -> tuple[ReceivedObjection, ...]:
    rows = session.scalars(
        select(Objection)
        .where(Objection.notice_id == link.notice.id, Objection.customer_id == link.customer.id)
        .order_by(Objection.id.desc())
    ).all()
    if not rows:
        return ()
    numbers = [row.id for row in rows]
    documents = list_documents(session, link.publisher, "objection", [str(number) for number in numbers])
    said: dict[int, list[Said]] = {}
    notes = session.scalars(
        select(ObjectionNote)
        .where(ObjectionNote.objection_id.in_(numbers), ObjectionNote.kind.in_(FROM_THE_CUSTOMER))
        .order_by(ObjectionNote.id)
    )
    for note in notes:
        said.setdefault(note.objection_id, []).append(Said(note.kind, note.text, note.made_at))
    return tuple(
        ReceivedObjection(
            received_at=row.received_at,
            state=row.state,
            is_open=ObjectionState(row.state) in OPEN_OBJECTION_STATES,
            is_in_time=row.is_in_time,
            about=tuple(names.get(key, key) for key in row.entry_keys or ()),
            ground=row.ground,
            documents=tuple(each.name for each in documents.get(str(row.id), []) if each.purpose == "objection"),
            said=tuple(said.get(row.id, ())),
            resolved_at=row.resolved_at,
        )
        for row in rows
    )
