"""The catalogues of translations: complete, made of the very sentences of the product, and fit to be filled in."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po

from registry.language import CATALOGUES, ENGLISH, LANGUAGES, Words, gettext, marked, ngettext, speaking

CHECKOUT = Path(__file__).parents[1]
TRANSLATED = [code for code in LANGUAGES if code != ENGLISH]
PLURAL_FORMS = {"de": 2, "vi": 1, "zh": 1}
RUN_THIS = "run `make words`, and translate what is empty in registry/words"
PLACEHOLDER = re.compile(r"%\(\w+\)s|\{\w+\}")


@pytest.fixture(scope="session")
def extracted(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Every sentence that is marked in code and templates, as `make words` finds them."""
    pot = tmp_path_factory.mktemp("words") / "words.pot"
    command = [sys.executable, "-m", "babel.messages.frontend", "-q", "extract", "-F", "pyproject.toml", "-k", "marked"]
    subprocess.run([*command, "--no-location", "-o", str(pot), "."], cwd=CHECKOUT, check=True)
    return read(pot)


def read(path: Path, language: str | None = None) -> Catalog:
    """A catalogue as it stands in a file."""
    with path.open("rb") as file:
        return read_po(file, locale=language)


@cache
def catalogue(language: str) -> Catalog:
    """The catalogue of one language."""
    return read(CATALOGUES / f"{language}.po", language)


def messages(catalog: Catalog) -> dict[tuple[str | None, str], Message]:
    """The messages by context and English words, without the header."""
    return {(each.context, first(each)): each for each in catalog if each.id}


def first(message: Message) -> str:
    """The English words of a message, of one thing where it has forms for several."""
    return message.id if isinstance(message.id, str) else message.id[0]


def forms(message: Message) -> tuple[str, ...]:
    """The translations of a message, one for each form."""
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ())


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_catalogue_has_the_sentences_of_the_product_and_no_others(language: str, extracted: Catalog) -> None:
    there, wanted = set(messages(catalogue(language))), set(messages(extracted))
    assert wanted - there == set(), f"new sentences: {RUN_THIS}"
    assert there - wanted == set(), f"sentences that are gone: {RUN_THIS}"


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_sentence_is_translated(language: str) -> None:
    empty = [first(each) for each in messages(catalogue(language)).values() if not all(forms(each))]
    assert empty == [], RUN_THIS


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_is_a_guess(language: str) -> None:
    assert [first(each) for each in messages(catalogue(language)).values() if each.fuzzy] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_numbers_have_the_forms_that_the_language_has(language: str) -> None:
    wrong = [
        first(each)
        for each in messages(catalogue(language)).values()
        if len(forms(each)) != (PLURAL_FORMS[language] if each.pluralizable else 1)
    ]
    assert wrong == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_takes_what_the_sentence_takes(language: str) -> None:
    wrong: dict[str, list[str]] = {}
    for each in messages(catalogue(language)).values():
        english = each.id if isinstance(each.id, str) else each.id[-1]
        wanted = sorted(set(PLACEHOLDER.findall(english)))
        wrong |= {said: wanted for said in forms(each) if said and sorted(set(PLACEHOLDER.findall(said))) != wanted}
    assert wrong == {}


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_per_cent_sign_stands_for_itself_nowhere(language: str) -> None:
    # Templates fill every sentence in and Python only those that take something, so "%" would mean two things.
    said = [said for each in messages(catalogue(language)).values() for said in (first(each), *forms(each))]
    assert [each for each in said if "%" in PLACEHOLDER.sub("", each)] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_spaces_around_a_phrase_stay(language: str) -> None:
    if language == "zh":
        # It has no spaces between words, and its marks bring their own.
        return
    wrong = [
        said
        for each in messages(catalogue(language)).values()
        for said in forms(each)
        if (said[:1] == " ", said[-1:] == " ") != (first(each)[:1] == " ", first(each)[-1:] == " ")
    ]
    assert wrong == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_the_files_say_neither_when_nor_by_whom(language: str) -> None:
    text = (CATALOGUES / f"{language}.po").read_text("utf-8")
    assert "Creation-Date" not in text
    assert "Translator" not in text
    assert not re.search(r"^#: ", text, re.MULTILINE)
    listed = re.findall(r'^msgid "(.+)"$', text, re.MULTILINE)
    assert listed == sorted(listed)


def test_words_are_said_in_the_language_spoken_and_in_english_where_there_is_none() -> None:
    words = Words({"a": marked("today")})
    pairs = words.items()
    with speaking("de"):
        assert (gettext("today"), words["a"], dict(pairs)) == ("heute", "heute", {"a": "heute"})
        assert [ngettext("%(num)s day", "%(num)s days", number) for number in (1, 3)] == ["1 Tag", "3 Tage"]
        assert gettext("Nobody has translated this") == "Nobody has translated this"
        with speaking("vi"):
            assert words["a"] == "hôm nay"
        with speaking("xx"):
            assert words["a"] == "today"
        assert words["a"] == "heute"
    assert words["a"] == "today"


def test_nothing_is_translated_as_nothing() -> None:
    # Catalogues keep their own header as the translation of nothing.
    with speaking("de"):
        assert gettext("") == ""
