"""One request to Resend and its answer, in which every wait has an end.

`requests` counts its time-out anew for every read, and reads an answer of any length: a server that drips a byte now
and then holds a worker for as long as it likes. Here one deadline holds over connecting, sending and reading together,
an answer has a greatest size, and whether anything was sent is known rather than guessed from an error.

connect ──▶ TLS ──▶ the request ──▶ status and headers ──▶ body
  nothing was sent │  may have been taken: AnswerLost       │ cut: a Reply that is not whole
"""

from __future__ import annotations

import contextlib
import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import timedelta
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

LONGEST_REPLY = 256 * 1024
"""Bytes of an answer that are read. The one to a full batch, a hundred names, has about five thousand."""

_PIECE = 16 * 1024
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
        self._session = _Session()
        self._session.trust_env = False
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self._session.mount("https://", _TimedAdapter())
        self._session.mount("http://", _TimedAdapter())

    @property
    def base_url(self) -> str:
        """Where requests go, without a slash at the end."""
        return self._base_url

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Send one request and return what came back. Raises NothingSent or AnswerLost."""
        now = time.monotonic()
        if now - self._last_used > self._idle_seconds:
            self.close()
        exchange = _Exchange(must_end_at=now + self._timeouts.whole, connect_by=now + self._timeouts.connect)
        under_way = _EXCHANGE.set(exchange)
        try:
            response = self._session.post(
                f"{self._base_url}{path}",
                data=body,
                headers={**self._headers, **headers},
                timeout=self._timeouts.whole,
                allow_redirects=False,
                stream=True,
            )
            with response:
                text, is_whole = _read(response)
            if not is_whole:
                self.close()
            return Reply(response.status_code, response.headers, text, is_whole)
        except (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as trouble:
            self.close()
            reason = exchange.trouble or f"the answer is not HTTP ({type(trouble).__name__})"
            raise (AnswerLost if exchange.has_begun else NothingSent)(reason) from trouble
        finally:
            _EXCHANGE.reset(under_way)
            self._last_used = time.monotonic()

    def close(self) -> None:
        """Close the connection. The next request opens a new one."""
        self._session.close()


@dataclass
class _Exchange:
    """One request under way: its deadlines on the monotonic clock, whether it has begun, and what went wrong."""

    must_end_at: float
    connect_by: float
    has_begun: bool = False
    trouble: str = ""

    def seconds_left(self, until: float | None = None) -> float:
        left = (self.must_end_at if until is None else min(until, self.must_end_at)) - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time allowed ran out")
        return left

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        """Keep in plain words why the network failed; `requests` wraps it several times over."""
        try:
            yield
        except (OSError, UnicodeError, urllib3.exceptions.HTTPError) as trouble:
            self.trouble = self.trouble or _reason(trouble)
            raise


# `requests` makes its connections itself and has no way to hand them anything.
_EXCHANGE: ContextVar[_Exchange] = ContextVar("exchange")


class _Session(requests.Session):
    def get_redirect_target(self, resp: Any) -> None:
        """Nowhere: even to say where a redirect would go, `requests` reads its whole body, however long."""


class _TimedReader(io.RawIOBase):
    """The bytes of an answer, each read within what is left of the whole exchange."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._raw = connection.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int | None:
        exchange = _EXCHANGE.get()
        with exchange.noting():
            self._connection.settimeout(exchange.seconds_left())
            return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *args: Any, **kwargs: Any) -> None:
        super().__init__(sock, *args, **kwargs)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReader(sock))


class _TimedConnection(HTTPConnection):
    response_class = _TimedResponse

    def connect(self) -> None:
        with _EXCHANGE.get().noting():
            super().connect()

    def _new_conn(self) -> socket.socket:
        exchange = _EXCHANGE.get()
        addresses = socket.getaddrinfo(self.host, self.port or self.default_port, type=socket.SOCK_STREAM)
        last: OSError | None = None
        for position, (_, _, _, _, address) in enumerate(addresses):
            # A share for each: one address that swallows everything must not keep the next from being tried.
            share = exchange.seconds_left(exchange.connect_by) / (len(addresses) - position)
            try:
                connection = socket.create_connection((str(address[0]), int(address[1])), timeout=share)
            except OSError as trouble:
                last = trouble
                continue
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.settimeout(exchange.seconds_left(exchange.connect_by))
            return connection
        raise last or OSError("the name service knows no address for the host")

    def send(self, data: Any) -> None:
        exchange = _EXCHANGE.get()
        if self.sock is None:
            self.connect()
        with exchange.noting():
            for start in range(0, len(data), _PIECE):
                self.sock.settimeout(exchange.seconds_left())
                exchange.has_begun = True
                super().send(data[start : start + _PIECE])


class _TimedTlsConnection(_TimedConnection, HTTPSConnection):
    pass


class _TimedPool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TimedTlsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedTlsConnection


class _TimedAdapter(HTTPAdapter):
    def __init__(self) -> None:
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _TimedPool, "https": _TimedTlsPool}


def _read(response: requests.Response) -> tuple[bytes, bool]:
    text = bytearray()
    try:
        while len(text) <= LONGEST_REPLY:
            piece = response.raw.read(_PIECE, decode_content=False)
            if not piece:
                return bytes(text), True
            text += piece
    except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError):
        # The status is known all the same, and may say enough.
        return bytes(text), False
    return bytes(text[:LONGEST_REPLY]), False


def _reason(trouble: Exception) -> str:
    if isinstance(trouble, ssl.SSLCertVerificationError):
        return f"the server's certificate is not trusted ({trouble.verify_message})"
    if isinstance(trouble, ssl.SSLError):
        return f"encryption failed ({trouble.reason or trouble.strerror or type(trouble).__name__})"
    if isinstance(trouble, socket.gaierror):
        return f"the host name could not be looked up ({trouble.strerror})"
    if isinstance(trouble, TimeoutError):
        return "no answer in the time allowed"
    if isinstance(trouble, OSError):
        return trouble.strerror or str(trouble) or type(trouble).__name__
    return f"{type(trouble).__name__}: {trouble}"
