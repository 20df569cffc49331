"""What the public artefacts are made of: frozen values, loaded by a step, rendered without a database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from urllib.parse import urlencode

from registry.domain.changes import EntryChange
from registry.domain.entries import EntryContent


@dataclass(frozen=True)
class Addresses:
    """Absolute addresses of one publisher.

    `base` (`https://host/antopsis`, or the publisher's own host, R35) ends without a slash. `lang` is the language that
    links on a page keep, None where readers are answered in the one that they would get anyway.
    """

    base: str
    lang: str | None = None

    def page(self) -> str:
        """The page of the current list."""
        return f"{self.base}/"

    def at(self, path: str) -> str:
        """An address below the publisher, such as `feed.atom` or `entries/stripe`."""
        return f"{self.base}/{path}"

    def to(self, path: str = "", asking: Iterable[tuple[str, str]] = (), **query: str | None) -> str:
        """An address below the publisher as pages link it: with a query string, and in the language of the page.

        `asking` are pairs that come first, such as those of a filter; what is None in `query` is left out.
        """
        pairs = [*asking, *((name, value) for name, value in query.items() if value is not None)]
        if self.lang is not None and "lang" not in query:
            pairs.append(("lang", self.lang))
        return f"{self.base}/{path}" + (f"?{urlencode(pairs)}" if pairs else "")


@dataclass(frozen=True)
class PublicProduct:
    """A product of the publisher that entries and subscriptions may be limited to."""

    key: str
    name: str


@dataclass(frozen=True)
class PublicPublisher:
    """The company whose list it is. `time_zone` is an IANA name; all local dates of the list are in it.

    `language` is the tag (BCP 47) of the one that readers are answered in who ask for none.
    `inquiries` is what it promises about answering questions on privacy. `colour` is its brand's; `logo` is a word that
    changes with its logo, None where it has none.
    """

    slug: str
    name: str
    legal_name: str | None
    contact: str
    country: str | None
    time_zone: str
    notice_days: int
    objection_days: int
    products: tuple[PublicProduct, ...] = ()
    website: str | None = None
    privacy_url: str | None = None
    imprint_url: str | None = None
    inquiries: str | None = None
    colour: str | None = None
    logo: str | None = None
    language: str = "en"


@dataclass(frozen=True)
class PublicEntry:
    """One entry as it stands (or stood).

    `listed_at` is the UTC instant it came on the list, `current_at` the one this version did.
    """

    key: str
    content: EntryContent
    listed_at: datetime
    current_at: datetime


@dataclass(frozen=True)
class PastVersion:
    """One version of an entry that was or is on the list; `content` None is its removal. Instants are UTC.

    `cause` is what put it there: `founding` (R5), `editorial` (R3), or the number of the notice.
    """

    content: EntryContent | None
    from_at: datetime
    to_at: datetime | None
    cause: str
    change: EntryChange | None


@dataclass(frozen=True)
class RemovedEntry:
    """An entry no longer on the list, with its last content."""

    key: str
    content: EntryContent
    removed_at: datetime


@dataclass(frozen=True)
class ToldStatement:
    """One statement of a notice (R15): its number, kind and the UTC instant it was made.

    `effective_on` is the effective date it told, in the publisher's zone; None where it told none. With it the public
    sees every date that was ever told, and a calendar can cancel the last one when a notice has no date any more.
    """

    seq: int
    kind: str
    made_at: datetime
    effective_on: date | None = None


@dataclass(frozen=True)
class PublicNotice:
    """A notice the public may see, so announced or later (R14).

    `effective_on` is the date last told, in the publisher's zone, and `effective_at` its first instant in UTC;
    None for both means postponed until further notice. `state` is announced, held, in_effect or withdrawn.
    `explanation` are the publisher's own words in Markdown, empty for none.
    """

    number: str
    state: str
    summary: str
    announced_at: datetime
    updated_at: datetime
    effective_on: date | None
    effective_at: datetime | None
    objection_until_on: date | None
    took_effect_at: datetime | None
    withdrawn_at: datetime | None
    emergency_reason: str | None
    changes: tuple[EntryChange, ...]
    statements: tuple[ToldStatement, ...] = ()
    explanation: str = ""


@dataclass(frozen=True)
class PublicList:
    """All that the public may know of one publisher's list.

    `today` is the publisher's local date the artefact is made for ("days left"); `as_of` is the past local date it
    shows the end of (R6), None for the list as it is now. `changed_at` is the last instant anything public changed,
    `founded_at` the instant the list was first published (R5), None before; both are UTC.
    """

    publisher: PublicPublisher
    revision: int
    today: date
    as_of: date | None
    changed_at: datetime
    entries: tuple[PublicEntry, ...]
    removed: tuple[RemovedEntry, ...]
    notices: tuple[PublicNotice, ...]
    is_demo: bool = False
    founded_at: datetime | None = None

    @property
    def contents(self) -> tuple[EntryContent, ...]:
        """What every entry says, those on the list first, and then what the removed ones said last."""
        return (*(entry.content for entry in self.entries), *(entry.content for entry in self.removed))

    @property
    def upcoming(self) -> tuple[PublicNotice, ...]:
        """Notices announced and not yet in effect, the nearest first; those without a date last."""
        open_ones = [notice for notice in self.notices if notice.state in {"announced", "held"}]
        return tuple(sorted(open_ones, key=lambda n: (n.effective_on is None, n.effective_on, n.number)))

    @property
    def past(self) -> tuple[PublicNotice, ...]:
        """Notices in effect or withdrawn, the newest first."""
        ended = [notice for notice in self.notices if notice.state not in {"announced", "held"}]
        return tuple(sorted(ended, key=lambda n: n.updated_at, reverse=True))
