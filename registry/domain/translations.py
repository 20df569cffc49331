"""An entry in another language: its free texts as the publisher translated them, the rest as it stands.

Where an original changes, nothing translates it any more, and it is shown as it is until somebody translates it anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from registry.domain.entries import EntryContent
from registry.domain.errors import InvalidInput, Problem
from registry.domain.free_texts import (
    FIELDS,
    LANGUAGES,
    Given,
    find_texts,
    fit_translations,
    keep_apart,
    say_texts,
)
from registry.domain.text import Text, is_one_line
from registry.domain.validation import Document, read_model

__all__ = ["LANGUAGES", "in_language", "prune", "texts_of", "translate", "translate_value", "with_translations"]


def texts_of(content: EntryContent) -> tuple[str, ...]:
    """Return every text of an entry that may be translated, in the order of the page and once each."""
    return tuple(find_texts(dict(content)))


def in_language(content: EntryContent, language: str) -> EntryContent:
    """Return the content to be shown in a language: its free texts translated, where a translation stands in it.

    Names, addresses and all else stay. Two texts of one field that would read the same stay as they are, so that no
    list gets shorter or repeats itself. The same object comes back where nothing is translated. It is for showing
    alone: a translation may be longer than its field takes.
    """
    said = content.translations.get(language)
    if not said:
        return content
    translated = {field: translate_value(field, value, said) for field, value in content if field in FIELDS}
    changed = {field: value for field, value in translated.items() if value != getattr(content, field)}
    return content.model_copy(update=changed) if changed else content


def translate_value(field: str, value: Any, translations: Mapping[str, str], other: Any = None) -> Any:
    """Return the JSON value of a field of a change with its free texts translated; `translations` are text by text.

    `field` is a name of `registry.domain.changes.FIELD_RULES`. `other` is the value beside it, before or after: texts
    of the two that differ must still differ in another language, or a change would be shown that is none.
    """
    texts = {**find_texts({field: value}), **find_texts({field: other})}
    return say_texts(field, value, keep_apart(texts, translations))


def prune(translations: Given, content: EntryContent) -> dict[str, dict[str, str]]:
    """Return of these translations those that translate a text of this content."""
    return fit_translations(translations, find_texts(dict(content)))


def with_translations(content: EntryContent, translations: Given) -> EntryContent:
    """Return the content with those of these translations that translate a text of it, in place of its own."""
    return content.model_copy(update={"translations": prune(translations, content)})


class _Translation(Document):
    words: Text


def translate(content: EntryContent, language: str, said: Mapping[str, str]) -> EntryContent:
    """Return the content with these words for texts of it in a language; empty ones take a translation away.

    Texts that are not among `said` keep the translation they have. Raises `InvalidInput` with a problem for each that
    is too long, has characters no text may have, or has several lines where its text has a field of one; its field is
    `translations.<language>.<text>`.
    """
    has_lines = find_texts(dict(content))
    kept = {text: words for text, words in content.translations.get(language, {}).items() if text not in said}
    problems: list[Problem] = []
    for text, given in said.items():
        if not given.strip():
            continue
        try:
            kept[text] = read_model(_Translation, {"words": given}).words
            if not has_lines.get(text, True) and not is_one_line(kept[text]):
                raise InvalidInput([Problem("words", given, "line-break")])
        except InvalidInput as error:
            problems += [replace(each, field=f"translations.{language}.{text}") for each in error.problems]
    if problems:
        raise InvalidInput(problems)
    return with_translations(content, {**content.translations, language: kept})
