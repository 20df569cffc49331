"""An entry in another language: its free texts as the publisher translated them, the rest as it stands.

Where an original changes, nothing translates it any more, and it is shown as it is until somebody translates it anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from registry.domain.entries import EntryContent
from registry.domain.free_texts import (
    FIELDS,
    LANGUAGES,
    Given,
    find_texts,
    fit_translations,
    keep_apart,
    say_texts,
)

__all__ = ["LANGUAGES", "in_language", "prune", "texts_of", "translate_value", "with_translations"]


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
