"""Two people at one entry: what the other saved and what is typed here, side by side, and one form made of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from registry.domain.changes import TRANSLATIONS, diff_entry
from registry.domain.entries import EntryContent, EntryInternals
from registry.pages.entry_facts import Names, show_field
from registry.pages.wording import field_name
from registry.steps.lookup import read_content
from registry.steps.save_entry import Base, Present
from registry.tables import EntryVersion
from registry.web.team.entry_form import ROWS, EntryForm, form_of

THEIRS, MINE = "theirs", "mine"
PRIVATE_LABELS = {
    "owner": "Owner",
    "note": "Note",
    "contract_reference": "Contract reference",
    "dpa_signed_on": "Agreement signed on",
    "review_due_on": "Review due on",
}


@dataclass(frozen=True)
class Differing:
    """One field that two people want otherwise, in words. `suggested` is the side that alone changed it, if one did."""

    field: str
    label: str
    theirs: tuple[str, ...]
    mine: tuple[str, ...]
    suggested: str | None


def list_differing(
    present: Present,
    content: EntryContent,
    internals: EntryInternals,
    opened_on: EntryVersion | None,
    base: Base,
    names: Names,
) -> list[Differing]:
    """Return the fields in which what is typed differs from what is wanted now; none where that is a removal.

    `opened_on` is the version the form was opened on: where only one of the two has left it, that side is suggested.
    """
    theirs = read_content(present.versions.wanted)
    if theirs is None:
        return []
    between = diff_entry(present.entry.key, theirs, content)
    before = read_content(opened_on)
    their_changes, my_changes = _changed(before, theirs), _changed(before, content)
    found = []
    for change in between.fields if between else ():
        if change.field == TRANSLATIONS:
            # They follow the texts that are chosen.
            continue
        suggested = None
        if before is not None:
            suggested = _suggest(change.field in their_changes, change.field in my_changes)
        theirs_said = show_field(change.field, change.before, names)
        mine_said = show_field(change.field, change.after, names)
        found.append(Differing(change.field, field_name(change.field), theirs_said, mine_said, suggested))
    return found + _list_private(present, internals, base)


def _changed(before: EntryContent | None, after: EntryContent | None) -> set[str]:
    change = diff_entry("", before, after)
    return {field.field for field in change.fields} if change else set()


def _suggest(is_theirs: bool, is_mine: bool) -> str | None:
    if is_theirs is is_mine:
        return None
    return THEIRS if is_theirs else MINE


def _list_private(present: Present, mine: EntryInternals, base: Base) -> list[Differing]:
    is_untouched = present.base.internals_digest == base.internals_digest
    theirs = present.internals.model_dump(mode="json")
    found = []
    for name, value in mine.model_dump(mode="json").items():
        if theirs[name] != value:
            label, suggested = f"{PRIVATE_LABELS[name]} (private)", MINE if is_untouched else None
            found.append(Differing(f"internals.{name}", label, _line(theirs[name]), _line(value), suggested))
    return found


def _line(value: object) -> tuple[str, ...]:
    return (str(value),) if value else ()


def merge_forms(mine: EntryForm, present: Present, choices: Mapping[str, str]) -> EntryForm:
    """Return the form with what the other wants in each field chosen so."""
    theirs = form_of(present.document, present.internals)
    words, rows, products = dict(mine.words), dict(mine.rows), mine.products
    for field in _taken(choices):
        if field in ROWS:
            rows[field] = theirs.rows[field]
        elif field == "products":
            products = theirs.products
        elif field in theirs.words:
            words[field] = theirs.words[field]
    return EntryForm(mine.key, words, products, rows)


def _taken(choices: Mapping[str, str]) -> Sequence[str]:
    return [field for field, side in choices.items() if side == THEIRS]


def read_choices(form: Mapping[str, Any], differing: Sequence[Differing]) -> tuple[dict[str, str], list[str]]:
    """Return which side was chosen for each field that differs, and the fields for which neither was."""
    chosen = {each.field: str(form.get(f"choice.{each.field}", "")) for each in differing}
    return chosen, [field for field, side in chosen.items() if side not in {THEIRS, MINE}]
