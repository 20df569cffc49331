"""The bytes of a letter on the wire: header lines and two parts, written out so that they never vary (R30).

The standard library parses mail here (in tests) and could write it, but what it writes is not fit to be hashed and made
again years later: how it folds and encodes headers differs between Python releases. It also puts a `List-Unsubscribe`
address longer than a line into RFC 2047 encoded words, which no mail provider decodes there, so one-click leaving
breaks (seen from 3.8 to 3.13). The forms needed are few, and all of them stand below.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final

import idna

from registry.domain.errors import RegistryError
from registry.domain.text import find_unclean

CRLF: Final = "\r\n"
SEVEN_BIT: Final = "7bit"
QUOTED_PRINTABLE: Final = "quoted-printable"
FOLD_AT: Final = 76
"""RFC 2047 allows lines with encoded words 76 columns; the others fit too."""
LINE_LIMIT: Final = 998
"""RFC 5321 and 5322: octets of a line, without its CRLF."""
_LINE_WISHED: Final = 78
"""Plain text with a longer line than this is sent as quoted-printable."""
_ENCODED_WORD_LIMIT: Final = 75
_ENCODED_WORD_FRAME: Final = len("=?utf-8?b??=")

_LONGEST_ADDRESS: Final = 254
"""RFC 5321: a path of 256 octets, without its angle brackets."""
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


def ascii_address(address: str) -> str:
    """Return an address with its domain in ASCII, an international one in its xn-- form (IDNA 2008).

    What has no such form is returned as it is, and is refused where it is to stand in a header.
    """
    mailbox, at, domain = address.rpartition("@")
    if domain.isascii():
        return address
    try:
        return f"{mailbox}{at}{idna.encode(domain, uts46=True).decode('ascii')}"
    except idna.IDNAError:
        return address


def is_address(address: str) -> bool:
    """Return whether an address can stand in a header as it is: plain ASCII, with a domain, and not too long."""
    return len(address) <= _LONGEST_ADDRESS and _ADDRESS.fullmatch(address) is not None


def address_header(header: str, display_name: str | None, address: str) -> str:
    """Return one mailbox as a header value: a display name, encoded or quoted where it needs to be, and the address.

    The address is plain ASCII with a domain (an international domain in its xn-- form). Raises `ImpossibleHeader`.
    """
    if not is_address(address):
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
    if not is_boundary(boundary):
        raise ImpossibleHeader(header="Content-Type", value=boundary, why="not-a-boundary")
    if f"--{boundary}" in text or f"--{boundary}" in html:
        raise BoundaryInContent(boundary=boundary)
    lines = "".join(f"{header_line(name, value)}{CRLF}" for name, value in headers)
    text_encoding, encoded_text = encode_body(text)
    html_encoding, encoded_html = encode_body(html)
    opening, middle, closing = frame_of(boundary, text_encoding, html_encoding)
    return f"{lines}{opening}{encoded_text}{middle}{encoded_html}{closing}".encode("ascii")


def is_boundary(boundary: str) -> bool:
    """Return whether RFC 2046 allows this boundary, in quotes."""
    return _BOUNDARY.fullmatch(boundary) is not None


def frame_of(boundary: str, text_encoding: str, html_encoding: str) -> tuple[str, str, str]:
    """Return what stands after the letter's own headers, between its two bodies, and after the second."""
    return (
        f'MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'
        f'--{boundary}\r\nContent-Type: text/plain; charset="utf-8"\r\n'
        f"Content-Transfer-Encoding: {text_encoding}\r\n\r\n",
        f'\r\n--{boundary}\r\nContent-Type: text/html; charset="utf-8"\r\n'
        f"Content-Transfer-Encoding: {html_encoding}\r\n\r\n",
        f"\r\n--{boundary}--\r\n",
    )


def encode_body(body: str) -> tuple[str, str]:
    """Return a body's transfer encoding, and the body in it with CRLF.

    Plain ASCII with short lines is sent as it is, so that the outbox reads well; all else as quoted-printable.
    """
    if is_readable(body):
        return SEVEN_BIT, body.replace("\n", CRLF)
    return QUOTED_PRINTABLE, quote_printable(body)


def is_readable(body: str) -> bool:
    """Return whether a body, or any lines of it, may be sent as they are."""
    return body.isascii() and all(len(line) <= _LINE_WISHED for line in body.split("\n"))


def quote_printable(body: str) -> str:
    """Return text as quoted-printable with CRLF. No line's encoding depends on the lines around it."""
    return binascii.b2a_qp(body.encode("utf-8")).decode("ascii").replace("\n", CRLF)


def _encoded_words(value: str, used: int) -> str:
    """Encode text as RFC 2047 base64 words, each whole characters, each short enough for its line.

    `used` columns of the first line are taken by the header's name.
    """
    octets, words, at = value.encode("utf-8"), [], 0
    room = _bytes_that_fit(_ENCODED_WORD_LIMIT - used)
    while len(octets) - at > room:
        end = at + room
        while octets[end] & 0xC0 == 0x80:  # within a character
            end -= 1
        words.append(octets[at:end])
        at, room = end, _bytes_that_fit(_ENCODED_WORD_LIMIT)
    words.append(octets[at:])
    return " ".join(f"=?utf-8?b?{base64.b64encode(word).decode('ascii')}?=" for word in words)


def _bytes_that_fit(columns: int) -> int:
    return max((columns - _ENCODED_WORD_FRAME) // 4 * 3, 4)


def header_line(name: str, value: str) -> str:
    """Fold a header at its spaces. What has no space stays whole: to break or encode an address would change it.

    The value is one that the functions above return. Raises `ImpossibleHeader`.
    """
    if not _HEADER_NAME.fullmatch(name):
        raise ImpossibleHeader(header=name, value=value, why="not-a-header-name")
    _refuse_controls(name, value)
    if len(name) + 2 + len(value) <= FOLD_AT:
        return f"{name}: {value}"
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
    if value.isprintable():
        return
    if find_unclean(value) is not None or len(value.splitlines()) > 1 or "\t" in value or value.endswith("\n"):
        raise ImpossibleHeader(header=header, value=value, why="control-character")
