"""How others find the lists of a host: `/.well-known/subprocessors.json`, `/sitemap.xml` and `/robots.txt`.

On a publisher's own host they are of that publisher alone (R35); the Host header chooses, and makes no link (R33).
"""

from __future__ import annotations

from typing import Final

from flask import Blueprint, Response
from sqlalchemy.orm import Session
from werkzeug.exceptions import NotFound

from registry.pages.discovery import (
    PublicPage,
    PublishedSite,
    build_robots,
    build_sitemap,
    build_sitemap_index,
    build_well_known,
    count_sitemaps,
)
from registry.queries.discovery import list_pages, list_sites
from registry.steps.published import is_demonstration
from registry.tables.engine import reading
from registry.web.answers import show_public
from registry.web.current import wiring
from registry.web.lists import FEEDS, FILES
from registry.web.publishers import find_own_host, is_installation_host
from registry.writers.json_list import SCHEMA_PATH

discovery = Blueprint("discovery", __name__)

WELL_KNOWN: Final = "/.well-known/subprocessors.json"
XML: Final = "application/xml; charset=utf-8"
FRESH_SECONDS: Final = 3_600


@discovery.get(WELL_KNOWN)
def show_well_known() -> Response:
    """Say which lists there are at this host, and where everything of each is."""
    with reading(wiring().engine) as session:
        _, sites = _find_sites(session)
        is_demo = is_demonstration(session)
    return show_public(build_well_known(sites, FILES, FEEDS, SCHEMA_PATH, is_demo=is_demo), "application/json")


@discovery.get("/robots.txt")
def show_robots() -> Response:
    """Tell crawlers what is for everybody, and where the sitemap is."""
    with reading(wiring().engine) as session:
        base, _ = _find_sites(session)
    return show_public(build_robots(base), "text/plain; charset=utf-8", FRESH_SECONDS)


@discovery.get("/sitemap.xml")
def show_sitemap() -> Response:
    """Show every public page of this host with its last change, or where there are too many, an index of sitemaps."""
    base, pages = _find_pages()
    whole = build_sitemap(pages) if count_sitemaps(pages) == 1 else build_sitemap_index(pages, base)
    return show_public(whole, XML, FRESH_SECONDS)


@discovery.get("/sitemap-<int:part>.xml")
def show_part_of_sitemap(part: int) -> Response:
    """Show one of the sitemaps that the index names."""
    _, pages = _find_pages()
    if not 1 <= part <= count_sitemaps(pages):
        raise NotFound
    return show_public(build_sitemap(pages, part), XML, FRESH_SECONDS)


def _find_pages() -> tuple[str, list[PublicPage]]:
    with reading(wiring().engine) as session:
        base, sites = _find_sites(session)
        # A sitemap speaks for its own host alone; a publisher's own host has one of its own.
        here = [site for site in sites if f"{site.addresses.base}/".startswith(f"{base}/")]
        pages = list_pages(session, here)
        start = f"{base}/"
        if here and len(sites) > 1 and all(site.addresses.page() != start for site in here):
            pages.insert(0, PublicPage(start, max(site.changed_at for site in here)))
        return base, pages


def _find_sites(session: Session) -> tuple[str, list[PublishedSite]]:
    """Return the base address of the host that was asked, and the publishers it has."""
    own = None if is_installation_host() else find_own_host(session)
    sites = list_sites(session, wiring().letterhead, own)
    return (sites[0].addresses.base if own is not None else wiring().letterhead.base_url), sites
