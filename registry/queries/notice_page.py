"""One notice, whole, as its own screen shows it, in a number of queries that no list in it makes grow."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime

from sqlalchemy import case, exists, func, or_, select
from sqlalchemy.orm import Session, aliased

from registry.domain.changes import EntryChange
from registry.domain.deliveries import ON_ITS_WAY
from registry.domain.effect import CustomerStanding, Hold, choose_holds
from registry.domain.notice_life import NoticeState
from registry.domain.people import TeamRole
from registry.domain.standings import NO_LONGER_HOLDING, StandingState
from registry.domain.terms import find_terms, find_zone
from registry.domain.vocabulary import Weight, heavier
from registry.queries.deliveries import is_last_try
from registry.queries.notice_holds import find_unreadable, is_holding
from registry.queries.notices import NOT_REACHED, REACHED, LetterCounts, count_in, count_in_outbox, read_counts
from registry.steps.take_effect import count_open_objections
from registry.tables import (
    Approval,
    Attempt,
    Customer,
    Delivery,
    Entry,
    EntryVersion,
    Event,
    ListPeriod,
    Membership,
    Notice,
    NoticeChange,
    NoticeCustomer,
    Person,
    Publisher,
    Statement,
)

EVENTS_SHOWN = 20
RECEIVED = "customer.received"
PEOPLE_SHOWN = 50
_STATES = tuple(state.value for state in StandingState)


@dataclass(frozen=True)
class ChangeOfNotice:
    """One entry's change, its weight in this notice, and why that is not the computed one where it is not (R3).

    `row` is it as it is stored, with the versions that it leads from, if there was one, and to.
    """

    key: str
    change: EntryChange
    weight: Weight
    weight_reason: str | None
    row: NoticeChange = field(repr=False, compare=False)
    base: EntryVersion | None = field(repr=False, compare=False)
    target: EntryVersion = field(repr=False, compare=False)

    @property
    def target_version_id(self) -> int:
        """The version it leads to, by its row."""
        return self.target.id

    @property
    def is_lowered(self) -> bool:
        """Whether a person lowered it below what was computed, which asks for a second person."""
        return heavier(self.weight, self.change.weight) is not self.weight


@dataclass(frozen=True)
class ApprovalGiven:
    """A yes to exactly the present content. `via` says on which road it was given."""

    actor: str
    via: str
    at: datetime


@dataclass(frozen=True)
class Approver:
    """Somebody whose role lets them approve. `wrote_it`: they wrote or changed it, so that they do not (R16)."""

    email: str
    name: str
    wrote_it: bool


@dataclass(frozen=True)
class StatementRow:
    """One statement, the date it told, the words it gave as its reason, and how far its letters are."""

    seq: int
    kind: str
    effective_on: date | None
    reason: str | None
    restarts_clocks: bool
    made_at: datetime
    letters: LetterCounts


@dataclass(frozen=True)
class CustomerRow:
    """How one customer stands, and for which reasons it holds the notice or would on its day; instants are UTC.

    `notice_days` and `counting` are None where its terms cannot be read.
    """

    key: str
    name: str
    state: str
    zone: str
    notice_days: int | None
    counting: str | None
    received_at: datetime | None
    earliest_at: datetime | None
    objection_ends_at: datetime | None
    basis: str | None
    holds: tuple[Hold, ...]


@dataclass(frozen=True)
class Customers:
    """One page of a notice's customers, those that hold it first; and how many there are in all."""

    rows: tuple[CustomerRow, ...]
    total: int
    holding: int
    by_state: dict[str, int]


@dataclass(frozen=True)
class EventRow:
    """One act on record."""

    at: datetime
    actor: str
    kind: str
    payload: dict[str, object]


