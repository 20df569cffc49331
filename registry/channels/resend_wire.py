"""One request to Resend and its answer, in which every wait has an end.

One deadline holds over connecting, sending and reading together (`timed_http`), an answer has a greatest size, and
whether anything was sent is known rather than guessed from an error.

connect ──▶ TLS ──▶ the request ──▶ status and headers ──▶ body
  nothing was sent │  may have been taken: AnswerLost       │ cut: a Reply that is not whole
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from registry.channels.timed_http import TROUBLE, Exchange, TimedSession, look_up, read_body

LONGEST_REPLY = 256 * 1024
"""Bytes of an answer that are read. The one to a full batch, a hundred names, has about five thousand."""

_API_KEY = re.compile(r"[!-~]{1,500}")
_LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


class NothingSent(Exception):
    """No connection came about, so nothing can have been taken. The message says why."""


class AnswerLost(Exception):
    """The request was under way, and no answer came back that could be read. It may have been taken."""


@dataclass(frozen=True)
class Reply:
    """What came back: the status, the headers (looked up in any case), and the body as far as it was read.

    `is_whole` is False where the body was cut, came too slowly or was longer than LONGEST_REPLY.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_whole: bool = True


@dataclass(frozen=True)
class ResendTimeouts:
    """How long to wait, in seconds: `connect` for the connection with its encryption, `whole` for all together."""

    connect: float = 10
    whole: float = 60

    @property
    def longest_send(self) -> timedelta:
        """The longest one `send` or `send_batch` can take, the name service's own time-out aside."""
        return timedelta(seconds=self.whole)


class ResendWire:
    """A connection to Resend's API that is kept open and used again. It belongs to one thread.

    No environment variable is heeded, so that neither a proxy nor a `.netrc` file gets between the key and Resend.
    Redirects are not followed and cookies not kept. A connection that was idle longer than `idle_seconds` is replaced:
    what lies between may have forgotten it without a word.

    Raises ValueError where the key cannot stand in a header, or would go to another machine without encryption.
    """

    def __init__(self, api_key: str, base_url: str, timeouts: ResendTimeouts, idle_seconds: float) -> None:
        if not _API_KEY.fullmatch(api_key):
            raise ValueError("the Resend API key must be printable ASCII without spaces: copy it from Resend again")
        where = urlsplit(base_url)
        if where.scheme != "https" and not (where.scheme == "http" and where.hostname in _LOOPBACK_HOSTS):
            raise ValueError(f"the address of Resend's API must begin with https://, not {where.scheme}://")
        if not where.hostname or where.query or where.fragment or where.username or where.password:
            raise ValueError("the address of Resend's API must be a scheme, a host and perhaps a port and a path")
        self._base_url = base_url.rstrip("/")
        self._timeouts = timeouts
        self._idle_seconds = idle_seconds
        self._last_used = 0.0
        self._headers = {
            "Authorization": f"Bearer {api_key}",
            # Without a User-Agent Resend refuses with 403.
            "User-Agent": "subprocessor-registry",
            "Accept": "application/json",
            # An answer as it is: what unpacks to more than it seems cannot come in.
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
        }
        self._session = TimedSession()

    @property
    def base_url(self) -> str:
        """Where requests go, without a slash at the end."""
        return self._base_url

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send one request and return what came back. Raises NothingSent or AnswerLost."""
        now = time.monotonic()
        if now - self._last_used > self._idle_seconds:
            self.close()
        exchange = Exchange(now + self._timeouts.whole, now + self._timeouts.connect, look_up)
        try:
            with (
                exchange.under_way(),
                self._session.post(
                    f"{self._base_url}{path}",
                    data=body,
                    headers={**self._headers, **headers},
                    timeout=self._timeouts.whole,
                    allow_redirects=False,
                    stream=True,
                ) as response,
            ):
                text, is_whole = read_body(response, LONGEST_REPLY)
            if not is_whole:
                self.close()
            return Reply(response.status_code, response.headers, text, is_whole)
        except TROUBLE as trouble:
            self.close()
            reason = exchange.trouble or f"the answer is not HTTP ({type(trouble).__name__})"
            raise (AnswerLost if exchange.has_begun else NothingSent)(reason) from trouble
        finally:
            self._last_used = time.monotonic()

    def close(self) -> None:
        """Close the connection. The next request opens a new one."""
        self._session.close()
