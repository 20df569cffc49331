"""What an edit means, and what became of one, in sentences for the team."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

from registry.domain.changes import EntryChange
from registry.domain.duplicates import Duplicate, Likeness
from registry.domain.free_texts import Given
from registry.domain.notices import EarliestEffect
from registry.domain.vocabulary import ChangeKind, Weight
from registry.language import language_name
from registry.pages.wording import date_told, field_name, short_date
from registry.steps.assess_edit import Assessment, StandsIn
from registry.steps.editorial import EditFate

KINDS: Final = {
    ChangeKind.ADDITION: "an addition",
    ChangeKind.REMOVAL: "a removal",
    ChangeKind.ENTITY: "a change of legal entity",
    ChangeKind.RENAME: "a new name",
    ChangeKind.ROLE: "a change of role",
    ChangeKind.LOCATION: "a location change",
    ChangeKind.PURPOSE: "a change of purpose",
    ChangeKind.DATA: "a change of data",
    ChangeKind.TRANSFER: "a change of transfer ground",
    ChangeKind.PRODUCT: "a change of products",
    ChangeKind.CONDITION: "a change of the condition of use",
    ChangeKind.CHAIN: "a change in the chain of processors",
    ChangeKind.RETENTION: "a change of retention",
    ChangeKind.EDITORIAL: "a change of details",
}
WEIGHTS: Final = {
    Weight.BINDING: "binds customers",
    Weight.INFORMING: "is told, and nobody's clock runs",
    Weight.EDITORIAL: "sends nothing",
}
LIKENESSES: Final = {
    Likeness.SAME_ENGAGEMENT: "the same legal entity, and {shared} too",
    Likeness.SAME_NAME: "the same name",
    Likeness.NEAR_NAME: "nearly the same name",
    Likeness.SAME_WEBSITE: "the same website",
}

MOST_TOLD: Final = 5
"""Texts whose translations an edit takes away, told one by one."""
SHOWN_OF_A_TEXT: Final = 60
"""Characters."""


@dataclass(frozen=True)
class Meaning:
    """What an edit would mean, in words: a sentence on top, what follows from it, and the fields with their weight.

    `tone` is that of a badge: calm, busy or good.
    """

    title: str
    tone: str
    sentences: tuple[str, ...]
    fields: tuple[tuple[str, str], ...] = ()
    duplicates: tuple[tuple[str, str, str], ...] = ()


def explain_assessment(assessed: Assessment, *, is_new: bool = False) -> Meaning:
    """Say what an edit would mean, were it saved now."""
    title, tone = _title(assessed, is_new=is_new)
    sentences = [*_consequences(assessed), *_beside_a_notice(assessed)]
    fields = _fields(assessed.change) if assessed.change and not _is_whole(assessed.change) else ()
    return Meaning(title, tone, tuple(sentences), fields)


def name_kinds(change: EntryChange) -> str:
    """Return what a change is, such as "a location change and a change of data"."""
    return _listed([KINDS[kind] for kind in change.kinds])


def tell_earliest(earliest: EarliestEffect) -> str:
    """Say when a binding change could take effect at the earliest, and whose clock decides."""
    days = f"{earliest.days} {'working ' if earliest.counting == 'business' else ''}days"
    whose = earliest.governed_by_name or "your own terms"
    rule = "to object" if earliest.rule == "objection" else "of notice"
    on = date_told(earliest.effective_on, earliest.publisher_zone)
    return f"Announced today, it takes effect on {on} at the earliest. Whose clock: {whose}, {days} {rule}."


def tell_fate(fate: EditFate, change: EntryChange | None, notice: StandsIn | None, required: int) -> str:
    """Say in a sentence or two what became of an edit that was saved."""
    match fate:
        case EditFate.UNCHANGED:
            return "Nothing differs from what was saved before."
        case EditFate.DROPPED:
            return "This is what stands already, so no edit waits any more."
        case EditFate.IN_EFFECT:
            return "Saved, and on the list at once: the change is editorial, stands in the history, and sends nothing."
        case EditFate.NEEDS_APPROVAL:
            return f"Saved. The change is editorial, and is on the list once {_colleagues(required)} approved it."
        case EditFate.WAITS:
            number = notice.number if notice else ""
            return f"Saved. The edit waits until notice {number} has ended, whose content is fixed."
    if notice is not None:
        return f"Saved. The draft of notice {notice.number} holds this now; approvals it had are void."
    kinds = name_kinds(change) if change else "a change"
    binds = change is not None and change.weight is Weight.BINDING
    return f"Saved. This is {kinds}{' and binds customers' if binds else ''}: it waits for a notice."


def explain_translating(assessed: Assessment) -> str:
    """Say what it would mean to save translations now, from what any edit of them would come to."""
    number = assessed.notice.number if assessed.notice else ""
    match assessed.fate:
        case EditFate.NEEDS_APPROVAL:
            approved = f"{_colleagues(assessed.approvals_required)} approved it"
            return f"This is editorial: it takes effect once {approved}, and sends nothing."
        case EditFate.WAITS:
            waits = "what you save here waits until that notice is in effect or withdrawn, and sends nothing"
            return f"Notice {number} changes this entry, and its content is fixed: {waits}."
        case EditFate.DRAFTED if number:
            return f"{_holds(number)} Saving revises it, and voids approvals it has."
        case EditFate.DRAFTED:
            return "An edit of this entry waits for a notice, and what you save here waits with it."
    return "This is editorial: it takes effect as soon as you save it, and sends nothing."


def tell_translated(fate: EditFate, change: EntryChange | None, notice: StandsIn | None, required: int) -> str:
    """Say what became of translations that were saved."""
    if fate is EditFate.DRAFTED and notice is None:
        return "Saved. It waits with the edit of this entry that waits for a notice."
    return tell_fate(fate, change, notice, required)


def tell_obsolete(before: Given, after: Given) -> tuple[str, ...]:
    """Say which translations an edit takes away, text by text: those of texts that it changes or takes out."""
    lost: dict[str, list[str]] = {}
    for language, said in before.items():
        for text in said.keys() - after.get(language, {}).keys():
            lost.setdefault(text, []).append(language)
    told = [_tell_lost(text, languages) for text, languages in sorted(lost.items())]
    more = len(told) - MOST_TOLD
    return (*told[:MOST_TOLD], f"So do those of {more} more texts.") if more > 1 else tuple(told)


def shorten(text: str) -> str:
    """Return a text as it is named in a sentence: on one line, and of a long one its beginning."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_OF_A_TEXT else f"{line[:SHOWN_OF_A_TEXT]}…"


