"""The edits that wait to correct an announced notice: what was told and what is meant (R20)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from registry.domain.changes import EntryChange, diff_entry
from registry.domain.vocabulary import Weight
from registry.steps.lookup import read_content
from registry.tables import Approval, Entry, EntryVersion, Notice, NoticeChange, PendingEdit


@dataclass(frozen=True)
class WaitingCorrection:
    """One entry's edit since it was announced; `change` is what was told against what is meant.

    `version_id` is the version meant, by `author`.
    """

    key: str
    change: EntryChange
    version_id: int
    author: str

    @property
    def restarts_clocks(self) -> bool:
        """Whether a binding fact was told wrongly, so that every customer's clock runs anew."""
        return self.change.weight is Weight.BINDING


def list_waiting_corrections(session: Session, notice: Notice) -> list[WaitingCorrection]:
    """Return the edits of the notice's entries that were made after it was announced, in the order of the list."""
    told, meant = aliased(EntryVersion), aliased(EntryVersion)
    rows = session.execute(
        select(Entry.key, told, meant)
        .join(NoticeChange, NoticeChange.entry_id == Entry.id)
        .join(PendingEdit, PendingEdit.entry_id == Entry.id)
        .join(told, told.id == NoticeChange.target_version_id)
        .join(meant, meant.id == PendingEdit.version_id)
        .where(NoticeChange.notice_id == notice.id, meant.id != told.id)
        .order_by(Entry.position, Entry.key)
    )
    found = []
    for key, before, after in rows:
        change = diff_entry(key, read_content(before), read_content(after))
        if change is not None:
            found.append(WaitingCorrection(key, change, after.id, after.author))
    return found


def list_correction_approvals(session: Session, notice: Notice, since_at: datetime) -> list[str]:
    """Return who approved a correction of the notice since it was proposed at `since_at` (UTC).

    Whether these are approvals of just this correction is asked again when it is sent (R16).
    """
    rows = session.scalars(
        select(Approval.actor)
        .where(
            Approval.publisher_id == notice.publisher_id,
            Approval.subject == "correction",
            Approval.subject_id == notice.id,
            Approval.approved_at >= since_at,
        )
        .order_by(Approval.id)
    )
    return list(dict.fromkeys(rows))
