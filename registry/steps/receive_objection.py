"""An objection that came by another road than the link: by post, by e-mail, on the phone (R25)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from registry.domain.documents import DocumentPurpose, Upload
from registry.domain.objections import ObjectionRoad, ObjectionWords
from registry.steps.attachments import attach
from registry.steps.letterhead import Letterhead
from registry.steps.objection_letters import RECEIVED, tell_contacts
from registry.steps.record import Actor
from registry.steps.record_objection import Objector, record_objection
from registry.tables import Notice, Objection, Publisher


def receive_objection(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    customer_key: str,
    actor: Actor,
    letterhead: Letterhead,
    *,
    received_at: datetime,
    words: ObjectionWords,
    road: ObjectionRoad,
    upload: Upload | None = None,
    tells: bool = True,
) -> tuple[Objection, int]:
    """Record an objection that reached the publisher at `received_at` (UTC), with the document it came in.

    With `tells`, the customer's contacts get a letter that it was received. Returns it, and how many were told. Raises
    `InvalidInput` naming `received_at` for a moment to come, or before the notice was announced, or `document`; and
    `UnknownCustomer`.
    """
    objection = record_objection(
        session,
        now,
        publisher,
        notice,
        customer_key,
        actor,
        received_at=received_at,
        ground=words.ground,
        road=road,
        objector=Objector(words.name, words.company),
    )
    if upload is not None:
        attach(
            session,
            now,
            publisher,
            actor,
            purpose=DocumentPurpose.OBJECTION,
            subject=("objection", str(objection.id)),
            customer_id=objection.customer_id,
            upload=upload,
        )
    told = tell_contacts(session, now, publisher, letterhead, objection, RECEIVED) if tells else 0
    return objection, told
