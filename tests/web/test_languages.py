"""Which language a reader is answered in."""

from __future__ import annotations

import pytest

from registry.web.languages import read_language


@pytest.mark.parametrize(
    ("query", "header", "expected"),
    [
        ({}, None, "vi"),
        ({}, "", "vi"),
        ({}, "*", "vi"),
        ({}, "fr, nl;q=0.5", "vi"),
        ({}, "de-AT, en;q=0.5", "de"),
        ({}, "en;q=0.5, de-AT", "de"),
        ({}, "fr, zh-Hant-TW;q=0.2, de;q=0.1", "zh"),
        ({}, "en;q=0, de", "de"),
        ({}, "de;q=much, x" * 50, "vi"),
        ({"lang": "de"}, "en", "de"),
        ({"lang": "de-CH"}, None, "de"),
        ({"lang": "fr"}, "en", "en"),
    ],
)
def test_the_address_counts_first_then_the_browser_then_the_publisher(
    query: dict[str, str], header: str | None, expected: str
) -> None:
    assert read_language(query, header, "vi") == expected
