"""An entry's texts beside what they say in another language, one language at a time; saved as any other edit of it.

open ─▶ type ─▶ save ─┬▶ its fate in a sentence
                      ├▶ what is wrong, beside its text
                      └▶ a colleague was quicker: both shown
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from flask import request
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.utils import redirect

from registry.domain.changes import TRANSLATIONS
from registry.domain.entries import EntryContent
from registry.domain.errors import InvalidInput, Problem, RegistryError
from registry.domain.free_texts import FREE_TEXTS, find_texts, keep_apart
from registry.domain.people import TeamRole
from registry.domain.translations import LANGUAGES, translate
from registry.i18n import explain, say_problem
from registry.language import ENGLISH, find_language, language_name
from registry.pages.wording import field_name
from registry.steps.assess_edit import assess_edit
from registry.steps.lookup import read_content
from registry.steps.save_entry import EntryChangedMeanwhile, Present, refuse_other_version, save_entry
from registry.tables import EntryVersion, Publisher
from registry.web.team.access import Desk, screen
from registry.web.team.entries import get_present
from registry.web.team.entry_page import shown_document
from registry.web.team.entry_sitting import posted_version
from registry.web.team.entry_words import explain_translating, shorten, tell_translated
from registry.web.team.frame import go, show, show_moment, status_of, to

SHORT: Final = 90
"""Characters of a text that is translated in a field of one line."""
TEXT, GONE = "text.", "gone."
"""Before the name of a field: of what translates a text; of a text that the entry has no more."""
FIELDS_IN_ORDER: Final = tuple(dict.fromkeys(path.partition(".")[0] for path in FREE_TEXTS))


@dataclass(frozen=True)
class Row:
    """One text of the entry. `words` are shown as its translation, `stored` those that are saved.

    `lines` are those of its field, 1 where it takes no more. `theirs` is what a colleague saved where something else is
    typed, empty where they took it away; None is no such case. `is_hidden`: readers are shown the original, for another
    text of the same field would read the same.
    """

    id: str
    text: str
    words: str
    stored: str
    lines: int
    theirs: str | None
    is_hidden: bool

    @property
    def label(self) -> str:
        """The text as it is named in a sentence."""
        return shorten(self.text)


@screen("/entries/<key>/translations", TeamRole.VIEWER)
def entry_translations(desk: Desk, key: str) -> Any:
    """Show the texts of an entry beside what they say in a language. A key it had before leads to the one it has."""
    with desk.reading() as (session, publisher):
        present = get_present(session, publisher, key)
        if present.entry.key != key:
            return redirect(to("entry_translations", key=present.entry.key))
        return _show(desk, session, publisher, present, request.args.get("language", ""))


@screen("/entries/<key>/translations", TeamRole.EDITOR, get=False)
def save_translations(desk: Desk, key: str) -> Any:
    """Save what was typed for one language as an edit of the entry: what was emptied is taken away."""
    language = request.form.get("language", "")
    try:
        with desk.writing() as (session, publisher):
            present = get_present(session, publisher, key)
            # What is typed for a text that a colleague changed meanwhile fits nothing, and must not be dropped unseen.
            refuse_other_version(session, publisher, present, posted_version("base"))
            wanted = read_content(present.versions.wanted)
            if wanted is None:
                return _show(desk, session, publisher, present, language, status=409)
            if language not in LANGUAGES:
                raise InvalidInput(
                    [Problem("language", language, "unknown-choice", {"expected": ", ".join(LANGUAGES)})]
                )
            typed = request.form
            said = {text: typed[_id(text)] for text in find_texts(dict(wanted)) if _id(text) in typed}
            if language == _own_language(publisher) and any(words.strip() for words in said.values()):
                # Readers of the publisher's language would be shown it for what binds.
                raise InvalidInput([Problem("language", language, "own-language")])
            content = translate(wanted, language, said)
            assessed = assess_edit(session, desk.now, publisher, present.entry.key, present, content)
            edit = save_entry(
                session,
                desk.now,
                publisher,
                present.entry.key,
                content,
                present.internals,
                desk.actor,
                base=present.base,
            ).edit
    except RegistryError as error:
        with desk.reading() as (session, publisher):
            present = get_present(session, publisher, key)
            return _show(desk, session, publisher, present, language, error, status_of(error))
    told = tell_translated(edit.fate, edit.change, assessed.notice, assessed.approvals_required)
    return go("entry_translations", said=told, key=edit.key, language=language)


def _show(
    desk: Desk,
    session: Session,
    publisher: Publisher,
    present: Present,
    asked: str,
    error: RegistryError | None = None,
    status: int = 200,
) -> Any:
    """Show the screen in the language asked for, with what was typed where that could not be saved."""
    wanted = read_content(present.versions.wanted)
    content = wanted or EntryContent.model_validate(shown_document(present))
    tag = publisher.facts.get("language", ENGLISH)
    own = _own_language(publisher)
    # What was translated before the publisher took up that language can only be taken away.
    languages = [
        code
        for code in LANGUAGES
        if code != own or code in content.translations or (error is not None and code == asked)
    ]
    language = asked if asked in languages else languages[0]
    quicker = error if isinstance(error, EntryChangedMeanwhile) else None
    then = _opened_on(session, publisher) if quicker else None
    before = (then.translations.get(language, {}) if then else {}) if quicker else None
    groups = list(_group(content, language, before))
    labels = {row.id: f"{label}, “{row.label}”" for label, rows in groups for row in rows}
    can_edit = desk.may("editor") and wanted is not None
    total = len(labels)
    return show(
        "team/entries/translations.html",
        status=status,
        key=present.entry.key,
        name=content.name,
        tabs=[(code, language_name(code), len(content.translations.get(code, {}))) for code in languages],
        into=language,
        own=tag,
        total=total,
        groups=groups,
        gone=_list_gone(content, then, before or {}),
        is_off=wanted is None,
        can_edit=can_edit,
        meaning=_foretell(desk, session, publisher, present, content, language) if can_edit and total else "",
        base=present.base.version_id,
        errors={} if error is None or quicker else _place(error, labels),
        labels=labels,
        author=quicker.params["author"] if quicker else None,
        saved_at=show_moment(quicker.params["saved_at"], publisher.facts["time_zone"]) if quicker else None,  # type: ignore[arg-type]  # params are objects
    )


def _own_language(publisher: Publisher) -> str | None:
    """Return the language of LANGUAGES that the publisher's texts are in, if they are in one."""
    return find_language(publisher.facts.get("language", ENGLISH))


