"""A registry file against what is published: plan tells the differences and dates, apply drafts (DESIGN §5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange, diff_entry
from registry.domain.entries import EntryContent, EntryInternals, digest_of
from registry.domain.errors import InvalidInput, Problem
from registry.domain.notices import EarliestEffect
from registry.domain.publishers import FileEntry
from registry.domain.vocabulary import Weight
from registry.readers.registry_file import RegistryFile
from registry.steps.approve_terms import are_terms_approved
from registry.steps.customers import record_customers
from registry.steps.editorial import find_open_change
from registry.steps.errors import UnknownPublisher
from registry.steps.list_periods import put_all_on_list, touch
from registry.steps.lookup import (
    EntryVersions,
    load_entries_by_key,
    load_versions,
    lock_publisher,
    read_content,
    read_facts,
)
from registry.steps.plan_dates import find_earliest
from registry.steps.record import Actor, record_event
from registry.steps.record_edit import (
    Edit,
    EditFate,
    load_internals,
    record_edit,
    record_internals,
    write_internals,
)
from registry.steps.record_publisher import (
    create_publisher,
    find_publisher_differences,
    refuse_host_of_another,
    update_publisher,
)
from registry.tables import (
    Customer,
    Entry,
    EntryKey,
    EntryVersion,
    ListPeriod,
    Notice,
    NoticeChange,
    Publisher,
)


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
    """What applying a file did: the fate of each entry that was not as wanted, and of publisher and customers.

    `moved` are entries that got another key, `is_reordered` whether what the public sees stands in another order, and
    `internals_changed` of how many entries the private facts differ. `left_as_they_are` names, by reason, customers
    that the file leaves out or whose contact it would bring back (R34): a person should look.
    """

    publisher: str
    is_founding: bool
    edits: tuple[Edit, ...]
    publisher_changes: tuple[str, ...]
    customers: dict[str, int]
    moved: tuple[tuple[str, str], ...] = ()
    is_reordered: bool = False
    internals_changed: int = 0
    left_as_they_are: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def changed_anything(self) -> bool:
        """Whether anything is otherwise than before."""
        beside = self.moved or self.is_reordered or self.internals_changed or any(self.customers.values())
        return bool(self.is_founding or self.edits or self.publisher_changes or beside)


def plan_file(session: Session, now: datetime, file: RegistryFile) -> Plan:
    """Compare `file` with what is published, and say when it could lawfully take effect. Changes nothing.

    Raises `InvalidInput` for an address of the publisher that no letter could name, and for a reserved key, where new.
    """
    slug = file.publisher.slug
    publisher = session.scalar(select(Publisher).where(Publisher.slug == slug))
    _refuse_problems_if_new(session, publisher, file)
    if publisher is None or publisher.revision == 0:
        additions = tuple(
            PlannedChange(change, is_drafted=False, stands_in=None)
            for entry in file.entries
            if (change := diff_entry(entry.key, None, entry.content)) is not None
        )
        return Plan(slug, True, additions, (), (), None)
    versions = load_versions(session, publisher)
    planned, moved = [], []
    for wanted, entry in _pair(session, publisher, file, versions):
        if wanted is not None and entry is not None and entry.key != wanted.key:
            moved.append((entry.key, wanted.key))
        planned_change = _plan_entry(session, wanted, entry, versions)
        if planned_change is not None:
            planned.append(planned_change)
    binds = any(item.change.weight is Weight.BINDING and item.stands_in is None for item in planned)
    earliest = find_earliest(session, now, publisher, file.publisher, file.customers or ()) if binds else None
    differing = tuple(find_publisher_differences(session, publisher, file))
    return Plan(slug, False, tuple(planned), tuple(moved), differing, earliest)


def apply_file(session: Session, now: datetime, file: RegistryFile, actor: Actor, only: str | None = None) -> Applied:
    """Bring edits, products, terms and customers to what `file` wants; applying it twice changes nothing.

    The first load of a publisher states its list as it is, without a notice (R5). `only` names the publisher that the
    caller means; a file for another is refused with `UnknownPublisher`. Raises `InvalidInput` for an address of the
    publisher that is new and that no letter could name, for a new key that is reserved, and for a host name of another
    publisher.
    """
    if only is not None and file.publisher.slug != only:
        raise UnknownPublisher(slug=file.publisher.slug, near=[only], known=[only])
    publisher = session.scalar(select(Publisher).where(Publisher.slug == file.publisher.slug))
    _refuse_problems_if_new(session, publisher, file)
    refuse_host_of_another(session, file)
    if publisher is None:
        publisher = create_publisher(session, now, file, actor)
        differing: list[str] = []
    else:
        lock_publisher(session, publisher)
        differing = update_publisher(session, now, publisher, file, actor)
    if publisher.revision == 0:
        applied = _found(session, now, publisher, file, actor)
    else:
        applied = _edit(session, now, publisher, file, actor)
    customers: dict[str, int] = {}
    left_as_they_are: dict[str, tuple[str, ...]] = {}
    if file.customers is not None:
        counts = record_customers(
            session,
            now,
            publisher,
            file.customers,
            actor,
            is_shortening_approved=are_terms_approved(session, publisher, file, actor),
        )
        customers = {name: count for name, count in counts.items() if isinstance(count, int)}
        left_as_they_are = {name: keys for name, keys in counts.items() if isinstance(keys, tuple) and keys}
    return replace(applied, publisher_changes=tuple(differing), customers=customers, left_as_they_are=left_as_they_are)


def _refuse_problems_if_new(session: Session, publisher: Publisher | None, file: RegistryFile) -> None:
    """Refuse what is new alone: what an earlier release took must not keep the rest of the file from being applied."""
    if not file.if_new:
        return
    if not file.if_new:
        return
    on_record: set[tuple[str, object]] = set()
    if publisher is not None:
        known = read_facts(session, publisher)
        on_record = {("publisher.contact", known.contact), ("publisher.sender", known.sender)}
        on_record |= {("entries.key", key) for key in load_entries_by_key(session, publisher)}
        customers = session.scalars(select(Customer.key).where(Customer.publisher_id == publisher.id))
        on_record |= {("customers.key", key) for key in customers}
    problems = [each for each in file.if_new if (re.sub(r"\.\d+\.", ".", each.field), each.value) not in on_record]
    if problems:
        raise InvalidInput(problems, file=file.name)


def _found(session: Session, now: datetime, publisher: Publisher, file: RegistryFile, actor: Actor) -> Applied:
    """State the list as the file has it: each entry with its first version, on the list at once (R5)."""
    entries = [
        Entry(publisher_id=publisher.id, key=wanted.key, position=position, created_at=now)
        for position, wanted in enumerate(file.entries)
    ]
    session.add_all(entries)
    session.flush()
    versions = []
    for wanted, entry in zip(file.entries, entries, strict=True):
        document = wanted.content.as_document()
        session.add(EntryKey(publisher_id=publisher.id, entry_id=entry.id, key=wanted.key))
        versions.append(
            EntryVersion(
                publisher_id=publisher.id,
                entry_id=entry.id,
                seq=1,
                document=document,
                digest=digest_of(document),
                author=actor.name,
                created_at=now,
            )
        )
        if wanted.internals != EntryInternals():
            write_internals(session, publisher, entry, wanted.internals, now=now, actor=actor)
    session.add_all(versions)
    session.flush()
    put_all_on_list(session, now, publisher, list(zip(entries, versions, strict=True)), cause="founding")
    publisher.revision = 1
    record_event(
        session,
        now,
        actor,
        "publisher.founded",
        subject=("publisher", publisher.slug),
        publisher_id=publisher.id,
        entries={version.entry_id: version.digest for version in versions},
    )
    session.flush()
    edits = tuple(
        Edit(wanted.key, EditFate.IN_EFFECT, diff_entry(wanted.key, None, wanted.content)) for wanted in file.entries
    )
    return Applied(publisher.slug, True, edits, (), {})


def _edit(session: Session, now: datetime, publisher: Publisher, file: RegistryFile, actor: Actor) -> Applied:
    edits, moved, internals_changed = [], [], 0
    positions = {wanted.key: position for position, wanted in enumerate(file.entries)}
    versions = load_versions(session, publisher)
    internals = load_internals(session, publisher)
    order = _public_order(session, publisher)
    for wanted, entry in _pair(session, publisher, file, versions):
        if wanted is None:
            assert entry is not None  # noqa: S101 - _pair gives at least one of the two
            edits.append(record_edit(session, now, publisher, entry.key, None, actor))
            continue
        former_key = entry.key if entry else wanted.key
        position = positions[wanted.key]
        if entry is not None:
            entry.position = position
        if entry is None or former_key != wanted.key or _is_otherwise(wanted, versions.get(entry.id)):
            edits.append(
                record_edit(
                    session,
                    now,
                    publisher,
                    wanted.key,
                    wanted.content,
                    actor,
                    former_keys=wanted.former_keys,
                    position=position,
                )
            )
        if former_key != wanted.key:
            moved.append((former_key, wanted.key))
        if entry is None or wanted.internals != internals.get(entry.id, EntryInternals()):
            internals_changed += record_internals(
                session, publisher, wanted.key, wanted.internals, now=now, actor=actor
            )
    session.flush()
    is_reordered = _public_order(session, publisher) != order
    if is_reordered:
        touch(publisher, now)
    return Applied(
        publisher=publisher.slug,
        is_founding=False,
        edits=tuple(edit for edit in edits if edit.fate is not EditFate.UNCHANGED),
        publisher_changes=(),
        customers={},
        moved=tuple(moved),
        is_reordered=is_reordered,
        internals_changed=internals_changed,
    )


def _is_otherwise(wanted: FileEntry, known: EntryVersions | None) -> bool:
    """Return whether an entry is wanted otherwise than its last edit has it, or an edit of it may take effect now."""
    if known is None or known.wanted is None or known.pending is not None:
        return True
    return known.wanted.digest != digest_of(wanted.content.as_document())


def _public_order(session: Session, publisher: Publisher) -> list[int]:
    """Return the entries that the public knows of, in their order; the place of all others is nobody's business."""
    was_listed = exists().where(ListPeriod.entry_id == Entry.id)
    was_told = exists().where(
        NoticeChange.entry_id == Entry.id, NoticeChange.notice_id == Notice.id, Notice.announced_at.is_not(None)
    )
    known = select(Entry.id).where(Entry.publisher_id == publisher.id, or_(was_listed, was_told))
    return list(session.scalars(known.order_by(Entry.position, Entry.key)))


