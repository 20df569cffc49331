"""A letter that somebody of the team sends to themself: the letter itself, and above it that it is a test."""

from __future__ import annotations

import html
import re
from typing import Final

from registry.letters import plain_text

TEST_SUBJECT: Final = "[Test]"

_MAIN = re.compile(r"<main\b[^>]*>")
_STYLE: Final = "margin: 0 0 16px; padding: 12px 16px; border: 2px solid #8a5a00; border-radius: 6px"


def mark_as_test(text: str, page: str, note: str) -> tuple[str, str]:
    """Return a letter's plain text and HTML with `note` above it. Raises ValueError for what is no letter's HTML."""
    rule = "=" * plain_text.WIDTH
    marked, count = _MAIN.subn(
        lambda found: f'{found[0]}\n<p style="{_STYLE}"><strong>{html.escape(note)}</strong></p>', page, count=1
    )
    if count == 0:
        raise ValueError("this is not the HTML of a letter: it has no main part")
    return f"{rule}\n{plain_text.wrap(note)}\n{rule}\n\n{text}", marked
