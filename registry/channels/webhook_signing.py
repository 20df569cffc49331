"""Signatures of the Standard Webhooks specification, version 1: who gets a webhook can tell that we sent it.

What is signed is `{id}.{timestamp}.{body}`, by HMAC-SHA256. Whoever could put a full stop into the id could move a
piece of it into the timestamp, so ids have none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import secrets as random
from collections.abc import Sequence
from datetime import UTC, datetime
from math import floor

from standardwebhooks import Webhook

SECRET_PREFIX = "whsec_"  # noqa: S105  # a mark that anybody may know
LONGEST_ID = 200

_KEY_SIZES = range(24, 65)
_NEW_KEY_SIZE = 32
_NEEDS_ESCAPE = re.compile(r"[^A-Za-z0-9_-]")


def make_secret() -> str:
    """A new secret for one endpoint: 32 random bytes, written as the specification asks."""
    return SECRET_PREFIX + base64.b64encode(random.token_bytes(_NEW_KEY_SIZE)).decode("ascii")


def webhook_id(message_id: str) -> str:
    """The id under which a message goes to a webhook: the same over every retry, and for no two messages the same.

    The angle brackets of a Message-ID go; letters, digits, `-` and `_` stay; every other byte (in UTF-8) becomes `~`
    and two hexadecimal digits, so that `<17.3@antopsis.example>` is `17~2E3~40antopsis~2Eexample`. What would be
    longer than LONGEST_ID is named by its SHA-256. Raises ValueError where the id is empty.
    """
    bare = message_id.strip().removeprefix("<").removesuffix(">")
    if not bare:
        raise ValueError("a webhook needs an id")
    escaped = _NEEDS_ESCAPE.sub(lambda found: "".join(f"~{byte:02X}" for byte in _utf8(found[0])), bare)
    return escaped if len(escaped) <= LONGEST_ID else f"sha256~{hashlib.sha256(_utf8(bare)).hexdigest()}"


def sign(message_id: str, at: datetime, body: bytes, secrets: Sequence[str]) -> dict[str, str]:
    """The three headers of one try at sending `body`, as it goes over the wire, at the instant `at` (aware, any zone).

    There is a signature for each secret, in the order given: the newest first, and beside it the old one for as long
    as its owner has not changed over. Raises ValueError for a naive time, a body that is not UTF-8, no secret, or one
    that is not `whsec_` and 24 to 64 bytes in base64; the message never holds the secret.
    """
    if at.tzinfo is None:
        raise ValueError("a webhook is signed at an aware instant")
    if not secrets:
        raise ValueError("a webhook needs a secret to be signed with")
    name = webhook_id(message_id)
    text = body.decode("utf-8")
    # The library takes whatever zone the time has for UTC.
    instant = at.astimezone(UTC)
    return {
        "webhook-id": name,
        "webhook-timestamp": str(floor(instant.timestamp())),
        "webhook-signature": " ".join(Webhook(_key(secret)).sign(name, instant, text) for secret in secrets),
    }


def _key(secret: str) -> bytes:
    # The library's own reading skips what is not base64: a secret with a typing error would sign with another key.
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or len(key) not in _KEY_SIZES:
        raise ValueError("a webhook secret is whsec_ and 24 to 64 bytes in base64") from None
    return key


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
