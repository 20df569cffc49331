"""The one way this product sends something to an address that a stranger gave.

the address ──▶ its text is judged ──▶ the name is looked up, once ──▶ every IP address found is judged
                                                                                  │
     answer ◀── at most 64 KiB are read ◀── POST ◀── TLS ◀── connect to just these addresses

Judging and connecting use the same numbers: a name that resolves to another address a moment later changes nothing.
A connection that is kept open was judged when it was made. Redirects are not followed, so there is no second address.
"""

from __future__ import annotations

import html
import http
import re
import socket
import threading
import time
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from registry.channels.base import Ambiguous, PermanentFailure, TemporaryFailure, clean_answer
from registry.channels.public_addresses import (
    AddressProblem,
    MayReach,
    describe_problem,
    is_public,
    read_ip_address,
    read_web_address,
)
from registry.channels.timed_http import TROUBLE, Exchange, SocketAddress, TimedSession, read_body

USER_AGENT = "subprocessor-registry/1"
LONGEST_BODY = 64 * 1024
"""Bytes of an answer that are read."""
LONGEST_RETRY_AFTER = timedelta(days=1)
"""A server that asks for more patience than this is taken to have asked for this much."""

_LONGEST_WORDS = 300
# Looked for in the beginning only: a page made for it could keep the search busy.
_PAGE_HEAD = 4_096
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_LOOKS_LIKE_A_PAGE = re.compile(r"\s*<(!doctype|html|head|body|center|\?xml)\b", re.IGNORECASE)
_PAGE_KINDS = ("text/html", "application/xhtml+xml")
_SECONDS = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class HttpTimeouts:
    """How long to wait, in seconds: `whole` from the look-up of the name to the last byte of the answer, and of that
    `connect` for the look-up, the connection and its encryption."""

    connect: float = 10
    whole: float = 20


