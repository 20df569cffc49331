"""Shorter terms of one customer, by two people: one proposes them, another approves exactly these (R8, R16).

    edit_customer ──▶ longer, or no approvals required ──▶ a new version at once
                 └──▶ shorter ──▶ proposed, on record ──▶ approve_proposal ──▶ a new version
                                                     └──▶ drop_proposal, or a later proposal

A proposal is an act on record, and stands there until an act that answers it. It binds to the terms it was made from:
where these have changed since, it can only be dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.entries import digest_of
from registry.domain.errors import RegistryError
from registry.domain.publishers import CustomerFacts, PublisherFacts
from registry.domain.terms import Terms, find_merged_terms, find_shortened, merge_terms
from registry.domain.text import Line
from registry.domain.validation import Document, read_model
from registry.steps.approvals import count_approvals, give_approval
from registry.steps.customers import record_customer, record_customers
from registry.steps.errors import ApprovalNeeded
from registry.steps.lookup import get_customer, read_facts
from registry.steps.record import Actor, record_event
from registry.tables import Customer, CustomerTerms, Event, Publisher

SUBJECT: Final = "customer_terms"
PROPOSED: Final = "customer.terms_proposed"
ANSWERS: Final = ("customer.terms_changed", "customer.terms_proposal_dropped")
"""The acts after which a proposal does not stand any more."""


class NoProposal(RegistryError):
    """No shorter terms of the customer wait for an approval, or they are others by now. Params: customer."""

    code = "no-terms-proposal"


class _Reasoned(Document):
    reason: Line | None = None


@dataclass(frozen=True)
class TermsProposal:
    """Shorter terms that wait for a second person. `document` is what they say differently from the publisher's.

    `shortened` are the fields that got shorter. `still_fits`: the terms it was made from are those that count now.
    """

    digest: str
    document: dict[str, Any]
    terms: Terms
    shortened: tuple[str, ...]
    proposed_by: str
    proposed_at: datetime
    reason: str | None
    still_fits: bool


@dataclass(frozen=True)
class CustomerEdited:
    """What an edit came to: the customer's row, and the shorter terms that wait for a second person, if any."""

    customer: Customer
    proposal: TermsProposal | None


def edit_customer(
    session: Session, now: datetime, publisher: Publisher, wanted: CustomerFacts, actor: Actor, *, reason: str | None
) -> CustomerEdited:
    """Bring a customer's facts to what is wanted; terms that get shorter wait where the publisher requires approvals.

    Longer terms, and all terms where no approvals are required, count from now on for later notices. `reason` stands
    with a proposal for whoever approves it; it must hold no personal data. Raises `InvalidInput` with every problem,
    and `ApprovalNeeded` where the terms before cannot be read: two people set them anew by a registry file.
    """
    said = read_model(_Reasoned, {"reason": (reason or "").strip() or None})
    facts = read_facts(session, publisher)
    customer = get_customer(session, publisher, wanted.key)
    newest = _newest(session, customer)
    old = newest.document if newest else {}
    before, after = find_merged_terms(facts.notice, old), wanted.terms_under(facts.notice)
    shortened = find_shortened(after, before)
    if not shortened or not facts.approvals_required:
        return CustomerEdited(record_customer(session, now, publisher, wanted, actor), None)
    if before is None:
        # There is nothing that could stand meanwhile.
        raise ApprovalNeeded(publisher=publisher.slug, what="notice")
    own_zone = {"time_zone": wanted.time_zone} if wanted.time_zone else {}
    stated = {**own_zone, **wanted.notice}
    document = {name: value for name, value in after.model_dump(mode="json").items() if name in stated}
    kept = wanted.model_copy(update={"notice": old, "time_zone": None})
    record_customer(session, now, publisher, kept, actor)
    version = newest.version if newest else 0
    record_event(
        session,
        now,
        actor,
        PROPOSED,
        subject=("customer", customer.key),
        publisher_id=publisher.id,
        document=document,
        shortened=list(shortened),
        by=actor.name,
        reason=said.reason,
        digest=_digest(customer, version, before, document),
    )
    session.flush()
    return CustomerEdited(customer, find_proposal(session, publisher, customer, facts))


