"""Customers that a notice leaves out because their contract had ended, and whose contract runs (R17).

An end that was put in by mistake is put right; a contract is renewed while a notice is pending. By then the customer
has dropped out, or was left out as the notice was announced, and nothing brings it back by itself: whether the notice
concerns it is for a person to say (`add_forgotten_customer`). This is how that person comes to know.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from sqlalchemy import ColumnElement, and_, exists, false, or_, select, true, tuple_
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState, SkipReason
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.notices import local_date
from registry.domain.publishers import PublisherFacts
from registry.domain.standings import StandingState
from registry.domain.terms import Terms, find_terms
from registry.domain.told import TAKEN
from registry.domain.vocabulary import StatementKind
from registry.steps.left_out import contacts_of
from registry.steps.lookup import find_customer_terms, read_facts, runs_on
from registry.steps.one_by_one import NoteTrouble, find_in_one
from registry.steps.unreached import find_latest_receipt_under
from registry.steps.untold import LOOKED_BACK_FOR
from registry.tables import Customer, Delivery, Notice, NoticeCustomer, Publisher, Statement, Subscription

_A_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class RunsAgain:
    """One customer with a contract that runs, and a notice that leaves it out.

    `dropped_out`: it belonged to the notice until its contract ended; else it never did, and nobody there was told.
    `due_at` (UTC) is the last instant at which its receipt still allows the date that was told, or at which the notice
    takes effect if it received that already; None where no date waits for it.
    """

    publisher_id: int
    publisher: str
    notice: str
    customer: str
    dropped_out: bool
    state: NoticeState
    due_at: datetime | None

    @property
    def subject(self) -> tuple[str, str]:
        """What its task is about."""
        return ("customer", f"{self.publisher}/{self.notice}/{self.customer}")

    @property
    def facts(self) -> dict[str, object]:
        """What its task says."""
        ended = {"ended": self.state.value} if self.state not in PENDING_STATES else {}
        return {"notice": self.notice, "customer": self.customer, "dropped_out": self.dropped_out, **ended}


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
) -> list[tuple[Notice, bool]]:
    """Return the pending notices that leave this customer out though its contract runs, the oldest first.

    Each with whether it dropped out, as in `RunsAgain`.
    """
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
        (notice, each.dropped_out)
        for notice in notices
        for each in _find_in(session, now, publisher, notice, Customer.id == customer.id)
    ]


def _find_in(
    session: Session, now: datetime, publisher: Publisher, notice: Notice, which: ColumnElement[bool] | None = None
) -> Iterator[RunsAgain]:
    state = NoticeState(notice.state)
    dropped = NoticeCustomer.state == StandingState.DROPPED.value
    if state is NoticeState.WITHDRAWN:
        is_taken = Delivery.state.in_(TAKEN)
        knows_of_it = _has(notice, and_(Statement.kind == StatementKind.WITHDRAWAL.value, is_taken))
        left_out = and_(dropped, _has(notice, is_taken), ~knows_of_it)
    else:
        left_out = or_(dropped, _was_over_at_announcement(notice))
    rows = session.execute(
        select(Customer, NoticeCustomer)
        .outerjoin(
            NoticeCustomer, and_(NoticeCustomer.customer_id == Customer.id, NoticeCustomer.notice_id == notice.id)
        )
        .where(
            Customer.publisher_id == publisher.id,
            # Within a day of what counts in its own zone, which is looked at below.
            or_(Customer.contract_from.is_(None), Customer.contract_from <= (now + _A_DAY).date()),
            or_(Customer.contract_until.is_(None), Customer.contract_until >= (now - _A_DAY).date()),
            left_out,
            which if which is not None else true(),
        )
        .order_by(Customer.key)
    ).all()
    facts = read_facts(session, publisher) if rows else None
    for customer, standing in rows:
        terms = _find_terms_it_runs_by(session, now, facts, customer, standing) if facts is not None else None
        if terms is None:
            continue
        due_at = notice.effective_at if state in PENDING_STATES else None
        if standing is None or standing.received_at is None:
            due_at = find_latest_receipt_under(session, notice, terms)
        yield RunsAgain(publisher.id, publisher.slug, notice.number, customer.key, standing is not None, state, due_at)


def _was_over_at_announcement(notice: Notice) -> ColumnElement[bool]:
    """The condition by which a customer was left out of a notice as it was announced, and has had no letter since.

    It was known by then, and by what is known of its beginning its contract ran; or a letter was kept back from one of
    its contacts, for the contract was over. Whoever came later is told as it comes, and is no matter of this.
    """
    if notice.announced_at is None:
        return false()
    began = or_(Customer.contract_from.is_(None), Customer.contract_from <= notice.announced_at.date())
    was_kept_back = Delivery.skip_reason == SkipReason.CONTRACT_ENDED.value
    return and_(
        NoticeCustomer.customer_id.is_(None),
        or_(and_(Customer.created_at <= notice.announced_at, began), _has(notice, was_kept_back)),
        ~_has(
            notice, and_(Statement.restarts_clocks, or_(Delivery.state != DeliveryState.SKIPPED.value, ~was_kept_back))
        ),
    )


def _has(notice: Notice, such: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether a customer has such a letter of a notice, at a contact that stands or one that has ended."""
    letter: Any = (
        select(Delivery.id)
        .join(Statement, Statement.id == Delivery.statement_id)
        .where(Statement.notice_id == notice.id, Delivery.subscription_id == Subscription.id, such)
        .correlate(Subscription)
        .exists()
    )
    return exists().where(Subscription.customer_id == Customer.id, *contacts_of(notice.publisher_id), letter)


def _find_terms_it_runs_by(
    session: Session, now: datetime, facts: PublisherFacts, customer: Customer, standing: NoticeCustomer | None
) -> Terms | None:
    """Return the terms of a customer in a notice, the frozen ones if it has any; None where its contract does not run.

    It runs today by their zone and by that of the terms that count now: by these alone it might be added, and drop out
    again a minute later. Of terms that cannot be read nobody knows.
    """
    current = find_customer_terms(session, customer, facts.notice)
    frozen = find_terms(standing.terms) if standing is not None else current
    for terms in (current, frozen):
        if terms is None:
            return None
        if not runs_on(local_date(now, terms.time_zone), customer.contract_from, customer.contract_until):
            return None
    return frozen