def _tell_lost(text: str, languages: list[str]) -> str:
    named = _listed([language_name(language) for language in languages])
    goes = (
        "translation of “{}” goes with its text" if len(languages) == 1 else "translations of “{}” go with their text"
    )
    return f"The {named} {goes.format(shorten(text))}."


def name_duplicates(duplicates: tuple[Duplicate, ...]) -> tuple[tuple[str, str, str], ...]:
    """Return key, name and in what they are alike, of the entries that one looks like."""
    return tuple(
        (
            each.key,
            each.name,
            "; ".join(LIKENESSES[likeness].format(shared=" and ".join(each.shared)) for likeness in each.likenesses),
        )
        for each in duplicates
    )


def tell_date(on: date | None) -> str:
    """Say on which date a notice takes effect."""
    return f"on {short_date(on)}" if on else "on a date that is still open"


def _title(assessed: Assessment, *, is_new: bool) -> tuple[str, str]:
    change = assessed.change
    if change is None:
        return ("Nothing is stated yet." if is_new else "Nothing changes."), "calm"
    if assessed.fate is EditFate.UNCHANGED:
        return f"Nothing new: {name_kinds(change)} waits already.", "calm"
    if change.weight is Weight.BINDING:
        return f"This is {name_kinds(change)}: it binds customers.", "busy"
    if change.weight is Weight.INFORMING:
        return f"This is {name_kinds(change)}: customers are told, and nobody's clock runs.", "busy"
    return "This is editorial: it sends nothing.", "good"


def _consequences(assessed: Assessment) -> list[str]:
    match assessed.fate:
        case EditFate.DROPPED:
            return ["Saved, this is what stands already: the edit that waits is dropped."]
        case EditFate.IN_EFFECT:
            return ["It is on the list as soon as you save it, and stands in the history."]
        case EditFate.NEEDS_APPROVAL:
            return [f"It is on the list once {_colleagues(assessed.approvals_required)} approved it."]
    if assessed.earliest is not None:
        return [tell_earliest(assessed.earliest)]
    if assessed.fate is EditFate.DRAFTED:
        return ["Saved, it waits for a notice, and may take effect on the day that is announced."]
    return []


def _beside_a_notice(assessed: Assessment) -> list[str]:
    notice = assessed.notice
    if notice is None:
        return []
    if notice.is_draft:
        revises = _holds(notice.number)
        return [f"{revises} Saving revises it, and voids approvals it has."] if _alters(assessed) else [revises]
    announced = f"Notice {notice.number} changes this entry {tell_date(notice.effective_on)}, and its content is fixed."
    if assessed.fate is EditFate.WAITS:
        return [
            f"{announced} What you typed here is not editorial or touches what was announced, so it waits until that "
            f"notice is in effect or withdrawn. To mend the announcement itself, correct the notice."
        ]
    if assessed.change is not None and _alters(assessed):
        return [f"{announced} Your change is beside it, and reaches the list and what was announced alike."]
    return [announced]


def _holds(number: str) -> str:
    return f"Notice {number} is not published yet and holds this entry."


def _alters(assessed: Assessment) -> bool:
    return assessed.fate is not EditFate.UNCHANGED


def _fields(change: EntryChange) -> tuple[tuple[str, str], ...]:
    return tuple((field_name(each.field), WEIGHTS[each.weight]) for each in change.fields)


def _is_whole(change: EntryChange) -> bool:
    return change.kinds in {(ChangeKind.ADDITION,), (ChangeKind.REMOVAL,)}


def _listed(named: list[str]) -> str:
    return " and ".join([", ".join(named[:-1]), named[-1]] if len(named) > 1 else named)


def _colleagues(required: int) -> str:
    return "a colleague has" if required == 1 else f"{required} colleagues have"
