"""What an item of a feed and an event of the calendar say, in words and HTML: nothing here knows how a feed is made."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from markupsafe import Markup, escape

from registry.language import Words, marked, ngettext
from registry.language import gettext as _
from registry.markdown import to_html
from registry.pages.entry_facts import Names
from registry.pages.filters import LABELS, find_words, say_choice
from registry.pages.notice_facts import ChangeRow, Member, tell_change, tell_effect, tell_objection
from registry.pages.selection import ListQuery
from registry.pages.values import Addresses, PublicList, PublicNotice, PublicPublisher, ToldStatement
from registry.pages.wording import NOT_STATED, date_told, local_date

_KINDS: Final = Words(
    {
        "announcement": marked("Announced"),
        "withdrawn": marked("Announced, then withdrawn"),
        "correction": marked("Corrected"),
        "postponement": marked("Postponed"),
        "withdrawal": marked("Withdrawn"),
        "effect": marked("In effect"),
    }
)


@dataclass(frozen=True)
class Told:
    """One thing a feed has to tell of a notice: a statement, or what became of it.

    `name` is unique within the notice and never changes. `statement` is None where only the fact is known, and
    `is_replaced` says that a later statement of the same kind holds instead. Both instants are UTC.
    """

    notice: PublicNotice
    kind: str
    name: str
    published_at: datetime
    updated_at: datetime
    statement: ToldStatement | None
    is_replaced: bool = False


def list_told(notice: PublicNotice) -> Iterable[Told]:
    """List what feeds tell of a notice: every statement but reminders, which tell nothing new, and its effect."""
    by_kind = {statement.kind: statement for statement in notice.statements}
    told = [statement for statement in notice.statements if statement.kind in {"correction", "postponement"}]
    announcement = by_kind.get("announcement")
    # Its effect is what tells the date of a notice that was put off until further notice.
    is_undated = bool(told) and told[-1].effective_on is None
    dated_at = [notice.took_effect_at] if notice.took_effect_at is not None and is_undated else []
    if notice.withdrawn_at is None:
        last_told_at = max([notice.announced_at, *(statement.made_at for statement in told), *dated_at])
        yield Told(notice, "announcement", "announcement", notice.announced_at, last_told_at, announcement)
    else:
        # A reader may come to the announcement first, and must not take what was withdrawn for true.
        gone_at = notice.withdrawn_at
        yield Told(notice, "withdrawn", "announcement", notice.announced_at, gone_at, announcement)
        yield Told(notice, "withdrawal", "withdrawal", gone_at, gone_at, by_kind.get("withdrawal"))
    for place, statement in enumerate(told):
        is_replaced = any(other.kind == statement.kind for other in told[place + 1 :])
        # What it says is what holds now, so that any later statement changes it.
        later = [other.made_at for other in told[place:]] + ([] if is_replaced else dated_at)
        name = f"{statement.kind}-{statement.seq}"
        changed_at = notice.withdrawn_at or max(later)
        yield Told(notice, statement.kind, name, statement.made_at, changed_at, statement, is_replaced)
    if notice.took_effect_at is not None:
        at = notice.took_effect_at
        yield Told(notice, "effect", "effect", at, at, by_kind.get("effect"))


def title_of(told: Told) -> str:
    """Say in one line what an item tells."""
    kind = _KINDS[told.kind]
    if told.notice.emergency_reason:
        return _("%(kind)s (emergency): %(summary)s", kind=kind, summary=told.notice.summary)
    return _("%(kind)s: %(summary)s", kind=kind, summary=told.notice.summary)


def categories_of(told: Told) -> tuple[str, ...]:
    """Return what an item is about: the kind of statement, and the entries that change."""
    return (_KINDS[told.kind], *(change.name for change in told.notice.changes))


def sentences_of(told: Told, publisher: PublicPublisher) -> list[str]:
    """Say in sentences of plain text what an item tells, as it holds now."""
    notice = told.notice
    if told.is_replaced:
        return [_("A later statement of notice %(number)s has replaced this one.", number=notice.number)]
    if told.kind == "effect":
        return [tell_effect(notice, publisher), *_emergency(notice)]
    if told.kind in {"withdrawn", "withdrawal"} or notice.took_effect_at is None:
        return sentences_now(notice, publisher)
    # That a notice was carried out does not make its announcement news again: it goes on saying what it said.
    zone = publisher.time_zone
    effective_on = notice.effective_on or local_date(notice.took_effect_at, zone)
    objection = tell_objection(notice, publisher)
    takes_effect = _("Takes effect on %(date)s.", date=date_told(effective_on, zone))
    return [takes_effect, *([objection] if objection else []), *_emergency(notice)]


def sentences_now(notice: PublicNotice, publisher: PublicPublisher) -> list[str]:
    """Say in sentences of plain text what holds of a notice now."""
    objection = tell_objection(notice, publisher) if notice.state != "withdrawn" else None
    return [tell_effect(notice, publisher), *([objection] if objection else []), *_emergency(notice)]


def _emergency(notice: PublicNotice) -> list[str]:
    if not notice.emergency_reason:
        return []
    reason = notice.emergency_reason
    return [_("Emergency change that does not wait for the notice period. Reason: %(reason)s", reason=reason)]


def founding_sentence(publisher: PublicPublisher) -> str:
    """Say what a new list promises (R5)."""
    return ngettext(
        "%(name)s publishes its list of subprocessors, and announces changes %(num)s day ahead.",
        "%(name)s publishes its list of subprocessors, and announces changes %(num)s days ahead.",
        publisher.notice_days,
        name=publisher.name,
    )


def feed_title(public: PublicList, query: ListQuery | None) -> str:
    """Return the name of a feed or calendar, which says whether it is narrowed."""
    if query is not None and query.asks_anything:
        return _("%(publisher)s: subprocessor changes (filtered)", publisher=public.publisher.name)
    return _("%(publisher)s: subprocessor changes", publisher=public.publisher.name)


def feed_subtitle(public: PublicList, query: ListQuery | None) -> str:
    """Say what a feed or calendar tells, in which time zone, and what it is narrowed to."""
    said = _(
        "Changes to the subprocessors of %(publisher)s, as they are announced and as they take effect. "
        "Dates are local to %(zone)s.",
        publisher=public.publisher.name,
        zone=public.publisher.time_zone,
    )
    if query is None or not query.asks_anything:
        return said
    return f"{said} {_('Only what concerns: %(filter)s.', filter=say_query(query, public))}"


def say_query(query: ListQuery, public: PublicList) -> str:
    """Say what a filter asks for, such as "Product: Live streaming; Data: Account data"."""
    asked: dict[str, list[str]] = {}
    words = find_words(public)
    for field, value in query.as_query():
        asked.setdefault(field, []).append(say_choice(field, value, public.publisher, words))
    return "; ".join(f"{LABELS[field]}: {', '.join(values)}" for field, values in asked.items())


def content_of(told: Told, names: Names, left_out: int, public: PublicList, addresses: Addresses) -> str:
    """Return an item whole, as HTML: its sentences, the publisher's own words, and each change before and after.

    `left_out` is how many changes of the notice do not concern what the feed is narrowed to.
    """
    notice = told.notice
    parts = [Markup("<p>{}</p>").format(sentence) for sentence in sentences_of(told, public.publisher)]
    # What was withdrawn is explained by nobody any more.
    if notice.explanation and notice.withdrawn_at is None:
        parts.append(to_html(notice.explanation))
    parts += _changes_html(notice, names, addresses)
    if left_out:
        others = ngettext(
            "The notice holds %(num)s more change, which this filter leaves out.",
            "The notice holds %(num)s more changes, which this filter leaves out.",
            left_out,
        )
        parts.append(Markup("<p>{}</p>").format(others))
    return "\n".join(parts)


def _changes_html(notice: PublicNotice, names: Names, addresses: Addresses) -> list[Markup]:
    parts = []
    for change in (tell_change(change, addresses, names) for change in notice.changes):
        name = Markup('<a href="{}">{}</a>').format(change.url, change.name) if change.url else escape(change.name)
        parts.append(Markup("<h3>{}: {}</h3>").format(name, change.kinds))
        if change.is_addition or change.is_removal:
            if change.rows:
                parts.append(_facts_html(change.rows, after=change.is_addition))
        elif change.rows:
            parts.append(_table_html(change.rows))
    return parts


def _facts_html(rows: tuple[ChangeRow, ...], *, after: bool) -> Markup:
    items = [
        Markup("<li>{}: {}</li>").format(row.label, _side_html(row.after if after else row.before)) for row in rows
    ]
    return Markup("<ul>{}</ul>").format(Markup("").join(items))


def _table_html(rows: tuple[ChangeRow, ...]) -> Markup:
    cells = Markup('<th scope="col">{}</th>')
    head = Markup("").join(cells.format(label) for label in (_("Field"), _("Before"), _("After")))
    body = [
        Markup('<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>').format(
            row.label, _side_html(row.before), _side_html(row.after)
        )
        for row in rows
    ]
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, Markup("").join(body))


def _side_html(side: tuple[Member, ...]) -> Markup:
    return Markup("<br>").join(member.text for member in side) if side else escape(_(NOT_STATED))
