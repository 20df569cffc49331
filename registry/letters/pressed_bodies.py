"""The two bodies of a frozen letter, transfer-encoded beforehand but for what the recipient's values change.

How a line is encoded depends on no other line. In quoted-printable it depends on the columns, though: what follows a
value is broken elsewhere for every column at which the value may end. There are 76, each encoded when it first occurs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, NamedTuple

from registry.letters.mime import CRLF, QUOTED_PRINTABLE, SEVEN_BIT, encode_body, is_readable, quote_printable
from registry.letters.plain_text import WIDTH, break_lines, rewrap
from registry.letters.slots import LINKS, STX, fill_slots, split_at_slots

_SOFT_BREAK: Final = f"={CRLF}"
_ROOM: Final = 75
"""Columns of a line of quoted-printable that goes on in the next, without the "=" at its end."""
_UNBROKEN: Final = 76
"""Columns of a line of quoted-printable at whose end the line itself ends."""
_LONGEST_LINE: Final = 2_000
"""What follows a slot is kept as often as there are columns, so it should not be long."""
_PLAIN = re.compile("[ -<>-~]*")
"""What is the same in quoted-printable, as long as it is neither a lone dot nor ends in a space."""


class _TextLine(NamedTuple):
    """A line of plain text with slots: what stands before the first, its name, what follows, and any further slots."""

    before: str
    name: str
    after: str
    further: tuple[tuple[str, str], ...]
    hangs: bool
    """Whether what does not fit goes below the slot, word by word."""
    is_link: bool
    """Whether it hangs, and is one word, so that nothing of it goes anywhere."""
    is_plain: bool

    def fill(self, words: Mapping[str, str]) -> str:
        """Fill and wrap this line as `compose` does."""
        full = self.before + words[self.name] + self.after
        for name, after in self.further:
            full += words[name] + after
        return rewrap(full, len(self.before))


class PressedText:
    """The plain text of a letter: only the lines with slots are left to be filled, wrapped and encoded."""

    def __init__(self, text: str) -> None:
        self._lines: list[_TextLine] = []
        self._ends_in_slots = False
        fixed = [""]
        for at, line in enumerate(text.split("\n")):
            line_break = "\n" if at else ""
            self._ends_in_slots = STX in line
            if self._ends_in_slots:
                fixed[-1] += line_break
                fixed.append("")
                self._lines.append(_text_line(split_at_slots(line)))
            else:
                fixed[-1] += line_break + line
        self._readable = [lines.replace("\n", CRLF) for lines in fixed]
        self._quoted = [quote_printable(lines) for lines in fixed]
        self._may_be_readable = all(is_readable(lines) for lines in fixed)
        self._room_for_links = [(line.name, WIDTH - len(line.before)) for line in self._lines if line.is_link]

    def fill(self, words: Mapping[str, str], unplain: AbstractSet[str]) -> tuple[str, list[str]]:
        """Return the text's transfer encoding, and the pieces of the text in it.

        `words` are clean and on one line each; `unplain` names those that are empty, or hold "=" or other than ASCII.
        """
        pieces = [""] * (2 * len(self._lines) + 1)
        may_be_readable = self._may_be_readable
        for name, room in self._room_for_links:
            may_be_readable = may_be_readable and len(words[name]) <= room
        if may_be_readable:
            filled = [line.fill(words) for line in self._lines]
            if all(map(is_readable, filled)):
                pieces[::2] = self._readable
                pieces[1::2] = [line.replace("\n", CRLF) for line in filled]
                return SEVEN_BIT, pieces
        pieces[::2] = self._quoted
        pieces[1::2] = [self._quote(line, words, unplain) for line in self._lines]
        if self._ends_in_slots:
            pieces[-2] = quote_printable(self._lines[-1].fill(words))
        return QUOTED_PRINTABLE, pieces

    @staticmethod
    def _quote(line: _TextLine, words: Mapping[str, str], unplain: AbstractSet[str]) -> str:
        before, name, after, _, hangs, is_link, is_plain = line
        if is_plain and (not unplain or name not in unplain):
            full = before + words[name] + after
            if is_link or len(full) <= _UNBROKEN:
                return _quote_plain(full)
            if hangs:
                rows = break_lines(full[len(before) :], before, " " * len(before))
                return CRLF.join([_quote_plain(row) for row in rows])
        return quote_printable(line.fill(words) + "\n")[: -len(CRLF)]


class PressedHtml:
    """The HTML of a letter, encoded before, between and after its slots.

    HTML has long lines, so it is always quoted-printable. Where it might not be, or where a slot ends a line (what ends
    a line may take a column more), it is encoded for each recipient.
    """

    def __init__(self, html: str) -> None:
        self._html = html
        self._steps: list[_Step] = []
        self._last = ""
        self._is_ready = not is_readable("".join(split_at_slots(html)[::2])) and self._prepare()

    def _prepare(self) -> bool:
        fixed = ""
        for line, ending in _lines_of(self._html):
            if STX not in line:
                fixed += line + ending
                continue
            before, *rest = split_at_slots(line)
            if not rest[-1] or len(line) > _LONGEST_LINE:
                return False
            begun, column = _encode_from(0, before)
            begin = quote_printable(fixed) + begun
            fixed = ""
            *inner, outer = zip(rest[::2], rest[1::2], strict=True)
            steps = [
                *((name, _Following(after, None)) for name, after in inner),
                (outer[0], _Following(outer[1], ending)),
            ]
            for at, (name, following) in enumerate(steps):
                self._steps.append(_Step("" if at else begin, None if at else column, name, following))
        self._last = quote_printable(fixed)
        return True

    def fill(self, markup: Mapping[str, str], unplain: AbstractSet[str]) -> tuple[str, list[str]]:
        """Return the HTML's transfer encoding, and the pieces of the HTML in it.

        `markup` are escaped values on one line each; `unplain` names at least those with "=" or other than ASCII.
        """
        if not self._is_ready:
            encoding, encoded = encode_body(fill_slots(self._html, markup))
            return encoding, [encoded]
        pieces: list[str] = []
        end = 0
        for fixed, column, name, following in self._steps:
            begin = end if column is None else column
            value = markup[name]
            end = begin + len(value)
            if name in unplain:
                value, end = _encode_from(begin, value)
            elif end > 2 * _ROOM:
                value, end = _break_from(begin, value)
            elif end > _ROOM:
                room, end = _ROOM - begin, end - _ROOM
                value = f"{value[:room]}=\r\n{value[room:]}"
            encoded, end = following[end]
            pieces += (fixed, value, encoded)
        pieces.append(self._last)
        return QUOTED_PRINTABLE, pieces


class _Following(dict[int, tuple[str, int]]):
    """What follows a slot, up to the next one or the line's end, by the column it begins at: encoded, and its end."""

    def __init__(self, words: str, ending: str | None) -> None:
        super().__init__()
        self.words = words
        self.ending = ending
        """None where another slot comes on the same line."""

    def __missing__(self, column: int) -> tuple[str, int]:
        if self.ending is None:
            found = _encode_from(column, self.words)
        else:
            found = quote_printable("x" * column + self.words + self.ending)[column:], 0
        self[column] = found
        return found