def _pair(
    session: Session, publisher: Publisher, file: RegistryFile, versions: Mapping[int, EntryVersions]
) -> list[tuple[FileEntry | None, Entry | None]]:
    """Pair what the file has with what is on record; a key that vanished from the file is a removal.

    Raises `InvalidInput` for two entries of the file that lead to one on record, the one by a key that the other had.
    """
    known = load_entries_by_key(session, publisher)
    pairs: list[tuple[FileEntry | None, Entry | None]] = []
    problems: list[Problem] = []
    seen: dict[int, str] = {}
    for place, wanted in enumerate(file.entries):
        entry = next((known[key] for key in (wanted.key, *wanted.former_keys) if key in known), None)
        if entry is not None and entry.id in seen:
            first = f"it leads to the same entry as {seen[entry.id]}"
            problems.append(Problem(f"entries.{place}.key", wanted.key, "repeated-key", {"first": first}))
        if entry is not None:
            seen.setdefault(entry.id, wanted.key)
        pairs.append((wanted, entry))
    if problems:
        raise InvalidInput(problems)
    for entry in dict.fromkeys(known.values()):
        wanted_now = versions[entry.id].wanted if entry.id in versions else None
        if entry.id not in seen and wanted_now is not None and wanted_now.document is not None:
            pairs.append((None, entry))
    return pairs


def _plan_entry(
    session: Session, wanted: FileEntry | None, entry: Entry | None, versions: Mapping[int, EntryVersions]
) -> PlannedChange | None:
    content: EntryContent | None = wanted.content if wanted else None
    key = wanted.key if wanted else entry.key if entry else ""
    known = versions.get(entry.id, EntryVersions()) if entry else EntryVersions()
    document = content.as_document() if content else None
    if document == (known.current.document if known.current else None):
        return None
    change = diff_entry(key, read_content(known.current), content)
    if change is None:
        return None
    pending = known.pending
    is_drafted = pending is not None and pending.digest == digest_of(document)
    row = find_open_change(session, entry) if entry and is_drafted else None
    stands = row is not None and pending is not None and row.target_version_id == pending.id
    notice = session.get_one(Notice, row.notice_id) if row and stands else None
    return PlannedChange(change, is_drafted, notice.number if notice else None)
