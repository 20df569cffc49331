"""What programs read to find the lists of a host: `/.well-known/subprocessors.json`, sitemaps and `robots.txt`.

Pure: a query loads the values, here they become bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from xml.sax.saxutils import escape

from registry.pages.values import Addresses

FORMAT: Final = 1
"""The version of the format of `/.well-known/subprocessors.json`; it changes only when readers would break."""
MOST_IN_A_SITEMAP: Final = 50_000
"""Addresses in one sitemap, by the protocol (sitemaps.org)."""

PRIVATE: Final = ("acknowledge", "confirm", "manage", "object", "unsubscribe")
"""First parts of addresses with a token from somebody's letter, below a publisher."""


@dataclass(frozen=True)
class PublishedSite:
    """One publisher of a host and its list: how many entries stand on it, and when it last changed (UTC)."""

    slug: str
    name: str
    legal_name: str | None
    country: str | None
    language: str
    addresses: Addresses
    changed_at: datetime
    entries: int


@dataclass(frozen=True)
class PublicPage:
    """One public page: its absolute address, and the UTC instant it last changed."""

    url: str
    changed_at: datetime


Served = Mapping[str, tuple[str, str]]
"""Name in the address and type of what is served there, by its kind."""


def build_well_known(
    sites: Sequence[PublishedSite], files: Served, feeds: Served, schema: str, *, is_demo: bool
) -> bytes:
    """Return as JSON in UTF-8 which lists there are at a host, and where everything of each is. By slug."""
    document = {
        "format": FORMAT,
        "is_demo": is_demo,
        "publishers": [
            {
                "slug": site.slug,
                "name": site.name,
                "legal_name": site.legal_name,
                "country": site.country,
                "language": site.language,
                "page": site.addresses.page(),
                "entries": site.entries,
                "changed_at": _instant(site.changed_at),
                "schema": site.addresses.at(schema),
                "files": _served(files, site.addresses),
                "feeds": _served(feeds, site.addresses),
                "notices": site.addresses.at("notices/"),
                "subscribe": site.addresses.at("subscribe"),
                "compare": site.addresses.at("compare.json"),
                "embed": site.addresses.at("embed"),
            }
            for site in sorted(sites, key=lambda site: site.slug)
        ],
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def _served(kinds: Served, addresses: Addresses) -> dict[str, dict[str, str]]:
    return {
        kind: {"url": addresses.at(name), "type": media_type.partition(";")[0]}
        for kind, (name, media_type) in kinds.items()
    }


def count_sitemaps(pages: Sequence[PublicPage]) -> int:
    """Return how many sitemaps hold these pages; with more than one, an index stands before them."""
    return max(1, -(-len(pages) // MOST_IN_A_SITEMAP))


def build_sitemap(pages: Sequence[PublicPage], part: int = 1) -> bytes:
    """Return one sitemap (sitemaps.org 0.9) of these pages, the parts counted from 1."""
    of_this = pages[(part - 1) * MOST_IN_A_SITEMAP : part * MOST_IN_A_SITEMAP]
    rows = (
        f"<url><loc>{escape(page.url)}</loc><lastmod>{_instant(page.changed_at)}</lastmod></url>" for page in of_this
    )
    return _xml("urlset", rows)


def build_sitemap_index(pages: Sequence[PublicPage], base: str) -> bytes:
    """Return the index of all sitemaps of these pages at the host `base`, which has no slash at its end."""
    rows = []
    for part in range(1, count_sitemaps(pages) + 1):
        of_this = pages[(part - 1) * MOST_IN_A_SITEMAP : part * MOST_IN_A_SITEMAP]
        changed_at = _instant(max(page.changed_at for page in of_this))
        address = f"{base}/sitemap-{part}.xml"
        rows.append(f"<sitemap><loc>{escape(address)}</loc><lastmod>{changed_at}</lastmod></sitemap>")
    return _xml("sitemapindex", rows)


def _xml(root: str, rows: Iterable[str]) -> bytes:
    namespace = "http://www.sitemaps.org/schemas/sitemap/0.9"
    lines = ('<?xml version="1.0" encoding="UTF-8"?>', f'<{root} xmlns="{namespace}">', *rows, f"</{root}>")
    return ("\n".join(lines) + "\n").encode("utf-8")


def _instant(at: datetime) -> str:
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")


def build_robots(base: str) -> bytes:
    """Return the rules for crawlers (RFC 9309) of the host `base`: all that is public, and nothing behind a token.

    Comparisons and past days are without number, and each costs a query: crawlers leave them alone.
    """
    closed = [
        *("/team/", "/callbacks/", "/metrics", "/readyz"),
        *(f"{below}/{name}/" for name in PRIVATE for below in ("", "/*")),
        *("/*compare?", "/*compare.json?", "/*as_of="),
    ]
    lines = ["User-agent: *", *(f"Disallow: {path}" for path in closed), "Allow: /", "", f"Sitemap: {base}/sitemap.xml"]
    return ("\n".join(lines) + "\n").encode("ascii")