class _Step(NamedTuple):
    """A slot in the HTML: what stands before it, encoded, and what follows."""

    fixed: str
    column: int | None
    """Where the slot's value begins; None where that depends on an earlier slot of the same line."""
    name: str
    following: _Following


def _text_line(pieces: list[str]) -> _TextLine:
    """Return a line from what stands before, between and after its slots, and the slots' names."""
    before, name, after, *rest = pieces
    is_alone = not rest
    begins_a_column = not before.strip() or before.endswith("  ")
    hangs = is_alone and begins_a_column and " ".join(f"x{after}".split()) == f"x{after}"
    return _TextLine(
        before,
        name,
        after,
        further=tuple(zip(rest[::2], rest[1::2], strict=True)),
        hangs=hangs,
        is_link=hangs and name in LINKS and not after,
        is_plain=is_alone and _PLAIN.fullmatch(before + after) is not None and not after.endswith(" "),
    )


def _quote_plain(row: str) -> str:
    if 1 < len(row) <= _UNBROKEN:
        return row
    if _UNBROKEN < len(row) <= _ROOM + _UNBROKEN:
        return f"{row[:_ROOM]}=\r\n{row[_ROOM:]}"
    return quote_printable(row + "\n")[: -len(CRLF)]


def _encode_from(column: int, words: str) -> tuple[str, int]:
    """Encode words that begin at a column and are followed by more. Return with them the column at which they end."""
    encoded = quote_printable("x" * column + words + "x")[:-1]
    return encoded[column:], len(encoded) - 1 - encoded.rfind("\n")


def _break_from(column: int, words: str) -> tuple[str, int]:
    """Do the same for plain words, which are only broken."""
    room = _ROOM - column
    rows = [words[:room], *(words[at : at + _ROOM] for at in range(room, len(words), _ROOM))]
    return _SOFT_BREAK.join(rows), len(rows[-1])


def _lines_of(text: str) -> Iterator[tuple[str, str]]:
    *others, last = text.split("\n")
    for line in others:
        yield line, "\n"
    yield last, ""
