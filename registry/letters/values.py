"""What a letter is made of, and what it becomes: frozen values without a database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from registry.domain.changes import EntryChange


@dataclass(frozen=True)
class Sender:
    """Who writes: the publisher, its contact, and the address letters come from and bounces go to."""

    slug: str
    name: str
    legal_name: str | None
    contact: str
    from_address: str
    time_zone: str
    page_url: str
    privacy_url: str | None = None
    imprint_url: str | None = None


@dataclass(frozen=True)
class StatementFacts:
    """All that a statement's letters say, the same for every recipient of one audience (R30).

    `effective_on` is the date told, in the publisher's zone `sender.time_zone`, with `effective_at` its first instant
    in UTC; None means "until further notice". `previous_effective_on` is the date told before, for a postponement.
    `explanation` are the publisher's own words in Markdown, empty for none.
    """

    kind: str
    sender: Sender
    number: str
    seq: int
    summary: str
    changes: tuple[EntryChange, ...]
    announced_at: datetime
    effective_on: date | None
    effective_at: datetime | None
    previous_effective_on: date | None
    took_effect_at: datetime | None
    emergency_reason: str | None
    reason: str | None
    notice_url: str
    product_names: tuple[tuple[str, str], ...] = ()
    explanation: str = ""


@dataclass(frozen=True)
class FailingEndpoint:
    """An address on the web that takes nothing any more, as its owner is told of it.

    `place` is its host alone, for the rest may be a credential. `failing_since` is UTC, `answer` what it said last, and
    `customers` are the names of those who are told there.
    """

    number: int
    kind: str
    place: str
    failing_since: datetime
    answer: str | None
    customers: tuple[str, ...] = ()


@dataclass(frozen=True)
class ObjectionFacts:
    """What a letter about a customer's objection says.

    `act` is `received`, `added`, `withdrawn` or `reply`. `received_at` (UTC) is when the objection came, shown in
    `zone`, the customer's own, as is `last_on`, its last day to object; None where no period has begun. `about` are the
    names of the entries it is about, none for the whole notice. `words` are the publisher's answer, in a reply.
    """

    act: str
    number: str
    summary: str
    notice_url: str
    received_at: datetime
    zone: str
    last_on: date | None
    is_in_time: bool
    about: tuple[str, ...] = ()
    words: str | None = None


@dataclass(frozen=True)
class AcknowledgedFacts:
    """What the letter says that answers a contact's acknowledgement of one statement of a notice.

    `acknowledged_at` is UTC, shown in `zone`, the customer's own. `seq` is the statement's number.
    """

    number: str
    seq: int
    summary: str
    notice_url: str
    acknowledged_at: datetime
    zone: str


@dataclass(frozen=True)
class FrozenLetter:
    """A letter rendered once per statement, language and audience, with named slots (R30).

    A slot stands in the three texts as STX name ETX (U+0002, U+0003), two characters no content may hold.
    """

    subject: str
    text: str
    html: str


@dataclass(frozen=True)
class Merge:
    """What differs per recipient, stored with the delivery, so that the bytes can be made again (R30).

    `slots` fill the frozen letter by name. `date_at` becomes the Date header (UTC). `headers` are the extra headers
    in order. `merge_version` names the way of composing; bytes made by another version are not comparable.
    """

    recipient: str
    recipient_name: str | None
    message_id: str
    boundary: str
    date_at: datetime
    slots: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, str], ...]
    merge_version: int = 1
