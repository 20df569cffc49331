"""The editor of an entry: what is typed is shown, weighed, kept or saved. Nothing is on the list before it is saved.

open ─▶ type ─▶ (rows, check, what this means, kept while typing) ─▶ save ─┬▶ its fate in a sentence
                                                                          ├▶ what is wrong, beside its field
                                                                          └▶ a colleague was quicker: both shown
"""

from __future__ import annotations

from typing import Any

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.utils import redirect

from registry.domain.changes import TRANSLATIONS
from registry.domain.duplicates import propose_key
from registry.domain.entries import EntryContent, EntryInternals
from registry.domain.errors import InvalidInput
from registry.domain.people import TeamRole
from registry.domain.translations import with_translations
from registry.domain.vocabulary import Weight
from registry.pages.entry_facts import Names
from registry.queries.entries import list_products
from registry.queries.entry import load_documents
from registry.steps.assess_edit import assess_edit
from registry.steps.editorial import EditFate
from registry.steps.entry_drafts import NEW, discard_draft, keep_draft
from registry.steps.save_entry import EntryChangedMeanwhile, Present, list_taken_keys, save_entry
from registry.tables import EntryVersion, Publisher
from registry.web.team.access import Desk, screen
from registry.web.team.entries import get_present
from registry.web.team.entry_conflict import MINE, list_differing, merge_forms, read_choices
from registry.web.team.entry_form import EntryForm, place_problems, read_form
from registry.web.team.entry_page import explain_typed, kept_translations, open_form, show_form, shown_document
from registry.web.team.entry_sitting import Sitting, sit_down
from registry.web.team.entry_words import tell_earliest, tell_fate, tell_obsolete
from registry.web.team.frame import go, private, show, show_moment, to

ROW_ACTS = ("add.", "remove.", "up.", "down.")


@screen("/entries/new", TeamRole.EDITOR, post=True)
def new_entry(desk: Desk) -> Any:
    """Add an entry: the form, and what comes of it."""
    return _edit(desk, None)


@screen("/entries/<key>/edit", TeamRole.EDITOR, post=True)
def edit_entry(desk: Desk, key: str) -> Any:
    """Edit an entry: the form, and what comes of it."""
    with desk.reading() as (session, publisher):
        present = get_present(session, publisher, key)
    if present.entry.key != key and request.method == "GET":
        return redirect(to("edit_entry", key=present.entry.key))
    return _edit(desk, present)


def _edit(desk: Desk, present: Present | None) -> Any:
    sitting = sit_down(present)
    if request.method == "GET":
        with desk.reading() as (session, publisher):
            return open_form(desk, session, publisher, present, sitting)
    act = request.form.get("act", "save")
    if act.startswith(ROW_ACTS):
        form = read_form(request.form, keeps_empty_rows=True).act_on_rows(act)
        return _show_again(desk, present, sitting, form)
    form = read_form(request.form)
    if act == "keep":
        _keep(desk, sitting, form)
        return _leave(sitting, "What you typed is kept for you. Open the form again to take it up.")
    if act == "theirs":
        with desk.writing() as (session, publisher):
            discard_draft(session, publisher, desk.person_id, sitting.subject)
        return _leave(sitting, "Nothing of yours was saved: the entry is as your colleague left it.")
    try:
        content, internals = form.read()
    except InvalidInput as error:
        return _show_again(desk, present, sitting, form, place_problems(error))
    if act == "check":
        return _show_again(desk, present, sitting, form)
    if act == "resolve" and present is not None:
        return _resolve(desk, present, sitting, form, content, internals)
    return _save(desk, present, sitting, form, content, internals)


def _show_again(
    desk: Desk, present: Present | None, sitting: Sitting, form: EntryForm, errors: dict[str, str] | None = None
) -> Any:
    with desk.reading() as (session, publisher):
        return show_form(desk, session, publisher, present, sitting, form, errors)


def _keep(desk: Desk, sitting: Sitting, form: EntryForm) -> None:
    with desk.writing() as (session, publisher):
        opened_on = _find_version(session, publisher, sitting)
        version_id = opened_on.id if opened_on else None
        fields = form.values | {"base_internals": sitting.base.internals_digest if sitting.base else ""}
        keep_draft(session, desk.now, publisher, desk.person_id, sitting.subject, fields, version_id)


def _leave(sitting: Sitting, said: str) -> Any:
    return go("entry", said=said, key=sitting.key) if sitting.key else go("entries", said=said)


def _find_version(session: Session, publisher: Publisher, sitting: Sitting) -> EntryVersion | None:
    """Return the version that the form was opened on, if it is one of this publisher's."""
    if sitting.opened_on is None:
        return None
    mine = EntryVersion.publisher_id == publisher.id
    return session.scalar(select(EntryVersion).where(mine, EntryVersion.id == sitting.opened_on))


