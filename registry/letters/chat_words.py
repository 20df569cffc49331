"""A statement in the words of a message to a chat room: short lines, whatever service shows them.

A room has many readers, so no link stands in it that acts for whoever opens it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Final

from registry.domain.vocabulary import Audience, StatementKind
from registry.language import gettext as _
from registry.language import marked, ngettext
from registry.letters import wording
from registry.letters.rows import EntryInWords, Member, Row, tell_changes
from registry.letters.values import StatementFacts
from registry.letters.web_slots import WebSlot, refuse_marks_within
from registry.letters.webhook_payload import WITHOUT_DEADLINE
from registry.markdown import to_text

LONGEST_NAME: Final = 200
"""A customer's name is cut after so many characters, so that the room it takes is known when the message is frozen."""
SEE_THE_NOTICE: Final = marked("see the notice")
A_TEST: Final = marked(
    "%(name)s will post changes to its list of subprocessors here. This message is a test of the address."
)

_SHARES: Final = ((2_500, 1_500), (1_200, 1_500), (600, 1_000), (300, 500), (150, 500), (80, 300))
"""The most characters that a change may take, and of all prose each piece, from the roomiest down."""
_LEAST: Final = (80, 100)


@dataclass(frozen=True)
class Line:
    """One line: what it tells, and its value. A change's own line has no label."""

    label: str
    value: str


@dataclass(frozen=True)
class ChangeInWords:
    """One entry's change: its headline, and a line for each field. `is_cut`: there is more in the notice."""

    headline: str
    lines: tuple[Line, ...]
    is_cut: bool = False


@dataclass(frozen=True)
class ChatStatement:
    """All that a message says. `left_out` counts the changes that it has no room for.

    `explanation` are the publisher's own words as plain text, with their line breaks.
    """

    title: str
    lead: tuple[Line, ...]
    summary: str
    explanation: str
    changes: tuple[ChangeInWords, ...]
    left_out: int
    notice_url: str
    page_url: str
    reference: Line


def fit(
    facts: StatementFacts,
    audience: Audience,
    title: str,
    write: Callable[[ChatStatement], dict[str, Any]],
    fits: Callable[[dict[str, Any]], bool],
) -> dict[str, Any]:
    """Return the fullest message that fits: changes are cut first, and then left out from the last one on.

    It is in the language spoken here. `write` puts a statement into the service's own form, `fits` says whether the
    service takes it. Raises `BrokenSlot`, and ValueError where not even a message without changes fits.
    """
    refuse_marks_within(asdict(facts))
    refuse_marks_within(title)
    changes = tell_changes(facts.changes, facts.product_names)
    explanation = to_text(facts.explanation)
    for count, share, prose in _plans(len(changes)):
        shown = tuple(_in_words(change, share) for change in changes[:count])
        lead = tuple(_lead(facts, audience, prose))
        statement = ChatStatement(
            title=title,
            lead=lead,
            summary=cut(facts.summary, prose),
            explanation=cut(explanation, prose),
            changes=shown,
            left_out=len(changes) - count,
            notice_url=facts.notice_url,
            page_url=facts.sender.page_url,
            reference=Line(_("Reference"), WebSlot.DELIVERY_REFERENCE.mark),
        )
        message = write(statement)
        if fits(message):
            return message
    raise ValueError("a message does not fit even without its changes")


def cut(text: str, longest: int) -> str:
    """Return a text of at most `longest` characters; one that was longer ends in "…"."""
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"


def say_left_out(count: int) -> str:
    """Say how many changes a message has no room for, before the link to them."""
    return ngettext("… and %(num)s more:", "… and %(num)s more:", count)


def _plans(changes: int) -> Iterator[tuple[int, int, int]]:
    yield from ((changes, share, prose) for share, prose in _SHARES)
    yield from ((count, *_SHARES[-1]) for count in range(changes - 1, 0, -1))
    yield 0, *_LEAST


def _lead(facts: StatementFacts, audience: Audience, prose: int) -> Iterator[Line]:
    kind = StatementKind(facts.kind)
    if audience is Audience.CUSTOMER:
        yield Line(_("For"), WebSlot.CUSTOMER_NAME.mark)
    effective = wording.say_effective(facts.effective_on, facts.effective_at, facts.sender.time_zone)
    match kind:
        case StatementKind.POSTPONEMENT:
            yield Line(_("New date"), effective or _("none yet, until further notice"))
            if facts.previous_effective_on is not None:
                yield Line(_("Instead of"), wording.say_date(facts.previous_effective_on, facts.sender.time_zone))
        case StatementKind.WITHDRAWAL:
            yield Line(_("Withdrawn"), _("this change will not take place, and the list stays as it is"))
        case StatementKind.EFFECT if facts.took_effect_at is not None:
            yield Line(_("In effect since"), wording.say_instant(facts.took_effect_at, facts.sender.time_zone))
        case _:
            yield Line(_("Takes effect"), effective or _("not until further notice"))
    if audience is Audience.CUSTOMER and kind not in WITHOUT_DEADLINE:
        yield Line(_("Object by"), WebSlot.DEADLINE_IN_WORDS.mark)
        how = _("write to %(contact)s and quote notice %(number)s", contact=facts.sender.contact, number=facts.number)
        yield Line(_("How to object"), how)
    if facts.emergency_reason and kind is not StatementKind.WITHDRAWAL:
        yield Line(_("Emergency"), cut(facts.emergency_reason, prose))
    if facts.reason:
        yield Line(_("Reason"), cut(facts.reason, prose))


def _in_words(change: EntryInWords, share: int) -> ChangeInWords:
    headline = cut(f"{change.name}: {change.headline}", share)
    left = share - len(headline)
    lines: list[Line] = []
    for row in change.rows:
        line = Line(row.label, _told(row, is_whole=change.is_whole))
        taken = len(line.label) + len(line.value)
        if taken > left:
            if left > len(line.label) + 40:
                lines.append(Line(line.label, cut(line.value, left - len(line.label))))
            return ChangeInWords(headline, tuple(lines), is_cut=True)
        lines.append(line)
        left -= taken
    return ChangeInWords(headline, tuple(lines), is_cut=len(headline) < len(f"{change.name}: {change.headline}"))


def _told(row: Row, *, is_whole: bool) -> str:
    after = _members(row.after, is_ordered=row.is_ordered)
    return after if is_whole else f"{_members(row.before, is_ordered=row.is_ordered)} → {after}"


def _members(members: tuple[Member, ...], *, is_ordered: bool) -> str:
    texts = [" ".join(member.lines.split()) for member in members]
    if is_ordered and len(texts) > 1:
        texts = [f"{n}. {text}" for n, text in enumerate(texts, start=1)]
    return "; ".join(texts)
