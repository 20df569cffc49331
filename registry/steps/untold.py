"""Customers whom what a notice said did not reach, where no clock waits for them (R12, R13).

`unreached` names those whom a pending notice waits for. This is about all others: a withdrawal, a postponement, a
correction, a reminder or "now in effect" that a customer's contacts did not get; a customer that came after the
announcement; one whose receipt was still waited for when the notice took effect without it; and a bounce after the
effect, which reverses nothing.

Every look asks who has each statement, and not only what was lost: a contact that was told may have ended since, and
whoever came instead may have no letter of it. The news of a loss is looked at as it comes, too (`note_untold`).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Select, and_, or_, select, tuple_
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryNote
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.notices import local_date
from registry.domain.standings import StandingState
from registry.domain.terms import find_terms
from registry.domain.told import TAKEN, Letter, Said, Standing, Told, WhyUnreached, find_clock, find_missed
from registry.domain.vocabulary import Weight
from registry.steps.fan_out import LAST_ZONE_TO_END_A_DAY
from registry.steps.left_out import contacts_of, find_left_out
from registry.steps.one_by_one import NoteTrouble, find_in_one
from registry.steps.unreached import find_without_contact
from registry.tables import (
    Acknowledgement,
    Attempt,
    Customer,
    Delivery,
    Notice,
    NoticeCustomer,
    Publisher,
    Statement,
    Subscription,
)

LOOKED_BACK_FOR: Final = timedelta(days=30)
"""For so long after a notice's end it is still looked for letters that came back."""
MOST_AT_ONCE: Final = 500
"""Customers or contacts that are asked for together."""


@dataclass(frozen=True)
class OpenTask:
    """What an open task is about: one statement of a notice, by its number, that one customer did not get."""

    publisher_id: int | None
    notice: str
    customer: str
    seq: int


@dataclass(frozen=True)
class Untold:
    """One customer that did not get one statement of a notice. `lost_at` (UTC) is when it was tried last, if ever.

    `why` says it where no letter was lost: there is none, or the receipt that counts never came.
    """

    publisher_id: int
    publisher: str
    notice: str
    customer: str
    seq: int
    statement: str
    in_effect: bool
    lost_at: datetime | None
    why: WhyUnreached | None = None

    @property
    def subject(self) -> tuple[str, str]:
        """What its task is about."""
        return ("customer", f"{self.publisher}/{self.notice}/{self.seq}/{self.customer}")

    @property
    def facts(self) -> dict[str, object]:
        """What its task says."""
        facts: dict[str, object] = {
            "notice": self.notice,
            "customer": self.customer,
            "statement": self.seq,
            "letter": self.statement,
            "in_effect": self.in_effect,
        }
        return facts | ({"why": self.why.value} if self.why is not None else {})

    def was_seen_to(self, closed_at: datetime | None) -> bool:
        """Return whether a person who closed its task at `closed_at` (UTC; None for nobody) knew all there is."""
        return closed_at is not None and (self.lost_at is None or self.lost_at <= closed_at)


def find_untold(
    session: Session, now: datetime, note_trouble: NoteTrouble, open_tasks: Collection[OpenTask] = ()
) -> Iterator[Untold]:
    """Yield every customer that did not get a statement of a notice which is pending or ended in the last 30 days.

    Not those whom a pending notice waits for (`find_unreached`), whose letter needs a person, whom a person decided
    about, or who have something of the notice that makes up for it. What `open_tasks` are about is looked at however
    old its notice is. A notice that cannot be read keeps no other from being looked at: `note_trouble` is told the
    error.
    """
    ended_since = now - LOOKED_BACK_FOR
    notices = session.execute(
        select(Notice, Publisher.slug)
        .join(Publisher, Publisher.id == Notice.publisher_id)
        .where(
            or_(
                Notice.state.in_([state.value for state in PENDING_STATES]),
                Notice.took_effect_at > ended_since,
                Notice.withdrawn_at > ended_since,
                tuple_(Notice.publisher_id, Notice.number).in_(
                    {(task.publisher_id, task.notice) for task in open_tasks if task.publisher_id is not None}
                ),
            )
        )
        .order_by(Notice.id)
    ).all()
    for notice, slug in notices:
        this = (notice.publisher_id, notice.number)
        known = [task for task in open_tasks if (task.publisher_id, task.notice) == this]
        is_old = _is_old(notice, now)
        known_of_it = {(task.customer, task.seq) for task in known}
        for untold in find_in_one(partial(_find_in, session, now, notice, slug, known), note_trouble):
            if not is_old or (untold.customer, untold.seq) in known_of_it:
                yield untold


