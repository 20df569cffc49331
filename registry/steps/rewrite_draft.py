"""A draft written anew from the whole of a form: its changes, words, dates, and whether it is an emergency."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy.orm import Session

from registry.steps.draft_notice import revise_notice
from registry.steps.pick_changes import pick_changes
from registry.steps.record import Actor
from registry.tables import Notice, Publisher


def rewrite_draft(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    actor: Actor,
    *,
    entry_keys: Collection[str],
    effective_on: date | None,
    announce_at: datetime | None,
    summary: str,
    explanation: str,
    emergency_reason: str | None,
) -> bool:
    """Make a draft say exactly this; return whether it says anything else than before, which voids its approvals.

    `effective_on` is a date of the publisher's zone, None for the present one where it is still lawful;
    `announce_at` (UTC) None is at publication; an empty `summary` is made from the changes. `emergency_reason` None
    makes it no emergency. Raises as `pick_changes` and `revise_notice` do.
    """
    before = notice.digest
    pick_changes(session, now, publisher, notice, actor, entry_keys)
    if emergency_reason is None:
        # What is left out stays as it is in a revision, and here an emergency is over.
        notice.emergency_reason = None
    revise_notice(
        session,
        now,
        publisher,
        notice,
        actor,
        effective_on=effective_on,
        announce_at=announce_at,
        summary=summary,
        explanation=explanation,
        emergency_reason=emergency_reason,
    )
    return notice.digest != before
