"""What can be said of a request after trouble, and what an answer says.

Until the whole request was written it cannot have been taken; after that, nobody knows without an answer.
"""

from __future__ import annotations

import contextlib
import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from registry.channels.base import Ambiguous, TemporaryFailure
from registry.channels.guarded_http import (
    LONGEST_BODY,
    LONGEST_RETRY_AFTER,
    GuardedHttp,
    HttpAnswer,
    HttpTimeouts,
    NotSent,
    Unclear,
)
from tests.channels.conftest import Authority
from tests.channels.http_receiver import (
    BAD_GATEWAY,
    CUT,
    HANG,
    OK,
    RESET,
    BeforeTheBody,
    Behaviour,
    Drip,
    HttpReceiver,
    Reply,
    StopAfter,
)
from tests.processes import free_port

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
SHORT = HttpTimeouts(connect=1, whole=1)
LONG_BODY = b"x" * 20_000_000
HttpMaker = Callable[..., GuardedHttp]


@pytest.fixture
def open_http() -> Iterator[HttpMaker]:
    """Makes clients that may reach this machine without encryption, and closes them when the test is over."""
    with ExitStack() as stack:

        def make(**options: Any) -> GuardedHttp:
            http = GuardedHttp(may_reach=lambda address: address.is_loopback, allow_http=True, **options)
            return stack.enter_context(closing(http))

        yield make


@pytest.fixture
def receiver() -> Iterator[HttpReceiver]:
    with HttpReceiver() as running:
        yield running


def test_where_nobody_listens_nothing_was_sent(open_http: HttpMaker) -> None:
    port = free_port()
    outcome = open_http().post(f"http://127.0.0.1:{port}/", b"{}", {})
    assert outcome == NotSent(f"127.0.0.1:{port}: Connection refused")
    assert outcome.as_answer() == TemporaryFailure(None, f"127.0.0.1:{port}: Connection refused")


def test_a_server_that_speaks_no_tls_was_sent_nothing(open_http: HttpMaker, receiver: HttpReceiver) -> None:
    outcome = open_http().post(receiver.url.replace("http://", "https://"), b"{}", {})
    assert isinstance(outcome, NotSent)
    assert "encryption failed" in outcome.reason or "reset" in outcome.reason
    assert receiver.requests == []


@pytest.mark.parametrize("then", [CUT, RESET])
def test_a_connection_that_breaks_before_the_whole_request_was_written_cannot_have_taken_it(
    open_http: HttpMaker, receiver: HttpReceiver, then: Any
) -> None:
    receiver.script(BeforeTheBody(then))
    outcome = open_http().post(receiver.url, LONG_BODY, {})
    assert isinstance(outcome, NotSent)
    assert isinstance(outcome.as_answer(), TemporaryFailure)


def test_a_server_that_stops_reading_holds_nobody_and_cannot_have_taken_it(
    open_http: HttpMaker, receiver: HttpReceiver
) -> None:
    receiver.script(BeforeTheBody(HANG))
    began = time.monotonic()
    outcome = open_http(timeouts=SHORT).post(receiver.url, LONG_BODY, {})
    assert isinstance(outcome, NotSent)
    assert "no answer in the time allowed" in outcome.reason
    assert time.monotonic() - began < 10


def test_a_refusal_that_comes_before_the_body_was_read_is_an_answer(
    open_http: HttpMaker, receiver: HttpReceiver
) -> None:
    receiver.script(BeforeTheBody(Reply(413, "too long", {"Connection": "close"})))
    outcome = open_http().post(receiver.url, b"x" * 1_000, {})
    # Where the connection broke before the answer could be read, it stays unclear; it is never taken for accepted.
    assert isinstance(outcome, Unclear) or (isinstance(outcome, HttpAnswer) and outcome.status == 413)


