"""How a customer stands in a notice that was announced to it (R12, R13, R17, R23)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class StandingState(StrEnum):
    """The states of a customer in a notice, in the order a screen offers them."""

    WAITING = "waiting"
    """Nothing that counts proves its receipt."""
    RECEIVED = "received"
    DEEMED = "deemed"
    """Nobody there was reached, and by a clause of its contract it counts as told (R13)."""
    SERVED = "served"
    """A person recorded service by other means (R13)."""
    EXEMPT = "exempt"
    """A person recorded that it no longer holds (R23)."""
    OVERRIDDEN = "overridden"
    """Two people set its hold aside (R23)."""
    DROPPED = "dropped"
    """Its contract ended (R17)."""


HOLDING: Final = (
    StandingState.WAITING.value,
    StandingState.RECEIVED.value,
    StandingState.DEEMED.value,
    StandingState.SERVED.value,
)
"""Whoever is in one of these can hold a notice still."""
NO_LONGER_HOLDING: Final = (StandingState.EXEMPT.value, StandingState.OVERRIDDEN.value)
"""Whom people took out of waiting (R23)."""
DECIDED: Final = (StandingState.SERVED.value, *NO_LONGER_HOLDING, StandingState.DROPPED.value)
"""What no letter changes any more: a person decided it, or the contract's end did."""
COUNTS_AS_TOLD: Final = (*DECIDED, StandingState.DEEMED.value)


def with_basis(known: str | None, text: str) -> str:
    """Return the basis of a standing with one more put down; what was decided before stays on record beside it."""
    return "; ".join(dict.fromkeys([*(known.split("; ") if known else []), text.strip()]))
