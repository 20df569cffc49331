"""The keyring: keys that sign the links in letters (R33), and the one that hashes addresses (R36).

It lies in the database and apart from the application's secret key, so that replacing that key breaks no link. A new
link key signs from its first moment on; older ones go on verifying, since letters with their links are out there.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, get_args

import idna
from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.vocabulary import ChannelKind
from registry.steps.insert_once import insert_once
from registry.steps.record import WORKER, Actor, record_event
from registry.tables import RingKey

Purpose = Literal["manage", "unsubscribe", "bounce", "check", "object", "acknowledge"]
"""What a token opens: a link, or the return path of a letter (bounce) or of a test of an address (check). A token for
one purpose is no token for another. The number is that of a subscription, or of a delivery (bounce, object,
acknowledge)."""
_PURPOSES = frozenset(get_args(Purpose))

LINK: Final = "link"
LOOKUP: Final = "lookup"
EMAIL: Final = ChannelKind.EMAIL.value

_SECRET_BYTES: Final = 32
_SIGNATURE_BYTES: Final = 20
"""160 bits of the HMAC stand in a link; RFC 2104 section 5 asks for no fewer than half of its length."""

# A hexadecimal end survives what mail programs make of a link; Base64's "-" and "_" are cut off by some.
_TOKEN = re.compile(rf"([a-z0-9]{{1,20}})\.([1-9][0-9]{{0,18}})\.([0-9a-f]{{{2 * _SIGNATURE_BYTES}}})")


@dataclass(frozen=True)
class LinkKey:
    """One key that signs links, by the id that stands in them. `replaced_at` (UTC): a newer one signs since then."""

    key_id: str
    secret: bytes = field(repr=False)
    replaced_at: datetime | None = None


@dataclass(frozen=True)
class Keyring:
    """The keys as they were when read. `link_keys` are newest first, and the newest signs."""

    link_keys: tuple[LinkKey, ...]
    lookup_secret: bytes = field(repr=False)

    @property
    def signing_key_id(self) -> str:
        """The id of the key that signs now."""
        return self.link_keys[0].key_id

    def sign(self, purpose: Purpose, number: int, key_id: str | None = None) -> str:
        """Return the token `kid.id.HMAC` that opens `purpose` for the row `number`.

        With `key_id` an older key signs, so that a letter's bytes can be made again (R30). Raises ValueError for an
        unknown purpose or key, or a number that no row has.
        """
        if purpose not in _PURPOSES:
            raise ValueError(f"no link token has the purpose {purpose!r}")
        if number < 1:
            raise ValueError("rows are numbered from 1")
        key = self._link_key(key_id or self.signing_key_id)
        return f"{key.key_id}.{number}.{_signature(key, purpose, number)}"

    def verify(self, purpose: Purpose, token: str) -> int | None:
        """Return the row that a token opens for `purpose`; None for anything that this keyring did not sign for it.

        Never raises, whatever the token is, and compares in constant time.
        """
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        key = next((key for key in self.link_keys if key.key_id == match[1]), None)
        number = int(match[2])
        expected = "" if key is None else _signature(key, purpose, number)
        return number if hmac.compare_digest(expected, match[3]) else None

    def could_sign_for(self, token: str, created_at: datetime) -> bool:
        """Return whether the key of a verified token still signed when the row it names was made (UTC).

        After a restore numbers are given again that the original gave to others. A link that it signed for one of
        those is good for its own row, and must not open the row that has the number here.
        """
        replaced_at = self._link_key(token.partition(".")[0]).replaced_at
        return replaced_at is None or created_at <= replaced_at

    def confirm_secret(self, key_id: str, nonce: str) -> str:
        """Return the token that confirms a wish, from the nonce stored with it.

        The table holds the nonce and the token's hash (`hash_token`) and not the token, yet the letter that carried it
        can be made again (R30). Raises ValueError for an unknown key.
        """
        return hmac.new(self._link_key(key_id).secret, f"confirm\0{nonce}".encode(), hashlib.sha256).hexdigest()

    def letter_mark(self, delivery_id: int, created_at: datetime) -> str:
        """Return what tells a delivery's Message-ID from all others, of this installation and of any other.

        It follows from the row, so that a letter which is sent once more after a restore is known for the same. The
        number alone would not do: a restored database gives numbers out again.
        """
        text = f"letter\0{delivery_id}\0{created_at.isoformat()}".encode()
        return hmac.digest(self.lookup_secret, text, "sha256")[:8].hex()

    def lookup(self, channel: str, address: str) -> str:
        """Return the keyed hash by which an address is found, also once it is erased (R36).

        Of an e-mail address upper and lower case, and the two ways of writing an international domain, are one. An
        address of the web is given as it is called (`WebAddress.url`): its path tells upper and lower case apart.
        """
        compared = comparison_form(address) if channel == EMAIL else address
        text = f"{channel}\0{compared}".encode("utf-8", "surrogatepass")
        return hmac.new(self.lookup_secret, text, hashlib.sha256).hexdigest()

    def _link_key(self, key_id: str) -> LinkKey:
        for key in self.link_keys:
            if key.key_id == key_id:
                return key
        raise ValueError(f"the keyring has no key {key_id!r}")


def _signature(key: LinkKey, purpose: str, number: int) -> str:
    text = f"{purpose}\0{number}".encode()
    return hmac.digest(key.secret, text, "sha256")[:_SIGNATURE_BYTES].hex()


def comparison_form(address: str) -> str:
    """Return the form in which two addresses are compared.

    The domain is in small ASCII letters. The part before the @ is taken as small letters too: it may legally tell them
    apart (RFC 5321 section 2.4), but no mail system in use does, and people write it as it comes. It is never sent to.
    """
    local, _, domain = unicodedata.normalize("NFC", address).strip().rpartition("@")
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        ascii_domain = domain
    return f"{local.lower()}@{ascii_domain.lower()}"


def hash_token(token: str) -> str:
    """Return the hash by which a confirm token is found. Takes any text at all."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def new_nonce() -> str:
    """Return a fresh nonce for a confirm token."""
    return secrets.token_hex(16)


