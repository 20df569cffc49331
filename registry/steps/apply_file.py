"""A registry file against what is published: plan tells the differences and dates, apply drafts (DESIGN §5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange, diff_entry
from registry.domain.entries import EntryContent, digest_of
from registry.domain.notices import EarliestEffect
from registry.domain.publishers import FileEntry
from registry.domain.terms import find_shortened
from registry.domain.vocabulary import Weight
from registry.readers.registry_file import RegistryFile
from registry.steps.customers import record_customers
from registry.steps.errors import ApprovalNeeded, UnknownPublisher
from registry.steps.list_periods import put_on_list, touch
from registry.steps.lookup import find_current_version, find_entry, find_pending_version, read_content, read_facts
from registry.steps.plan_dates import find_earliest
from registry.steps.record import Actor, record_event
from registry.steps.record_edit import Edit, EditFate, find_open_notice, record_edit, record_internals
from registry.tables import Entry, Product, Publisher, PublisherTerms


@dataclass(frozen=True)
class PlannedChange:
    """One entry that the file wants otherwise than the list has it.

    `stands_in` is the open notice that carries this very change, `is_drafted` whether the edit is recorded already.
    """

    change: EntryChange
    is_drafted: bool
    stands_in: str | None


@dataclass(frozen=True)
class Plan:
    """What a file would do. `earliest` is None where nothing binding is new; `is_founding` states the list as it is."""

    publisher: str
    is_founding: bool
    changes: tuple[PlannedChange, ...]
    moved: tuple[tuple[str, str], ...]
    publisher_changes: tuple[str, ...]
    earliest: EarliestEffect | None


@dataclass(frozen=True)
class Applied:
    """What applying a file did: the fate of each entry that was not as wanted, and of publisher and customers."""

    publisher: str
    is_founding: bool
    edits: tuple[Edit, ...]
    publisher_changes: tuple[str, ...]
    customers: dict[str, int]

    @property
    def changed_anything(self) -> bool:
        """Whether anything is otherwise than before."""
        return bool(self.is_founding or self.edits or self.publisher_changes or any(self.customers.values()))


def plan_file(session: Session, now: datetime, file: RegistryFile) -> Plan:
    """Compare `file` with what is published, and say when it could lawfully take effect. Changes nothing."""
    slug = file.publisher.slug
    publisher = session.scalar(select(Publisher).where(Publisher.slug == slug))
    if publisher is None or publisher.revision == 0:
        additions = tuple(
            PlannedChange(change, is_drafted=False, stands_in=None)
            for entry in file.entries
            if (change := diff_entry(entry.key, None, entry.content)) is not None
        )
        return Plan(slug, True, additions, (), (), None)
    planned, moved = [], []
    for wanted, entry in _pair(session, publisher, file):
        if wanted is not None and entry is not None and entry.key != wanted.key:
            moved.append((entry.key, wanted.key))
        planned_change = _plan_entry(session, wanted, entry)
        if planned_change is not None:
            planned.append(planned_change)
    binds = any(item.change.weight is Weight.BINDING for item in planned)
    earliest = find_earliest(session, now, publisher) if binds else None
    differing = tuple(_publisher_differences(session, publisher, file))
    return Plan(slug, False, tuple(planned), tuple(moved), differing, earliest)


def apply_file(session: Session, now: datetime, file: RegistryFile, actor: Actor, only: str | None = None) -> Applied:
    """Bring edits, products, terms and customers to what `file` wants; applying it twice changes nothing.

    The first load of a publisher states its list as it is, without a notice (R5). `only` names the publisher that the
    caller means; a file for another is refused with `UnknownPublisher`.
    """
    if only is not None and file.publisher.slug != only:
        raise UnknownPublisher(slug=file.publisher.slug, near=[only], known=[only])
    publisher = session.scalar(select(Publisher).where(Publisher.slug == file.publisher.slug).with_for_update())
    if publisher is None:
        publisher = _create(session, now, file, actor)
        differing: list[str] = []
    else:
        differing = _update_publisher(session, now, publisher, file, actor)
    is_founding = publisher.revision == 0
    edits = _found(session, now, publisher, file, actor) if is_founding else _edit(session, now, publisher, file, actor)
    customers: dict[str, int] = {}
    if file.customers is not None:
        counts = record_customers(session, now, publisher, file.customers, actor)
        customers = {name: count for name, count in counts.items() if isinstance(count, int)}
    return Applied(publisher.slug, is_founding, tuple(edits), tuple(differing), customers)


def _found(session: Session, now: datetime, publisher: Publisher, file: RegistryFile, actor: Actor) -> list[Edit]:
    edits = []
    for position, wanted in enumerate(file.entries):
        record_edit(session, now, publisher, wanted.key, wanted.content, actor, position=position)
        entry = find_entry(session, publisher, wanted.key)
        version = find_pending_version(session, entry) if entry else None
        if entry is None or version is None:
            continue
        put_on_list(session, now, publisher, entry, version, cause="founding")
        record_internals(session, publisher, wanted.key, wanted.internals, now=now, actor=actor)
        edits.append(Edit(wanted.key, EditFate.IN_EFFECT, diff_entry(wanted.key, None, wanted.content)))
    publisher.revision = 1
    publisher.changed_at = now
    record_event(
        session,
        now,
        actor,
        "publisher.founded",
        subject=("publisher", publisher.slug),
        publisher_id=publisher.id,
        entries=len(edits),
    )
    return edits


def _edit(session: Session, now: datetime, publisher: Publisher, file: RegistryFile, actor: Actor) -> list[Edit]:
    edits = []
    positions = {wanted.key: position for position, wanted in enumerate(file.entries)}
    for wanted, entry in _pair(session, publisher, file):
        if wanted is None:
            assert entry is not None  # noqa: S101 - _pair gives at least one of the two
            edit = record_edit(session, now, publisher, entry.key, None, actor)
        else:
            edit = record_edit(
                session,
                now,
                publisher,
                wanted.key,
                wanted.content,
                actor,
                former_keys=wanted.former_keys,
                position=positions[wanted.key],
            )
            record_internals(session, publisher, wanted.key, wanted.internals, now=now, actor=actor)
        if edit.fate is not EditFate.UNCHANGED:
            edits.append(edit)
    return edits


def _pair(session: Session, publisher: Publisher, file: RegistryFile) -> list[tuple[FileEntry | None, Entry | None]]:
    """Pair what the file has with what is on record; a key that vanished from the file is a removal."""
    pairs: list[tuple[FileEntry | None, Entry | None]] = []
    seen: set[int] = set()
    for wanted in file.entries:
        entry = find_entry(session, publisher, wanted.key)
        for former in wanted.former_keys if entry is None else ():
            entry = entry or find_entry(session, publisher, former)
        if entry is not None:
            seen.add(entry.id)
        pairs.append((wanted, entry))
    on_record = session.scalars(
        select(Entry).where(Entry.publisher_id == publisher.id).order_by(Entry.position, Entry.key)
    )
    for entry in on_record:
        is_wanted_now = find_pending_version(session, entry) or find_current_version(session, entry)
        if entry.id not in seen and is_wanted_now is not None and is_wanted_now.document is not None:
            pairs.append((None, entry))
    return pairs


def _plan_entry(session: Session, wanted: FileEntry | None, entry: Entry | None) -> PlannedChange | None:
    content: EntryContent | None = wanted.content if wanted else None
    key = wanted.key if wanted else entry.key if entry else ""
    if entry is None:
        change = diff_entry(key, None, content)
        return PlannedChange(change, is_drafted=False, stands_in=None) if change else None
    change = diff_entry(key, read_content(find_current_version(session, entry)), content)
    if change is None:
        return None
    pending = find_pending_version(session, entry)
    is_drafted = pending is not None and pending.digest == digest_of(content.as_document() if content else None)
    notice = find_open_notice(session, entry) if is_drafted else None
    return PlannedChange(change, is_drafted, notice.number if notice else None)


def _facts_document(file: RegistryFile) -> dict[str, object]:
    return file.publisher.model_dump(mode="json", exclude={"notice"})


def _create(session: Session, now: datetime, file: RegistryFile, actor: Actor) -> Publisher:
    publisher = Publisher(
        slug=file.publisher.slug,
        host=file.publisher.host,
        facts=_facts_document(file),
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


def _publisher_differences(session: Session, publisher: Publisher, file: RegistryFile) -> list[str]:
    wanted = _facts_document(file)
    differing = sorted(name for name in wanted if wanted[name] != publisher.facts.get(name))
    if read_facts(session, publisher).notice != file.publisher.notice:
        differing.append("notice")
    products = session.scalars(select(Product).where(Product.publisher_id == publisher.id).order_by(Product.position))
    known = {product.key: (product.name, product.position) for product in products}
    wanted_products = {product.key: (product.name, at) for at, product in enumerate(file.products)}
    if any(known.get(key) != value for key, value in wanted_products.items()):
        differing.append("products")
    return differing


def _update_publisher(
    session: Session, now: datetime, publisher: Publisher, file: RegistryFile, actor: Actor
) -> list[str]:
    differing = _publisher_differences(session, publisher, file)
    if not differing:
        return []
    known = read_facts(session, publisher)
    shortened = find_shortened(file.publisher.notice, known.notice)
    loosened = known.approvals_required > file.publisher.approvals_required
    if known.approvals_required and (shortened or loosened):
        what = ", ".join([*(f"notice.{name}" for name in shortened), *(["approvals_required"] if loosened else [])])
        raise ApprovalNeeded(publisher=publisher.slug, what=what)
    if "notice" in differing:
        versions = session.scalars(select(PublisherTerms.version).where(PublisherTerms.publisher_id == publisher.id))
        _add_terms(session, now, publisher, file, max(versions) + 1)
    publisher.facts = _facts_document(file)
    publisher.host = file.publisher.host
    _update_products(session, publisher, file)
    if publisher.revision:
        touch(publisher, now)
    record_event(
        session,
        now,
        actor,
        "publisher.updated",
        subject=("publisher", publisher.slug),
        publisher_id=publisher.id,
        fields=differing,
    )
    return differing


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
