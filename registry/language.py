"""The language that words are in: of a page, a feed, a letter, an error on a page.

Words are written in English where they are used, as `_("Takes effect")`, and every other language has a catalogue of
them in `registry/words`. Whoever renders says once in which language, with `speaking`; what is called below it need not
be told. Nothing here knows of requests or settings, so that the worker builds a page as the web does.

A sentence without a translation is shown in English: something that can be read is better than nothing. A test sees to
it that there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

ENGLISH: Final = "en"
LANGUAGES: Final = {ENGLISH: "English", "de": "Deutsch", "vi": "Tiếng Việt", "zh": "中文"}
"""The languages there are, by their code (BCP 47), each by its own name."""
CATALOGUES: Final = Path(__file__).parent / "words"

_LOCALES: Final = {ENGLISH: "en_GB", "de": "de_DE", "vi": "vi_VN", "zh": "zh_Hans_CN"}
_spoken: ContextVar[str] = ContextVar("language", default=ENGLISH)


@contextmanager
def speaking(language: str) -> Iterator[None]:
    """Have all words within the block in a language of `LANGUAGES`; in English where it is none of them."""
    token = _spoken.set(language if language in LANGUAGES else ENGLISH)
    try:
        yield
    finally:
        _spoken.reset(token)


def spoken() -> str:
    """Return the code of the language that words are in here."""
    return _spoken.get()


def locale() -> Locale:
    """Return how dates, numbers and countries are written in the language spoken here."""
    return _locale_of(_spoken.get())


def gettext(message: str, /, **given: Any) -> str:
    """Return an English sentence in the language spoken here, with `%(name)s` filled in from what is given."""
    said = _catalogue_of(_spoken.get()).gettext(message)
    return said % given if given else said


def ngettext(one: str, many: str, number: int, /, **given: Any) -> str:
    """Return the sentence for a number of things, which may hold it as `%(num)s`."""
    said = _catalogue_of(_spoken.get()).ngettext(one, many, number)
    return said % {"num": number, **given}


def pgettext(context: str, message: str, /, **given: Any) -> str:
    """Return a word that means several things in other languages, in the sense that its context tells."""
    said = str(_catalogue_of(_spoken.get()).pgettext(context, message))
    return said % given if given else said


def marked(message: str) -> str:
    """Return the sentence as it is, and have it in the catalogues: for what is translated where it is used."""
    return message


def find_language(asked_for: str | None) -> str | None:
    """Return the language of a tag such as `de-AT`, or None where there is no such one."""
    base = (asked_for or "").replace("_", "-").partition("-")[0].strip().lower()
    return base if base in LANGUAGES else None


def choose_language(asked_for: Iterable[str], default: str = ENGLISH) -> str:
    """Return the first language that is asked for, the most wanted first, and that there is."""
    return next(filter(None, map(find_language, asked_for)), default)


def gettext_for_templates() -> dict[str, Any]:
    """Return what Jinja's own extension for translations takes: it fills in the names by itself, escaped."""
    return {
        "gettext": lambda message: _catalogue_of(_spoken.get()).gettext(message),
        "ngettext": lambda one, many, number: _catalogue_of(_spoken.get()).ngettext(one, many, number),
        "pgettext": lambda context, message: _catalogue_of(_spoken.get()).pgettext(context, message),
        "newstyle": True,
    }


@cache
def _locale_of(language: str) -> Locale:
    return Locale.parse(_LOCALES[language])


@cache
def _catalogue_of(language: str) -> NullTranslations:
    path = CATALOGUES / f"{language}.po"
    if language == ENGLISH or not path.exists():
        return NullTranslations()
    with path.open("rb") as file:
        catalogue = read_po(file, locale=_LOCALES[language])
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    return Translations(compiled)
