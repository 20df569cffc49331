"""Plain text that reads well in any mail program: no line longer than 78 columns but for a word that is longer.

Own code and not `textwrap`, because the bytes of a letter must come out the same for years (R30) and this is all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from registry.markdown import TextBlock

WIDTH: Final = 78


def wrap(text: str, first: str = "", rest: str | None = None) -> str:
    """Break one paragraph at its spaces, the first line after `first`, the others after `rest` (default: `first`).

    Line breaks in `text` count as spaces. A word longer than a line, such as a web address, stays whole.
    """
    return "\n".join(break_lines(" ".join(text.split()), first, first if rest is None else rest)).rstrip()


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
    """Set items below one another in a column, the label before the first. Each item's own line breaks stay.

    Of several items, what does not fit on an item's first line goes two columns in, so that each is seen to begin.
    """
    blank = " " * column
    hanging = f"{blank}  " if len(items) > 1 else blank
    lead = f"{indent}{label}".ljust(column - 1) + " "
    lines: list[str] = []
    for item in items:
        first, *others = [line for line in item.split("\n") if line.strip()]
        lines.append(wrap(first, blank if lines else lead, hanging))
        lines += [wrap(line, hanging) for line in others]
    return "\n".join(lines)


def rewrap(line: str, slot_at: int) -> str:
    """Break a line that grew too long because a slot in it, at column `slot_at`, was filled.

    Where the slot stood in a column of its own (after two spaces), the lines that follow begin in that column.
    """
    if len(line) <= WIDTH:
        return line
    before = line[:slot_at]
    if not before.strip() or before.endswith("  "):
        return wrap(line[slot_at:], before, " " * slot_at)
    indent = line[: len(line) - len(line.lstrip(" "))]
    return wrap(line, indent)
