"""Return paths that name their letter (VERP), so that a bounce tells which delivery it is about whatever its text says.

    bounces@registry.example  ──▶  bounces+k1.4711.9f86d081884c7d659a2f@registry.example
                                           │   │    └ the beginning of an HMAC
                                           │   └ the delivery
                                           └ the key that signed

The signature keeps strangers from reporting the letters of others as bounced. All of it is small letters, digits and
dots: some servers turn the part before the @ into small letters, and nothing else in it needs quoting (RFC 5321
section 4.1.2).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable
from typing import Final

Sign = Callable[[int, str | None], str]
"""Signs a delivery's id with the key of that id (None: the newest), and returns `kid.id.HMAC`, the HMAC in hexadecimal.

Raises ValueError for a key that there is not. `functools.partial(keyring.sign, "bounce")` is one.
"""

DELIMITER: Final = "+"
LONGEST_MAILBOX: Final = 64
"""The most octets before the @ that a server must take (RFC 5321 section 4.5.3.1.1)."""
LONGEST_BOUNCE_MAILBOX: Final = 18
"""A bounce address with no more than so many octets before its @ has room for any delivery, under any of 999 keys."""

_SIGNATURE_DIGITS: Final = 20
"""80 bits, the least that RFC 2104 section 5 asks for. A forger can only guess by sending mail."""

_REFERENCE = re.compile(rf"([a-z0-9]{{1,20}})\.([1-9][0-9]{{0,18}})\.([0-9a-f]{{{_SIGNATURE_DIGITS}}})")


def make_return_path(
    bounce_address: str, delivery_id: int, sign: Sign, *, key_id: str | None = None, delimiter: str = DELIMITER
) -> str:
    """Return the return path of one delivery's letter.

    `bounce_address` is the deployment's (`bounces@registry.example`), whose server must deliver everything that stands
    between the delimiter and the @ to it. With `key_id` an older key signs, so that the same path is made again.

    Raises ValueError where the bounce address is none, and where the part before the @ would be longer than 64 octets:
    a bounce address of at most LONGEST_BOUNCE_MAILBOX octets before its @ never comes to that.
    """
    mailbox, domain = _split(bounce_address)
    if not mailbox or not domain or not delimiter:
        raise ValueError(f"{bounce_address!r} with the delimiter {delimiter!r} is no bounce address")
    key, number, signature = sign(delivery_id, key_id).split(".")
    reference = f"{key}.{number}.{signature[:_SIGNATURE_DIGITS]}"
    if _REFERENCE.fullmatch(reference) is None:
        raise ValueError("the signature is not of the form kid.id.HMAC, in small letters")
    long_mailbox = f"{mailbox}{delimiter}{reference}"
    if len(long_mailbox.encode()) > LONGEST_MAILBOX:
        raise ValueError(f"{bounce_address!r} has more than {LONGEST_BOUNCE_MAILBOX} octets before the @")
    return f"{long_mailbox}@{domain}"


def read_return_path(
    recipient: str | None, bounce_address: str, sign: Sign, *, delimiter: str = DELIMITER
) -> int | None:
    """Return the delivery whose letter a bounce sent to `recipient` is about; None for any other address.

    Upper and lower case are one. None and the null path give None, as does a signature that is not ours. Never raises,
    whatever `recipient` is, and compares signatures in constant time.
    """
    mailbox, domain = _split((recipient or "").lower())
    own_mailbox, own_domain = _split(bounce_address.lower())
    prefix = f"{own_mailbox}{delimiter.lower()}"
    if domain != own_domain or not mailbox.startswith(prefix):
        return None
    match = _REFERENCE.fullmatch(mailbox.removeprefix(prefix))
    if match is None:
        return None
    number = int(match[2])
    try:
        signed = sign(number, match[1])
    except ValueError:
        # A key that this keyring never had: a forged path, or another installation's.
        return None
    expected = signed.rpartition(".")[2][:_SIGNATURE_DIGITS]
    return number if hmac.compare_digest(expected, match[3]) else None


def _split(address: str) -> tuple[str, str]:
    mailbox, _, domain = address.strip().rpartition("@")
    return mailbox, domain.removesuffix(".")
