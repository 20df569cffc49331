"""From two versions of an entry to typed changes, and what each asks of the publisher (R2, R3).

Pure: it compares; it does not know which version is published, who edited it or when. What a difference means comes
from one table, `FIELD_RULES`; a field without a row cannot be compared, and a test fails for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from registry.domain.entries import EntryContent, read_entry
from registry.domain.vocabulary import ChangeKind, Role, Weight, heavier


class Binds(StrEnum):
    """When a difference in a field waits for the clock (R2)."""

    ALWAYS = "any difference binds"
    WIDENING = "an added member binds, a removed one informs"
    INFORMS = "a difference informs"
    NEVER = "a difference is editorial"


FIELD_RULES: dict[str, tuple[ChangeKind, Binds]] = {
    "name": (ChangeKind.RENAME, Binds.INFORMS),
    "legal_name": (ChangeKind.ENTITY, Binds.ALWAYS),
    "former_names": (ChangeKind.EDITORIAL, Binds.NEVER),
    "role": (ChangeKind.ROLE, Binds.ALWAYS),
    "address": (ChangeKind.EDITORIAL, Binds.NEVER),
    "country": (ChangeKind.ENTITY, Binds.ALWAYS),
    "contact.name": (ChangeKind.EDITORIAL, Binds.NEVER),
    "contact.position": (ChangeKind.EDITORIAL, Binds.NEVER),
    "contact.email": (ChangeKind.EDITORIAL, Binds.NEVER),
    "purposes": (ChangeKind.PURPOSE, Binds.WIDENING),
    "activity": (ChangeKind.PURPOSE, Binds.ALWAYS),
    "products": (ChangeKind.PRODUCT, Binds.WIDENING),
    "data_categories": (ChangeKind.DATA, Binds.WIDENING),
    "data_subjects": (ChangeKind.DATA, Binds.WIDENING),
    "special_categories": (ChangeKind.DATA, Binds.WIDENING),
    "locations": (ChangeKind.LOCATION, Binds.WIDENING),
    "locations.country": (ChangeKind.LOCATION, Binds.WIDENING),
    "locations.place": (ChangeKind.LOCATION, Binds.WIDENING),
    "locations.function": (ChangeKind.LOCATION, Binds.WIDENING),
    "transfers": (ChangeKind.TRANSFER, Binds.ALWAYS),
    "transfers.regime": (ChangeKind.TRANSFER, Binds.ALWAYS),
    "transfers.mechanism": (ChangeKind.TRANSFER, Binds.ALWAYS),
    "transfers.destination": (ChangeKind.TRANSFER, Binds.ALWAYS),
    "transfers.details": (ChangeKind.TRANSFER, Binds.ALWAYS),
    "transfers.assessment.reference": (ChangeKind.EDITORIAL, Binds.NEVER),
    "transfers.assessment.made_on": (ChangeKind.EDITORIAL, Binds.NEVER),
    "transfers.assessment.none_because": (ChangeKind.EDITORIAL, Binds.NEVER),
    "transfers.checked_on": (ChangeKind.EDITORIAL, Binds.NEVER),
    "condition.when": (ChangeKind.CONDITION, Binds.ALWAYS),
    "condition.text": (ChangeKind.CONDITION, Binds.ALWAYS),
    "parent": (ChangeKind.CHAIN, Binds.ALWAYS),
    "links.website": (ChangeKind.EDITORIAL, Binds.NEVER),
    "links.privacy": (ChangeKind.EDITORIAL, Binds.NEVER),
    "links.dpa": (ChangeKind.EDITORIAL, Binds.NEVER),
    "links.subprocessors": (ChangeKind.EDITORIAL, Binds.NEVER),
    "links.security": (ChangeKind.EDITORIAL, Binds.NEVER),
    "retention": (ChangeKind.RETENTION, Binds.ALWAYS),
    "since": (ChangeKind.EDITORIAL, Binds.NEVER),
    "until": (ChangeKind.EDITORIAL, Binds.NEVER),
}
"""Every field and sub-field of `EntryContent`, its one kind, and when a difference in it binds (R2)."""

_EDITORIAL_PARTS_OF_A_TRANSFER = ("assessment", "checked_on")
_NO_PRODUCTS_MEANS_ALL = "products"


@dataclass(frozen=True)
class FieldChange:
    """One field that differs. `before` and `after` are JSON values; None is "not stated" (or absent)."""

    field: str
    kind: ChangeKind
    weight: Weight
    before: Any
    after: Any


@dataclass(frozen=True)
class EntryChange:
    """All that differs between two versions of one entry. Its weight is that of its heaviest field (R3)."""

    key: str
    name: str
    kinds: tuple[ChangeKind, ...]
    weight: Weight
    fields: tuple[FieldChange, ...]

    def as_document(self) -> dict[str, Any]:
        """Return the JSON form that is stored with a notice and published in files."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> EntryChange:
        """Rebuild a change from its stored form."""
        fields = tuple(
            FieldChange(f["field"], ChangeKind(f["kind"]), Weight(f["weight"]), f["before"], f["after"])
            for f in document["fields"]
        )
        kinds = tuple(ChangeKind(kind) for kind in document["kinds"])
        return cls(document["key"], document["name"], kinds, Weight(document["weight"]), fields)


