"""A real web server on a socket of this machine that takes webhooks and misbehaves as told."""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from standardwebhooks import Webhook

from tests.channels.scripted_server import CUT, HANG, RESET, Drip, Misbehaviour

__all__ = [
    "BAD_GATEWAY",
    "CUT",
    "HANG",
    "OK",
    "RESET",
    "BeforeTheBody",
    "Drip",
    "Echo",
    "HttpReceiver",
    "Reply",
    "StopAfter",
    "WebhookRequest",
    "redirect",
]


@dataclass(frozen=True)
class Reply:
    """An answer in full. `Content-Length` is added where `headers` has neither it nor `Transfer-Encoding`."""

    status: int = 200
    body: bytes | str = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def as_bytes(self) -> bytes:
        """The answer as it goes over the wire: what a `Drip` takes, or a test that cuts it somewhere."""
        body = self.body.encode() if isinstance(self.body, str) else self.body
        headers = dict(self.headers)
        if not {"content-length", "transfer-encoding"} & {name.lower() for name in headers}:
            headers["Content-Length"] = str(len(body))
        lines = [f"HTTP/1.1 {self.status} Answer", *(f"{name}: {value}" for name, value in headers.items())]
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + body


@dataclass(frozen=True)
class StopAfter:
    """Send these bytes, then keep the connection and say no more."""

    data: bytes


@dataclass(frozen=True)
class BeforeTheBody:
    """Do this once the headers of the request are there, without reading its body. Then the connection ends."""

    then: Reply | Misbehaviour


@dataclass(frozen=True)
class Echo:
    """Answer the challenge of an endpoint verification: as JSON, or with `as_text` bare. `instead` is said in place."""

    as_text: bool = False
    instead: str | None = None


Behaviour = Reply | bytes | Drip | StopAfter | BeforeTheBody | Echo | Misbehaviour
"""What happens to one request: an answer, raw bytes, or one of the above. After anything but a Reply or an Echo the
connection is closed."""

OK = Reply(200, "ok", {"Content-Type": "text/plain"})
BAD_GATEWAY = Reply(
    502,
    "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head>\n<body><h1>nginx</h1></body></html>",
    {"Content-Type": "text/html"},
)
"""What a web server in front says when the service behind it is down."""


def redirect(target: str, status: int = 302) -> Reply:
    """An answer that points elsewhere."""
    return Reply(status, "", {"Location": target})


@dataclass(frozen=True)
class WebhookRequest:
    """One request as it came in. Header names are in lower case; `connection` counts from 1."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)

    def verify(self, secret: str) -> Any:
        """Check the signature as a receiver does, by the specification's own library, and return the payload.

        Raises standardwebhooks.WebhookVerificationError where no signature fits, or the time signed is not within
        five minutes of this machine's.
        """
        return Webhook(secret).verify(self.body, dict(self.headers))


class HttpReceiver:
    """A web server that runs while the `with` block does, and answers 200 to whatever no script says otherwise for.

        with HttpReceiver() as receiver:
            receiver.script(BAD_GATEWAY, Reply(429, headers={"Retry-After": "30"}))
            channel = WebhookChannel(GuardedHttp(allow_http=True, may_reach=lambda ip: ip.is_loopback), clock)
            channel.send(Envelope(receiver.url, …))
            ...
            assert receiver.requests[0].verify(secret)["type"] == "notice.announced"

    Close the channel before the test ends, or Python warns of its open socket. `tls` is a server-side context, for
    https. Requests stand in `requests` from when their body was read, that is before they are answered.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._server = _Server(self, tls)
        self._lock = threading.Lock()
        self._script: deque[Behaviour] = deque()
        self._always: Behaviour = OK
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="http-receiver")
        self._scheme = "http" if tls is None else "https"
        self.host = "127.0.0.1"
        self.port: int = self._server.server_address[1]
        self.requests: list[WebhookRequest] = []
        self.closing = threading.Event()

    @property
    def url(self) -> str:
        """An address at this server that takes webhooks."""
        return self.url_at(self.host)

    @property
    def connections(self) -> int:
        """How many connections were made to it, with or without a request."""
        return self._server.connections

    def url_at(self, host: str, path: str = "/hooks/notices") -> str:
        """The same server by another name for it, or at another path."""
        return f"{self._scheme}://{host}:{self.port}{path}"

    def script(self, *behaviours: Behaviour) -> None:
        """Treat the next requests so, one each, in place of what was scripted before and is not used up."""
        with self._lock:
            self._script = deque(behaviours)

    def always(self, behaviour: Behaviour) -> None:
        """Treat every request so for which there is no script."""
        self._always = behaviour

    def next_behaviour(self) -> Behaviour:
        """For the conversation: what to do with the request that is there."""
        with self._lock:
            return self._script.popleft() if self._script else self._always

    def __enter__(self) -> HttpReceiver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join(timeout=5)
        self._server.hang_up()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def __init__(self, receiver: HttpReceiver, tls: ssl.SSLContext | None) -> None:
        self.receiver = receiver
        self.connections = 0
        self._tls = tls
        self._open: list[socket.socket] = []
        super().__init__(("127.0.0.1", 0), _Conversation)
        # Little room for what is not read, so that a receiver which stops reading is noticed soon.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        self._open.append(request)
        super().process_request(request, client_address)

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self._tls is None:
            super().finish_request(request, client_address)
            return
        request.settimeout(10)
        with self._tls.wrap_socket(request, server_side=True) as encrypted:
            self._open.append(encrypted)
            super().finish_request(encrypted, client_address)

    def hang_up(self) -> None:
        """Close what clients left open, so that no thread waits for them."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up, and those that trust nobody, are what these tests are about."""


class _Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        receiver = self.server.receiver
        behaviour = receiver.next_behaviour()
        if isinstance(behaviour, BeforeTheBody):
            self.close_connection = True
            behaviour = behaviour.then
            body = b""
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            receiver.requests.append(
                WebhookRequest(
                    self.command,
                    self.path,
                    {name.lower(): value for name, value in self.headers.items()},
                    body,
                    self.server.connections,
                )
            )
        if isinstance(behaviour, Echo):
            behaviour = self._echo(behaviour, body)
        if isinstance(behaviour, Reply):
            self.wfile.write(behaviour.as_bytes())
            return
        self.close_connection = True
        self._misbehave(behaviour)

    def _misbehave(self, behaviour: bytes | Drip | StopAfter | BeforeTheBody | Misbehaviour | Echo) -> None:
        if isinstance(behaviour, bytes):
            self.wfile.write(behaviour)
        elif isinstance(behaviour, StopAfter):
            self.wfile.write(behaviour.data)
            self.server.receiver.closing.wait(30)
        elif isinstance(behaviour, Drip):
            for position in range(len(behaviour.data)):
                self.wfile.write(behaviour.data[position : position + 1])
                if self.server.receiver.closing.wait(behaviour.pause):
                    return
        elif behaviour is HANG:
            self.server.receiver.closing.wait(30)
        elif behaviour is RESET:
            # Only once nothing else holds the socket does closing it break the connection.
            self.rfile.close()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def _echo(self, behaviour: Echo, body: bytes) -> Reply:
        challenge = json.loads(body)["data"]["challenge"] if behaviour.instead is None else behaviour.instead
        if behaviour.as_text:
            return Reply(200, f"{challenge}\n", {"Content-Type": "text/plain; charset=utf-8"})
        return Reply(200, json.dumps({"challenge": challenge}), {"Content-Type": "application/json"})

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what came in stands in `requests`."""
