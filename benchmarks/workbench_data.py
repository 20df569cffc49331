"""A publisher of size for `benchmarks.workbench`: its past is written as rows, what is open went the product's way."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from benchmarks.places import POSTGRESQL, Place
from registry.domain.changes import diff_entry
from registry.domain.entries import EntryContent, Location, Transfer, digest_of
from registry.domain.vocabulary import LocationFunction
from registry.steps.lookup import find_current_version, get_entry, get_notice, get_publisher, read_content, read_facts
from registry.steps.publish_notice import submit_notice
from registry.steps.record_edit import record_edit
from registry.tables import (
    Address,
    Attempt,
    Base,
    Customer,
    CustomerTerms,
    Delivery,
    Entry,
    EntryKey,
    EntryVersion,
    Event,
    Letter,
    ListPeriod,
    Notice,
    NoticeChange,
    NoticeCustomer,
    Objection,
    Publisher,
    Statement,
    Subscription,
)
from tests.world import ANNA

BEGAN = datetime(2024, 1, 2, 8, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Size:
    """How much there is. Each past notice went to so many customers that `deliveries` come together."""

    entries: int
    notices: int
    deliveries: int
    customers: int
    events: int


WHOLE = Size(entries=2_000, notices=500, deliveries=20_000, customers=300, events=20_000)
QUICK = Size(entries=200, notices=50, deliveries=2_000, customers=60, events=2_000)


def fill(place: Place, size: Size) -> None:
    """Put so much into the installation. What is past is written as rows; what is open went the product's own way."""
    world = place.world
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        entries = _add_entries(session, publisher, size.entries)
        contacts = _add_customers(session, publisher, size.customers)
        _add_past(session, publisher, entries, contacts, size)
        _add_events(session, publisher, size.events)
    helsinki = Location(country="FI", place="Helsinki", function=LocationFunction.PROCESSING)
    world.publish(_draft(place, "hetzner-falkenstein", helsinki))
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        notice = session.scalars(select(Notice).where(Notice.state == "announced")).one()
        keys = session.scalars(select(NoticeCustomer.customer_id).where(NoticeCustomer.notice_id == notice.id)).all()
        _add_objections(session, publisher, notice.id, keys[:40], state="received")
    submitted = _draft(place, "entry-11", helsinki)
    with world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        submit_notice(session, world.at, publisher, get_notice(session, publisher, submitted), ANNA)
    _draft(place, "entry-12", helsinki)
    _edit(place, "entry-13", helsinki)
    if place.engine == POSTGRESQL:
        with closing(psycopg.connect(place.address, autocommit=True)) as connection:
            connection.execute("VACUUM ANALYZE")


def _edit(place: Place, key: str, location: Location) -> None:
    with place.world.writing() as session:
        publisher = get_publisher(session, "antopsis")
        content = read_content(find_current_version(session, get_entry(session, publisher, key)))
        assert content is not None
        wanted = content.model_copy(update={"locations": (*content.locations, location)})
        record_edit(session, place.world.at, publisher, key, wanted, ANNA)


def _draft(place: Place, key: str, location: Location) -> str:
    _edit(place, key, location)
    return place.world.draft(entry_keys=(key,))


def _add_entries(session: Session, publisher: Publisher, count: int) -> list[int]:
    first = session.scalars(select(func.max(Entry.id))).one() + 1
    version = session.scalars(select(func.max(EntryVersion.id))).one() + 1
    ids = list(range(first, first + count))
    documents = [_content(n).as_document() for n in range(count)]
    same: dict[str, Any] = {"publisher_id": publisher.id}
    session.execute(
        insert(Entry),
        [same | {"id": id_, "key": f"entry-{n}", "position": n + 10, "created_at": BEGAN} for n, id_ in enumerate(ids)],
    )
    session.execute(insert(EntryKey), [same | {"entry_id": id_, "key": f"entry-{n}"} for n, id_ in enumerate(ids)])
    session.execute(
        insert(EntryVersion),
        [
            same
            | {
                "id": version + n,
                "entry_id": id_,
                "seq": 1,
                "document": documents[n],
                "digest": digest_of(documents[n]),
            }
            | {"author": ANNA.name, "created_at": BEGAN}
            for n, id_ in enumerate(ids)
        ],
    )
    session.execute(
        insert(ListPeriod),
        [
            same | {"entry_id": id_, "version_id": version + n, "from_at": BEGAN, "cause": "founding"}
            for n, id_ in enumerate(ids)
        ],
    )
    _move_on(session, Entry, EntryVersion)
    return ids


def _content(n: int) -> EntryContent:
    return EntryContent(
        name=f"Vendor {n:04}",
        legal_name=f"Vendor {n:04} GmbH",
        purposes=("Hosting", "Support") if n % 2 else ("Payments",),
        data_categories=("Account data", "Usage data"),
        country="DE",
        locations=(Location(country="DE", place="Falkenstein", function=LocationFunction.PROCESSING),),
        transfers=(Transfer(regime="eu", mechanism="none.same-area", destination="DE"),),
    )


