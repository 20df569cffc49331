"""The named slots of a frozen letter: what differs per recipient is left open, and filled in once (R30).

A slot stands in the three texts as STX name ETX. No content may hold these two characters, so nothing somebody wrote
can be taken for a slot, and a value that looks like one stays what it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from registry.domain.errors import RegistryError
from registry.letters.values import FrozenLetter

STX: Final = "\x02"
ETX: Final = "\x03"


class Slot(StrEnum):
    """The names a slot may have. Values are given as plain text on one line; the HTML part escapes them."""

    RECIPIENT_NAME = "recipient_name"
    """The customer (or its contact) a letter is for, as it should read in "For: …"."""
    OBJECTION_DEADLINE = "objection_deadline"
    """The customer's own last day to object, in words, ISO and zone: `wording.say_deadline`."""
    WHY = "why"
    """Why this person gets the letter: `wording.say_why_follower` or `wording.say_why_contact`."""
    MANAGE_URL = "manage_url"
    """A follower's choices, or a contract contact's "change contact" page. GET shows, POST acts."""
    UNSUBSCRIBE_URL = "unsubscribe_url"
    """A follower's page to leave."""
    OBJECT_URL = "object_url"
    """Where a customer's contact objects to the change. GET shows, POST acts; in no follower's letter."""
    ACKNOWLEDGE_URL = "acknowledge_url"
    """Where a customer's contact says that it has the letter. GET shows, POST acts; in no follower's letter."""
    CONFIRM_URL = "confirm_url"
    """The page that confirms a subscription (double opt-in)."""
    DELIVERY_REFERENCE = "delivery_reference"
    """What names this one delivery in the record, so that a reader can quote it."""

    @property
    def mark(self) -> str:
        """The slot as it stands in a frozen text."""
        return f"{STX}{self.value}{ETX}"


SLOTS: Final = frozenset(slot.value for slot in Slot)
"""Every slot name there is."""

LINKS: Final = frozenset(
    {
        Slot.MANAGE_URL.value,
        Slot.UNSUBSCRIBE_URL.value,
        Slot.OBJECT_URL.value,
        Slot.ACKNOWLEDGE_URL.value,
        Slot.CONFIRM_URL.value,
    }
)
"""The slots whose values are web addresses."""

_ANY_SLOT = re.compile(f"{STX}([^{STX}{ETX}]*){ETX}")


class UnknownSlot(RegistryError):
    """A letter or a merge names a slot that does not exist. Params: slot."""

    code = "unknown-slot"


class MissingSlotValue(RegistryError):
    """A letter has a slot for which the merge gives no value. Params: slot."""

    code = "missing-slot-value"


class BrokenSlot(RegistryError):
    """A text holds STX or ETX outside a whole slot, so its letter cannot be filled. Params: text (an excerpt)."""

    code = "broken-slot"


def slots_of(letter: FrozenLetter) -> frozenset[str]:
    """Return the names of the slots a letter has, so that the sender of it can give exactly these."""
    return frozenset(_ANY_SLOT.findall(letter.subject + letter.text + letter.html))


def fill_slots(text: str, values: Mapping[str, str]) -> str:
    """Fill every slot of `text` in one pass; what is filled in is never looked at again.

    Raises `UnknownSlot`, `MissingSlotValue` or `BrokenSlot`.
    """

    def value_of(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in SLOTS:
            raise UnknownSlot(slot=name)
        if name not in values:
            raise MissingSlotValue(slot=name)
        return values[name]

    refuse_slot_marks(_ANY_SLOT.sub("", text))
    return _ANY_SLOT.sub(value_of, text)


def split_at_slots(text: str) -> list[str]:
    """Return what stands before, between and after the slots of `text`, and between these pieces the slots' names.

    Raises `UnknownSlot` or `BrokenSlot`.
    """
    pieces = _ANY_SLOT.split(text)
    for name in pieces[1::2]:
        if name not in SLOTS:
            raise UnknownSlot(slot=name)
    for piece in pieces[::2]:
        refuse_slot_marks(piece)
    return pieces


def refuse_slot_marks(text: str) -> None:
    """Raise `BrokenSlot` if `text` holds one of the two characters that make a slot."""
    for mark in (STX, ETX):
        at = text.find(mark)
        if at >= 0:
            raise BrokenSlot(text=text[max(0, at - 20) : at + 20])
