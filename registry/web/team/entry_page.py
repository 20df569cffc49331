"""The page of an entry's form: what its fields offer, what was left unsaved, and what the edit would mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from flask import request
from sqlalchemy.orm import Session

from registry.domain.changes import TRANSLATIONS
from registry.domain.duplicates import find_duplicates, propose_key
from registry.domain.entries import EntryInternals
from registry.domain.errors import InvalidInput
from registry.domain.free_texts import Given, find_texts
from registry.domain.vocabulary import Role
from registry.pages.wording import field_name
from registry.queries.entries import count_uses, list_products
from registry.queries.entry import load_documents
from registry.steps.assess_edit import assess_edit
from registry.steps.entry_drafts import find_draft, list_new_drafts
from registry.steps.save_entry import Base, Present, list_taken_keys
from registry.tables import EntryDraft, EntryVersion, Publisher
from registry.web.team.access import Desk
from registry.web.team.entry_conflict import PRIVATE_LABELS
from registry.web.team.entry_fields import (
    CONDITION_CHOICES,
    FUNCTION_CHOICES,
    NOT_STATED_GROUND,
    REGIME_CHOICES,
    ROLE_CHOICES,
    country_choices,
    mechanism_choices,
    reach_choices,
)
from registry.web.team.entry_form import EntryForm, form_of, place_problems, restore_form
from registry.web.team.entry_sitting import Sitting
from registry.web.team.entry_words import Meaning, explain_assessment, name_duplicates, tell_obsolete
from registry.web.team.frame import show

MOST_SUGGESTIONS: Final = 200
"""Words that were used before and are offered again, for each field."""
SUGGESTED: Final = ("purposes", "data_categories", "data_subjects", "special_categories")


@dataclass(frozen=True)
class Left:
    """Something a person left unsaved: the word it is kept by (for a new entry), what it is about, and since when."""

    word: str
    name: str
    saved_at: datetime


def open_form(desk: Desk, session: Session, publisher: Publisher, present: Present | None, sitting: Sitting) -> Any:
    """Show the form anew, or with what was left unsaved where the address asks for that; else offer to take it up."""
    if present is None:
        drafts = list_new_drafts(session, publisher, desk.person_id)
        taken = next((draft for draft in drafts if draft.subject == sitting.subject), None)
    else:
        draft = find_draft(session, publisher, desk.person_id, sitting.subject)
        drafts = [draft] if draft else []
        taken = draft if request.args.get("take") else None
    if taken is not None:
        sitting = replace(sitting, base=_base_of(taken) if present is not None else None)
        form = restore_form(taken.fields)
        return show_form(desk, session, publisher, present, sitting, form, taken_up=_left(taken))
    form = form_of(shown_document(present), present.internals if present else EntryInternals())
    return show_form(desk, session, publisher, present, sitting, form, left=[_left(each) for each in drafts])


def kept_translations(present: Present | None, opened_on: EntryVersion | None = None) -> Given:
    """Return the translations that an edit keeps as far as they fit: the form has no field for them.

    They are those of what is wanted now. A text that is not in it, but on the list or in what the form was opened on,
    has those that it has there: whoever goes back to an older text has it with its translations.
    """
    now = shown_document(present) or {}
    texts, kept = find_texts(now), {language: dict(said) for language, said in now.get(TRANSLATIONS, {}).items()}
    for version in (opened_on, present.versions.current if present else None):
        document = (version.document if version else None) or {}
        for language, said in document.get(TRANSLATIONS, {}).items():
            older = {text: words for text, words in said.items() if text not in texts}
            kept[language] = {**older, **kept.get(language, {})}
    return kept


def shown_document(present: Present | None) -> Mapping[str, Any] | None:
    """Return what the form shows: what is wanted, or of an entry that is to leave what still stands on the list."""
    if present is None or present.document is not None:
        return present.document if present else None
    shown = present.versions.current or present.last
    return shown.document if shown else None


def _base_of(draft: EntryDraft) -> Base:
    return Base(draft.base_version_id, str(draft.fields.get("base_internals") or ""))


def _left(draft: EntryDraft) -> Left:
    return Left(
        draft.subject.partition(":")[2], str(draft.fields.get("name") or "an entry without a name"), draft.saved_at
    )


def show_form(
    desk: Desk,
    session: Session,
    publisher: Publisher,
    present: Present | None,
    sitting: Sitting,
    form: EntryForm,
    errors: dict[str, str] | None = None,
    *,
    left: list[Left] | None = None,
    taken_up: Left | None = None,
) -> Any:
    """Show the form with what was typed, what is wrong with it, and what it would mean."""
    documents = load_documents(session, publisher)
    products = list_products(session, publisher)
    gone = [(key, f"{key} (no product any more)") for key in form.products if key not in products]
    own_key = present.entry.key if present else None
    return show(
        "team/entries/form.html",
        status=400 if errors else 200,
        errors=errors or {},
        labels={field: _label(field) for field in errors or {}},
        values=form.values,
        key=own_key,
        name=form.words.get("name") or own_key,
        counts={group: form.count_rows(group) for group in ("locations", "transfers")},
        sitting=sitting,
        left=left or [],
        taken_up=taken_up,
        # While something older is offered, nothing is kept in its place.
        keeps_itself=not left or present is None,
        products=[*products.items(), *gone],
        parents=[(key, f"{document['name']} ({key})") for key, document in documents.items() if key != own_key],
        uses={name: count_uses(documents.values(), name)[:MOST_SUGGESTIONS] for name in SUGGESTED},
        roles=ROLE_CHOICES,
        functions=FUNCTION_CHOICES,
        conditions=CONDITION_CHOICES,
        regimes=REGIME_CHOICES,
        countries=country_choices(),
        reaches=reach_choices(),
        mechanisms=mechanism_choices(),
        not_stated_ground=NOT_STATED_GROUND,
        zone=publisher.facts["time_zone"],
        **explain_typed(desk, session, publisher, present, form, documents),
    )


def explain_typed(
    desk: Desk,
    session: Session,
    publisher: Publisher,
    present: Present | None,
    form: EntryForm,
    documents: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """Return what the piece "What this means" shows of a form as it is typed, whether it is complete or not."""
    typed, kept = form.as_data(), kept_translations(present)
    own_key = present.entry.key if present else None
    alike = find_duplicates(typed, {key: other for key, other in documents.items() if key != own_key})
    proposed = ""
    if present is None:
        taken = list_taken_keys(session, publisher)
        proposed = "" if form.key and form.key not in taken else propose_key(typed, taken)
    try:
        content, _ = form.read(kept)
    except InvalidInput as error:
        problems = [(_label(field), sentence) for field, sentence in place_problems(error).items()]
        if not typed.get("name"):
            return _piece(Meaning("Give it a name first.", "calm", ()), alike, proposed)
        return _piece(Meaning("Not complete yet.", "calm", ()), alike, proposed, problems)
    key = own_key or form.key or proposed
    meaning = explain_assessment(
        assess_edit(session, desk.now, publisher, key, present, content), is_new=present is None
    )
    if content.role is Role.CATEGORY:
        warning = "A category names nobody, which is not enough under Clause 9 of the SCCs."
        meaning = replace(meaning, sentences=(*meaning.sentences, warning))
    piece = _piece(meaning, alike, proposed)
    lost = tell_obsolete((shown_document(present) or {}).get(TRANSLATIONS, {}), content.translations)
    return piece | {"obsolete": lost, "translations_of": own_key}


def _piece(
    meaning: Meaning, alike: Any, proposed: str, problems: list[tuple[str, str]] | None = None
) -> dict[str, Any]:
    return {
        "meaning": replace(meaning, duplicates=name_duplicates(alike)),
        "proposed_key": proposed,
        "problems": problems or [],
        "obsolete": (),
        "translations_of": None,
    }


def _label(field: str) -> str:
    head, _, rest = field.partition(".")
    if field in {"key", "form"}:
        return "Key" if field == "key" else "The entry"
    if head == "internals":
        return PRIVATE_LABELS.get(rest, rest)
    if head in {"locations", "transfers"}:
        number, _, part = rest.partition(".")
        row = f"{'Place' if head == 'locations' else 'Transfer'} {int(number) + 1}" if number.isdigit() else head
        return f"{row}, {part.replace('.', ' ').replace('_', ' ')}" if part else row
    return field_name(field)
