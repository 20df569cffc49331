"""Letters, rendered once per statement, language and audience, with slots for what differs per recipient (R30).

This module reads no clock, no database and no setting. What goes to one recipient is made by `compose`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import css_inline
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from registry import markdown
from registry.domain.changes import change_in_language
from registry.domain.vocabulary import Audience, ServiceLetterKind, StatementKind
from registry.language import gettext_for_templates, speaking, spoken
from registry.letters import plain_text, wording
from registry.letters.rows import EntryInWords, Member, tell_changes
from registry.letters.slots import Slot, refuse_slot_marks
from registry.letters.values import (
    AcknowledgedFacts,
    FailingEndpoint,
    FrozenLetter,
    ObjectionFacts,
    Sender,
    StatementFacts,
)


class LetterRenderer:
    """Renders the templates below `templates_folder`/mail. Holds no state but its Jinja environment.

    Sentences stand in the templates, once for plain text and HTML alike (`words.txt`); values in words come from
    `registry.letters.wording`. An undefined or missing value is an error, never an empty space in a letter.
    """

    def __init__(self, templates_folder: Path) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(templates_folder),
            undefined=StrictUndefined,
            autoescape=select_autoescape(enabled_extensions=("html",), default=False),
            trim_blocks=True,
            lstrip_blocks=True,
            finalize=_refuse_none,
            extensions=["jinja2.ext.i18n"],
        )
        self._environment.policies["ext.i18n.trimmed"] = True
        self._environment.install_gettext_callables(**gettext_for_templates())  # type: ignore[attr-defined]  # the extension adds it
        self._environment.filters |= {
            "one_line": one_line,
            "prose": plain_text.wrap,
            "lines": plain_text.wrap_lines,
            "heading": lambda text: _underlined(text, "-"),
            "title_lines": lambda text: _underlined(plain_text.wrap(text), "="),
        }
        self._environment.globals |= {
            "slots": Slot,
            "row": lambda label, *items: plain_text.lay_out(f"{label}:", items),
            "column": _column,
            "not_stated": wording.NOT_STATED,
            "no_date": wording.NO_DATE,
        }
        self._inliner = css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)

    def render_statement(self, facts: StatementFacts, audience: Audience, language: str) -> FrozenLetter:
        """Render one statement of a notice (R15) for customers' contacts or for followers, in a language of
        `registry.language.LANGUAGES`; in English where it is none of them.

        Dates are told in the publisher's zone; the objection deadline is a slot, because it is each customer's own.
        Raises `BrokenSlot` if a fact holds one of the two characters that make slots.
        """
        _refuse_slots_within(asdict(facts))
        kind = StatementKind(facts.kind)
        with speaking(language):
            changes = tell_changes(facts.changes, facts.product_names)
            context = {
                "facts": facts,
                "is_customer": audience is Audience.CUSTOMER,
                "changes": changes,
                "is_translated": any(change_in_language(each, spoken()) is not each for each in facts.changes),
                "in_short": _in_short(changes),
                "explanation": markdown.to_html(facts.explanation),
                "explanation_in_text": plain_text.wrap_blocks(markdown.to_blocks(facts.explanation)),
                **_dates_in_words(facts),
            }
            return self._render(kind.value, facts.sender, context)

    def render_service_letter(
        self,
        kind: ServiceLetterKind,
        sender: Sender,
        language: str,
        product_names: Sequence[str] = (),
        endpoint: FailingEndpoint | None = None,
    ) -> FrozenLetter:
        """Render a letter about a subscription itself: asking to confirm it, or saying that there is one already; or
        one to the owner of a failing `endpoint`.

        `product_names` are the products the subscription is limited to, as people call them; none means all. Nothing
        else a stranger typed into the form enters the letter, so nobody can have the publisher mail their words.
        """
        _refuse_slots_within([asdict(sender), list(product_names), asdict(endpoint) if endpoint else {}])
        context: dict[str, Any] = {"product_names": tuple(product_names)}
        with speaking(language):
            if endpoint is not None:
                since = wording.say_instant(endpoint.failing_since, sender.time_zone)
                context |= {"endpoint": endpoint, "failing_since": since}
            return self._render(kind.value, sender, context)

    def render_objection_letter(
        self, kind: ServiceLetterKind, sender: Sender, language: str, facts: ObjectionFacts
    ) -> FrozenLetter:
        """Render a letter to the contacts of a customer that objected: what was received, or the publisher's answer.

        What the customer wrote is not in it: the link it was sent by may have been forwarded to anybody.
        """
        _refuse_slots_within([asdict(sender), asdict(facts)])
        with speaking(language):
            context: dict[str, Any] = {
                "facts": facts,
                "received": wording.say_instant(facts.received_at, facts.zone),
                "deadline": wording.say_deadline(facts.last_on, facts.zone) if facts.last_on else None,
            }
            return self._render(kind.value, sender, context)

    def render_acknowledgement(self, sender: Sender, language: str, facts: AcknowledgedFacts) -> FrozenLetter:
        """Render the letter that answers a contact's acknowledgement of one statement."""
        _refuse_slots_within([asdict(sender), asdict(facts)])
        with speaking(language):
            context = {"facts": facts, "acknowledged": wording.say_instant(facts.acknowledged_at, facts.zone)}
            return self._render(ServiceLetterKind.ACKNOWLEDGED.value, sender, context)

    def _render(self, kind: str, sender: Sender, context: Mapping[str, Any]) -> FrozenLetter:
        shared = {"sender": sender, "publisher": _name_of(sender), "language": spoken(), **context}
        subject = one_line(self._environment.get_template(f"mail/{kind}/subject.txt").render(shared))
        text = self._environment.get_template(f"mail/{kind}/body.txt").render(shared)
        html = self._environment.get_template(f"mail/{kind}/body.html").render(shared, subject=subject)
        return FrozenLetter(subject, _tidy(text), self._inliner.inline(html))


