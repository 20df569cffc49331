"""Draft notices: which pending edits they carry, on which base, and the digest that approvals bind to (R4, R16)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from registry.domain.changes import diff_entry
from registry.domain.entries import digest_of
from registry.domain.notice_life import NoticeEvent, NoticeState, next_notice_state
from registry.domain.vocabulary import Weight
from registry.steps.lookup import find_current_version, find_pending_version, read_content
from registry.steps.record import Actor, record_event
from registry.tables import Entry, EntryVersion, Notice, NoticeChange, Publisher


def pin_changes(session: Session, publisher: Publisher, notice: Notice, entries: Iterable[Entry]) -> None:
    """Write down, per entry, the version the list has, the version wanted, and the typed difference."""
    for entry in entries:
        base, target = find_current_version(session, entry), find_pending_version(session, entry)
        change = diff_entry(entry.key, read_content(base), read_content(target))
        if target is None or change is None:
            continue
        session.add(
            NoticeChange(
                notice_id=notice.id,
                entry_id=entry.id,
                publisher_id=publisher.id,
                base_version_id=base.id if base else None,
                target_version_id=target.id,
                change=change.as_document(),
                weight=change.weight.value,
                is_open=True,
            )
        )
    session.flush()
    notice.digest = digest_notice(session, notice)


def revise_draft(session: Session, now: datetime, publisher: Publisher, notice: Notice, actor: Actor) -> None:
    """Pin a draft's entries anew after one of them was edited; that voids its approvals (R16).

    A draft that no edit is left in is withdrawn: nobody has seen it. The editor becomes its author, so that nobody
    approves what they last changed.
    """
    entries = list(
        session.scalars(
            select(Entry)
            .join(NoticeChange, NoticeChange.entry_id == Entry.id)
            .where(NoticeChange.notice_id == notice.id)
        )
    )
    session.execute(delete(NoticeChange).where(NoticeChange.notice_id == notice.id))
    session.flush()
    pin_changes(session, publisher, notice, entries)
    notice.state = next_notice_state(NoticeState(notice.state), NoticeEvent.EDIT).value
    notice.author = actor.name
    notice.updated_at = now
    record_event(session, now, actor, "notice.revised", subject=("notice", notice.number), publisher_id=publisher.id)
    if not list_changes(session, notice):
        notice.state = next_notice_state(NoticeState(notice.state), NoticeEvent.WITHDRAW).value
        notice.withdrawn_at = now
        record_event(
            session,
            now,
            actor,
            "notice.emptied",
            subject=("notice", notice.number),
            publisher_id=publisher.id,
        )


def list_changes(session: Session, notice: Notice) -> list[NoticeChange]:
    """Return the changes of a notice in the order of the list."""
    query = select(NoticeChange).join(Entry, Entry.id == NoticeChange.entry_id)
    return list(session.scalars(query.where(NoticeChange.notice_id == notice.id).order_by(Entry.position, Entry.key)))


def weigh_notice(changes: Iterable[NoticeChange]) -> Weight:
    """Return the heaviest weight among a notice's changes: what the whole notice asks for (R3)."""
    weights = [Weight(change.weight) for change in changes]
    order = list(Weight)
    return max(weights, key=order.index, default=Weight.EDITORIAL)


def digest_notice(session: Session, notice: Notice) -> str:
    """Return the digest of what people approve: the words, the dates, and every base and target (R16)."""
    rows = session.execute(
        select(NoticeChange, EntryVersion.digest)
        .join(EntryVersion, EntryVersion.id == NoticeChange.target_version_id)
        .where(NoticeChange.notice_id == notice.id)
        .order_by(NoticeChange.entry_id)
    )
    return digest_of(
        {
            "summary": notice.summary,
            "planned_on": notice.planned_on.isoformat(),
            "announce_at": notice.announce_at.isoformat() if notice.announce_at else None,
            "emergency_reason": notice.emergency_reason,
            "changes": [
                [row.entry_id, row.base_version_id, target_digest, row.weight, row.weight_reason]
                for row, target_digest in rows
            ],
        }
    )