def find_proposal(
    session: Session,
    publisher: Publisher,
    customer: Customer,
    facts: PublisherFacts,
    newest: CustomerTerms | None = None,
) -> TermsProposal | None:
    """Return the terms of a customer that wait for a second person, or None. `newest` saves reading its terms again."""
    event = session.scalar(
        select(Event)
        .where(
            Event.publisher_id == publisher.id,
            Event.subject_kind == "customer",
            Event.subject == customer.key,
            Event.kind.in_((PROPOSED, *ANSWERS)),
        )
        .order_by(Event.id.desc())
        .limit(1)
    )
    if event is None or event.kind != PROPOSED:
        return None
    row = newest or _newest(session, customer)
    document: dict[str, Any] = event.payload["document"]
    before = find_merged_terms(facts.notice, row.document if row else {})
    digest: str = event.payload["digest"]
    return TermsProposal(
        digest=digest,
        document=document,
        terms=merge_terms(facts.notice, document),
        shortened=tuple(event.payload["shortened"]),
        proposed_by=event.payload["by"],
        proposed_at=event.at,
        reason=event.payload["reason"],
        still_fits=before is not None and digest == _digest(customer, row.version if row else 0, before, document),
    )


def approve_proposal(
    session: Session, now: datetime, publisher: Publisher, key: str, digest: str, actor: Actor
) -> tuple[bool, int]:
    """Approve shorter terms of a customer; return whether they count now, and how many people have approved.

    Nobody approves what they proposed. With the last approval that the publisher requires the terms are a new version,
    which binds later notices. Raises `UnknownCustomer`, `NoProposal` where these are not the terms that wait, and
    `OwnApproval`.
    """
    facts = read_facts(session, publisher)
    customer = get_customer(session, publisher, key)
    proposal = find_proposal(session, publisher, customer, facts)
    if proposal is None or proposal.digest != digest or not proposal.still_fits:
        raise NoProposal(customer=customer.name)
    subject = (SUBJECT, customer.id, f"the terms of {customer.name}")
    given = give_approval(session, now, publisher, facts, subject, digest, {proposal.proposed_by}, actor)
    if given < facts.approvals_required:
        return False, given
    wanted = read_model(
        CustomerFacts,
        {"key": customer.key, "name": customer.name, "products": customer.products, "notice": proposal.document},
    )
    record_customers(session, now, publisher, [wanted], actor, is_shortening_approved=True)
    return True, given


def drop_proposal(session: Session, now: datetime, publisher: Publisher, key: str, digest: str, actor: Actor) -> None:
    """Drop shorter terms that wait: the customer's terms stay as they are. Raises as `approve_proposal`."""
    customer = get_customer(session, publisher, key)
    proposal = find_proposal(session, publisher, customer, read_facts(session, publisher))
    if proposal is None or proposal.digest != digest:
        raise NoProposal(customer=customer.name)
    record_event(
        session,
        now,
        actor,
        "customer.terms_proposal_dropped",
        subject=("customer", customer.key),
        publisher_id=publisher.id,
        digest=digest,
    )


def count_proposal_approvals(session: Session, publisher: Publisher, customer: Customer, digest: str) -> int:
    """Return how many people have approved these terms so far."""
    return count_approvals(session, publisher, SUBJECT, customer.id, digest)


def _newest(session: Session, customer: Customer) -> CustomerTerms | None:
    return session.scalar(
        select(CustomerTerms)
        .where(CustomerTerms.customer_id == customer.id)
        .order_by(CustomerTerms.version.desc())
        .limit(1)
    )


def _digest(customer: Customer, version: int, before: Terms, document: dict[str, Any]) -> str:
    return digest_of([customer.id, version, before.model_dump(mode="json"), document])