def _opened_on(session: Session, publisher: Publisher) -> EntryContent | None:
    """Return what the entry was wanted to say when the form was opened."""
    mine = EntryVersion.publisher_id == publisher.id
    return read_content(session.scalar(select(EntryVersion).where(mine, EntryVersion.id == posted_version("base"))))


def _group(content: EntryContent, language: str, before: Mapping[str, str] | None) -> Iterator[tuple[str, list[Row]]]:
    """Yield the entry's texts by the label of their field, each once.

    `before` are the translations that the form was opened on, where a colleague was quicker.
    """
    has_lines, said = find_texts(dict(content)), content.translations.get(language, {})
    left = dict.fromkeys(has_lines)
    for field in FIELDS_IN_ORDER:
        own = find_texts({field: getattr(content, field)})
        readable = keep_apart(own, said)
        rows = []
        for text in own:
            if text in left:
                del left[text]
                words, theirs = _choose(text, said.get(text, ""), before)
                lines = _count_lines(max(text, words, key=len), has_lines=has_lines[text])
                is_hidden = text in said and text not in readable
                rows.append(Row(_id(text), text, words, said.get(text, ""), lines, theirs, is_hidden))
        if rows:
            yield field_name(field), rows


def _choose(text: str, stored: str, before: Mapping[str, str] | None) -> tuple[str, str | None]:
    """Return what to show as a text's translation, and what a colleague saved where both want it otherwise.

    What was not touched here gives way to what they saved.
    """
    typed = request.form.get(_id(text))
    if typed is None:
        return stored, None
    if before is None:
        return typed, None
    was, mine = before.get(text, ""), _plain(typed)
    if mine in {was, stored}:
        return stored, None
    return typed, stored if stored != was else None


def _list_gone(
    content: EntryContent, then: EntryContent | None, before: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    """Return field, text and what was typed for it, of texts that the entry had when the form was opened."""
    had = {_id(text): text for text in find_texts(dict(then))} if then else {}
    had |= {f"{TEXT}{name.removeprefix(GONE)}": text for name, text in request.form.items() if name.startswith(GONE)}
    texts = find_texts(dict(content))
    return [
        (id_, text, typed)
        for id_, text in had.items()
        if text not in texts and (typed := _plain(request.form.get(id_, ""))) not in {"", before.get(text)}
    ]


def _foretell(
    desk: Desk, session: Session, publisher: Publisher, present: Present, content: EntryContent, language: str
) -> str:
    """Say what saving would mean, by what it would if one text were translated otherwise."""
    said = content.translations.get(language, {})
    text = next(iter(find_texts(dict(content))))
    other = translate(content, language, {text: "-" if said.get(text) != "-" else "–"})
    return explain_translating(assess_edit(session, desk.now, publisher, present.entry.key, present, other))


def _place(error: RegistryError, labels: Mapping[str, str]) -> dict[str, str]:
    """Return a sentence for each field that something is wrong with; what belongs to no text is under `form`."""
    if not isinstance(error, InvalidInput):
        return {"form": explain(error)}
    found: dict[str, str] = {}
    for problem in error.problems:
        id_ = _id(problem.field.removeprefix(f"{TRANSLATIONS}.").partition(".")[2])
        found.setdefault(id_ if id_ in labels else "form", say_problem(problem))
    return found


def _id(text: str) -> str:
    # Of the text and not of its place, which another has once a colleague takes one out.
    return f"{TEXT}{sha256(text.encode()).hexdigest()[:16]}"


def _plain(typed: str) -> str:
    return typed.replace("\r\n", "\n").strip()


def _count_lines(longest: str, *, has_lines: bool) -> int:
    if not has_lines and len(longest) <= SHORT:
        return 1
    return max(2, min(12, longest.count("\n") + len(longest) // 70 + 1))
