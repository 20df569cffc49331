"""A statement as a message to Slack: Block Kit, as an incoming webhook takes it.

Slack documents at most 50 blocks, 3,000 characters in a section and 150 in a header. It also refuses messages whose
blocks are too long together, at some 13,000 characters of JSON, and names no figure: `msg_blocks_too_long`.
"""

from __future__ import annotations

import html
import json
from collections.abc import Iterable
from typing import Any, Final

from registry.domain.vocabulary import Audience
from registry.language import gettext as _
from registry.letters.chat_words import (
    A_TEST,
    LONGEST_NAME,
    SEE_THE_NOTICE,
    ChatStatement,
    Line,
    cut,
    fit,
    say_left_out,
)
from registry.letters.slots import STX
from registry.letters.values import StatementFacts
from registry.letters.web_slots import freeze_document

MOST_BLOCKS: Final = 50
LONGEST_TEXT: Final = 3_000
LONGEST_HEADER: Final = 150
LONGEST_BLOCKS: Final = 10_000
"""Characters of all blocks together: well below what Slack was seen to refuse."""

_ROOM_FOR_VALUES: Final = 5 * LONGEST_NAME + 400
"""What the slots may add: a name in which every character is escaped, a deadline in words, a reference."""

_Block = dict[str, Any]


def freeze_message(facts: StatementFacts, audience: Audience, title: str) -> str:
    """Return the message of a statement, open where recipients differ; what does not fit is cut, with a link to it."""
    return freeze_document(fit(facts, audience, title, _write, _fits))


def escape(text: str) -> str:
    """Return plain text as Slack's markup has it: three characters are special there, and no other."""
    return html.escape(text, quote=False)


def write_test(publisher: str) -> bytes:
    """Return the message that finds out whether an address takes any."""
    text = _(A_TEST, name=publisher)
    return json.dumps({"text": escape(text)}, ensure_ascii=False).encode("utf-8")


def _write(statement: ChatStatement) -> dict[str, Any]:
    notice = _link(statement.notice_url, _(SEE_THE_NOTICE))
    blocks = [_header(statement.title)]
    # A section to each line: a value that is filled in later cannot make another one too long.
    blocks += [_section(f"*{escape(line.label)}:* {escape(line.value)}") for line in statement.lead]
    if statement.summary:
        blocks.append(_section(escape(statement.summary)))
    if statement.explanation:
        blocks.append(_section(escape(statement.explanation)))
    if statement.changes or statement.left_out:
        blocks.append({"type": "divider"})
    for change in statement.changes:
        lines = [f"*{escape(change.headline)}*", *_items(change.lines)]
        blocks.append(_section("\n".join([*lines, f"… {notice}"] if change.is_cut else lines)))
    if statement.left_out:
        blocks.append(_section(f"{escape(say_left_out(statement.left_out))} {notice}"))
    blocks.append({"type": "divider"})
    links = f"{_link(statement.notice_url, _('The notice'))} · {_link(statement.page_url, _('The list'))}"
    reference = f"{escape(statement.reference.label)}: {escape(statement.reference.value)}"
    blocks.append({"type": "context", "elements": [_markup(links), _markup(reference)]})
    # Shown in notifications, and by whatever cannot show blocks.
    return {"text": escape(statement.title), "blocks": blocks, "unfurl_links": False, "unfurl_media": False}


def _fits(message: dict[str, Any]) -> bool:
    blocks: list[_Block] = message["blocks"]
    sections = [block["text"]["text"] for block in blocks if block["type"] == "section"]
    is_each_short = all(len(text) + (_ROOM_FOR_VALUES if STX in text else 0) <= LONGEST_TEXT for text in sections)
    whole = len(json.dumps(blocks, ensure_ascii=False)) + _ROOM_FOR_VALUES
    return is_each_short and len(blocks) <= MOST_BLOCKS and whole <= LONGEST_BLOCKS


def _items(lines: Iterable[Line]) -> list[str]:
    return [f"• {escape(line.label)}: {escape(line.value)}" for line in lines]


def _header(text: str) -> _Block:
    return {"type": "header", "text": {"type": "plain_text", "text": cut(text, LONGEST_HEADER), "emoji": False}}


def _section(text: str) -> _Block:
    return {"type": "section", "text": _markup(text)}


def _markup(text: str) -> dict[str, Any]:
    # Verbatim: what looks like an address or a name stays the text it is.
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _link(url: str, words: str) -> str:
    return f"<{escape(url)}|{escape(words)}>"
