"""A mail server that takes every letter as fast as it can, in a process of its own, and only counts.

    with Sink(delay=0.005) as sink:
        ...                                   # send to sink.url
        assert sink.count() == 10_000

It is the far end of a measurement, so it must never be what is measured: one thread to a connection, one read for
whatever has come, one write for all that is due, and nothing kept but what was asked for. It listens on this machine
only, ends with its parent, and after `longest_life` seconds in any case. Started by hand it prints its port:
`python benchmarks/sink.py --help`.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import re
import select
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

FEATURES = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE 33554432")
LONGEST_LIFE = 3_600.0
MOST_CONNECTIONS = 256
MOST_RECORDED = 2_000_000
LONGEST_LETTER = 33_554_432
LONGEST_LINE = 4_096

_READ = 256 * 1024
_MESSAGE_ID = re.compile(rb"(?im)^message-id:[ \t]*(?:\r\n[ \t]+)?(<[^<>\r\n]*>)")
_RECIPIENT = re.compile(rb"<([^<>]*)>")


@dataclass(frozen=True)
class Taken:
    """One letter that was taken. `sha256` is over its bytes as they were before dots were doubled for the wire."""

    message_id: str
    recipient: str
    sha256: str


class Sink:
    """The sink as its parent has it: runs while the `with` block does.

    `delay` is how many seconds pass before the answer to the final dot, on each connection for itself. With `record`
    the sink keeps Message-ID, recipient and hash of every letter, from before the sender has its answer. `features` are
    what it answers to EHLO. Asking a sink that has ended raises RuntimeError.
    """

    def __init__(
        self,
        *,
        delay: float = 0.0,
        record: bool = False,
        features: tuple[str, ...] = FEATURES,
        longest_life: float = LONGEST_LIFE,
    ) -> None:
        # Isolated, and as a file: the sink loads a few modules of the standard library and is up in no time.
        self._command = [sys.executable, "-I", str(Path(__file__).resolve()), "--until-parent-ends"]
        self._command += ["--delay", str(delay), "--longest-life", str(longest_life)]
        self._command += [f"--feature={feature}" for feature in features]
        self._command += ["--record"] if record else []
        self._process: subprocess.Popen[str] | None = None
        self.host = "127.0.0.1"
        self.port = 0

    @property
    def url(self) -> str:
        """The mail URL of the sink, without STARTTLS."""
        return f"smtp://{self.host}:{self.port}?starttls=off"

    def __enter__(self) -> Sink:
        # In a session of its own, for a Ctrl-C at the terminal is for the measurement; the sink then ends with it.
        self._process = subprocess.Popen(
            self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
        )
        self.port = int(self._answer()["port"])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        with process:
            if process.stdin is not None:
                # The sink may have ended before it read all.
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
            try:
                process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                process.kill()

    @property
    def process(self) -> int:
        """The number of its process."""
        if self._process is None:
            raise AssertionError("the sink runs inside its with block only")
        return self._process.pid

    def count(self) -> int:
        """How many letters were taken since the start, or since `forget`."""
        return int(self._ask("count")["letters"])

    def connections(self) -> int:
        """How many connections were made since the start, or since `forget`."""
        return int(self._ask("count")["connections"])

    def taken(self) -> list[Taken]:
        """Every letter since the start, or since `forget`, in the order taken; only where `record` was asked for."""
        return [Taken(**letter) for letter in self._ask("taken")["taken"]]

    def forget(self) -> None:
        """Begin to count and record from nothing."""
        self._ask("forget")

    def _ask(self, question: str) -> dict[str, Any]:
        if self._process is None or self._process.stdin is None:
            raise AssertionError("the sink runs inside its with block only")
        try:
            self._process.stdin.write(question + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError("the sink has ended") from None
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        if self._process is None or self._process.stdout is None:
            raise AssertionError("the sink runs inside its with block only")
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the sink has ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


class _Server:
    """The sink as it is in its own process."""

    def __init__(self, port: int, delay: float, record: bool, features: list[str]) -> None:
        self._delay = delay
        self._record = record
        lines = ["sink", *features]
        self._greeting = "".join(f"250-{line}\r\n" for line in lines[:-1]).encode() + f"250 {lines[-1]}\r\n".encode()
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._lock = threading.Lock()
        self._room = threading.BoundedSemaphore(MOST_CONNECTIONS)
        self.letters = 0
        self.connections = 0
        self.taken: list[Taken] = []

    def accept_for_ever(self) -> None:
        """Take connections, each into a thread of its own."""
        while True:
            connection, _ = self._listener.accept()
            if not self._room.acquire(blocking=False):
                connection.close()
                continue
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def forget(self) -> None:
        """Begin to count and record from nothing."""
        with self._lock:
            self.letters, self.connections, self.taken = 0, 0, []

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, contextlib.suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connection.sendall(b"220 sink ready\r\n")
                self._converse(connection)
        finally:
            self._room.release()

    def _converse(self, connection: socket.socket) -> None:
        heard = b""
        recipient = b""
        has_sender = False
        while chunk := connection.recv(_READ):
            heard = heard + chunk if heard else chunk
            replies = []
            while (end := heard.find(b"\n")) >= 0:
                line, heard = heard[: end + 1], heard[end + 1 :]
                verb = line[:4].upper()
                if verb == b"MAIL":
                    has_sender, recipient = True, b""
                    replies.append(b"250 2.1.0 Ok\r\n")
                elif verb == b"RCPT" and has_sender:
                    found = _RECIPIENT.search(line)
                    recipient = found[1] if found else b""
                    replies.append(b"250 2.1.5 Ok\r\n")
                elif verb == b"DATA" and has_sender:
                    replies.append(b"354 End data with <CR><LF>.<CR><LF>\r\n")
                    connection.sendall(b"".join(replies))
                    replies.clear()
                    letter, heard = self._read_letter(connection, heard)
                    replies.append(self._take(letter, recipient))
                    has_sender, recipient = False, b""
                elif verb == b"EHLO":
                    replies.append(self._greeting)
                elif verb in (b"HELO", b"RSET", b"NOOP"):
                    has_sender, recipient = False, b""
                    replies.append(b"250 2.0.0 Ok\r\n")
                elif verb == b"QUIT":
                    connection.sendall(b"".join([*replies, b"221 2.0.0 Bye\r\n"]))
                    return
                else:
                    replies.append(b"503 5.5.1 Not here and not now\r\n")
            if len(heard) > LONGEST_LINE:
                connection.sendall(b"500 5.5.2 Line too long\r\n")
                return
            if replies:
                connection.sendall(b"".join(replies) if len(replies) > 1 else replies[0])

    def _read_letter(self, connection: socket.socket, heard: bytes) -> tuple[bytes, bytes]:
        """Read to the final dot; return the letter without it, and what came behind it."""
        # The line end of DATA stands before the letter, so that a lone dot at once is an empty letter.
        letter = bytearray(b"\r\n" + heard)
        looked_at = 0
        while (end := letter.find(b"\r\n.\r\n", looked_at)) < 0:
            looked_at = max(0, len(letter) - 4)
            chunk = connection.recv(_READ)
            if not chunk or len(letter) > LONGEST_LETTER:
                raise ConnectionError("the letter has no end")
            letter += chunk
        return bytes(letter[2 : end + 2]), bytes(letter[end + 5 :])

    def _take(self, letter: bytes, recipient: bytes) -> bytes:
        if self._delay:
            time.sleep(self._delay)
        taken = self._describe(letter, recipient) if self._record else None
        with self._lock:
            self.letters += 1
            if taken is not None:
                if len(self.taken) >= MOST_RECORDED:
                    return b"452 4.3.1 The record is full\r\n"
                self.taken.append(taken)
            return b"250 2.0.0 Ok: queued as %08X\r\n" % self.letters

    def _describe(self, letter: bytes, recipient: bytes) -> Taken:
        header = letter[: letter.find(b"\r\n\r\n") + 2]
        found = _MESSAGE_ID.search(header)
        plain = (b"\r\n" + letter).replace(b"\r\n..", b"\r\n.")[2:]
        return Taken(
            message_id=found[1].decode("utf-8", "replace") if found else "",
            recipient=recipient.decode("utf-8", "replace"),
            sha256=hashlib.sha256(plain).hexdigest(),
        )


def _answer_the_parent(server: _Server, parent: int, ends_at: float) -> None:
    """Answer what the parent asks on standard input, until it closes it, is gone, or the longest life is over."""
    heard = b""
    while time.monotonic() < ends_at and os.getppid() == parent:
        # A child that the parent forked meanwhile may hold the pipe open: so it is asked who the parent is, too.
        if not select.select([0], [], [], 1.0)[0]:
            continue
        chunk = os.read(0, 4096)
        if not chunk:
            return
        *questions, heard = (heard + chunk).split(b"\n")
        for question in questions:
            if question == b"forget":
                server.forget()
            answer: dict[str, object] = {"letters": server.letters, "connections": server.connections}
            if question == b"taken":
                answer = {"taken": [asdict(letter) for letter in list(server.taken)]}
            print(json.dumps(answer), flush=True)


def main() -> None:
    """Run a sink until its parent ends, or until the longest life is over."""
    parser = argparse.ArgumentParser(description="A mail server on this machine that takes every letter and counts.")
    parser.add_argument("--port", type=int, default=0, help="any free one by default")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before the answer to each letter")
    parser.add_argument("--record", action="store_true", help="keep Message-ID, recipient and hash of each letter")
    parser.add_argument("--feature", action="append", help="a line of the answer to EHLO; several may be given")
    parser.add_argument("--longest-life", type=float, default=LONGEST_LIFE, help="seconds after which it ends itself")
    parser.add_argument("--until-parent-ends", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    parent, ends_at = os.getppid(), time.monotonic() + given.longest_life
    server = _Server(given.port, given.delay, given.record, given.feature or list(FEATURES))
    threading.Thread(target=server.accept_for_ever, daemon=True).start()
    print(json.dumps({"port": server.port}), flush=True)
    if given.until_parent_ends:
        # The parent may go while it is being answered.
        with contextlib.suppress(BrokenPipeError):
            _answer_the_parent(server, parent, ends_at)
    else:
        time.sleep(max(0.0, ends_at - time.monotonic()))
    # Threads that still converse must not hold the process.
    os._exit(0)


if __name__ == "__main__":
    main()
