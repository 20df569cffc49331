"""The publisher itself, its terms and its products, brought to what a registry file says of them (R8, DESIGN §5)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.errors import InvalidInput, Problem
from registry.domain.publishers import PublisherFacts
from registry.domain.retention import find_shortened_retention
from registry.domain.terms import find_shortened
from registry.readers.registry_file import RegistryFile
from registry.steps.approve_terms import are_terms_approved
from registry.steps.errors import ApprovalNeeded
from registry.steps.list_periods import touch
from registry.steps.lookup import read_facts
from registry.steps.record import Actor, record_event
from registry.tables import Product, Publisher, PublisherTerms

SHOWN_TO_NOBODY = frozenset(
    ["approvals_required", "command_line_may_approve", "dispatch_margin_days", "reminder_days", "retention", "sender"]
)
"""Fields of the publisher that change nothing of what the public sees."""

PERSONAL = frozenset(["contact", "sender"])
"""Fields that may name a person: the record says that they changed, and not how (R39)."""


def refuse_host_of_another(session: Session, file: RegistryFile) -> None:
    """Raise `InvalidInput` where the file claims the host name of another publisher (R35)."""
    host = file.publisher.host
    query = select(Publisher.slug).where(Publisher.host == host, Publisher.slug != file.publisher.slug)
    other = session.scalar(query) if host is not None else None
    if other is not None:
        raise InvalidInput([Problem("publisher.host", host, "repeated-key", {"first": f"the publisher {other}"})])


def _facts_document(facts: PublisherFacts) -> dict[str, object]:
    return facts.model_dump(mode="json", exclude={"notice"})


def create_publisher(session: Session, now: datetime, file: RegistryFile, actor: Actor) -> Publisher:
    """Add the publisher with its first terms and its products. Its list is not founded yet."""
    publisher = Publisher(
        slug=file.publisher.slug,
        host=file.publisher.host,
        facts=_facts_document(file.publisher),
        revision=0,
        changed_at=now,
        created_at=now,
    )
    session.add(publisher)
    session.flush()
    _add_terms(session, now, publisher, file, 1)
    _update_products(session, publisher, file)
    record_event(
        session,
        now,
        actor,
        "publisher.created",
        subject=("publisher", publisher.slug),
        publisher_id=publisher.id,
    )
    return publisher


def _add_terms(session: Session, now: datetime, publisher: Publisher, file: RegistryFile, version: int) -> None:
    document = file.publisher.notice.model_dump(mode="json")
    session.add(PublisherTerms(publisher_id=publisher.id, version=version, document=document, from_at=now))
    session.flush()


def find_publisher_differences(session: Session, publisher: Publisher, file: RegistryFile) -> list[str]:
    """Return the publisher's fields that the file states otherwise, with `notice` for terms and `products`."""
    facts = read_facts(session, publisher)
    # As they are read: a field that an earlier release did not have has its default, and differs from nothing.
    wanted, known_facts = _facts_document(file.publisher), _facts_document(facts)
    differing = sorted(name for name in wanted if wanted[name] != known_facts[name])
    if facts.notice != file.publisher.notice:
        differing.append("notice")
    products = session.scalars(select(Product).where(Product.publisher_id == publisher.id).order_by(Product.position))
    known = {product.key: (product.name, product.position) for product in products}
    wanted_products = {product.key: (product.name, at) for at, product in enumerate(file.products)}
    if any(known.get(key) != value for key, value in wanted_products.items()):
        differing.append("products")
    return differing


def update_publisher(
    session: Session,
    now: datetime,
    publisher: Publisher,
    file: RegistryFile,
    actor: Actor,
    *,
    is_approved: bool = False,
) -> list[str]:
    """Bring the publisher, its terms and its products to what the file says, and return the fields that differed.

    Terms that differ are a new version, which binds later notices only. Raises `ApprovalNeeded` where the publisher
    requires approvals, and the file would shorten what customers were promised, loosen who approves (R8, R16), or keep
    anything for a shorter time, whose proof is then lost for good (R36), unless `is_approved` or the file's terms were.
    """
    differing = find_publisher_differences(session, publisher, file)
    if not differing:
        return []
    known = read_facts(session, publisher)
    shortened = find_shortened(file.publisher.notice, known.notice)
    loosened = {
        "approvals_required": known.approvals_required > file.publisher.approvals_required,
        # Otherwise one person could let a name that is only claimed be the second one (R16).
        "command_line_may_approve": file.publisher.command_line_may_approve and not known.command_line_may_approve,
    }
    what = [
        *(f"notice.{name}" for name in shortened),
        *(f"retention.{kind}" for kind in find_shortened_retention(file.publisher.retention, known.retention)),
        *(name for name, is_looser in loosened.items() if is_looser),
    ]
    has_approval = is_approved or not what or not known.approvals_required
    if not has_approval and not are_terms_approved(session, publisher, file, actor):
        raise ApprovalNeeded(publisher=publisher.slug, what=", ".join(what))
    if "notice" in differing:
        versions = session.scalars(select(PublisherTerms.version).where(PublisherTerms.publisher_id == publisher.id))
        _add_terms(session, now, publisher, file, max(versions) + 1)
    publisher.facts = _facts_document(file.publisher)
    publisher.host = file.publisher.host
    _update_products(session, publisher, file)
    if publisher.revision and not SHOWN_TO_NOBODY.issuperset(differing):
        touch(publisher, now)
    record_event(
        session,
        now,
        actor,
        "publisher.updated",
        subject=("publisher", publisher.slug),
        publisher_id=publisher.id,
        fields=differing,
        **_before_and_after(known, file.publisher, differing),
    )
    return differing


def _before_and_after(known: PublisherFacts, wanted: PublisherFacts, differing: list[str]) -> dict[str, object]:
    """Return what the record says of each field that differs: no address, and of terms only those."""
    old, new = known.model_dump(mode="json"), wanted.model_dump(mode="json")
    before: dict[str, object] = {}
    after: dict[str, object] = {}
    for name in differing:
        if name in PERSONAL or name not in new:
            continue
        if isinstance(new[name], dict) and isinstance(old[name], dict):
            changed = [each for each in new[name] if new[name][each] != old[name].get(each)]
            before[name] = {each: old[name].get(each) for each in changed}
            after[name] = {each: new[name][each] for each in changed}
        else:
            before[name], after[name] = old[name], new[name]
    return {"before": before, "after": after}


def _update_products(session: Session, publisher: Publisher, file: RegistryFile) -> None:
    """Add and rename products. One that vanished stays on record, since subscriptions may name it."""
    known = {
        product.key: product for product in session.scalars(select(Product).where(Product.publisher_id == publisher.id))
    }
    for position, wanted in enumerate(file.products):
        product = known.get(wanted.key)
        if product is None:
            session.add(Product(publisher_id=publisher.id, key=wanted.key, name=wanted.name, position=position))
        else:
            product.name, product.position = wanted.name, position
    session.flush()