@dataclass(frozen=True)
class HttpAnswer:
    """What came back: the status, the headers (looked up in any case), the body as far as it was read.

    `is_whole` is False where the body was cut, came too slowly, or is longer than LONGEST_BODY.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool = True

    @property
    def text(self) -> str:
        """The body as text, whatever its bytes are."""
        return self.body.decode("utf-8", "replace")

    @property
    def is_page(self) -> bool:
        """Whether this was made for people: the error page of something on the way, rather than the service's word.

        The kind alone does not tell: Slack says its one-word answers as HTML too.
        """
        head = self.text[:_PAGE_HEAD]
        kind = self.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        return bool(_LOOKS_LIKE_A_PAGE.match(head)) or (kind in _PAGE_KINDS and "<" in head)

    def describe(self) -> str:
        """The answer in one short clean line. Of a page its title, of a redirect where it points."""
        try:
            line = f"HTTP {self.status} {http.HTTPStatus(self.status).phrase}"
        except ValueError:
            line = f"HTTP {self.status}"
        if 300 <= self.status <= 399:
            line = f"{line}: redirects are not followed"
            return f"{line}; it points to {target}" if (target := self._redirect_target()) else line
        if self.is_page:
            title = _TITLE.search(self.text[:_PAGE_HEAD])
            words = clean_answer(html.unescape(title[1])) if title else ""
        else:
            words = clean_answer(self.text)
        shown = words if len(words) <= _LONGEST_WORDS else words[: _LONGEST_WORDS - 1] + "…"
        return f"{line}: {shown}" if shown else line

    def retry_after(self, now: datetime) -> timedelta | None:
        """How long the server asked to be left alone from `now` (aware) on, by seconds or by a date.

        None where it asked for nothing, for a time that has passed, or in a way that cannot be read. Never longer than
        LONGEST_RETRY_AFTER. The header is described in RFC 9110 section 10.2.3.
        """
        asked = self.headers.get("Retry-After", "").strip()
        if _SECONDS.fullmatch(asked):
            wait = timedelta(seconds=min(int(asked), LONGEST_RETRY_AFTER.total_seconds()))
        else:
            try:
                until = parsedate_to_datetime(asked)
                # RFC 9110 knows no time but UTC here; a date without a zone can mean no other.
                wait = (until if until.tzinfo else until.replace(tzinfo=UTC)) - now
            except (ValueError, OverflowError):
                return None
        return min(wait, LONGEST_RETRY_AFTER) if wait > timedelta(0) else None

    def as_failure(self, now: datetime) -> TemporaryFailure | Ambiguous:
        """What an answer other than 2xx means where nothing more is known about who gave it: try again later.

        A change of protocol (101) ends the exchange and leaves open what became of the request.
        """
        if self.status < 200:
            return Ambiguous(self.status, self.describe())
        return TemporaryFailure(self.status, self.describe(), retry_after=self.retry_after(now))

    def _redirect_target(self) -> str:
        try:
            target = urlsplit(self.headers.get("Location", ""))
        except ValueError:
            return ""
        # Without the query and any sign-in: they are what a redirect carries secrets in.
        return clean_answer(target._replace(netloc=target.netloc.rpartition("@")[2], query="", fragment="").geturl())[
            :_LONGEST_WORDS
        ]


@dataclass(frozen=True)
class NotSent:
    """The request can certainly not have been taken: it was refused here, nobody could be reached, or the connection
    broke before all of it was written.

    `problem` says what is wrong with the address itself. `is_final`: the same address will never do.
    """

    reason: str
    problem: AddressProblem | None = None
    is_final: bool = False

    def as_answer(self) -> TemporaryFailure | PermanentFailure:
        """A failure for good only where the address itself is at fault."""
        return PermanentFailure(None, self.reason) if self.is_final else TemporaryFailure(None, self.reason)


@dataclass(frozen=True)
class Unclear:
    """The whole request was written, and no answer came back that could be read. It may have been taken."""

    reason: str

    def as_answer(self) -> Ambiguous:
        """It may have arrived."""
        return Ambiguous(None, self.reason)


class GuardedHttp:
    """Posts to addresses on the public internet, and to no other.

    One object belongs to one worker: it holds connections and is not safe to share between threads.

    `may_reach` decides about each IP address; `allow_http` takes addresses without encryption and names without a
    dot. Both are for development and for tests, which allow 127.0.0.1. `certificate_authority` is a PEM file trusted
    beside the public authorities. A connection idle for longer than `idle_seconds` is not used again, however busy
    those to other hosts are: what lies between may have forgotten it without a word.
    """

    def __init__(
        self,
        *,
        may_reach: MayReach = is_public,
        allow_http: bool = False,
        timeouts: HttpTimeouts | None = None,
        certificate_authority: Path | None = None,
        idle_seconds: float = 15,
    ) -> None:
        self._may_reach = may_reach
        self._allow_http = allow_http
        self._timeouts = timeouts or HttpTimeouts()
        self._certificate_authority = certificate_authority
        self._idle_seconds = idle_seconds
        self._last_used: dict[str, float] = {}
        self._session = TimedSession(certificate_authority=certificate_authority)

    @property
    def longest_post(self) -> timedelta:
        """The longest one `post` can take. A lease must be longer."""
        return timedelta(seconds=self._timeouts.whole)

    def sibling(self) -> GuardedHttp:
        """Return another one by the same rules, with connections of its own."""
        return GuardedHttp(
            may_reach=self._may_reach,
            allow_http=self._allow_http,
            timeouts=self._timeouts,
            certificate_authority=self._certificate_authority,
            idle_seconds=self._idle_seconds,
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer | NotSent | Unclear:
        """Send one request and say what came of it, within the time allowed, whatever the other side does.

        A name that resolves to any address which is not public is refused whole: to mix is an attack or a mistake.
        That is not final, for a name service has bad days. An address that is wrong as it is written is final.
        """
        address = read_web_address(url, allow_http=self._allow_http, may_reach=self._may_reach)
        if isinstance(address, AddressProblem):
            return NotSent(describe_problem(address), problem=address, is_final=True)
        now = time.monotonic()
        place = f"{address.scheme}://{address}"
        if now - self._last_used.get(place, now) > self._idle_seconds:
            self.close()
        exchange = Exchange(now + self._timeouts.whole, now + self._timeouts.connect, self._find_addresses)
        is_settled = False
        try:
            with exchange.under_way():
                answer = self._exchange(address.url, body, headers)
            is_settled = answer.is_whole
            return answer
        except _Refused:
            return NotSent(
                f"{address}: the name leads to an address that is not public", problem=AddressProblem.NOT_PUBLIC
            )
        except TROUBLE as trouble:
            reason = exchange.trouble or f"the answer is not HTTP ({type(trouble).__name__})"
            return Unclear(f"{address}: {reason}") if exchange.is_written else NotSent(f"{address}: {reason}")
        finally:
            # Also when a worker is stopped in the middle: the next request must not continue half an exchange.
            if not is_settled:
                self.close()
            self._last_used[place] = time.monotonic()

    def close(self) -> None:
        """Close the connections. The next request opens a new one."""
        self._session.close()
        self._last_used.clear()

    def _exchange(self, url: str, body: bytes, headers: Mapping[str, str]) -> HttpAnswer:
        response = self._session.post(
            url,
            data=body,
            headers={
                "User-Agent": USER_AGENT,
                # An answer as it is: what unpacks to more than it seems cannot come in.
                "Accept-Encoding": "identity",
                **headers,
            },
            timeout=self._timeouts.whole,
            allow_redirects=False,
            stream=True,
        )
        with response:
            text, is_whole = read_body(response, LONGEST_BODY)
        # After a change of protocol (101) nothing that comes is the answer to the next request.
        return HttpAnswer(response.status_code, response.headers, text, is_whole and response.status_code >= 200)

    def _find_addresses(self, host: str, port: int) -> list[SocketAddress]:
        found = _look_up(host, port, self._timeouts.connect)
        for _, address in found:
            literal = read_ip_address(str(address[0]))
            if literal is None or not self._may_reach(literal):
                raise _Refused
        return found


class _Refused(Exception):
    """The name leads to where nobody may be sent. No OSError, which would be taken for trouble on the network."""


def _look_up(host: str, port: int, seconds: float) -> list[SocketAddress]:
    if read_ip_address(host) is not None:
        return _addresses(host, port)
    # The system's look-up cannot be interrupted, so it has a thread that may be left behind until it ends by itself.
    answer: Future[list[SocketAddress]] = Future()

    def ask() -> None:
        try:
            answer.set_result(_addresses(host, port))
        except BaseException as trouble:  # noqa: BLE001  # handed on whole to the thread that asked
            answer.set_exception(trouble)

    threading.Thread(target=ask, name="name-look-up", daemon=True).start()
    try:
        return answer.result(timeout=seconds)
    except TimeoutError:
        raise OSError("the name service gave no answer in the time allowed") from None


def _addresses(host: str, port: int) -> list[SocketAddress]:
    found: list[Any] = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found if family in (socket.AF_INET, socket.AF_INET6)]
