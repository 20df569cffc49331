"""A publisher of size for `benchmarks.web`: entries and notices long past as rows, what comes after by the product."""

from __future__ import annotations

import random
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

import psycopg
from sqlalchemy import func, insert, select, update
from sqlalchemy.orm import Session

from benchmarks.places import POSTGRESQL, Place
from registry.domain.changes import diff_entry
from registry.domain.entries import EntryContent, Location, Transfer, digest_of
from registry.domain.vocabulary import LocationFunction
from registry.steps.list_periods import touch
from registry.steps.lookup import find_current_version, get_entry, get_publisher, read_content, read_facts
from registry.steps.record_edit import record_edit
from registry.tables import (
    Base,
    Entry,
    EntryKey,
    EntryVersion,
    Event,
    ListPeriod,
    Notice,
    NoticeChange,
    Publisher,
    PublisherTerms,
    Statement,
)
from tests.world import ANNA

BEGAN = datetime(2021, 1, 4, 8, 0, tzinfo=UTC)
ENDED = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
"""The announcements of all past notices lie between the two, evenly."""
BATCH = 1_000
PLACES = (("DE", "Falkenstein"), ("FI", "Helsinki"), ("IE", "Dublin"), ("US", "Ashburn"), ("SG", "Singapore"))
_TEXT = """
account address analytics archive audio backup billing card chat contact content conversion crash customer
delivery device diagnostics document e-mail error event file fraud hosting identity image incident invoice
language location log mail marketing message metric monitoring network order payment permission phone
picture profile protection query record recording region report request search security session software
speech storage stream subscription support survey system text ticket tracing transcription translation usage
user verification video voice web
"""
WORDS = _TEXT.split()


def fill(place: Place, entries: int, notices: int) -> None:
    """Add so many entries and past notices to the list; the same ones each time."""
    with place.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        words = random.Random(7)  # noqa: S311 - invented texts, the same in every run
        ids = _add_entries(session, publisher, entries, words)
        _add_notices(session, publisher, ids, notices, words)
        # The list has a past to look back at: the first founding on record counts.
        founded = {"kind": "publisher.founded", "subject_kind": "publisher", "subject": publisher.slug, "payload": {}}
        session.execute(insert(Event), [founded | {"publisher_id": publisher.id, "at": BEGAN, "actor": ANNA.name}])
        session.execute(update(PublisherTerms).values(from_at=BEGAN))
        touch(publisher, place.world.at)
    if place.engine == POSTGRESQL:
        with closing(psycopg.connect(place.address, autocommit=True)) as connection:
            connection.execute("VACUUM ANALYZE")


def add_notices(place: Place, notices: int) -> None:
    """Add so many more past notices."""
    with place.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        ids = list(session.scalars(select(Entry.id).order_by(Entry.id)))
        _add_notices(session, publisher, ids, notices, random.Random(notices))  # noqa: S311 - as above
        touch(publisher, place.world.at)


def announce_change(place: Place) -> str:
    """Announce one change of one entry now, as the team does: a second place of processing."""
    world, key = place.world, "hetzner-falkenstein"
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        content = read_content(find_current_version(session, get_entry(session, publisher, key)))
        assert content is not None
        helsinki = Location(country="FI", place="Helsinki", function=LocationFunction.PROCESSING)
        wanted = content.model_copy(update={"locations": (*content.locations, helsinki)})
        record_edit(session, world.at, publisher, key, wanted, ANNA)
    number = world.draft(entry_keys=(key,))
    world.publish(number)
    return number


def _say(words: random.Random, count: int) -> str:
    return " ".join(words.choice(WORDS) for _ in range(count)).capitalize()


def _content(n: int, words: random.Random) -> EntryContent:
    country, place = words.choice(PLACES)
    name = f"{words.choice(WORDS).capitalize()}{words.choice(WORDS)} {n}"
    return EntryContent(
        name=name,
        legal_name=f"{name} GmbH",
        purposes=tuple(dict.fromkeys(_say(words, 2) for _ in range(words.randint(1, 3)))),
        activity=f"{_say(words, words.randint(8, 25))}.",
        data_categories=tuple(dict.fromkeys(_say(words, 2) for _ in range(words.randint(2, 5)))),
        country=country,
        locations=(Location(country=country, place=place, function=LocationFunction.PROCESSING),),
        transfers=(Transfer(regime="eu", mechanism="none.same-area", destination="DE"),) if country == "DE" else (),
    )