def diff_entry(key: str, before: EntryContent | None, after: EntryContent | None) -> EntryChange | None:
    """Compare two versions of the entry `key`; None on either side is absence from the list.

    Returns None where nothing differs. An addition binds, a removal informs, and a role that becomes subprocessor
    counts as an addition (R2).
    """
    if before is None and after is None:
        return None
    if before is None or after is None:
        return _whole(key, before, after)
    fields = tuple(_diff_fields(before, after))
    if not fields:
        return None
    kinds = [field.kind for field in fields]
    if before.role is not Role.SUBPROCESSOR and after.role is Role.SUBPROCESSOR:
        kinds.insert(0, ChangeKind.ADDITION)
    weight = Weight.EDITORIAL
    for field in fields:
        weight = heavier(weight, field.weight)
    return EntryChange(key, after.name, tuple(dict.fromkeys(kinds)), weight, fields)


def _whole(key: str, before: EntryContent | None, after: EntryContent | None) -> EntryChange:
    content = after or before
    assert content is not None  # noqa: S101 - narrowing for the type checker; diff_entry has returned otherwise
    kind, weight = (ChangeKind.REMOVAL, Weight.INFORMING) if after is None else (ChangeKind.ADDITION, Weight.BINDING)
    old, new = (_flat(before) if before else {}), (_flat(after) if after else {})
    fields = tuple(
        FieldChange(field, rule[0], weight, old.get(field), new.get(field))
        for field, rule in FIELD_RULES.items()
        if old.get(field) is not None or new.get(field) is not None
    )
    return EntryChange(key, content.name, (kind,), weight, fields)


def _flat(content: EntryContent) -> dict[str, Any]:
    """Spread the groups that differ field by field (contact, condition, links); lists stay whole."""
    document = content.as_document()
    flat: dict[str, Any] = {}
    for field, value in document.items():
        if isinstance(value, dict):
            flat |= {f"{field}.{name}": inner for name, inner in value.items()}
        else:
            flat[field] = value
    return flat


def _diff_fields(before: EntryContent, after: EntryContent) -> list[FieldChange]:
    old, new = _flat(before), _flat(after)
    found = []
    for field, (kind, binds) in FIELD_RULES.items():
        was, becomes = old.get(field), new.get(field)
        if was == becomes:
            continue
        if field == "transfers":
            found += _diff_transfers(was, becomes)
        elif binds is Binds.WIDENING:
            found.append(_diff_set(field, kind, was, becomes))
        else:
            found.append(FieldChange(field, kind, _WEIGHTS[binds], was, becomes))
    return found


_WEIGHTS = {Binds.ALWAYS: Weight.BINDING, Binds.INFORMS: Weight.INFORMING, Binds.NEVER: Weight.EDITORIAL}


def _diff_set(field: str, kind: ChangeKind, was: Any, becomes: Any) -> FieldChange:
    """Weigh a difference of members (R2): one added binds, one taken away informs, a mere reordering is editorial."""
    old, new = list(was or []), list(becomes or [])
    added = any(member not in old for member in new)
    removed = any(member not in new for member in old)
    if field == _NO_PRODUCTS_MEANS_ALL:
        # An entry without products concerns them all, so stating some narrows it and stating none widens it.
        added, removed = (bool(old) and not new) or (bool(old) and added), not old or removed
    if added:
        return FieldChange(field, kind, Weight.BINDING, was, becomes)
    if removed:
        return FieldChange(field, kind, Weight.INFORMING, was, becomes)
    return FieldChange(field, ChangeKind.EDITORIAL, Weight.EDITORIAL, was, becomes)


def _diff_transfers(was: Any, becomes: Any) -> list[FieldChange]:
    """Transfers stand in order of precedence, so order binds; assessment and date of check are editorial (R2)."""

    def binding_part(transfers: Any) -> list[dict[str, Any]]:
        return [
            {name: value for name, value in transfer.items() if name not in _EDITORIAL_PARTS_OF_A_TRANSFER}
            for transfer in transfers or []
        ]

    if binding_part(was) != binding_part(becomes):
        return [FieldChange("transfers", ChangeKind.TRANSFER, Weight.BINDING, was, becomes)]
    return [FieldChange("transfers", ChangeKind.EDITORIAL, Weight.EDITORIAL, was, becomes)]


def merge_editorial(change: EntryChange, onto: EntryContent) -> EntryContent:
    """Apply an editorial change's fields to another version of the same entry (R4).

    So an editorial edit made while a notice is open reaches both the list as it is and the announced target. Raises
    `InvalidInput` where the field does not fit the other version (an `until` before its `since`).
    """
    document = onto.as_document()
    for field in change.fields:
        group, _, inner = field.field.partition(".")
        if inner:
            values = dict(document.get(group) or {})
            values[inner] = field.after
            document[group] = {name: value for name, value in values.items() if value is not None} or None
        else:
            document[group] = field.after
    return read_entry({name: value for name, value in document.items() if value is not None})
