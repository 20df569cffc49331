"""What the stand-in for Resend may be told to do in place of answering as it should."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True)
class Response:
    """An answer: `content` is sent as JSON unless it is bytes already. `headers` come on top of the usual ones."""

    status: int
    content: object
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def body(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else json.dumps(self.content).encode()


class Manner(Enum):
    """How an answer is given, or not."""

    WHOLE = "as it should be"
    WITHHELD = "never: the connection stays open and silent"
    RESET = "never: the connection breaks"
    CUT = "its first half, then the connection closes"
    DRIPPED = "a byte at a time, from the status line on"
    BODY_DRIPPED = "the status and the headers at once, the body a byte at a time"


@dataclass(frozen=True)
class Misstep:
    """What happens to one request.

    `takes`: the letters are taken first, as if all were well, and the key is remembered. `response` is what is answered
    in place of the usual; None keeps the usual one.
    """

    takes: bool
    manner: Manner = Manner.WHOLE
    response: Response | None = None


def refusal(status: int, name: str, message: str, **headers: str) -> Misstep:
    """Take nothing and answer with an error in Resend's form. Write header names with underscores."""
    return Misstep(takes=False, response=error(status, name, message, **headers))


def error(status: int, name: str, message: str, **headers: str) -> Response:
    """An error in Resend's form."""
    named = {header.replace("_", "-"): value for header, value in headers.items()}
    return Response(status, {"statusCode": status, "name": name, "message": message}, named)


HTML_502 = Response(502, b"<html><body><h1>502 Bad Gateway</h1></body></html>", {"Content-Type": "text/html"})
TIMES_OUT_THEN_TAKEN = Misstep(takes=True, manner=Manner.WITHHELD)
"""The letters are taken and the answer never comes: what a time-out looks like from the other side."""
RESET_UNTAKEN = Misstep(takes=False, manner=Manner.RESET)
RESET_TAKEN = Misstep(takes=True, manner=Manner.RESET)
