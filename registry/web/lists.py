"""The list and what belongs to it: page, entries, notices, files, feeds and the schema of the JSON file (DESIGN §5).

The present page, files and feeds are artefacts, built once; what a reader asks for beyond that is built for them.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Final

from flask import Blueprint, Response, g, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from registry.domain.entries import Day
from registry.domain.validation import Document, find_near, read_model
from registry.pages.asking import read_query
from registry.pages.brand_sheet import build_brand_sheet
from registry.pages.feed_changes import FEED_SCHEMA_PATH
from registry.pages.feed_items import FeedKind, build_feed
from registry.pages.selection import CHOICES, ListQuery
from registry.pages.values import PastVersion, PublicList
from registry.steps.artefacts import Built, addresses_of, as_built, own_language
from registry.steps.brand import find_logo
from registry.steps.errors import UnknownEntry, UnknownNotice
from registry.steps.published import is_demonstration, list_published, load_entry_history
from registry.tables.engine import reading
from registry.web.answers import (
    HTML,
    SCHEMA_FRESH_SECONDS,
    lead_to,
    load_list,
    show_artefact,
    show_public,
    show_view,
)
from registry.web.current import wiring
from registry.web.languages import refuse_unknown_language
from registry.web.publishers import (
    LONGEST_NAME,
    Chosen,
    choose_publisher,
    find_own_host,
    is_searchable,
    keep_language,
    keep_slug,
)
from registry.writers.csv_list import build_csv
from registry.writers.feed_schema import load_feed_schema
from registry.writers.json_list import SCHEMA_PATH, build_json, load_schema
from registry.writers.webhook_schema import WEBHOOK_SCHEMA_PATH, load_webhook_schema

FILES: Final = {
    "json": ("subprocessors.json", "application/json"),
    "csv": ("subprocessors.csv", "text/csv; charset=utf-8"),
}
FEEDS: Final = {
    "rss": ("feed.rss", "application/rss+xml; charset=utf-8"),
    "atom": ("feed.atom", "application/atom+xml; charset=utf-8"),
    "json_feed": ("feed.json", "application/feed+json"),
    "calendar": ("calendar.ics", "text/calendar; charset=utf-8"),
}
"""Name in the address and type of what is served there, by the kind of artefact."""
FEED_KINDS: Final[dict[str, FeedKind]] = {"rss": "rss", "atom": "atom", "json_feed": "json", "calendar": "calendar"}

lists = Blueprint("lists", __name__)
keep_slug(lists)


class _AskedDay(Document):
    as_of: Day | None = None


@lists.get("/")
def show_list() -> BaseResponse:
    """Show a publisher's list: as it is, as of a past day (R6), or narrowed. Without a publisher, all of them."""
    with reading(wiring().engine) as session:
        if g.slug is None and find_own_host(session) is None:
            return _show_publishers(session)
        chosen = choose_publisher(session)
        asked = _read_asked(session, chosen)
        lang = chosen.addresses.lang
        if asked is None and (lang is None or lang != own_language(chosen.public)):
            return show_artefact(session, chosen, "page", HTML)
        public, query = asked or (load_list(session, chosen), ListQuery())
        return show_view(
            chosen,
            "page",
            (public.as_of, query.as_query(), lang),
            lambda: as_built(wiring().pages.list_page(public, chosen.addresses, query), public),
        )


def _show_publishers(session: Session) -> BaseResponse:
    refuse_unknown_language(request.args)
    letterhead = wiring().letterhead
    found = [
        (keep_language(addresses_of(session, row, letterhead)), row, count) for row, count in list_published(session)
    ]
    if len(found) == 1:
        return lead_to(found[0][0].to(), 302)
    named = [(row.facts["name"], addresses.to(), count) for addresses, row, count in found]
    return show_public(wiring().pages.publishers_page(named, is_demo=is_demonstration(session)))


@lists.get("/entries/<key>")
def show_entry(key: str) -> BaseResponse:
    """Show one entry and its history. A key it had before leads to the one it has now."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        public = load_list(session, chosen)
        present, history = _find_history(session, chosen, public, key)
        if present != key:
            return lead_to(keep_language(chosen.addresses).to(f"entries/{present}"))
        return _show_page(
            chosen, "entry", key, public, lambda: wiring().pages.entry_page(public, key, history, chosen.addresses)
        )


def _show_page(chosen: Chosen, name: str, asked: str, public: PublicList, make: Callable[[], bytes]) -> Response:
    return show_view(chosen, name, (asked, chosen.addresses.lang), lambda: as_built(make(), public))


def _find_history(
    session: Session, chosen: Chosen, public: PublicList, key: str
) -> tuple[str, tuple[PastVersion, ...]]:
    """Find an entry by a key it has or had. One that waits for its announcement is as unknown as any other (R14)."""
    told = {entry.key for entry in public.entries} | {entry.key for entry in public.removed}
    told |= {change.key for notice in public.upcoming for change in notice.changes}
    if is_searchable(key):
        try:
            present, history = load_entry_history(session, chosen.row, key)
        except UnknownEntry:
            present, history = key, ()
        if present in told:
            return present, history
    raise UnknownEntry(key=key[:LONGEST_NAME], publisher=chosen.public.slug, near=find_near(key[:LONGEST_NAME], told))


@lists.get("/notices/")
def show_notices() -> BaseResponse:
    """Show every notice that was announced (R14)."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        public = load_list(session, chosen)
        return _show_page(chosen, "notices", "", public, lambda: wiring().pages.notices_page(public, chosen.addresses))


