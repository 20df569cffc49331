"""What feeds and the calendar tell of a list: the only place where the registry's values meet the `feeds` package.

Readers know an item by its id alone, so ids are made of what never changes: the host, the publisher's slug, the number
of the notice and the statement (RFC 4151 `tag:` addresses). What a statement said may still be overtaken by a later
one; then the item says so, under the same id, with the instant of the later statement as its change.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Literal
from urllib.parse import urlsplit

from markupsafe import Markup, escape

from feeds.calendar import build_calendar
from feeds.json_feed import build_json_feed
from feeds.syndication import build_atom, build_rss
from feeds.values import CalendarEvent, Feed, Item
from registry.markdown import to_html
from registry.pages.entry_facts import Names
from registry.pages.notice_facts import ChangeRow, Member, show_change, tell_effect, tell_objection
from registry.pages.values import Addresses, PublicList, PublicNotice
from registry.pages.wording import LANGUAGE, NOT_STATED, count_of, date_told, local_date

FeedKind = Literal["rss", "atom", "json", "calendar"]

PATHS: dict[FeedKind, str] = {
    "rss": "feed.rss",
    "atom": "feed.atom",
    "json": "feed.json",
    "calendar": "calendar.ics",
}
"""Where each is served, below the publisher's address (DESIGN §5)."""

FEED_LENGTH = 100
"""A feed holds its newest items only; every notice stays on the page of notices."""

_ID_YEAR = 2026  # of the format of the ids, not of what they name; it must never change


def build_feed(public: PublicList, addresses: Addresses, kind: FeedKind) -> bytes:
    """Return one feed, or the calendar, the same bytes for the same values.

    Feeds tell of the list as it is now: `public.as_of` must be None, or ValueError is raised.
    """
    if public.as_of is not None:
        raise ValueError("a feed has no past day: as_of must be None")
    self_url = addresses.at(PATHS[kind])
    if kind == "calendar":
        name = f"{public.publisher.name}: subprocessor changes"
        return build_calendar(name, make_events(public, addresses), self_url, description=_subtitle(public))
    feed = make_feed(public, addresses)
    builders = {"rss": build_rss, "atom": build_atom, "json": build_json_feed}
    return builders[kind](feed, self_url)


def make_feed(public: PublicList, addresses: Addresses) -> Feed:
    """Gather what the list has to tell, the newest first: its founding, and every statement of every notice but
    reminders, which tell nothing new.
    """
    items = [item for notice in public.notices for item in _items_of(notice, public, addresses)]
    if public.founded_at is not None:
        items.append(_founding(public, public.founded_at, addresses))
    items.sort(key=lambda item: (item.published_at, item.updated_at, item.id), reverse=True)
    items = items[:FEED_LENGTH]
    return Feed(
        id=_tag(public, addresses, "feed"),
        title=f"{public.publisher.name}: subprocessor changes",
        subtitle=_subtitle(public),
        site_url=addresses.page(),
        language=LANGUAGE,
        updated_at=max((item.updated_at for item in items), default=public.changed_at),
        author_name=public.publisher.legal_name or public.publisher.name,
        items=tuple(items),
    )


def make_events(public: PublicList, addresses: Addresses) -> tuple[CalendarEvent, ...]:
    """Return two all-day events a notice: the end of the time to object, and the effective date.

    The sequence counts the notice's statements, so that a calendar takes each for a newer version. What will not
    happen on its day stays as CANCELLED: both events of a withdrawn notice, and the effective date of one that is
    postponed until further notice, on the date told last.
    """
    events = []
    for notice in public.notices:
        url = addresses.at(f"notices/{notice.number}")
        sequence = max(len(notice.statements) - 1, 0)
        description = "\n".join(_sentences(notice, public))
        withdrawn = notice.state == "withdrawn"
        effect_on, holds = _effect_day(notice, public)
        if effect_on is not None:
            events.append(
                CalendarEvent(
                    uid=_uid(public, addresses, notice, "effect"),
                    on=effect_on,
                    title=f"{public.publisher.name}: takes effect: {notice.summary}",
                    description=description,
                    url=url,
                    stamped_at=notice.updated_at,
                    sequence=sequence,
                    status="CONFIRMED" if holds else "CANCELLED",
                )
            )
        if notice.objection_until_on is not None:
            events.append(
                CalendarEvent(
                    uid=_uid(public, addresses, notice, "objection"),
                    on=notice.objection_until_on,
                    title=f"{public.publisher.name}: last day to object: {notice.summary}",
                    description=description,
                    url=url,
                    stamped_at=notice.updated_at,
                    sequence=sequence,
                    status="CANCELLED" if withdrawn else "CONFIRMED",
                )
            )
    return tuple(events)