def one_line(text: str) -> str:
    """Put a text on one line, every run of white space being one space, so that no line break enters a header."""
    return " ".join(text.split())


def _refuse_none(value: object) -> object:
    if value is None:
        raise ValueError("a letter would show the word None; the template lacks the words for a value not stated")
    return value


def _refuse_slots_within(value: object) -> None:
    if isinstance(value, str):
        refuse_slot_marks(value)
    elif isinstance(value, Mapping):
        _refuse_slots_within(list(value.items()))
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_slots_within(item)


def _name_of(sender: Sender) -> str:
    if sender.legal_name is None or sender.legal_name == sender.name:
        return sender.name
    return f"{sender.name} ({sender.legal_name})"


def _in_short(changes: Sequence[EntryInWords]) -> tuple[str, ...]:
    return tuple(f"{change.name}: {change.headline}" for change in changes)


def _dates_in_words(facts: StatementFacts) -> dict[str, str | None]:
    """Put every date of a statement into words, local to the publisher; None where there is none."""
    zone = facts.sender.time_zone

    def in_full(on: date | None) -> str | None:
        return None if on is None else wording.say_date(on, zone)

    def day(on: date | None) -> str | None:
        return None if on is None else wording.say_day(on)

    return {
        "announced": in_full(_local_date(facts.announced_at, zone)),
        "effective_day": day(facts.effective_on),
        "effective_in_full": wording.say_effective(facts.effective_on, facts.effective_at, zone),
        "previous_day": day(facts.previous_effective_on),
        "previous": in_full(facts.previous_effective_on),
        "took_effect": None if facts.took_effect_at is None else wording.say_instant(facts.took_effect_at, zone),
    }


def _local_date(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()


def _underlined(text: str, with_character: str) -> str:
    return f"{text}\n{with_character * max(plain_text.columns(line) for line in text.splitlines())}"


def _column(label: str, members: Sequence[Member], is_ordered: bool, indent: str, width: int) -> str:
    numbered = is_ordered and len(members) > 1
    items = [f"{n}. {member.lines}" if numbered else member.lines for n, member in enumerate(members, start=1)]
    return plain_text.lay_out(f"{label}:", items, indent, width)


def _tidy(text: str) -> str:
    """Leave one blank line where the templates left several, and none at the ends."""
    lines: list[str] = []
    for line in text.split("\n"):
        stripped = line.rstrip(" ")
        if stripped or (lines and lines[-1]):
            lines.append(stripped)
    return "\n".join(lines).rstrip("\n") + "\n"
