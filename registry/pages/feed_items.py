"""What feeds and the calendar tell of a list: the only place where the registry's values meet the `feeds` package.

Readers know an item by its id alone, so ids are made of what never changes: the host, the publisher's slug, the number
of the notice and the statement (RFC 4151 `tag:` addresses). What a statement said may still be overtaken by a later
one; then the item says so, under the same id, with the instant of the later statement as its change. The ids of items
are the same in every language and behind every filter; those of feeds are not.

Words are in the language spoken where a feed is built (`registry.language.speaking`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple
from urllib.parse import quote, urlencode, urlsplit

from markupsafe import Markup

from feeds.calendar import build_calendar
from feeds.json_feed import build_json_feed
from feeds.syndication import build_atom, build_rss
from feeds.values import CalendarEvent, Feed, Item
from registry.language import gettext as _
from registry.language import spoken
from registry.pages.entry_facts import Names
from registry.pages.feed_changes import EXTENSION_NAME, feed_document, founding_document, item_document
from registry.pages.feed_words import (
    Told,
    categories_of,
    content_of,
    feed_subtitle,
    feed_title,
    founding_sentence,
    list_told,
    sentences_now,
    sentences_of,
    title_of,
)
from registry.pages.notice_facts import contact_url
from registry.pages.selection import ListQuery, select_notices
from registry.pages.values import Addresses, PublicList, PublicNotice
from registry.pages.wording import local_date

FeedKind = Literal["rss", "atom", "json", "calendar"]

PATHS: dict[FeedKind, str] = {
    "rss": "feed.rss",
    "atom": "feed.atom",
    "json": "feed.json",
    "calendar": "calendar.ics",
}
"""Where each is served, below the publisher's address (DESIGN §5)."""

FEED_LENGTH: Final = 100
"""A feed holds its newest items only; every notice stays on the page of notices."""

CALENDAR_LENGTH: Final = 250
"""A calendar holds every notice that is open, and so many of those that have ended, the newest."""

DEADLINE_ALARMS: Final = (timedelta(days=6, hours=15), timedelta(hours=15))
"""Before the last day to object begins: at nine in the morning, local time, a week before it and the day before."""

_ID_YEAR = 2026  # of the format of the ids, not of what they name; it must never change
_REMINDING = frozenset({"announcement", "reminder"})


def build_feed(public: PublicList, addresses: Addresses, kind: FeedKind, query: ListQuery | None = None) -> bytes:
    """Return one feed, or the calendar, narrowed to what `query` asks for: the same bytes for the same values.

    It names as its own address the one of the canonical query, in the language that `addresses` keep.

    Feeds tell of the list as it is now: `public.as_of` must be None, or ValueError is raised.
    """
    if public.as_of is not None:
        raise ValueError("a feed has no past day: as_of must be None")
    self_url = feed_address(addresses, kind, query)
    if kind == "calendar":
        return build_calendar(
            feed_title(public, query),
            make_events(public, addresses, query),
            self_url,
            organizer_name=public.publisher.name,
            organizer_address=_organizer(public, addresses),
            description=feed_subtitle(public, query),
        )
    feed = make_feed(public, addresses, query)
    builders = {"rss": build_rss, "atom": build_atom, "json": build_json_feed}
    return builders[kind](feed, self_url)


def feed_address(addresses: Addresses, kind: FeedKind, query: ListQuery | None = None) -> str:
    """Return the one address of a feed or calendar, however its filter was written by whoever asked."""
    return addresses.to(PATHS[kind], asking=_pairs(query))


def make_feed(public: PublicList, addresses: Addresses, query: ListQuery | None = None) -> Feed:
    """Gather what the list has to tell, the newest first: its founding, and every statement of every notice but
    reminders, which tell nothing new. With a query, of the notices that concern an entry that fits, before or after.
    """
    names = Names.of(public)
    counts = {notice.number: len(notice.changes) for notice in public.notices}
    told = [told for notice in select_notices(public, query) for told in list_told(notice)]
    # Only what the feed holds is put into words: of a thousand notices that is little.
    told.sort(key=lambda each: (each.published_at, each.updated_at, each.notice.number, each.name), reverse=True)

    def item(each: Told) -> Item:
        left_out = counts[each.notice.number] - len(each.notice.changes)
        return Item(
            id=_tag(public, addresses, f"notices/{each.notice.number}/{each.name}"),
            url=addresses.to(f"notices/{each.notice.number}"),
            title=title_of(each),
            summary_text=" ".join(sentences_of(each, public.publisher)),
            content_html=content_of(each, names, left_out, public, addresses),
            published_at=each.published_at,
            updated_at=each.updated_at,
            categories=categories_of(each),
            extension=item_document(each, left_out, addresses),
        )

    items = [item(each) for each in told[:FEED_LENGTH]]
    if len(items) < FEED_LENGTH:
        items += _founding(public, addresses)
    asked = urlencode(_own_query(addresses, query), quote_via=quote)
    return Feed(
        id=_tag(public, addresses, f"feed?{asked}" if asked else "feed"),
        title=feed_title(public, query),
        subtitle=feed_subtitle(public, query),
        site_url=addresses.to(asking=_pairs(query)),
        language=spoken(),
        updated_at=max((each.updated_at for each in items), default=public.changed_at),
        author_name=public.publisher.legal_name or public.publisher.name,
        items=tuple(items),
        extension_name=EXTENSION_NAME,
        extension=feed_document(public, addresses, query),
    )


