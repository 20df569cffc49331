"""What goes wrong, said clearly: to people as a page, to machines as one JSON shape, and never as a traceback."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import sql
from sqlalchemy.engine import make_url
from werkzeug.test import TestResponse

from registry.tables import engine as engine_module
from tests.web.conftest import serving
from tests.web.site import Site, json_of, words_of
from tests.web.test_letter_links import sign
from tests.world import antopsis

JSON = {"Accept": "application/json"}
FUZZ = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


def assert_clear(answer: TestResponse) -> None:
    """Assert that an answer is one of this service's own and tells nothing of its insides."""
    assert answer.status_code < 500, answer.text
    assert "Traceback" not in answer.text
    assert "sqlalchemy" not in answer.text.lower()
    assert "Content-Security-Policy" in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/antopsis/nowhere", 404, "not-found"),
        ("GET", "/nobody/", 404, "unknown-publisher"),
        ("GET", "/antopsis/entries/nothing", 404, "unknown-entry"),
        ("GET", "/antopsis/notices/2020-001", 404, "unknown-notice"),
        ("GET", "/antopsis/manage/x", 404, "unknown-token"),
        ("GET", "/antopsis/?as_of=2030-01-01", 400, "future-as-of"),
        ("POST", "/antopsis/", 405, "method-not-allowed"),
        ("DELETE", "/antopsis/feed.rss", 405, "method-not-allowed"),
        ("GET", "/subscribe", 404, "not-found"),
    ],
)
def test_every_error_is_a_page_for_people_and_one_json_shape_for_machines(
    light_site: Site, method: str, path: str, status: int, code: str
) -> None:
    asked = light_site.client.open(path, method=method, headers=JSON)
    assert asked.status_code == status
    assert asked.content_type == "application/json"
    document = json_of(asked)
    assert set(document) == {"error"}
    assert set(document["error"]) - {"field"} == {"code", "message"}
    assert document["error"]["code"] == code
    for accepted in ({}, {"Accept": "*/*"}, {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}, {"Accept": "x"}):
        page = light_site.client.open(path, method=method, headers=accepted)
        assert page.status_code == status
        if not path.endswith(".rss"):
            assert page.content_type == "text/html; charset=utf-8"
            assert "<h1>" in page.text
            assert 'content="noindex"' in page.text
        assert page.headers["Cache-Control"] == "no-store"
        assert "Accept" in page.headers["Vary"]


