"""Whatever is asked of the public side, nothing breaks: no 500, no traceback, no cookie, and the same answer twice."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import TestResponse, create_environ, run_wsgi_app
from werkzeug.wrappers import Request

from registry.pages.selection import CHOICES
from registry.web.limits import limiter
from tests import databases
from tests.databases import ReusedDatabase
from tests.web.conftest import serving, serving_again
from tests.web.site import Site, path_of, streams_file
from tests.web.test_letter_links import sign
from tests.world import antopsis, link_in

FRED, OLGA, IDA = "fred@reader.example", "olga@watcher.example", "ida@asks.example"
HANOI = "privacy@hanoi.example"
BASE, OWN_HOST = "http://127.0.0.1:8000", "https://legal.streams.example"
PARAMETERS = (
    *("q", *CHOICES, "as_of", "lang", "from", "to", "page", "v", "channel", "List-Unsubscribe", "_method", "__proto__"),
    *("as_of[]", "q[0]", "%", "", "constructor", "Q", "lang ", "café"),
)
KNOWN = (
    *("DE", "de", "VN", "eea", "outside-eea", "edge", "not-stated", "stripe", "Payments", "subprocessor", "unknown"),
    *("none.same-area", "streaming", "en", "vi", "zh", "de-AT", "tlh", "2026-09-30", "2026-10-01", "2026-02-30"),
    *(
        "0001-01-01",
        "9999-12-31",
        "10000-01-01",
        "-1",
        "1e9",
        "0",
        "true",
        "null",
        "None",
        "２０２６-09-30",
        "2026-W40-1",
    ),
)
ODD = (
    *(
        "",
        " ",
        "\0",
        "a\0b",
        "%00",
        "\r\nSet-Cookie: a=b",
        "\u2028",
        "\ufeff",
        "\u202e",
        "\ud800",
        "\U0010ffff",
        "ß",
        "İ",
    ),
    *("'", '"', "<script>alert(1)</script>", "{{7*7}}", "${7*7}", "%(name)s", "{0}", "../../etc/passwd", "\\", "%"),
    *("' OR 1=1 --", "x" * 201, "\N{COMBINING ACUTE ACCENT}" * 300, "😀" * 100, "a " * 500, "[", "//evil.example"),
)
TEXTS = st.one_of(st.sampled_from(KNOWN), st.sampled_from(ODD), st.text(max_size=40))
INVALID = (
    *(
        "%",
        "%%",
        "%zz",
        "%ff",
        "%c3%28",
        "%ed%a0%80",
        "%00",
        "%f8%80%80%80%af",
        "&&&",
        "=",
        "==",
        "&=&",
        ";",
        "q",
        "q&q",
    ),
    *("lang=en&lang=de", "as_of=2026-09-30&as_of=", "%71=x", "q=%", "region=%ff", "q=" + "%41" * 3000, "a&" * 1500),
    *("#", "?", "q=?x", "q=a+b%2Bc", "é", "q=é", "q=\x7f", "region[]=DE", "region.x=1"),
)


def _pair(name: str, value: str) -> str:
    return f"{quote(name, safe='', errors='surrogatepass')}={quote(value, safe='', errors='surrogatepass')}"


PAIRS = st.builds(_pair, st.one_of(st.sampled_from(PARAMETERS), st.text(max_size=8)), TEXTS)
LIKELY = st.builds(_pair, st.sampled_from(("q", *CHOICES, "as_of", "lang", "from", "to")), TEXTS)
QUERIES = st.lists(st.one_of(LIKELY, PAIRS, st.sampled_from(INVALID)), min_size=1, max_size=6).map("&".join)
WORST = ("q=%ff", "q=%00&region=%00&as_of=%00&lang=%00&from=%00&to=%00", "a&" * 1500, "%", "lang=tlh&lang=en&lang=%ff")
LATIN = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=40)
TAGS = ('"a"', 'W/"a"', "*", '"', 'W/"', '"a", "b"', ",,,", "a" * 3000, '"a"' * 500, "\xe9")
LANGUAGES = (
    *("de", "vi-VN,vi;q=0.9,en;q=0.1", "*", "de;q=x", "de;q=-1", "de;q=2", ";;;", ",", "x" * 600, "en;q=0,de;q=0"),
    *("q=1", "de_DE", "i-klingon", "zh-Hant-TW;q=0.8, *;q=0.5", "é"),
)
CODINGS = ("br", "gzip, br", "*", "identity;q=0", "gzip;q=0,*;q=0", "br;q=nan", "gzip;q=1e400", "x" * 600, ",;=")
HOSTS = (
    *("127.0.0.1:8000", "legal.streams.example", "LEGAL.streams.example.", "evil.example", "", "a" * 300, "[::1]:8000"),
    *("[", "127.0.0.1:99999", "legal.streams.example:x", "..", "xn--mnchen-3ya.example", "a b", "é.example", "%00"),
)
TYPES = (
    "application/json",
    "text/html",
    "*/*",
    "text/html;q=x",
    ",",
    "a/b/c",
    "application/json;q=0.9,text/html;q=0.8",
)
HEADERS = st.fixed_dictionaries(
    {},
    optional={
        "Accept-Language": st.one_of(st.sampled_from(LANGUAGES), LATIN),
        "Accept-Encoding": st.one_of(st.sampled_from(CODINGS), LATIN),
        "Accept": st.one_of(st.sampled_from(TYPES), LATIN),
        "If-None-Match": st.one_of(st.sampled_from(TAGS), LATIN),
        "If-Modified-Since": st.one_of(st.sampled_from(("Thu, 01 Jan 1970 00:00:00 GMT", "x", "99999")), LATIN),
        "Range": st.sampled_from(("bytes=0-9", "bytes=9-0", "bytes=-1", "bytes=x", "lines=1-2", "bytes=0-1,3-4")),
        "X-Forwarded-Host": st.sampled_from(("evil.example", "legal.streams.example")),
        "X-HTTP-Method-Override": st.just("DELETE"),
        "Host": st.sampled_from(HOSTS),
        "Cookie": st.sampled_from(("session=x", "registry_team=" + "a" * 300, ";;=", "lang=de")),
    },
)
NAMES = st.one_of(
    st.sampled_from(("stripe", "2026-001", "registry.css", "1", "nobody", "..", "%2e%2e", "%00", "%ff", "a" * 300)),
    st.sampled_from(("stripe", "hetzner-falkenstein", "2026-001", "mail-delivery")),
    TEXTS.map(lambda text: quote(text, safe="", errors="surrogatepass")),
)
TELLING = re.compile(rb"Traceback|Internal Server Error|jinja2|sqlalchemy|psycopg|werkzeug|hypothesis", re.IGNORECASE)
"""Words that tell of what is inside."""
BY_THE_CLOCK = {"/healthz", "/metrics", "/readyz"}
"""What answers with how things stand this very moment."""
FIELDS = (
    *("email", "channel", "url", "name", "products", "kinds", "effect", "reminders", "language", "asked", "action"),
    *("reason", "text", "company", "changes", "csrf_token", "List-Unsubscribe", "token"),
)
WISHES = (
    *("fred@reader.example", "a@b", "a@b@c", "<a@b.example>", "é@bücher.example", "x" * 400 + "@reader.example"),
    *("email", "webhook", "slack", "teams", "on", "off", "One-Click", "addition", "others", "hetzner-falkenstein"),
    *("stop", "pause", "resume", "save", "erase", "withdraw", "object", "add", "rotate", "verify", "change", "yes"),
    *(
        "https://hooks.example/x",
        "http://127.0.0.1/",
        "https://[::1",
        "javascript:alert(1)",
        "https://a.example:99999/",
    ),
)
VALUES = st.one_of(TEXTS, st.sampled_from(WISHES))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


FORMS = st.lists(st.tuples(st.one_of(st.sampled_from(FIELDS), st.text(max_size=8)), VALUES), max_size=8)
BODY_TYPES = st.sampled_from(
    (
        *("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "multipart/form-data"),
        *("application/json", "text/plain", "", "application/x-www-form-urlencoded; charset=utf-16"),
    )
)


@dataclass
class Fuzzed:
    """A site, with an address for every public route: "{}" stands for a name that may be anything."""

    site: Site
    gets: list[str] = field(repr=False)
    posts: list[str] = field(repr=False)

    def ask(self, path: str, query: str = "", headers: dict[str, str] | None = None, **more: Any) -> TestResponse:
        """Ask for exactly these bytes, as a server hands them on: not what a client would make of them."""
        # Without a slug it is an address of the publisher that has a host of its own.
        is_known = path.startswith("/antopsis") or path.count("/") < 2
        environ = create_environ("/", BASE if is_known else OWN_HOST, **more)
        environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1")
        environ["QUERY_STRING"] = query.encode("utf-8", "surrogatepass").decode("latin-1")
        for name, value in (headers or {}).items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        body, status, sent = run_wsgi_app(self.site.app, environ, buffered=True)
        answer = TestResponse(body, status, sent, Request(environ))
        self._judge(answer, f"{environ['REQUEST_METHOD']} {path}?{query} {headers}")
        return answer

    def _judge(self, answer: TestResponse, asked: str) -> None:
        assert answer.status_code < 500, asked
        assert "Set-Cookie" not in answer.headers, asked
        assert not TELLING.search(answer.data) or "/metrics" in asked, asked
        assert answer.is_json or b"<script>alert" not in answer.data, asked
        for name, value in answer.headers:
            assert not re.search(r"[\r\n\0]", value), (asked, name)
        if "Location" in answer.headers:
            assert answer.headers["Location"].startswith((BASE, OWN_HOST)), asked
        if "evil.example" not in asked.partition(" {")[0]:
            # Nobody chooses by a header where our links lead.
            assert b"evil.example" not in answer.data, asked


@pytest.fixture(scope="module")
def fuzzed(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    folder = tmp_path_factory.mktemp("fuzzed")
    url = databases.copied_sqlite_url(folder, sqlite_template)
    with serving(url, folder / "instance", antopsis(), streams_file()) as site:
        yield _made_fuzzed(site)


@pytest.fixture
def on_postgresql(postgresql_database: ReusedDatabase, instance: Path) -> Iterator[Fuzzed]:
    with serving_again(postgresql_database, instance, antopsis(), streams_file()) as site:
        yield _made_fuzzed(site)


def _made_fuzzed(site: Site) -> Fuzzed:
    """Two publishers, one with a host of its own, an announced change, followers, and a contact's letter."""
    for address in (FRED, OLGA):
        site.follow(address)
    site.subscribe(IDA)
    site.world.announce(antopsis(helsinki=True))
    letter = site.letters_to(HANOI)[-1]
    tokens = {
        "confirm": [path_of(link_in(site.letters_to(IDA)[-1], "confirm")).rpartition("/")[2]],
        "manage": [sign(site, "manage", FRED), sign(site, "manage", HANOI)],
        "unsubscribe": [sign(site, "unsubscribe", OLGA), sign(site, "unsubscribe", HANOI)],
        "object": [path_of(link_in(letter, "object")).rpartition("/")[2]],
        "acknowledge": [path_of(link_in(letter, "acknowledge")).rpartition("/")[2]],
    }
    gets, posts = set(), set()
    for rule in site.app.url_map.iter_rules():
        if rule.endpoint.startswith(("team.", "security.")):
            continue
        word = rule.rule.partition("/<token>")[0].rpartition("/")[2]
        path = rule.rule.replace("<slug>", "antopsis").replace("<path:filename>", "{}").replace("<int:part>", "{}")
        path = path.replace("<key>", "{}").replace("<number>", "{}")
        assert "<" not in path.replace("<token>", ""), path
        found = {path.replace("<token>", token) for token in ["{}", *tokens.get(word, [])]}
        gets |= found if "GET" in (rule.methods or ()) else set()
        posts |= found if "POST" in (rule.methods or ()) else set()
    # Somebody's own slug may be anything as well.
    return Fuzzed(site, [*sorted(gets), "/{}/", "/{}/feed.rss", "/{}/{}"], [*sorted(posts), "/{}/subscribe"])


