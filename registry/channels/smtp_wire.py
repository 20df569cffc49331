"""One connection to a mail server, on which every wait has an end and every failure its own name.

`smtplib` speaks the commands; what is changed is how bytes go in and out. The standard library counts its
time-out anew for every packet, so a server that drips one byte a minute holds a worker for ever; and it reports
a server that hangs up and one that hangs alike.
"""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
import time
from typing import Any

_LONGEST_REPLY = 64 * 1024
# One TLS record: a longer write is several, and each would be given the whole time-out again.
_PIECE = 16 * 1024
_REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)


class WireError(Exception):
    """The conversation cannot go on. The message says why, without saying at which point."""


class CannotConnect(WireError):
    """No connection: no such host, nobody listens, or the certificate is not trusted."""


class ConnectionCut(WireError):
    """The other side, or the network, ended the connection."""


class TooSlow(WireError):
    """The time allowed ran out."""


class GarbledReply(WireError):
    """What came back is not an SMTP reply."""


class SpokeOutOfTurn(WireError):
    """The server said something before it was asked; its words wait to be read with `getreply`."""


class Wire(smtplib.SMTP):
    """An SMTP connection. Give each exchange its time with `within` before it begins.

    `must_end_at` (on the monotonic clock) caps all of them together.
    """

    def __init__(self, must_end_at: float) -> None:
        # A given name keeps smtplib from asking the name service who this machine is; `introduce` sets the real one.
        super().__init__(local_hostname="localhost")
        self.must_end_at = must_end_at
        self._limit = must_end_at
        self._received = bytearray()

    def within(self, seconds: float) -> None:
        """Allow the next exchange this many seconds, and no more than is left of the whole."""
        self._limit = min(time.monotonic() + seconds, self.must_end_at)

    def reach(self, host: str, port: int) -> None:
        """Connect, trying the host's addresses in turn. The server's greeting is still to be read.

        The name service keeps its own time-out, which comes on top. Raises CannotConnect or TooSlow.
        """
        try:
            self.sock = self._first_that_answers(host, port)
            # The final dot is a small write after a large one: without this it would wait for an acknowledgement.
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as trouble:
            raise CannotConnect(_reason(trouble)) from trouble
        except UnicodeError as trouble:
            raise CannotConnect("the host is no host name") from trouble

    def _first_that_answers(self, host: str, port: int) -> socket.socket:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        last: OSError | None = None
        for position, (_, _, _, _, address) in enumerate(addresses):
            # A share for each: one address that swallows everything must not keep the next from being tried.
            share = self._time_left() / (len(addresses) - position)
            try:
                return socket.create_connection((str(address[0]), int(address[1])), timeout=share)
            except OSError as trouble:
                last = trouble
        raise last or OSError("the name service knows no address for the host")

    def encrypt(self, host: str, context: ssl.SSLContext) -> None:
        """Put TLS on the connection and forget what the server said without it (RFC 3207 section 4.2).

        Raises CannotConnect where the certificate is not trusted or the handshake fails.
        """
        if self._received:
            # Words sent in clear ahead of the handshake would pass for words of the trusted server.
            raise GarbledReply("the server, or somebody on the way, spoke between STARTTLS and the encryption")
        plain = self._socket()
        plain.settimeout(self._time_left())
        try:
            self.sock = context.wrap_socket(plain, server_hostname=host)
        except OSError as trouble:
            raise CannotConnect(_reason(trouble)) from trouble
        self.esmtp_features = {}
        self.does_esmtp = False
        self.ehlo_resp = None
        self.helo_resp = None

    def introduce(self, name: str | None) -> None:
        """Choose the name to greet with: the given one, this machine's full name, or else its address in brackets."""
        own = socket.gethostname()
        if name is not None:
            self.local_hostname = name
        elif re.fullmatch(r"[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+", own):
            self.local_hostname = own
        else:
            address = str(self._socket().getsockname()[0])
            self.local_hostname = f"[IPv6:{address.partition('%')[0]}]" if ":" in address else f"[{address}]"

    def getreply(self) -> tuple[int, bytes]:
        """Read one whole reply: its code, and its lines without the code, joined by line feeds.

        Raises ConnectionCut, TooSlow or GarbledReply.
        """
        lines: list[bytes] = []
        code = b""
        size = 0
        while True:
            line = self._read_line()
            size += len(line)
            parsed = _REPLY_LINE.fullmatch(line.rstrip(b"\r\n"))
            if parsed is None or size > _LONGEST_REPLY or (lines and parsed[1] != code):
                shown = line[:200].decode("utf-8", "replace")
                raise GarbledReply(f"the server's reply is not SMTP: {shown!r}")
            code = parsed[1]
            lines.append((parsed[3] or b"").strip())
            if parsed[2] != b"-":
                return int(code), b"\n".join(lines)

    def send(self, s: Any) -> None:
        """Send a command, unless the server has spoken out of turn or hung up."""
        self.listen()
        self.write(s.encode("utf-8") if isinstance(s, str) else bytes(s))

    def write(self, data: bytes) -> None:
        """Put bytes on the wire. Raises ConnectionCut or TooSlow; then an unknown part of them is on its way."""
        connection = self._socket()
        connection.settimeout(self._time_left())
        try:
            connection.sendall(data)
        except TimeoutError as trouble:
            raise TooSlow("the server stopped taking bytes") from trouble
        except OSError as trouble:
            raise ConnectionCut(_reason(trouble)) from trouble

    def write_in_pieces(self, data: bytes, seconds_each: float) -> None:
        """Put a long text on the wire, looking before each piece whether the server still wants it."""
        for start in range(0, len(data), _PIECE):
            self.within(seconds_each)
            self.send(data[start : start + _PIECE])

    def listen(self) -> None:
        """Hear, without waiting, whether the server said something unasked.

        A reply nobody asked for would be taken for the answer to the next question, and in the end an early 250
        for the acceptance of a letter. Raises SpokeOutOfTurn or ConnectionCut.
        """
        connection = self._socket()
        connection.settimeout(0)
        try:
            heard = connection.recv(4096)
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            heard = None
        except OSError as trouble:
            raise ConnectionCut(_reason(trouble)) from trouble
        self._received += heard or b""
        if self._received:
            raise SpokeOutOfTurn("the server spoke out of turn")
        if heard is not None:
            raise ConnectionCut("the server hung up")

    def _read_line(self) -> bytes:
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > _LONGEST_REPLY:
                raise GarbledReply("the server's reply has no end")
            self._received += self._receive()
        line = bytes(self._received[: end + 1])
        del self._received[: end + 1]
        return line

    def _receive(self) -> bytes:
        connection = self._socket()
        connection.settimeout(self._time_left())
        try:
            heard = connection.recv(4096)
        except TimeoutError as trouble:
            raise TooSlow("no answer in the time allowed") from trouble
        except OSError as trouble:
            raise ConnectionCut(_reason(trouble)) from trouble
        if not heard:
            raise ConnectionCut("the server hung up")
        return heard

    def _time_left(self) -> float:
        left = self._limit - time.monotonic()
        if left <= 0:
            raise TooSlow("no answer in the time allowed")
        return left

    def _socket(self) -> socket.socket:
        if self.sock is None:
            raise ConnectionCut("the connection is closed")
        return self.sock


def _reason(trouble: OSError) -> str:
    if isinstance(trouble, ssl.SSLCertVerificationError):
        return (
            f"the server's certificate is not trusted ({trouble.verify_message}): name its authority with ?ca= in the"
            " mail URL, or the host as it stands in the certificate"
        )
    if isinstance(trouble, ssl.SSLError):
        return f"encryption failed ({trouble.reason or trouble.strerror or type(trouble).__name__})"
    if isinstance(trouble, socket.gaierror):
        return f"the host name could not be looked up ({trouble.strerror})"
    if isinstance(trouble, TimeoutError):
        return "no answer in the time allowed"
    return trouble.strerror or str(trouble) or type(trouble).__name__
