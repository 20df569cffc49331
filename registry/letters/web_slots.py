"""The slots of what goes out by web: a document in JSON whose texts are left open where recipients differ (R30).

A slot stands within a text of the document as STX name ETX, as in a letter, and its value is escaped for where it
stands. The same document and values give the same bytes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final

from registry.letters.slots import ETX, STX, MissingSlotValue, UnknownSlot, refuse_slot_marks

WEB_MERGE_VERSION: Final = 1
"""The way of filling this release has. Bytes of a merge of another version cannot be made by it."""


class WebSlot(StrEnum):
    """The names a slot may have. Values are plain text."""

    CUSTOMER_KEY = "customer_key"
    CUSTOMER_NAME = "customer_name"
    DEADLINE_AT = "deadline_at"
    """The instant at which the customer's time to object ends, in UTC: "2026-10-30T23:00:00Z"."""
    DEADLINE_ON = "deadline_on"
    """The last local day to object: "2026-10-30"."""
    DEADLINE_ZONE = "deadline_zone"
    DEADLINE_IN_WORDS = "deadline_in_words"
    """`wording.say_deadline`, for people."""
    OBJECT_URL = "object_url"
    """Where the customer objects to the change. In no follower's message, and in no chat room's."""
    ACKNOWLEDGE_URL = "acknowledge_url"
    """Where the customer says that it has the message; likewise."""
    DELIVERY_REFERENCE = "delivery_reference"
    """What names this one delivery in the record."""

    @property
    def mark(self) -> str:
        """The slot as it stands in a document."""
        return f"{STX}{self.value}{ETX}"


WEB_LINKS: Final = frozenset({WebSlot.OBJECT_URL.value, WebSlot.ACKNOWLEDGE_URL.value})
"""The slots whose values open something. They are made when the message is filled, and stored nowhere."""

WEB_SLOTS: Final = frozenset(slot.value for slot in WebSlot)

_ESCAPE_IN_JSON = re.compile(r"\\(u000[23]|.)")
_MARKS = {"u0002": STX, "u0003": ETX}
_SLOT = re.compile(f"{STX}([^{STX}{ETX}]*){ETX}")


def freeze_document(document: Mapping[str, Any]) -> str:
    """Return a document as JSON, its slots still open. Whatever else is in it must hold neither STX nor ETX."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    # JSON spells control characters out. Going through every escape, a backslash that somebody wrote hides none.
    return _ESCAPE_IN_JSON.sub(lambda found: _MARKS.get(found[1], found[0]), text)


def fill_document(frozen: str, values: Mapping[str, str], escape: Callable[[str], str] = str) -> bytes:
    """Fill every slot of a frozen document and return its bytes in UTF-8. What is filled in is never looked at again.

    `escape` is what the reader's own markup asks for; JSON's escaping follows it. Raises `UnknownSlot`,
    `MissingSlotValue` or `BrokenSlot`.
    """

    def value_of(found: re.Match[str]) -> str:
        name = found[1]
        if name not in WEB_SLOTS:
            raise UnknownSlot(slot=name)
        if name not in values:
            raise MissingSlotValue(slot=name)
        return json.dumps(escape(values[name]), ensure_ascii=False)[1:-1]

    refuse_slot_marks(_SLOT.sub("", frozen))
    return _SLOT.sub(value_of, frozen).encode("utf-8")


def refuse_marks_within(value: object) -> None:
    """Raise `BrokenSlot` if any text of `value` holds one of the two characters that make slots."""
    if isinstance(value, str):
        refuse_slot_marks(value)
    elif isinstance(value, Mapping):
        refuse_marks_within(list(value.items()))
    elif isinstance(value, list | tuple):
        for item in value:
            refuse_marks_within(item)
