"""The sockets beneath the stand-in for Resend: requests come in here, and answers go out in the manner asked for."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.channels.resend_missteps import Manner, Response


@dataclass(frozen=True)
class Request:
    """One request as it came in. Header names are in lower case."""

    path: str
    headers: dict[str, str]
    body: bytes


Handle = Callable[[Request], tuple[Response, Manner]]


class HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, handle: Handle, closing: threading.Event) -> None:
        self.answer = handle
        self.closing = closing
        self.connections = 0
        self.drip_pause = 0.05
        self._open: list[socket.socket] = []
        super().__init__(("127.0.0.1", 0), _Conversation)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        self._open.append(request)
        super().process_request(request, client_address)

    def hang_up(self) -> None:
        """Close what clients left open, so that no thread waits for them."""
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that hang up are what these tests are about."""


class _Conversation(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: HttpServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        response, manner = self.server.answer(Request(self.path, headers, body))
        self._give(response, manner)

    def _give(self, response: Response, manner: Manner) -> None:
        text, head_ends_at = self._rendered(response)
        if manner is Manner.WHOLE:
            self.wfile.write(text)
            self.wfile.flush()
            return
        self.close_connection = True
        if manner is Manner.WITHHELD:
            self._wait_for_hang_up()
        elif manner is Manner.RESET:
            # Only once nothing else holds the socket does closing it break the connection.
            self.rfile.close()
            self.wfile.close()
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        elif manner is Manner.CUT:
            self.wfile.write(text[: (head_ends_at + len(text)) // 2])
            self.wfile.flush()
        else:
            at_once = head_ends_at if manner is Manner.BODY_DRIPPED else 0
            self._drip(text, at_once)

    def _drip(self, text: bytes, at_once: int) -> None:
        with contextlib.suppress(OSError):
            self.connection.sendall(text[:at_once])
            for position in range(at_once, len(text)):
                self.connection.sendall(text[position : position + 1])
                if self.server.closing.wait(self.server.drip_pause):
                    return

    def _wait_for_hang_up(self) -> None:
        self.connection.settimeout(30)
        with contextlib.suppress(OSError):
            self.connection.recv(1)

    def _rendered(self, response: Response) -> tuple[bytes, int]:
        """The answer as it goes over the wire, and where its headers end."""
        body = response.body
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Date": format_datetime(datetime.now(UTC), usegmt=True),
            "Content-Length": str(len(body)),
            **response.headers,
        }
        lines = [f"HTTP/1.1 {response.status} Answer", *(f"{name}: {value}" for name, value in headers.items())]
        head = ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
        return head + body, len(head)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: what came in stands in `requests`."""