@pytest.mark.parametrize(
    "behaviour",
    [
        HANG,
        CUT,
        RESET,
        b"",
        b"220 mail.example ESMTP\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc ok\r\n\r\n",
        b"HTTP/1.1 20",
        b"\x00\xff" * 50,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200,
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 3,
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 3,
        StopAfter(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"),
        Drip(OK.as_bytes(), 0.2),
        Drip(b"HTTP/1.1 100 Continue\r\n\r\n" * 10, 0.02),
        Drip(b"HTTP/1.1 102 Processing\r\n\r\n" * 10, 0.02),
    ],
)
def test_whatever_breaks_after_the_request_was_written_leaves_open_whether_it_was_taken(
    open_http: HttpMaker, receiver: HttpReceiver, behaviour: Behaviour
) -> None:
    receiver.script(behaviour)
    http = open_http(timeouts=SHORT)
    began = time.monotonic()
    outcome = http.post(receiver.url, b"{}", {})
    assert time.monotonic() - began < 10
    assert isinstance(outcome, Unclear)
    assert outcome.reason.startswith(f"127.0.0.1:{receiver.port}: ")
    assert isinstance(outcome.as_answer(), Ambiguous)
    assert len(receiver.requests) == 1
    # What was left of that exchange is not the answer to the next.
    following = http.post(receiver.url, b"{}", {})
    assert isinstance(following, HttpAnswer)
    assert following.text == "ok"


@pytest.mark.parametrize(
    "behaviour",
    [
        StopAfter(b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nabc"),
        b"HTTP/1.1 202 Accepted\r\nContent-Length: 100\r\n\r\nabc",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n-5\r\nhello\r\n0\r\n\r\n",
        b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\nhello\r\n0\r\n\r\n",
        StopAfter(b"HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"),
    ],
)
def test_a_status_is_an_answer_even_where_the_body_is_cut_or_never_ends(
    open_http: HttpMaker, receiver: HttpReceiver, behaviour: Behaviour
) -> None:
    receiver.script(behaviour)
    http = open_http(timeouts=SHORT)
    began = time.monotonic()
    answer = http.post(receiver.url, b"{}", {})
    assert time.monotonic() - began < 10
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.is_whole) == (202, False)
    following = http.post(receiver.url, b"{}", {})
    assert isinstance(following, HttpAnswer)
    assert (following.status, following.text) == (200, "ok")


def test_a_body_that_drips_is_ended_by_the_one_deadline(open_http: HttpMaker, receiver: HttpReceiver) -> None:
    reply = Reply(200, "x" * 1_000).as_bytes()
    receiver.script(Drip(reply, 0.01))
    began = time.monotonic()
    answer = open_http(timeouts=SHORT).post(receiver.url, b"{}", {})
    # Each byte comes well within any time-out counted per read; all of them would take ten seconds.
    assert time.monotonic() - began < 8
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.is_whole) == (200, False)


def test_the_one_deadline_holds_under_encryption_too(open_http: HttpMaker, authority: Authority) -> None:
    with HttpReceiver(tls=authority.server_context("IP:127.0.0.1")) as receiver:
        receiver.script(Drip(Reply(200, "x" * 1_000).as_bytes(), 0.01), HANG)
        http = open_http(timeouts=SHORT, certificate_authority=authority.certificate)
        began = time.monotonic()
        dripped = http.post(receiver.url, b"{}", {})
        unanswered = http.post(receiver.url, b"{}", {})
        assert time.monotonic() - began < 9
    assert isinstance(dripped, HttpAnswer)
    assert (dripped.status, dripped.is_whole) == (200, False)
    assert isinstance(unanswered, Unclear)


