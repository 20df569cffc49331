"""What every answer carries, and what none does: no cookie, no third party."""

from __future__ import annotations

import re

import pytest

from registry.web.headers import OF_PAGES_ALONE, UNCHANGED, is_for_machines
from tests.web.site import Site, attributes_of
from tests.world import antopsis

PATHS = [
    *("/", "/antopsis", "/antopsis/", "/antopsis/?q=stripe", "/antopsis/?as_of=2026-09-30", "/antopsis/?as_of=x"),
    *("/antopsis/entries/stripe", "/antopsis/entries/x", "/antopsis/notices/", "/antopsis/notices/2026-001"),
    *("/antopsis/subprocessors.json", "/antopsis/subprocessors.csv", "/antopsis/feed.rss", "/antopsis/feed.atom"),
    *("/antopsis/feed.json", "/antopsis/calendar.ics", "/antopsis/schemas/subprocessors-1.json"),
    *("/antopsis/subscribe", "/antopsis/confirm/x", "/antopsis/manage/x", "/antopsis/unsubscribe/x", "/healthz"),
    *("/static/registry.css", "/static/nothing.css", "/nowhere/at/all"),
]
LOADING = {
    *(("script", "src"), ("img", "src"), ("img", "srcset"), ("iframe", "src"), ("source", "src")),
    *(
        ("video", "src"),
        ("audio", "src"),
        ("object", "data"),
        ("embed", "src"),
        ("input", "src"),
        ("body", "background"),
    ),
}
RELATIONS_THAT_LOAD = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "dns-prefetch", "modulepreload"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE", "BREW"])
def test_every_answer_carries_the_security_headers_and_no_cookie(light_site: Site, method: str) -> None:
    for path in PATHS:
        cookies = {"Cookie": "session=x; id=1"}
        answer = light_site.client.open(path, method=method, headers=cookies, buffered=True)
        headers = answer.headers
        assert answer.status_code < 500, path
        assert "Set-Cookie" not in headers, path
        assert "Cookie" not in headers.get("Vary", ""), path
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        if is_for_machines(path) and answer.mimetype != "text/html":
            # It leads nowhere and runs nothing.
            assert OF_PAGES_ALONE & set(headers.keys()) == set()
        else:
            assert headers["Referrer-Policy"] == "no-referrer"
            assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
            assert "camera=()" in headers["Permissions-Policy"]
        assert "Strict-Transport-Security" not in headers


@pytest.mark.parametrize("path", ["/antopsis/", "/antopsis/feed.rss", "/static/registry.css", "/antopsis/?q=stripe"])
def test_what_has_not_changed_is_said_in_few_words_and_alike_before_and_behind_the_front(
    path: str, light_site: Site
) -> None:
    whole = light_site.get(path)
    again = light_site.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert again.status_code == 304
    assert {name.lower() for name, _ in again.headers} <= UNCHANGED | {"date"}
    for name in ("ETag", "Cache-Control", "Vary", "Access-Control-Allow-Origin"):
        assert again.headers.get(name) == whole.headers.get(name), name


def test_browsers_are_told_to_come_by_https_only_where_the_service_is_there_by_https(https_site: Site) -> None:
    for path in ("/antopsis/", "/nowhere/at/all", "/healthz", "/antopsis/feed.rss"):
        assert https_site.get(path).headers["Strict-Transport-Security"] == "max-age=31536000"


def test_no_page_loads_anything_from_anybody_else_or_runs_a_script(light_site: Site) -> None:
    light_site.world.announce(antopsis(helsinki=True))
    pages = [*PATHS, light_site.follow("fred@reader.example")]
    shown = [light_site.get(path) for path in pages]
    texts = [answer.text for answer in shown if answer.content_type.startswith("text/html")]
    assert len(texts) > 15
    for text in texts:
        for tag, name, value in attributes_of(text):
            assert tag != "script"
            assert not name.startswith("on"), f"{tag} has {name}"
            assert name != "style", "the policy allows no inline style"
            if (tag, name) in LOADING:
                assert value.startswith(("/", "data:")), value
        for link in re.findall(r"<link ([^>]*)>", text):
            relation = re.search(r'rel="([^"]*)"', link)
            assert relation is not None
            if set(relation.group(1).split()) & RELATIONS_THAT_LOAD:
                assert re.search(r'href="/static/', link), link
        assert "<style" not in text


def test_the_stylesheet_is_served_from_here_and_asks_nobody(light_site: Site) -> None:
    found = re.search(r'href="(/static/registry\.css\?v=[0-9a-f]+)"', light_site.get("/antopsis/").text)
    assert found is not None
    sheet = light_site.get(found.group(1))
    assert sheet.content_type == "text/css; charset=utf-8"
    assert "url(" not in sheet.text
    assert "@import" not in sheet.text
    assert sheet.headers["Cache-Control"] == "public, max-age=3600"


def test_pages_behind_a_link_in_a_letter_are_kept_by_no_cache(light_site: Site) -> None:
    manage = light_site.follow("fred@reader.example")
    for answer in (
        light_site.get(manage),
        light_site.post(manage, {"action": "save"}),
        light_site.get("/antopsis/confirm/unknown"),
        light_site.subscribe("olga@watcher.example"),
    ):
        assert answer.headers["Cache-Control"] == "no-store"