def find_untold_by(session: Session, now: datetime, delivery: Delivery) -> Untold | None:
    """Return what a contact's customer did not get of a notice, now that this letter to it is lost; None where it did.

    For a contact that has ended, by the same rules as `find_untold`.
    """
    contact = session.get_one(Subscription, delivery.subscription_id)
    if delivery.statement_id is None or contact.customer_id is None:
        return None
    lost = session.get_one(Statement, delivery.statement_id)
    notice = session.get_one(Notice, lost.notice_id)
    if _is_old(notice, now):
        return None
    # Locked: of two reports at once about its last two letters, the later one must see what the first one stored.
    session.get(
        NoticeCustomer,
        (notice.id, contact.customer_id),
        populate_existing=True,
        with_for_update={"key_share": True},
    )
    slug = session.get_one(Publisher, notice.publisher_id).slug
    statements = _list_statements(session, notice)
    found = _look_at(session, now, notice, slug, statements, [contact.customer_id], {})
    return next((each for each in found if each.seq == lost.seq), None)


def _is_old(notice: Notice, now: datetime) -> bool:
    ended_at = notice.took_effect_at or notice.withdrawn_at
    is_pending = NoticeState(notice.state) in PENDING_STATES
    return not is_pending and ended_at is not None and ended_at <= now - LOOKED_BACK_FOR


def _list_statements(session: Session, notice: Notice) -> Sequence[Said]:
    rows = session.scalars(select(Statement).where(Statement.notice_id == notice.id).order_by(Statement.seq))
    return [
        Said(
            number=row.id,
            seq=row.seq,
            kind=row.kind,
            restarts_clocks=row.restarts_clocks,
            binds=any(each["weight"] == Weight.BINDING.value for each in row.changes),
            made_at=row.made_at,
        )
        for row in rows
    ]


def _find_in(session: Session, now: datetime, notice: Notice, slug: str, known: Sequence[OpenTask]) -> Iterator[Untold]:
    statements = _list_statements(session, notice)
    if not statements:
        return
    known_lost: dict[str, set[int]] = {}
    for task in known:
        known_lost.setdefault(task.customer, set()).add(task.seq)
    of_known = select(Customer.id).where(Customer.publisher_id == notice.publisher_id, Customer.key.in_(known_lost))
    customers = set(session.scalars(of_known)) if known else set()
    customers |= find_left_out(session, now, notice, statements)
    clock = find_clock(statements)
    without_contact: set[int] = set()
    if clock is not None and notice.state != NoticeState.WITHDRAWN.value:
        without_contact = find_without_contact(session, now, notice)
    if clock is not None and notice.state == NoticeState.IN_EFFECT.value:
        customers |= _find_waiting(session, notice, clock)
    customers |= without_contact
    yield from _look_at(session, now, notice, slug, statements, sorted(customers), known_lost, without_contact)


def _look_at(
    session: Session,
    now: datetime,
    notice: Notice,
    slug: str,
    statements: Sequence[Said],
    customers: Sequence[int],
    known_lost: Mapping[str, Collection[int]],
    without_contact: Collection[int] = (),
) -> Iterator[Untold]:
    """Yield what these customers did not get of a notice."""
    for key, told in _load_told(session, now, notice, statements, customers, known_lost, without_contact):
        for statement, why in find_missed(NoticeState(notice.state), statements, told, now):
            yield Untold(
                notice.publisher_id,
                slug,
                notice.number,
                key,
                statement.seq,
                statement.kind,
                notice.state == NoticeState.IN_EFFECT.value,
                told.last_try_at(statement),
                why,
            )


