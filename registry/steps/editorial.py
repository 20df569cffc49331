"""Editorial edits: they take effect on approval, stand in history, and send nothing (R3).

While a notice is open, an editorial edit of one of its entries reaches the list and the announced target alike, if it
touches no field that was announced; any other edit waits until the notice has ended (R4).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange, diff_entry, is_beside, merge_editorial
from registry.domain.entries import EntryContent, digest_of
from registry.domain.errors import InvalidInput
from registry.domain.notice_life import EDITABLE_STATES, NoticeState
from registry.domain.vocabulary import Weight
from registry.steps.approvals import count_approvals, give_approval
from registry.steps.list_periods import put_on_list
from registry.steps.lookup import (
    find_current_version,
    find_pending_version,
    get_entry,
    lock_publisher,
    read_content,
    read_facts,
)
from registry.steps.record import Actor, record_event
from registry.steps.revise_draft import find_edit_authors
from registry.tables import Entry, EntryVersion, Notice, NoticeChange, PendingEdit, Publisher


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
    """An edit's fate, and how the entry now wanted differs from the list as it is (None: not at all).

    For an edit of an entry that an announced notice carries, the difference is that from the announced target.
    """

    key: str
    fate: EditFate
    change: EntryChange | None


def take_editorial_effect(session: Session, now: datetime, publisher: Publisher, entry: Entry, actor: Actor) -> Edit:
    """Let the entry's pending edit take effect if it is editorial and has the approvals required, sending nothing.

    One that no longer differs from what is wanted without it is dropped. The answer says what became of it: in effect,
    dropped, in need of approval, waiting for an open notice to end, or unchanged where it is none for this step.
    """
    row, pending = find_open_change(session, entry), find_pending_version(session, entry)
    current = find_current_version(session, entry)
    if row is not None and not is_editable(session, row):
        return _join_announced(session, now, publisher, entry, row, pending, current, actor)
    change = diff_entry(entry.key, read_content(current), read_content(pending))
    if row is not None or pending is None:
        return Edit(entry.key, EditFate.UNCHANGED, change)
    if change is None:
        drop_pending(session, now, publisher, entry, actor)
        return Edit(entry.key, EditFate.DROPPED, None)
    if change.weight is not Weight.EDITORIAL:
        return Edit(entry.key, EditFate.UNCHANGED, change)
    if not _is_approved(session, publisher, pending):
        return Edit(entry.key, EditFate.NEEDS_APPROVAL, change)
    put_on_list(session, now, publisher, entry, pending, cause="editorial")
    _record_correction(session, now, publisher, entry, pending, actor)
    return Edit(entry.key, EditFate.IN_EFFECT, change)


def approve_edit(session: Session, now: datetime, publisher: Publisher, key: str, actor: Actor) -> Edit:
    """Approve the editorial edit of an entry that waits for approval; with enough of them it takes effect (R3, R16).

    The answer's fate is `unchanged` where no editorial edit waits: one that binds or informs is approved with its
    notice. Raises `UnknownEntry`, `OwnApproval` for who had a hand in it, and `CommandLineMayNotApprove`.
    """
    lock_publisher(session, publisher)
    entry = get_entry(session, publisher, key)
    edit = take_editorial_effect(session, now, publisher, entry, actor)
    pending = find_pending_version(session, entry)
    if edit.fate is not EditFate.NEEDS_APPROVAL or pending is None:
        return edit
    facts = read_facts(session, publisher)
    subject = ("edit", pending.id, entry.key)
    give_approval(session, now, publisher, facts, subject, pending.digest, find_edit_authors(session, pending), actor)
    return take_editorial_effect(session, now, publisher, entry, actor)


def settle_waiting_edits(session: Session, now: datetime, publisher: Publisher, notice: Notice, actor: Actor) -> None:
    """Look at the edits that waited for `notice` to end: editorial ones take effect, those that came true are dropped.

    All others can be drafted from now on (R4).
    """
    waiting = session.scalars(
        select(Entry)
        .join(NoticeChange, NoticeChange.entry_id == Entry.id)
        .join(PendingEdit, PendingEdit.entry_id == Entry.id)
        .where(NoticeChange.notice_id == notice.id)
        .order_by(Entry.id)
    ).all()
    for entry in waiting:
        take_editorial_effect(session, now, publisher, entry, actor)


def find_open_change(session: Session, entry: Entry) -> NoticeChange | None:
    """Return the entry's change in the one open notice it stands in, or None (R4)."""
    return session.scalar(select(NoticeChange).where(NoticeChange.entry_id == entry.id, NoticeChange.is_open))


def find_open_notice(session: Session, entry: Entry) -> Notice | None:
    """Return the one open notice the entry stands in, or None (R4)."""
    row = find_open_change(session, entry)
    return session.get_one(Notice, row.notice_id) if row else None


