"""A mail server that misbehaves as told: cuts, hangs, drips, refuses and babbles at any stage of the conversation."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from io import BufferedReader
from types import TracebackType


class Misbehaviour(Enum):
    """What a server may do in place of an answer."""

    CUT = "close the connection"
    RESET = "break the connection, as a router or a crash does"
    HANG = "say nothing, and keep the connection"


CUT, RESET, HANG = Misbehaviour.CUT, Misbehaviour.RESET, Misbehaviour.HANG


@dataclass(frozen=True)
class Drip:
    """Send the bytes one at a time with so many seconds between."""

    data: bytes
    pause: float


Behaviour = str | bytes | Misbehaviour | Drip
"""A reply without its line end, raw bytes, or one of the above."""

IN_TURN = ("8BITMIME", "SIZE")
"""What a server offers that takes one command at a time."""
TOGETHER = ("PIPELINING", "8BITMIME", "SIZE")
"""What a server offers that takes several commands at once (RFC 2920)."""

_NOT_NOW = "503 5.5.1 Not now"
_DEFAULTS = {"connect": "220 scripted ready", "data": "354 go ahead", "quit": "221 bye"}
_STAGES = frozenset(
    {"connect", "ehlo", "helo", "starttls", "auth", "mail", "rcpt", "data", "letter", "dot", "rset", "quit", "idle"}
)


class ScriptedServer:
    """Runs while the `with` block does. `script` maps a stage to what happens the first times it is reached.

    Stages are the commands in lower case, and: `connect` (the greeting), `letter` (once some of the letter was read,
    before its final dot), `dot` (the answer to the whole letter), `idle` (unasked, right after the answer to the final
    dot). What is not scripted goes well. `features` are the lines of the answer to EHLO.
    """

    def __init__(
        self, script: Mapping[str, Sequence[Behaviour]] | None = None, *, features: Sequence[str] = IN_TURN
    ) -> None:
        unknown = set(script or {}) - _STAGES
        if unknown:
            raise ValueError(f"no such stages: {unknown}")
        self._script = {stage: deque(behaviours) for stage, behaviours in (script or {}).items()}
        self._features = features
        self._listener = socket.create_server(("127.0.0.1", 0))
        # Little room for what is not read, so that a server which stops reading is noticed within a few megabytes.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        self.host = "127.0.0.1"
        self.port: int = self._listener.getsockname()[1]
        self.commands: list[str] = []
        self.letters: list[bytes] = []
        """Letters as they came over the wire, with the final dot. A lone dot is a letter, too."""
        self.connections = 0
        self._closing = threading.Event()
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, name="scripted-server")]

    @property
    def url(self) -> str:
        """The mail URL of this server."""
        return f"smtp://{self.host}:{self.port}"

    def __enter__(self) -> ScriptedServer:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        for connection in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join(timeout=5)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            # Replies are written one by one: without this a second would wait until the first is acknowledged.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), name="scripted-conversation")
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError), connection.makefile("rb") as lines:
            if not self._act(connection, "connect"):
                return
            has_sender = has_recipient = False
            while line := lines.readline():
                command = line.decode("utf-8", "replace").rstrip("\r\n")
                self.commands.append(command)
                stage = command.partition(" ")[0].lower()
                is_out_of_place = (stage == "rcpt" and not has_sender) or (stage == "data" and not has_recipient)
                default = _NOT_NOW if is_out_of_place else None
                if not self._act(connection, stage if stage in _STAGES else "auth", default):
                    return
                was_accepted = self._replied.startswith("2")
                if stage == "mail":
                    has_sender, has_recipient = was_accepted, False
                elif stage == "rcpt":
                    has_recipient = has_recipient or was_accepted
                elif stage in ("rset", "ehlo", "helo"):
                    has_sender = has_recipient = False
                elif stage == "quit":
                    return
                elif stage == "data" and self._replied.startswith("3"):
                    if not self._read_letter(connection, lines):
                        return
                    has_sender = has_recipient = False

    def _read_letter(self, connection: socket.socket, lines: BufferedReader) -> bool:
        letter = lines.readline()
        if "letter" in self._script and not self._act(connection, "letter"):
            return False
        while letter != b".\r\n" and not letter.endswith(b"\r\n.\r\n"):
            piece = lines.readline()
            if not piece:
                return False
            letter += piece
        self.letters.append(letter)
        if not self._act(connection, "dot"):
            return False
        return "idle" not in self._script or self._act(connection, "idle")

    def _act(self, connection: socket.socket, stage: str, default: str | None = None) -> bool:
        """Do what the script says for this stage, or else the default; False where the conversation is over."""
        behaviours = self._script.get(stage)
        self._replied = ""
        if stage in ("letter", "idle") and not behaviours:
            return True
        behaviour = behaviours.popleft() if behaviours else default or self._default(stage)
        if behaviour is HANG:
            self._closing.wait(30)
            return False
        if behaviour is CUT or behaviour is RESET:
            if behaviour is RESET:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            else:
                connection.shutdown(socket.SHUT_RDWR)
            return False
        if isinstance(behaviour, Drip):
            self._replied = behaviour.data.decode("latin-1")
            for position in range(len(behaviour.data)):
                connection.sendall(behaviour.data[position : position + 1])
                if self._closing.wait(behaviour.pause):
                    return False
        elif isinstance(behaviour, bytes):
            self._replied = behaviour.decode("latin-1")
            connection.sendall(behaviour)
        elif isinstance(behaviour, str):
            self._replied = behaviour
            connection.sendall(behaviour.encode() + b"\r\n")
        return True

    def _default(self, stage: str) -> str:
        if stage == "ehlo":
            lines = ["scripted", *self._features]
            return "\r\n".join([f"250-{line}" for line in lines[:-1]] + [f"250 {lines[-1]}"])
        return _DEFAULTS.get(stage, "250 2.0.0 OK")
