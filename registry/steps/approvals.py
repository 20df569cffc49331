"""Approvals bind to a digest: of a notice with its targets, or of one editorial edit (R16)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.publishers import PublisherFacts
from registry.steps.errors import CommandLineMayNotApprove, OwnApproval
from registry.steps.record import Actor, record_event
from registry.tables import Approval, Publisher

COMMAND_LINE = "command line"


def count_approvals(session: Session, publisher: Publisher, subject: str, subject_id: int, digest: str) -> int:
    """Return how many people have approved exactly this content."""
    query = select(func.count()).select_from(Approval)
    same = (Approval.subject == subject, Approval.subject_id == subject_id, Approval.digest == digest)
    return session.scalar(query.where(Approval.publisher_id == publisher.id, *same)) or 0


def give_approval(
    session: Session,
    now: datetime,
    publisher: Publisher,
    facts: PublisherFacts,
    subject: tuple[str, int, str],
    digest: str,
    authors: set[str],
    actor: Actor,
) -> int:
    """Record the actor's approval of `digest` and return how many there are now. Approving twice counts once.

    `subject` is its kind, row and name. Raises `OwnApproval` for anyone in `authors`, and `CommandLineMayNotApprove`
    where the publisher requires approvals and takes none from the command line, where a name is only claimed (R16).
    """
    kind, row_id, name = subject
    if facts.approvals_required and actor.via == COMMAND_LINE and not facts.command_line_may_approve:
        raise CommandLineMayNotApprove(publisher=publisher.slug)
    if facts.approvals_required and actor.name in authors:
        raise OwnApproval(actor=actor.name, subject=name)
    known = select(Approval).where(
        Approval.publisher_id == publisher.id,
        Approval.subject == kind,
        Approval.subject_id == row_id,
        Approval.digest == digest,
        Approval.actor == actor.name,
    )
    if session.scalar(known) is None:
        session.add(
            Approval(
                publisher_id=publisher.id,
                subject=kind,
                subject_id=row_id,
                digest=digest,
                actor=actor.name,
                via=actor.via,
                approved_at=now,
            )
        )
        session.flush()
        record_event(
            session,
            now,
            actor,
            f"{kind}.approved",
            subject=(kind, name),
            publisher_id=publisher.id,
            digest=digest,
        )
    return count_approvals(session, publisher, kind, row_id, digest)
