"""Where operators' alerts and pings arrive: a real HTTP server on a socket of this machine, that fails as told."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

TELLS_NOTHING = 0
"""In place of a status: the request is read, and never answered."""
DRIPS = -1
"""In place of a status: the answer comes a byte at a time, for ever."""


@dataclass(frozen=True)
class Arrived:
    """One request as it came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class AlertReceiver:
    """Runs while the `with` block does. `answers` are the statuses of the first requests in turn, then all is 200."""

    def __init__(self, answers: Iterable[int] = (), *, tls: ssl.SSLContext | None = None) -> None:
        self.arrived: list[Arrived] = []
        self._answers = deque(answers)
        self._closing = threading.Event()
        receiver = self

        class Answering(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._take()

            def do_POST(self) -> None:
                self._take()

            def _take(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.arrived.append(Arrived(self.command, self.path, dict(self.headers), body))
                status = receiver._answers.popleft() if receiver._answers else 200
                if status == TELLS_NOTHING:
                    receiver._closing.wait(30)
                elif status == DRIPS:
                    self._drip()
                else:
                    self.send_response(status)
                    if 300 <= status < 400:
                        self.send_header("Location", f"{receiver.url}/elsewhere")
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def _drip(self) -> None:
                for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 10_000:
                    if receiver._closing.wait(0.05):
                        return
                    try:
                        self.wfile.write(bytes([byte]))
                    except OSError:
                        return

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "https" if tls is not None else "http"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), name="alert-receiver")

    @property
    def url(self) -> str:
        """The address of this server, without a slash at the end."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> AlertReceiver:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(timeout=5)


def deaf_address() -> str:
    """Return an address on which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"
