"""A person raises or lowers what a change asks for, with reasons that stay on record (R3)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange
from registry.domain.notice_life import NoticeEvent, NoticeState, next_notice_state
from registry.domain.text import refuse_unclean
from registry.domain.vocabulary import Weight, heavier
from registry.steps.errors import ReasonMissing, UnknownEntry
from registry.steps.lookup import get_entry, lock_publisher, read_facts
from registry.steps.record import Actor, record_event
from registry.steps.revise_draft import list_changes, mark_revised
from registry.tables import Notice, NoticeChange, Publisher


def weigh_change(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    entry_key: str,
    weight: Weight,
    actor: Actor,
    *,
    reason: str | None = None,
) -> None:
    """Set the weight of one entry's change in a draft (R3). Voids approvals, as any edit does (R16).

    Raising needs nothing more. Lowering below what was computed needs a written reason, and a second person's
    approval before the notice may be published, whatever the publisher asks for otherwise. Raises `ReasonMissing`,
    `UnknownEntry` for one the notice does not have, `IllegalTransition` once it is published, and `InvalidInput` for a
    reason that people cannot read.
    """
    refuse_unclean(reason=reason or "")
    lock_publisher(session, publisher, notice)
    entry = get_entry(session, publisher, entry_key)
    row = session.get(NoticeChange, (notice.id, entry.id))
    if row is None:
        raise UnknownEntry(key=entry_key, publisher=f"notice {notice.number}", near=[])
    computed = EntryChange.from_document(row.change).weight
    is_lowered = heavier(weight, computed) is not weight
    if is_lowered and not (reason or "").strip():
        raise ReasonMissing(what="reason")
    next_notice_state(NoticeState(notice.state), NoticeEvent.EDIT)
    row.weight = weight.value
    row.weight_reason = reason if weight is not computed else None
    session.flush()
    mark_revised(session, now, publisher, notice, actor)
    record_event(
        session,
        now,
        actor,
        "notice.weighed",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        entry=entry.key,
        computed=computed.value,
        weight=weight.value,
    )
    session.flush()


def count_approvals_required(session: Session, publisher: Publisher, notice: Notice) -> int:
    """Return how many people must approve the notice: what the publisher asks for, and one at least where lowered."""
    lowered = any(
        heavier(Weight(row.weight), computed) is not Weight(row.weight)
        for row in list_changes(session, notice)
        if (computed := EntryChange.from_document(row.change).weight)
    )
    return max(read_facts(session, publisher).approvals_required, 1 if lowered else 0)
