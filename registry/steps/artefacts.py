"""Published bytes, built once per artefact key and served as they are (DESIGN §3, R14).

The key is the publisher's revision and local date ("days left" changes at midnight), the build of the software, the
language and the kind. The worker builds; a web process that comes first builds for itself and stores nothing, since
GET never changes anything. Both give the same bytes, so it does not matter who was first. Beside the plain bytes lie
the same ones compressed, so that no request waits for that.
"""

from __future__ import annotations

import gzip
import hashlib
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final, NamedTuple

import brotli
from sqlalchemy import Engine, and_, delete, not_, select
from sqlalchemy.orm import Session

from registry.domain.notices import first_instant, local_date
from registry.language import ENGLISH, LANGUAGES, find_language, speaking
from registry.pages.feed_items import build_feed
from registry.pages.render import PageRenderer
from registry.pages.values import Addresses, PublicList, PublicPublisher
from registry.steps.insert_once import insert_once
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import read_facts
from registry.steps.published import load_public_list
from registry.tables import Artefact, Publisher
from registry.tables.engine import reading, writing
from registry.writers.csv_list import build_csv
from registry.writers.json_list import build_json

KINDS = ("page", "json", "csv", "rss", "atom", "json_feed", "calendar")

BROTLI: Final = "br"
GZIP: Final = "gzip"
CODINGS: Final = (BROTLI, GZIP)
"""The content codings there are, the shortest first, by the names that HTTP has for them."""

GZIP_LEVEL: Final = 9
BROTLI_QUALITY: Final = 9
"""11 would be a tenth shorter, and takes thirty times as long: half a second for a long page."""

CLOCKS_DIFFER_BY: Final = timedelta(minutes=5)
"""The clock of the machine that published may be ahead of that of the one that serves, by so much at most."""
BUILD_FOR: Final = 10.0
"""Seconds after which a sweep leaves the other publishers to the next one, for effects wait on the same thread."""


@dataclass(frozen=True)
class Encoded:
    """Bytes as they are sent, in one coding (None for plain), with a strong entity tag of their own."""

    coding: str | None
    body: bytes
    etag: str


@dataclass(frozen=True)
class Built:
    """Bytes ready to be served: their strong entity tag, and the UTC instant from which they hold."""

    body: bytes
    etag: str
    modified_at: datetime
    _encoded: dict[str | None, Encoded] = field(init=False, default_factory=dict, repr=False, compare=False)

    def encoded(self, coding: str | None) -> Encoded:
        """Return the bytes in this coding, compressed at the first call; plain ones where that is no shorter."""
        found = self._encoded.get(coding)
        if found is None:
            found = self._encoded[coding] = self._encode(coding)
        return found

    def with_encoded(self, coding: str, body: bytes | None) -> None:
        """Take bytes that were compressed before; None is what was no shorter."""
        plain = Encoded(None, self.body, self.etag)
        self._encoded[coding] = plain if body is None else Encoded(coding, body, tag_of(body))

    @property
    def weight(self) -> int:
        """How many bytes it takes in memory, in all codings."""
        return len(self.body) + sum(len(each.body) for each in self._encoded.values() if each.coding)

    def _encode(self, coding: str | None) -> Encoded:
        if coding is not None:
            body = compress(self.body, coding)
            if len(body) < len(self.body):
                return Encoded(coding, body, tag_of(body))
        return Encoded(None, self.body, self.etag)


class Edition(NamedTuple):
    """What the public bytes of a publisher follow from, but for the day: two equal ones have the same bytes."""

    publisher_id: int
    slug: str
    host: str | None
    language: str
    time_zone: str
    revision: int
    changed_at: datetime


def read_editions(session: Session) -> list[Edition]:
    """Return the present edition of every publisher that has a list, in one small query."""
    rows = session.execute(
        select(
            Publisher.id,
            Publisher.slug,
            Publisher.host,
            Publisher.facts["language"].as_string(),
            Publisher.facts["time_zone"].as_string(),
            Publisher.revision,
            Publisher.changed_at,
        )
        .where(Publisher.revision > 0)
        .order_by(Publisher.id)
    )
    return [
        Edition(publisher_id, slug, host, find_language(said) or ENGLISH, zone, revision, changed_at)
        for publisher_id, slug, host, said, zone, revision, changed_at in rows
    ]


def edition_of(publisher: Publisher, public: PublicPublisher) -> Edition:
    """Return the edition that a publisher's row, just read, stands for."""
    own = own_language(public)
    return Edition(
        publisher.id, publisher.slug, publisher.host, own, public.time_zone, publisher.revision, publisher.changed_at
    )


def own_language(public: PublicPublisher) -> str:
    """Return the language of a publisher's readers who ask for none: its own where there is that, else English."""
    return find_language(public.language) or ENGLISH


def compress(body: bytes, coding: str) -> bytes:
    """Return bytes in one of `CODINGS`, always the same ones for the same."""
    if coding == GZIP:
        return gzip.compress(body, GZIP_LEVEL, mtime=0)
    compressed: bytes = brotli.compress(body, quality=BROTLI_QUALITY)
    return compressed


def tag_of(body: bytes) -> str:
    """Return the strong entity tag of bytes, without its quotes."""
    return hashlib.sha256(body).hexdigest()[:32]