def _one_of(addresses: list[str]) -> st.SearchStrategy[str]:
    """Return what draws one of the addresses, and as often one that leads somewhere."""
    return st.one_of(st.sampled_from(addresses), st.sampled_from([each for each in addresses if "{}" not in each]))


def _same(answer: TestResponse) -> tuple[object, ...]:
    return answer.status, [each for each in answer.headers if each[0] not in ("Date", "Expires")], answer.data


def test_every_route_is_among_those_that_are_asked(fuzzed: Fuzzed) -> None:
    assert len(fuzzed.gets) > 70
    assert len(fuzzed.posts) > 20


@pytest.mark.parametrize("query", [*WORST, "", "as_of=2026-09-30&lang=vi&q=%C3%9F"])
def test_the_worst_is_asked_of_every_route(fuzzed: Fuzzed, query: str) -> None:
    for path in fuzzed.gets:
        fuzzed.ask(path.replace("{}", "stripe"), query)


@settings(max_examples=200)
@given(data=st.data(), name=NAMES, query=QUERIES, headers=HEADERS, method=st.sampled_from(("GET", "GET", "HEAD")))
def test_what_nobody_would_ask_is_answered_the_same_twice(
    fuzzed: Fuzzed, data: st.DataObject, name: str, query: str, headers: dict[str, str], method: str
) -> None:
    path = data.draw(_one_of(fuzzed.gets)).replace("{}", name)
    first = fuzzed.ask(path, query, headers, method=method)
    if path not in BY_THE_CLOCK:
        assert _same(first) == _same(fuzzed.ask(path, query, headers, method=method))


