"""Customers whom what a notice said did not reach, where no clock waits for them (R12, R13).

`unreached` names those whom a pending notice waits for. This is about all others: a withdrawal, a postponement, a
correction, a reminder or "now in effect" that a customer's contacts did not get; a customer that came after the
announcement; and a bounce after the effect, which reverses nothing.

Contacts that stand are asked about again and again. One that has ended is in no index, so its letter is looked at when
the news of its loss comes (`find_untold_by`); from then on the open task keeps it in sight.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Select, and_, or_, select, tuple_
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState, SkipReason, can_prove_receipt
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.terms import find_terms
from registry.domain.vocabulary import StatementKind
from registry.steps.make_statement import EXPLAINS
from registry.steps.one_by_one import NoteTrouble, find_in_one
from registry.steps.receipts import DECIDED_BY_A_PERSON, DEEMED, DROPPED, SERVED
from registry.steps.unreached import WAITING
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

TAKEN: Final = (DeliveryState.ACCEPTED.value, DeliveryState.DELIVERED.value)
LOST: Final = (DeliveryState.FAILED.value, DeliveryState.BOUNCED.value)
CANNOT_BE_SENT: Final = (SkipReason.SUPPRESSED.value, SkipReason.NO_ADDRESS.value)
AT_AN_END: Final = (*TAKEN, *LOST, DeliveryState.CANCELLED.value, DeliveryState.SKIPPED.value)
"""What is in another state is under way, or waits for a person and is a task of its own."""
COUNTS_AS_TOLD: Final = (*DECIDED_BY_A_PERSON, DEEMED)
OUTDATED_BY_EFFECT: Final = (StatementKind.REMINDER.value, StatementKind.POSTPONEMENT.value)


@dataclass(frozen=True)
class OpenTask:
    """What an open task is about: one statement of a notice, by its number, that one customer did not get."""

    publisher_id: int | None
    notice: str
    customer: str
    seq: int


@dataclass(frozen=True)
class Untold:
    """One customer that did not get one statement of a notice. `lost_at` (UTC) is when it was tried last, if ever."""

    publisher_id: int
    publisher: str
    notice: str
    customer: str
    seq: int
    statement: str
    in_effect: bool
    lost_at: datetime | None

    @property
    def subject(self) -> tuple[str, str]:
        """What its task is about."""
        return ("customer", f"{self.publisher}/{self.notice}/{self.seq}/{self.customer}")

    @property
    def facts(self) -> dict[str, object]:
        """What its task says."""
        return {
            "notice": self.notice,
            "customer": self.customer,
            "statement": self.seq,
            "letter": self.statement,
            "in_effect": self.in_effect,
        }

    def was_seen_to(self, closed_at: datetime | None) -> bool:
        """Return whether a person who closed its task at `closed_at` (UTC; None for nobody) knew all there is."""
        return closed_at is not None and (self.lost_at is None or self.lost_at <= closed_at)


@dataclass(frozen=True)
class _Letter:
    """One statement to one contact of a customer."""

    channel: str
    state: str
    skip_reason: str | None
    accepted_at: datetime | None
    tried_at: datetime | None

    @property
    def is_taken(self) -> bool:
        return self.state in TAKEN

    @property
    def is_lost(self) -> bool:
        return self.state in LOST or self.skip_reason in CANNOT_BE_SENT


@dataclass(frozen=True)
class _Told:
    """What a notice said to one customer: the letters of each statement, and those that it acknowledged.

    `known_lost` are the numbers of the statements of which an open task says that it did not get them.
    """

    letters: Mapping[int, Sequence[_Letter]]
    acknowledged: frozenset[int]
    standing: NoticeCustomer | None
    known_lost: frozenset[int]

    def has(self, statement: Statement) -> bool:
        return statement.id in self.acknowledged or any(each.is_taken for each in self._of(statement))

    def has_counted(self, statement: Statement) -> bool:
        """Whether it has the statement by a road that can start its clock: a chat room's word never does (R12)."""
        return statement.id in self.acknowledged or any(
            each.is_taken and self._counts(each.channel) for each in self._of(statement)
        )

    def lost(self, statement: Statement) -> bool:
        """Whether nothing of the statement is under way to the customer any more, and some of it was lost.

        What a person was asked to see to is lost until the customer has it: a further try may fail as well.
        """
        letters = self._of(statement)
        is_over = statement.seq in self.known_lost or all(each.state in AT_AN_END for each in letters)
        return is_over and any(each.is_lost for each in letters)

    def got_anything_after(self, at: datetime) -> bool:
        every = (each for letters in self.letters.values() for each in letters)
        return any(each.is_taken and each.accepted_at is not None and each.accepted_at > at for each in every)

    def last_try_at(self, statement: Statement) -> datetime | None:
        return max((each.tried_at for each in self._of(statement) if each.tried_at is not None), default=None)

    def _of(self, statement: Statement) -> Sequence[_Letter]:
        return self.letters.get(statement.id, ())

    def _counts(self, channel: str) -> bool:
        # One that came after the announcement has no terms in the notice, and nothing waits for it (R17).
        return can_prove_receipt(channel, find_terms(self.standing.terms) if self.standing is not None else None)


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
        for untold in find_in_one(partial(_find_in, session, notice, slug, known), note_trouble):
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
    found = _look_at(session, notice, slug, _list_statements(session, notice), [contact.customer_id], {})
    return next((each for each in found if each.seq == lost.seq), None)