def _add_customers(session: Session, publisher: Publisher, count: int) -> list[tuple[int, int]]:
    """Return each customer with the subscription of its contact."""
    ids = list(range(1, count + 1))
    same: dict[str, Any] = {"publisher_id": publisher.id, "created_at": BEGAN}
    session.execute(
        insert(Customer),
        [same | {"id": n, "key": f"customer-{n}", "name": f"Customer {n:03} Ltd", "products": []} for n in ids],
    )
    session.execute(
        insert(Address),
        [
            same | {"id": n, "channel": "email", "lookup_hmac": f"{n:064x}", "value": f"dpo{n}@customer.example"}
            for n in ids
        ],
    )
    session.execute(
        insert(Subscription),
        [
            same
            | {"id": n, "address_id": n, "customer_id": n, "audience": "customer", "language": "en", "rank": 0}
            | {"confirmed_at": BEGAN}
            for n in ids
        ],
    )
    session.execute(
        insert(CustomerTerms),
        [{"publisher_id": publisher.id, "customer_id": n, "version": 1, "document": {}, "from_at": BEGAN} for n in ids],
    )
    _move_on(session, Customer, Address, Subscription)
    return [(n, n) for n in ids]


def _add_past(
    session: Session, publisher: Publisher, entries: list[int], contacts: list[tuple[int, int]], size: Size
) -> None:
    """Write notices that were told, received and took effect, each with its letters and a try at each."""
    terms = read_facts(session, publisher).notice.model_dump(mode="json")
    versions = dict(session.execute(select(EntryVersion.entry_id, EntryVersion.id)).all())
    each = size.deliveries // size.notices
    same: dict[str, Any] = {"publisher_id": publisher.id}
    before, after = _content(0), _content(1)
    change = diff_entry("entry-0", before, after)
    assert change is not None
    delivery = 0
    for n in range(1, size.notices - 2):
        at = BEGAN + timedelta(hours=30 * n)
        effect = at + timedelta(days=32)
        number = f"{at.year}-{n:03}"
        notice = Notice(
            **same,
            number=number,
            state="in_effect",
            summary=f"Vendor {n}: change of purposes",
            planned_on=effect.date(),
            effective_on=effect.date(),
            effective_at=effect,
            announced_at=at,
            published_at=at,
            updated_at=effect,
            took_effect_at=effect,
            terms=terms,
            digest=f"{n:064x}",
            author=ANNA.name,
            authors=[ANNA.name],
            created_at=at,
        )
        session.add(notice)
        session.flush()
        document = change.as_document()
        entry = entries[n % len(entries)]
        session.add(
            NoticeChange(
                **same,
                notice_id=notice.id,
                entry_id=entry,
                base_version_id=versions[entry],
                target_version_id=versions[entry],
                change=document,
                weight="binding",
                is_open=False,
            )
        )
        statement = Statement(
            **same,
            notice_id=notice.id,
            seq=1,
            kind="announcement",
            effective_on=effect.date(),
            summary=notice.summary,
            changes=[{"change": document, "weight": "binding"}],
            made_at=at,
        )
        session.add(statement)
        session.flush()
        letter = Letter(
            **same,
            statement_id=statement.id,
            kind="announcement",
            language="en",
            audience="customer",
            sender={},
            subject=notice.summary,
            text="Dear customer",
            html="<p>Dear customer</p>",
            digest=f"{n:064x}",
            made_at=at,
        )
        session.add(letter)
        session.flush()
        chosen = [contacts[(n * each + k) % len(contacts)] for k in range(each)]
        chosen = list(dict.fromkeys(chosen))
        session.execute(
            insert(NoticeCustomer),
            [
                same
                | {"notice_id": notice.id, "customer_id": customer, "terms": terms, "state": "received"}
                | {"received_at": at, "earliest_at": effect, "objection_ends_at": effect}
                for customer, _ in chosen
            ],
        )
        session.execute(
            insert(Delivery),
            [
                same
                | {"id": delivery + k, "statement_id": statement.id, "subscription_id": subscription}
                | {"letter_id": letter.id, "state": "delivered", "due_at": at, "created_at": at, "accepted_at": at}
                | {"delivered_at": at, "attempt_count": 1, "message_id": f"<{delivery + k}@registry.example>"}
                for k, (_, subscription) in enumerate(chosen, 1)
            ],
        )
        session.execute(
            insert(Attempt),
            [
                same
                | {
                    "delivery_id": delivery + k,
                    "n": 1,
                    "token": f"{delivery + k}",
                    "channel": "smtp",
                    "claimed_at": at,
                    "send_started_at": at,
                }
                | {"finished_at": at, "sha256": f"{k:064x}", "answer_class": "accepted", "code": 250, "answer": "Ok"}
                for k in range(1, len(chosen) + 1)
            ],
        )
        delivery += len(chosen)
        if n % 5 == 0:
            _add_objections(session, publisher, notice.id, [chosen[0][0]], state="accommodated")
    _move_on(session, Delivery)


def _add_objections(session: Session, publisher: Publisher, notice: int, customers: Any, *, state: str) -> None:
    session.execute(
        insert(Objection),
        [
            {"publisher_id": publisher.id, "notice_id": notice, "customer_id": customer, "state": state}
            | {"ground": "The place is outside the area agreed.", "received_at": BEGAN, "is_in_time": True}
            for customer in customers
        ],
    )


def _add_events(session: Session, publisher: Publisher, count: int) -> None:
    session.execute(
        insert(Event),
        [
            {"publisher_id": publisher.id, "at": BEGAN + timedelta(minutes=n), "actor": "anna@antopsis.example (web)"}
            | {"kind": "notice.revised", "subject_kind": "notice", "subject": f"2024-{n % 500:03}", "payload": {}}
            for n in range(count)
        ],
    )


def _move_on(session: Session, *tables: type[Base]) -> None:
    """Let PostgreSQL count on after numbers that were given by hand."""
    if session.get_bind().dialect.name != "postgresql":
        return
    for table in tables:
        name = table.__tablename__
        session.execute(select(func.setval(f"{name}_id_seq", select(func.max(table.id)).scalar_subquery())))  # type: ignore[attr-defined]  # all have one
