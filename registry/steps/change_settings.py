"""A publisher's settings changed in the workbench: at once, or once a second person has said yes (R8, R16).

The settings are what a registry file says of the publisher and its products, and are brought there by the same step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput
from registry.domain.publishers import ProductFacts, PublisherFacts, read_publisher
from registry.domain.validation import read_model
from registry.readers.email_addresses import find_impossible_addresses
from registry.readers.registry_file import RegistryFile
from registry.steps.errors import ApprovalNeeded
from registry.steps.lookup import read_facts
from registry.steps.proposals import (
    ProposalKind,
    ProposalOutcome,
    approve_proposal,
    close_proposal,
    propose,
)
from registry.steps.record import Actor
from registry.steps.record_publisher import refuse_host_of_another, update_publisher
from registry.tables import Product, Proposal, Publisher


@dataclass(frozen=True)
class SettingsFate:
    """What became of changed settings: the fields that differ now, or the proposal that waits, and for what."""

    fields: tuple[str, ...] = ()
    proposal: Proposal | None = None
    needs: str | None = None


def list_products(session: Session, publisher: Publisher) -> tuple[ProductFacts, ...]:
    """Return the publisher's products in their order."""
    rows = session.scalars(
        select(Product).where(Product.publisher_id == publisher.id).order_by(Product.position, Product.key)
    )
    return tuple(ProductFacts(key=row.key, name=row.name) for row in rows)


def change_settings(
    session: Session,
    now: datetime,
    publisher: Publisher,
    facts: PublisherFacts,
    products: Sequence[ProductFacts],
    actor: Actor,
) -> SettingsFate:
    """Bring the publisher to `facts` and `products`; keep them as a proposal where a second person must say yes.

    Raises `InvalidInput` for a host name that another publisher has, and for an address that is new and that no letter
    could name.
    """
    _refuse_impossible_addresses(read_facts(session, publisher), facts)
    file = RegistryFile(facts, tuple(products), (), None)
    refuse_host_of_another(session, file)
    try:
        return SettingsFate(tuple(update_publisher(session, now, publisher, file, actor)))
    except ApprovalNeeded as error:
        base = settings_now(session, publisher)
        document = _document(facts, products)
        proposal = propose(session, now, publisher, ProposalKind.SETTINGS, publisher.slug, document, base, actor)
        return SettingsFate(proposal=proposal, needs=str(error.params["what"]))


def approve_settings(
    session: Session, now: datetime, publisher: Publisher, proposal: Proposal, actor: Actor
) -> SettingsFate:
    """Approve proposed settings, and bring the publisher there with the last approval that is asked for.

    Raises `OwnApproval` for their author, and `StaleProposal` where the settings have changed since.
    """
    if not approve_proposal(session, now, publisher, proposal, settings_now(session, publisher), actor):
        return SettingsFate(proposal=proposal)
    facts, products = read_proposed(proposal)
    file = RegistryFile(facts, products, (), None)
    refuse_host_of_another(session, file)
    fields = update_publisher(session, now, publisher, file, Actor(proposal.author, "web"), is_approved=True)
    close_proposal(session, now, publisher, proposal, actor, ProposalOutcome.APPLIED)
    return SettingsFate(tuple(fields))


def read_proposed(proposal: Proposal) -> tuple[PublisherFacts, tuple[ProductFacts, ...]]:
    """Return the settings that are proposed, while the proposal is open."""
    document = proposal.document
    assert document is not None  # noqa: S101 - retention empties closed ones alone
    products = tuple(read_model(ProductFacts, each, "products") for each in document["products"])
    return read_publisher(document["publisher"]), products


def settings_now(session: Session, publisher: Publisher) -> dict[str, Any]:
    """Return the settings as they are, as proposals compare them."""
    return _document(read_facts(session, publisher), list_products(session, publisher))


def _refuse_impossible_addresses(before: PublisherFacts, wanted: PublisherFacts) -> None:
    """Refuse what is new alone: what an earlier release took must not keep other settings from being changed."""
    contact = wanted.contact if wanted.contact != before.contact else None
    sender = wanted.sender if wanted.sender != before.sender else None
    if problems := list(find_impossible_addresses(contact, sender)):
        raise InvalidInput(problems)


def _document(facts: PublisherFacts, products: Sequence[ProductFacts]) -> dict[str, Any]:
    return {
        "publisher": facts.model_dump(mode="json"),
        "products": [product.model_dump(mode="json") for product in products],
    }
