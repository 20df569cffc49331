"""The forms a statement goes out in by web, beside the letter: for webhooks, and for each chat service."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from registry.domain.vocabulary import Audience, ChannelKind
from registry.language import speaking
from registry.letters import slack_message, teams_message
from registry.letters.chat_words import LONGEST_NAME, cut
from registry.letters.values import FrozenLetter, StatementFacts
from registry.letters.web_slots import WebSlot, fill_document
from registry.letters.webhook_payload import freeze_payload

WEB_FORMS: Final = (ChannelKind.WEBHOOK, ChannelKind.SLACK, ChannelKind.TEAMS)


def freeze_form(
    form: ChannelKind, facts: StatementFacts, audience: Audience, title: str, language: str, made_at: datetime
) -> FrozenLetter:
    """Return a statement made at `made_at` (UTC) in one form, open where recipients differ.

    `title` is one line. Raises `BrokenSlot` if a fact holds one of the two characters that make slots, and ValueError
    for a form that is not of the web.
    """
    with speaking(language):
        match form:
            case ChannelKind.WEBHOOK:
                text = freeze_payload(facts, audience, made_at)
            case ChannelKind.SLACK:
                text = slack_message.freeze_message(facts, audience, title)
            case ChannelKind.TEAMS:
                text = teams_message.freeze_message(facts, audience, title)
            case _:
                raise ValueError(f"{form} is no form of the web")
    return FrozenLetter(title, text, "")


def fill_form(form: ChannelKind, frozen: str, values: Mapping[str, str]) -> bytes:
    """Return one recipient's message, the same bytes for the same values. Raises as `fill_document` does."""
    if form is ChannelKind.WEBHOOK:
        return fill_document(frozen, values)
    # The room it takes was reckoned with when the message was frozen.
    name = WebSlot.CUSTOMER_NAME.value
    shown = {slot: cut(value, LONGEST_NAME) if slot == name else value for slot, value in values.items()}
    return (
        fill_document(frozen, shown, slack_message.escape)
        if form is ChannelKind.SLACK
        else fill_document(frozen, shown)
    )


def write_test(form: ChannelKind, publisher: str) -> bytes:
    """Return the message by which a chat room's address is tried. Raises ValueError for another form."""
    match form:
        case ChannelKind.SLACK:
            return slack_message.write_test(publisher)
        case ChannelKind.TEAMS:
            return teams_message.write_test(publisher)
        case _:
            raise ValueError(f"{form} is no chat service")
