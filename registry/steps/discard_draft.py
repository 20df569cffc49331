"""Discarding a notice that nobody was told of, with its edits or without them (R15)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.errors import IllegalTransition
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import lock_publisher
from registry.steps.record import Actor, record_event
from registry.steps.revise_draft import list_changes
from registry.steps.withdraw_notice import withdraw_notice
from registry.tables import Notice, PendingEdit, Publisher


def discard_draft(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    actor: Actor,
    letterhead: Letterhead,
    *,
    keeps_edits: bool,
) -> None:
    """Take back a notice before anybody was told of it; its number is not given again.

    With `keeps_edits` its edits wait for another notice; without, they are dropped with it. Raises `IllegalTransition`
    for a notice that was announced: that one is withdrawn, which tells everybody.
    """
    lock_publisher(session, publisher, notice)
    if NoticeState(notice.state) in PENDING_STATES:
        raise IllegalTransition(machine="notice", state=notice.state, event="discard")
    targets = {row.entry_id: row.target_version_id for row in list_changes(session, notice)}
    withdraw_notice(session, now, publisher, notice, actor, letterhead)
    if not keeps_edits:
        return
    newer = set(session.scalars(select(PendingEdit.entry_id).where(PendingEdit.entry_id.in_(targets))))
    for entry_id, version_id in targets.items():
        if entry_id not in newer:
            session.add(PendingEdit(entry_id=entry_id, publisher_id=publisher.id, version_id=version_id))
    record_event(
        session,
        now,
        actor,
        "notice.edits_kept",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        entries=list(targets),
    )
    session.flush()
