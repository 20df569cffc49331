"""Markdown as a publisher writes its own words in a notice: safe HTML, and text that reads well without any markup.

What it takes is what a letter can show: paragraphs, emphasis, lists, quotations, links to the web and to mailboxes, and
headings of one size, smaller than the letter's own. HTML and tables stay the characters they are typed as, a picture
becomes a link to it. Every line break counts, and an address typed as it is becomes a link.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import nh3
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

HEADING: Final = "h3"
"""Letters, pages and feeds have their own headings above this one."""
_TAGS: Final = {"p", "br", "strong", "em", "ul", "ol", "li", "a", "blockquote", HEADING}
_ATTRIBUTES: Final = {"a": {"href"}, "ol": {"start"}}
_SCHEMES: Final = {"http", "https", "mailto"}
_NOT_SHOWN: Final = ["code", "fence", "hr", "html_block", "reference", "backticks", "image", "html_inline"]
_LINKED = re.compile(r"(?:https?://|mailto:)\S+", re.IGNORECASE)
_BARE_ADDRESS = re.compile(r"\bhttps?://[^\s<>\"'()]+[^\s<>\"'().,;:!?]", re.IGNORECASE)


@dataclass(frozen=True)
class TextBlock:
    """One block of plain text: its lines, what stands before the first of them, and before all others.

    `is_apart`: a blank line stands above it.
    """

    lead: str
    hang: str
    lines: tuple[str, ...]
    is_apart: bool


@lru_cache(maxsize=256)
def to_html(source: str) -> Markup:
    """Return Markdown as HTML that is safe wherever it is put; empty for nothing.

    Links carry `rel="noopener nofollow"`. Nothing in it is loaded from anywhere. The last ones made are kept, since
    page and feeds show the same words.
    """
    if not source:
        return Markup()
    tokens = _parse(source)
    rendered = _PARSER.renderer.render(tokens, _PARSER.options, {})
    cleaned = nh3.clean(
        rendered, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, link_rel="noopener nofollow"
    )
    return Markup(cleaned.strip())  # noqa: S704 - cleaned by an allow-list on the line above


def to_blocks(source: str) -> tuple[TextBlock, ...]:
    """Return Markdown as blocks of plain text, to be wrapped by whoever has a width.

    A link's address follows its words; strong words stand between asterisks, others between underscores.
    """
    return _TextWriter().write(_parse(source))


def to_text(source: str) -> str:
    """Return Markdown as plain text, each paragraph on as many lines as it was given."""
    lines: list[str] = []
    for block in to_blocks(source):
        if block.is_apart:
            lines.append("")
        lead = block.lead
        for line in block.lines:
            lines.append(lead + line)
            lead = block.hang
    return "\n".join(lines)


class _Parser(MarkdownIt):
    """What is taken of CommonMark, with links to the web and to mailboxes alone."""

    def __init__(self) -> None:
        super().__init__("commonmark", {"html": False, "breaks": True})
        self.disable(_NOT_SHOWN)

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the name is markdown-it's
        """Return whether an address may be linked; where not, its Markdown stays as it was typed."""
        return _LINKED.fullmatch(url) is not None


_PARSER: Final = _Parser()


def _parse(source: str) -> list[Token]:
    tokens = _PARSER.parse(source)
    for token in tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = HEADING
        if token.children:
            token.children = list(_link_addresses(token.children))
    return tokens


def _link_addresses(children: Iterable[Token]) -> Iterable[Token]:
    depth = 0
    for token in children:
        depth += {"link_open": 1, "link_close": -1}.get(token.type, 0)
        if depth and token.type == "text":
            # What was typed as <mailto:…> reads as the address.
            token.content = token.content.removeprefix("mailto:")
        if token.type != "text" or depth:
            yield token
            continue
        at = 0
        for found in _BARE_ADDRESS.finditer(token.content):
            yield from _words(token.content[at : found.start()])
            yield Token("link_open", "a", 1, {"href": _PARSER.normalizeLink(found[0])})
            yield from _words(found[0])
            yield Token("link_close", "a", -1)
            at = found.end()
        yield from _words(token.content[at:])


def _words(content: str) -> Iterable[Token]:
    if content:
        yield Token("text", "", 0, content=content)


class _Within:
    """A list item or a quotation that blocks stand in: what it puts before its first line, and before the others."""

    def __init__(self, lead: str, hang: str) -> None:
        self.lead = lead
        self.hang = hang
        self.is_begun = False

    def take_lead(self) -> str:
        """Return what stands before the next block's first line."""
        lead = self.hang if self.is_begun else self.lead
        self.is_begun = True
        return lead


class _TextWriter:
    """Goes through the tokens once and collects the blocks."""

    def __init__(self) -> None:
        self._blocks: list[TextBlock] = []
        self._within: list[_Within] = []
        self._numbers: list[int | None] = []
        self._is_list_new = False

    def write(self, tokens: Sequence[Token]) -> tuple[TextBlock, ...]:
        """Return the blocks of a whole text."""
        is_hidden = False
        for token in tokens:
            match token.type:
                case "bullet_list_open":
                    self._begin_list(None)
                case "ordered_list_open":
                    self._begin_list(int(token.attrGet("start") or 1))
                case "bullet_list_close" | "ordered_list_close":
                    self._numbers.pop()
                case "list_item_open":
                    self._begin_item()
                case "blockquote_open":
                    self._within.append(_Within("> ", "> "))
                case "list_item_close" | "blockquote_close":
                    self._within.pop()
                case "paragraph_open":
                    is_hidden = token.hidden
                case "heading_open":
                    is_hidden = False
                case "inline":
                    self._add(_inline_text(token.children or []), is_tight=is_hidden)
        return tuple(self._blocks)

    def _begin_list(self, number: int | None) -> None:
        self._is_list_new = not self._numbers
        self._numbers.append(number)

    def _begin_item(self) -> None:
        number = self._numbers[-1]
        mark = "- " if number is None else f"{number}. "
        if number is not None:
            self._numbers[-1] = number + 1
        self._within.append(_Within(mark, " " * len(mark)))

    def _add(self, text: str, *, is_tight: bool) -> None:
        is_apart = bool(self._blocks) and (not is_tight or self._is_list_new)
        self._is_list_new = False
        hang = "".join(each.hang for each in self._within)
        lead = "".join([each.take_lead() for each in self._within])
        self._blocks.append(TextBlock(lead, hang, tuple(text.split("\n")), is_apart))


def _inline_text(children: Sequence[Token]) -> str:
    said: list[str] = []
    links: list[tuple[str, int]] = []
    for token in children:
        match token.type:
            case "softbreak" | "hardbreak":
                said.append("\n")
            case "strong_open" | "strong_close":
                said.append("*")
            case "em_open" | "em_close":
                said.append("_")
            case "link_open":
                links.append((str(token.attrGet("href") or ""), len(said)))
            case "link_close":
                address, begun_at = links.pop()
                shown = address.removeprefix("mailto:")
                if "".join(said[begun_at:]) not in {address, shown}:
                    said.append(f" ({shown})")
            case _:
                said.append(token.content)
    return "".join(said)
