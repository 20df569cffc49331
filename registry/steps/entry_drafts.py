"""What somebody typed into the form of an entry and has not saved: kept for them alone, until they do.

It changes nothing of the list and is nobody else's business, so it does not stand on the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from registry.tables import EntryDraft, Publisher

NEW: Final = "new"
MOST_NEW_DRAFTS: Final = 20
"""Of new entries, a person and publisher. The oldest goes when another comes."""


def keep_draft(
    session: Session,
    now: datetime,
    publisher: Publisher,
    person_id: int,
    subject: str,
    fields: Mapping[str, Any],
    base_version_id: int | None,
) -> EntryDraft:
    """Keep what a person typed into the form of `subject`, in place of what they typed before.

    `subject` is the entry's key, or `new:` and a word. `base_version_id` is the version the form was opened on. The
    publisher must be locked: two windows of one person may save at once.
    """
    draft = find_draft(session, publisher, person_id, subject)
    if draft is None:
        draft = EntryDraft(publisher_id=publisher.id, person_id=person_id, subject=subject)
        session.add(draft)
    draft.fields, draft.base_version_id, draft.saved_at = dict(fields), base_version_id, now
    session.flush()
    if subject.startswith(f"{NEW}:"):
        for old in list_new_drafts(session, publisher, person_id)[MOST_NEW_DRAFTS:]:
            session.delete(old)
        session.flush()
    return draft


def find_draft(session: Session, publisher: Publisher, person_id: int, subject: str) -> EntryDraft | None:
    """Return what a person kept of the form of `subject`, or None."""
    return session.scalar(select(EntryDraft).where(*_of(publisher, person_id), EntryDraft.subject == subject))


def list_new_drafts(session: Session, publisher: Publisher, person_id: int) -> Sequence[EntryDraft]:
    """Return what a person kept of entries that are not on the list, the newest first."""
    drafts = select(EntryDraft).where(*_of(publisher, person_id), EntryDraft.subject.startswith(f"{NEW}:"))
    return session.scalars(drafts.order_by(EntryDraft.saved_at.desc(), EntryDraft.id.desc())).all()


def discard_draft(session: Session, publisher: Publisher, person_id: int, subject: str) -> None:
    """Forget what a person kept of the form of `subject`, if anything."""
    session.execute(delete(EntryDraft).where(*_of(publisher, person_id), EntryDraft.subject == subject))


def _of(publisher: Publisher, person_id: int) -> tuple[Any, Any]:
    return EntryDraft.publisher_id == publisher.id, EntryDraft.person_id == person_id
