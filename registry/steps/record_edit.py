"""Step one: an edit becomes an immutable entry version, and waits for a notice unless it is editorial (R1–R4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange, diff_entry, merge_editorial
from registry.domain.entries import EntryContent, EntryInternals, digest_of
from registry.domain.notice_life import EDITABLE_STATES, NoticeState
from registry.domain.vocabulary import Weight
from registry.steps.approvals import count_approvals
from registry.steps.list_periods import put_on_list
from registry.steps.lookup import find_current_version, find_entry, find_pending_version, read_content, read_facts
from registry.steps.record import Actor, record_event
from registry.steps.revise_draft import revise_draft
from registry.tables import Entry, EntryInternal, EntryKey, EntryVersion, Notice, NoticeChange, PendingEdit, Publisher


class EditFate(StrEnum):
    """What became of an edit."""

    UNCHANGED = "unchanged"
    IN_EFFECT = "in_effect"
    DRAFTED = "drafted"
    NEEDS_APPROVAL = "needs_approval"
    DROPPED = "dropped"
    WAITS = "waits"


@dataclass(frozen=True)
class Edit:
    """An edit's fate, and how the entry now wanted differs from the list as it is (None: not at all)."""

    key: str
    fate: EditFate
    change: EntryChange | None


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
    other waits for the next notice (R4). An edit of a drafted notice's entry revises the draft and voids its approvals
    (R16). Wanting what is already wanted changes nothing.
    """
    entry = _find_or_create(session, now, publisher, key, former_keys, actor)
    if position is not None and entry.position != position:
        entry.position = position
    current, pending = find_current_version(session, entry), find_pending_version(session, entry)
    wanted = pending or current
    document = content.as_document() if content else None
    change = diff_entry(entry.key, read_content(current), content)
    if digest_of(document) == digest_of(wanted.document if wanted else None):
        return Edit(entry.key, EditFate.UNCHANGED, change)
    open_notice = find_open_notice(session, entry)
    if document == (current.document if current else None) and (open_notice is None or _is_editable(open_notice)):
        return _drop(session, now, publisher, entry, open_notice, actor)
    version = _add_version(session, now, publisher, entry, document, actor)
    record_event(
        session,
        now,
        actor,
        "entry.edited",
        subject=("entry", entry.key),
        publisher_id=publisher.id,
        version=version.seq,
        digest=version.digest,
        weight=change.weight if change else None,
    )
    if open_notice is not None and not _is_editable(open_notice):
        return _edit_announced(session, now, publisher, entry, version, open_notice, actor)
    _set_pending(session, publisher, entry, version)
    if open_notice is not None:
        revise_draft(session, now, publisher, open_notice, actor)
        return Edit(entry.key, EditFate.DRAFTED, change)
    if change is not None and change.weight is Weight.EDITORIAL:
        return take_editorial_effect(session, now, publisher, entry, actor)
    return Edit(entry.key, EditFate.DRAFTED, change)


def take_editorial_effect(session: Session, now: datetime, publisher: Publisher, entry: Entry, actor: Actor) -> Edit:
    """Put a pending editorial edit on the list if it has the approvals the publisher requires, sending nothing (R3)."""
    pending = find_pending_version(session, entry)
    change = diff_entry(entry.key, read_content(find_current_version(session, entry)), read_content(pending))
    if pending is None or change is None or change.weight is not Weight.EDITORIAL:
        return Edit(entry.key, EditFate.UNCHANGED, change)
    required = read_facts(session, publisher).approvals_required
    if count_approvals(session, publisher, "edit", pending.id, pending.digest) < required:
        return Edit(entry.key, EditFate.NEEDS_APPROVAL, change)
    put_on_list(session, now, publisher, entry, pending, cause="editorial")
    record_event(
        session,
        now,
        actor,
        "entry.corrected",
        subject=("entry", entry.key),
        publisher_id=publisher.id,
        version=pending.seq,
    )
    return Edit(entry.key, EditFate.IN_EFFECT, change)


def record_internals(
    session: Session, publisher: Publisher, key: str, internals: EntryInternals, *, now: datetime, actor: Actor
) -> bool:
    """Store the private facts beside an entry (R1); return whether anything differs. They are in no version."""
    entry = find_entry(session, publisher, key)
    if entry is None:
        return False
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


def find_open_notice(session: Session, entry: Entry) -> Notice | None:
    """Return the one open notice the entry stands in, or None (R4)."""
    return session.scalar(
        select(Notice)
        .join(NoticeChange, NoticeChange.notice_id == Notice.id)
        .where(NoticeChange.entry_id == entry.id, NoticeChange.is_open)
    )


def _is_editable(notice: Notice) -> bool:
    return NoticeState(notice.state) in EDITABLE_STATES


def _find_or_create(
    session: Session, now: datetime, publisher: Publisher, key: str, former_keys: tuple[str, ...], actor: Actor
) -> Entry:
    entry = find_entry(session, publisher, key)
    for former in former_keys if entry is None else ():
        entry = find_entry(session, publisher, former)
        if entry is not None:
            break
    if entry is None:
        entry = Entry(publisher_id=publisher.id, key=key, position=0, created_at=now)
        session.add(entry)
        session.flush()
        session.add(EntryKey(publisher_id=publisher.id, entry_id=entry.id, key=key))
        session.flush()
    elif entry.key != key:
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
        if session.scalar(select(EntryKey).where(EntryKey.publisher_id == publisher.id, EntryKey.key == key)) is None:
            session.add(EntryKey(publisher_id=publisher.id, entry_id=entry.id, key=key))
        publisher.revision += 1 if publisher.revision else 0
        publisher.changed_at = now
        session.flush()
    return entry


def _add_version(
    session: Session,
    now: datetime,
    publisher: Publisher,
    entry: Entry,
    document: dict[str, object] | None,
    actor: Actor,
) -> EntryVersion:
    last = session.scalar(select(func.max(EntryVersion.seq)).where(EntryVersion.entry_id == entry.id)) or 0
    version = EntryVersion(
        publisher_id=publisher.id,
        entry_id=entry.id,
        seq=last + 1,
        document=document,
        digest=digest_of(document),
        author=actor.name,
        created_at=now,
    )
    session.add(version)
    session.flush()
    return version


def _set_pending(session: Session, publisher: Publisher, entry: Entry, version: EntryVersion) -> None:
    session.execute(delete(PendingEdit).where(PendingEdit.entry_id == entry.id))
    session.add(PendingEdit(entry_id=entry.id, publisher_id=publisher.id, version_id=version.id))
    session.flush()


def _drop(
    session: Session, now: datetime, publisher: Publisher, entry: Entry, open_notice: Notice | None, actor: Actor
) -> Edit:
    session.execute(delete(PendingEdit).where(PendingEdit.entry_id == entry.id))
    record_event(session, now, actor, "entry.edit_dropped", subject=("entry", entry.key), publisher_id=publisher.id)
    if open_notice is not None:
        revise_draft(session, now, publisher, open_notice, actor)
    return Edit(entry.key, EditFate.DROPPED, None)


def _edit_announced(
    session: Session,
    now: datetime,
    publisher: Publisher,
    entry: Entry,
    version: EntryVersion,
    notice: Notice,
    actor: Actor,
) -> Edit:
    row = session.get_one(NoticeChange, (notice.id, entry.id))
    announced = EntryChange.from_document(row.change)
    target = read_content(session.get(EntryVersion, row.target_version_id))
    current_version = find_current_version(session, entry)
    current, wanted = read_content(current_version), read_content(version)
    edit = diff_entry(entry.key, target, wanted)
    touched = {field.field for field in announced.fields}
    may_join = (
        edit is not None
        and edit.weight is Weight.EDITORIAL
        and current is not None
        and target is not None
        and not touched & {field.field for field in edit.fields}
        and not read_facts(session, publisher).approvals_required
    )
    _set_pending(session, publisher, entry, version)
    if not may_join or edit is None or current is None:
        return Edit(entry.key, EditFate.WAITS, edit)
    corrected = _add_version(session, now, publisher, entry, merge_editorial(edit, current).as_document(), actor)
    put_on_list(session, now, publisher, entry, corrected, cause="editorial")
    _set_pending(session, publisher, entry, version)
    row.base_version_id = corrected.id
    row.target_version_id = version.id
    record_event(
        session,
        now,
        actor,
        "notice.target_corrected",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        entry=entry.key,
    )
    return Edit(entry.key, EditFate.IN_EFFECT, edit)
