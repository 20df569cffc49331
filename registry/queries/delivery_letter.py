"""The letter of a delivery, made again from what is stored, and taken apart as a reader shows it (R30)."""

from __future__ import annotations

import email
import json
import re
from dataclasses import dataclass, replace
from email.message import EmailMessage
from email.policy import default
from enum import StrEnum
from typing import Final

from sqlalchemy.exc import NoResultFound
from sqlalchemy.orm import Session

from registry.domain.errors import RegistryError
from registry.domain.vocabulary import ChannelKind
from registry.letters.compose import sha256_of
from registry.steps.keyring import Keyring
from registry.steps.load_letter import Recipient
from registry.steps.merge_letter import LetterErased, make_envelope
from registry.tables import Attempt

HEADERS_FIRST: Final = ("From", "To", "Subject", "Date", "Message-ID")
_ACTING_LINK: Final = re.compile(r"/(confirm|manage|unsubscribe|object|acknowledge)/[A-Za-z0-9._~%-]{8,}")
LONGEST_SHOWN: Final = 1024 * 1024
"""Bytes of a file that are taken apart to be shown; no letter of this product comes near it."""


class WhyNotMade(StrEnum):
    """Why the bytes of a letter are not there to be shown."""

    NOT_BEGUN = "not_begun"
    ERASED = "erased"
    CANNOT_BE_MADE = "cannot_be_made"


class HashMatch(StrEnum):
    """How the bytes made again compare with the hashes of the tries."""

    SAME = "same"
    SAME_AS_EARLIER = "same_as_earlier"
    OTHER = "other"
    NOTHING_SENT = "nothing_sent"


@dataclass(frozen=True)
class ShownLetter:
    """A letter taken apart: headers in order, plain text, HTML; a message by web has its JSON as `text` alone."""

    headers: tuple[tuple[str, str], ...]
    text: str
    html: str | None

    @property
    def subject(self) -> str | None:
        """The subject, None for a message by web."""
        return dict(self.headers).get("Subject")


@dataclass(frozen=True)
class MadeAgain:
    """A delivery's letter as its stored words give it today, or why there is none."""

    letter: ShownLetter | None
    sha256: str | None
    match: HashMatch | None
    why_not: WhyNotMade | None = None


def make_again(session: Session, recipient: Recipient, keyring: Keyring, attempts: list[Attempt]) -> MadeAgain:
    """Make a delivery's letter again, and compare its bytes with those that went out.

    Words are merged anew at the first try of a later day, so an earlier try may have had other bytes than the last.
    """
    delivery = recipient.delivery
    if recipient.address.value is None or (delivery.merge is None and delivery.message_id is not None):
        return MadeAgain(None, None, None, WhyNotMade.ERASED)
    if delivery.merge is None:
        return MadeAgain(None, None, None, WhyNotMade.NOT_BEGUN)
    try:
        message = make_envelope(session, recipient, keyring).message
    except LetterErased:
        return MadeAgain(None, None, None, WhyNotMade.ERASED)
    except (RegistryError, NoResultFound):
        # Composed by another release, or with a link whose token is gone: the hashes stay valid.
        return MadeAgain(None, None, None, WhyNotMade.CANNOT_BE_MADE)
    sha256 = sha256_of(message)
    return MadeAgain(read_message(message, recipient.letter.form), sha256, _compare(sha256, attempts))


def _compare(sha256: str, attempts: list[Attempt]) -> HashMatch:
    hashes = [each.sha256 for each in attempts if each.sha256 is not None]
    if not hashes:
        return HashMatch.NOTHING_SENT
    if hashes[-1] == sha256:
        return HashMatch.SAME
    return HashMatch.SAME_AS_EARLIER if sha256 in hashes else HashMatch.OTHER


def read_message(message: bytes, form: str) -> ShownLetter:
    """Take a finished letter apart, or the body of a message by web. What is no letter at all is shown as it stands."""
    if form != ChannelKind.EMAIL.value:
        return ShownLetter((), _indented(message), None)
    parsed = email.message_from_bytes(message[:LONGEST_SHOWN], policy=default)
    assert isinstance(parsed, EmailMessage)  # noqa: S101 - what the default policy makes
    named = {name.lower() for name in HEADERS_FIRST}
    first = [(name, str(parsed[name])) for name in HEADERS_FIRST if name in parsed]
    others = [(name, str(value)) for name, value in parsed.items() if name.lower() not in named]
    return ShownLetter((*first, *others), _part(parsed, "plain") or "", _part(parsed, "html"))


def _part(parsed: EmailMessage, kind: str) -> str | None:
    part = parsed.get_body((kind,))
    if part is None:
        return None
    content = part.get_content()
    return content if isinstance(content, str) else None


def _indented(message: bytes) -> str:
    try:
        return json.dumps(json.loads(message), indent=2, ensure_ascii=False)
    except ValueError:
        return message.decode("utf-8", "replace")


def without_acting_links(letter: ShownLetter) -> ShownLetter:
    """Cut the tokens off links that act for the recipient, so that nobody at a desk objects or leaves in their name."""

    def cut(text: str) -> str:
        return _ACTING_LINK.sub(r"/\1/…", text)

    return replace(
        letter,
        headers=tuple((name, cut(value)) for name, value in letter.headers),
        text=cut(letter.text),
        html=None if letter.html is None else cut(letter.html),
    )
