"""Approvals bind to a digest: of a notice with its targets, or of one editorial edit (R16)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.publishers import PublisherFacts
from registry.steps.errors import CommandLineMayNotApprove, OwnApproval
from registry.steps.record import Actor, record_event
from registry.tables import Approval, Publisher

COMMAND_LINE = "command line"


def count_approvals(
    session: Session,
    publisher: Publisher,
    subject: str,
    subject_id: int,
    digest: str,
    *,
    excluding: Collection[str] = (),
) -> int:
    """Return how many people have approved exactly this content, `excluding` those who wrote or changed it since."""
    query = select(Approval.actor).where(
        Approval.publisher_id == publisher.id,
        Approval.subject == subject,
        Approval.subject_id == subject_id,
        Approval.digest == digest,
    )
    people = {_person(name) for name in session.scalars(query)}
    return len(people - {_person(name) for name in excluding})


def give_approval(
    session: Session,
    now: datetime,
    publisher: Publisher,
    facts: PublisherFacts,
    subject: tuple[str, int, str],
    digest: str,
    authors: set[str],
    actor: Actor,
    *,
    required: int | None = None,
) -> int:
    """Record the actor's approval of `digest` and return how many there are now. Approving twice counts once.

    `subject` is its kind, row and name; `required` how many approvals it needs, which the publisher decides unless it
    is given. Raises `OwnApproval` for anyone in `authors`, and `CommandLineMayNotApprove` where approvals are required
    and the publisher takes none from the command line, where a name is only claimed (R16).
    """
    kind, row_id, name = subject
    needed = facts.approvals_required if required is None else required
    if needed and actor.via == COMMAND_LINE and not facts.command_line_may_approve:
        raise CommandLineMayNotApprove(publisher=publisher.slug)
    if needed and _person(actor.name) in {_person(author) for author in authors}:
        raise OwnApproval(actor=actor.name, subject=name)
    same = (Approval.subject == kind, Approval.subject_id == row_id, Approval.digest == digest)
    known = session.scalars(select(Approval.actor).where(Approval.publisher_id == publisher.id, *same))
    if _person(actor.name) not in {_person(each) for each in known}:
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
    return count_approvals(session, publisher, kind, row_id, digest, excluding=authors if needed else ())


def _person(name: str) -> str:
    """Fold what one person may write differently: a second spelling of a name makes no second person."""
    return name.strip().casefold()
