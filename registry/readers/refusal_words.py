"""What a mail server says of a letter that it refused for good, where it names no code that would say why.

Who is to blame is told by words alone then. Those that blame this installation are known where letters are sent
(`registry.channels.smtp_refusals`); here are those about the letter itself, and about a mailbox that is full.
"""

from __future__ import annotations

import re
from typing import Final

# Whoever is written to may be called anything, such as spam@, and so may the page that explains it all.
_NO_WORDS: Final = re.compile(r"\bhttps?://\S{1,500}|[^\s<>@]{1,64}@[^\s<>@]{1,255}", re.IGNORECASE)
_OF_THE_LETTER: Final = re.compile(
    r"(?<![\w.-])(?:anti-?)?spam(?![\w-]|\.\w)|\b(?:virus|malware|phishing)\b|\bpolic(?:y|ies)\b"
    r"|\b(?:message|mail) (?:is |was )?too (?:large|big|long)\b|\bmessage size\b|\bmaximum (?:\w+ )?size\b"
    r"|\bcontent (?:was |is )?(?:rejected|refused|denied|blocked|not (?:allowed|accepted))"
    r"|\b(?:rejected|refused|blocked) (?:\w+ ){0,3}content\b",
    re.IGNORECASE,
)
_FULL: Final = re.compile(
    r"\b(?:mailbox|inbox)\b[^.;:]{0,60}\bfull\b|\bover ?quota\b|\bover (?:its|the|their) (?:\w+ )?quota\b"
    r"|\bquota (?:is |has been |was )?exceeded\b|\bexceed(?:s|ed)?\b[^.;:]{0,60}\b(?:quota|storage)\b"
    r"|\b(?:not enough|insufficient|out of) (?:\w+ )?(?:space|storage)\b|\bdisk (?:is )?full\b",
    re.IGNORECASE,
)


def blames_letter(words: str) -> bool:
    """Return whether words of at most some thousand characters refuse a letter for what it is: spam, policy, size."""
    return _OF_THE_LETTER.search(_NO_WORDS.sub("@", words)) is not None


def says_full(words: str) -> bool:
    """Return whether words of at most some thousand characters say that a mailbox has no room for now."""
    return _FULL.search(_NO_WORDS.sub("@", words)) is not None