def build_artefacts(
    engine: Engine, clock: Callable[[], datetime], pages: PageRenderer, letterhead: Letterhead, build: str
) -> int:
    """Build what every publisher's present key lacks, drop what is out of date, and return how many were built.

    Nothing is locked while it builds: publishing waits for no building. What takes longer than `BUILD_FOR` goes on at
    the next call; readers who come before are served by their own process.
    """
    began, built = time.monotonic(), 0
    with reading(engine) as session:
        ids = session.scalars(select(Publisher.id).where(Publisher.revision > 0).order_by(Publisher.id)).all()
    for publisher_id in ids:
        with reading(engine) as session:
            publisher = session.get_one(Publisher, publisher_id)
            now = moment_of(clock(), publisher)
            key = _key(publisher, local_date(now, read_facts(session, publisher).time_zone), build)
            missing = _find_missing(session, key)
            if not missing:
                continue
            public = load_public_list(session, now, publisher)
            addresses = addresses_of(session, publisher, letterhead)
        rows = list(_make_rows(missing, public, addresses, pages))
        with writing(engine) as session:
            built += _store(session, key, rows)
        if time.monotonic() - began > BUILD_FOR:
            break
    return built


def _make_rows(
    missing: Collection[tuple[str, str]], public: PublicList, addresses: Addresses, pages: PageRenderer
) -> Iterable[dict[str, object]]:
    # Files may be the same in every language, and are compressed once then.
    known: dict[str, Built] = {}
    for kind, language in missing:
        made = build_artefact(kind, public, addresses, pages, language)
        made = known.setdefault(made.etag, made)
        compressed = {coding: made.encoded(coding) for coding in CODINGS}
        yield {
            "kind": kind,
            "language": language,
            "body": made.body,
            "etag": made.etag,
            "modified_at": made.modified_at,
            "gzip": compressed[GZIP].body if compressed[GZIP].coding else None,
            "brotli": compressed[BROTLI].body if compressed[BROTLI].coding else None,
        }


def _store(session: Session, key: dict[str, object], rows: Iterable[dict[str, object]]) -> int:
    """Add what was built, unless the list has moved on since; drop what is of any other key."""
    present = select(Publisher.revision).where(Publisher.id == key["publisher_id"])
    if session.scalar(present) != key["revision"]:
        return 0
    built = sum(insert_once(session, Artefact, key | row) for row in rows)
    of_this_key = and_(*(getattr(Artefact, name) == value for name, value in key.items()))
    session.execute(delete(Artefact).where(Artefact.publisher_id == key["publisher_id"], not_(of_this_key)))
    return built


def get_artefact(
    session: Session,
    now: datetime,
    publisher: Publisher,
    kind: str,
    pages: PageRenderer,
    letterhead: Letterhead,
    build: str,
    language: str | None = None,
    load: Callable[[], PublicList] | None = None,
) -> Built:
    """Return the present bytes of one kind: the stored ones, or the same built here and now. Writes nothing.

    They are in the publisher's own language unless another is named. `load` gives the list to whoever has it at hand.
    """
    at = moment_of(now, publisher)
    facts = read_facts(session, publisher)
    wanted = language or find_language(facts.language) or ENGLISH
    key = _key(publisher, local_date(at, facts.time_zone), build)
    stored = session.scalar(select(Artefact).filter_by(**key, kind=kind, language=wanted))
    if stored is not None:
        built = Built(stored.body, stored.etag, stored.modified_at)
        built.with_encoded(GZIP, stored.gzip)
        built.with_encoded(BROTLI, stored.brotli)
        return built
    public = load() if load is not None else load_public_list(session, at, publisher)
    return build_artefact(kind, public, addresses_of(session, publisher, letterhead), pages, wanted)


def build_artefact(
    kind: str, public: PublicList, addresses: Addresses, pages: PageRenderer, language: str | None = None
) -> Built:
    """Build one kind of artefact from public values; the same values give the same bytes.

    It is in the publisher's own language unless another of `LANGUAGES` is named; then its links keep that.
    """
    own = own_language(public.publisher)
    language = language or own
    linked = replace(addresses, lang=None if language == own else language)
    with speaking(language):
        match kind:
            case "page":
                body = pages.list_page(public, linked)
            case "json":
                body = build_json(public, linked)
            case "csv":
                body = build_csv(public)
            case "rss" | "atom" | "calendar":
                body = build_feed(public, linked, kind)
            case "json_feed":
                body = build_feed(public, linked, "json")
            case _:
                raise ValueError(f"no artefact of kind {kind!r}")
    return as_built(body, public)


def as_built(body: bytes, public: PublicList) -> Built:
    """Tag bytes by their hash; they hold since the last public change, or since the local day began, if later."""
    since = max(public.changed_at, first_instant(public.today, public.publisher.time_zone))
    return Built(body, tag_of(body), since.replace(microsecond=0))


def addresses_of(session: Session, publisher: Publisher, letterhead: Letterhead) -> Addresses:
    """Return the publisher's public addresses, made from settings and never from a request's Host header (R33)."""
    return Addresses(letterhead.address_of(read_facts(session, publisher)))


def moment_of(now: datetime, publisher: Publisher) -> datetime:
    """Return the UTC instant that public bytes are built for: now, or the last change where a clock is ahead of ours.

    Else a notice could be missing from what is built just after its announcement, and stay so for the day.
    """
    return max(now, publisher.changed_at) if publisher.changed_at - now <= CLOCKS_DIFFER_BY else now


def _find_missing(session: Session, key: dict[str, object]) -> list[tuple[str, str]]:
    found = {(row[0], row[1]) for row in session.execute(select(Artefact.kind, Artefact.language).filter_by(**key))}
    return [(kind, language) for kind in KINDS for language in LANGUAGES if (kind, language) not in found]


def _key(publisher: Publisher, local_on: date, build: str) -> dict[str, object]:
    return {"publisher_id": publisher.id, "revision": publisher.revision, "local_on": local_on, "build": build}
