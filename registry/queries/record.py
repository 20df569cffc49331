"""The record as people search it: who did what and when, of one publisher, the newest first (R39).

Sign-ins belong to no publisher. Those of the people of this one are among its record for whoever may see them, from the
invitation of each to their removal: what somebody did before and after is no affair of this publisher.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, union_all
from sqlalchemy.orm import Session, aliased

from registry.tables import Customer, Event, Person, Publisher, SignIn

PERSON: Final = "person"
CUSTOMER: Final = "customer"
BATCH: Final = 500
"""Acts that an export holds in memory at a time."""


@dataclass(frozen=True)
class RecordFilter:
    """Which acts are meant. Instants are UTC: from `since` on, and before `until`.

    `actor` is a part of the actor's name, in any letters; `kind` a whole kind, such as `notice.published`, or the part
    before its dot; `subject` the key of what it is about, with `subject_kind` or without.
    """

    actor: str | None = None
    kind: str | None = None
    subject_kind: str | None = None
    subject: str | None = None
    since: datetime | None = None
    until: datetime | None = None

    @property
    def is_empty(self) -> bool:
        """Whether every act is meant."""
        return self == RecordFilter()


@dataclass(frozen=True)
class Act:
    """One act on record, with the session it was done in: `address` and `agent` are None once erased (R36)."""

    id: int
    at: datetime
    actor: str
    kind: str
    subject_kind: str
    subject: str
    payload: dict[str, Any]
    sign_in_id: int | None
    address: str | None
    agent: str | None


@dataclass(frozen=True)
class Names:
    """What the numbers in acts stand for: people's addresses, and customers' keys and names."""

    people: dict[str, str]
    customers: dict[int, tuple[str, str]]


def list_acts(
    session: Session,
    publisher: Publisher,
    wanted: RecordFilter,
    *,
    with_sign_ins: bool,
    before: int | None = None,
    limit: int,
) -> list[Act]:
    """Return at most `limit` acts, the newest first, from those before the number `before` where it is given."""
    conditions = _conditions(session, publisher, wanted)
    if before is not None:
        conditions.append(Event.id < before)
    numbers = [_numbers(Event.publisher_id == publisher.id, conditions, limit)]
    if with_sign_ins and wanted.subject_kind in {None, PERSON}:
        numbers.append(_numbers(_is_of_somebody_here(publisher), conditions, limit))
    # Each part by the index that it has, so that a page costs the same however long the record is.
    some = union_all(*(select(each.subquery()) for each in numbers)).subquery()
    query = (
        select(Event, SignIn.address, SignIn.agent)
        .outerjoin(SignIn, SignIn.id == Event.sign_in_id)
        .where(Event.id.in_(select(some.c.id)))
        .order_by(Event.id.desc())
        .limit(limit)
    )
    return [
        Act(
            id=event.id,
            at=event.at,
            actor=event.actor,
            kind=event.kind,
            subject_kind=event.subject_kind,
            subject=event.subject,
            payload=event.payload,
            sign_in_id=event.sign_in_id,
            address=address,
            agent=agent,
        )
        for event, address, agent in session.execute(query)
    ]


def each_act(
    session: Session, publisher: Publisher, wanted: RecordFilter, *, with_sign_ins: bool, up_to: int
) -> Iterator[list[Act]]:
    """Yield all acts that are meant, the newest first, up to and with the number `up_to`, in batches."""
    before = up_to + 1
    while acts := list_acts(session, publisher, wanted, with_sign_ins=with_sign_ins, before=before, limit=BATCH):
        yield acts
        before = acts[-1].id


def load_names(session: Session, publisher: Publisher, acts: Collection[Act]) -> Names:
    """Return what the numbers in these acts stand for, as far as the publisher may know it."""
    people = {int(act.subject) for act in acts if act.subject_kind == PERSON and act.subject.isdigit()}
    customers = {number for act in acts if isinstance(number := act.payload.get("customer_id"), int)}
    found_people = session.execute(select(Person.id, Person.email).where(Person.id.in_(people))).all() if people else []
    found_customers: Sequence[Any] = (
        session.execute(
            select(Customer.id, Customer.key, Customer.name).where(
                Customer.publisher_id == publisher.id, Customer.id.in_(customers)
            )
        ).all()
        if customers
        else []
    )
    return Names(
        {str(number): email for number, email in found_people},
        {number: (key, name) for number, key, name in found_customers},
    )


def _numbers(whose: ColumnElement[bool], conditions: Sequence[ColumnElement[bool]], limit: int) -> Select[int]:
    return select(Event.id).where(whose, *conditions).order_by(Event.id.desc()).limit(limit)


def _conditions(session: Session, publisher: Publisher, wanted: RecordFilter) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if wanted.actor:
        conditions.append(func.lower(Event.actor).contains(wanted.actor.lower(), autoescape=True))
    if wanted.kind:
        is_whole = "." in wanted.kind
        conditions.append(
            Event.kind == wanted.kind if is_whole else Event.kind.startswith(f"{wanted.kind}.", autoescape=True)
        )
    if wanted.subject_kind or wanted.subject:
        conditions.append(_is_about(session, publisher, wanted))
    if wanted.since is not None:
        conditions.append(Event.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(Event.at < wanted.until)
    return conditions


def _is_about(session: Session, publisher: Publisher, wanted: RecordFilter) -> ColumnElement[bool]:
    """The act is about this subject. A person is known by address too; much is about a customer in a notice."""
    same_kind = [Event.subject_kind == wanted.subject_kind] if wanted.subject_kind else []
    if not wanted.subject:
        return and_(*same_kind)
    names = [wanted.subject]
    if wanted.subject_kind in {None, PERSON} and "@" in wanted.subject:
        number = session.scalar(select(Person.id).where(Person.email == wanted.subject.lower()))
        names += [str(number)] if number is not None else []
    about = and_(*same_kind, Event.subject.in_(names))
    if wanted.subject_kind != CUSTOMER:
        return about
    customer = session.scalar(
        select(Customer.id).where(Customer.publisher_id == publisher.id, Customer.key == wanted.subject)
    )
    return or_(about, Event.payload["customer_id"].as_integer() == customer) if customer is not None else about


def _is_of_somebody_here(publisher: Publisher) -> ColumnElement[bool]:
    """The act is a person's own, at no publisher, while they worked for this one."""
    joined, left = aliased(Event), aliased(Event)
    about_them = (joined.publisher_id == publisher.id, joined.subject_kind == PERSON, joined.subject == Event.subject)
    gone = (
        exists()
        .where(
            left.publisher_id == publisher.id,
            left.subject_kind == PERSON,
            left.subject == Event.subject,
            left.kind == "person.removed",
            left.id > joined.id,
            left.id < Event.id,
        )
        .correlate(joined, Event)
    )
    return and_(
        Event.publisher_id.is_(None),
        Event.subject_kind == PERSON,
        exists().where(*about_them, joined.kind == "person.invited", joined.id < Event.id, ~gone),
    )
