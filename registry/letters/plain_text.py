"""Plain text that reads well in any mail program: no line longer than 78 columns but for a word that is longer.

Own code and not `textwrap`, because the bytes of a letter must come out the same for years (R30) and this is all of it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from registry.markdown import TextBlock

WIDTH: Final = 78

_NEVER_FIRST: Final = frozenset("，。、；：！？）》」』】〕…”’")
_NEVER_LAST: Final = frozenset("（《「『【〔“‘")


def wrap(text: str, first: str = "", rest: str | None = None) -> str:
    """Break one paragraph at its spaces, the first line after `first`, the others after `rest` (default: `first`).

    Line breaks in `text` count as spaces. A word longer than a line, such as a web address, stays whole. Chinese,
    which has no spaces, is broken between its characters, each two columns wide.
    """
    return _wrap(text, first, first if rest is None else rest, break_wide if is_wide(text) else break_lines)


def _wrap(text: str, first: str, rest: str, break_up: Callable[[str, str, str], list[str]]) -> str:
    return "\n".join(break_up(" ".join(text.split()), first, rest)).rstrip()


def columns(text: str) -> int:
    """Return how many columns a text takes where each Chinese, Japanese or Korean character takes two."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def is_wide(text: str) -> bool:
    """Return whether a text has a character that takes two columns."""
    return columns(text) > len(text)


def break_lines(text: str, first: str, rest: str) -> list[str]:
    """Break a paragraph whose words have one space between them and none around them, as `wrap` does."""
    lines: list[str] = []
    lead, at = first, 0
    while len(lead) + len(text) - at > WIDTH:
        space_at = text.rfind(" ", at, at + max(WIDTH - len(lead) + 1, 0))
        if space_at < 0:
            space_at = text.find(" ", at)
        if space_at < 0:
            break
        lines.append(lead + text[at:space_at])
        lead, at = rest, space_at + 1
    return [*lines, lead + text[at:]]


def break_wide(text: str, first: str, rest: str) -> list[str]:
    """Break a paragraph that has wide characters: at its spaces, and between two of which one is wide.

    No line begins with what closes a phrase, or ends with what opens one.
    """
    lines: list[str] = []
    lead, at = first, 0
    while columns(lead) + columns(text[at:]) > WIDTH:
        room, end, broken_at = WIDTH - columns(lead), at, None
        while end < len(text) and (room >= 0 or broken_at is None):
            if end > at and _may_break(text, end):
                broken_at = end
            room -= columns(text[end])
            if room < 0 and broken_at is not None:
                break
            end += 1
        if broken_at is None or end == len(text):
            break
        lines.append(lead + text[at:broken_at].rstrip())
        at = broken_at + (len(text[broken_at:]) - len(text[broken_at:].lstrip()))
        lead = rest
    return [*lines, lead + text[at:]]


def _may_break(text: str, at: int) -> bool:
    before, after = text[at - 1], text[at]
    if after == " ":
        return True
    return (
        (is_wide(before) or is_wide(after))
        and after not in _NEVER_FIRST
        and before not in _NEVER_LAST
        and before != " "
    )


def wrap_lines(text: str, indent: str = "") -> str:
    """Break a text somebody wrote; its own line breaks and blank lines stay."""
    return "\n".join(wrap(line, indent) if line.strip() else "" for line in text.split("\n"))


def wrap_blocks(blocks: Iterable[TextBlock]) -> str:
    """Break the blocks of a text that had markup, each under what leads it."""
    lines: list[str] = []
    for block in blocks:
        if block.is_apart:
            lines.append("")
        leads = [block.lead, *([block.hang] * (len(block.lines) - 1))]
        lines += [wrap(line, lead, block.hang) for line, lead in zip(block.lines, leads, strict=True)]
    return "\n".join(lines)


def lay_out(label: str, items: Sequence[str], indent: str = "", column: int = 17) -> str:
    """Set items below one another in a column, the label before the first, or above it where it is too long for that.
    Each item's own line breaks stay.

    Of several items, what does not fit on an item's first line goes two columns in, so that each is seen to begin.
    """
    blank = " " * column
    hanging = f"{blank}  " if len(items) > 1 else blank
    lead = f"{indent}{label}"
    lines: list[str] = []
    if columns(lead) < column:
        lead += " " * (column - columns(lead))
    else:
        lines.append(lead)
    for item in items:
        first, *others = [line for line in item.split("\n") if line.strip()]
        lines.append(wrap(first, blank if lines else lead, hanging))
        lines += [wrap(line, hanging) for line in others]
    return "\n".join(lines)


def rewrap(line: str, slot_at: int) -> str:
    """Break a line that grew too long because a slot in it, at column `slot_at`, was filled.

    Where the slot stood in a column of its own (after two spaces), the lines that follow begin in that column. It is
    broken at spaces alone: bytes that were sent must come out the same.
    """
    if len(line) <= WIDTH:
        return line
    before = line[:slot_at]
    if not before.strip() or before.endswith("  "):
        return _wrap(line[slot_at:], before, " " * slot_at, break_lines)
    indent = line[: len(line) - len(line.lstrip(" "))]
    return _wrap(line, indent, indent, break_lines)
