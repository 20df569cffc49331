"""From public values to the bytes of a page. Templates hold the markup, the modules beside this one the words.

A page is a function of its arguments and the templates: no clock, no database, no request, so that it can be built
once when something changes, kept, and served as it is. Nothing in it asks a third party for anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from registry.domain.entries import PLACES_WITHOUT_A_COUNTRY
from registry.domain.translations import in_language
from registry.language import LANGUAGES, gettext_for_templates, marked, spoken
from registry.pages import wording
from registry.pages.chain import find_chain
from registry.pages.entry_facts import Names, all_facts, find_pending, grounds_of, links_of
from registry.pages.filters import offer_choices, show_chosen
from registry.pages.notice_facts import contact_url, show_history, show_notice
from registry.pages.offered_languages import offer_languages
from registry.pages.own_words import tell_own_words
from registry.pages.rows import show_sections
from registry.pages.selection import ListQuery
from registry.pages.timeline import draw_timeline
from registry.pages.values import Addresses, PastVersion, PublicList, PublicNotice
from registry.pages.world_map import draw_world_map

RECENT_NOTICES = 5
"""How many past notices the list itself shows; the others are a page away."""

_HERE = tuple((code, name, f"?lang={code}") for code, name in LANGUAGES.items())
"""The languages of whatever page a link stands on."""
_REACHES = frozenset(PLACES_WITHOUT_A_COUNTRY)
_FEEDS = (
    ("feed.atom", "application/atom+xml", marked("Atom feed")),
    ("feed.rss", "application/rss+xml", marked("RSS feed")),
    ("feed.json", "application/feed+json", marked("JSON Feed")),
    ("calendar.ics", "text/calendar", marked("Calendar of dates and deadlines")),
)
_FILES = (
    ("subprocessors.json", "application/json", "JSON"),
    ("subprocessors.csv", "text/csv", "CSV"),
)


class PageRenderer:
    """Renders every public page, form and error page with an environment of its own.

    `templates_folder` holds `base.html`, `public/` and `errors/`; `stylesheet_url` is the address of `registry.css`
    as pages link it. Templates are read once; an undefined name in one is an error, never an empty place.
    """

    def __init__(self, templates_folder: Path, stylesheet_url: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(templates_folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
            extensions=["jinja2.ext.i18n"],
        )
        self._environment.policies["ext.i18n.trimmed"] = True
        self._environment.install_gettext_callables(**gettext_for_templates())  # type: ignore[attr-defined]  # the extension adds it
        self._environment.globals.update(
            stylesheet_url=stylesheet_url,
            feeds=_FEEDS,
            files=_FILES,
            NOT_STATED=wording.NOT_STATED,
            count_of=wording.count_of,
            contact_url=contact_url,
            change_kinds=wording.KIND_CHOICES,
        )
        self._environment.filters.update(
            in_words=wording.date_in_words,
            short_date=wording.short_date,
            instant=datetime_attribute,
            local_date=wording.local_date,
        )

    def page(self, template_name: str, /, **values: Any) -> bytes:
        """Render one template to UTF-8, such as a form (`public/subscribe.html`) or `errors/error.html`.

        Each template names at its top what it takes. `publisher` and `addresses` may be left out where a page
        belongs to no publisher; `is_demo`, `csrf_token`, `errors` (field -> sentence) and `values` (field -> what was
        given) may be left out everywhere. Where `languages` (code, own name, address) is left out, readers of a
        publisher's page choose another language of the same address; `alternates` are those for programs, and
        `page_url` the permanent address. `own_language` and what goes with it are those of `tell_own_words`.
        Raises `jinja2.UndefinedError` for a value a template needs and lacks.
        """
        given = {
            "publisher": None,
            "addresses": None,
            "is_demo": False,
            "csrf_token": None,
            "language": spoken(),
            "languages": _HERE if values.get("publisher") else (),
            "alternates": (),
            "page_url": None,
            "asking": (),
            "own_language": None,
            "errors": {},
            "values": {},
        } | values
        return self._environment.get_template(template_name).render(given).encode("utf-8")

    def list_page(self, public: PublicList, addresses: Addresses, query: ListQuery | None = None) -> bytes:
        """Render the list, as it is now or as of a past day (R6), narrowed to what `query` asks for.

        Upcoming changes are shown in full whatever is searched for: nobody should miss one because of a filter.
        """
        names = Names.of(public)
        asked = query or ListQuery()
        asking, as_of = asked.as_query(), public.as_of.isoformat() if public.as_of else None
        upcoming, past = public.upcoming, public.past
        removed = [replace(entry, content=in_language(entry.content, spoken())) for entry in public.removed]
        sections = show_sections(public, asked, addresses, names)
        shown = {row.key for section in sections for row in section.rows}

        def of_region(code: str) -> str:
            return addresses.to("", replace(asked, region=(code,)).as_query(), as_of=as_of) + "#list"

        return self.page(
            "public/list.html",
            **self._of_publisher(public, addresses, "", asking, as_of),
            **tell_own_words(
                public.publisher,
                (*public.contents, *(change for notice in upcoming for change in notice.changes)),
            ),
            sections=sections,
            found=len(shown),
            countries=len({place.country for entry in public.entries for place in entry.content.locations} - _REACHES),
            upcoming=[show_notice(notice, public, addresses, names) for notice in upcoming],
            past=[show_notice(notice, public, addresses, names) for notice in past[:RECENT_NOTICES]],
            past_count=len(past),
            removed=sorted(removed, key=lambda entry: (entry.removed_at, entry.key), reverse=True),
            query=asked,
            picture=draw_world_map(
                public, addresses, [entry for entry in public.entries if entry.key in shown], link_to=of_region
            ),
            life=None if asked.asks_anything else draw_timeline(public, addresses),
            choices=offer_choices(public, asked),
            chosen=show_chosen(asked, public, addresses),
            as_of=as_of,
            today_url=addresses.to("", asking, as_of=(public.as_of or public.today).isoformat(), lang=None),
            whole_url=addresses.to("", as_of=as_of),
        )

    def entry_page(
        self, public: PublicList, entry_key: str, history: tuple[PastVersion, ...], addresses: Addresses
    ) -> bytes:
        """Render one entry with every field and its history: on the list, no longer on it, or announced for it.

        Raises KeyError where the public knows nothing of `entry_key`.
        """
        names = Names.of(public)
        current = next((entry for entry in public.entries if entry.key == entry_key), None)
        removed = next((entry for entry in public.removed if entry.key == entry_key), None)
        pending = find_pending(entry_key, public)
        if current is None and removed is None and pending is None:
            raise KeyError(entry_key)
        last = current or removed
        content = in_language(last.content, spoken()) if last else None
        changes = [change for change in (pending.changes if pending else ()) if change.key == entry_key]
        announced = show_notice(pending, public, addresses, names) if pending else None
        return self.page(
            "public/entry.html",
            **self._of_publisher(public, addresses, f"entries/{entry_key}"),
            **tell_own_words(public.publisher, (content, *changes, *(version.change for version in history))),
            key=entry_key,
            name=names.entries[entry_key],
            content=content,
            role=wording.ROLES[content.role] if content else None,
            current=current,
            removed=removed,
            facts=all_facts(content, names) if content else (),
            grounds=grounds_of(content) if content else (),
            links=links_of(content) if content else (),
            chain=find_chain(entry_key, public, addresses, names),
            pending=announced,
            pending_changes=[change for change in (announced.changes if announced else ()) if change.key == entry_key],
            history=show_history(history, public, addresses),
        )

    def notices_page(self, public: PublicList, addresses: Addresses) -> bytes:
        """Render every notice the public may see (R14): those to come, then those past, the newest first."""
        names = Names.of(public)
        return self.page(
            "public/notices.html",
            **self._of_publisher(public, addresses, "notices/"),
            **tell_own_words(public.publisher, (change for notice in public.upcoming for change in notice.changes)),
            upcoming=[show_notice(notice, public, addresses, names) for notice in public.upcoming],
            past=[show_notice(notice, public, addresses, names) for notice in public.past],
        )

    def notice_page(self, public: PublicList, notice: PublicNotice, addresses: Addresses) -> bytes:
        """Render one notice: its dates, how to object, every change before and after, and its statements (R15)."""
        return self.page(
            "public/notice.html",
            **self._of_publisher(public, addresses, f"notices/{notice.number}"),
            **tell_own_words(public.publisher, notice.changes),
            notice=show_notice(notice, public, addresses, Names.of(public)),
        )

    def publishers_page(self, publishers: Iterable[tuple[str, str, int]], *, is_demo: bool = False) -> bytes:
        """Render the lists of one installation, each as (name, address, number of entries), by name."""
        by_name = sorted(publishers, key=lambda publisher: (publisher[0].casefold(), publisher[1]))
        return self.page("public/publishers.html", publishers=by_name, is_demo=is_demo, languages=_HERE)

    @staticmethod
    def _of_publisher(
        public: PublicList,
        addresses: Addresses,
        path: str,
        asking: tuple[tuple[str, str], ...] = (),
        as_of: str | None = None,
    ) -> dict[str, Any]:
        pairs = (*asking, *([("as_of", as_of)] if as_of else []))
        return {
            "public": public,
            "publisher": public.publisher,
            "addresses": addresses,
            "is_demo": public.is_demo,
            "zone": public.publisher.time_zone,
            "asking": asking,
            **offer_languages(addresses, path, pairs),
            # A part of a list, or one of its days, is no page of its own to a search engine.
            "page_url": addresses.to(path),
        }


def datetime_attribute(at: datetime | date) -> str:
    """Return an instant or a date as HTML's `datetime` attribute wants it, instants in UTC with a Z."""
    return at.isoformat().replace("+00:00", "Z")
