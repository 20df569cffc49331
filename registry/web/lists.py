"""The list and what belongs to it: page, entries, notices, files, feeds and the schema of the JSON file (DESIGN §5).

The present page, files and feeds are artefacts, built once; what a reader asks for beyond that is built for them.
"""

from __future__ import annotations

from datetime import date
from typing import Final

from flask import Blueprint, Response, g, request
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as BaseResponse

from registry.domain.colours import DARK_PAPER, LIGHT_PAPER, adapt
from registry.domain.entries import Day
from registry.domain.errors import InvalidInput, Problem
from registry.domain.text import find_unclean
from registry.domain.validation import Document, find_near, read_model
from registry.pages.selection import QUERY_LENGTH, ListQuery
from registry.pages.values import PastVersion, PublicList
from registry.steps.artefacts import addresses_of, as_built, build_artefact, get_artefact
from registry.steps.brand import find_logo
from registry.steps.errors import UnknownEntry, UnknownNotice
from registry.steps.published import is_demonstration, list_published, load_entry_history, load_public_list
from registry.tables.engine import reading
from registry.web.answers import HTML, SCHEMA_FRESH_SECONDS, lead_to, show_built, show_public
from registry.web.current import now, wiring
from registry.web.publishers import LONGEST_NAME, Chosen, choose_publisher, find_own_host, is_searchable, keep_slug
from registry.writers.json_list import SCHEMA_PATH, load_schema
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
        as_of = _read_as_of()
        query = _read_query(chosen)
        if as_of is None and not query.asks_anything:
            return _show_artefact(session, chosen, "page", HTML)
        public = load_public_list(session, now(), chosen.row, as_of)
        return show_built(as_built(wiring().pages.list_page(public, chosen.addresses, query), public), HTML)


def _show_publishers(session: Session) -> BaseResponse:
    letterhead = wiring().letterhead
    found = [(addresses_of(session, row, letterhead), row, count) for row, count in list_published(session)]
    if len(found) == 1:
        return lead_to(found[0][0].page(), 302)
    named = [(row.facts["name"], addresses.page(), count) for addresses, row, count in found]
    return show_public(wiring().pages.publishers_page(named, is_demo=is_demonstration(session)))


@lists.get("/entries/<key>")
def show_entry(key: str) -> BaseResponse:
    """Show one entry and its history. A key it had before leads to the one it has now."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        public = load_public_list(session, now(), chosen.row)
        present, history = _find_history(session, chosen, public, key)
        if present != key:
            return lead_to(chosen.addresses.at(f"entries/{present}"))
        body = wiring().pages.entry_page(public, key, history, chosen.addresses)
        return show_built(as_built(body, public), HTML)


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
        public = load_public_list(session, now(), chosen.row)
        return show_built(as_built(wiring().pages.notices_page(public, chosen.addresses), public), HTML)


@lists.get("/notices")
def find_notices() -> BaseResponse:
    """Lead to the page of notices, whose address ends with a slash."""
    with reading(wiring().engine) as session:
        return lead_to(choose_publisher(session).addresses.at("notices/"))


@lists.get("/notices/<number>")
def show_notice(number: str) -> BaseResponse:
    """Show one notice. Before its announcement it is as unknown as one that never was (R14)."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        public = load_public_list(session, now(), chosen.row)
        notice = next((notice for notice in public.notices if notice.number == number), None)
        if notice is None:
            known = [notice.number for notice in reversed(public.notices)][:5]
            raise UnknownNotice(number=number[:40], publisher=chosen.public.slug, known=known)
        return show_built(as_built(wiring().pages.notice_page(public, notice, chosen.addresses), public), HTML)


def show_file(kind: str) -> Response:
    """Show the list as a file, as of a past day if asked."""
    with reading(wiring().engine) as session:
        chosen = choose_publisher(session)
        as_of = _read_as_of()
        if as_of is None:
            return _show_artefact(session, chosen, kind, FILES[kind][1])
        public = load_public_list(session, now(), chosen.row, as_of)
        return show_built(build_artefact(kind, public, chosen.addresses, wiring().pages), FILES[kind][1])


def show_feed(kind: str) -> Response:
    """Show a feed or the calendar, which are always of today."""
    with reading(wiring().engine) as session:
        return _show_artefact(session, choose_publisher(session), kind, FEEDS[kind][1])


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
    light, dark = adapt(colour, LIGHT_PAPER), adapt(colour, DARK_PAPER)
    rule = ":root {{ --accent: {}; --accent-ink: {}; }}"
    sheet = (
        f"{rule.format(light.accent, light.on_accent)}\n"
        f"@media (prefers-color-scheme: dark) {{ {rule.format(dark.accent, dark.on_accent)} }}\n"
        f"@media print {{ {rule.format('#000', '#fff')} }}\n"
    )
    return show_public(sheet.encode(), "text/css; charset=utf-8", SCHEMA_FRESH_SECONDS)


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


def _show_schema(schema: bytes) -> Response:
    with reading(wiring().engine) as session:
        choose_publisher(session)
    return show_public(schema, "application/schema+json", SCHEMA_FRESH_SECONDS)


def _show_artefact(session: Session, chosen: Chosen, kind: str, content_type: str) -> Response:
    parts = wiring()
    built = get_artefact(session, now(), chosen.row, kind, parts.pages, parts.letterhead, parts.build)
    return show_built(built, content_type)


def _read_as_of() -> date | None:
    # An empty field of a form asks for no day.
    text = request.args.get("as_of", "").strip()
    return read_model(_AskedDay, {"as_of": text or None}).as_of


def _read_query(chosen: Chosen) -> ListQuery:
    words = "".join(" " if find_unclean(character) else character for character in request.args.get("q", ""))
    product = request.args.get("product", "")
    known = [each.key for each in chosen.public.products]
    if product and product not in known:
        near = {"near": find_near(product[:QUERY_LENGTH], known), "known": known}
        raise InvalidInput([Problem("product", product, "unknown-product", dict(near))])
    return ListQuery(words[:QUERY_LENGTH].strip() or None, product or None)
