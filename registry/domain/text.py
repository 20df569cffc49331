"""Text as the registry takes it: clean, so that no letter, feed or file made of it can break."""

from __future__ import annotations

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

from registry.domain.errors import InvalidInput, Problem

ALLOWED_CONTROLS = "\n\t"
LINE_LENGTH = 500
TEXT_LENGTH = 5_000
LONG_TEXT_LENGTH = 10_000


def find_unclean(value: str) -> str | None:
    """Return the first character that may not stand in text people read, or None.

    Control characters break XML and mail headers; lone surrogates cannot be encoded; U+202A–U+202E and
    U+2066–U+2069 turn the reading direction, and so can show a reader another name than the one stored.
    """
    for character in value:
        if character in ALLOWED_CONTROLS:
            continue
        if (
            unicodedata.category(character) in {"Cc", "Cs"}
            or character in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
        ):
            return character
        if character in "\ufffe\uffff":
            return character
    return None


def _clean(value: str) -> str:
    # Forms on the web send CRLF whatever the reader's system; it is one line break, not a control character.
    value = value.replace("\r\n", "\n")
    unclean = find_unclean(value)
    if unclean is not None:
        raise PydanticCustomError(
            "control-character", "control character {character}", {"character": f"U+{ord(unclean):04X}"}
        )
    return unicodedata.normalize("NFC", value)


def is_one_line(value: str) -> bool:
    """Return whether a text has neither line breaks nor tabs."""
    # U+2028 and U+2029 break lines too, and a mail header made of them is refused by the mail library.
    return len(value.splitlines()) <= 1 and "\t" not in value


def _single_line(value: str) -> str:
    if not is_one_line(value):
        raise PydanticCustomError("line-break", "line break or tab in a one-line field", {})
    return value


Line = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LINE_LENGTH),
    AfterValidator(_clean),
    AfterValidator(_single_line),
]
"""One line of text: not empty, no control characters, Unicode NFC, at most 500 characters."""

Text = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=TEXT_LENGTH),
    AfterValidator(_clean),
]
"""Text of several lines: as `Line`, with line breaks, at most 5,000 characters."""

LongText = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=LONG_TEXT_LENGTH),
    AfterValidator(_clean),
]
"""What somebody explains at length: as `Text`, at most 10,000 characters."""


def refuse_unclean(**texts: str) -> None:
    """Raise `InvalidInput` naming each field whose words hold a character that people cannot read."""
    problems = [
        Problem(field, text, "control-character", {"character": f"U+{ord(found):04X}"})
        for field, text in texts.items()
        if (found := find_unclean(text)) is not None
    ]
    if problems:
        raise InvalidInput(problems)


def refuse_unclean_line(**texts: str) -> None:
    """Raise `InvalidInput` as `refuse_unclean` does, and for a field of one line whose words run over several."""
    refuse_unclean(**texts)
    problems = [Problem(field, text, "line-break") for field, text in texts.items() if not is_one_line(text.strip())]
    if problems:
        raise InvalidInput(problems)
