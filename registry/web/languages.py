"""In which language a reader is answered: the one the address names, the one the browser asks for, the publisher's.

`?lang=de` counts first, and links on such a page keep it: readers get no cookie that could. Feeds and files are read by
programs, which ask for languages at random, so that for them the address alone counts. The workbench is in English.
"""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask, g, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from registry.domain.errors import InvalidInput, Problem
from registry.language import ENGLISH, LANGUAGES, choose_language, find_language, speaking

PARAMETER = "lang"
ENGLISH_ONLY = frozenset({"team", "security", "health", "callbacks"})
"""Blueprints whose words are not translated."""


def add_languages(app: Flask) -> None:
    """Have every request to `app` answered in a language. Whoever knows the publisher may choose again."""

    @app.before_request
    def begin() -> None:
        if request.blueprint not in ENGLISH_ONLY:
            speak(ENGLISH)

    @app.teardown_request
    def end(error: BaseException | None) -> None:
        del error
        stop_speaking()


def speak(default: str, *, by_address_only: bool = False) -> None:
    """Answer this request in the language it asks for, or else in the publisher's."""
    language = read_language(request.args, None if by_address_only else request.headers.get("Accept-Language"), default)
    stop_speaking()
    g.speaking = speaking(language)
    g.speaking.__enter__()


def stop_speaking() -> None:
    """Let words be English again."""
    block = g.pop("speaking", None)
    if block is not None:
        block.__exit__(None, None, None)


def read_language(query: Mapping[str, str], header: str | None, default: str) -> str:
    """Return the language that a query string (`lang`) or a header (Accept-Language) asks for, or the default.

    An unknown one is passed over here: `refuse_unknown_language` says so where a page can be made.
    """
    named = find_language(query.get(PARAMETER))
    if named is not None:
        return named
    fallback = find_language(default) or ENGLISH
    # Sorted by how much each is wanted; one with a weight of 0 is not wanted at all.
    wanted = parse_accept_header(header, LanguageAccept)
    return choose_language((language for language, weight in wanted if weight > 0), fallback)


def refuse_unknown_language(query: Mapping[str, str]) -> None:
    """Raise `InvalidInput` where an address names a language that there is not."""
    asked_for = query.get(PARAMETER, "").strip()
    if asked_for and find_language(asked_for) is None:
        raise InvalidInput([Problem(PARAMETER, asked_for[:40], "unknown-choice", {"expected": ", ".join(LANGUAGES)})])
