"""A customer that a pending notice forgot is added by a person, or brought back once its contract runs again (R17)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, select, update
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryState, SkipReason
from registry.domain.errors import IllegalTransition
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.notices import local_date
from registry.domain.standings import StandingState
from registry.domain.terms import Terms, find_terms
from registry.domain.vocabulary import StatementKind
from registry.steps.errors import ContractNotRunning, TermsUnreadable
from registry.steps.fan_out import find_skip_reason, select_addressed
from registry.steps.lookup import find_customer_terms, get_customer, lock_publisher, read_facts, runs_on
from registry.steps.make_statement import deliver_notice_to, list_told_to_joiners
from registry.steps.notice_customers import DROPPED_OUT
from registry.steps.receipts import find_told_at, start_clock, starts_clocks, update_clock
from registry.steps.record import Actor, record_event
from registry.tables import Customer, Delivery, Event, Notice, NoticeCustomer, Publisher, Subscription


@dataclass(frozen=True)
class AddedCustomer:
    """How a customer stands in a notice that it was added to.

    `is_changed` is false where it stood there already. `letters_due` counts those that are due to its contacts.
    """

    standing: NoticeCustomer
    is_changed: bool
    letters_due: int


def say_added(customer: str, number: str, added: AddedCustomer) -> str:
    """Return what became of adding a customer, in one sentence for the team; `number` is the notice's."""
    stands = f"{customer} stands in notice {number} " + ("now" if added.is_changed else "already")
    if not added.letters_due:
        return f"{stands}; no letter is due to it: its contacts have what was said, or there is none to be told."
    letters = "1 letter is" if added.letters_due == 1 else f"{added.letters_due} letters are"
    return f"{stands}, and {letters} due to its contacts."


def add_forgotten_customer(
    session: Session, now: datetime, publisher: Publisher, notice: Notice, customer_key: str, actor: Actor
) -> AddedCustomer:
    """Add a customer that a pending notice should have concerned, and tell its contacts what they have not got (R17).

    It holds the notice from now on, with the terms that count for it now; a letter that reached it already counts. One
    that stands in the notice stays as it is, but for terms that cannot be read: they are set anew, by those that count
    for it now, and its clock runs by them from the receipt on record. One that dropped out is back as it stood before:
    with its terms, its receipt, and what a person decided about it, but for what a correction has let lapse. Raises
    `IllegalTransition` for a notice that is not pending, `UnknownCustomer`, `TermsUnreadable` for those that count for
    it now, and `ContractNotRunning`.
    """
    lock_publisher(session, publisher, notice)
    if NoticeState(notice.state) not in PENDING_STATES:
        raise IllegalTransition(machine="notice", state=notice.state, event="add_customer")
    customer = get_customer(session, publisher, customer_key)
    _wait_for_letters_that_settle(session, notice, customer)
    standing = session.get(
        NoticeCustomer, (notice.id, customer.id), populate_existing=True, with_for_update={"key_share": True}
    )
    is_readable = standing is not None and find_terms(standing.terms) is not None
    if standing is not None and standing.state != StandingState.DROPPED and is_readable:
        return AddedCustomer(standing, is_changed=False, letters_due=_tell(session, now, notice, customer))
    terms = _terms_of_running(session, now, publisher, customer)
    if standing is None:
        standing = NoticeCustomer(
            notice_id=notice.id,
            customer_id=customer.id,
            publisher_id=publisher.id,
            terms=terms.model_dump(mode="json"),
            state=StandingState.WAITING.value,
        )
        session.add(standing)
    elif not is_readable:
        standing.terms = terms.model_dump(mode="json")
        start_clock(standing, standing.received_at, state=standing.state)
    if standing.state == StandingState.DROPPED:
        standing.state = _find_state_before(session, publisher, notice, standing)
    session.flush()
    record_event(
        session,
        now,
        actor,
        "customer.added_to_notice",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        customer_id=customer.id,
        state=standing.state,
    )
    letters_due = _tell(session, now, notice, customer)
    update_clock(session, now, standing)
    session.flush()
    return AddedCustomer(standing, is_changed=True, letters_due=letters_due)


