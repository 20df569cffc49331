"""One connection to a mail server, on which every wait has an end and every failure its own name.

`smtplib` speaks the commands; what is changed is how bytes go in and out. The standard library counts its
time-out anew for every packet, so a server that drips one byte a minute holds a worker for ever; and it reports
a server that hangs up and one that hangs alike.
"""

from __future__ import annotations

import re
import select
import smtplib
import socket
import ssl
import time
from collections.abc import Sequence
from enum import StrEnum
from typing import Any

_LONGEST_REPLY = 64 * 1024
# What is written before the server is listened to again, and what one allowance of time is for.
_PIECE = 64 * 1024
# Setting a socket's time-out is a system call. So it is set once, to this many seconds, and waited for again and again
# until the whole time is over; it is set anew only where less is left.
_STEP = 30.0
# Room for the replies to several commands, or for the greeting of a talkative server.
_READ = 16 * 1024
# Nearly every reply is one line, and there whole.
_ONE_LINE_REPLY = re.compile(rb"([2-5][0-9][0-9]) ([^\r\n]*)\r\n")
_LEAVE_TO_BEGIN = re.compile(rb"(?:2[0-9][0-9] [^\r\n]*\r\n){2}3[0-9][0-9] [^\r\n]*\r\n")
_REPLY_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_NO_ANSWER = "no answer in the time allowed"