def test_a_handshake_that_never_ends_is_ended_by_the_one_deadline(open_http: HttpMaker) -> None:
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as silent:

        def hold() -> None:
            connection, _ = silent.accept()
            with connection:
                # The beginning of a TLS record that is never whole.
                for byte in b"\x16\x03\x03\x40\x00" + b"\x02" * 50:
                    connection.sendall(bytes([byte]))
                    if stop.wait(0.1):
                        return

        holding = threading.Thread(target=hold)
        holding.start()
        began = time.monotonic()
        outcome = open_http(timeouts=SHORT).post(f"https://127.0.0.1:{silent.getsockname()[1]}/", b"{}", {})
        assert time.monotonic() - began < 4
        stop.set()
        holding.join(timeout=5)
    assert isinstance(outcome, NotSent)
    assert "no answer in the time allowed" in outcome.reason


def test_a_name_service_that_does_not_answer_holds_nobody(
    open_http: HttpMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()

    def hang(*_: Any, **__: Any) -> list[Any]:
        over.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    outcome = open_http(timeouts=HttpTimeouts(connect=0.3, whole=1)).post("https://customer.example/", b"{}", {})
    assert time.monotonic() - began < 5
    over.set()
    assert outcome == NotSent("customer.example: the name service gave no answer in the time allowed")


def test_no_more_of_a_body_is_read_than_is_of_use(open_http: HttpMaker, receiver: HttpReceiver) -> None:
    receiver.script(Reply(200, LONG_BODY), Reply(200, b"y" * LONGEST_BODY), Reply(200, b"z" * (LONGEST_BODY + 1)))
    http = open_http()
    too_long, just_fits, one_more = (http.post(receiver.url, b"{}", {}) for _ in range(3))
    assert isinstance(too_long, HttpAnswer)
    assert (len(too_long.body), too_long.is_whole) == (LONGEST_BODY, False)
    assert isinstance(just_fits, HttpAnswer)
    assert (len(just_fits.body), just_fits.is_whole) == (LONGEST_BODY, True)
    assert isinstance(one_more, HttpAnswer)
    assert (len(one_more.body), one_more.is_whole) == (LONGEST_BODY, False)


def test_a_packed_body_is_not_unpacked(open_http: HttpMaker, receiver: HttpReceiver) -> None:
    bomb = gzip.compress(LONG_BODY)
    receiver.script(Reply(200, bomb, {"Content-Encoding": "gzip"}))
    answer = open_http().post(receiver.url, b"{}", {})
    assert isinstance(answer, HttpAnswer)
    assert answer.body == bomb[:LONGEST_BODY]


@pytest.mark.parametrize("head", [b"Transfer-Encoding: chunked\r\n\r\n-1\r\n", b"Content-Length: -1\r\n\r\n", b"\r\n"])
def test_no_size_that_a_stranger_names_has_all_of_a_body_read(
    open_http: HttpMaker, receiver: HttpReceiver, head: bytes
) -> None:
    receiver.script(b"HTTP/1.1 200 OK\r\n" + head + LONG_BODY)
    http = open_http()
    tracemalloc.start()
    try:
        answer = http.post(receiver.url, b"{}", {})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(answer, HttpAnswer)
    assert (answer.status, answer.is_whole) == (200, False)
    assert peak < 40 * LONGEST_BODY


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 20,
        b"HTTP/1.1 199 Odd\r\nContent-Length: 5\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
    ],
)
def test_an_interim_answer_is_not_taken_for_the_one_that_follows(
    open_http: HttpMaker, receiver: HttpReceiver, interim: bytes
) -> None:
    receiver.script(interim + b"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone", interim + OK.as_bytes())
    refused, taken = (open_http().post(receiver.url, b"{}", {}) for _ in range(2))
    assert isinstance(refused, HttpAnswer)
    assert (refused.status, refused.text, refused.headers.get("Link")) == (410, "gone", None)
    assert isinstance(taken, HttpAnswer)
    assert (taken.status, taken.text) == (200, "ok")


