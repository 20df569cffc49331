"""In which language a list is answered, and that its links keep it."""

from __future__ import annotations

import re

import pytest

from tests.web.site import Site, attributes_of, example, links_of
from tests.world import antopsis

GERMAN = {"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}
PATHS = ("", "?q=stripe", "?as_of=2026-09-30&q=stripe", "entries/stripe", "notices/")


def language_of(page: str) -> str:
    (language,) = [value for tag, name, value in attributes_of(page) if (tag, name) == ("html", "lang")]
    return language


def own_links(page: str, slug: str = "antopsis") -> list[str]:
    main = re.sub(r"(?s)^.*<main[^>]*>|</main>.*$", "", page)
    return [link for link in links_of(main) if link.startswith(f"http://127.0.0.1:8000/{slug}/")]


@pytest.mark.parametrize("path", PATHS)
def test_the_address_counts_first_then_the_browser_then_the_publisher(light_site: Site, path: str) -> None:
    joined = f"{path}{'&' if '?' in path else '?'}"
    assert language_of(light_site.get(f"/antopsis/{path}").text) == "en"
    assert language_of(light_site.get(f"/antopsis/{path}", headers=GERMAN).text) == "de"
    assert language_of(light_site.get(f"/antopsis/{joined}lang=vi", headers=GERMAN).text) == "vi"
    assert language_of(light_site.get(f"/antopsis/{joined}lang=en", headers=GERMAN).text) == "en"


@pytest.mark.parametrize("path", PATHS)
def test_links_keep_a_language_that_would_be_lost_and_only_that(light_site: Site, path: str) -> None:
    light_site.world.announce(antopsis(helsinki=True))
    joined = f"/antopsis/{path}{'&' if '?' in path else '?'}"
    for address, headers, kept in (
        (f"{joined}lang=de", {}, "de"),
        (f"/antopsis/{path}", GERMAN, "de"),
        (f"{joined}lang=en", GERMAN, "en"),
    ):
        links = own_links(light_site.get(address, headers=headers).text)
        assert links
        assert [link for link in links if f"lang={kept}" not in link] == []
    for address in (f"/antopsis/{path}", f"{joined}lang=en"):
        assert [link for link in own_links(light_site.get(address).text) if "lang=" in link] == []


def test_feeds_and_files_are_in_the_language_of_their_address_alone(light_site: Site) -> None:
    for path in ("feed.atom", "feed.rss", "subprocessors.csv"):
        whole = light_site.get(f"/antopsis/{path}")
        assert light_site.get(f"/antopsis/{path}", headers=GERMAN).data == whole.data
        narrowed = light_site.get(f"/antopsis/{path}?q=stripe")
        assert light_site.get(f"/antopsis/{path}?q=stripe", headers=GERMAN).data == narrowed.data
    assert 'xml:lang="de"' in light_site.get("/antopsis/feed.atom?lang=de").text


@pytest.mark.parametrize("path", ["", "?q=stripe", "entries/stripe", "notices/", "feed.rss", "subprocessors.json"])
def test_a_language_that_there_is_not_is_refused_with_those_that_there_are(light_site: Site, path: str) -> None:
    joined = f"{path}{'&' if '?' in path else '?'}lang=tlh"
    answer = light_site.get(f"/antopsis/{joined}")
    assert answer.status_code == 400
    assert "lang" in answer.text
    assert "tlh" in answer.text
    assert "vi" in answer.text


def test_a_publisher_that_speaks_german_is_shown_in_german_to_whoever_asks_for_nothing(empty_site: Site) -> None:
    # One whose entries have no translations: into the publisher's own language there are none.
    empty_site.world.apply(example("nextapi", ("  slug: nextapi", "  slug: nextapi\n  language: de")))
    page = empty_site.get("/nextapi/")
    assert language_of(page.text) == "de"
    assert (links := own_links(page.text, "nextapi"))
    assert [link for link in links if "lang=" in link] == []
    english = empty_site.get("/nextapi/?lang=en")
    assert language_of(english.text) == "en"
    assert [link for link in own_links(english.text, "nextapi") if "lang=en" not in link] == []


def test_being_led_elsewhere_keeps_the_language_of_the_address_and_of_nothing_else(light_site: Site) -> None:
    for path, target in (("/antopsis", "/antopsis/"), ("/antopsis/notices", "/antopsis/notices/"), ("/", "/antopsis/")):
        assert light_site.get(f"{path}?lang=de").location == f"http://127.0.0.1:8000{target}?lang=de"
        assert light_site.get(path, headers=GERMAN).location == f"http://127.0.0.1:8000{target}"


def test_a_cache_is_told_that_pages_differ_by_language(light_site: Site) -> None:
    for path in PATHS:
        assert "Accept-Language" in light_site.get(f"/antopsis/{path}").headers["Vary"]
