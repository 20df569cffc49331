"""The list, and each entry as it stands with what waits: looking, removing, dropping an edit, approving one."""

from __future__ import annotations

import re
from typing import Any

from flask import abort, request
from sqlalchemy.orm import Session
from werkzeug.utils import redirect

from registry.domain.changes import EntryChange
from registry.domain.entries import EntryContent, EntryInternals
from registry.domain.errors import RegistryError
from registry.domain.people import TeamRole
from registry.domain.transfers import load_mechanisms
from registry.domain.translations import texts_of
from registry.domain.vocabulary import Role
from registry.language import language_name
from registry.pages.entry_facts import Names, all_facts, grounds_of, links_of
from registry.pages.notice_facts import ChangeShown, show_change
from registry.pages.values import Addresses
from registry.queries.entries import SORTS, STATES, ListWish, list_entries, list_open_notices, list_products
from registry.queries.entry import find_entry_page
from registry.steps.assess_edit import assess_edit
from registry.steps.editorial import EditFate, approve_edit, find_open_change
from registry.steps.lookup import read_content
from registry.steps.record_edit import record_edit
from registry.steps.save_entry import Present, load_present, refuse_other_version
from registry.tables import EntryVersion, Publisher
from registry.web.team.access import Desk, screen
from registry.web.team.entry_fields import ROLE_CHOICES, country_choices, mechanism_choices, reach_choices
from registry.web.team.entry_words import explain_assessment, tell_fate
from registry.web.team.frame import PAGE_SIZE, cut_page, errors_of, go, page_number, show, status_of, to, today_at

LONGEST_KEY = 80
NOWHERE = Addresses("")
"""The public addresses of changes that are shown here: none, for they lead within the workbench."""


@screen("/entries/", TeamRole.VIEWER)
def entries(desk: Desk) -> Any:
    """Show the list, searched, narrowed and sorted as the address asks."""
    with desk.reading() as (session, publisher):
        notices = list_open_notices(session, publisher)
        products = list_products(session, publisher)
        wish = _read_wish(products, [f"in_notice:{number}" for number in notices])
        number = page_number()
        rows = list_entries(session, publisher, wish, offset=(number - 1) * PAGE_SIZE, limit=PAGE_SIZE + 1)
        zone = publisher.facts["time_zone"]
    states = [*STATES.items(), *((f"in_notice:{each}", f"In notice {each}") for each in notices)]
    return show(
        "team/entries/list.html",
        page=cut_page(rows, number),
        wish=wish,
        values=vars(wish),
        products=products,
        roles=ROLE_CHOICES,
        places=[*reach_choices(), *country_choices()],
        mechanisms=mechanism_choices(),
        states=states,
        sorts=list(SORTS.items()),
        zone=zone,
        today=today_at(zone),
    )


def _read_wish(products: dict[str, str], notice_states: list[str]) -> ListWish:
    """Return what the address asks for. A value that is none of the choices asks for nothing."""

    def one_of(name: str, known: Any) -> str:
        given = request.args.get(name, "")
        return given if given in known else ""

    return ListWish(
        q=request.args.get("q", "")[:200],
        role=one_of("role", set(Role)),
        product=one_of("product", products),
        country=one_of("country", dict([*reach_choices(), *country_choices()])),
        mechanism=one_of("mechanism", load_mechanisms()),
        state=one_of("state", {*STATES, *notice_states}),
        sort=one_of("sort", SORTS) or "list",
    )


@screen("/entries/<key>", TeamRole.VIEWER)
def entry(desk: Desk, key: str) -> Any:
    """Show an entry as it stands, what waits, and its private facts. A key it had before leads to the one it has."""
    with desk.reading() as (session, publisher):
        return _show_entry(desk, session, publisher, key)


def _show_entry(
    desk: Desk, session: Session, publisher: Publisher, key: str, error: RegistryError | None = None
) -> Any:
    found = find_entry_page(session, publisher, check_key(key))
    if found is None:
        abort(404)
    if found.key != key:
        return redirect(to("entry", key=found.key))
    names = Names(list_products(session, publisher), {found.document.get("parent") or "": found.parent_name or ""})
    content = EntryContent.model_validate(found.document)
    return show(
        "team/entries/entry.html",
        status=status_of(error) if error else 200,
        errors=errors_of(error) if error else {},
        found=found,
        content=content,
        facts=all_facts(content, names),
        grounds=grounds_of(content),
        links=links_of(content),
        announced=_shown(found.announced, names),
        waiting=_shown(found.waiting, names),
        is_own_edit=desk.actor.name in found.authors,
        has_private=found.internals != EntryInternals(),
        zone=publisher.facts["time_zone"],
        today=today_at(publisher.facts["time_zone"]),
        parent=found.parent_name,
        translated=[(code, language_name(code), len(said)) for code, said in content.translations.items()],
        texts=len(texts_of(content)),
    )


