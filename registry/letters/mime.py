"""The bytes of a letter on the wire: header lines and two parts, written out so that they never vary (R30).

The standard library parses mail here (in tests) and could write it, but what it writes is not fit to be hashed and made
again years later: how it folds and encodes headers differs between Python releases. It also puts a `List-Unsubscribe`
address longer than a line into RFC 2047 encoded words, which no mail provider decodes there, so one-click leaving
breaks (seen from 3.8 to 3.13). The forms needed are few, and all of them stand below.
"""

from __future__ import annotations

import base64
import quopri
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

from registry.domain.errors import RegistryError
from registry.domain.text import find_unclean

CRLF: Final = "\r\n"
FOLD_AT: Final = 76
"""RFC 2047 allows lines with encoded words 76 columns; the others fit too."""
LINE_LIMIT: Final = 998
"""RFC 5321 and 5322: octets of a line, without its CRLF."""
_LINE_WISHED: Final = 78
_ENCODED_WORD_LIMIT: Final = 75
_ENCODED_WORD_FRAME: Final = len("=?utf-8?b??=")

_HEADER_NAME = re.compile(r"[A-Za-z0-9-]{1,70}")
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")
_BOUNDARY = re.compile(r"[A-Za-z0-9'()+_,./:=?-]{1,70}")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


class ImpossibleHeader(RegistryError):
    """A value cannot stand in a mail header. Params: header, value, why (a short code)."""

    code = "impossible-header"


class BoundaryInContent(RegistryError):
    """The boundary between a letter's parts occurs in its content, so a reader could not tell them apart."""

    code = "boundary-in-content"


def address_header(header: str, display_name: str | None, address: str) -> str:
    """Return one mailbox as a header value: a display name, encoded or quoted where it needs to be, and the address.

    The address is plain ASCII with a domain (an international domain in its xn-- form). Raises `ImpossibleHeader`.
    """
    if len(address) > 254 or not _ADDRESS.fullmatch(address):
        raise ImpossibleHeader(header=header, value=address, why="not-an-address")
    if not display_name:
        return address
    _refuse_controls(header, display_name)
    if not display_name.isascii() or "=?" in display_name:
        phrase = _encoded_words(display_name, len(header) + 2)
    elif _ATOMS.fullmatch(display_name):
        phrase = display_name
    else:
        quoted = display_name.replace("\\", "\\\\").replace('"', '\\"')
        phrase = f'"{quoted}"'
    return f"{phrase} <{address}>"


def text_header(header: str, value: str) -> str:
    """Return free text, such as a subject, as a header value. Raises `ImpossibleHeader` on control characters."""
    _refuse_controls(header, value)
    if value.isascii() and "=?" not in value:
        return value
    return _encoded_words(value, len(header) + 2)


def verbatim_header(header: str, value: str) -> str:
    """Return a structured value that must stand as it is: printable ASCII. Raises `ImpossibleHeader`."""
    _refuse_controls(header, value)
    if not value.isascii():
        raise ImpossibleHeader(header=header, value=value, why="not-ascii")
    return value


def date_header(at: datetime) -> str:
    """Return an aware instant as RFC 5322 has it, in UTC."""
    if at.tzinfo is None:
        raise ImpossibleHeader(header="Date", value=at.isoformat(), why="naive-time")
    return format_datetime(at.astimezone(UTC))


def write_alternative(headers: Sequence[tuple[str, str]], boundary: str, text: str, html: str) -> bytes:
    """Write a multipart/alternative message: the headers in order, then plain text, then HTML, with CRLF throughout.

    The header values are those the functions above return. Raises `ImpossibleHeader` or `BoundaryInContent`.
    """
    if not _BOUNDARY.fullmatch(boundary):
        raise ImpossibleHeader(header="Content-Type", value=boundary, why="not-a-boundary")
    if f"--{boundary}" in text or f"--{boundary}" in html:
        raise BoundaryInContent(boundary=boundary)
    lines = [_header_line(name, value) for name, value in headers]
    lines += ["MIME-Version: 1.0", f'Content-Type: multipart/alternative;{CRLF} boundary="{boundary}"', ""]
    for subtype, body in (("plain", text), ("html", html)):
        encoding, encoded = _encode_body(body)
        lines += [
            f"--{boundary}",
            f'Content-Type: text/{subtype}; charset="utf-8"',
            f"Content-Transfer-Encoding: {encoding}",
            "",
            encoded,
        ]
    lines += [f"--{boundary}--", ""]
    return CRLF.join(lines).encode("ascii")


def _encode_body(body: str) -> tuple[str, str]:
    """Send plain ASCII with short lines as it is, so that the outbox reads well; all else as quoted-printable."""
    lines = body.split("\n")
    if body.isascii() and all(len(line) <= _LINE_WISHED for line in lines):
        return "7bit", CRLF.join(lines)
    encoded = quopri.encodestring(body.encode("utf-8")).decode("ascii")
    return "quoted-printable", CRLF.join(encoded.split("\n"))


def _encoded_words(value: str, used: int) -> str:
    """Encode text as RFC 2047 base64 words, each whole characters, each short enough for its line.

    `used` columns of the first line are taken by the header's name.
    """
    words, word = [], b""
    room = _bytes_that_fit(_ENCODED_WORD_LIMIT - used)
    for character in value:
        encoded = character.encode("utf-8")
        if len(word) + len(encoded) > room:
            words.append(word)
            word, room = b"", _bytes_that_fit(_ENCODED_WORD_LIMIT)
        word += encoded
    words.append(word)
    return " ".join(f"=?utf-8?b?{base64.b64encode(word).decode('ascii')}?=" for word in words)


def _bytes_that_fit(columns: int) -> int:
    return max((columns - _ENCODED_WORD_FRAME) // 4 * 3, 4)


def _header_line(name: str, value: str) -> str:
    """Fold a header at its spaces. What has no space stays whole: to break or encode an address would change it."""
    if not _HEADER_NAME.fullmatch(name):
        raise ImpossibleHeader(header=name, value=value, why="not-a-header-name")
    _refuse_controls(name, value)
    lines, line = [], f"{name}:"
    for word in value.split(" "):
        # A line of white space alone would end the headers in some readers, so runs of spaces never begin a line.
        if len(line) + 1 + len(word) > FOLD_AT and word and line.strip() and line != f"{name}:":
            lines.append(line)
            line = ""
        line += f" {word}"
    lines.append(line)
    if any(len(folded) > LINE_LIMIT for folded in lines):
        raise ImpossibleHeader(header=name, value=value, why="too-long")
    return CRLF.join(lines)


def _refuse_controls(header: str, value: str) -> None:
    """Refuse what could end a header line, and so begin one the sender did not write (header injection)."""
    if find_unclean(value) is not None or len(value.splitlines()) > 1 or "\t" in value or value.endswith("\n"):
        raise ImpossibleHeader(header=header, value=value, why="control-character")