class Point(StrEnum):
    """How far the conversation has come, in words for an answer."""

    CONNECTING = "connecting"
    GREETING = "the greeting"
    STARTTLS = "STARTTLS"
    SIGN_IN = "the sign-in"
    MAIL = "MAIL FROM"
    RCPT = "RCPT TO"
    DATA = "DATA"
    LETTER = "the letter"
    DOT = "the final dot"


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

    `must_end_at` (on the monotonic clock) caps all of them together. `point` is how far the conversation has come; who
    leads it says so.
    """

    def __init__(self, must_end_at: float) -> None:
        # A given name keeps smtplib from asking the name service who this machine is; `introduce` sets the real one.
        super().__init__(local_hostname="localhost")
        self.must_end_at = must_end_at
        self.point = Point.CONNECTING
        self._limit = must_end_at
        self._received = b""
        self._step: float | None = None
        self._watch = select.poll()

    @property
    def is_encrypted(self) -> bool:
        """Whether what is said cannot be heard on the way."""
        return isinstance(self.sock, ssl.SSLSocket)

    def within(self, seconds: float) -> None:
        """Allow the next exchange this many seconds, and no more than is left of the whole."""
        self._limit = min(time.monotonic() + seconds, self.must_end_at)

    def reach(self, host: str, port: int) -> None:
        """Connect, trying the host's addresses in turn. The server's greeting is still to be read.

        The name service keeps its own time-out, which comes on top. Raises CannotConnect or TooSlow.
        """
        try:
            connection = self._first_that_answers(host, port)
            self.speak_over(connection)
            # A letter's end is a small write after a large one: without this it would wait for an acknowledgement.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as trouble:
            raise CannotConnect(_reason(trouble)) from trouble
        except UnicodeError as trouble:
            raise CannotConnect("the host is no host name") from trouble

    def speak_over(self, connection: socket.socket) -> None:
        """Take over a connected socket, which `close` then closes."""
        self.sock = connection
        self._step = None
        self._watch = select.poll()
        self._watch.register(connection, select.POLLIN)

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
            self.speak_over(context.wrap_socket(plain, server_hostname=host))
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
        if not self._received:
            self._received = self._receive()
        if whole := _ONE_LINE_REPLY.match(self._received):
            self._received = self._received[whole.end() :]
            return int(whole[1]), whole[2].strip()
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

    def takes_three(self) -> bool:
        """Read the replies to MAIL FROM, RCPT TO and DATA where all of them came at once and leave the letter to begin.

        False where anything else came: nothing is read then but by `getreply`. Raises as that does.
        """
        if not self._received:
            self._received = self._receive()
        if _LEAVE_TO_BEGIN.fullmatch(self._received) is None:
            return False
        self._received = b""
        return True

    def send(self, s: Any) -> None:
        """Send a command, unless the server has spoken out of turn or hung up."""
        self.listen()
        self.write(s.encode("utf-8") if isinstance(s, str) else bytes(s))

    def send_together(self, commands: Sequence[str]) -> None:
        """Send several commands in one write, for a server with PIPELINING (RFC 2920). It answers each, in order.

        Raises ValueError where a command has a line break in it.
        """
        lines = "\r\n".join((*commands, ""))
        if not lines.count("\n") == lines.count("\r") == len(commands):
            raise ValueError("a command must not have a line break in it")
        self.send(lines)

    def write(self, data: bytes) -> None:
        """Put bytes on the wire.

        Raises ConnectionCut or TooSlow; then an unknown part of them is on its way, and the last byte is not.
        """
        connection = self._socket()
        rest: bytes | memoryview = data
        while True:
            self._allow(connection, "the server stopped taking bytes")
            try:
                taken = connection.send(rest)
            except TimeoutError:
                continue
            except OSError as trouble:
                raise ConnectionCut(_reason(trouble)) from trouble
            if taken == len(rest):
                return
            rest = memoryview(rest)[taken:]

    def write_in_pieces(self, data: bytes, seconds_each: float) -> None:
        """Put a long text on the wire, looking before each piece whether the server still wants it."""
        for start in range(0, len(data), _PIECE):
            self.within(seconds_each)
            self.listen()
            self.write(data[start : start + _PIECE])

    def listen(self) -> None:
        """Hear, without waiting, whether the server said something unasked.

        A reply nobody asked for would be taken for the answer to the next question, and in the end an early 250
        for the acceptance of a letter. Raises SpokeOutOfTurn or ConnectionCut.
        """
        connection = self._socket()
        if not self._received:
            # Decrypted words wait where the system does not see them.
            has_words_waiting = isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
            if not has_words_waiting and not self._watch.poll(0):
                return
            connection.settimeout(0)
            self._step = None
            try:
                heard = connection.recv(_READ)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                # TLS has messages of its own, and they are no words.
                return
            except OSError as trouble:
                raise ConnectionCut(_reason(trouble)) from trouble
            if not heard:
                raise ConnectionCut("the server hung up")
            self._received = heard
        raise SpokeOutOfTurn("the server spoke out of turn")

    def _read_line(self) -> bytes:
        while (end := self._received.find(b"\n")) < 0:
            if len(self._received) > _LONGEST_REPLY:
                raise GarbledReply("the server's reply has no end")
            self._received += self._receive()
        line, self._received = self._received[: end + 1], self._received[end + 1 :]
        return line

    def _receive(self) -> bytes:
        connection = self._socket()
        while True:
            self._allow(connection, _NO_ANSWER)
            try:
                heard = connection.recv(_READ)
            except TimeoutError:
                continue
            except OSError as trouble:
                raise ConnectionCut(_reason(trouble)) from trouble
            if not heard:
                raise ConnectionCut("the server hung up")
            return heard

    def _allow(self, connection: socket.socket, complaint: str) -> None:
        """Have the next call on the socket wait no longer than is left. Raises TooSlow where nothing is."""
        step = min(self._time_left(complaint), _STEP)
        if step != self._step:
            connection.settimeout(step)
            self._step = step

    def _time_left(self, complaint: str = _NO_ANSWER) -> float:
        left = self._limit - time.monotonic()
        if left <= 0:
            raise TooSlow(complaint)
        return left

    def _socket(self) -> socket.socket:
        if self.sock is None:
            raise ConnectionCut("the connection is closed")
        return self.sock


def words_of(reply: bytes) -> str:
    """What a server said, as text."""
    return reply.decode("utf-8", "replace")


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
        return _NO_ANSWER
    return trouble.strerror or str(trouble) or type(trouble).__name__
