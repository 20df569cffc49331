"""A letter made ready for SMTP, or the reason why it cannot be. Pure: no connection is needed to know."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

import idna

from registry.channels.base import Envelope, PermanentFailure

LONGEST_ADDRESS = 254
"""Octets of an address that fit into a path of SMTP (RFC 5321 section 4.5.3.1.3, less the angle brackets)."""

# Printable ASCII without < and >, and something on both sides of the last @: nearly every address, told at once.
_PLAIN_ADDRESS = re.compile(r"[!-;=?-~]+@[!-;=?A-~]+")


@dataclass(frozen=True, slots=True)
class SmtpLetter:
    """What goes on the wire for one letter.

    `text` has CRLF line ends and doubled leading dots, and lacks only the final dot. `size` is the length in octets
    before the dots were doubled (RFC 1870).
    """

    recipient: str
    return_path: str
    text: bytes
    size: int
    is_8bit: bool
    is_international: bool

    def parameters_for(self, features: Mapping[str, str]) -> str | PermanentFailure:
        """The parameters of MAIL FROM for a server with these EHLO features (names in lower case).

        A letter the server cannot carry is a permanent failure: changing its bytes would change what was
        recorded (R30).
        """
        if self.is_international and "smtputf8" not in features:
            return PermanentFailure(
                None,
                f"the mail server does not take international addresses (SMTPUTF8), and the letter to {self.recipient}"
                " needs it: use another address of the recipient, or another mail server",
            )
        if self.is_8bit and "8bitmime" not in features:
            return PermanentFailure(
                None, "the mail server takes 7-bit letters only (no 8BITMIME), and this letter has 8-bit text"
            )
        limit = features.get("size", "").strip()
        if limit.isascii() and limit.isdigit() and 0 < int(limit) < self.size:
            return PermanentFailure(
                None, f"the letter has {self.size} bytes and the mail server takes at most {int(limit)}"
            )
        return "".join(
            (
                f" SIZE={self.size}" if "size" in features else "",
                " BODY=8BITMIME" if self.is_8bit else "",
                " SMTPUTF8" if self.is_international else "",
            )
        )


def prepare(envelope: Envelope) -> SmtpLetter | PermanentFailure:
    """Make a letter ready, or say why it can go to nobody.

    An address that would break the SMTP conversation is refused here, before anything is on the wire.

    International domains are written in their ASCII form, so that only a local part outside ASCII (or a header
    outside ASCII) needs a server with SMTPUTF8.
    """
    recipient = _for_the_wire(envelope.recipient)
    if recipient is None:
        return PermanentFailure(None, f"the recipient's address cannot be written to: {envelope.recipient!r}")
    return_path = "" if envelope.return_path == "" else _for_the_wire(envelope.return_path)
    if return_path is None:
        return PermanentFailure(None, f"the return path is no usable address: {envelope.return_path!r}")
    lines = envelope.message if envelope.has_crlf else with_crlf(envelope.message)
    is_8bit = not lines.isascii()
    return SmtpLetter(
        recipient=recipient,
        return_path=return_path,
        text=_with_doubled_dots(lines),
        size=len(lines),
        is_8bit=is_8bit,
        is_international=not (recipient.isascii() and return_path.isascii())
        or (is_8bit and not lines.partition(b"\r\n\r\n")[0].isascii()),
    )


def with_crlf(message: bytes) -> bytes:
    """The message with every line ended by CRLF, the last one too.

    A bare CR or LF reaches the server as a line end of its own choosing, and `LF . LF` would end the letter
    early and turn what follows into commands on a server that is lenient.
    """
    # Bytes are split at CR, LF and CRLF and nowhere else. A pattern that looks for stray ones takes ten times as long.
    return b"\r\n".join([*message.splitlines(), b""]) or b"\r\n"


def _with_doubled_dots(lines: bytes) -> bytes:
    # Few lines begin with a dot, and to look for them from the end takes a fifth of the time of `replace`.
    pieces, end = [], len(lines)
    while (at := lines.rfind(b"\r\n.", 0, end)) >= 0:
        pieces.append(lines[at + 2 : end])
        end = at + 2
    text = b".".join([lines[:end], *reversed(pieces)]) if pieces else lines
    return b"." + text if text.startswith(b".") else text


def _for_the_wire(address: str) -> str | None:
    if _PLAIN_ADDRESS.fullmatch(address):
        return address if len(address) <= LONGEST_ADDRESS else None
    if any(unicodedata.category(character).startswith(("C", "Z")) for character in address):
        return None
    if "<" in address or ">" in address:
        return None
    local, at, domain = address.rpartition("@")
    if not (local and at and domain):
        return None
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError:
            return None
    whole = f"{local}@{domain}"
    return whole if len(whole.encode("utf-8")) <= LONGEST_ADDRESS else None
