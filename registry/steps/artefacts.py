"""Published bytes, built once per artefact key and served as they are (DESIGN §3, R14).

The key is the publisher's revision and local date ("days left" changes at midnight), the build of the software, the
language and the kind. The worker builds; a web process that comes first builds for itself and stores nothing, since
GET never changes anything. Both give the same bytes, so it does not matter who was first.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import delete, or_, select
from sqlalchemy.orm import Session

from registry.domain.notices import first_instant, local_date
from registry.pages.feed_items import build_feed
from registry.pages.render import PageRenderer
from registry.pages.values import Addresses, PublicList
from registry.steps.insert_once import insert_once
from registry.steps.letterhead import Letterhead
from registry.steps.lookup import read_facts
from registry.steps.published import load_public_list
from registry.tables import Artefact, Publisher
from registry.writers.csv_list import build_csv
from registry.writers.json_list import build_json

LANGUAGE = "en"
KINDS = ("page", "json", "csv", "rss", "atom", "json_feed", "calendar")


@dataclass(frozen=True)
class Built:
    """Bytes ready to be served: their strong entity tag, and the UTC instant from which they hold."""

    body: bytes
    etag: str
    modified_at: datetime


def build_artefacts(session: Session, now: datetime, pages: PageRenderer, letterhead: Letterhead, build: str) -> int:
    """Build what every publisher's present key lacks, drop what is out of date, and return how many were built."""
    built = 0
    for publisher in session.scalars(select(Publisher).where(Publisher.revision > 0).order_by(Publisher.id)).all():
        local_on = local_date(now, read_facts(session, publisher).time_zone)
        missing = [kind for kind in KINDS if _stored(session, publisher, kind, local_on, build) is None]
        if not missing:
            continue
        public = load_public_list(session, now, publisher)
        addresses = addresses_of(session, publisher, letterhead)
        for kind in missing:
            made = build_artefact(kind, public, addresses, pages)
            insert_once(session, Artefact, _key(publisher, kind, local_on, build) | _values(made))
            built += 1
        session.execute(
            delete(Artefact).where(
                Artefact.publisher_id == publisher.id,
                or_(Artefact.revision < publisher.revision, Artefact.local_on < local_on, Artefact.build != build),
            )
        )
    return built


def get_artefact(
    session: Session,
    now: datetime,
    publisher: Publisher,
    kind: str,
    pages: PageRenderer,
    letterhead: Letterhead,
    build: str,
) -> Built:
    """Return the present bytes of one kind: the stored ones, or the same built here and now. Writes nothing."""
    local_on = local_date(now, read_facts(session, publisher).time_zone)
    stored = _stored(session, publisher, kind, local_on, build)
    if stored is not None:
        return Built(stored.body, stored.etag, stored.modified_at)
    public = load_public_list(session, now, publisher)
    return build_artefact(kind, public, addresses_of(session, publisher, letterhead), pages)


def build_artefact(kind: str, public: PublicList, addresses: Addresses, pages: PageRenderer) -> Built:
    """Build one kind of artefact from public values; the same values give the same bytes."""
    match kind:
        case "page":
            body = pages.list_page(public, addresses)
        case "json":
            body = build_json(public, addresses)
        case "csv":
            body = build_csv(public)
        case "rss" | "atom" | "calendar":
            body = build_feed(public, addresses, kind)
        case "json_feed":
            body = build_feed(public, addresses, "json")
        case _:
            raise ValueError(f"no artefact of kind {kind!r}")
    return as_built(body, public)


def as_built(body: bytes, public: PublicList) -> Built:
    """Tag bytes by their hash; they hold since the last public change, or since the local day began, if later."""
    since = max(public.changed_at, first_instant(public.today, public.publisher.time_zone))
    return Built(body, hashlib.sha256(body).hexdigest()[:32], since.replace(microsecond=0))


def addresses_of(session: Session, publisher: Publisher, letterhead: Letterhead) -> Addresses:
    """Return the publisher's public addresses, made from settings and never from a request's Host header (R33)."""
    return Addresses(letterhead.address_of(read_facts(session, publisher)))


def _stored(session: Session, publisher: Publisher, kind: str, local_on: date, build: str) -> Artefact | None:
    key = _key(publisher, kind, local_on, build)
    return session.scalar(select(Artefact).filter_by(**key))


def _key(publisher: Publisher, kind: str, local_on: date, build: str) -> dict[str, object]:
    return {
        "publisher_id": publisher.id,
        "kind": kind,
        "language": LANGUAGE,
        "revision": publisher.revision,
        "local_on": local_on,
        "build": build,
    }


def _values(made: Built) -> dict[str, object]:
    return {"body": made.body, "etag": made.etag, "modified_at": made.modified_at}
