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
from registry.steps.lookup import find_current_version, lock_publisher, read_content, read_facts
from registry.steps.record import Actor, record_event
from registry.steps.revise_draft import digest_notice, find_authors, list_changes
from registry.steps.weigh_change import count_approvals_required
from registry.tables import Entry, EntryVersion, Notice, Publisher


def move_notice(notice: Notice, event: NoticeEvent, now: datetime) -> None:
    """Take the notice one step along its life, or raise `IllegalTransition`."""
    notice.state = next_notice_state(NoticeState(notice.state), event).value
    notice.updated_at = now


def submit_notice(session: Session, now: datetime, publisher: Publisher, notice: Notice, actor: Actor) -> None:
    """Hand a draft to those who approve."""
    lock_publisher(session, publisher, notice)
    move_notice(notice, NoticeEvent.SUBMIT, now)
    record_event(session, now, actor, "notice.submitted", subject=("notice", notice.number), publisher_id=publisher.id)


def approve_notice(session: Session, now: datetime, publisher: Publisher, notice: Notice, actor: Actor) -> None:
    """Approve exactly this content (R16). A draft is submitted first. The last approval required moves it on.

    Raises `OwnApproval` for who wrote or changed it or one of its edits, and `CommandLineMayNotApprove`.
    """
    lock_publisher(session, publisher, notice)
    facts, required = read_facts(session, publisher), count_approvals_required(session, publisher, notice)
    if notice.state == NoticeState.DRAFT.value:
        submit_notice(session, now, publisher, notice, actor)
    if notice.state != NoticeState.APPROVED.value:
        next_notice_state(NoticeState(notice.state), NoticeEvent.APPROVE)
    given = give_approval(
        session,
        now,
        publisher,
        facts,
        ("notice", notice.id, notice.number),
        notice.digest,
        find_authors(session, notice),
        actor,
        required=required,
    )
    if given >= required and notice.state == NoticeState.SUBMITTED.value:
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
    lock_publisher(session, publisher, notice)
    _make_sure_it_is_approved(session, now, publisher, notice, actor)
    next_notice_state(NoticeState(notice.state), NoticeEvent.PUBLISH)
    _refuse_stale(session, notice)
    facts = read_facts(session, publisher)
    set_planned_date(session, max(now, notice.announce_at or now), publisher, facts, notice, notice.planned_on)
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


def _make_sure_it_is_approved(
    session: Session, now: datetime, publisher: Publisher, notice: Notice, actor: Actor
) -> None:
    """Take a notice that has its approvals, or needs none, to `approved`; raise `NotApproved` for any other (R16)."""
    required = count_approvals_required(session, publisher, notice)
    # Approvals bind to what the notice says now, whatever was thought to be its digest.
    notice.digest = digest_notice(session, notice)
    authors = find_authors(session, notice) if required else set()
    given = count_approvals(session, publisher, "notice", notice.id, notice.digest, excluding=authors)
    if notice.state == NoticeState.DRAFT.value and not required:
        submit_notice(session, now, publisher, notice, actor)
    if notice.state == NoticeState.SUBMITTED.value and given >= required:
        move_notice(notice, NoticeEvent.APPROVE, now)
    is_waiting = notice.state in {NoticeState.DRAFT.value, NoticeState.SUBMITTED.value}
    if is_waiting or (notice.state == NoticeState.APPROVED.value and given < required):
        raise NotApproved(number=notice.number, required=required, given=given)


def _refuse_stale(session: Session, notice: Notice) -> None:
    for change in list_changes(session, notice):
        entry = session.get_one(Entry, change.entry_id)
        current = find_current_version(session, entry)
        if (current.id if current else None) != change.base_version_id:
            base = session.get(EntryVersion, change.base_version_id) if change.base_version_id else None
            difference = diff_entry(entry.key, read_content(base), read_content(current))
            raise StaleBase(key=entry.key, number=notice.number, change=difference)
