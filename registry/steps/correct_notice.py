"""Correcting an announced notice; where a binding fact was wrong, customers' clocks run anew (R20)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange, diff_entry
from registry.domain.entries import digest_of
from registry.domain.errors import IllegalTransition
from registry.domain.notice_life import PENDING_STATES, NoticeEvent, NoticeState, next_notice_state
from registry.domain.notices import first_instant
from registry.domain.standings import NO_LONGER_HOLDING, StandingState
from registry.domain.text import refuse_unclean
from registry.domain.vocabulary import StatementKind, Weight, heavier
from registry.steps.approvals import count_approvals, give_approval
from registry.steps.draft_notice import read_explanation
from registry.steps.errors import CorrectionUndoesChange, NotApproved, NothingToAnnounce, ReasonMissing
from registry.steps.letterhead import Letterhead
from registry.steps.list_periods import touch
from registry.steps.lookup import find_pending_version, lock_publisher, read_content, read_facts
from registry.steps.make_statement import make_statement
from registry.steps.plan_dates import find_earliest
from registry.steps.propose import list_correction_proposers
from registry.steps.receipts import start_clock
from registry.steps.record import Actor, record_event
from registry.steps.revise_draft import find_authors, find_edit_authors, list_changes, summarise
from registry.tables import Entry, EntryVersion, Notice, NoticeChange, NoticeCustomer, Publisher


@dataclass(frozen=True)
class _Correction:
    """One entry's announced change, the version that corrects its target, and the typed change that results.

    `weight` is that of the correction itself: what was announced against what is meant.
    """

    row: NoticeChange
    target: EntryVersion
    change: EntryChange
    weight: Weight

    @property
    def restarts(self) -> bool:
        """Whether a binding fact was told wrongly."""
        return self.weight is Weight.BINDING


def correct_notice(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    actor: Actor,
    letterhead: Letterhead,
    *,
    reason: str,
    summary: str | None = None,
    explanation: str | None = None,
) -> dict[str, int]:
    """Correct an announced notice by the edits that wait for its entries, and tell everybody it was told to.

    Where what was announced wrongly binds, every clock starts again at the receipt of the correction, and the date
    moves to the earliest that allows it, never before the date told. Any other correction leaves clocks and date as
    they are. An earlier date needs a new notice (R20). Without a `summary` one is made from the changes by now; without
    an `explanation` the one announced stays, and an empty one takes it away. Returns the counts of the fan-out.

    Raises `IllegalTransition` for a notice that is not pending, `NothingToAnnounce` where no edit waits,
    `CorrectionUndoesChange`, `ReasonMissing`, `InvalidInput` for words that cannot be taken, and `NotApproved` where
    the publisher requires approvals of just this.
    """
    refuse_unclean(reason=reason, summary=summary or "")
    words = None if explanation is None else read_explanation(explanation)
    lock_publisher(session, publisher, notice)
    corrections = _find_corrections(session, publisher, notice, reason)
    facts, digest = read_facts(session, publisher), _digest(notice, corrections, reason, summary, words)
    given = count_approvals(
        session, publisher, "correction", notice.id, digest, excluding=_authors(session, publisher, notice, corrections)
    )
    if given < facts.approvals_required:
        raise NotApproved(number=notice.number, required=facts.approvals_required, given=given)
    for correction in corrections:
        correction.row.target_version_id = correction.target.id
        correction.row.change = correction.change.as_document()
        # What was announced as binding stays so, whoever raised it, and a correction that binds makes it so.
        correction.row.weight = heavier(Weight(correction.row.weight), correction.weight).value
    restarts = any(correction.restarts for correction in corrections)
    previous_on = notice.effective_on
    notice.summary = (summary or "").strip() or summarise(session, publisher, list_changes(session, notice))
    if words is not None:
        notice.explanation = words
    notice.updated_at = now
    touch(publisher, now)
    session.flush()
    if restarts:
        _restart_clocks(session, now, publisher, notice, actor)
    counts = make_statement(
        session,
        now,
        publisher,
        notice,
        StatementKind.CORRECTION,
        letterhead,
        previous_effective_on=previous_on,
        reason=reason,
        restarts_clocks=restarts,
    )
    record_event(
        session,
        now,
        actor,
        "notice.corrected",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        digest=digest,
        restarts_clocks=restarts,
        effective_on=notice.effective_on.isoformat() if notice.effective_on else None,
    )
    return counts


def approve_correction(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    actor: Actor,
    *,
    reason: str,
    summary: str | None = None,
    explanation: str | None = None,
) -> int:
    """Approve exactly the correction that waits, with exactly these words (R16); return how many people have.

    Raises as `correct_notice` does, and `OwnApproval` for anyone who wrote or changed the notice or one of its edits,
    or proposed words for the correction.
    """
    words = None if explanation is None else read_explanation(explanation)
    lock_publisher(session, publisher, notice)
    corrections = _find_corrections(session, publisher, notice, reason)
    return give_approval(
        session,
        now,
        publisher,
        read_facts(session, publisher),
        ("correction", notice.id, notice.number),
        _digest(notice, corrections, reason, summary, words),
        _authors(session, publisher, notice, corrections),
        actor,
    )


def _find_corrections(session: Session, publisher: Publisher, notice: Notice, reason: str) -> list[_Correction]:
    if NoticeState(notice.state) not in PENDING_STATES:
        raise IllegalTransition(machine="notice", state=notice.state, event="correct")
    if not reason.strip():
        raise ReasonMissing(what="reason")
    corrections = []
    for row in list_changes(session, notice):
        entry = session.get_one(Entry, row.entry_id)
        target = find_pending_version(session, entry)
        if target is None or target.id == row.target_version_id:
            continue
        base = session.get(EntryVersion, row.base_version_id) if row.base_version_id else None
        change = diff_entry(entry.key, read_content(base), read_content(target))
        if change is None:
            raise CorrectionUndoesChange(key=entry.key, number=notice.number)
        announced = read_content(session.get(EntryVersion, row.target_version_id))
        edit = diff_entry(entry.key, announced, read_content(target))
        corrections.append(_Correction(row, target, change, edit.weight if edit else Weight.EDITORIAL))
    if not corrections:
        raise NothingToAnnounce(publisher=publisher.slug)
    return corrections


def _digest(notice: Notice, corrections: list[_Correction], reason: str, summary: str | None, words: str | None) -> str:
    targets = [[correction.row.entry_id, correction.target.digest] for correction in corrections]
    explained = [] if words is None else [words]
    return digest_of([notice.id, targets, reason.strip(), (summary or "").strip(), *explained])


def _authors(session: Session, publisher: Publisher, notice: Notice, corrections: list[_Correction]) -> set[str]:
    authors = find_authors(session, notice) | list_correction_proposers(session, publisher, notice)
    return authors.union(*(find_edit_authors(session, correction.target) for correction in corrections))


def _restart_clocks(session: Session, now: datetime, publisher: Publisher, notice: Notice, actor: Actor) -> None:
    """Let every customer wait for the correction, and move the date to the earliest that its receipt allows.

    What a customer agreed to, and what it was exempted from, was the content told wrongly: both lapse, on record.
    """
    standings = session.scalars(
        select(NoticeCustomer).where(NoticeCustomer.notice_id == notice.id).with_for_update(key_share=True)
    )
    for standing in standings.all():
        if standing.approved_at is not None or standing.state in NO_LONGER_HOLDING:
            record_event(
                session,
                now,
                actor,
                "customer.decision_lapsed",
                subject=("notice", notice.number),
                publisher_id=publisher.id,
                customer_id=standing.customer_id,
                was=standing.state,
                had_approved=standing.approved_at is not None,
            )
        standing.approved_at = None
        # One that dropped out waits for the correction too, should it come back (R17).
        is_out = standing.state == StandingState.DROPPED
        start_clock(standing, None, state=(StandingState.DROPPED if is_out else StandingState.WAITING).value)
    if notice.state == NoticeState.HELD.value:
        notice.state = next_notice_state(NoticeState.HELD, NoticeEvent.RELEASE).value
    if notice.emergency_reason is not None:
        return
    earliest = find_earliest(session, now, publisher)
    if notice.effective_on is None or earliest.effective_on > notice.effective_on:
        # The date told last is no sooner than the planned one, and is never undercut (R20).
        notice.effective_on = max(earliest.effective_on, notice.planned_on)
        notice.effective_at = first_instant(notice.effective_on, earliest.publisher_zone)
    session.flush()
