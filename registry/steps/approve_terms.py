"""A second person's yes to a file that shortens what customers were promised, or loosens who approves (R8, R16)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from registry.domain.entries import digest_of
from registry.readers.registry_file import RegistryFile
from registry.steps.approvals import count_approvals, give_approval
from registry.steps.lookup import read_facts
from registry.steps.record import Actor
from registry.tables import Publisher

SUBJECT = "terms"


def approve_terms(session: Session, now: datetime, publisher: Publisher, file: RegistryFile, actor: Actor) -> int:
    """Approve exactly the publisher's facts and terms, and the customers', of this file; return how many people have.

    Its entries are not approved by it: these are with their notice. Whoever applies the file does not count, so that
    two people are needed. Raises `CommandLineMayNotApprove`.
    """
    subject = (SUBJECT, publisher.id, publisher.slug)
    return give_approval(session, now, publisher, read_facts(session, publisher), subject, _digest(file), set(), actor)


def are_terms_approved(session: Session, publisher: Publisher, file: RegistryFile, actor: Actor) -> bool:
    """Return whether enough people other than `actor`, who applies the file, approved exactly its terms."""
    required = read_facts(session, publisher).approvals_required
    given = count_approvals(session, publisher, SUBJECT, publisher.id, _digest(file), excluding={actor.name})
    return given >= required


def _digest(file: RegistryFile) -> str:
    customers = [customer.model_dump(mode="json") for customer in file.customers or ()]
    return digest_of([file.publisher.model_dump(mode="json"), customers])
