"""A frozen letter made ready for many recipients: the very bytes of `compose`, quicker (R30).

`compose` says what the bytes of a letter are. A `Press` does beforehand whatever no recipient changes, and for each one
only the headers and the lines that have slots. It decides nothing: what is out of the ordinary, every error included,
it leaves to `compose`. The tests hold the two together.
"""

from __future__ import annotations

import html
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from registry.domain.errors import RegistryError
from registry.letters.compose import (
    MERGE_VERSION,
    WEB_ADDRESS,
    compose,
    extra_headers,
    on_one_clean_line,
    reply_to_header,
    slot_values,
)
from registry.letters.mime import (
    CRLF,
    address_header,
    date_header,
    frame_of,
    header_line,
    is_boundary,
    text_header,
    verbatim_header,
)
from registry.letters.pressed_bodies import PressedHtml, PressedText
from registry.letters.slots import LINKS, SLOTS, fill_slots, slots_of, split_at_slots
from registry.letters.values import FrozenLetter, Merge, Sender

_BEYOND_PRESSING = re.compile("[\0\r\ud800-\udfff]")
"""What changes how the characters before it are encoded, or cannot be encoded at all."""
_AFTER_TWO_HYPHENS = re.compile("(?=--(.))", re.DOTALL)
_ESCAPED: Final = b"&<>\"'="
"""What HTML or quoted-printable escapes."""
_ORDINARY: Final = bytes(octet for octet in range(0x20, 0x7F) if octet not in _ESCAPED)
_TWO_SPACES = re.compile("  ")
"""A value that is empty, or not as its words joined by single spaces, leaves them in the joined text of all."""
_VISIBLE: Final = bytes(range(0x21, 0x7F))
_SHORT_HEADERS: Final = 900
"""Columns of several headers' values, so few that none of them is too long for its line."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NONE: Final[frozenset[str]] = frozenset()


class _OutOfTheOrdinary(Exception):
    """This merge is not for a press."""


class Press:
    """One frozen letter of one sender, to be merged any number of times, from any thread.

    Making one costs as much as composing a few letters, and it holds a few times the letter's size: worth keeping for
    as long as the letter is being sent. It never changes what it gives.
    """

    def __init__(self, letter: FrozenLetter, sender: Sender) -> None:
        self.letter = letter
        self.sender = sender
        self.slots = slots_of(letter)
        """The names of the slots this letter has, for which a merge must give values."""
        try:
            self._prepare()
        except (RegistryError, _OutOfTheOrdinary):
            self._is_ready = False  # every merge is composed, which raises what there is to raise
        else:
            self._is_ready = True

    def merge(self, merge: Merge) -> bytes:
        """Return the bytes of `compose(letter, merge, sender)`. Raises what that raises."""
        try:
            return self._press(merge)
        except (RegistryError, _OutOfTheOrdinary):
            return compose(self.letter, merge, self.sender)

    def _prepare(self) -> None:
        letter, sender = self.letter, self.sender
        if _BEYOND_PRESSING.search(letter.text + letter.html):
            raise _OutOfTheOrdinary
        from_header = address_header("From", on_one_clean_line(sender.name), sender.from_address)
        self._from = header_line("From", from_header) + CRLF
        self._reply_to = header_line("Reply-To", reply_to_header(sender)) + CRLF
        is_subject_fixed = len(split_at_slots(letter.subject)) == 1
        self._subject = self._subject_line({}) if is_subject_fixed else None
        self._last_date = (_EPOCH, date_header(_EPOCH))
        self._text = PressedText(letter.text)
        self._html = PressedHtml(letter.html)
        self._after_two_hyphens = _after_two_hyphens(letter.text) | _after_two_hyphens(letter.html)

    def _press(self, merge: Merge) -> bytes:
        if not self._is_ready or merge.merge_version != MERGE_VERSION:
            raise _OutOfTheOrdinary
        words, markup, unplain, said = _values_of(merge)
        if not self.slots.issubset(words):
            raise _OutOfTheOrdinary
        self._refuse_boundary_in(words, said, merge.boundary)
        text_encoding, text = self._text.fill(words, unplain)
        html_encoding, markup_pieces = self._html.fill(markup, unplain)
        opening, middle, closing = frame_of(merge.boundary, text_encoding, html_encoding)
        pieces = [self._headers(merge, words), opening, *text, middle, *markup_pieces, closing]
        return "".join(pieces).encode("ascii")

    def _headers(self, merge: Merge, words: dict[str, str]) -> str:
        name = on_one_clean_line(merge.recipient_name or "")
        to = header_line("To", address_header("To", name, merge.recipient))
        subject = self._subject or self._subject_line(words)
        date = self._date_header(merge.date_at)
        names, values = zip(*merge.headers, strict=True) if merge.headers else ((), ())
        told = merge.message_id + "".join(values)
        if len(told) <= _SHORT_HEADERS and told.isascii() and not told.encode().translate(None, _VISIBLE):
            # Without a space there is nothing to fold at.
            message_id = f"Message-ID: {merge.message_id}"
            extra = _extra_headers(names) % values
        else:
            message_id = header_line("Message-ID", verbatim_header("Message-ID", merge.message_id))
            extra = "".join(f"{header_line(*header)}{CRLF}" for header in extra_headers(merge.headers))
        return (
            f"{self._from}{to}\r\n{self._reply_to}{subject}Date: {date}\r\n{message_id}\r\n"
            f"Auto-Submitted: auto-generated\r\n{extra}"
        )

    def _subject_line(self, words: dict[str, str]) -> str:
        return header_line("Subject", text_header("Subject", fill_slots(self.letter.subject, words))) + CRLF

    def _date_header(self, at: datetime) -> str:
        """Keep the last one, for letters are sent many a second."""
        if at.tzinfo is not UTC:
            return date_header(at)  # in the hour the clock goes back by, instants that differ are equal
        last_at, header = self._last_date
        if at != last_at:
            header = date_header(at)
            self._last_date = at, header
        return header

    def _refuse_boundary_in(self, words: dict[str, str], said: str, boundary: str) -> None:
        """Leave to `compose` whatever might hold the boundary after the two hyphens that make it one.

        The boundary's first character would come from the letter or from a value, and there would either be followed by
        its second, or end the value.
        """
        first = boundary[:1]
        if not is_boundary(boundary) or first in self._after_two_hyphens:
            raise _OutOfTheOrdinary
        if first in said and (boundary[:2] in said or any(value.endswith(first) for value in words.values())):
            raise _OutOfTheOrdinary


def _values_of(merge: Merge) -> tuple[dict[str, str], dict[str, str], frozenset[str], str]:
    """Return the values as `slot_values` does, as HTML, the names of those not plain, and all values as one text.

    All values are looked at together, which is how most of them cost next to nothing.
    """
    words = dict(merge.slots)
    said = " ".join(words.values())
    odd = said.encode().translate(None, _ORDINARY) if said.isascii() else None
    is_whole = len(words) == len(merge.slots) and not _TWO_SPACES.search(f" {said} ")
    if is_whole and (said.isprintable() if odd is None else not odd.translate(None, _ESCAPED)):
        _refuse_other_slots(words)
        if odd == b"":
            return words, words, _NONE, said
        # No value holds a line break any more, and escaping makes none.
        escaped = html.escape("\n".join(words.values()), quote=True).split("\n")
        markup = dict(zip(words, escaped, strict=True))
        if odd is not None and b"=" not in odd:
            return words, markup, _NONE, said
    else:
        words = slot_values(merge)
        said = " ".join(words.values())
        markup = {name: html.escape(value, quote=True) for name, value in words.items()}
    unplain = frozenset(name for name, value in words.items() if not value or "=" in value or not value.isascii())
    return words, markup, unplain, said


def _refuse_other_slots(words: dict[str, str]) -> None:
    for name in _links_among(tuple(words)):
        if not WEB_ADDRESS.fullmatch(words[name]):
            raise _OutOfTheOrdinary


@lru_cache(maxsize=100)
def _links_among(names: tuple[str, ...]) -> tuple[str, ...]:
    if not SLOTS.issuperset(names):
        raise _OutOfTheOrdinary
    return tuple(name for name in names if name in LINKS)


def _after_two_hyphens(body: str) -> frozenset[str]:
    """Return every character that may come after two hyphens in a body, unless it comes from a value."""
    pieces = split_at_slots(body)[::2]
    found = {character for piece in pieces for character in _AFTER_TWO_HYPHENS.findall(piece)}
    # The hyphens may come from a value too, in part or both.
    for piece in pieces[1:]:
        found.update(piece[:1], piece[1:2] if piece.startswith("-") else "")
    return frozenset(found)


@lru_cache(maxsize=100)
def _extra_headers(names: tuple[str, ...]) -> str:
    """Return the lines of headers with these names, "%s" standing for each value, which has no space."""
    return "".join(f"{header_line(*header)}{CRLF}" for header in extra_headers([(name, "%s") for name in names]))
