"""Step three: a draft is submitted, approved by a second person where required, and published (R14, R16)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from registry.domain.changes import diff_entry
from registry.domain.notice_life import NoticeEvent, NoticeState, next_notice_state
from registry.steps.announce_notice import announce_notice
from registry.steps.approvals import count_approvals, give_approval
from registry.steps.draft_notice import set_planned_date
from registry.steps.errors import NotApproved, StaleBase
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import find_current_version, read_content, read_facts
from registry.steps.record import Actor, record_event
from registry.steps.revise_draft import list_changes
from registry.tables import Entry, EntryVersion, Notice, Publisher


def move_notice(notice: Notice, event: NoticeEvent, now: datetime) -> None:
    """Take the notice one step along its life, or raise `IllegalTransition`."""
    notice.state = next_notice_state(NoticeState(notice.state), event).value
    notice.updated_at = now


def submit_notice(session: Session, now: datetime, publisher: Publisher, notice: Notice, actor: Actor) -> None:
    """Hand a draft to those who approve."""
    move_notice(notice, NoticeEvent.SUBMIT, now)
    record_event(session, now, actor, "notice.submitted", subject=("notice", notice.number), publisher_id=publisher.id)


def approve_notice(session: Session, now: datetime, publisher: Publisher, notice: Notice, actor: Actor) -> None:
    """Approve exactly this content (R16). A draft is submitted first. The last approval required moves it on.

    Raises `OwnApproval` for who wrote or last changed it or one of its edits.
    """
    facts = read_facts(session, publisher)
    if notice.state == NoticeState.DRAFT.value:
        submit_notice(session, now, publisher, notice, actor)
    if notice.state != NoticeState.APPROVED.value:
        next_notice_state(NoticeState(notice.state), NoticeEvent.APPROVE)
    authors = {notice.author}
    for change in list_changes(session, notice):
        target = session.get_one(EntryVersion, change.target_version_id)
        authors.add(target.author)
    given = give_approval(
        session,
        now,
        publisher,
        facts,
        ("notice", notice.id, notice.number),
        notice.digest,
        authors,
        actor,
    )
    if given >= facts.approvals_required and notice.state == NoticeState.SUBMITTED.value:
        move_notice(notice, NoticeEvent.APPROVE, now)


def publish_notice(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    actor: Actor,
    letterhead: Letterhead,
) -> None:
    """Freeze the notice's content, and announce it in the same transaction unless it is to be announced later (R14).

    Raises `NotApproved`, `StaleBase` where the list changed under the draft (R4), and `NoticePeriodTooShort` where the
    date has become too early since it was drafted.
    """
    facts = read_facts(session, publisher)
    if not facts.approvals_required:
        if notice.state == NoticeState.DRAFT.value:
            submit_notice(session, now, publisher, notice, actor)
        if notice.state == NoticeState.SUBMITTED.value:
            move_notice(notice, NoticeEvent.APPROVE, now)
    given = count_approvals(session, publisher, "notice", notice.id, notice.digest)
    if notice.state in {NoticeState.DRAFT.value, NoticeState.SUBMITTED.value} or given < facts.approvals_required:
        raise NotApproved(number=notice.number, required=facts.approvals_required, given=given)
    next_notice_state(NoticeState(notice.state), NoticeEvent.PUBLISH)
    _refuse_stale(session, notice)
    announced_at = max(now, notice.announce_at or now)
    approved_digest = notice.digest
    set_planned_date(session, announced_at, publisher, facts, notice, notice.planned_on)
    assert notice.digest == approved_digest  # noqa: S101 - checking a date must not change what was approved
    move_notice(notice, NoticeEvent.PUBLISH, now)
    notice.terms = facts.notice.model_dump(mode="json")
    notice.published_at = now
    record_event(
        session,
        now,
        actor,
        "notice.published",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        digest=notice.digest,
    )
    session.flush()
    if notice.announce_at is None or notice.announce_at <= now:
        announce_notice(session, now, publisher, notice, actor, letterhead)


def _refuse_stale(session: Session, notice: Notice) -> None:
    for change in list_changes(session, notice):
        entry = session.get_one(Entry, change.entry_id)
        current = find_current_version(session, entry)
        if (current.id if current else None) != change.base_version_id:
            base = session.get(EntryVersion, change.base_version_id) if change.base_version_id else None
            difference = diff_entry(entry.key, read_content(base), read_content(current))
            raise StaleBase(key=entry.key, number=notice.number, change=difference)