def _find_waiting(session: Session, notice: Notice, clock: Said) -> set[int]:
    """Return the customers, by their row, whose receipt was waited for when the notice took effect, and may be yet."""
    waiting = set(
        session.scalars(
            select(NoticeCustomer.customer_id).where(
                NoticeCustomer.notice_id == notice.id, NoticeCustomer.state == StandingState.WAITING.value
            )
        )
    )
    if waiting and not clock.binds:
        # Nobody has to prove what was taken, and there may be many of them.
        waiting -= set(session.scalars(_having_taken(notice, clock)))
    return waiting


def _having_taken(notice: Notice, statement: Said) -> Select[int | None]:
    """Select the customers with a standing contact that took a statement's letter."""
    its = (Delivery.statement_id == statement.number, Delivery.subscription_id == Subscription.id)
    state = select(Delivery.state).where(*its).correlate(Subscription).scalar_subquery()
    return select(Subscription.customer_id).where(
        *contacts_of(notice.publisher_id), Subscription.ended_at.is_(None), state.in_(TAKEN)
    )


def _load_told(
    session: Session,
    now: datetime,
    notice: Notice,
    statements: Sequence[Said],
    customers: Sequence[int],
    known_lost: Mapping[str, Collection[int]],
    without_contact: Collection[int],
) -> Iterator[tuple[str, Told]]:
    """Yield each of these customers by its key, with what it was told; letters to ended contacts count as well."""
    ids = [statement.number for statement in statements]
    over_on = local_date(now, LAST_ZONE_TO_END_A_DAY)
    for some in _in_parts(customers):
        contacts = session.execute(
            select(Subscription.id, Subscription.customer_id).where(Subscription.customer_id.in_(some))
        ).all()
        letters: dict[int, dict[int, list[Letter]]] = {each: {} for each in some}
        customer_of = {contact: customer for contact, customer in contacts if customer is not None}
        for of_contacts in _in_parts(list(customer_of)):
            rows = session.execute(
                select(
                    Delivery.subscription_id,
                    Delivery.statement_id,
                    Delivery.channel,
                    Delivery.state,
                    Delivery.skip_reason,
                    Delivery.note,
                    Delivery.accepted_at,
                    Attempt.finished_at,
                    Attempt.channel,
                )
                .outerjoin(Attempt, and_(Attempt.delivery_id == Delivery.id, Attempt.n == Delivery.attempt_count))
                .where(Delivery.statement_id.in_(ids), Delivery.subscription_id.in_(of_contacts))
            )
            for contact, statement_id, channel, state, reason, note, accepted_at, tried_at, road in rows:
                is_unclear = note == DeliveryNote.MAY_HAVE_ARRIVED.value
                letter = Letter(channel, state, reason, accepted_at, tried_at, road, is_unclear)
                letters[customer_of[contact]].setdefault(statement_id or 0, []).append(letter)
        acknowledged: dict[int, set[int]] = {}
        for customer_id, statement_id in session.execute(
            select(Acknowledgement.customer_id, Acknowledgement.statement_id).where(
                Acknowledgement.statement_id.in_(ids), Acknowledgement.customer_id.in_(some)
            )
        ):
            acknowledged.setdefault(customer_id, set()).add(statement_id)
        of_notice = and_(NoticeCustomer.customer_id == Customer.id, NoticeCustomer.notice_id == notice.id)
        standings = session.execute(
            select(Customer.id, Customer.key, Customer.contract_until, NoticeCustomer)
            .outerjoin(NoticeCustomer, of_notice)
            .where(Customer.id.in_(some))
            .order_by(Customer.key)
        )
        for customer_id, key, until, row in standings:
            said = frozenset(acknowledged.get(customer_id, ()))
            lost = frozenset(known_lost.get(key, ()))
            theirs = Standing(row.state, row.received_at, find_terms(row.terms)) if row is not None else None
            is_over = until is not None and until < over_on
            yield key, Told(letters[customer_id], said, theirs, lost, customer_id in without_contact, is_over)


def _in_parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), MOST_AT_ONCE):
        yield ids[start : start + MOST_AT_ONCE]