@lists.get("/notices")
def find_notices() -> BaseResponse:
    """Lead to the page of notices, whose address ends with a slash."""
    with reading(wiring().engine) as session:
        return lead_to(keep_language(choose_publisher(session).addresses).to("notices/"))


@lists.get("/notices/<number>")
def show_notice(number: str) -> BaseResponse:
    """Show one notice. Before its announcement it is as unknown as one that never was (R14)."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        public = load_list(session, chosen)
        notice = next((notice for notice in public.notices if notice.number == number), None)
        if notice is None:
            known = [notice.number for notice in reversed(public.notices)][:5]
            raise UnknownNotice(number=number[:40], publisher=chosen.public.slug, known=known)
        return _show_page(
            chosen, "notice", number, public, lambda: wiring().pages.notice_page(public, notice, chosen.addresses)
        )


def show_file(kind: str) -> Response:
    """Show the list as a file: as of a past day, or narrowed, if asked."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        asked = _read_asked(session, chosen)
        if asked is None:
            return show_artefact(session, chosen, kind, FILES[kind][1])
        public, query = asked

        def make() -> Built:
            body = build_json(public, chosen.addresses, query) if kind == "json" else build_csv(public, query)
            return as_built(body, public)

        key = (public.as_of, query.as_query(), chosen.addresses.lang)
        return show_view(chosen, kind, key, make, FILES[kind][1])


def show_feed(kind: str) -> Response:
    """Show a feed or the calendar, which are always of today, narrowed if asked."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        asked = _read_asked(session, chosen, with_day=False)
        if asked is None:
            return show_artefact(session, chosen, kind, FEEDS[kind][1])
        public, query = asked
        of_feed = FEED_KINDS[kind]
        return show_view(
            chosen,
            kind,
            (query.as_query(), chosen.addresses.lang),
            lambda: as_built(build_feed(public, chosen.addresses, of_feed, query), public),
            FEEDS[kind][1],
        )


for kind, (name, _) in FILES.items():
    lists.add_url_rule(f"/{name}", kind, show_file, defaults={"kind": kind})
for kind, (name, _) in FEEDS.items():
    lists.add_url_rule(f"/{name}", kind, show_feed, defaults={"kind": kind})


@lists.get("/brand.css")
def show_brand() -> Response:
    """Show the publisher's colour as a stylesheet, made readable on light and on dark pages."""
    with reading(wiring().engine) as session:
        colour = choose_publisher(session).public.colour
    if colour is None:
        raise NotFound
    return show_public(build_brand_sheet(colour), "text/css; charset=utf-8", SCHEMA_FRESH_SECONDS)


@lists.get("/logo")
def show_logo() -> Response:
    """Show the publisher's logo."""
    with reading(wiring().engine) as session:
        logo = find_logo(session, choose_publisher(session).row)
    if logo is None or logo.body is None:
        raise NotFound
    return show_public(logo.body, logo.media_type, SCHEMA_FRESH_SECONDS)


@lists.get(f"/{SCHEMA_PATH}")
def show_schema() -> Response:
    """Show the JSON Schema that the JSON file fits."""
    return _show_schema(load_schema())


@lists.get(f"/{WEBHOOK_SCHEMA_PATH}")
def show_webhook_schema() -> Response:
    """Show the JSON Schema that what webhooks carry fits."""
    return _show_schema(load_webhook_schema())


@lists.get(f"/{FEED_SCHEMA_PATH}")
def show_feed_schema() -> Response:
    """Show the JSON Schema that the typed changes in the JSON Feed fit."""
    return _show_schema(load_feed_schema())


def _show_schema(schema: bytes) -> Response:
    with reading(wiring().engine) as session:
        choose_publisher(session)
    return show_public(schema, "application/schema+json", SCHEMA_FRESH_SECONDS)


def _read_asked(session: Session, chosen: Chosen, *, with_day: bool = True) -> tuple[PublicList, ListQuery] | None:
    """Return what an address asks for beyond the list as it is, and of which list; None where it asks for nothing."""
    given = {name: request.args.getlist(name) for name in ("q", *CHOICES)}
    as_of = _read_as_of() if with_day else None
    if as_of is None and not any(value.strip() for values in given.values() for value in values):
        return None
    public = load_list(session, chosen, as_of)
    # A bookmark of what has been on the list since, or is no more, is no mistake.
    query = read_query(given, public, *([load_list(session, chosen)] if public.as_of else []))
    return (public, query) if public.as_of or query.asks_anything else None


def _read_as_of() -> date | None:
    # An empty field of a form asks for no day.
    text = request.args.get("as_of", "").strip()
    return read_model(_AskedDay, {"as_of": text or None}).as_of
