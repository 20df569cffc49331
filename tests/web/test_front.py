"""The front gives the very answers that the application would, and gives everything else to the application."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import brotli
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from werkzeug.test import Client, TestResponse

from registry.app import create_app
from registry.language import LANGUAGES
from registry.readers.registry_file import RegistryFile, read_registry_file
from registry.web.front import UNUSUAL, Front
from registry.web.lists import FEEDS, FILES
from tests.web.site import STREAMS, Site
from tests.world import antopsis, utc

NAMES = ["", *(name for name, _ in (FILES | FEEDS).values())]
UNPACK: dict[str | None, Callable[[bytes], bytes]] = {
    None: lambda body: body,
    "gzip": gzip.decompress,
    "br": brotli.decompress,
}


def front_of(site: Site) -> Front:
    front = site.app.wsgi_app
    assert isinstance(front, Front)
    return front


def behind(site: Site, path: str, method: str = "GET", **options: Any) -> TestResponse:
    """Ask the application itself, past the front."""
    return Client(front_of(site).shelf._ask).open(path, method=method, buffered=True, **options)


@contextmanager
def handed_over(site: Site) -> Iterator[list[str]]:
    """Note the address of every request that the front hands over, and not what it asks by itself."""
    front, asked = front_of(site), []
    application = front._behind

    def note(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        asked.append(f"{environ['PATH_INFO']}?{environ['QUERY_STRING']}")
        return application(environ, start_response)

    front._behind = note
    try:
        yield asked
    finally:
        front._behind = application


def all_of(answer: TestResponse) -> tuple[str, list[tuple[str, str]], bytes]:
    """Return everything but what depends on the time at which it was answered."""
    headers = sorted((name, value) for name, value in answer.headers if name not in ("Date", "Expires"))
    return answer.status, headers, answer.data


def assert_same(site: Site, path: str, method: str = "GET", **options: Any) -> TestResponse:
    expected = behind(site, path, method, **options)
    for _ in ("asked for the first time", "and again, when it is remembered"):
        answer = site.client.open(path, method=method, buffered=True, **options)
        assert all_of(answer) == all_of(expected), (path, method, options)
    return answer


@pytest.mark.parametrize("accepted", [None, "gzip, deflate, br", "gzip", "identity", "br;q=0, *;q=0.5", "x", ""])
def test_every_answer_is_the_applications_header_by_header(light_site: Site, accepted: str | None) -> None:
    light_site.world.announce(antopsis(helsinki=True))
    headers = {} if accepted is None else {"Accept-Encoding": accepted}
    for name in NAMES:
        plain = assert_same(light_site, f"/antopsis/{name}", headers={"Accept-Encoding": "identity"}).data
        with handed_over(light_site) as asked:
            answer = assert_same(light_site, f"/antopsis/{name}", headers=headers)
        assert asked == []
        assert UNPACK[answer.headers.get("Content-Encoding")](answer.data) == plain
        for conditions in conditions_for(answer):
            for method in ("GET", "HEAD"):
                assert_same(light_site, f"/antopsis/{name}", method, headers=headers | conditions)


def conditions_for(answer: TestResponse) -> Iterator[dict[str, str]]:
    tag, changed = answer.headers["ETag"], answer.headers["Last-Modified"]
    for tags in (tag, f"W/{tag}", f'"other", {tag}', f'W/"a",W/{tag}', "*", '"other"', "", "odd", '"', tag.strip('"')):
        yield {"If-None-Match": tags}
        yield {"If-None-Match": tags, "If-Modified-Since": changed}
    for since in (changed, "Wed, 01 Jan 2020 00:00:00 GMT", "Wed, 01 Jan 2120 00:00:00 GMT", "some day", ""):
        yield {"If-Modified-Since": since}


def test_each_coding_has_a_tag_of_its_own_that_fits_no_other(light_site: Site) -> None:
    answers = {
        coding: assert_same(light_site, "/antopsis/", headers={"Accept-Encoding": coding or "identity"})
        for coding in UNPACK
    }
    assert [answer.headers.get("Content-Encoding") for answer in answers.values()] == list(answers)
    assert len({answer.headers["ETag"] for answer in answers.values()}) == 3
    for coding in UNPACK:
        for other, answer in answers.items():
            headers = {"Accept-Encoding": coding or "identity", "If-None-Match": answer.headers["ETag"]}
            assert assert_same(light_site, "/antopsis/", headers=headers).status_code == (
                304 if other == coding else 200
            )


@pytest.mark.parametrize(
    ("header", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("br;q=0.1, gzip", "gzip"),
        ("gzip;q=0", None),
        ("*", "br"),
        ("br;q=0, *", "gzip"),
        ("identity, gzip;q=0.5", None),
        ("GZIP", "gzip"),
        ("gzip" + " " * 1_000, None),
    ],
)
def test_the_coding_is_the_one_that_the_client_likes_best(light_site: Site, header: str, coding: str | None) -> None:
    answer = assert_same(light_site, "/antopsis/", headers={"Accept-Encoding": header})
    assert answer.headers.get("Content-Encoding") == coding
    assert set(answer.headers["Vary"].split(", ")) == {"Accept-Language", "Accept-Encoding"}


@pytest.mark.parametrize(
    "asked", [None, *LANGUAGES, "de-AT, de;q=0.9, en;q=0.5", "fr", "zh-TW;q=0.3, vi;q=0.2", "*", ";;,=", "x" * 900]
)
@pytest.mark.parametrize(
    "query", ["", *(f"lang={language}" for language in LANGUAGES), "lang=de-AT", "lang=fr", "lang="]
)
def test_the_language_is_the_one_of_the_address_or_for_a_page_of_the_browser(
    light_site: Site, asked: str | None, query: str
) -> None:
    headers = {} if asked is None else {"Accept-Language": asked}
    page = assert_same(light_site, "/antopsis/", query_string=query, headers=headers)
    feed = assert_same(light_site, "/antopsis/feed.atom", query_string=query, headers=headers)
    if query == "lang=fr":
        assert page.status_code == 400
        return
    named = query.partition("=")[2][:2]
    assert page.headers["Content-Language"] == (
        named or {"de-AT, de;q=0.9, en;q=0.5": "de"}.get(asked or "", page.headers["Content-Language"])
    )
    assert feed.headers["Content-Language"] == (named or "en")
    assert feed.headers["Vary"] == "Accept-Encoding"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_other_methods_are_the_applications(light_site: Site, method: str) -> None:
    with handed_over(light_site) as asked:
        for name in NAMES:
            answer = light_site.client.open(f"/antopsis/{name}", method=method, buffered=True)
            assert answer.status_code in (200, 405, 501)
    assert len(asked) == len(NAMES)


@pytest.mark.parametrize(
    "target",
    [
        *(
            "/antopsis/?q=stripe",
            "/antopsis/?lang=de&lang=vi",
            "/antopsis/?as_of=2026-09-30",
            "/antopsis/?utm_source=x",
        ),
        *(
            "/antopsis",
            "/",
            "/antopsis//",
            "//antopsis/",
            "/antopsis/feed.rss/",
            "/antopsis/feed",
            "/nobody/",
        ),
        *(
            "/ANTOPSIS/",
            "/antopsis/%66eed.rss?",
            "/antopsis/entries/stripe",
            "/feed.rss",
            "/healthz",
            "/static/registry.css",
        ),
        *(
            "/antopsis/feed.rss?q=stripe",
            "/antopsis/subprocessors.json?as_of=2026-09-30",
            "/antopsis/?%",
            "/antopsis/?lang",
        ),
    ],
)
def test_other_addresses_are_the_applications(light_site: Site, target: str) -> None:
    assert_same(light_site, target)
    with handed_over(light_site) as asked:
        light_site.get(target)
    # An address may be written in several ways.
    assert len(asked) == (0 if "%66" in target else 1)


@pytest.mark.parametrize("name", sorted(UNUSUAL))
def test_ranges_and_other_conditions_are_the_applications(light_site: Site, name: str) -> None:
    light_site.get("/antopsis/")
    header = name.removeprefix("HTTP_").replace("_", "-").title()
    with handed_over(light_site) as asked:
        for value in ("bytes=0-10", '"other"', "*", "Wed, 01 Jan 2020 00:00:00 GMT", "odd"):
            assert_same(light_site, "/antopsis/", headers={header: value})
    assert len(asked) == 10


def test_what_is_served_below_a_prefix_is_the_applications(light_site: Site) -> None:
    light_site.get("/antopsis/")
    assert_same(light_site, "/antopsis/", environ_overrides={"SCRIPT_NAME": "/below"})


def test_a_published_change_and_a_new_day_are_seen_at_once_by_a_clock_that_is_moved_by_hand(site: Site) -> None:
    first = assert_same(site, "/antopsis/").data
    site.world.at = utc("2026-10-01 09:00")
    site.world.announce(antopsis(helsinki=True))
    second = assert_same(site, "/antopsis/").data
    site.world.at = utc("2026-10-01 22:00")
    third = assert_same(site, "/antopsis/").data
    assert len({first, second, third}) == 3
    site.world.at = utc("2026-10-01 21:59")
    assert assert_same(site, "/antopsis/").data == second


def streams(**facts: str) -> RegistryFile:
    text = STREAMS
    for name, value in facts.items():
        line = next(line for line in STREAMS.splitlines() if line.startswith(f"  {name}:"))
        text = text.replace(line, f"  {name}: {value}")
    return read_registry_file(text.encode(), "streams.yaml")


def test_a_host_of_its_own_shows_its_publisher_and_no_other_also_after_it_moved(light_site: Site) -> None:
    world = light_site.world
    world.apply(streams())
    targets = ["/", "/feed.rss", "/streams/", "/antopsis/", "/antopsis/feed.rss", "/nobody/"]

    def shown(host: str) -> list[int]:
        with handed_over(light_site) as asked:
            answers = [assert_same(light_site, path, base_url=f"http://{host}") for path in targets]
        # What is published comes from the front, on whichever host.
        assert len(asked) == 2 * sum("Content-Language" not in answer.headers for answer in answers)
        return [answer.status_code for answer in answers]

    own, other = [200, 200, 200, 404, 404, 404], [200, 404, 200, 200, 200, 404]
    assert (
        shown("legal.streams.example") == shown("LEGAL.streams.example:8080") == shown("legal.streams.example.") == own
    )
    assert shown("127.0.0.1:8000") == shown("elsewhere.example") == other
    world.apply(streams(host="new.streams.example"))
    assert shown("legal.streams.example") == other
    assert shown("new.streams.example") == own


def test_a_publisher_in_another_language_is_answered_in_it(light_site: Site) -> None:
    text = STREAMS.replace("time_zone:", "language: vi\n  time_zone:")
    light_site.world.apply(read_registry_file(text.encode(), "streams.yaml"))
    for name in NAMES:
        assert assert_same(light_site, f"/streams/{name}").headers["Content-Language"] == "vi"
        assert assert_same(light_site, f"/streams/{name}?lang=de").headers["Content-Language"] == "de"
    assert_same(light_site, "/streams/?lang=vi", headers={"Accept-Language": "de"})
    assert_same(light_site, "/streams/?lang=de", headers={"Accept-Language": "vi"})


def test_behind_a_proxy_and_by_https_it_is_the_same(proxied_site: Site, https_site: Site) -> None:
    forwarded = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    for name in NAMES:
        assert_same(proxied_site, f"/antopsis/{name}", headers=forwarded)
        answer = assert_same(https_site, f"/antopsis/{name}")
        assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


def test_nothing_that_one_client_sends_gets_into_what_others_are_given(light_site: Site) -> None:
    evil = {
        "X-Forwarded-Host": "evil.example",
        "Cookie": "session=evil",
        "Authorization": "Bearer evil",
        "Origin": "https://evil.example",
        "Referer": "https://evil.example/",
        "X-Original-URL": "/evil",
    }
    expected = all_of(behind(light_site, "/antopsis/"))
    front_of(light_site).shelf._begin()
    assert all_of(light_site.get("/antopsis/", headers=evil)) == expected
    assert all_of(light_site.get("/antopsis/")) == expected
    assert b"evil" not in light_site.get("/antopsis/").data


def test_another_installation_begins_with_nothing_of_the_last_one(light_site: Site) -> None:
    before = light_site.get("/antopsis/").data
    other = create_app(light_site.world.settings)
    other.config["REGISTRY_CLOCK"] = light_site.world.clock
    assert other.test_client(use_cookies=False).get("/antopsis/").data == before
    other.extensions["registry"].engine.dispose()


anything = st.text(st.characters(exclude_characters="\r\n", max_codepoint=255), max_size=60)
HEADERS = ("Accept-Encoding", "Accept-Language", "If-None-Match", "If-Modified-Since", "Range", "If-Range", "Host")
likely = st.sampled_from(
    [
        "gzip",
        "br;q=1.1",
        "*;q=0",
        "gzip;q=x",
        "de;q=",
        "W/",
        'W/"',
        "*, *",
        '"a" "b"',
        "bytes=-1",
        "a:b:c",
        "[::1]",
        "é",
    ]
)


def test_no_header_and_no_query_makes_the_front_stumble_or_differ(light_site: Site) -> None:
    @settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        name=st.sampled_from(NAMES),
        query=st.sampled_from(["", "lang=de", "lang=en"]) | anything,
        headers=st.dictionaries(st.sampled_from(HEADERS), anything | likely, max_size=4),
    )
    def ask(name: str, query: str, headers: dict[str, str]) -> None:
        raw = {f"HTTP_{header.upper().replace('-', '_')}": value for header, value in headers.items()}
        raw |= {"QUERY_STRING": query, "PATH_INFO": f"/antopsis/{name}"}
        answer = light_site.get("/", environ_overrides=raw)
        assert answer.status_code < 500, answer.text
        assert all_of(answer) == all_of(behind(light_site, "/", environ_overrides=raw))

    ask()
