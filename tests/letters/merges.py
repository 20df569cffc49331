"""Letters with the values that they are merged with, for the tests of the message on the wire."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from registry.domain.vocabulary import Audience
from registry.letters.values import FrozenLetter, Merge
from tests.letters.cast import ANNOUNCEMENT, RENDERER, merge_for

LETTER = RENDERER.render_statement(ANNOUNCEMENT, Audience.CUSTOMER, "en")
MERGE = merge_for(LETTER, Audience.CUSTOMER)
SHORT = FrozenLetter("Hello", "For \x02recipient_name\x03.\n", "<p>\x02recipient_name\x03</p>\n")
SHORT_MERGE = Merge(
    recipient="dana@customer.example",
    recipient_name="Dana",
    message_id="<1@registry.example>",
    boundary="b1",
    date_at=datetime(2026, 9, 30, 8, 0, tzinfo=UTC),
    slots=(("recipient_name", "Dana"),),
    headers=(),
)
LONG_LINK = "https://registry.example/antopsis/unsubscribe/" + "k1.0123456789." * 10


def with_slot(name: str, value: str) -> Merge:
    """Return the merge with another value in one slot."""
    return replace(MERGE, slots=tuple((slot, value if slot == name else old) for slot, old in MERGE.slots))


UNCLEAN = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufffe\uffff"
