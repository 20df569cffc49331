"""From two versions of an entry to typed changes, and what each asks of the publisher (R2, R3).

Pure: it compares; it does not know which version is published, who edited it or when. What a difference means comes
from one table, `FIELD_RULES`; a field without a row cannot be compared, and a test fails for it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from registry.domain.entries import EntryContent, read_entry
from registry.domain.free_texts import LANGUAGES, Given, find_texts, fit_translations
from registry.domain.translations import translate_value, with_translations
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
    "translations": (ChangeKind.EDITORIAL, Binds.NEVER),
}
"""Every field and sub-field of `EntryContent`, its one kind, and when a difference in it binds (R2)."""

_EDITORIAL_PARTS_OF_A_TRANSFER = ("assessment", "checked_on")
_NO_PRODUCTS_MEANS_ALL = "products"
TRANSLATIONS = "translations"
"""The field that says nothing of its own, but what the others say in other languages."""


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
    """All that differs between two versions of one entry. Its weight is that of its heaviest field (R3).

    `translations` say the texts of its fields, before and after, in other languages: by language, text by text.
    """

    key: str
    name: str
    kinds: tuple[ChangeKind, ...]
    weight: Weight
    fields: tuple[FieldChange, ...]
    translations: Given = dataclasses.field(default_factory=dict)

    def as_document(self) -> dict[str, Any]:
        """Return the JSON form that is stored with a notice and published in files: translations where there are."""
        document = asdict(self)
        if not self.translations:
            del document[TRANSLATIONS]
        return document

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> EntryChange:
        """Rebuild a change from its stored form."""
        fields = tuple(
            FieldChange(f["field"], ChangeKind(f["kind"]), Weight(f["weight"]), f["before"], f["after"])
            for f in document["fields"]
        )
        kinds = tuple(ChangeKind(kind) for kind in document["kinds"])
        said = document.get(TRANSLATIONS, {})
        return cls(document["key"], document["name"], kinds, Weight(document["weight"]), fields, said)


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
    said = _say_fields(fields, before, after)
    return EntryChange(key, after.name, tuple(dict.fromkeys(kinds)), weight, fields, said)


def _whole(key: str, before: EntryContent | None, after: EntryContent | None) -> EntryChange:
    content = after or before
    assert content is not None  # noqa: S101 - narrowing for the type checker; diff_entry has returned otherwise
    kind, weight = (ChangeKind.REMOVAL, Weight.INFORMING) if after is None else (ChangeKind.ADDITION, Weight.BINDING)
    old, new = (_flat(before) if before else {}), (_flat(after) if after else {})
    fields = tuple(
        FieldChange(field, rule[0], weight, old.get(field), new.get(field))
        for field, rule in FIELD_RULES.items()
        if field != TRANSLATIONS and (old.get(field) is not None or new.get(field) is not None)
    )
    return EntryChange(key, content.name, (kind,), weight, fields, _say_fields(fields, before, after))


def _say_fields(
    fields: tuple[FieldChange, ...], before: EntryContent | None, after: EntryContent | None
) -> dict[str, dict[str, str]]:
    """Return what the texts of these fields say in other languages; of two translations of one text the newer."""
    older, newer = (content.translations if content else {} for content in (before, after))
    if not older and not newer:
        return {}
    texts: dict[str, bool] = {}
    for each in fields:
        texts |= find_texts({each.field: each.before}) | find_texts({each.field: each.after})
    said = {language: {**older.get(language, {}), **newer.get(language, {})} for language in LANGUAGES}
    return fit_translations(said, dict.fromkeys(texts, True))


def change_in_language(change: EntryChange, language: str) -> EntryChange:
    """Return the change to be shown in a language: its texts translated where a translation stands in it.

    Names stay, and so do texts that would read the same in one field, be it before and after: what differs must differ
    in every language. The same object comes back where nothing is translated.
    """
    said = change.translations.get(language)
    if not said:
        return change
    fields = tuple(
        replace(
            each,
            before=translate_value(each.field, each.before, said, each.after),
            after=translate_value(each.field, each.after, said, each.before),
        )
        for each in change.fields
    )
    return replace(change, fields=fields) if fields != change.fields else change


def _flat(content: EntryContent) -> dict[str, Any]:
    """Spread the groups that differ field by field (contact, condition, links); what has a rule itself stays whole."""
    document = content.as_document()
    flat: dict[str, Any] = {}
    for field, value in document.items():
        if isinstance(value, dict) and field not in FIELD_RULES:
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
        if field == TRANSLATIONS and not _is_retranslated(before, after):
            continue
        if field == "transfers":
            found += _diff_transfers(was, becomes)
        elif binds is Binds.WIDENING:
            found.append(_diff_set(field, kind, was, becomes))
        else:
            found.append(FieldChange(field, kind, _WEIGHTS[binds], was, becomes))
    return found


def _is_retranslated(before: EntryContent, after: EntryContent) -> bool:
    """Return whether a text that stays is said otherwise. What comes and goes with its text is no change of its own."""
    both = find_texts(dict(before)).keys() & find_texts(dict(after)).keys()
    return any(
        before.translations.get(language, {}).get(text) != after.translations.get(language, {}).get(text)
        for language in LANGUAGES
        for text in both
    )


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


def is_beside(edit: EntryChange, announced: EntryChange) -> bool:
    """Return whether an edit touches no field that was announced (R4).

    Translations are in nobody's way: each version keeps those of its own texts.
    """
    touched = {each.field for each in announced.fields} & {each.field for each in edit.fields}
    return not touched - {TRANSLATIONS}


def merge_editorial(change: EntryChange, onto: EntryContent) -> EntryContent:
    """Apply an editorial change's fields to another version of the same entry (R4).

    So an editorial edit made while a notice is open reaches both the list as it is and the announced target, and of
    translations each of the two takes what it has the texts for. Raises `InvalidInput` where the field does not fit the
    other version (an `until` before its `since`).
    """
    document = onto.as_document()
    document.pop(TRANSLATIONS, None)
    said: Given = {
        language: {**onto.translations.get(language, {}), **change.translations.get(language, {})}
        for language in LANGUAGES
    }
    for each in change.fields:
        group, _, inner = each.field.partition(".")
        if group == TRANSLATIONS:
            said = _merge_translations(said, each.before or {}, each.after or {})
        elif inner:
            values = dict(document.get(group) or {})
            values[inner] = each.after
            document[group] = {name: value for name, value in values.items() if value is not None} or None
        else:
            document[group] = each.after
    merged = read_entry({name: value for name, value in document.items() if value is not None})
    return with_translations(merged, said)


def _merge_translations(said: Given, before: Given, after: Given) -> Given:
    """Take out what was taken out between two versions, and put in what was put in or put otherwise."""
    return {
        language: {
            text: words for text, words in said.get(language, {}).items() if text not in before.get(language, {})
        }
        | dict(after.get(language, {}))
        for language in LANGUAGES
    }
