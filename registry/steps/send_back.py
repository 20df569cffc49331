"""What somebody who was to approve a notice, or to act on it, finds wrong with it: sent back, or changed meanwhile."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.orm import Session

from registry.domain.errors import IllegalTransition, RegistryError
from registry.domain.notice_life import NoticeEvent, NoticeState, next_notice_state
from registry.domain.text import refuse_unclean
from registry.steps.errors import ReasonMissing
from registry.steps.lookup import lock_publisher
from registry.steps.record import Actor, record_event
from registry.steps.revise_draft import digest_notice
from registry.tables import Approval, Notice, Publisher


class NoticeChanged(RegistryError):
    """The notice says something else than when it was read (R16). Params: number."""

    code = "notice-changed"


def send_back_notice(
    session: Session, now: datetime, publisher: Publisher, notice: Notice, actor: Actor, *, reason: str
) -> None:
    """Give a submitted or approved notice back to its authors as a draft, with a reason on record.

    Whoever sends it back wrote nothing, and may approve it later. Approvals of this content are void: who gave one may
    give it again. Raises `ReasonMissing`, and `IllegalTransition` for a draft and from publication on.
    """
    refuse_unclean(reason=reason)
    lock_publisher(session, publisher, notice)
    if notice.state == NoticeState.DRAFT.value:
        raise IllegalTransition(machine="notice", state=notice.state, event="send_back")
    state = next_notice_state(NoticeState(notice.state), NoticeEvent.EDIT)
    if not reason.strip():
        raise ReasonMissing(what="reason")
    notice.state = state.value
    notice.updated_at = now
    voided = session.scalars(
        delete(Approval)
        .where(
            Approval.publisher_id == publisher.id,
            Approval.subject == "notice",
            Approval.subject_id == notice.id,
            Approval.digest == notice.digest,
        )
        .returning(Approval.id)
    ).all()
    record_event(
        session,
        now,
        actor,
        "notice.sent_back",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        reason=reason.strip(),
        approvals_voided=len(voided),
    )
    session.flush()


def refuse_changed(session: Session, publisher: Publisher, notice: Notice, digest: str) -> None:
    """Raise `NoticeChanged` where the notice, once locked, is not what `digest` was of: somebody read another text."""
    lock_publisher(session, publisher, notice)
    if digest_notice(session, notice) != digest:
        raise NoticeChanged(number=notice.number)
