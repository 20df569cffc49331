"""Customers that a notice leaves out since their contract did not run by what was on record, and that runs (R17).

An end that was put in by mistake is put right; a contract is renewed while a notice is pending. By then the customer
has dropped out, or was left out as the notice was announced, and nothing brings it back by itself: whether the notice
concerns it is for a person to say (`add_forgotten_customer`). This is how that person comes to know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, exists, func, or_, select, true, tuple_
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryNote, DeliveryState, SkipReason
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.notices import local_date
from registry.domain.publishers import PublisherFacts
from registry.domain.standings import StandingState
from registry.domain.terms import Terms, find_terms
from registry.domain.told import TAKEN
from registry.domain.vocabulary import StatementKind
from registry.steps.left_out import contacts_of
from registry.steps.lookup import find_customer_terms, read_facts, runs_on
from registry.steps.notice_customers import DROPPED_OUT
from registry.steps.one_by_one import NoteTrouble, find_in_one
from registry.steps.receipts import find_told_at, starts_clocks
from registry.steps.unreached import date_waits, find_latest_receipt_under
from registry.steps.untold import LOOKED_BACK_FOR
from registry.tables import (
    Acknowledgement,
    Customer,
    Delivery,
    Event,
    Notice,
    NoticeCustomer,
    Publisher,
    Statement,
    Subscription,
)

_A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class RunsAgain:
    """One customer with a contract that runs, and a notice that leaves it out.

    `dropped_out`: it belonged to the notice until its contract ended; else it never did. `told`: somebody there has the
    notice, or may get it. `due_at` (UTC) is the last instant at which its receipt still allows the date that was told,
    or at which the notice takes effect if it received that already; None where no date waits for it. `since` (UTC) is
    the last thing about it that a person who decides should know.
    """

    publisher_id: int
    publisher: str
    notice: str
    customer: str
    dropped_out: bool
    told: bool
    state: NoticeState
    due_at: datetime | None
    since: datetime | None

    @property
    def subject(self) -> tuple[str, str]:
        """What its task is about."""
        return ("customer", f"{self.publisher}/{self.notice}/{self.customer}")

    @property
    def facts(self) -> dict[str, object]:
        """What its task says."""
        ended = {"ended": self.state.value} if self.state not in PENDING_STATES else {}
        about = {"dropped_out": self.dropped_out, "told": self.told}
        return {"notice": self.notice, "customer": self.customer, **about, **ended}

    def was_seen_to(self, closed_at: datetime | None) -> bool:
        """Return whether a person who closed its task at `closed_at` (UTC; None for nobody) knew all there is."""
        return closed_at is not None and (self.since is None or self.since <= closed_at)


def find_contracts_that_run_again(
    session: Session, now: datetime, note_trouble: NoteTrouble, known: Collection[tuple[int | None, str]] = ()
) -> Iterator[RunsAgain]:
    """Yield every customer that a notice leaves out though its contract runs.

    Of notices that are pending or ended in the last 30 days, and of those that open tasks are about (`known`: publisher
    and number). Once a notice has ended, those that should know what became of it: of a withdrawn one only who heard of
    it. A notice that cannot be read keeps no other from being looked at: `note_trouble` is told the error.
    """
    ended_since = now - LOOKED_BACK_FOR
    of_tasks = {(publisher_id, number) for publisher_id, number in known if publisher_id is not None}
    notices = session.execute(
        select(Notice, Publisher)
        .join(Publisher, Publisher.id == Notice.publisher_id)
        .where(
            Notice.announced_at.is_not(None),
            or_(
                Notice.state.in_([state.value for state in PENDING_STATES]),
                Notice.took_effect_at > ended_since,
                Notice.withdrawn_at > ended_since,
                tuple_(Notice.publisher_id, Notice.number).in_(of_tasks),
            ),
        )
        .order_by(Notice.id)
    ).all()
    for notice, publisher in notices:
        yield from find_in_one(partial(_find_in, session, now, publisher, notice), note_trouble)


def list_pending_without(
    session: Session, now: datetime, publisher: Publisher, customer: Customer
) -> list[tuple[Notice, RunsAgain]]:
    """Return the pending notices that leave this customer out though its contract runs, the oldest first."""
    notices = session.scalars(
        select(Notice)
        .where(
            Notice.publisher_id == publisher.id,
            Notice.announced_at.is_not(None),
            Notice.state.in_([state.value for state in PENDING_STATES]),
        )
        .order_by(Notice.id)
    ).all()
    return [
        (notice, each)
        for notice in notices
        for each in _find_in(session, now, publisher, notice, Customer.id == customer.id)
    ]


def _find_in(
    session: Session, now: datetime, publisher: Publisher, notice: Notice, which: ColumnElement[bool] | None = None
) -> Iterator[RunsAgain]:
    rows = session.execute(_select_left_out(now, notice).where(which if which is not None else true())).all()
    facts = read_facts(session, publisher) if rows else None
    for customer, standing, was_kept_back, is_told in rows:
        terms = _find_terms_it_runs_by(session, now, facts, customer, standing) if facts is not None else None
        if terms is None:
            continue
        if standing is None and not _concerns(session, notice, customer, terms, was_kept_back, is_told):
            continue
        state = NoticeState(notice.state)
        due_at = find_latest_receipt_under(session, notice, terms)
        if standing is not None and standing.received_at is not None:
            due_at = notice.effective_at if state in PENDING_STATES else None
        yield RunsAgain(
            publisher_id=publisher.id,
            publisher=publisher.slug,
            notice=notice.number,
            customer=customer.key,
            dropped_out=standing is not None,
            told=is_told,
            state=state,
            due_at=due_at,
            since=_find_last_news(session, notice, customer) if standing is not None else None,
        )


def _select_left_out(now: datetime, notice: Notice) -> Select[Customer, NoticeCustomer, bool, bool]:
    """Select the customers that dropped out of a notice, or do not stand in it, and whose contract may run.

    Each with how it stands, whether a letter was kept back from it for the end of its contract, and whether it has, or
    may get, the statement that clocks run from.
    """
    kept_back = Delivery.skip_reason == SkipReason.CONTRACT_ENDED.value
    clock = Delivery.statement_id == starts_clocks(notice.id).correlate(None).scalar_subquery()
    was_kept_back = _has(notice, kept_back)
    is_told = _has(notice, and_(clock, or_(Delivery.state != DeliveryState.SKIPPED.value, ~kept_back)))
    dropped = NoticeCustomer.state == StandingState.DROPPED.value
    if notice.state == NoticeState.WITHDRAWN.value:
        left_out = and_(dropped, _heard_of(notice), ~_knows_of_withdrawal(notice))
    else:
        # Whoever came later is told as it comes, and is no matter of this.
        ran_by = (notice.announced_at + _A_DAY).date() if notice.announced_at is not None else None
        had_begun = or_(Customer.contract_from.is_(None), Customer.contract_from <= ran_by)
        was_known = or_(and_(Customer.created_at < notice.announced_at, had_begun), was_kept_back)
        left_out = or_(dropped, and_(NoticeCustomer.customer_id.is_(None), was_known))
    # A contract that began once the notice had ended is another one.
    ended_at = notice.took_effect_at or notice.withdrawn_at
    began_by = ended_at.date() if ended_at is not None else (now + _A_DAY).date()
    stands = and_(NoticeCustomer.customer_id == Customer.id, NoticeCustomer.notice_id == notice.id)
    return (
        select(Customer, NoticeCustomer, was_kept_back, is_told)
        .outerjoin(NoticeCustomer, stands)
        .where(
            Customer.publisher_id == notice.publisher_id,
            # Within a day of what counts in its own zone, which is looked at for each.
            or_(Customer.contract_from.is_(None), Customer.contract_from <= began_by),
            or_(Customer.contract_until.is_(None), Customer.contract_until >= (now - _A_DAY).date()),
            left_out,
        )
        .order_by(Customer.key)
    )


def _concerns(
    session: Session, notice: Notice, customer: Customer, terms: Terms, was_kept_back: bool, is_told: bool
) -> bool:
    """Return whether a notice that a customer does not stand in may concern it, by what is known of its contract now.

    Where it is told, all that is left is to wait for it: by a notice that waits for its customers, and if its contract
    ran as that was announced.
    """
    if notice.announced_at is None:
        return False
    announced_on = local_date(notice.announced_at, terms.time_zone)
    had_begun = customer.contract_from is None or customer.contract_from <= announced_on
    if not is_told:
        return was_kept_back or had_begun
    is_pending = NoticeState(notice.state) in PENDING_STATES
    return is_pending and had_begun and customer.created_at < notice.announced_at and date_waits(session, notice)


def _heard_of(notice: Notice) -> ColumnElement[bool]:
    """Whether a customer has, or may have, any letter of a notice, or was told by other means, or acknowledged one."""
    return or_(
        _has(notice, or_(Delivery.state.in_(TAKEN), Delivery.note == DeliveryNote.MAY_HAVE_ARRIVED.value)),
        NoticeCustomer.received_at.is_not(None),
        _acknowledged(notice),
    )


def _knows_of_withdrawal(notice: Notice) -> ColumnElement[bool]:
    is_withdrawal = Statement.kind == StatementKind.WITHDRAWAL.value
    return or_(_has(notice, and_(is_withdrawal, Delivery.state.in_(TAKEN))), _acknowledged(notice, is_withdrawal))


def _acknowledged(notice: Notice, which: ColumnElement[bool] | None = None) -> ColumnElement[bool]:
    return exists().where(
        Acknowledgement.customer_id == Customer.id,
        Acknowledgement.statement_id == Statement.id,
        Statement.notice_id == notice.id,
        which if which is not None else true(),
    )


def _has(notice: Notice, such: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a customer has such a letter of a notice, at a contact that stands or one that has ended."""
    letter = (
        select(Delivery.id)
        .join(Statement, Statement.id == Delivery.statement_id)
        .where(Statement.notice_id == notice.id, Delivery.subscription_id == Subscription.id, such)
        .correlate(Subscription)
        .exists()
    )
    return exists().where(Subscription.customer_id == Customer.id, *contacts_of(notice.publisher_id), letter)