def _is_old(notice: Notice, now: datetime) -> bool:
    ended_at = notice.took_effect_at or notice.withdrawn_at
    is_pending = NoticeState(notice.state) in PENDING_STATES
    return not is_pending and ended_at is not None and ended_at <= now - LOOKED_BACK_FOR


def _list_statements(session: Session, notice: Notice) -> Sequence[Statement]:
    return session.scalars(select(Statement).where(Statement.notice_id == notice.id).order_by(Statement.seq)).all()


def _find_in(session: Session, notice: Notice, slug: str, known: Sequence[OpenTask]) -> Iterator[Untold]:
    statements = _list_statements(session, notice)
    known_lost: dict[str, set[int]] = {}
    for task in known:
        known_lost.setdefault(task.customer, set()).add(task.seq)
    of_known = select(Customer.id).where(Customer.publisher_id == notice.publisher_id, Customer.key.in_(known_lost))
    customers = set(session.scalars(of_known)) if known else set()
    for statement in statements:
        customers |= {each for each in session.scalars(_losing(statement)) if each is not None}
    yield from _look_at(session, notice, slug, statements, sorted(customers), known_lost)


def _look_at(
    session: Session,
    notice: Notice,
    slug: str,
    statements: Sequence[Statement],
    customers: Sequence[int],
    known_lost: Mapping[str, Collection[int]],
) -> Iterator[Untold]:
    """Yield what these customers did not get of a notice."""
    for key, told in _load_told(session, notice, statements, customers, known_lost):
        for statement in _find_missed(notice, statements, told):
            yield Untold(
                notice.publisher_id,
                slug,
                notice.number,
                key,
                statement.seq,
                statement.kind,
                notice.state == NoticeState.IN_EFFECT.value,
                told.last_try_at(statement),
            )


def _losing(statement: Statement) -> Select[int | None]:
    """Select the customers with a standing contact that did not get a statement."""
    # A question for each contact, of whom there are few and an index: a statement may have a million followers.
    its = (Delivery.statement_id == statement.id, Delivery.subscription_id == Subscription.id)
    state = select(Delivery.state).where(*its).correlate(Subscription).scalar_subquery()
    reason = select(Delivery.skip_reason).where(*its).correlate(Subscription).scalar_subquery()
    return select(Subscription.customer_id).where(
        Subscription.customer_id.is_not(None),
        Subscription.ended_at.is_(None),
        # Added to, so that no database looks through all of a publisher's subscriptions by their own index.
        Subscription.publisher_id + 0 == statement.publisher_id,
        or_(state.in_(LOST), reason.in_(CANNOT_BE_SENT)),
    )