def _wait_for_letters_that_settle(session: Session, notice: Notice, customer: Customer) -> None:
    """Lock the letters that can start the customer's clock, in the order in which whoever settles one locks (R12).

    A receipt that is being written finds nobody to count for before the customer stands in the notice.
    """
    session.execute(
        select(Delivery.id)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .where(
            Subscription.customer_id == customer.id,
            Delivery.statement_id == starts_clocks(notice.id).scalar_subquery(),
        )
        .with_for_update(of=Delivery, key_share=True)
    )


def _terms_of_running(session: Session, now: datetime, publisher: Publisher, customer: Customer) -> Terms:
    terms = find_customer_terms(session, customer, read_facts(session, publisher).notice)
    if terms is None:
        raise TermsUnreadable(customer=customer.key, publisher=publisher.slug)
    if not runs_on(local_date(now, terms.time_zone), customer.contract_from, customer.contract_until):
        raise ContractNotRunning(customer=customer.key)
    return terms


def _find_state_before(session: Session, publisher: Publisher, notice: Notice, standing: NoticeCustomer) -> str:
    """Return how a customer stood before it dropped out; what was told or recorded since counts."""
    received = (StandingState.RECEIVED if standing.received_at is not None else StandingState.WAITING).value
    dropped, served = (
        session.scalars(
            select(Event)
            .where(
                Event.publisher_id == publisher.id,
                Event.subject_kind == "notice",
                Event.subject == notice.number,
                Event.kind == kind,
                Event.payload["customer_id"].as_integer() == standing.customer_id,
            )
            .order_by(Event.id.desc())
            .limit(1)
        ).one_or_none()
        for kind in (DROPPED_OUT, "customer.served")
    )
    told_at = find_told_at(session, notice.id)
    was_served_since = (
        served is not None and (dropped is None or served.id > dropped.id) and (told_at is None or served.at >= told_at)
    )
    if was_served_since and standing.received_at is not None:
        return StandingState.SERVED.value
    if dropped is None or (told_at is not None and told_at >= dropped.at):
        # A correction has started clocks anew since.
        return received
    was: str = dropped.payload.get("was", received)
    return received if was in (StandingState.WAITING, StandingState.RECEIVED) else was


def _tell(session: Session, now: datetime, notice: Notice, customer: Customer) -> int:
    """Tell a customer's contacts what they have not got; return how many letters are due to them."""
    for statement in list_told_to_joiners(session, notice):
        _let_go(session, now, notice, statement.id, StatementKind(statement.kind), customer)
    contacts = session.scalars(
        select(Subscription)
        .where(Subscription.customer_id == customer.id, Subscription.ended_at.is_(None))
        .order_by(Subscription.rank, Subscription.id)
    ).all()
    return sum(deliver_notice_to(session, now, notice, contact) for contact in contacts)


def _let_go(
    session: Session, now: datetime, notice: Notice, statement_id: int, kind: StatementKind, customer: Customer
) -> None:
    """Let a statement's letters go that were kept back because the contract seemed to have ended; none was tried.

    But for those that another reason keeps back by now, which they are skipped for instead.
    """
    reason = find_skip_reason(session, now, notice, kind)
    kept_back = and_(
        Delivery.subscription_id == Subscription.id,
        Delivery.statement_id == statement_id,
        Delivery.state == DeliveryState.SKIPPED.value,
        Delivery.skip_reason == SkipReason.CONTRACT_ENDED.value,
    )
    rows = session.execute(
        select_addressed(notice, kind)
        .join(Delivery, kept_back)
        .where(Subscription.customer_id == customer.id)
        .with_only_columns(Delivery.id, reason)
    ).all()
    for number, why in rows:
        values = (
            {"skip_reason": why}
            if why is not None
            else {"state": DeliveryState.PENDING.value, "skip_reason": None, "due_at": now}
        )
        session.execute(update(Delivery).where(Delivery.id == number).values(**values))
    session.flush()
