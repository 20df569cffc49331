"""What a feed and a calendar are made of: frozen values, checked and cleaned once, where they are made.

A single control character or a naive time would otherwise break the whole file for every reader, and only when it is
built. What cannot be read anyway (control characters, broken surrogates) is taken out; what would make the file wrong
(a naive time, an address that is none, an empty title) raises ValueError with the name of the field.
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal
from urllib.parse import quote, urlsplit, urlunsplit

EventStatus = Literal["CONFIRMED", "CANCELLED"]

# XML 1.0 (2.2) allows no C0 control but tab, LF and CR, no surrogate, neither U+FFFE nor U+FFFF. DEL and the C1
# controls are allowed in XML but discouraged there, and RFC 5545 (3.1) forbids DEL. U+FFFD says that something was lost
# already; feed validators warn of it.
_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff]")
_LINE_BREAK = re.compile("\r\n|\r|\x85|\u2028|\u2029")
_NOT_IN_ADDRESS = r"\s<>\"\x00-\x20\x7f-\x9f\ud800-\udfff\ufffe\uffff"
_WEB_ADDRESS = re.compile(rf"https?://[^{_NOT_IN_ADDRESS}]+", re.IGNORECASE)
_ABSOLUTE_IRI = re.compile(rf"[A-Za-z][A-Za-z0-9+.\-]*:[^{_NOT_IN_ADDRESS}]+")
_LANGUAGE_TAG = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")
_EXTENSION_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing a feed tells of.

    `id` is an absolute IRI that never changes, whatever happens to the item; readers know an item by it alone.
    `published_at` and `updated_at` are aware UTC instants. `summary_text` is plain text and `content_html` finished,
    trusted HTML: it is passed on as it is, so whoever makes it escapes what goes into it. Either may be empty.
    `extension` is the same for programs, in plain JSON values, under `Feed.extension_name`; JSON Feed alone carries it.

    Raises ValueError, naming the field, for a value no valid feed can hold.
    """

    id: str
    url: str
    title: str
    summary_text: str
    content_html: str
    published_at: datetime
    updated_at: datetime
    categories: tuple[str, ...] = ()
    extension: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        _set(self, "id", check_iri("Item.id", self.id))
        _set(self, "url", check_web_address("Item.url", self.url))
        _set(self, "title", check_line("Item.title", self.title))
        _set(self, "summary_text", clean_text(self.summary_text).strip())
        _set(self, "content_html", clean_text(self.content_html))
        _set(self, "published_at", check_utc("Item.published_at", self.published_at))
        _set(self, "updated_at", check_utc("Item.updated_at", self.updated_at))
        named = (clean_line(category) for category in self.categories)
        _set(self, "categories", tuple(dict.fromkeys(name for name in named if name)))
        _set(self, "extension", clean_json(self.extension))


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed, the same for every format; its own address differs by format and is given to the builder.

    `id` is an absolute IRI that never changes. `updated_at` is the aware UTC instant of the last change worth telling,
    never the time of building. `author_name` is needed because Atom demands an author (RFC 4287, 4.1.1). `subtitle`
    may be empty. `items` stand newest first, however they were given: by `published_at`, then `updated_at`, then `id`.
    `extension_name` is what the extension of feed and items is called in JSON Feed, without its leading underscore.

    Raises ValueError, naming the field, for a value no valid feed can hold, and for two items with one id, of which
    readers would show only one.
    """

    id: str
    title: str
    subtitle: str
    site_url: str
    language: str
    updated_at: datetime
    author_name: str
    items: tuple[Item, ...] = ()
    extension_name: str = ""
    extension: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        _set(self, "id", check_iri("Feed.id", self.id))
        _set(self, "title", check_line("Feed.title", self.title))
        _set(self, "subtitle", clean_line(self.subtitle))
        _set(self, "site_url", check_web_address("Feed.site_url", self.site_url))
        if not _LANGUAGE_TAG.fullmatch(self.language):
            raise ValueError(f"Feed.language must be a language tag such as 'en' or 'de-AT', not {self.language!r}")
        _set(self, "updated_at", check_utc("Feed.updated_at", self.updated_at))
        _set(self, "author_name", check_line("Feed.author_name", self.author_name))
        check_unique("Feed.items", (item.id for item in self.items))
        by_id = sorted(self.items, key=lambda item: item.id)
        newest_first = sorted(by_id, key=lambda item: (item.published_at, item.updated_at), reverse=True)
        _set(self, "items", tuple(newest_first))
        extended = self.extension is not None or any(item.extension is not None for item in self.items)
        if (extended or self.extension_name) and not _EXTENSION_NAME.fullmatch(self.extension_name):
            raise ValueError(
                f"Feed.extension_name must be letters, digits and underscores and begin with a letter, "
                f"not {self.extension_name!r}"
            )
        _set(self, "extension", clean_json(self.extension))


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """One all-day event.

    `uid` never changes; a later version of the event has a higher `sequence` (RFC 5545, 3.8.7.4), and an event that no
    longer holds stays in the calendar as CANCELLED, or subscribed calendars would go on showing it. `on` is a local
    date, without a zone. `stamped_at` is the aware UTC instant at which what the event says was last changed. `alarms`
    are how long before the local midnight that the day begins with a calendar rings; a cancelled event rings never.

    Raises ValueError, naming the field, for a value no valid calendar can hold.
    """

    uid: str
    on: date
    title: str
    description: str
    url: str
    stamped_at: datetime
    sequence: int = 0
    status: EventStatus = "CONFIRMED"
    alarms: tuple[timedelta, ...] = ()

    def __post_init__(self) -> None:
        _set(self, "uid", check_line("CalendarEvent.uid", self.uid))
        # A datetime is a date to isinstance, and would make the event one moment of a day.
        if not isinstance(self.on, date) or isinstance(self.on, datetime):
            raise ValueError(f"CalendarEvent.on must be a date without a time, not {self.on!r}")
        _set(self, "title", check_line("CalendarEvent.title", self.title))
        _set(self, "description", clean_text(self.description).strip())
        _set(self, "url", check_web_address("CalendarEvent.url", self.url))
        _set(self, "stamped_at", check_utc("CalendarEvent.stamped_at", self.stamped_at))
        if self.sequence < 0:
            raise ValueError(f"CalendarEvent.sequence must be 0 or more, not {self.sequence}")
        if self.status not in ("CONFIRMED", "CANCELLED"):
            raise ValueError(f"CalendarEvent.status must be CONFIRMED or CANCELLED, not {self.status!r}")
        for alarm in self.alarms:
            if alarm < timedelta(0) or alarm.microseconds:
                raise ValueError(f"CalendarEvent.alarms must be whole seconds, 0 or more, before the day, not {alarm}")
        _set(self, "alarms", () if self.status == "CANCELLED" else tuple(sorted(set(self.alarms), reverse=True)))


def clean_text(value: str) -> str:
    """Return `value` without what neither XML nor a calendar may carry, every line break as a single LF."""
    return _UNREADABLE.sub("", _LINE_BREAK.sub("\n", value))


def clean_line(value: str) -> str:
    """Return `value` cleaned as by `clean_text` and on one line, with single spaces and none at the ends."""
    return " ".join(clean_text(value).split())


def check_line(field: str, value: str) -> str:
    """Return `value` cleaned as by `clean_line`; raise ValueError naming `field` where nothing is left of it."""
    if not (line := clean_line(value)):
        raise ValueError(f"{field} must not be empty: {value!r}")
    return line


def clean_json(value: Any) -> Any:
    """Return plain JSON values with every text in them, keys too, cleaned as by `clean_text`."""
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, Mapping):
        return {clean_text(str(key)): clean_json(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean_json(inner) for inner in value]
    return value


def check_web_address(field: str, value: str) -> str:
    """Return `value` if it is an absolute http or https address, else raise ValueError naming `field`.

    Addresses are refused, not cleaned: a cleaned address would lead elsewhere. Other schemes are refused because
    readers make the address a link (`javascript:` would run in them). RSS and iCalendar know ASCII addresses only, so
    other characters come back encoded, which leads to the same place.
    """
    if not _WEB_ADDRESS.fullmatch(value):
        raise ValueError(f"{field} must be an absolute http or https address, not {value!r}")
    if value.isascii():
        return value
    parts = urlsplit(value)
    try:
        netloc = parts.netloc.encode("idna").decode("ascii")
    except UnicodeError:
        raise ValueError(f"{field} must name a host that there can be, not {value!r}") from None
    # Whatever is ASCII already means what it means, the percent sign too.
    rest = (quote(part, safe="!#$%&'()*+,/:;=?@[]~") for part in parts[2:])
    return urlunsplit((parts.scheme, netloc, *rest))


def check_iri(field: str, value: str) -> str:
    """Return `value` if it is an absolute IRI (RFC 4287, 4.2.6), else raise ValueError naming `field`."""
    if not _ABSOLUTE_IRI.fullmatch(value):
        raise ValueError(f"{field} must be an absolute IRI such as 'tag:' or 'https:', not {value!r}")
    return value


def check_utc(field: str, value: datetime) -> datetime:
    """Return `value` as an instant whose zone is `datetime.UTC`; raise ValueError naming `field` if it is not UTC."""
    if value.utcoffset() != timedelta(0):
        raise ValueError(f"{field} must be an aware UTC instant, not {value.isoformat()}")
    return value.astimezone(UTC)


def check_unique(field: str, identifiers: Iterable[str]) -> None:
    """Raise ValueError naming `field` and every identifier that stands in it more than once."""
    if twice := sorted(identifier for identifier, times in Counter(identifiers).items() if times > 1):
        raise ValueError(f"{field} must not hold an identifier twice: {', '.join(twice)}")


def _set(value: object, field: str, content: object) -> None:
    object.__setattr__(value, field, content)
