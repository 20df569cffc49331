"""What a plan and an applied file say, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from registry.cli.printing import count_of, plain, words_of
from registry.domain.changes import EntryChange
from registry.domain.notice_life import EDITABLE_STATES
from registry.domain.notices import EarliestEffect, local_date
from registry.domain.vocabulary import Weight
from registry.i18n import show_day
from registry.letters.rows import Member, describe_change
from registry.readers.registry_file import RegistryFile
from registry.steps.apply_file import Applied, Plan, PlannedChange
from registry.steps.editorial import Edit, EditFate

MEANINGS = {
    Weight.BINDING: "Binding: customers are told first, and their clocks must run",
    Weight.INFORMING: "Informing: customers are told, and no clock runs",
    Weight.EDITORIAL: "Editorial: nothing is sent",
}


def plan_document(plan: Plan) -> dict[str, object]:
    """Return a plan as JSON has it, the changes by weight."""
    return {
        "publisher": plan.publisher,
        "is_founding": plan.is_founding,
        "changes": [
            {**change_document(item.change), "is_drafted": item.is_drafted, "notice": item.stands_in}
            for item in plan.changes
        ],
        "moved": [{"from": former, "to": key} for former, key in plan.moved],
        "publisher_changes": list(plan.publisher_changes),
        "earliest": plain(plan.earliest) if plan.earliest else None,
    }


def change_document(change: EntryChange) -> dict[str, object]:
    """Return a change as JSON has it."""
    document: dict[str, object] = plain(change)
    return document


def plan_lines(plan: Plan, file: RegistryFile, now: datetime) -> Iterator[str]:
    """Yield what a file would do, the weightiest first."""
    zone = file.publisher.time_zone
    names = {product.key: product.name for product in file.products}
    yield f"{file.publisher.name} ({plan.publisher}), {show_day(local_date(now, zone), zone)}"
    if plan.is_founding:
        yield "The first load: the list is stated as it is, without a notice, when this file is applied (R5)."
    elif not (plan.changes or plan.moved or plan.publisher_changes):
        yield "No changes: the file says what is published."
        return
    if plan.publisher_changes:
        yield f"The publisher's own facts differ: {', '.join(map(words_of, plan.publisher_changes))}."
    for former, key in plan.moved:
        yield f"The entry {former} gets the key {key}; its old address leads on to it."
    if plan.is_founding:
        yield ""
        for item in plan.changes:
            yield f"  {item.change.name} ({item.change.key})"
        return
    for weight in reversed(Weight):
        items = [item for item in plan.changes if item.change.weight is weight]
        if items:
            yield ""
            yield f"{MEANINGS[weight]} ({len(items)})"
            for item in items:
                yield from _change_lines(item, names)
    if plan.earliest:
        yield ""
        yield say_earliest(plan.earliest)


def _change_lines(item: PlannedChange, names: Mapping[str, str]) -> Iterator[str]:
    said = describe_change(item.change, names)
    state = f", in notice {item.stands_in}" if item.stands_in else ", already drafted" if item.is_drafted else ""
    yield f"  {said.name} ({item.change.key}): {said.headline}{state}"
    for row in said.rows:
        if said.is_whole:
            yield f"      {row.label}: {_join(row.after)}"
        else:
            yield f"      {row.label}: {_join(row.before)}"
            yield f"      {'→':>{len(row.label)}}  {_join(row.after)}"


def _join(members: tuple[Member, ...]) -> str:
    return "; ".join(" ".join(member.lines.split()) for member in members)


def say_earliest(earliest: EarliestEffect) -> str:
    """Say when a notice announced now may take effect, and whose clock and which rule decide it (R10, R11)."""
    who = f"{earliest.governed_by_name} ({earliest.governed_by})" if earliest.governed_by else "the publisher's terms"
    kind = "working day" if earliest.counting == "business" else "day"
    what = "notice" if earliest.rule == "notice" else "time to object"
    return (
        f"Announced now, the earliest lawful date is {show_day(earliest.effective_on, earliest.publisher_zone)}.\n"
        f"It follows from the {count_of(earliest.days, kind)} of {what} of {who}, counted in {earliest.zone}."
    )


def applied_lines(applied: Applied, notices: Mapping[str, tuple[str, str]], page: str) -> Iterator[str]:
    """Yield what applying a file did, entry by entry, and the next command. `notices` are the open ones, by entry."""
    slug = applied.publisher
    if not applied.changed_anything:
        yield f"{slug}: nothing changed, the file is what is on record."
        return
    if applied.is_founding:
        yield f"{slug}: the list stands as the file states it, without a notice (R5)."
    for edit in applied.edits:
        name = f"{edit.change.name} ({edit.key})" if edit.change else edit.key
        yield f"  {name}: {_say_fate(edit, applied.is_founding, notices.get(edit.key))}"
    for former, key in applied.moved:
        yield f"  {former} has the key {key} now; its old address leads on to it."
    if applied.is_reordered:
        yield "  The entries stand in another order."
    if applied.internals_changed:
        yield f"  Private facts of {count_of(applied.internals_changed, 'entry', 'entries')} brought up to date."
    if applied.publisher_changes:
        yield f"  The publisher's own facts: {', '.join(map(words_of, applied.publisher_changes))} brought up to date."
    told = [f"{words_of(name)} {count}" for name, count in applied.customers.items() if count]
    if told:
        yield f"  Customers: {', '.join(told)}."
    for reason, keys in applied.left_as_they_are.items():
        yield f"  Left as they are ({words_of(reason)}): {', '.join(keys)}."
    yield ""
    yield from _next_lines(applied, notices, page)


def _say_fate(edit: Edit, is_founding: bool, notice: tuple[str, str] | None) -> str:
    match edit.fate:
        case EditFate.IN_EFFECT:
            return "on the list" if is_founding else "editorial, in effect"
        case EditFate.NEEDS_APPROVAL:
            return "editorial, waits for approval"
        case EditFate.DROPPED:
            return "the edit that waited is dropped; the list stays as it is"
        case EditFate.WAITS:
            return f"waits until notice {notice[0]} has ended" if notice else "waits"
        case _:
            weight = edit.change.weight.value if edit.change else "edit"
            return f"{weight}, now in the draft {notice[0]}, to be approved anew" if notice else f"{weight}, drafted"


def _next_lines(applied: Applied, notices: Mapping[str, tuple[str, str]], page: str) -> Iterator[str]:
    slug = applied.publisher
    if applied.is_founding:
        yield f"Its page: {page}"
        return
    if any(edit.fate is EditFate.DRAFTED and edit.key not in notices for edit in applied.edits):
        yield f"Next: registry notice draft --publisher {slug}"
    revised = {notices[edit.key] for edit in applied.edits if edit.key in notices and edit.fate is EditFate.DRAFTED}
    for number, state in sorted(revised):
        if state in {each.value for each in EDITABLE_STATES}:
            yield f"Next: registry notice status {number} --publisher {slug}"
    for edit in applied.edits:
        if edit.fate is EditFate.NEEDS_APPROVAL:
            yield f"Next: registry entry approve {edit.key} --publisher {slug} --as EMAIL"