def _shown(change: EntryChange | None, names: Names) -> ChangeShown | None:
    return show_change(change, NOWHERE, names) if change else None


def check_key(key: str) -> str:
    """Return a key from an address, or answer 404 for what can be none, before anything is asked of the database."""
    if not re.fullmatch(r"[a-z0-9-]+", key) or len(key) > LONGEST_KEY:
        abort(404)
    return key


def get_present(session: Session, publisher: Publisher, key: str) -> Present:
    """Return the entry that has or had this key as it is wanted now, or answer 404."""
    present = load_present(session, publisher, check_key(key))
    if present is None:
        abort(404)
    return present


@screen("/entries/<key>/remove", TeamRole.EDITOR, post=True)
def remove_entry(desk: Desk, key: str) -> Any:
    """Take an entry off the list by an edit that waits for a notice; first say what that means."""
    if request.method == "GET":
        return _ask(desk, key, "remove")
    try:
        with desk.writing() as (session, publisher):
            present = _get_unchanged(session, publisher, key)
            assessed = assess_edit(session, desk.now, publisher, present.entry.key, present, None)
            edit = record_edit(session, desk.now, publisher, present.entry.key, None, desk.actor)
    except RegistryError as error:
        return _show_refusal(desk, key, error)
    if edit.fate is EditFate.DRAFTED and assessed.notice is None:
        said = "Saved. The removal waits for a notice, and may take effect on the day that is announced."
    else:
        said = tell_fate(edit.fate, edit.change, assessed.notice, assessed.approvals_required)
    return go("entry", said=said, key=edit.key)


@screen("/entries/<key>/drop", TeamRole.EDITOR, post=True)
def drop_edit(desk: Desk, key: str) -> Any:
    """Drop the edit that waits, so that what stands on the list, or was announced, is what is wanted again."""
    if request.method == "GET":
        return _ask(desk, key, "drop")
    try:
        with desk.writing() as (session, publisher):
            present = _get_unchanged(session, publisher, key)
            back_to = read_content(_without_edit(session, present))
            edit = record_edit(session, desk.now, publisher, present.entry.key, back_to, desk.actor)
    except RegistryError as error:
        return _show_refusal(desk, key, error)
    said = "No edit waits any more." if edit.fate is EditFate.DROPPED else "No edit waited."
    return go("entry", said=said, key=edit.key)


def _get_unchanged(session: Session, publisher: Publisher, key: str) -> Present:
    """Return the entry, if it is still what it was when the page was made that somebody now acts from."""
    present = get_present(session, publisher, key)
    base = request.form.get("base", "")
    version_id = int(base) if re.fullmatch(r"\d{1,18}", base, re.ASCII) else None
    refuse_other_version(session, publisher, present, version_id)
    return present


def _show_refusal(desk: Desk, key: str, error: RegistryError) -> Any:
    with desk.reading() as (session, publisher):
        return _show_entry(desk, session, publisher, key, error)


def _without_edit(session: Session, present: Present) -> EntryVersion | None:
    """Return the version that stands if the edit is dropped: the announced target, or what the list says (R4)."""
    row, pending = find_open_change(session, present.entry), present.versions.pending
    if row is not None and pending is not None and pending.id != row.target_version_id:
        return session.get_one(EntryVersion, row.target_version_id)
    return present.versions.current


def _ask(desk: Desk, key: str, act: str) -> Any:
    """Show what an act means before it is done."""
    with desk.reading() as (session, publisher):
        present = get_present(session, publisher, key)
        content = read_content(_without_edit(session, present)) if act == "drop" else None
        assessed = assess_edit(session, desk.now, publisher, present.entry.key, present, content)
    if assessed.fate is EditFate.UNCHANGED:
        return go("entry", said="Nothing of that kind is to be done here any more.", key=present.entry.key)
    name = next(
        (
            version.document["name"]
            for version in (present.versions.current, present.versions.pending)
            if version is not None and version.document
        ),
        present.entry.key,
    )
    return show(
        f"team/entries/{act}.html",
        key=present.entry.key,
        name=name,
        base=present.base.version_id,
        assessed=assessed,
        meaning=explain_assessment(assessed),
        is_listed=present.versions.current is not None,
    )


@screen("/entries/<key>/approve", TeamRole.APPROVER, get=False)
def approve_entry_edit(desk: Desk, key: str) -> Any:
    """Approve the editorial edit of a colleague; with enough approvals it is on the list (R3, R16)."""
    try:
        with desk.writing() as (session, publisher):
            present = _get_unchanged(session, publisher, key)
            edit = approve_edit(session, desk.now, publisher, present.entry.key, desk.actor)
    except RegistryError as error:
        return _show_refusal(desk, key, error)
    told = {
        EditFate.IN_EFFECT: "Approved, and on the list.",
        EditFate.NEEDS_APPROVAL: "Approved. It needs another approval before it is on the list.",
    }
    return go("entry", said=told.get(edit.fate, "No editorial edit waits for approval."), key=edit.key)
