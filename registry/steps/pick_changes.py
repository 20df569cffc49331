"""Taking pending edits into a draft notice and out of it again, or pinning them anew to the list as it is (R4)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.orm import Session

from registry.domain.notice_life import NoticeEvent, NoticeState, next_notice_state
from registry.steps.editorial import find_open_notice
from registry.steps.errors import EditLocked, NothingToAnnounce
from registry.steps.lookup import find_current_version, find_pending_version, get_entry, lock_publisher
from registry.steps.record import Actor, record_event
from registry.steps.revise_draft import list_changes, make_change, pin_changes, revise_draft, summarise
from registry.tables import Entry, Notice, NoticeChange, Publisher


def pick_changes(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    actor: Actor,
    entry_keys: Collection[str],
) -> bool:
    """Let a draft carry the pending edits of exactly these entries, compared with the list as it is now.

    What is taken out waits for another notice. A summary that was made from the changes is made again; any difference
    voids the approvals (R16). Returns whether anything differs. Raises `NothingToAnnounce` where nothing would be left
    or an entry has no edit, `EditLocked` for one that stands in another open notice, `UnknownEntry`, and
    `IllegalTransition` once the notice is published.
    """
    lock_publisher(session, publisher, notice)
    next_notice_state(NoticeState(notice.state), NoticeEvent.EDIT)
    wanted = {entry.id: entry for entry in (get_entry(session, publisher, key) for key in entry_keys)}
    rows = list_changes(session, notice)
    carried = {row.entry_id: row for row in rows}
    added = [_pin(session, publisher, entry) for entry_id, entry in wanted.items() if entry_id not in carried]
    removed = [row for entry_id, row in carried.items() if entry_id not in wanted]
    if not wanted:
        raise NothingToAnnounce(publisher=publisher.slug)
    if not added and not removed and not any(_is_stale(session, row) for row in rows):
        return False
    is_summary_made = notice.summary == summarise(session, publisher, rows)
    for row in removed:
        session.delete(row)
    pin_changes(session, publisher, notice, added)
    if is_summary_made:
        notice.summary = summarise(session, publisher, list_changes(session, notice))
    names = {entry.id: entry.key for entry, _ in added} | {
        row.entry_id: session.get_one(Entry, row.entry_id).key for row in removed
    }
    record_event(
        session,
        now,
        actor,
        "notice.changes_picked",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        added=[names[entry.id] for entry, _ in added],
        removed=[names[row.entry_id] for row in removed],
    )
    revise_draft(session, now, publisher, notice, actor)
    return True


def _pin(session: Session, publisher: Publisher, entry: Entry) -> tuple[Entry, NoticeChange]:
    taken_by = find_open_notice(session, entry)
    if taken_by is not None:
        raise EditLocked(key=entry.key, number=taken_by.number)
    change = make_change(entry, find_current_version(session, entry), find_pending_version(session, entry))
    if change is None:
        raise NothingToAnnounce(publisher=publisher.slug, key=entry.key)
    return entry, change


def _is_stale(session: Session, row: NoticeChange) -> bool:
    entry = session.get_one(Entry, row.entry_id)
    current, pending = find_current_version(session, entry), find_pending_version(session, entry)
    return (row.base_version_id, row.target_version_id) != (
        current.id if current else None,
        pending.id if pending else row.target_version_id,
    )
