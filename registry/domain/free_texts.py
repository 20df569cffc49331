"""The publisher's own words in an entry: in which fields they stand, and how each is said in another language.

Everything works on a field's value as the models hold it and as JSON holds it, so that an entry and a change of one are
said by the same rule. A translation is kept by the very text it translates, and so cannot outlive it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, Field
from pydantic_core import PydanticCustomError

from registry.domain.text import Text, is_one_line
from registry.domain.validation import find_near

LANGUAGES: Final = ("en", "de", "vi", "zh")
"""The languages an entry may be translated to: those that `registry.language` has words in."""


def _language(value: str) -> str:
    if value not in LANGUAGES:
        raise PydanticCustomError("unknown-choice", "unknown language", {"expected": ", ".join(LANGUAGES)})
    return value


TranslationLanguage = Annotated[str, AfterValidator(_language), Field(json_schema_extra={"enum": [*LANGUAGES]})]
"""A language of `LANGUAGES`, by its code."""

Translations = Annotated[
    dict[TranslationLanguage, dict[Text, Text]],
    Field(description="By language: a text as it stands in this entry, and what it says in that language."),
]
"""What an entry's free texts say in other languages."""

Given = Mapping[str, Mapping[str, str]]
"""Translations as they are handed on: by language, each text with what it says there."""

FREE_TEXTS: Final = {
    "purposes": False,
    "activity": True,
    "data_categories": False,
    "data_subjects": False,
    "special_categories": False,
    "condition.text": True,
    "retention": True,
    "transfers.details": True,
    "transfers.assessment.none_because": False,
    "locations.place": False,
}
"""The fields of free text in the order of the page, and whether one may run over several lines."""

FIELDS: Final = frozenset(path.partition(".")[0] for path in FREE_TEXTS)
_SHOWN_OF_A_TEXT: Final = 80


def find_texts(fields: Mapping[str, Any]) -> dict[str, bool]:
    """Return every free text of these fields, in order and once, and whether its translation may have several lines."""
    found: dict[str, bool] = {}
    for path, has_lines in FREE_TEXTS.items():
        for field, value in fields.items():
            if f"{path}.".startswith(f"{field}."):
                for text in _texts_at(value, path[len(field) + 1 :]):
                    found[text] = found.get(text, True) and has_lines
    return found


def _texts_at(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list | tuple):
        for member in value:
            yield from _texts_at(member, path)
    elif isinstance(value, str):
        yield value
    elif isinstance(value, BaseModel | Mapping):
        name, _, inner = path.partition(".")
        yield from _texts_at(value.get(name) if isinstance(value, Mapping) else getattr(value, name), inner)


def say_texts(field: str, value: Any, said: Mapping[str, str]) -> Any:
    """Return a field's value with each free text of it replaced by what is said for it; all else is as it was."""
    if isinstance(value, str):
        return said.get(value, value) if field in FREE_TEXTS else value
    if isinstance(value, list | tuple):
        return type(value)(say_texts(field, member, said) for member in value)
    if isinstance(value, Mapping):
        return {name: say_texts(f"{field}.{name}", inner, said) for name, inner in value.items()}
    if isinstance(value, BaseModel):
        # The words of a translation may be too long for their field, and are only shown: nothing is validated anew.
        return value.model_copy(update={name: say_texts(f"{field}.{name}", inner, said) for name, inner in value})
    return value


def keep_apart(texts: Iterable[str], said: Mapping[str, str]) -> dict[str, str]:
    """Return of these translations those by which different texts of one field still differ.

    What is two things to the publisher must not become one to a reader: such texts are shown as they stand.
    """
    texts = tuple(texts)
    kept = {text: said[text] for text in texts if text in said}
    while True:
        shown = Counter(kept.get(text, text) for text in texts)
        apart = {text: words for text, words in kept.items() if shown[words] == 1}
        if len(apart) == len(kept):
            return apart
        # A text shown as it stands again may be the very words of another's translation.
        kept = apart


def fit_translations(given: Given, texts: Mapping[str, bool]) -> dict[str, dict[str, str]]:
    """Return what translates one of these texts, by language, in the order of the texts; no language is left empty."""
    fitting = {
        language: {
            text: said[text]
            for text, has_lines in texts.items()
            if text in said and (has_lines or is_one_line(said[text]))
        }
        for language in LANGUAGES
        if (said := given.get(language))
    }
    return {language: said for language, said in fitting.items() if said}


def check_translations(given: Given, texts: Mapping[str, bool]) -> dict[str, dict[str, str]]:
    """Return translations in their order. Raises pydantic's error for one that translates none of these texts.

    So does one of several lines where its text has a field of one line.
    """
    for language, said in given.items():
        for text, words in said.items():
            if text not in texts:
                near = _find_near_texts(text, tuple(texts))
                raise PydanticCustomError("no-such-text", "no such text", {"at": language, "value": text, "near": near})
            if not texts[text] and not is_one_line(words):
                raise PydanticCustomError(
                    "line-break", "line break in a one-line field", {"at": language, "value": words}
                )
    return fit_translations(given, texts)


def _find_near_texts(text: str, texts: Sequence[str]) -> list[str]:
    # To compare whole paragraphs takes seconds, and their beginnings tell them apart.
    by_beginning = {_beginning(known): known for known in texts}
    return find_near(_beginning(text), by_beginning)


def _beginning(text: str) -> str:
    return text if len(text) <= _SHOWN_OF_A_TEXT else f"{text[:_SHOWN_OF_A_TEXT]}…"