def _add_entries(session: Session, publisher: Publisher, count: int, words: random.Random) -> list[int]:
    first = session.scalars(select(func.max(Entry.id))).one() + 1
    version = session.scalars(select(func.max(EntryVersion.id))).one() + 1
    same: dict[str, Any] = {"publisher_id": publisher.id}
    rows = [(first + n, version + n, n, _content(n, words).as_document()) for n in range(count)]
    session.execute(
        insert(Entry),
        [same | {"id": id_, "key": f"entry-{n}", "position": n + 10, "created_at": BEGAN} for id_, _, n, _ in rows],
    )
    session.execute(insert(EntryKey), [same | {"entry_id": id_, "key": f"entry-{n}"} for id_, _, n, _ in rows])
    session.execute(
        insert(EntryVersion),
        [
            same
            | {"id": at, "entry_id": id_, "seq": 1, "document": document, "digest": digest_of(document)}
            | {"author": ANNA.name, "created_at": BEGAN}
            for id_, at, _, document in rows
        ],
    )
    session.execute(
        insert(ListPeriod),
        [same | {"entry_id": id_, "version_id": at, "from_at": BEGAN, "cause": "founding"} for id_, at, _, _ in rows],
    )
    _move_on(session, Entry, EntryVersion)
    return [id_ for id_, _, _, _ in rows]


def _add_notices(session: Session, publisher: Publisher, entries: list[int], count: int, words: random.Random) -> None:
    terms = read_facts(session, publisher).notice.model_dump(mode="json")
    versions = dict(session.execute(select(EntryVersion.entry_id, EntryVersion.id)).all())
    first = (session.scalar(select(func.max(Notice.id))) or 0) + 1
    same: dict[str, Any] = {"publisher_id": publisher.id}
    rows: dict[type[Base], list[dict[str, Any]]] = {Notice: [], NoticeChange: [], Statement: []}
    for n in range(first, first + count):
        at = BEGAN + (ENDED - BEGAN) * ((n - first) / count)
        effect = at + timedelta(days=32)
        before, after = _content(n, words), _content(n, words)
        change = diff_entry(f"entry-{n}", before, after.model_copy(update={"name": before.name}))
        assert change is not None
        document, summary = change.as_document(), f"{before.name}: {_say(words, 4)}"
        rows[Notice].append(
            same
            | {"id": n, "number": f"{at.year}-{n:05}", "state": "in_effect", "summary": summary, "terms": terms}
            | {"planned_on": effect.date(), "effective_on": effect.date(), "effective_at": effect, "announced_at": at}
            | {"published_at": at, "updated_at": effect, "took_effect_at": effect, "digest": f"{n:064x}"}
            | {"author": ANNA.name, "authors": [ANNA.name], "created_at": at}
        )
        entry = entries[n % len(entries)]
        rows[NoticeChange].append(
            same
            | {"notice_id": n, "entry_id": entry, "base_version_id": versions[entry], "is_open": False}
            | {"target_version_id": versions[entry], "change": document, "weight": "binding"}
        )
        told = {"notice_id": n, "summary": summary, "changes": [{"change": document, "weight": "binding"}]}
        rows[Statement] += [
            same | told | {"seq": 1, "kind": "announcement", "effective_on": effect.date(), "made_at": at},
            same | told | {"seq": 2, "kind": "effect", "effective_on": effect.date(), "made_at": effect},
        ]
    for table, values in rows.items():
        batches = iter(values)
        while batch := list(islice(batches, BATCH)):
            session.execute(insert(table), batch)
    _move_on(session, Notice)


def _move_on(session: Session, *tables: type[Base]) -> None:
    """Let PostgreSQL count on after numbers that were given by hand."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for table in tables:
        newest = select(func.max(table.id)).scalar_subquery()  # type: ignore[attr-defined]  # all of these have one
        session.execute(select(func.setval(f"{table.__tablename__}_id_seq", newest)))
