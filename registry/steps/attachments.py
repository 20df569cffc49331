"""Documents that somebody attaches to what they record, such as the courier's receipt of a notice (R13)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.documents import CALLED, Upload, check_document
from registry.steps.record import Actor, record_event
from registry.tables import Attachment, Publisher


@dataclass(frozen=True)
class ListedDocument:
    """A document as a list shows it, without its bytes. `size` is in bytes, `added_at` is UTC."""

    id: int
    purpose: str
    subject: str
    customer_id: int | None
    name: str
    media_type: str
    size: int
    sha256: str
    is_erased: bool
    added_at: datetime
    added_by: str

    @property
    def called(self) -> str:
        """What people call its format."""
        return CALLED.get(self.media_type, self.media_type)


def attach(
    session: Session,
    now: datetime,
    publisher: Publisher,
    actor: Actor,
    *,
    purpose: str,
    subject: tuple[str, str],
    customer_id: int | None,
    upload: Upload,
    field: str = "document",
) -> Attachment:
    """Keep a document with what it belongs to, and put it on record without its name, which may name people.

    `purpose` is one of `DocumentPurpose`; `subject` is its kind and key as in the record. The same bytes for the same
    purpose of the same subject and customer are one document, however often they are sent. Raises `InvalidInput` naming
    `field` as `check_document` does.
    """
    document = check_document(upload, field)
    same = session.scalar(
        select(Attachment)
        .where(
            Attachment.publisher_id == publisher.id,
            Attachment.subject_kind == subject[0],
            Attachment.subject == subject[1],
            Attachment.purpose == str(purpose),
            Attachment.customer_id.is_not_distinct_from(customer_id),
            Attachment.sha256 == document.sha256,
            Attachment.body.is_not(None),
        )
        .order_by(Attachment.id)
        .limit(1)
    )
    if same is not None:
        return same
    attachment = Attachment(
        publisher_id=publisher.id,
        purpose=str(purpose),
        subject_kind=subject[0],
        subject=subject[1],
        customer_id=customer_id,
        name=document.name,
        media_type=document.media_type,
        size=len(document.body),
        sha256=document.sha256,
        body=document.body,
        added_at=now,
        added_by=actor.name,
    )
    session.add(attachment)
    session.flush()
    record_event(
        session,
        now,
        actor,
        "document.attached",
        subject=subject,
        publisher_id=publisher.id,
        document=attachment.id,
        purpose=attachment.purpose,
        customer_id=customer_id,
        media_type=attachment.media_type,
        size=attachment.size,
        sha256=attachment.sha256,
    )
    return attachment


def find_document(session: Session, publisher: Publisher, number: int) -> Attachment | None:
    """Return one document of the publisher with its bytes, or None where it has none of this number."""
    return session.scalar(select(Attachment).where(Attachment.publisher_id == publisher.id, Attachment.id == number))


def list_documents(
    session: Session, publisher: Publisher, kind: str, subjects: Collection[str], *, customer_id: int | None = None
) -> dict[str, list[ListedDocument]]:
    """Return the documents attached to some subjects of one kind, by subject and oldest first, in one query.

    With `customer_id` only those about that customer.
    """
    columns = (
        Attachment.id,
        Attachment.purpose,
        Attachment.subject,
        Attachment.customer_id,
        Attachment.name,
        Attachment.media_type,
        Attachment.size,
        Attachment.sha256,
        Attachment.body.is_(None),
        Attachment.added_at,
        Attachment.added_by,
    )
    query = select(*columns).where(
        Attachment.publisher_id == publisher.id,
        Attachment.subject_kind == kind,
        Attachment.subject.in_(subjects),
    )
    if customer_id is not None:
        query = query.where(Attachment.customer_id == customer_id)
    rows = session.execute(query.order_by(Attachment.id))
    found: dict[str, list[ListedDocument]] = {}
    for row in rows:
        document = ListedDocument(*row)
        found.setdefault(document.subject, []).append(document)
    return found