@settings(max_examples=150)
@given(data=st.data(), name=NAMES, form=FORMS, headers=HEADERS, query=QUERIES)
def test_a_form_that_nobody_would_send_is_answered(
    fuzzed: Fuzzed, data: st.DataObject, name: str, form: list[tuple[str, str]], headers: dict[str, str], query: str
) -> None:
    limiter.reset()
    path = data.draw(_one_of(fuzzed.posts)).replace("{}", name)
    body = "&".join(_pair(*field) for field in form).encode()
    kind = "application/x-www-form-urlencoded"
    fuzzed.ask(path, query, headers, method="POST", data=body, content_type=kind)


@settings(max_examples=80)
@given(data=st.data(), body=st.one_of(st.binary(max_size=200), FORMS.map(repr).map(_encoded)), kind=BODY_TYPES)
def test_a_body_that_is_no_form_is_answered(fuzzed: Fuzzed, data: st.DataObject, body: bytes, kind: str) -> None:
    limiter.reset()
    path = data.draw(_one_of(fuzzed.posts)).replace("{}", "stripe")
    fuzzed.ask(path, method="POST", data=body, content_type=kind)


def test_postgresql_is_asked_for_nothing_that_it_refuses(on_postgresql: Fuzzed) -> None:
    # It takes no NUL and no lone surrogate in any text, and no whole number beyond its own.
    for name in ("a%00b", "%ed%a0%80", "9" * 30):
        for path in on_postgresql.gets:
            on_postgresql.ask(path.replace("{}", name), f"q={name}&region={name}&as_of={name}&from={name}&to={name}")
    for value in ("a\0b@reader.example", "\ud800", "9" * 30):
        form = "&".join(_pair(field, value) for field in FIELDS)
        for path in on_postgresql.posts:
            limiter.reset()
            for name in ("a%00b", "9" * 30):
                on_postgresql.ask(
                    path.replace("{}", name),
                    method="POST",
                    data=form.encode(),
                    content_type="application/x-www-form-urlencoded",
                )
