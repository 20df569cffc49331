"""How programs find the lists of a host, and that a publisher's own host is whole (R33, R35)."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit
from urllib.robotparser import RobotFileParser

import pytest
from lxml import etree

from registry.domain.documents import Upload
from registry.pages import discovery
from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.steps.brand import set_logo
from registry.steps.lookup import get_notice, get_publisher
from registry.steps.withdraw_notice import withdraw_notice
from tests.databases import ReusedDatabase
from tests.web.conftest import serving_again
from tests.web.site import STREAMS, Site, attributes_of, json_of
from tests.world import ANNA, antopsis

BASE = "http://127.0.0.1:8000"
OWN = "https://legal.streams.example"
NORDIC = """
  - {key: nordic-backup, name: Nordic Backup, purposes: [Backups], locations: [{country: FI, function: backup}]}
"""
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
NAMESPACE = {"s": "http://www.sitemaps.org/schemas/sitemap/0.9"}


def branded_streams(more_entries: str = "") -> RegistryFile:
    """Return the file of the publisher with a host of its own, and a colour."""
    text = STREAMS.replace("  host:", "  colour: '#a01050'\n  host:") + more_entries
    return read_registry_file(text.encode(), "streams.yaml")


@pytest.fixture
def two(database: ReusedDatabase, instance: Path) -> Iterator[Site]:
    """Antopsis, and Streams with a host, a colour and a logo of its own."""
    with serving_again(database, instance, antopsis(), branded_streams()) as site:
        with site.world.writing() as session:
            row = get_publisher(session, "streams")
            set_logo(session, site.world.at, row, ANNA, Upload("logo.png", PIXEL))
        yield site


def locations(site: Site, path: str = "/sitemap.xml", **options: str) -> dict[str, str]:
    """Return the addresses of a sitemap, or of an index of them, with their last change."""
    answer = site.get(path, **options)
    assert answer.status_code == 200
    assert answer.content_type == "application/xml; charset=utf-8"
    root = etree.fromstring(answer.data)
    assert root.tag in {f"{{{NAMESPACE['s']}}}{name}" for name in ("urlset", "sitemapindex")}
    return {each.findtext("s:loc", "", NAMESPACE): each.findtext("s:lastmod", "", NAMESPACE) for each in root}


def test_the_well_known_address_names_every_publisher_and_where_everything_of_it_is(two: Site) -> None:
    answer = two.get("/.well-known/subprocessors.json")
    assert (answer.content_type, answer.headers["Access-Control-Allow-Origin"]) == ("application/json", "*")
    document = json_of(answer)
    assert (document["format"], document["is_demo"]) == (1, False)
    first, second = document["publishers"]
    assert (first["slug"], first["name"], first["country"], first["entries"]) == ("antopsis", "Antopsis", "DE", 2)
    assert first["changed_at"] == "2026-09-30T08:00:00Z"
    assert first["files"]["json"] == {"url": f"{BASE}/antopsis/subprocessors.json", "type": "application/json"}
    assert first["feeds"]["calendar"] == {"url": f"{BASE}/antopsis/calendar.ics", "type": "text/calendar"}
    assert (second["page"], second["embed"]) == (f"{OWN}/", f"{OWN}/embed")
    # What it names is there.
    for site in (first, second):
        served = [each["url"] for group in ("files", "feeds") for each in site[group].values()]
        for url in (site["page"], site["schema"], site["notices"], site["subscribe"], site["compare"], *served):
            parts = urlsplit(url)
            host = f"{parts.scheme}://{parts.netloc}"
            assert two.get(parts.path, base_url=host).status_code == 200, url


def test_an_own_host_names_its_publisher_alone(two: Site) -> None:
    document = json_of(two.get("/.well-known/subprocessors.json", base_url=OWN))
    assert [site["slug"] for site in document["publishers"]] == ["streams"]
    for path in ("/.well-known/subprocessors.json", "/sitemap.xml", "/robots.txt"):
        assert "antopsis" not in two.get(path, base_url=OWN).text
    # Whatever host somebody makes up gets what the installation has, and no link to itself.
    for path in ("/.well-known/subprocessors.json", "/sitemap.xml", "/robots.txt"):
        assert two.get(path, base_url="https://evil.example").data == two.get(path).data
        assert "evil" not in two.get(path, base_url="https://evil.example").text


def test_the_sitemap_has_every_public_page_of_its_host_and_each_is_there(two: Site) -> None:
    world = two.world
    announced = world.announce(antopsis(helsinki=True, more_entries=NORDIC), effective_on=date(2026, 12, 1))
    pages = locations(two)
    assert set(pages) == {
        f"{BASE}/",
        f"{BASE}/antopsis/",
        f"{BASE}/antopsis/subscribe",
        f"{BASE}/antopsis/notices/",
        f"{BASE}/antopsis/notices/{announced}",
        f"{BASE}/antopsis/entries/stripe",
        f"{BASE}/antopsis/entries/hetzner-falkenstein",
        f"{BASE}/antopsis/entries/nordic-backup",
    }
    assert set(pages.values()) == {"2026-09-30T08:00:00Z"}
    for url in pages:
        assert two.get(url.removeprefix(BASE)).status_code == 200, url
    own = locations(two, base_url=OWN)
    assert set(own) == {f"{OWN}/", f"{OWN}/subscribe", f"{OWN}/notices/", f"{OWN}/entries/mail-delivery"}
    for url in own:
        assert two.get(url.removeprefix(OWN), base_url=OWN).status_code == 200, url


def test_the_sitemap_gives_away_nothing_before_its_announcement(two: Site) -> None:
    world = two.world
    world.apply(antopsis(more_entries=NORDIC))
    number = world.draft(effective_on=date(2026, 12, 1))
    assert not [url for url in locations(two) if "nordic" in url or number in url]
    world.publish(number)
    assert f"{BASE}/antopsis/entries/nordic-backup" in locations(two)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = get_notice(session, publisher, number)
        withdraw_notice(session, world.at, publisher, notice, ANNA, world.wiring.letterhead, reason="Not needed")
    pages = locations(two)
    assert f"{BASE}/antopsis/entries/nordic-backup" not in pages
    assert f"{BASE}/antopsis/notices/{number}" in pages


def test_too_many_pages_stand_in_several_sitemaps_behind_an_index(two: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = locations(two)
    monkeypatch.setattr(discovery, "MOST_IN_A_SITEMAP", 4)
    index = locations(two)
    assert list(index) == [f"{BASE}/sitemap-1.xml", f"{BASE}/sitemap-2.xml"]
    parts = [locations(two, url.removeprefix(BASE)) for url in index]
    assert [len(part) for part in parts] == [4, len(whole) - 4]
    assert parts[0] | parts[1] == whole
    for path in ("/sitemap-0.xml", "/sitemap-3.xml", "/sitemap-x.xml", "/sitemap-99999999999999999999.xml"):
        assert two.get(path).status_code == 404, path


def test_an_installation_without_a_list_says_so(empty_site: Site) -> None:
    assert json_of(empty_site.get("/.well-known/subprocessors.json"))["publishers"] == []
    assert locations(empty_site) == {}
    assert "Sitemap: http://127.0.0.1:8000/sitemap.xml" in empty_site.get("/robots.txt").text


def test_robots_may_read_what_is_public_and_leave_letters_links_and_the_workbench_alone(two: Site) -> None:
    answer = two.get("/robots.txt")
    assert answer.content_type == "text/plain; charset=utf-8"
    assert f"Sitemap: {BASE}/sitemap.xml" in answer.text
    assert f"Sitemap: {OWN}/sitemap.xml" in two.get("/robots.txt", base_url=OWN).text
    closed = [line.removeprefix("Disallow: ") for line in answer.text.splitlines() if line.startswith("Disallow")]

    def may_read(path: str) -> bool:
        # As RFC 9309 has it, with its * for anything; the standard library's parser does not know it.
        return not any(re.match(re.escape(rule).replace(r"\*", ".*"), path) for rule in closed)

    for name in ("confirm", "manage", "unsubscribe", "object", "acknowledge"):
        assert not may_read(f"/antopsis/{name}/a.b.c")
        assert not may_read(f"/{name}/a.b.c")
    for path in ("/team/", "/team/antopsis/", "/antopsis/compare?from=2026-01-01", "/antopsis/?as_of=2026-09-30"):
        assert not may_read(path), path
    for url in (*locations(two), f"{BASE}/antopsis/compare", f"{BASE}/.well-known/subprocessors.json"):
        assert may_read(url.removeprefix(BASE)), url
    parser = RobotFileParser()
    parser.parse(answer.text.splitlines())
    assert parser.can_fetch("anybody", f"{BASE}/antopsis/")
    assert not parser.can_fetch("anybody", f"{BASE}/team/antopsis/")


def test_every_way_in_with_a_token_is_closed_to_robots(two: Site) -> None:
    tokens = {
        rule.rule.removeprefix("/<slug>/").split("/")[0]
        for rule in two.app.url_map.iter_rules()
        if "token" in rule.arguments and rule.rule.startswith("/<slug>/")
    }
    assert {"confirm", "manage"} <= tokens <= set(discovery.PRIVATE)


def test_on_its_own_host_everything_of_a_publisher_is_there_and_leads_nowhere_else(two: Site) -> None:
    number = two.world.announce(branded_streams(NORDIC), effective_on=date(2026, 12, 1))
    pages = (
        *("/", "/?q=mail", "/?as_of=2026-09-30", "/entries/mail-delivery", "/entries/nordic-backup", "/notices/"),
        *(f"/notices/{number}", "/subscribe", "/compare", "/compare?from=soon", "/embed", "/embed/how", "/nowhere"),
    )
    for path in pages:
        answer = two.get(path, base_url=OWN)
        assert answer.status_code < 500
        for tag, name, value in attributes_of(answer.text):
            if name not in {"href", "src", "action"} or value.startswith(("#", "mailto:", "data:")):
                continue
            parts = urlsplit(value)
            assert not parts.netloc or f"{parts.scheme}://{parts.netloc}" == OWN, f"{path}: {tag} leads to {value}"
            if tag in {"link", "img"} or parts.path.startswith("/static"):
                assert two.get(value.removeprefix(OWN), base_url=OWN).status_code == 200, f"{path}: {value}"
    for path in ("/subprocessors.json", "/subprocessors.csv", "/feed.rss", "/feed.atom", "/feed.json", "/calendar.ics"):
        answer = two.get(path, base_url=OWN)
        assert answer.status_code == 200
        assert BASE not in answer.text, path
    assert two.get("/notices", base_url=OWN).location == f"{OWN}/notices/"
    assert two.get("/streams", base_url=OWN).location == f"{OWN}/"


def test_the_brand_is_on_every_page_and_loaded_from_the_host_the_page_is_on(two: Site) -> None:
    for base, prefix in ((OWN, ""), (BASE, "/streams")):
        for path in ("/", "/entries/mail-delivery", "/compare", "/subscribe"):
            found = attributes_of(two.get(f"{prefix}{path}", base_url=base).text)
            brand = [value for tag, name, value in found if (tag, name) == ("link", "href") and "brand.css" in value]
            logo = [value for tag, name, value in found if (tag, name) == ("img", "src")]
            assert len(brand) == len(logo) == 1
            for url in (*brand, *logo):
                # The policy of pages takes styles and pictures of their own host alone.
                parts = urlsplit(url)
                assert not parts.netloc or f"{parts.scheme}://{parts.netloc}" == base, f"{base}{path}: {url}"
                assert two.get(url.removeprefix(base), base_url=base).status_code == 200


def test_the_picture_of_a_shared_link_is_the_logo(two: Site) -> None:
    def pictures(path: str) -> list[str]:
        page = etree.HTML(two.get(path).data)
        return [str(each) for each in page.xpath("//meta[@property='og:image']/@content")]

    (picture,) = pictures("/streams/")
    assert picture.startswith(f"{OWN}/logo?v=")
    assert two.get(picture.removeprefix(OWN), base_url=OWN).content_type == "image/png"
    assert pictures("/antopsis/") == []