def _effect_day(notice: PublicNotice, public: PublicList) -> tuple[date | None, bool]:
    """Return the day a calendar shows for a notice's effect, and whether it holds."""
    if notice.took_effect_at is not None:
        return local_date(notice.took_effect_at, public.publisher.time_zone), True
    if notice.effective_on is not None:
        return notice.effective_on, notice.state != "withdrawn"
    told = [statement.effective_on for statement in notice.statements if statement.effective_on is not None]
    return (told[-1] if told else None), False


_TITLES = {
    "announcement": "Announced",
    "withdrawn": "Announced, then withdrawn",
    "correction": "Corrected",
    "postponement": "Postponed",
    "withdrawal": "Withdrawn",
    "effect": "In effect",
}


def _items_of(notice: PublicNotice, public: PublicList, addresses: Addresses) -> Iterable[Item]:
    # What was withdrawn is explained by nobody any more.
    words = [to_html(notice.explanation)] if notice.explanation and notice.withdrawn_at is None else []
    changes = [*words, *_changes_html(notice, public, addresses)]

    def item(kind: str, name: str, published_at: datetime, updated_at: datetime, sentences: list[str]) -> Item:
        emergency = " (emergency)" if notice.emergency_reason else ""
        return Item(
            id=_tag(public, addresses, f"notices/{notice.number}/{name}"),
            url=addresses.at(f"notices/{notice.number}"),
            title=f"{_TITLES[kind]}{emergency}: {notice.summary}",
            summary_text=" ".join(sentences),
            content_html="\n".join([*(Markup("<p>{}</p>").format(sentence) for sentence in sentences), *changes]),
            published_at=published_at,
            updated_at=updated_at,
            categories=(_TITLES[kind], *(change.name for change in notice.changes)),
        )

    told = [statement for statement in notice.statements if statement.kind in {"correction", "postponement"}]
    if notice.withdrawn_at is None:
        last_told_at = max([notice.announced_at, *(statement.made_at for statement in told)])
        yield item(
            "announcement", "announcement", notice.announced_at, last_told_at, _announcement_sentences(notice, public)
        )
    else:
        # A reader may come to the announcement first, and must not take what was withdrawn for true.
        yield item("withdrawn", "announcement", notice.announced_at, notice.withdrawn_at, _sentences(notice, public))
        yield item("withdrawal", "withdrawal", notice.withdrawn_at, notice.withdrawn_at, _sentences(notice, public))
    for place, statement in enumerate(told):
        name = f"{statement.kind}-{statement.seq}"
        later = [other for other in told[place + 1 :] if other.kind == statement.kind]
        if later:
            gone = [f"A later statement of notice {notice.number} has replaced this one."]
            yield item(statement.kind, name, statement.made_at, later[0].made_at, gone)
        else:
            sentences = _announcement_sentences(notice, public)
            yield item(statement.kind, name, statement.made_at, notice.withdrawn_at or statement.made_at, sentences)
    if notice.took_effect_at is not None:
        sentences = [tell_effect(notice, public.publisher), *_emergency(notice)]
        yield item("effect", "effect", notice.took_effect_at, notice.took_effect_at, sentences)