def make_keyring(session: Session, now: datetime) -> Keyring:
    """Return the keyring, making the keys that are missing. Two processes that start at once end up with the same."""
    held = set(session.scalars(select(RingKey.purpose)))
    if LINK not in held:
        _add_key(session, now, "k1", LINK, WORKER)
    if LOOKUP not in held:
        _add_key(session, now, LOOKUP, LOOKUP, WORKER)
    return load_keyring(session, now)


def load_keyring(session: Session, now: datetime) -> Keyring:
    """Read the keyring. Raises RuntimeError where keys are missing."""
    del now  # a key counts from the moment it is there, also where time is travelled
    keys = session.scalars(select(RingKey)).all()
    links = sorted((key for key in keys if key.purpose == LINK), key=lambda key: _ordinal(key.key_id), reverse=True)
    lookup = next((key for key in keys if key.purpose == LOOKUP), None)
    if not links or lookup is None:
        raise RuntimeError("the keyring is empty; make_keyring makes its keys when the service starts")
    replaced = [None, *(key.created_at for key in links)]
    link_keys = tuple(
        LinkKey(key.key_id, bytes.fromhex(key.secret), replaced_at)
        for key, replaced_at in zip(links, replaced, strict=False)
    )
    return Keyring(link_keys, bytes.fromhex(lookup.secret))


def rotate_link_key(session: Session, now: datetime, actor: Actor) -> Keyring:
    """Add a link key, which signs from now on, and return the keyring. Links signed before live on (R33)."""
    newest = _ordinal(make_keyring(session, now).signing_key_id)
    _add_key(session, now, f"k{newest + 1}", LINK, actor)
    return load_keyring(session, now)


def _ordinal(key_id: str) -> int:
    return int(key_id.removeprefix("k"))


def _add_key(session: Session, now: datetime, key_id: str, purpose: str, actor: Actor) -> None:
    values = {"key_id": key_id, "purpose": purpose, "secret": secrets.token_hex(_SECRET_BYTES), "created_at": now}
    if insert_once(session, RingKey, values):
        record_event(session, now, actor, "keyring.key_added", subject=("ring_key", key_id), purpose=purpose)
