"""An edit made in a form: taken only on the version it was opened on, so that nobody undoes a colleague unseen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, exists, func, select
from sqlalchemy.orm import Session, aliased

from registry.domain.changes import TRANSLATIONS
from registry.domain.duplicates import propose_key
from registry.domain.entries import RESERVED_ENTRY_KEYS, EntryContent, EntryInternals, Key, digest_of
from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.validation import Document, find_near, read_model
from registry.steps.entry_drafts import discard_draft
from registry.steps.errors import UnknownEntry
from registry.steps.lookup import EntryVersions, find_entry, lock_publisher
from registry.steps.record import Actor
from registry.steps.record_edit import Edit, record_edit, write_internals
from registry.tables import (
    Entry,
    EntryInternal,
    EntryKey,
    EntryVersion,
    Event,
    ListPeriod,
    PendingEdit,
    Product,
    Publisher,
)


class EntryChangedMeanwhile(RegistryError):
    """The entry is not what it was when the form was opened. Params: key, author and saved_at (UTC) of the last act."""

    code = "entry-changed-meanwhile"


@dataclass(frozen=True)
class Base:
    """What a form was opened on: the version then wanted (the last edit, or the list's), and the private facts then."""

    version_id: int | None
    internals_digest: str


@dataclass(frozen=True)
class Present:
    """An entry as it is wanted now, for whoever edits it. `last` is its last version that says anything."""

    entry: Entry
    versions: EntryVersions
    internals: EntryInternals
    last: EntryVersion | None = None

    @property
    def base(self) -> Base:
        """What a form that is opened now is opened on."""
        wanted = self.versions.wanted
        return Base(wanted.id if wanted else None, digest_internals(self.internals))

    @property
    def document(self) -> dict[str, Any] | None:
        """The document now wanted; None where it is wanted off the list, or nothing is wanted."""
        wanted = self.versions.wanted
        return wanted.document if wanted else None


@dataclass(frozen=True)
class Saved:
    """What became of an edit, and whether the private facts beside the entry are others now."""

    edit: Edit
    internals_changed: bool


class _Keyed(Document):
    key: Key


def save_entry(
    session: Session,
    now: datetime,
    publisher: Publisher,
    key: str,
    content: EntryContent,
    internals: EntryInternals,
    actor: Actor,
    *,
    base: Base | None,
    draft_of: tuple[int, str] | None = None,
) -> Saved:
    """Record what a form says of the entry `key`, and forget the unsaved draft (person, subject) it was typed in.

    `base` is what the form was opened on, None for a new entry. Raises `EntryChangedMeanwhile` where the entry is
    wanted otherwise by now than it was then and than the form says, `UnknownEntry`, and `InvalidInput` for a key that
    is taken or cannot be one, a product or parent that there is not, and a parent that is below its own child. New
    translations alone are nothing other: `content` has to hold those of now.
    """
    lock_publisher(session, publisher)
    if base is None:
        _refuse_key(session, publisher, key, content)
    present = load_present(session, publisher, key)
    if base is not None:
        if present is None:
            raise UnknownEntry(key=key, publisher=publisher.slug)
        refuse_stale(session, publisher, present, base, content, internals)
        # By a key it had before, the edit would move the entry back there.
        key = present.entry.key
    refuse_unknown(session, publisher, key, content, present.document if present else None)
    edit = record_edit(session, now, publisher, key, content, actor)
    entry = find_entry(session, publisher, key)
    assert entry is not None  # noqa: S101 - record_edit has made it, or raised
    internals_changed = write_internals(session, publisher, entry, internals, now=now, actor=actor)
    if draft_of is not None:
        discard_draft(session, publisher, *draft_of)
    return Saved(edit, internals_changed)


_Current = aliased(EntryVersion)
_Pending = aliased(EntryVersion)


def load_present(session: Session, publisher: Publisher, key: str) -> Present | None:
    """Return the entry that has or had this key as it is wanted now, or None."""
    row = session.execute(
        select(Entry, _Current, _Pending, EntryInternal, EntryVersion)
        .join(EntryKey, EntryKey.entry_id == Entry.id)
        .outerjoin(ListPeriod, and_(ListPeriod.entry_id == Entry.id, ListPeriod.to_at.is_(None)))
        .outerjoin(_Current, _Current.id == ListPeriod.version_id)
        .outerjoin(PendingEdit, PendingEdit.entry_id == Entry.id)
        .outerjoin(_Pending, _Pending.id == PendingEdit.version_id)
        .outerjoin(EntryInternal, EntryInternal.entry_id == Entry.id)
        .join(EntryVersion, EntryVersion.entry_id == Entry.id)
        .where(EntryKey.publisher_id == publisher.id, EntryKey.key == key, EntryVersion.document.is_not(None))
        .order_by(EntryVersion.seq.desc())
        .limit(1)
    ).first()
    return Present(row[0], EntryVersions(row[1], row[2]), read_internals(row[3]), row[4]) if row else None


def read_internals(row: EntryInternal | None) -> EntryInternals:
    """Return the private facts of a row, or none of them."""
    names = EntryInternals.model_fields
    return EntryInternals(**{name: getattr(row, name) for name in names}) if row else EntryInternals()


def digest_internals(internals: EntryInternals) -> str:
    """Return the digest by which a form knows whether the private facts are still those it was opened on."""
    return digest_of(internals.model_dump(mode="json"))


def refuse_stale(
    session: Session,
    publisher: Publisher,
    present: Present,
    base: Base,
    content: EntryContent,
    internals: EntryInternals,
) -> None:
    """Raise `EntryChangedMeanwhile` where what is wanted now is neither what it was, nor what is wanted here."""
    wanted = present.versions.wanted
    here = digest_of(content.as_document())
    is_other = present.base.version_id != base.version_id and here != (wanted.digest if wanted else None)
    is_other = is_other and not _says_the_same(session, publisher, base, wanted)
    if internals != present.internals:
        is_other = is_other or present.base.internals_digest != base.internals_digest
    if is_other:
        raise _changed_meanwhile(session, publisher, present)


def _says_the_same(session: Session, publisher: Publisher, base: Base, wanted: EntryVersion | None) -> bool:
    """Return whether what is wanted is what a form was opened on, but for translations, which no field of it says."""
    mine = (EntryVersion.publisher_id == publisher.id, EntryVersion.id == base.version_id)
    then = session.scalar(select(EntryVersion.document).where(*mine))
    now = wanted.document if wanted else None
    return then is not None and now is not None and _untranslated(then) == _untranslated(now)


def _untranslated(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != TRANSLATIONS}


def refuse_other_version(session: Session, publisher: Publisher, present: Present, version_id: int | None) -> None:
    """Raise `EntryChangedMeanwhile` where the version now wanted is not the one that somebody looked at."""
    if present.base.version_id != version_id:
        raise _changed_meanwhile(session, publisher, present)


def _changed_meanwhile(session: Session, publisher: Publisher, present: Present) -> EntryChangedMeanwhile:
    author, saved_at = _find_last_hand(session, publisher, present)
    return EntryChangedMeanwhile(key=present.entry.key, author=author, saved_at=saved_at)


def _find_last_hand(session: Session, publisher: Publisher, present: Present) -> tuple[str, datetime]:
    """Return who changed an entry last and when (UTC), from the record: dropping an edit leaves no version."""
    last = (
        select(Event.actor, Event.at)
        .where(Event.publisher_id == publisher.id, Event.subject_kind == "entry", Event.subject == present.entry.key)
        .order_by(Event.id.desc())
        .limit(1)
    )
    row = session.execute(last).first()
    wanted = present.versions.wanted
    if row is not None:
        return row[0].partition(" (")[0], row[1]
    # A list that was founded has its entries on record as a whole.
    return (wanted.author, wanted.created_at) if wanted else ("Somebody", present.entry.created_at)


def refuse_unknown(
    session: Session, publisher: Publisher, key: str, content: EntryContent, wanted_now: Mapping[str, Any] | None
) -> None:
    """Raise `InvalidInput` for products and a parent that there are not, but for products the entry has already.

    A product that was given up stays on the entries that name it until somebody takes it off.
    """
    problems = []
    if content.products:
        mine = Product.publisher_id == publisher.id
        known = list(session.scalars(select(Product.key).where(mine).order_by(Product.position, Product.key)))
        kept = set((wanted_now or {}).get("products") or ())
        for at, product in enumerate(content.products):
            if product not in known and product not in kept:
                near: dict[str, object] = {"near": find_near(product, known), "known": known}
                problems.append(Problem(f"products.{at}", product, "unknown-product", near))
    if content.parent:
        problems += _find_broken_parent(session, publisher, key, content.parent)
    if problems:
        raise InvalidInput(problems)


def _find_broken_parent(session: Session, publisher: Publisher, key: str, parent: str) -> list[Problem]:
    parents = _load_parents(session, publisher)
    if parent not in parents and parent != key:
        near: dict[str, object] = {"near": find_near(parent, parents)}
        return [Problem("parent", parent, "unknown-parent-entry", near)]
    chain, above = [key], parent
    while above and above not in chain:
        chain.append(above)
        above = parents.get(above) or ""
    # A circle that does not pass through this entry is not of this edit's making.
    return [Problem("parent", parent, "parent-cycle", {"cycle": [*chain, above]})] if above == key else []


def _load_parents(session: Session, publisher: Publisher) -> dict[str, str | None]:
    """Return, by key, the parent that each entry on the list or waiting for it is wanted to have."""
    wanted = func.coalesce(PendingEdit.version_id, ListPeriod.version_id)
    rows = session.execute(
        select(Entry.key, EntryVersion.document["parent"].as_string())
        .outerjoin(PendingEdit, PendingEdit.entry_id == Entry.id)
        .outerjoin(ListPeriod, (ListPeriod.entry_id == Entry.id) & ListPeriod.to_at.is_(None))
        .join(EntryVersion, EntryVersion.id == wanted)
        .where(Entry.publisher_id == publisher.id, EntryVersion.document.is_not(None))
    )
    return {row[0]: row[1] for row in rows}


def _refuse_key(session: Session, publisher: Publisher, key: str, content: EntryContent) -> None:
    read_model(_Keyed, {"key": key})
    if key in RESERVED_ENTRY_KEYS:
        raise InvalidInput([Problem("key", key, "reserved-key")])
    entry = find_entry(session, publisher, key)
    if entry is None or is_never_listed(session, entry):
        return
    taken = list_taken_keys(session, publisher)
    name = _name_of(session, entry)
    free = propose_key({"name": key.replace("-", " "), "locations": content.as_document().get("locations")}, taken)
    raise InvalidInput([Problem("key", key, "key-taken", {"name": name, "taken_key": entry.key, "free": free})])


def is_never_listed(session: Session, entry: Entry) -> bool:
    """Return whether an entry neither was ever on the list nor waits for it, so that its key is as good as free."""
    waits = exists().where(PendingEdit.entry_id == Entry.id)
    was_listed = exists().where(ListPeriod.entry_id == Entry.id, ListPeriod.publisher_id == entry.publisher_id)
    return session.scalar(select(Entry.id).where(Entry.id == entry.id, ~waits, ~was_listed)) is not None


def list_taken_keys(session: Session, publisher: Publisher) -> set[str]:
    """Return every key that an entry of the publisher has or had."""
    return set(session.scalars(select(EntryKey.key).where(EntryKey.publisher_id == publisher.id)))


def _name_of(session: Session, entry: Entry) -> str:
    last = select(EntryVersion.document["name"].as_string()).where(
        EntryVersion.entry_id == entry.id, EntryVersion.document.is_not(None)
    )
    return session.scalar(last.order_by(EntryVersion.seq.desc()).limit(1)) or entry.key
