"""Sessions of `requests` in which every wait has an end and every connection goes where its exchange says.

`requests` counts its time-out anew for every read: a server that drips a byte now and then holds a worker for as long
as it likes. Here one deadline holds over connecting, encrypting, writing and reading together, and the exchange knows
how far it came, so that nobody has to guess from an error whether a request can have been taken.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

SocketAddress = tuple[socket.AddressFamily, tuple[Any, ...]]
"""What a socket connects to: the family, and the numeric address with its port. Nothing in it is looked up again."""

_PIECE = 16 * 1024

TROUBLE = (requests.RequestException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError)
"""All that the network, and what comes over it, can raise out of a session."""


@dataclass
class Exchange:
    """One request under way. Times are seconds on the monotonic clock.

    `find_addresses` turns host and port into what to connect to, in the order to try; it may raise, and what is no
    OSError comes out of the session unchanged. `has_begun` from just before the first byte of the request,
    `is_written` once the last one was handed over: until then it cannot have been taken. `trouble` says in plain words
    what went wrong.
    """

    must_end_at: float
    connect_by: float
    find_addresses: Callable[[str, int], Sequence[SocketAddress]]
    has_begun: bool = False
    is_written: bool = False
    trouble: str = ""

    def seconds_left(self) -> float:
        """What is left of the whole. Raises TimeoutError where that is nothing."""
        return _until(self.must_end_at)

    def seconds_left_to_connect(self) -> float:
        """What is left for the connection with its encryption. Raises TimeoutError where that is nothing."""
        return _until(min(self.connect_by, self.must_end_at))

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Everything that a session does in this block belongs to this exchange."""
        before = _EXCHANGE.set(self)
        try:
            yield
        finally:
            _EXCHANGE.reset(before)

    @contextlib.contextmanager
    def noting(self) -> Iterator[None]:
        """Keep why the network failed; `requests` wraps it several times over."""
        try:
            yield
        except (OSError, UnicodeError, urllib3.exceptions.HTTPError) as trouble:
            self.trouble = self.trouble or _reason(trouble)
            raise


# `requests` makes its connections itself and has no way to hand them anything.
_EXCHANGE: ContextVar[Exchange] = ContextVar("exchange")


def _until(instant: float) -> float:
    left = instant - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time allowed ran out")
    return left


class TimedSession(requests.Session):
    """Keeps connections open between exchanges. It belongs to one thread.

    No environment variable is heeded, so that neither a proxy nor a `.netrc` gets between; cookies are not kept. No
    header is sent but those given, and no answer is unpacked. Certificates are verified against the authorities that
    come with `requests`, and against the PEM file `certificate_authority`, where one is given.
    """

    def __init__(self, *, certificate_authority: Path | None = None) -> None:
        super().__init__()
        self.trust_env = False
        self.headers.clear()
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        context = _trusting(DEFAULT_CA_BUNDLE_PATH, certificate_authority)
        # The ones mounted by `requests` itself are made for any thread and know no deadline.
        self.adapters.clear()
        self.mount("https://", _TimedAdapter(context))
        self.mount("http://", _TimedAdapter(context))

    def get_redirect_target(self, resp: Any) -> None:
        """Nowhere: even to say where a redirect would go, `requests` reads its whole body, however long."""


# Every session of a process trusts the same: to read a hundred authorities takes longer than to open a database.
@lru_cache(maxsize=8)
def _trusting(bundle: str, certificate_authority: Path | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=bundle)
    if certificate_authority is not None:
        context.load_verify_locations(cafile=certificate_authority)
    return context


def read_body(response: requests.Response, longest: int) -> tuple[bytes, bool]:
    """The body of an answer as far as it came, `longest` bytes at most, and whether that was all of it."""
    body = bytearray()
    try:
        while len(body) <= longest:
            piece = response.raw.read(min(_PIECE, longest + 1 - len(body)), decode_content=False)
            if not piece:
                return bytes(body), True
            body += piece
    except (*TROUBLE, ValueError):
        # The status is known all the same, and may say enough. http.client calls what it cannot count a ValueError.
        return bytes(body), False
    return bytes(body[:longest]), False


def look_up(host: str, port: int) -> list[SocketAddress]:
    """Where a name leads, by the system's name service, which keeps its own time-out."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [(family, address) for family, _, _, _, address in found]


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

    def _read_status(self) -> tuple[str, int, str]:
        # http.client passes over 100 only; the answer follows each of the others too (RFC 9110 section 15.2), but for
        # 101, which nobody here asked for.
        while True:
            version, status, reason = super()._read_status()  # type: ignore[misc]  # typeshed leaves it out
            if not 102 <= status <= 199:
                return version, status, reason
            http.client.parse_headers(self.fp)

    def _read_next_chunk_size(self) -> int:
        # http.client takes -1 for a size, and then reads to the end of the stream, however much that is.
        size: int = super()._read_next_chunk_size()  # type: ignore[misc]  # typeshed leaves it out
        if size < 0:
            raise ValueError("a chunk of less than nothing")
        return size


class _TimedConnection(HTTPConnection):
    response_class = _TimedResponse

    def connect(self) -> None:
        with _EXCHANGE.get().noting():
            super().connect()

    def _new_conn(self) -> socket.socket:
        exchange = _EXCHANGE.get()
        addresses = exchange.find_addresses(self.host, self.port or self.default_port)
        last: OSError | None = None
        for position, (family, address) in enumerate(addresses):
            # A share for each: one address that swallows everything must not keep the next from being tried.
            share = exchange.seconds_left_to_connect() / (len(addresses) - position)
            connection = socket.socket(family, socket.SOCK_STREAM)
            try:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.settimeout(share)
                connection.connect(address)
                # TLS counts this one time-out over its whole handshake.
                connection.settimeout(exchange.seconds_left_to_connect())
            except OSError as trouble:
                connection.close()
                last = trouble
            else:
                return connection
        raise last or OSError("the name service knows no address for the host")

    def request(self, *args: Any, **kwargs: Any) -> None:
        super().request(*args, **kwargs)
        _EXCHANGE.get().is_written = True

    def send(self, data: Any) -> None:
        if self.sock is None:
            self.connect()
        exchange = _EXCHANGE.get()
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
    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs, ssl_context=self._context)
        self.poolmanager.pool_classes_by_scheme = {"http": _TimedPool, "https": _TimedTlsPool}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Verify always. The context holds the authorities already; `requests` would load them for each connection."""
        conn.cert_reqs = "CERT_REQUIRED"


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
    return type(trouble).__name__