def load_changes(session: Session, notice: Notice) -> tuple[ChangeOfNotice, ...]:
    """Return the changes of a notice in the order of the list."""
    base, target = aliased(EntryVersion), aliased(EntryVersion)
    rows = session.execute(
        select(NoticeChange, Entry.key, base, target)
        .join(Entry, Entry.id == NoticeChange.entry_id)
        .outerjoin(base, base.id == NoticeChange.base_version_id)
        .join(target, target.id == NoticeChange.target_version_id)
        .where(NoticeChange.notice_id == notice.id)
        .order_by(Entry.position, Entry.key)
    )
    return tuple(
        ChangeOfNotice(
            key, EntryChange.from_document(row.change), Weight(row.weight), row.weight_reason, row, before, after
        )
        for row, key, before, after in rows
    )


def list_approvals(session: Session, notice: Notice) -> tuple[ApprovalGiven, ...]:
    """Return the approvals of exactly what the notice says now (R16), the first one first."""
    rows = session.scalars(
        select(Approval)
        .where(
            Approval.publisher_id == notice.publisher_id,
            Approval.subject == "notice",
            Approval.subject_id == notice.id,
            Approval.digest == notice.digest,
        )
        .order_by(Approval.id)
    )
    return tuple(ApprovalGiven(row.actor, row.via, row.approved_at) for row in rows)


def list_authors(session: Session, notice: Notice) -> frozenset[str]:
    """Return everybody who wrote or changed the notice or an edit in it, in one query."""
    return list_authors_of(session, [notice])[notice.id]


def list_authors_of(session: Session, notices: Collection[Notice]) -> dict[int, frozenset[str]]:
    """Return everybody who wrote or changed each of these notices or an edit in it, by its row, in one query.

    They are those of `registry.steps.revise_draft.find_authors`, which asks once for each entry.
    """
    target, version, told = aliased(EntryVersion), aliased(EntryVersion), aliased(EntryVersion)
    carries, announced = aliased(NoticeChange), aliased(Notice)
    was_told = or_(
        exists().where(ListPeriod.version_id == told.id),
        exists().where(
            carries.target_version_id == told.id,
            carries.notice_id == announced.id,
            announced.announced_at.is_not(None),
        ),
    )
    last_told = (
        select(func.max(told.seq))
        .where(told.entry_id == version.entry_id, told.seq < target.seq, was_told)
        .correlate(version, target)
        .scalar_subquery()
    )
    rows = session.execute(
        select(NoticeChange.notice_id, version.author)
        .join(NoticeChange, NoticeChange.entry_id == version.entry_id)
        .join(target, target.id == NoticeChange.target_version_id)
        .where(
            NoticeChange.notice_id.in_([notice.id for notice in notices]),
            version.seq <= target.seq,
            or_(version.id == target.id, version.seq > func.coalesce(last_told, 0)),
        )
        .distinct()
    )
    authors = {notice.id: {notice.author, *notice.authors} for notice in notices}
    for notice_id, author in rows:
        authors[notice_id].add(author)
    return {notice_id: frozenset(names) for notice_id, names in authors.items()}


def list_approvers(session: Session, publisher: Publisher, authors: Collection[str]) -> tuple[Approver, ...]:
    """Return who may approve at the publisher by their role, and whether they wrote it; at most `PEOPLE_SHOWN`."""
    own = {_person(author) for author in authors}
    rows = session.execute(
        select(Person.email, Person.name)
        .join(Membership, Membership.person_id == Person.id)
        .where(
            Membership.publisher_id == publisher.id,
            Membership.role.in_([role.value for role in TeamRole if role.includes(TeamRole.APPROVER)]),
            Person.active,
        )
        .order_by(Person.email)
        .limit(PEOPLE_SHOWN)
    )
    return tuple(Approver(email, name or email, _person(email) in own) for email, name in rows)


def is_author(name: str, authors: Collection[str]) -> bool:
    """Return whether somebody is among the authors, however their name is spelt."""
    return _person(name) in {_person(author) for author in authors}


def _person(name: str) -> str:
    return name.strip().casefold()