def _find_last_news(session: Session, notice: Notice, customer: Customer) -> datetime | None:
    """Return when (UTC) a customer dropped out last, a correction started clocks anew, or the notice was withdrawn."""
    dropped_at = session.scalar(
        select(func.max(Event.at)).where(
            Event.publisher_id == notice.publisher_id,
            Event.subject_kind == "notice",
            Event.subject == notice.number,
            Event.kind == DROPPED_OUT,
            Event.payload["customer_id"].as_integer() == customer.id,
        )
    )
    every = (dropped_at, find_told_at(session, notice.id), notice.withdrawn_at)
    return max((at for at in every if at is not None), default=None)


def _find_terms_it_runs_by(
    session: Session, now: datetime, facts: PublisherFacts, customer: Customer, standing: NoticeCustomer | None
) -> Terms | None:
    """Return the terms of a customer in a notice, the frozen ones if it has any; None where its contract does not run.

    It runs today by their zone and by that of the terms that count now: by these alone it might be added, and drop out
    again a minute later. Those that cannot be read say nothing.
    """
    current = find_customer_terms(session, customer, facts.notice)
    frozen = find_terms(standing.terms) if standing is not None else None
    readable = [terms for terms in (frozen, current) if terms is not None]
    for terms in readable:
        if not runs_on(local_date(now, terms.time_zone), customer.contract_from, customer.contract_until):
            return None
    return readable[0] if readable else None