def is_editable(session: Session, row: NoticeChange) -> bool:
    """Return whether the notice of a change is still a draft, so that its content may change (R14)."""
    return NoticeState(session.get_one(Notice, row.notice_id).state) in EDITABLE_STATES


def add_version(
    session: Session,
    now: datetime,
    publisher: Publisher,
    entry: Entry,
    document: dict[str, object] | None,
    author: str,
) -> EntryVersion:
    """Add the next immutable version of an entry; no document is a removal (R1)."""
    last = session.scalar(select(func.max(EntryVersion.seq)).where(EntryVersion.entry_id == entry.id)) or 0
    version = EntryVersion(
        publisher_id=publisher.id,
        entry_id=entry.id,
        seq=last + 1,
        document=document,
        digest=digest_of(document),
        author=author,
        created_at=now,
    )
    session.add(version)
    session.flush()
    return version


def set_pending(session: Session, publisher: Publisher, entry: Entry, version_id: int) -> None:
    """Make a version the entry's last edit that is not on the list yet."""
    session.execute(delete(PendingEdit).where(PendingEdit.entry_id == entry.id))
    session.add(PendingEdit(entry_id=entry.id, publisher_id=publisher.id, version_id=version_id))
    session.flush()


def drop_pending(
    session: Session,
    now: datetime,
    publisher: Publisher,
    entry: Entry,
    actor: Actor,
    *,
    back_to: int | None = None,
) -> None:
    """Forget the entry's pending edit, since the list says the same; with `back_to`, the announced target does."""
    session.execute(delete(PendingEdit).where(PendingEdit.entry_id == entry.id))
    if back_to is not None:
        set_pending(session, publisher, entry, back_to)
    record_event(session, now, actor, "entry.edit_dropped", subject=("entry", entry.key), publisher_id=publisher.id)


def _join_announced(
    session: Session,
    now: datetime,
    publisher: Publisher,
    entry: Entry,
    row: NoticeChange,
    pending: EntryVersion | None,
    current: EntryVersion | None,
    actor: Actor,
) -> Edit:
    target = session.get_one(EntryVersion, row.target_version_id)
    edit = diff_entry(entry.key, read_content(target), read_content(pending))
    if pending is None or pending.id == target.id:
        return Edit(entry.key, EditFate.UNCHANGED, None)
    if edit is None:
        drop_pending(session, now, publisher, entry, actor, back_to=target.id)
        return Edit(entry.key, EditFate.DROPPED, None)
    merged = _merge(edit, EntryChange.from_document(row.change), read_content(current), read_content(target))
    if merged is None:
        return Edit(entry.key, EditFate.WAITS, edit)
    if not _is_approved(session, publisher, pending):
        return Edit(entry.key, EditFate.NEEDS_APPROVAL, edit)
    row.target_version_id = pending.id
    # A translation of what was announced fits no text of the list as it is, which then stays what it was.
    if merged != read_content(current):
        corrected = add_version(session, now, publisher, entry, merged.as_document(), pending.author)
        put_on_list(session, now, publisher, entry, corrected, cause="editorial")
        row.base_version_id = corrected.id
        _record_correction(session, now, publisher, entry, corrected, actor)
    record_event(
        session,
        now,
        actor,
        "notice.target_corrected",
        subject=("notice", session.get_one(Notice, row.notice_id).number),
        publisher_id=publisher.id,
        entry=entry.key,
        version=pending.seq,
    )
    session.flush()
    return Edit(entry.key, EditFate.IN_EFFECT, edit)


def _merge(
    edit: EntryChange, announced: EntryChange, current: EntryContent | None, target: EntryContent | None
) -> EntryContent | None:
    """Return the list's version with the edit applied, or None where it must wait for the notice (R4).

    All of an entry that comes or goes was announced, so none of it can be corrected beside the notice.
    """
    if current is None or target is None or edit.weight is not Weight.EDITORIAL or not is_beside(edit, announced):
        return None
    try:
        return merge_editorial(edit, current)
    except InvalidInput:
        return None


def _is_approved(session: Session, publisher: Publisher, pending: EntryVersion) -> bool:
    required = read_facts(session, publisher).approvals_required
    authors = find_edit_authors(session, pending)
    return count_approvals(session, publisher, "edit", pending.id, pending.digest, excluding=authors) >= required


def _record_correction(
    session: Session, now: datetime, publisher: Publisher, entry: Entry, version: EntryVersion, actor: Actor
) -> None:
    record_event(
        session,
        now,
        actor,
        "entry.corrected",
        subject=("entry", entry.key),
        publisher_id=publisher.id,
        version=version.seq,
    )
