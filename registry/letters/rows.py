"""A change as the rows a letter shows: each field before and after, in words, the weightiest first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from registry.domain.changes import EntryChange, FieldChange, change_in_language
from registry.domain.vocabulary import ChangeKind, Weight
from registry.language import gettext as _
from registry.language import marked, spoken
from registry.letters.wording import FIELD_LABELS, NOT_STATED, say_field, say_kinds

ALWAYS_TOLD_OF_AN_ADDITION = (
    "legal_name",
    "role",
    "country",
    "purposes",
    "data_categories",
    "data_subjects",
    "locations",
    "transfers",
)
"""What a customer needs to judge a newcomer; where it is unknown, the letter says so (R7)."""

TOLD_OF_A_REMOVAL = ("legal_name", "role", "purposes", "data_categories", "locations")
IN_ORDER_OF_PRECEDENCE = ("transfers",)
NEW, NO_LONGER = marked("new"), marked("no longer")
_WEIGHTIEST_FIRST = (Weight.BINDING, Weight.INFORMING, Weight.EDITORIAL)


@dataclass(frozen=True)
class Member:
    """One value of a field, in words. `mark` says that it is new or no longer there, where others of its list stay."""

    text: str
    mark: str = ""

    @property
    def lines(self) -> str:
        """The value as plain text shows it: its mark at the end of the first line."""
        first, line_break, rest = self.text.partition("\n")
        return f"{first} ({self.mark}){line_break}{rest}" if self.mark else self.text


@dataclass(frozen=True)
class Row:
    """One field of an entry: what it was and what it becomes. `is_ordered` where the order of members has a meaning."""

    label: str
    before: tuple[Member, ...]
    after: tuple[Member, ...]
    is_ordered: bool = False
    is_editorial: bool = False


@dataclass(frozen=True)
class EntryInWords:
    """One entry of a notice. A whole one (an addition, a removal) has its values in `after`, `before` being empty."""

    name: str
    headline: str
    is_whole: bool
    rows: tuple[Row, ...]


def tell_changes(changes: Iterable[EntryChange], product_names: Iterable[tuple[str, str]]) -> tuple[EntryInWords, ...]:
    """Put changes into the words of a letter, with their texts in the language spoken here where they are translated.

    `product_names` are pairs of a product's key and name.
    """
    names = dict(product_names)
    return tuple(describe_change(change_in_language(change, spoken()), names) for change in changes)


def describe_change(change: EntryChange, product_names: Mapping[str, str]) -> EntryInWords:
    """Put a change into words. `product_names` gives the names of product keys; a key without one stands as it is.

    Our words are in the language spoken here, the publisher's as they stand.
    """
    is_whole = change.kinds in {(ChangeKind.ADDITION,), (ChangeKind.REMOVAL,)}
    if is_whole:
        rows = _whole_rows(change, product_names)
    else:
        ordered = sorted(change.fields, key=lambda field: _WEIGHTIEST_FIRST.index(field.weight))
        rows = tuple(_row(field, product_names) for field in ordered)
    return EntryInWords(change.name, say_kinds(change.kinds), is_whole, rows)


def _whole_rows(change: EntryChange, product_names: Mapping[str, str]) -> tuple[Row, ...]:
    is_addition = change.kinds == (ChangeKind.ADDITION,)
    values = {field.field: field.after if is_addition else field.before for field in change.fields}
    rows = []
    for field, label in FIELD_LABELS.items():
        if field == "name" or (field == "products" and not product_names):
            continue
        if not is_addition and field not in TOLD_OF_A_REMOVAL:
            continue
        said = say_field(field, values.get(field), product_names)
        if said or (is_addition and field in ALWAYS_TOLD_OF_AN_ADDITION):
            rows.append(Row(label, (), _members(said), field in IN_ORDER_OF_PRECEDENCE))
    return tuple(rows)


def _row(field: FieldChange, product_names: Mapping[str, str]) -> Row:
    before = say_field(field.field, field.before, product_names)
    after = say_field(field.field, field.after, product_names)
    is_list = isinstance(field.before, list) and isinstance(field.after, list)
    return Row(
        FIELD_LABELS[field.field],
        _members(before, after if is_list else None, _(NO_LONGER)),
        _members(after, before if is_list else None, _(NEW)),
        field.field in IN_ORDER_OF_PRECEDENCE,
        field.weight is Weight.EDITORIAL,
    )


def _members(said: tuple[str, ...], others: tuple[str, ...] | None = None, mark: str = "") -> tuple[Member, ...]:
    """Mark what the other side lacks, but only where something stays: a list replaced as a whole needs no marks."""
    if not said:
        return (Member(_(NOT_STATED)),)
    stays = others is not None and any(text in others for text in said)
    return tuple(Member(text, mark if stays and text not in (others or ()) else "") for text in said)
