"""Draft notices: which pending edits they carry, on which base, and the digest that approvals bind to (R4, R16)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import exists, func, or_, select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange, diff_entry
from registry.domain.entries import digest_of
from registry.domain.notice_life import NoticeEvent, NoticeState, next_notice_state
from registry.domain.vocabulary import Weight, heavier
from registry.language import speaking
from registry.letters.rows import describe_change
from registry.steps.freeze_letters import own_language
from registry.steps.lookup import find_current_version, find_pending_version, read_content
from registry.steps.record import Actor, record_event
from registry.tables import Entry, EntryVersion, ListPeriod, Notice, NoticeChange, Product, Publisher


def pin_changes(
    session: Session, publisher: Publisher, notice: Notice, pinned: Iterable[tuple[Entry, NoticeChange]]
) -> None:
    """Put changes made by `make_change` into the notice."""
    for entry, row in pinned:
        row.notice_id, row.entry_id, row.publisher_id = notice.id, entry.id, publisher.id
        session.add(row)
    session.flush()


def make_change(entry: Entry, base: EntryVersion | None, target: EntryVersion | None) -> NoticeChange | None:
    """Write down the version the list has, the version wanted, and their typed difference; None where there is none."""
    change = diff_entry(entry.key, read_content(base), read_content(target))
    if target is None or change is None:
        return None
    return NoticeChange(
        base_version_id=base.id if base else None,
        target_version_id=target.id,
        change=change.as_document(),
        weight=change.weight.value,
        is_open=True,
    )


def revise_draft(session: Session, now: datetime, publisher: Publisher, notice: Notice, actor: Actor) -> None:
    """Pin a draft's entries anew after one of them was edited; that voids its approvals (R16).

    An entry of which only editorial differences are left leaves the draft, for these need no notice (R3). A draft that
    no edit is left in is withdrawn: nobody has seen it. A summary that was made from the changes is made again.
    """
    rows = list_changes(session, notice)
    is_summary_made = notice.summary == summarise(session, publisher, rows)
    for row in rows:
        entry = session.get_one(Entry, row.entry_id)
        fresh = make_change(entry, find_current_version(session, entry), find_pending_version(session, entry))
        if fresh is None or (Weight(fresh.weight) is Weight.EDITORIAL and not _was_meant_to_be_told(row)):
            session.delete(row)
        else:
            _pin_anew(row, fresh)
    session.flush()
    rows = list_changes(session, notice)
    if is_summary_made and rows:
        notice.summary = summarise(session, publisher, rows)
    mark_revised(session, now, publisher, notice, actor)
    if not rows:
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
    session.flush()


def _was_meant_to_be_told(row: NoticeChange) -> bool:
    """Return whether a person put an editorial change into the notice, or raised what it asks for (R3)."""
    return Weight.EDITORIAL is EntryChange.from_document(row.change).weight or _is_raised(row)


def _is_raised(row: NoticeChange) -> bool:
    weight, computed = Weight(row.weight), EntryChange.from_document(row.change).weight
    return weight is not computed and heavier(weight, computed) is weight


def _pin_anew(row: NoticeChange, fresh: NoticeChange) -> None:
    """Take over a fresh comparison. A weight that a person raised stays raised, one that was lowered is computed anew.

    The reason for lowering was about a content that is no more (R3).
    """
    if (row.base_version_id, row.target_version_id) == (fresh.base_version_id, fresh.target_version_id):
        return
    was_raised = _is_raised(row)
    row.weight = heavier(Weight(row.weight), Weight(fresh.weight)).value if was_raised else fresh.weight
    row.weight_reason = row.weight_reason if was_raised else None
    row.base_version_id, row.target_version_id = fresh.base_version_id, fresh.target_version_id
    row.change = fresh.change


def mark_revised(session: Session, now: datetime, publisher: Publisher, notice: Notice, actor: Actor) -> None:
    """Note that a draft was revised: its approvals are void, and the actor is one of its authors from now on (R16).

    Raises `IllegalTransition` once it is published.
    """
    notice.state = next_notice_state(NoticeState(notice.state), NoticeEvent.EDIT).value
    notice.authors = list(dict.fromkeys([*notice.authors, notice.author, actor.name]))
    notice.author = actor.name
    notice.updated_at = now
    notice.digest = digest_notice(session, notice)
    record_event(
        session,
        now,
        actor,
        "notice.revised",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        digest=notice.digest,
    )


def find_authors(session: Session, notice: Notice) -> set[str]:
    """Return everybody who wrote or changed the notice or an edit in it, so none of whom may approve it (R16)."""
    authors = {notice.author, *notice.authors}
    for row in list_changes(session, notice):
        authors |= find_edit_authors(session, session.get_one(EntryVersion, row.target_version_id))
    return authors


def find_edit_authors(session: Session, target: EntryVersion) -> set[str]:
    """Return everybody who had a hand in an edit: the authors of all versions of its entry since the last one told.

    Told is what was on the list, or in a notice that was announced. A draft that was discarded told nobody anything.
    """
    was_told = or_(
        exists().where(ListPeriod.version_id == EntryVersion.id),
        exists().where(
            NoticeChange.target_version_id == EntryVersion.id,
            NoticeChange.notice_id == Notice.id,
            Notice.announced_at.is_not(None),
        ),
    )
    earlier = (EntryVersion.entry_id == target.entry_id, EntryVersion.seq < target.seq)
    last_told = session.scalar(select(func.max(EntryVersion.seq)).where(*earlier, was_told)) or 0
    since = session.scalars(select(EntryVersion.author).where(*earlier, EntryVersion.seq > last_told))
    return {target.author, *since}


def summarise(session: Session, publisher: Publisher, changes: Iterable[NoticeChange]) -> str:
    """Put the changes into one line in the publisher's language, for a notice that its author gave no words."""
    products = session.scalars(select(Product).where(Product.publisher_id == publisher.id))
    names = {product.key: product.name for product in products}
    with speaking(own_language(publisher)):
        said = [describe_change(EntryChange.from_document(row.change), names) for row in changes]
    return "; ".join(f"{change.name}: {change.headline}" for change in said)


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
    # A notice without an explanation has the digest it had before there were any.
    explained = {"explanation": notice.explanation} if notice.explanation else {}
    return digest_of(
        {
            **explained,
            "summary": notice.summary,
            "planned_on": notice.planned_on.isoformat(),
            "announce_at": notice.announce_at.astimezone(UTC).isoformat() if notice.announce_at else None,
            "emergency_reason": notice.emergency_reason,
            "changes": [
                [row.entry_id, row.base_version_id, target_digest, row.weight, row.weight_reason]
                for row, target_digest in rows
            ],
        }
    )
