"""A statement as a message to Microsoft Teams: an Adaptive Card, in the envelope that webhooks and Workflows take.

Teams takes 28 KB a message, counted after Workflows has packed it anew: a card of 24,453 bytes was seen to be refused
as 28,897. Text runs are used throughout, since Teams reads no Markdown in them: what somebody wrote stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from registry.domain.vocabulary import Audience
from registry.language import gettext as _
from registry.letters.chat_words import (
    A_TEST,
    LONGEST_NAME,
    SEE_THE_NOTICE,
    ChangeInWords,
    ChatStatement,
    Line,
    fit,
    say_left_out,
)
from registry.letters.values import StatementFacts
from registry.letters.web_slots import freeze_document

CARD_TYPE: Final = "application/vnd.microsoft.card.adaptive"
CARD_VERSION: Final = "1.4"
CARD_SCHEMA: Final = "http://adaptivecards.io/schemas/adaptive-card.json"
LONGEST_MESSAGE: Final = 28 * 1024
LONGEST_FROZEN: Final = 20_000
"""Bytes of the finished message: a fifth and more below what is taken, for what is added on the way."""

_ROOM_FOR_VALUES: Final = 6 * LONGEST_NAME + 400
"""What the slots may add: a name whose characters take up to four bytes or an escape, a deadline, a reference."""

_Element = dict[str, Any]


def freeze_message(facts: StatementFacts, audience: Audience, title: str) -> str:
    """Return the message of a statement, open where recipients differ; what does not fit is cut, with a link to it."""
    return freeze_document(fit(facts, audience, title, _write, _fits))


def write_test(publisher: str) -> bytes:
    """Return the message that finds out whether an address takes any."""
    text = _(A_TEST, name=publisher)
    return json.dumps(_message(text, [_block(_run(text))], []), ensure_ascii=False).encode("utf-8")


def _write(statement: ChatStatement) -> dict[str, Any]:
    body = [_block(_run(statement.title, size="Large", weight="Bolder"))]
    body += [_labelled(line) for line in statement.lead]
    if statement.summary:
        body += _prose(statement.summary)
    if statement.explanation:
        body += _prose(statement.explanation)
    for change in statement.changes:
        body += _change(change, statement.notice_url)
    if statement.left_out:
        more = _run(f"{say_left_out(statement.left_out)} ")
        body.append(_block(more, _link(_(SEE_THE_NOTICE), statement.notice_url), separator=True))
    body.append(_block(_run(f"{statement.reference.label}: {statement.reference.value}", is_subtle=True)))
    actions = [(_("The notice"), statement.notice_url), (_("The list"), statement.page_url)]
    return _message(statement.title, body, [{"type": "Action.OpenUrl", "title": t, "url": url} for t, url in actions])


def _fits(message: dict[str, Any]) -> bool:
    return len(json.dumps(message, ensure_ascii=False).encode("utf-8")) + _ROOM_FOR_VALUES <= LONGEST_FROZEN


def _message(title: str, body: list[_Element], actions: list[_Element]) -> dict[str, Any]:
    card = {
        "$schema": CARD_SCHEMA,
        "type": "AdaptiveCard",
        "version": CARD_VERSION,
        "fallbackText": title,
        "msteams": {"width": "Full"},
        "body": body,
        "actions": actions,
    }
    return {"type": "message", "attachments": [{"contentType": CARD_TYPE, "contentUrl": None, "content": card}]}


def _prose(text: str) -> list[_Element]:
    return [_block(_run(paragraph)) for paragraph in text.splitlines() if paragraph.strip()]


def _change(change: ChangeInWords, notice_url: str) -> Iterator[_Element]:
    yield _block(_run(change.headline, weight="Bolder"), separator=True)
    for line in change.lines:
        yield _labelled(line)
    if change.is_cut:
        yield _block(_run("… "), _link(_(SEE_THE_NOTICE), notice_url), spacing="None")


def _labelled(line: Line) -> _Element:
    return _block(_run(f"{line.label}: ", weight="Bolder"), _run(line.value), spacing="Small")


def _block(*runs: _Element, spacing: str | None = None, separator: bool = False) -> _Element:
    block: _Element = {"type": "RichTextBlock", "inlines": list(runs)}
    if spacing is not None:
        block["spacing"] = spacing
    if separator:
        block["separator"] = True
    return block


def _run(text: str, *, size: str | None = None, weight: str | None = None, is_subtle: bool = False) -> _Element:
    run: _Element = {"type": "TextRun", "text": text}
    if size is not None:
        run["size"] = size
    if weight is not None:
        run["weight"] = weight
    if is_subtle:
        run["isSubtle"] = True
    return run


def _link(words: str, url: str) -> _Element:
    return {"type": "TextRun", "text": words, "selectAction": {"type": "Action.OpenUrl", "url": url}}