def test_interim_answers_without_end_are_ended_by_the_one_deadline(open_http: HttpMaker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as flooding:

        def flood() -> None:
            connection, _ = flooding.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(10)
                while True:
                    connection.sendall(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 100)

        sending = threading.Thread(target=flood)
        sending.start()
        began = time.monotonic()
        outcome = open_http(timeouts=SHORT).post(f"http://127.0.0.1:{flooding.getsockname()[1]}/", b"{}", {})
        assert time.monotonic() - began < 5
        sending.join(timeout=15)
    assert isinstance(outcome, Unclear)
    assert "no answer in the time allowed" in outcome.reason


def test_a_change_of_protocol_that_nobody_asked_for_leaves_it_open(
    open_http: HttpMaker, receiver: HttpReceiver
) -> None:
    receiver.script(b"HTTP/1.1 101 Switching Protocols\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    http = open_http()
    answer = http.post(receiver.url, b"{}", {})
    assert isinstance(answer, HttpAnswer)
    assert isinstance(answer.as_failure(NOW), Ambiguous)
    following = http.post(receiver.url, b"{}", {})
    assert isinstance(following, HttpAnswer)
    assert following.text == "ok"


# Reading an answer


@pytest.mark.parametrize(
    ("asked", "wait"),
    [
        ("30", timedelta(seconds=30)),
        (" 7 ", timedelta(seconds=7)),
        ("Mon, 02 Mar 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Monday, 02-Mar-26 12:05:00 GMT", timedelta(minutes=5)),
        ("Mon Mar  2 12:05:00 2026", timedelta(minutes=5)),
        ("Mon, 02 Mar 2026 14:05:00 +0200", timedelta(minutes=5)),
        ("99999999", LONGEST_RETRY_AFTER),
        ("9" * 18, LONGEST_RETRY_AFTER),
        ("Fri, 31 Dec 9999 23:59:59 GMT", LONGEST_RETRY_AFTER),
        ("Mon, 02 Mar 2026 11:55:00 GMT", None),
        ("0", None),
        ("-5", None),
        ("1.5", None),
        ("٣٠", None),
        ("soon", None),
        ("9" * 400, None),
        ("Mon, 99 Mar 2026 12:05:00 GMT", None),
        ("Mon, 02 Mar 0000 12:05:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -2359", LONGEST_RETRY_AFTER),
        ("", None),
    ],
)
def test_a_wait_that_is_asked_for_is_read_or_ignored(asked: str, wait: timedelta | None) -> None:
    answer = HttpAnswer(503, {"Retry-After": asked}, b"")
    assert answer.retry_after(NOW) == wait
    assert answer.as_failure(NOW) == TemporaryFailure(503, "HTTP 503 Service Unavailable", retry_after=wait)


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (HttpAnswer(200, {}, b""), "HTTP 200 OK"),
        (HttpAnswer(799, {}, b"what?"), "HTTP 799: what?"),
        (
            HttpAnswer(400, {}, b"no\r\nsuch\x1b[31m \xe2\x80\xaething\xff"),
            "HTTP 400 Bad Request: no such [31m thing\ufffd",
        ),
        (HttpAnswer(500, {}, b"x" * 5_000), f"HTTP 500 Internal Server Error: {'x' * 299}…"),
        (
            HttpAnswer(502, {"Content-Type": "text/html"}, BAD_GATEWAY.as_bytes().partition(b"\r\n\r\n")[2]),
            "HTTP 502 Bad Gateway: 502 Bad Gateway",
        ),
        (HttpAnswer(503, {"Content-Type": "text/html"}, b"<p>sorry"), "HTTP 503 Service Unavailable"),
        (HttpAnswer(404, {"Content-Type": "text/html"}, b"no_service"), "HTTP 404 Not Found: no_service"),
        (HttpAnswer(503, {}, b"<HTML><TITLE>a &lt; b</TITLE>"), "HTTP 503 Service Unavailable: a < b"),
        (HttpAnswer(403, {}, b"<title>" * 9_000), "HTTP 403 Forbidden: " + ("<title>" * 43)[:299] + "…"),
    ],
)
def test_an_answer_is_told_in_one_short_clean_line(answer: HttpAnswer, line: str) -> None:
    assert answer.describe() == line