def _founding(public: PublicList, addresses: Addresses) -> Iterator[Item]:
    """Give a new feed its first item, so that whoever subscribes sees that it works (R5)."""
    if public.founded_at is None:
        return
    sentence = founding_sentence(public.publisher)
    yield Item(
        id=_tag(public, addresses, "founding"),
        url=addresses.to(),
        title=_("The list is published"),
        summary_text=sentence,
        content_html=str(Markup("<p>{}</p>").format(sentence)),
        published_at=public.founded_at,
        updated_at=public.founded_at,
        categories=(_("Published"),),
        extension=founding_document(public.founded_at),
    )


class _Date(NamedTuple):
    """One date of a notice that a calendar shows: `name` never changes, and `holds` is False once it is off."""

    name: str
    on: date
    title: str
    holds: bool
    alarms: tuple[timedelta, ...] = ()


def make_events(public: PublicList, addresses: Addresses, query: ListQuery | None = None) -> tuple[CalendarEvent, ...]:
    """Return two all-day events a notice: the end of the time to object, and the effective date.

    The sequence counts the notice's statements after its announcement, less reminders, so that a calendar takes each
    for a newer version. What will not happen on its day stays as CANCELLED: both events of a withdrawn notice, and the
    effective date of one that is postponed until further notice, on the date told last.
    """
    newest_first = sorted(select_notices(public, query), key=lambda each: (each.updated_at, each.number), reverse=True)
    ended = [notice for notice in newest_first if notice.state not in {"announced", "held"}]
    forgotten = {notice.number for notice in ended[CALENDAR_LENGTH:]}
    events = []
    for notice in newest_first:
        if notice.number in forgotten:
            continue
        described = "\n".join(sentences_now(notice, public.publisher))
        for each in _dates_of(notice, public):
            events.append(
                CalendarEvent(
                    uid=f"{public.publisher.slug}-{notice.number}-{each.name}@{_host(addresses)}",
                    on=each.on,
                    title=each.title,
                    description=described,
                    url=addresses.to(f"notices/{notice.number}"),
                    stamped_at=notice.updated_at,
                    sequence=sum(statement.kind not in _REMINDING for statement in notice.statements),
                    status="CONFIRMED" if each.holds else "CANCELLED",
                    alarms=each.alarms,
                )
            )
    return tuple(events)


def _dates_of(notice: PublicNotice, public: PublicList) -> Iterable[_Date]:
    named = {"publisher": public.publisher.name, "summary": notice.summary}
    effect_on, holds = _effect_day(notice, public)
    if effect_on is not None:
        yield _Date("effect", effect_on, _("%(publisher)s: takes effect: %(summary)s", **named), holds)
    if notice.objection_until_on is not None:
        title = _("%(publisher)s: last day to object: %(summary)s", **named)
        yield _Date("objection", notice.objection_until_on, title, notice.state != "withdrawn", DEADLINE_ALARMS)


def _effect_day(notice: PublicNotice, public: PublicList) -> tuple[date | None, bool]:
    """Return the day a calendar shows for a notice's effect, and whether it holds."""
    if notice.took_effect_at is not None:
        return local_date(notice.took_effect_at, public.publisher.time_zone), True
    if notice.effective_on is not None:
        return notice.effective_on, notice.state != "withdrawn"
    told = [statement.effective_on for statement in notice.statements if statement.effective_on is not None]
    return (told[-1] if told else None), False


def _organizer(public: PublicList, addresses: Addresses) -> str:
    # The page stands for a publisher whose contact is neither a mailbox nor a web address.
    url = contact_url(public.publisher.contact, "") or addresses.page()
    return url.partition("?")[0] if url.startswith("mailto:") else url


def _pairs(query: ListQuery | None) -> tuple[tuple[str, str], ...]:
    return query.as_query() if query is not None else ()


def _own_query(addresses: Addresses, query: ListQuery | None) -> list[tuple[str, str]]:
    return [*_pairs(query), *([("lang", addresses.lang)] if addresses.lang is not None else [])]


def _host(addresses: Addresses) -> str:
    # A tag holds ASCII only (RFC 4151, 2.1), and so does what is left of a calendar's UID.
    return (urlsplit(addresses.base).hostname or "localhost").encode("idna").decode("ascii")


def _tag(public: PublicList, addresses: Addresses, name: str) -> str:
    return f"tag:{_host(addresses)},{_ID_YEAR}:{public.publisher.slug}/{name}"
