"""How long personal data is kept, kind by kind, and when its time is over (R36).

Days are counted as notice periods are (R9): the day of the event is not counted, and the last day counts to its end.
So what ended on 10 March and is kept for 30 days is there for the whole of 9 April, and is due as 10 April begins in
the publisher's zone.

The defaults are a reason to stand on, not legal advice. A follower's address serves nothing once it left; a year
answers questions about what was sent. What proves a notice is kept for four years: in Germany a claim is barred three
years after the end of the year in which it arose and became known (BGB §§ 195, 199(1)), so up to four years after the
change took effect. 1,461 days are four years with their leap day. GDPR art. 5(1)(e) asks for no longer than needed,
art. 17(3)(e) lets stay what a legal claim needs. A draft is nobody's proof, and three months are longer than any change
takes to be written. From where somebody signed in explains an act that they deny; after a year it rarely does.

What this module does not do: it reads no row and erases nothing. What is under a legal hold is for the steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Final, Literal

from pydantic import PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from registry.domain.deliveries import SENDABLE_STATES, DeliveryState
from registry.domain.notices import ONE_DAY, SHORTEST_TIME, first_instant, is_a_day, latest_day_begun
from registry.domain.validation import Document
from registry.domain.vocabulary import Audience

FOREVER: Final = "forever"
LONGEST_DAYS: Final = 36_500


class RetentionKind(StrEnum):
    """The kinds of personal data that have a time of their own."""

    FOLLOWERS = "followers"
    CONTACTS = "contacts"
    LETTERS = "letters"
    ANSWERS = "answers"
    OBJECTIONS = "objections"
    DOCUMENTS = "documents"
    DRAFTS = "drafts"
    SIGN_INS = "sign_ins"


def _days(value: object) -> int | str:
    if value == FOREVER:
        return FOREVER
    if type(value) is not int:
        raise PydanticCustomError("not-a-retention", "neither days nor forever", {})
    if value < 1:
        raise PydanticCustomError("too-small", "too small", {"ge": 1})
    if value > LONGEST_DAYS:
        raise PydanticCustomError("too-large", "too large", {"le": LONGEST_DAYS})
    return value


Kept = int | Literal["forever"]

RetentionDays = Annotated[
    Kept,
    PlainValidator(_days),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1, "maximum": LONGEST_DAYS}, {"const": FOREVER}]}),
]
"""Whole days, 1 to 36,500, or the word `forever`."""


class Retention(Document):
    """How many days a publisher keeps each kind of personal data after it has served (R36).

    `followers`: address and name, from the end of the subscription. `contacts`: the same of a customer's contact, from
    its end or that of the contract. `letters`: the words merged into a letter, from the delivery's end. `answers`: what
    mail servers answered and reported, from the answer. `objections`: ground, cure, who objected and what was written
    about it, from the closing. `documents`: what was attached to a notice or an objection, from then. Of these five
    nothing is counted before the end of the notice they are about: its effect, or its withdrawal. `drafts`: what
    somebody typed and did not send off, from their last touch, and settings that were proposed, from the decision.
    `sign_ins`: from where and with which browser a person of the team signed in, from the session's end; of who works
    for several publishers the longest time counts.
    """

    followers: RetentionDays = 365
    contacts: RetentionDays = 1461
    letters: RetentionDays = 1461
    answers: RetentionDays = 1461
    objections: RetentionDays = 1461
    documents: RetentionDays = 1461
    drafts: RetentionDays = 90
    sign_ins: RetentionDays = 365

    def days_of(self, kind: RetentionKind) -> Kept:
        """Return how long one kind is kept."""
        kept: Kept = getattr(self, kind.value)
        return kept


def find_shortened_retention(new: Retention, old: Retention) -> tuple[str, ...]:
    """Return the kinds that `new` keeps shorter than `old`, in their order: what they prove is lost for good."""

    def length(kept: Kept) -> int:
        return LONGEST_DAYS + 1 if isinstance(kept, str) else kept

    return tuple(kind.value for kind in RetentionKind if length(new.days_of(kind)) < length(old.days_of(kind)))


def find_cutoff(now: datetime, kept: Kept, zone: str) -> datetime | None:
    """Return the instant (UTC) such that what ended before it has had its days at `now`; None for `forever`.

    `zone` is the publisher's, an IANA key. A date that the zone leaves out is nobody's day and is not counted. Raises
    ValueError for a naive `now`.
    """
    if isinstance(kept, str):
        return None
    return first_instant(_first_day_kept(latest_day_begun(now, zone), kept, zone), zone)


# The same for every publisher of a zone that keeps something as long, until its day ends.
@lru_cache(maxsize=1024)
def _first_day_kept(today: date, days: int, zone: str) -> date:
    day = today
    while days > 0:
        day -= ONE_DAY
        days -= is_a_day(day, zone)
    return day


def find_contract_end(last_on: date, zone: str) -> datetime:
    """Return the last moment (UTC) of a contract whose last day is `last_on`, a date of the customer's `zone` (R17).

    One that runs to the end of the calendar ends with the last moment that can be written down, which never comes.
    """
    if last_on == date.max:
        return datetime.max.replace(tzinfo=UTC)
    return first_instant(last_on + ONE_DAY, zone) - SHORTEST_TIME


@dataclass(frozen=True)
class AddressUse:
    """One subscription as retention sees it: what an address is, or was, used for. Instants are UTC.

    Of a contact: `contract_ended_at` is the end of its customer's contract, None while that runs; `told_until` the end
    of the last notice it was written about; `is_needed` whether such a notice is pending still, or, while the contact
    stands, whether its customer's clock can run or an objection of it is open.
    """

    audience: Audience
    confirmed_at: datetime | None
    ended_at: datetime | None
    contract_ended_at: datetime | None = None
    told_until: datetime | None = None
    is_needed: bool = False


def find_use_end(use: AddressUse) -> datetime | None:
    """Return the instant (UTC) from which the days of a use are counted; None while it stands or is needed.

    A contact's use ends with itself or with its customer's contract, whichever is first; one that was added after the
    contract had ended counts from then. A contact is what proves who was told, so its days do not begin before the last
    notice it was written about has come to its end. Nothing rests on a follower.
    """
    ends = [use.ended_at] if use.ended_at is not None else []
    if use.contract_ended_at is not None and use.confirmed_at is not None:
        ends.append(max(use.contract_ended_at, use.confirmed_at))
    if not ends or use.is_needed:
        return None
    return max(min(ends), use.told_until or min(ends))


def is_use_over(use: AddressUse, cutoffs: Mapping[RetentionKind, datetime | None]) -> bool:
    """Return whether the days of a use are over. A wish that nobody confirmed has none: it is over as it ends."""
    if use.confirmed_at is None:
        return use.ended_at is not None
    kind = RetentionKind.CONTACTS if use.audience is Audience.CUSTOMER else RetentionKind.FOLLOWERS
    end, cutoff = find_use_end(use), cutoffs[kind]
    return end is not None and cutoff is not None and end < cutoff


UNDER_WAY: Final = SENDABLE_STATES | {DeliveryState.LEASED}
"""A letter in one of these may go out yet, or is going out."""

ENDED_DELIVERIES: Final = frozenset(DeliveryState) - UNDER_WAY - {DeliveryState.NEEDS_ATTENTION}
"""States in which nothing more is sent. What waits for a person is not over: it may be made due again."""