def _save(
    desk: Desk,
    present: Present | None,
    sitting: Sitting,
    form: EntryForm,
    content: EntryContent,
    internals: EntryInternals,
) -> Any:
    try:
        with desk.writing() as (session, publisher):
            key = sitting.key or form.key or propose_key(content.as_document(), list_taken_keys(session, publisher))
            now_present = get_present(session, publisher, key) if present is not None else None
            kept = kept_translations(now_present, _find_version(session, publisher, sitting))
            content = with_translations(content, kept)
            assessed = assess_edit(session, desk.now, publisher, key, now_present, content)
            saved = save_entry(
                session,
                desk.now,
                publisher,
                key,
                content,
                internals,
                desk.actor,
                base=sitting.base,
                draft_of=(desk.person_id, sitting.subject),
            )
    except InvalidInput as error:
        return _show_again(desk, present, sitting, form, place_problems(error))
    except EntryChangedMeanwhile as error:
        _keep(desk, sitting, form)
        return _show_both(desk, sitting, form, content, internals, error)
    edit = saved.edit
    said = tell_fate(edit.fate, edit.change, assessed.notice, assessed.approvals_required)
    if edit.fate is EditFate.UNCHANGED and saved.internals_changed:
        said = "Saved. Only private facts differ: nobody outside the team learns of them."
    binds = edit.fate is EditFate.DRAFTED and edit.change is not None and edit.change.weight is Weight.BINDING
    if binds and assessed.earliest is not None:
        said = f"{said} {tell_earliest(assessed.earliest)}"
    lost = tell_obsolete((shown_document(now_present) or {}).get(TRANSLATIONS, {}), content.translations)
    return go("entry", said=" ".join([said, *lost]), key=edit.key)


def _resolve(
    desk: Desk,
    present: Present,
    sitting: Sitting,
    form: EntryForm,
    content: EntryContent,
    internals: EntryInternals,
) -> Any:
    """Save what was chosen of two people's edits, if a side was chosen for each field."""
    if sitting.base != present.base:
        # A third hand was quicker still: what was chosen was chosen against something else.
        return _save(desk, present, sitting, form, content, internals)
    with desk.reading() as (session, publisher):
        differing = _list_differing(session, publisher, present, sitting, content, internals)
    choices, missing = read_choices(request.form, differing)
    if missing:
        return _show_both(desk, sitting, form, content, internals, None, choices)
    merged = merge_forms(form, present, choices)
    try:
        content, internals = merged.read()
    except InvalidInput as error:
        return _show_again(desk, present, sitting, merged, place_problems(error))
    return _save(desk, present, sitting, merged, content, internals)


def _list_differing(
    session: Session,
    publisher: Publisher,
    present: Present,
    sitting: Sitting,
    content: EntryContent,
    internals: EntryInternals,
) -> Any:
    parents = {each: document["name"] for each, document in load_documents(session, publisher).items()}
    names = Names(list_products(session, publisher), parents)
    base = sitting.base or present.base
    opened_on = _find_version(session, publisher, sitting)
    return list_differing(present, content, internals, opened_on, base, names)


def _show_both(
    desk: Desk,
    sitting: Sitting,
    form: EntryForm,
    content: EntryContent,
    internals: EntryInternals,
    error: EntryChangedMeanwhile | None,
    choices: dict[str, str] | None = None,
) -> Any:
    """Show the second of two people what the first saved beside what they typed, to choose field by field."""
    with desk.reading() as (session, publisher):
        present = get_present(session, publisher, sitting.key or "")
        differing = _list_differing(session, publisher, present, sitting, content, internals)
        zone = publisher.facts["time_zone"]
    chosen = choices if choices is not None else {each.field: each.suggested or "" for each in differing}
    missing = [each for each in differing if choices is not None and choices.get(each.field) not in {"theirs", MINE}]
    said = "Choose one of the two, or take all of one side below."
    return show(
        "team/entries/conflict.html",
        status=400 if missing else 409,
        key=present.entry.key,
        name=content.name,
        differing=differing,
        chosen=chosen,
        errors={f"choice.{each.field}": f"{each.label}: {said}" for each in missing},
        is_removal=present.document is None,
        carried=form.values,
        base=present.base,
        opened_on=sitting.opened_on,
        author=error.params["author"] if error else None,
        saved_at=show_moment(error.params["saved_at"], zone) if error else None,  # type: ignore[arg-type]  # params are objects
    )


@screen("/entries/<key>/assess", TeamRole.EDITOR, get=False)
def assess_entry(desk: Desk, key: str) -> Any:
    """Say what an edit would mean while it is typed: a piece of the form's page. `new` stands for a new entry."""
    with desk.reading() as (session, publisher):
        present = get_present(session, publisher, key) if key != NEW else None
        documents = load_documents(session, publisher)
        meaning = explain_typed(desk, session, publisher, present, read_form(request.form), documents)
    return show("team/entries/meaning.html", **meaning)


@screen("/entries/<key>/draft", TeamRole.EDITOR, get=False)
def keep_entry_draft(desk: Desk, key: str) -> Any:
    """Keep what is typed for this person alone, or forget it (`act=discard`). `new` stands for a new entry."""
    with desk.reading() as (session, publisher):
        present = get_present(session, publisher, key) if key != NEW else None
        zone = publisher.facts["time_zone"]
    sitting = sit_down(present)
    if request.form.get("act") == "discard":
        with desk.writing() as (session, publisher):
            discard_draft(session, publisher, desk.person_id, sitting.subject)
        said = "What you had left unsaved is gone."
        return go("edit_entry", said=said, key=sitting.key) if sitting.key else go("new_entry", said=said)
    form = read_form(request.form, keeps_empty_rows=True)
    if form.is_blank:
        return private("", 200)
    _keep(desk, sitting, form)
    return private(str(show_moment(desk.now, zone)))