@pytest.mark.parametrize(
    "path", ["/nobody/feed.atom", "/nobody/subprocessors.csv", "/nobody/x.json", "/x/calendar.ics"]
)
def test_an_error_of_a_file_or_feed_is_json_whatever_is_asked_for(light_site: Site, path: str) -> None:
    answer = light_site.get(path, headers={"Accept": "application/rss+xml, text/html"})
    assert answer.status_code == 404
    assert json_of(answer)["error"]["message"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_an_error_below_a_publisher_leads_back_to_its_list(light_site: Site) -> None:
    for path in ("/antopsis/nowhere", "/antopsis/entries/nothing", "/antopsis/a/b/c"):
        assert "To the list of Antopsis" in light_site.get(path).text
    assert "Show all lists" in light_site.get("/nobody/").text


def test_a_wrong_method_names_the_right_ones(light_site: Site) -> None:
    answer = light_site.post("/antopsis/feed.atom")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("path", ["/antopsis/subscribe", "/antopsis/manage/{manage}", "/antopsis/unsubscribe/{leave}"])
def test_a_form_larger_than_any_form_is_refused_and_changes_nothing(light_site: Site, path: str, kind: str) -> None:
    address = "privacy@hanoi.example"
    path = path.format(manage=sign(light_site, "manage", address), leave=sign(light_site, "unsubscribe", address))
    before = light_site.snapshot()
    body = b"action=stop&email=fred@reader.example&name=" + b"x" * 65_536
    answer = light_site.post(path, body, content_type=kind)
    assert answer.status_code == 413
    assert "longer than anything" in words_of(answer.text)
    assert light_site.snapshot() == before


def test_a_mistake_of_the_service_shows_no_inside_and_logs_no_token(
    sqlite_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> str:
        raise ZeroDivisionError("an inside")

    with serving(sqlite_url, tmp_path / "instance", antopsis()) as site:
        site.app.add_url_rule("/<slug>/broken/<token>", "broken", lambda slug, token: fail())
        with caplog.at_level(logging.ERROR):
            answer = site.get("/antopsis/broken/secret-token")
        assert answer.status_code == 500
        assert "an inside" not in answer.text
        assert "Something went wrong here" in answer.text
        assert "Content-Security-Policy" in answer.headers
        assert "/<slug>/broken/<token>" in caplog.text
        assert "secret-token" not in caplog.text
        assert json_of(site.get("/antopsis/broken/x", headers=JSON))["error"]["code"] == "internal-error"


def test_a_locked_database_is_told_with_when_to_try_again_and_nothing_is_half_done(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_module, "BUSY_SECONDS", 0.2)
    with serving(sqlite_url, tmp_path / "instance", antopsis()) as site:
        before = site.snapshot()
        with closing(sqlite3.connect(str(make_url(sqlite_url).database), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            started = time.monotonic()
            answer = site.subscribe("fred@reader.example")
            assert time.monotonic() - started < 5
            assert answer.status_code == 503
            assert int(answer.headers["Retry-After"]) > 0
            assert "Nothing was changed" in words_of(answer.text)
            # Who only reads does not wait for who writes (R38).
            assert site.get("/antopsis/").status_code == 200
            assert site.get("/healthz").status_code == 200
            other.execute("ROLLBACK")
        assert site.snapshot() == before
        assert site.subscribe("fred@reader.example").status_code == 200


def test_a_database_that_is_gone_is_503_everywhere_and_the_values_asked_for_are_not_logged(
    light_site: Site, sqlite_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = Path(str(make_url(sqlite_url).database))
    light_site.app.extensions["registry"].engine.dispose()
    light_site.world.wiring.engine.dispose()
    os.replace(path, path.with_name("elsewhere.db"))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    with caplog.at_level(logging.WARNING):
        for address in ("/antopsis/", "/", "/antopsis/feed.atom", "/antopsis/nowhere", "/antopsis/manage/x"):
            answer = light_site.get(address)
            assert answer.status_code == 503, address
            assert "Retry-After" in answer.headers
        assert light_site.subscribe("fred@reader.example").status_code == 503
        health = light_site.get("/healthz")
    assert (health.status_code, health.content_type) == (503, "text/plain; charset=utf-8")
    assert "fred@reader.example" not in caplog.text
    assert json_of(light_site.get("/antopsis/feed.atom"))["error"]["code"] == "unavailable"


def test_a_postgresql_database_that_cannot_be_reached_is_503(own_postgresql_url: str, tmp_path: Path) -> None:
    url = make_url(own_postgresql_url)
    address = url.set(drivername="postgresql", database="postgres").render_as_string(hide_password=False)

    def rename(old: str, new: str) -> None:
        statement = sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(old), sql.Identifier(new))
        for parts in (site.world.wiring, site.app.extensions["registry"]):
            parts.engine.dispose()
        with closing(psycopg.connect(address, autocommit=True)) as connection:
            connection.execute(statement)

    with serving(own_postgresql_url, tmp_path / "instance", antopsis()) as site:
        assert site.get("/healthz").data == b"ok\n"
        name = str(url.database)
        rename(name, f"{name}_away")
        try:
            for path in ("/antopsis/", "/antopsis/feed.rss", "/nowhere/x", "/healthz"):
                assert site.get(path).status_code == 503, path
        finally:
            rename(f"{name}_away", name)
        assert site.get("/antopsis/").status_code == 200


anything = st.text(max_size=60) | st.sampled_from(
    ["\x00", "\ud800", "..", "☃", "%", "a" * 10_000, "\u202e", "‮", "'", "\\"]
)
piece = anything | st.sampled_from(
    [
        *("antopsis", "entries", "notices", "confirm", "manage", "unsubscribe", "subscribe", "static", "schemas"),
        *("feed.rss", "subprocessors.json", "calendar.ics", "2026-001", "stripe", "healthz", ""),
    ]
)
query_name = st.sampled_from(["as_of", "product", "q", "x"]) | anything


def quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def test_no_path_and_no_query_makes_the_service_stumble(site: Site) -> None:
    @FUZZ
    @given(path=st.lists(piece, max_size=5), query=st.lists(st.tuples(query_name, anything), max_size=4))
    def ask(path: list[str], query: list[tuple[str, str]]) -> None:
        asked = {
            "PATH_INFO": "/" + "/".join(path).encode("utf-8", "surrogatepass").decode("latin-1"),
            "QUERY_STRING": "&".join(f"{quoted(name)}={quoted(value)}" for name, value in query),
        }
        for method in ("GET", "POST"):
            assert_clear(site.client.open("/", method=method, environ_overrides=asked, buffered=True))

    ask()


def test_no_raw_bytes_in_path_or_query_make_the_service_stumble(site: Site) -> None:
    @FUZZ
    @given(path=st.binary(max_size=40), query=st.binary(max_size=40), host=st.binary(max_size=20))
    def ask(path: bytes, query: bytes, host: bytes) -> None:
        # As a WSGI server hands them on: each byte a character.
        raw = {"PATH_INFO": "/antopsis/" + path.decode("latin-1"), "QUERY_STRING": query.decode("latin-1")}
        assert_clear(site.get("/", environ_overrides=raw | {"HTTP_HOST": host.decode("latin-1")}))

    ask()


def test_no_form_makes_the_service_stumble(site: Site) -> None:
    manage = sign(site, "manage", "privacy@hanoi.example")
    leave = sign(site, "unsubscribe", "privacy@hanoi.example")
    paths = ["/antopsis/subscribe", f"/antopsis/manage/{manage}", f"/antopsis/unsubscribe/{leave}"]
    names = st.sampled_from(["email", "name", "products", "kinds", "effect", "action", "csrf_token"]) | anything
    values = anything | st.sampled_from(["save", "stop", "change_contact", "fred@reader.example", "streaming"])

    @FUZZ
    @given(
        path=st.sampled_from(paths), form=st.lists(st.tuples(names, values), max_size=6), number=st.integers(0, 2**24)
    )
    def ask(path: str, form: list[tuple[str, str]], number: int) -> None:
        body = "&".join(f"{quoted(name)}={quoted(value)}" for name, value in form)
        # Each from elsewhere, or the limits would answer.
        asker = {"REMOTE_ADDR": f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"}
        kind = "application/x-www-form-urlencoded"
        assert_clear(site.post(path, body, content_type=kind, environ_overrides=asker))

    ask()


def test_no_headers_make_the_service_stumble(light_site: Site) -> None:
    names = st.sampled_from(
        [
            *("Accept", "If-None-Match", "If-Modified-Since", "Origin", "Sec-Fetch-Site", "Range", "Content-Type"),
            *("Cookie", "X-Forwarded-For", "Content-Length", "Accept-Language", "Host"),
        ]
    )
    values = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60)

    @FUZZ
    @given(headers=st.dictionaries(names, values, max_size=5), method=st.sampled_from(["GET", "HEAD", "POST"]))
    def ask(headers: dict[str, str], method: str) -> None:
        for path in ("/antopsis/", "/antopsis/feed.atom", "/antopsis/subscribe"):
            assert_clear(light_site.client.open(path, method=method, headers=headers, buffered=True))

    ask()