def _announcement_sentences(notice: PublicNotice, public: PublicList) -> list[str]:
    """Say what was announced, with the dates that hold; that it was carried out does not make it news again."""
    if notice.took_effect_at is None:
        return _sentences(notice, public)
    zone = public.publisher.time_zone
    effective_on = notice.effective_on or local_date(notice.took_effect_at, zone)
    objection = tell_objection(notice, public.publisher)
    takes_effect = f"Takes effect on {date_told(effective_on, zone)}."
    return [takes_effect, *([objection] if objection else []), *_emergency(notice)]


def _sentences(notice: PublicNotice, public: PublicList) -> list[str]:
    objection = tell_objection(notice, public.publisher) if notice.state != "withdrawn" else None
    return [tell_effect(notice, public.publisher), *([objection] if objection else []), *_emergency(notice)]


def _emergency(notice: PublicNotice) -> list[str]:
    if not notice.emergency_reason:
        return []
    return [f"Emergency change that does not wait for the notice period. Reason: {notice.emergency_reason}"]


def _founding(public: PublicList, founded_at: datetime, addresses: Addresses) -> Item:
    """Give a new feed its first item, so that whoever subscribes sees that it works (R5)."""
    publisher = public.publisher
    sentence = (
        f"{publisher.name} publishes its list of subprocessors, "
        f"and announces changes {count_of(publisher.notice_days, 'day', 'days')} ahead."
    )
    return Item(
        id=_tag(public, addresses, "founding"),
        url=addresses.page(),
        title="The list is published",
        summary_text=sentence,
        content_html=str(Markup("<p>{}</p>").format(sentence)),
        published_at=founded_at,
        updated_at=founded_at,
        categories=("Published",),
    )


def _changes_html(notice: PublicNotice, public: PublicList, addresses: Addresses) -> list[Markup]:
    names = Names.of(public)
    parts = []
    for change in (show_change(change, addresses, names) for change in notice.changes):
        name = Markup('<a href="{}">{}</a>').format(change.url, change.name) if change.url else escape(change.name)
        parts.append(Markup("<h3>{}: {}</h3>").format(name, change.kinds))
        if change.is_addition or change.is_removal:
            parts.append(_facts_html(change.rows, after=change.is_addition))
        else:
            parts.append(_table_html(change.rows))
    return parts


def _facts_html(rows: tuple[ChangeRow, ...], *, after: bool) -> Markup:
    items = [
        Markup("<li>{}: {}</li>").format(row.label, _side_html(row.after if after else row.before)) for row in rows
    ]
    return Markup("<ul>{}</ul>").format(Markup("").join(items))


def _table_html(rows: tuple[ChangeRow, ...]) -> Markup:
    head = Markup('<tr><th scope="col">Field</th><th scope="col">Before</th><th scope="col">After</th></tr>')
    body = [
        Markup('<tr><th scope="row">{}</th><td>{}</td><td>{}</td></tr>').format(
            row.label, _side_html(row.before), _side_html(row.after)
        )
        for row in rows
    ]
    return Markup("<table><thead>{}</thead><tbody>{}</tbody></table>").format(head, Markup("").join(body))


def _side_html(side: tuple[Member, ...]) -> Markup:
    return Markup("<br>").join(member.text for member in side) if side else escape(NOT_STATED)


def _subtitle(public: PublicList) -> str:
    return (
        f"Changes to the subprocessors of {public.publisher.name}, as they are announced and as they take effect. "
        f"Dates are local to {public.publisher.time_zone}."
    )


def _host(addresses: Addresses) -> str:
    return urlsplit(addresses.base).hostname or "localhost"


def _tag(public: PublicList, addresses: Addresses, name: str) -> str:
    return f"tag:{_host(addresses)},{_ID_YEAR}:{public.publisher.slug}/{name}"


def _uid(public: PublicList, addresses: Addresses, notice: PublicNotice, name: str) -> str:
    return f"{public.publisher.slug}-{notice.number}-{name}@{_host(addresses)}"
