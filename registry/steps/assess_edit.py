"""What an edit would mean, were it saved now: its kind and weight, its fate, whose clock it waits for. Changes nothing.

    what the form says ─▶ diff with the list (R2) ─▶ fate, as `record_edit` would answer ─▶ earliest effect (R10, R11)

A test makes every edit that is assessed here, and compares the fate foretold with the one it had.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange, diff_entry, is_beside, merge_editorial
from registry.domain.entries import EntryContent, digest_of
from registry.domain.errors import InvalidInput
from registry.domain.notice_life import EDITABLE_STATES, NoticeState
from registry.domain.notices import EarliestEffect
from registry.domain.vocabulary import Weight, heavier
from registry.steps.editorial import EditFate
from registry.steps.lookup import EntryVersions, read_content
from registry.steps.plan_dates import find_earliest
from registry.steps.save_entry import Present
from registry.tables import Entry, EntryVersion, Notice, NoticeChange, Publisher


@dataclass(frozen=True)
class StandsIn:
    """The one open notice that an entry stands in (R4). `is_draft`: its content may still change (R14).

    `effective_on` is the date last told or planned, a date of the publisher's zone; None is "until further notice".
    """

    number: str
    state: NoticeState
    effective_on: date | None

    @property
    def is_draft(self) -> bool:
        """Whether an edit of the entry revises the notice, which voids its approvals (R16)."""
        return self.state in EDITABLE_STATES


@dataclass(frozen=True)
class Assessment:
    """What an edit would mean.

    `change` is how the entry wanted differs from the list as it is, or from the target that an announced notice leads
    to; None where it does not. `earliest` is when a binding change could take effect, were it announced now.
    `approvals_required` says how many people an editorial edit waits for.
    """

    fate: EditFate
    change: EntryChange | None
    notice: StandsIn | None
    earliest: EarliestEffect | None
    approvals_required: int


def assess_edit(
    session: Session,
    now: datetime,
    publisher: Publisher,
    key: str,
    present: Present | None,
    content: EntryContent | None,
) -> Assessment:
    """Foretell what `record_edit` would make of `content` for an entry, None for a new one; None removes it."""
    versions = present.versions if present else EntryVersions()
    row, notice = (find_open(session, present.entry) if present else None) or (None, None)
    is_announced = notice is not None and not notice.is_draft
    if row is not None and is_announced:
        target = session.get_one(EntryVersion, row.target_version_id)
        change = diff_entry(key, read_content(target), content)
        fate = _fate_beside(row, versions, target, change, content)
    else:
        change = diff_entry(key, read_content(versions.current), content)
        fate = _fate(row, versions, change, content)
    required = int(publisher.facts.get("approvals_required") or 0)
    if fate is EditFate.IN_EFFECT and required:
        fate = EditFate.NEEDS_APPROVAL
    binds = fate is EditFate.DRAFTED and change is not None and change.weight is Weight.BINDING
    return Assessment(fate, change, notice, find_earliest(session, now, publisher) if binds else None, required)


def find_open(session: Session, entry: Entry) -> tuple[NoticeChange, StandsIn] | None:
    """Return the entry's change in the one open notice it stands in, with that notice, or None (R4)."""
    found = session.execute(
        select(NoticeChange, Notice)
        .join(Notice, Notice.id == NoticeChange.notice_id)
        .where(NoticeChange.entry_id == entry.id, NoticeChange.is_open)
    ).first()
    if found is None:
        return None
    notice = found[1]
    return found[0], StandsIn(notice.number, NoticeState(notice.state), notice.effective_on)


def _fate(
    row: NoticeChange | None, versions: EntryVersions, change: EntryChange | None, content: EntryContent | None
) -> EditFate:
    digest = digest_of(content.as_document() if content else None)
    if digest == _digest(versions.wanted):
        return EditFate.UNCHANGED
    if digest == _digest(versions.current) or change is None:
        return EditFate.DROPPED
    needs_notice = change.weight is not Weight.EDITORIAL or (row is not None and _keeps_editorial(row))
    return EditFate.DRAFTED if needs_notice else EditFate.IN_EFFECT


def _fate_beside(
    row: NoticeChange,
    versions: EntryVersions,
    target: EntryVersion,
    change: EntryChange | None,
    content: EntryContent | None,
) -> EditFate:
    """Say what becomes of an edit while an announced notice carries the entry (R4)."""
    digest = digest_of(content.as_document() if content else None)
    if digest == _digest(versions.wanted):
        return EditFate.UNCHANGED
    if digest == target.digest or change is None:
        return EditFate.DROPPED
    current = read_content(versions.current)
    if (
        current is None
        or target.document is None
        or change.weight is not Weight.EDITORIAL
        or not is_beside(change, EntryChange.from_document(row.change))
    ):
        return EditFate.WAITS
    try:
        merge_editorial(change, current)
    except InvalidInput:
        return EditFate.WAITS
    return EditFate.IN_EFFECT


def _keeps_editorial(row: NoticeChange) -> bool:
    """Return whether a draft keeps an entry of which only editorial differences are left, for a person put it there."""
    computed, weight = EntryChange.from_document(row.change).weight, Weight(row.weight)
    return computed is Weight.EDITORIAL or (weight is not computed and heavier(weight, computed) is weight)


def _digest(version: EntryVersion | None) -> str:
    return version.digest if version else digest_of(None)
