"""A change of settings or terms that waits for a second person: proposed by one, approved by another (R8, R16).

What is proposed is kept whole, and approved by its digest. Whoever applies it looks whether what it was made from still
stands: a proposal never takes back what others changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.entries import digest_of
from registry.domain.errors import RegistryError
from registry.steps.approvals import give_approval
from registry.steps.lookup import read_facts
from registry.steps.record import Actor, record_event
from registry.tables import Proposal, Publisher

SUBJECT = "proposal"


class ProposalKind(StrEnum):
    """What a proposal would change. Others of the path, whose words name nobody, stand in the record itself."""

    SETTINGS = "settings"


class ProposalOutcome(StrEnum):
    """How a proposal ended."""

    APPLIED = "applied"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class UnknownProposal(RegistryError):
    """There is no open proposal of this number. Params: number."""

    code = "unknown-proposal"


class StaleProposal(RegistryError):
    """What the proposal was made from has changed since. Params: number."""

    code = "stale-proposal"


def propose(
    session: Session,
    now: datetime,
    publisher: Publisher,
    kind: ProposalKind,
    subject: str,
    document: Mapping[str, Any],
    base: object,
    actor: Actor,
) -> Proposal:
    """Keep a change for a second person's yes, in the place of one that was open for the same subject.

    `document` is everything as it would be, in values of JSON; `base` is everything as it is, for the digest alone.
    """
    before = find_proposal(session, publisher, kind, subject)
    if before is not None:
        close_proposal(session, now, publisher, before, actor, ProposalOutcome.WITHDRAWN)
    proposal = Proposal(
        publisher_id=publisher.id,
        kind=kind.value,
        subject=subject,
        document=dict(document),
        digest=digest_of(dict(document)),
        base_digest=digest_of(base),
        author=actor.name,
        made_at=now,
    )
    session.add(proposal)
    session.flush()
    _record(session, now, publisher, proposal, actor, "proposal.made", digest=proposal.digest)
    return proposal


def find_proposal(session: Session, publisher: Publisher, kind: ProposalKind, subject: str) -> Proposal | None:
    """Return the open proposal about a subject, or None."""
    return session.scalar(
        select(Proposal).where(
            Proposal.publisher_id == publisher.id,
            Proposal.kind == kind.value,
            Proposal.subject == subject,
            Proposal.closed_at.is_(None),
        )
    )


def get_proposal(session: Session, publisher: Publisher, number: int) -> Proposal:
    """Return an open proposal of the publisher by its number, or raise `UnknownProposal`."""
    found = session.scalar(
        select(Proposal).where(
            Proposal.publisher_id == publisher.id, Proposal.id == number, Proposal.closed_at.is_(None)
        )
    )
    if found is None:
        raise UnknownProposal(number=number)
    return found


def approve_proposal(
    session: Session, now: datetime, publisher: Publisher, proposal: Proposal, base: object, actor: Actor
) -> bool:
    """Approve a proposal, and return whether it has as many approvals now as the publisher asks for, at least one.

    `base` is everything as it is now. Raises `StaleProposal` where that is not what the proposal was made from, and
    `OwnApproval` for its author.
    """
    if digest_of(base) != proposal.base_digest:
        raise StaleProposal(number=proposal.id)
    facts = read_facts(session, publisher)
    required = max(facts.approvals_required, 1)
    name = f"{proposal.kind} {proposal.subject}"
    given = give_approval(
        session,
        now,
        publisher,
        facts,
        (SUBJECT, proposal.id, name),
        proposal.digest,
        {proposal.author},
        actor,
        required=required,
    )
    return given >= required


def close_proposal(
    session: Session, now: datetime, publisher: Publisher, proposal: Proposal, actor: Actor, outcome: ProposalOutcome
) -> None:
    """End a proposal: applied, refused by somebody, or withdrawn by its author or for another."""
    proposal.outcome, proposal.closed_at, proposal.closed_by = outcome.value, now, actor.name
    session.flush()
    _record(session, now, publisher, proposal, actor, f"proposal.{outcome.value}")


def _record(
    session: Session,
    now: datetime,
    publisher: Publisher,
    proposal: Proposal,
    actor: Actor,
    kind: str,
    **payload: object,
) -> None:
    record_event(
        session,
        now,
        actor,
        kind,
        subject=(SUBJECT, str(proposal.id)),
        publisher_id=publisher.id,
        about=[proposal.kind, proposal.subject],
        **payload,
    )