def _load_told(
    session: Session,
    notice: Notice,
    statements: Sequence[Statement],
    customers: Sequence[int],
    known_lost: Mapping[str, Collection[int]],
) -> Iterator[tuple[str, _Told]]:
    """Yield each of these customers by its key, with what it was told; letters to ended contacts count as well."""
    ids = [statement.id for statement in statements]
    for some in _in_parts(customers):
        contacts = session.execute(
            select(Subscription.id, Subscription.customer_id).where(Subscription.customer_id.in_(some))
        ).all()
        letters: dict[int, dict[int, list[_Letter]]] = {each: {} for each in some}
        customer_of = {contact: customer for contact, customer in contacts if customer is not None}
        for of_contacts in _in_parts(list(customer_of)):
            rows = session.execute(
                select(
                    Delivery.subscription_id,
                    Delivery.statement_id,
                    Delivery.channel,
                    Delivery.state,
                    Delivery.skip_reason,
                    Delivery.accepted_at,
                    Attempt.finished_at,
                )
                .outerjoin(Attempt, and_(Attempt.delivery_id == Delivery.id, Attempt.n == Delivery.attempt_count))
                .where(Delivery.statement_id.in_(ids), Delivery.subscription_id.in_(of_contacts))
            )
            for contact, statement_id, channel, state, reason, accepted_at, tried_at in rows:
                letter = _Letter(channel, state, reason, accepted_at, tried_at)
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
            select(Customer.id, Customer.key, NoticeCustomer)
            .outerjoin(NoticeCustomer, of_notice)
            .where(Customer.id.in_(some))
            .order_by(Customer.key)
        )
        for customer_id, key, standing in standings:
            said = frozenset(acknowledged.get(customer_id, ()))
            yield key, _Told(letters[customer_id], said, standing, frozenset(known_lost.get(key, ())))


def _in_parts(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(ids), MOST_AT_ONCE):
        yield ids[start : start + MOST_AT_ONCE]


def _find_missed(notice: Notice, statements: Sequence[Statement], told: _Told) -> Iterator[Statement]:
    """Yield the statements of a notice that a customer did not get, and should have."""
    clock = next((each for each in reversed(statements) if each.restarts_clocks), None)
    state = told.standing.state if told.standing is not None else None
    if clock is None or state == DROPPED:
        return
    was_told = state in COUNTS_AS_TOLD or any(told.has(each) for each in statements if each.kind in EXPLAINS)
    is_pending = NoticeState(notice.state) in PENDING_STATES
    for statement in statements:
        if not told.lost(statement):
            continue
        if statement.id == clock.id and notice.state != NoticeState.WITHDRAWN.value:
            # Whom a pending notice waits for is named by `find_unreached`, with the time that is left.
            is_waited_for = is_pending and state == WAITING
            if not (is_waited_for or state in COUNTS_AS_TOLD or told.has_counted(statement)):
                yield statement
        elif was_told and not told.has(statement) and not _is_outdated(notice, clock, statements, statement, told):
            yield statement


def _is_outdated(
    notice: Notice, clock: Statement, statements: Sequence[Statement], missed: Statement, told: _Told
) -> bool:
    """Return whether a statement that a customer did not get says nothing any more that it should know."""
    if notice.state == NoticeState.WITHDRAWN.value:
        return missed.kind != StatementKind.WITHDRAWAL.value
    if missed.seq < clock.seq or (notice.state == NoticeState.IN_EFFECT.value and missed.kind in OUTDATED_BY_EFFECT):
        return True
    standing = told.standing
    served_at = standing.received_at if standing is not None and standing.state == SERVED else None
    if served_at is not None and served_at >= missed.made_at:
        # Whoever handed it over then told how things stood.
        return True
    if missed.kind == StatementKind.REMINDER.value and told.got_anything_after(missed.made_at):
        return True
    later = [each for each in statements if each.seq > missed.seq and told.has(each)]
    return any(each.kind in EXPLAINS or missed.kind not in EXPLAINS for each in later)
