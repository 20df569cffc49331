"""Step one: an edit becomes an immutable entry version, and waits for a notice unless it is editorial (R1–R4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.changes import diff_entry
from registry.domain.entries import EntryContent, EntryInternals, digest_of
from registry.domain.vocabulary import Weight
from registry.steps.editorial import (
    Edit,
    EditFate,
    add_version,
    approve_edit,
    drop_pending,
    find_open_change,
    find_open_notice,
    is_editable,
    set_pending,
    take_editorial_effect,
)
from registry.steps.list_periods import touch
from registry.steps.lookup import (
    find_current_version,
    find_entry,
    find_pending_version,
    get_entry,
    lock_publisher,
    read_content,
)
from registry.steps.record import Actor, record_event
from registry.steps.revise_draft import revise_draft
from registry.tables import (
    Entry,
    EntryInternal,
    EntryKey,
    EntryVersion,
    ListPeriod,
    Notice,
    NoticeChange,
    Publisher,
)

__all__ = [
    "Edit",
    "EditFate",
    "approve_edit",
    "find_open_notice",
    "record_edit",
    "record_internals",
    "take_editorial_effect",
]


def record_edit(
    session: Session,
    now: datetime,
    publisher: Publisher,
    key: str,
    content: EntryContent | None,
    actor: Actor,
    *,
    former_keys: tuple[str, ...] = (),
    position: int | None = None,
) -> Edit:
    """Record what the entry `key` should say; None removes it from the list.

    An editorial edit takes effect at once where the publisher requires no approval (R3). An edit of an entry that an
    announced notice carries reaches list and target alike if it is editorial and touches no announced field; any
    other waits until that notice has ended (R4). An edit of a drafted notice's entry revises the draft and voids its
    approvals (R16). Wanting what is already wanted changes nothing. Without `position` a new entry comes last. Raises
    `UnknownEntry` for the removal of an entry that there never was.
    """
    lock_publisher(session, publisher)
    entry = _find_or_create(session, now, publisher, key, former_keys, actor, may_create=content is not None)
    if position is not None and entry.position != position:
        entry.position = position
    current, pending = find_current_version(session, entry), find_pending_version(session, entry)
    wanted, row = pending or current, find_open_change(session, entry)
    document = content.as_document() if content else None
    digest = digest_of(document)
    change = diff_entry(entry.key, read_content(current), content)
    if digest == digest_of(wanted.document if wanted else None):
        # An edit may have waited for an approval that is not required any more.
        edit = take_editorial_effect(session, now, publisher, entry, actor)
        return edit if edit.fate is EditFate.IN_EFFECT else Edit(entry.key, EditFate.UNCHANGED, change)
    undone = _undo(session, now, publisher, entry, row, current, digest, actor)
    if undone is not None:
        return undone
    version = add_version(session, now, publisher, entry, document, actor.name)
    record_event(
        session,
        now,
        actor,
        "entry.edited",
        subject=("entry", entry.key),
        publisher_id=publisher.id,
        version=version.seq,
        digest=version.digest,
        weight=change.weight.value if change else None,
    )
    set_pending(session, publisher, entry, version.id)
    if row is not None and is_editable(session, row):
        revise_draft(session, now, publisher, session.get_one(Notice, row.notice_id), actor)
    elif row is not None or (change is not None and change.weight is Weight.EDITORIAL):
        return take_editorial_effect(session, now, publisher, entry, actor)
    if row is not None and find_open_change(session, entry) is None:
        # Nothing but editorial differences is left of what the draft had of this entry.
        return take_editorial_effect(session, now, publisher, entry, actor)
    return Edit(entry.key, EditFate.DRAFTED, change)


def record_internals(
    session: Session, publisher: Publisher, key: str, internals: EntryInternals, *, now: datetime, actor: Actor
) -> bool:
    """Store the private facts beside an entry (R1); return whether anything differs. They are in no version."""
    entry = find_entry(session, publisher, key)
    return entry is not None and write_internals(session, publisher, entry, internals, now=now, actor=actor)


def load_internals(session: Session, publisher: Publisher) -> dict[int, EntryInternals]:
    """Return the private facts of the publisher's entries that have any, by the entry's row (R1)."""
    rows = session.scalars(select(EntryInternal).where(EntryInternal.publisher_id == publisher.id))
    names = EntryInternals.model_fields
    return {row.entry_id: EntryInternals(**{name: getattr(row, name) for name in names}) for row in rows}


def write_internals(
    session: Session, publisher: Publisher, entry: Entry, internals: EntryInternals, *, now: datetime, actor: Actor
) -> bool:
    """Store the private facts beside an entry, as `record_internals` does."""
    row = session.get(EntryInternal, entry.id)
    if row is None:
        if internals == EntryInternals():
            return False
        row = EntryInternal(entry_id=entry.id, publisher_id=publisher.id)
        session.add(row)
    values = internals.model_dump()
    if all(getattr(row, name, None) == value for name, value in values.items()):
        return False
    for name, value in values.items():
        setattr(row, name, value)
    record_event(session, now, actor, "entry.internals", subject=("entry", entry.key), publisher_id=publisher.id)
    return True


def _undo(
    session: Session,
    now: datetime,
    publisher: Publisher,
    entry: Entry,
    row: NoticeChange | None,
    current: EntryVersion | None,
    digest: str,
    actor: Actor,
) -> Edit | None:
    """Drop the pending edit where the one now made leads back to the list, or to the target that was announced."""
    if row is not None and not is_editable(session, row):
        target = session.get_one(EntryVersion, row.target_version_id)
        if digest != target.digest:
            return None
        drop_pending(session, now, publisher, entry, actor, back_to=target.id)
        return Edit(entry.key, EditFate.DROPPED, None)
    if digest != digest_of(current.document if current else None):
        return None
    drop_pending(session, now, publisher, entry, actor)
    if row is not None:
        revise_draft(session, now, publisher, session.get_one(Notice, row.notice_id), actor)
    return Edit(entry.key, EditFate.DROPPED, None)


def _find_or_create(
    session: Session,
    now: datetime,
    publisher: Publisher,
    key: str,
    former_keys: tuple[str, ...],
    actor: Actor,
    *,
    may_create: bool,
) -> Entry:
    entry = find_entry(session, publisher, key)
    for former in former_keys if entry is None else ():
        entry = find_entry(session, publisher, former)
        if entry is not None:
            break
    if entry is None and not may_create:
        return get_entry(session, publisher, key)
    if entry is None:
        last = session.scalar(select(func.max(Entry.position)).where(Entry.publisher_id == publisher.id))
        position = 0 if last is None else last + 1
        entry = Entry(publisher_id=publisher.id, key=key, position=position, created_at=now)
        session.add(entry)
        session.flush()
        session.add(EntryKey(publisher_id=publisher.id, entry_id=entry.id, key=key))
        session.flush()
    elif entry.key != key:
        _move(session, now, publisher, entry, key, actor)
    return entry


def _move(session: Session, now: datetime, publisher: Publisher, entry: Entry, key: str, actor: Actor) -> None:
    record_event(
        session,
        now,
        actor,
        "entry.moved",
        subject=("entry", key),
        publisher_id=publisher.id,
        former_key=entry.key,
    )
    entry.key = key
    if session.scalar(select(EntryKey.id).where(EntryKey.publisher_id == publisher.id, EntryKey.key == key)) is None:
        session.add(EntryKey(publisher_id=publisher.id, entry_id=entry.id, key=key))
    if session.scalar(select(ListPeriod.id).where(ListPeriod.entry_id == entry.id).limit(1)) is not None:
        touch(publisher, now)
    session.flush()
