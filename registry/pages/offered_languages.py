"""The languages that a page offers, at its own address: for readers to choose from, and for programs to know of."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from registry.language import LANGUAGES
from registry.pages.values import Addresses


def offer_languages(addresses: Addresses, path: str, asking: Iterable[tuple[str, str]] = ()) -> dict[str, Any]:
    """Return what `base.html` takes for a page of a publisher: its languages, its alternates, its permanent address."""
    pairs = tuple(asking)
    languages = [(code, name, addresses.to(path, pairs, lang=code)) for code, name in LANGUAGES.items()]
    return {
        "languages": languages,
        "alternates": [
            *((code, url) for code, _, url in languages),
            ("x-default", addresses.to(path, pairs, lang=None)),
        ],
        "page_url": addresses.to(path, pairs),
    }
