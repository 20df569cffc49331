"""What a bounce says of its letter and of the address: by its code, and by its words where the code says nothing."""

from __future__ import annotations

from typing import Final

from registry.channels.smtp_refusals import blames_installation
from registry.domain.outcomes import OutcomeKind, choose_bounce_kind
from registry.readers.delivery_status import is_vague
from registry.readers.refusal_words import blames_letter, says_full

_REFUSED: Final = 550


def choose_kind_by_words(status: str | None, words: str, *, is_permanent: bool, gave_up: bool) -> OutcomeKind:
    """Return the outcome that a bounce states, by its enhanced code (RFC 3463) and what the other side said.

    Exim, and whoever quotes servers that know no such codes, say no more than 5.0.0 of whatever failed. An address is
    not struck off for that where the words blame this installation, the letter, or a mailbox that is full.
    """
    kind = choose_bounce_kind(status, is_permanent=is_permanent, gave_up=gave_up)
    if kind is not OutcomeKind.BOUNCED or not is_vague(status):
        return kind
    if blames_installation(_REFUSED, words) or blames_letter(words):
        return OutcomeKind.REFUSED
    return OutcomeKind.GAVE_UP if says_full(words) else kind
