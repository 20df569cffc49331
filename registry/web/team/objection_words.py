"""What the screens of objections say: how each is closed, and what that does to the notice before it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from registry.domain.effect import Hold, HoldReason
from registry.domain.objections import ObjectionRoad
from registry.pages.wording import date_in_words
from registry.queries.objection import ObjectionSheet


@dataclass(frozen=True)
class Cure:
    """One way to close an objection: what it is called, what it means, and what the words for the record should say."""

    name: str
    called: str
    means: str
    asks: str


CURES: Final = (
    Cure(
        "accommodated",
        "Accommodated",
        "You do what the customer asks for, in whole or in part. If the change itself goes away or gets smaller, "
        "withdraw or correct the notice too: closing the objection does not do that.",
        "What was agreed, with whom, and from when.",
    ),
    Cure(
        "withdrawn",
        "Withdrawn by the customer",
        "The customer took it back by another road than its link, which closes it by itself.",
        "Who said so, when, and how.",
    ),
    Cure(
        "terminated",
        "Contract terminated",
        "The contract ends because of the objection. The customer drops out of the notice only once the end of its "
        "contract has been recorded and has come.",
        "Who gave notice, when, and on which day the contract ends.",
    ),
    Cure(
        "refunded",
        "Contract ended and refunded",
        "The contract ended, and what was paid ahead for the time after it was given back.",
        "What was refunded, and when.",
    ),
    Cure(
        "other",
        "Settled otherwise",
        "Something else settles it.",
        "What settles it, so that an auditor understands why the notice may go on.",
    ),
)
"""The cures of R25, in the order in which they are offered."""

ROADS: Final = (
    (ObjectionRoad.EMAIL.value, "By e-mail"),
    (ObjectionRoad.POST.value, "By post or courier"),
    (ObjectionRoad.PHONE.value, "By phone or in a meeting"),
    (ObjectionRoad.OTHER.value, "By another road"),
)
ROAD_WORDS: Final[dict[str | None, str]] = {
    **{road: said for road, said in ROADS},  # noqa: C416 - a plain dict() would have no key that may be None
    ObjectionRoad.LINK.value: "By the link in our letter",
    None: "Recorded on the command line",
}

STATE_WORDS: Final = {
    "received": "new",
    "under_review": "under review",
    "accommodated": "accommodated",
    "withdrawn": "withdrawn by the customer",
    "terminated": "contract terminated",
    "refunded": "refunded",
    "resolved_otherwise": "settled otherwise",
    "moot": "notice withdrawn",
}
STATE_TONES: Final = {"received": "bad", "under_review": "busy"}

NOTE_WORDS: Final = {
    "note": "Note of the team",
    "reply": "Reply to the customer",
    "addition": "Added by the customer",
    "withdrawal": "Withdrawn by the customer",
    "told": "Contacts told of it",
}

_REASONS: Final = {
    HoldReason.NOT_RECEIVED: "has not been reached",
    HoldReason.CLOCK_RUNNING: "its notice period is running",
    HoldReason.OBJECTION_OPEN: "has objected",
    HoldReason.APPROVAL_MISSING: "has not approved yet",
    HoldReason.TERMS_UNREADABLE: "has terms that cannot be read",
}


def find_cure(name: str) -> Cure | None:
    """Return the cure of this name, or None."""
    return next((cure for cure in CURES if cure.name == name), None)


def say_effect(sheet: ObjectionSheet) -> str:
    """Say what the objection does to its notice now."""
    number = sheet.number
    if sheet.notice_state == "withdrawn":
        return f"Notice {number} was withdrawn, so there is nothing left to hold."
    if sheet.notice_state == "in_effect":
        return f"Notice {number} has taken effect. Nothing that is done here undoes that."
    if not sheet.is_open:
        return f"It is closed and does not hold notice {number}."
    if sheet.outlook.holds and sheet.is_in_time:
        return f"It holds notice {number}: while it is open, the change does not take effect."
    return f"It does not hold notice {number}: {_why_not(sheet)}."


def _why_not(sheet: ObjectionSheet) -> str:
    if not sheet.is_in_time:
        return "it came after the deadline"
    if sheet.is_emergency:
        return "this is an emergency change, which waits for nobody"
    if sheet.standing is None:
        return "the customer came after the announcement and is told only"
    if sheet.standing in {"exempt", "overridden"}:
        return "a person recorded that this customer no longer holds it"
    if sheet.standing == "dropped":
        return "the customer's contract has ended"
    if sheet.terms is not None and sheet.terms.objection == "record":
        return "this customer's terms say that objections are recorded and do not hold"
    return "the notice has no change that binds"


def say_closing(sheet: ObjectionSheet) -> str:
    """Say what closing it will do to the notice, before it is done."""
    closes = sheet.outlook.closes
    several = (
        f"All {closes} open objections of {sheet.customer} to this notice are closed together. " if closes > 1 else ""
    )
    if sheet.notice_state in {"withdrawn", "in_effect"}:
        return f"{several}{say_effect(sheet)}"
    if not sheet.outlook.holds:
        return f"{several}The notice goes on as it would anyway: {_when(sheet)}."
    return f"{several}The notice is no longer held by an objection of {sheet.customer}; {_when(sheet)}."


def _when(sheet: ObjectionSheet) -> str:
    on = sheet.outlook.effective_on
    others = sheet.outlook.others
    date = f"it would take effect on {date_in_words(on)}" if on else "it would have no date yet"
    if not others:
        return date
    return f"{date}, since others still hold it ({say_holds(others)})"


def say_holds(holds: tuple[Hold, ...], most: int = 3) -> str:
    """Name who holds a notice, and why: "Hanoi Streams Co. has not been reached; 2 more"."""
    named = [f"{hold.customer_name} {_REASONS[hold.reason]}" for hold in holds[:most]]
    if len(holds) > most:
        named.append(f"{len(holds) - most} more")
    return "; ".join(named)
