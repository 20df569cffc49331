"""The language that words are in: of a page, a feed, a letter, an error on a page.

Words are written in English where they are used, as `_("Takes effect")`, and every other language has a catalogue of
them in `registry/words`. Whoever renders says once in which language, with `speaking`; what is called below it need not
be told. Nothing here knows of requests or settings, so that the worker builds a page as the web does.

A sentence without a translation is shown in English: something that can be read is better than nothing. A test sees to
it that there is none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final, TypeVar

from babel import Locale
from babel.dates import format_date
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

ENGLISH: Final = "en"
LANGUAGES: Final = {ENGLISH: "English", "de": "Deutsch", "vi": "Tiếng Việt", "zh": "中文"}
"""The languages there are, by their code (BCP 47), each by its own name."""
CATALOGUES: Final = Path(__file__).parent / "words"

_LOCALES: Final = {ENGLISH: "en_GB", "de": "de_DE", "vi": "vi_VN", "zh": "zh_Hans_CN"}
_LONG_DATES: Final = {
    ENGLISH: "EEEE, d MMMM y",
    "de": "EEEE, d. MMMM y",
    "vi": "EEEE, 'ngày' d MMMM 'năm' y",
    "zh": "y年M月d日EEEE",
}
_SHORT_DATES: Final = {ENGLISH: "d MMMM y", "de": "d. MMMM y", "vi": "d MMMM 'năm' y", "zh": "y年M月d日"}
"""Written out rather than taken from CLDR, so that a letter's words do not change with a release of it."""

K = TypeVar("K")
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
    said = _translate(message)
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


class Words(Mapping[K, str]):
    """Words by what they stand for, in English and `marked`: each is said in the language spoken when it is asked for.

    `items()` may be kept, and says them in the language spoken when it is gone through.
    """

    def __init__(self, english: Mapping[K, str]) -> None:
        self._english = dict(english)

    def __getitem__(self, key: K) -> str:
        return _translate(self._english[key])

    def __contains__(self, key: object) -> bool:
        return key in self._english

    def __iter__(self) -> Iterator[K]:
        return iter(self._english)

    def __len__(self) -> int:
        return len(self._english)


def long_date(on: date) -> str:
    """Return a date with its weekday, such as "Saturday, 31 October 2026", in the language spoken here."""
    return format_date(on, _LONG_DATES[_spoken.get()], locale=locale())


def short_date(on: date) -> str:
    """Return a date without its weekday, such as "31 October 2026", in the language spoken here."""
    return format_date(on, _SHORT_DATES[_spoken.get()], locale=locale())


def country_name(code: str) -> str | None:
    """Return what an ISO 3166 country is called in the language spoken here, or None where CLDR knows no name."""
    return _countries_of(_spoken.get()).get(code)


def language_name(code: str) -> str:
    """Return what a language is called in the one spoken here, such as "German"; its code where CLDR knows no name."""
    return str(locale().languages.get(code, code))


def say_translations(translations: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Return an entry's translations, given by language and text, a line each: "German: Hosting → Bereitstellung"."""
    return tuple(
        gettext("%(language)s: %(text)s → %(translation)s", language=language_name(code), text=text, translation=words)
        for code, said in translations.items()
        for text, words in said.items()
    )


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
        "gettext": _translate,
        "ngettext": lambda one, many, number: _catalogue_of(_spoken.get()).ngettext(one, many, number),
        "pgettext": lambda context, message: _catalogue_of(_spoken.get()).pgettext(context, message),
        "newstyle": True,
    }


def _translate(message: str) -> str:
    # The translation of nothing is a catalogue's own header.
    return _catalogue_of(_spoken.get()).gettext(message) if message else ""


@cache
def _locale_of(language: str) -> Locale:
    return Locale.parse(_LOCALES[language])


@cache
def _countries_of(language: str) -> dict[str, str]:
    return {str(code): str(name) for code, name in _locale_of(language).territories.items()}


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