def list_statements(session: Session, notice: Notice) -> tuple[StatementRow, ...]:
    """Return what the notice said, in order, and how far the letters of each statement are."""
    rows = session.execute(
        select(
            Statement.seq,
            Statement.kind,
            Statement.effective_on,
            Statement.reason,
            Statement.restarts_clocks,
            Statement.made_at,
            count_in(REACHED),
            count_in(ON_ITS_WAY),
            count_in(NOT_REACHED),
            count_in_outbox(),
        )
        .outerjoin(Delivery, Delivery.statement_id == Statement.id)
        .outerjoin(Attempt, is_last_try())
        .where(Statement.notice_id == notice.id)
        .group_by(Statement.id)
        .order_by(Statement.seq)
    )
    return tuple(
        StatementRow(seq, kind, on, reason, restarts, made_at, read_counts(*counts))
        for seq, kind, on, reason, restarts, made_at, *counts in rows
    )


def load_customers(session: Session, now: datetime, notice: Notice, *, offset: int, limit: int) -> Customers:
    """Return one page of the notice's customers in two queries: those that hold it first, then by name."""
    holds = case((is_holding(now, find_unreadable(session, [notice.id])), 1), else_=0)
    in_state = [func.sum(case((NoticeCustomer.state == state, 1), else_=0)).over() for state in _STATES]
    rows = session.execute(
        select(
            NoticeCustomer,
            Customer.key,
            Customer.name,
            count_open_objections(),
            holds,
            func.count().over(),
            func.sum(holds).over(),
            *in_state,
        )
        .join(Notice, Notice.id == NoticeCustomer.notice_id)
        .join(Customer, Customer.id == NoticeCustomer.customer_id)
        .where(NoticeCustomer.notice_id == notice.id)
        .order_by(holds.desc(), Customer.name, Customer.key)
        .offset(offset)
        .limit(limit)
    ).all()
    if not rows:
        return Customers((), 0, 0, {})
    total, holding, *counts = (int(each) for each in rows[0][5:])
    shown = tuple(_customer(now, notice, row[0], row[1], row[2], row[3], holds=bool(row[4])) for row in rows)
    by_state = {state: count for state, count in zip(_STATES, counts, strict=True) if count}
    return Customers(shown, total, holding, by_state)


def _customer(
    now: datetime, notice: Notice, standing: NoticeCustomer, key: str, name: str, objections: int, *, holds: bool
) -> CustomerRow:
    terms = find_terms(standing.terms)
    facts = CustomerStanding(
        key=key,
        name=name,
        terms=terms,
        earliest_at=standing.earliest_at,
        exempt=standing.state in NO_LONGER_HOLDING,
        dropped=standing.state == StandingState.DROPPED,
        approved=standing.approved_at is not None,
        open_in_time_objections=objections,
    )
    at = now if notice.state == NoticeState.HELD.value else notice.effective_at or now
    return CustomerRow(
        key=key,
        name=name,
        state=standing.state,
        zone=find_zone(standing.terms, notice.terms["time_zone"]),
        notice_days=terms.days if terms else None,
        counting=terms.counting if terms else None,
        received_at=standing.received_at,
        earliest_at=standing.earliest_at,
        objection_ends_at=standing.objection_ends_at,
        basis=standing.basis,
        holds=choose_holds([facts], now, at, emergency=False) if holds else (),
    )


def list_events(session: Session, publisher: Publisher, notice: Notice) -> tuple[EventRow, ...]:
    """Return the newest acts on record of a notice, the newest first; at most `EVENTS_SHOWN`.

    Each customer's receipt is not among them: it stands with the customer.
    """
    rows = session.scalars(
        select(Event)
        .where(Event.publisher_id == publisher.id, Event.subject_kind == "notice", Event.subject == notice.number)
        .where(Event.kind != RECEIVED)
        .order_by(Event.id.desc())
        .limit(EVENTS_SHOWN)
    )
    return tuple(EventRow(row.at, row.actor, row.kind, row.payload) for row in rows)
