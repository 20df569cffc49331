"""A customer objects, and the publisher answers, in time or late (R25); and who no longer holds (R13, R21, R23)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.errors import IllegalTransition, InvalidInput, Problem
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.objections import (
    OPEN_OBJECTION_STATES,
    ObjectionEvent,
    ObjectionRoad,
    ObjectionState,
    next_objection_state,
)
from registry.domain.standings import HOLDING, StandingState, with_basis
from registry.domain.terms import find_terms
from registry.domain.text import refuse_unclean, refuse_unclean_line
from registry.steps.errors import FrozenTermsUnreadable, ReasonMissing, UnknownCustomer, UnknownObjection
from registry.steps.lookup import get_customer, lock_publisher
from registry.steps.objection_period import find_period
from registry.steps.receipts import find_told_at, start_clock
from registry.steps.record import Actor, record_event
from registry.tables import Notice, NoticeCustomer, Objection, Publisher

CURES = {
    "accommodated": ObjectionEvent.ACCOMMODATE,
    "withdrawn": ObjectionEvent.WITHDRAW,
    "terminated": ObjectionEvent.TERMINATE,
    "refunded": ObjectionEvent.REFUND,
    "other": ObjectionEvent.RESOLVE_OTHERWISE,
}


@dataclass(frozen=True)
class Objector:
    """Who objects, as far as is known: the name and company they gave, and the contact whose link they came by."""

    name: str | None = None
    company: str | None = None
    subscription_id: int | None = None


UNNAMED = Objector()


def record_objection(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    customer_key: str,
    actor: Actor,
    *,
    received_at: datetime,
    ground: str | None = None,
    road: ObjectionRoad | None = None,
    objector: Objector = UNNAMED,
    entry_keys: tuple[str, ...] | None = None,
) -> Objection:
    """Record that a customer objected at `received_at` (UTC). It holds the notice while open, if it came in time.

    In time is by the later of the deadline its letters printed and the one that follows from receipt. A late
    objection is recorded as late, one to a withdrawn notice as moot. `entry_keys` are the entries whose changes it is
    about, None for all. Raises `UnknownCustomer` for one the notice does not concern, and `InvalidInput` naming
    `received_at` for a moment to come, or before the notice was announced, or `ground` where people cannot read it.
    """
    refuse_unclean(ground=ground or "")
    lock_publisher(session, publisher, notice)
    customer = get_customer(session, publisher, customer_key)
    period = find_period(session, notice, customer)
    if period is None:
        raise UnknownCustomer(key=customer_key, publisher=publisher.slug, near=[], number=notice.number)
    _refuse_moment(now, notice, received_at)
    in_time = period.takes(received_at)
    state = ObjectionState.RECEIVED
    if notice.state == NoticeState.WITHDRAWN.value:
        state = next_objection_state(state, ObjectionEvent.NOTICE_WITHDRAWN)
    objection = Objection(
        publisher_id=publisher.id,
        notice_id=notice.id,
        customer_id=customer.id,
        subscription_id=objector.subscription_id,
        road=road.value if road else None,
        entry_keys=list(entry_keys) if entry_keys is not None else None,
        name=objector.name,
        company=objector.company,
        state=state.value,
        ground=ground,
        received_at=received_at,
        deadline_at=period.ends_at,
        is_in_time=in_time,
        resolved_at=None if state in OPEN_OBJECTION_STATES else now,
    )
    session.add(objection)
    session.flush()
    record_event(
        session,
        now,
        actor,
        "objection.received",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        customer_id=customer.id,
        objection=objection.id,
        road=objection.road,
        in_time=in_time,
    )
    return objection


def _refuse_moment(now: datetime, notice: Notice, received_at: datetime) -> None:
    if received_at > now:
        raise InvalidInput([Problem("received_at", received_at.isoformat(), "received-in-the-future")])
    told_at = notice.announced_at
    # What comes now is taken, also by a clock that was set back since.
    if told_at is not None and received_at < min(told_at, now):
        params: dict[str, object] = {"told_at": told_at}
        raise InvalidInput([Problem("received_at", received_at.isoformat(), "received-before-told", params)])


def resolve_objection(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    customer_key: str,
    actor: Actor,
    *,
    cure: str,
    note: str | None = None,
) -> list[Objection]:
    """Close the customer's open objections to the notice with one of `CURES` (R25); return them.

    Raises `UnknownObjection` where none is open, and `InvalidInput` for a `note` that people cannot read.
    """
    refuse_unclean(note=note or "")
    lock_publisher(session, publisher, notice)
    customer = get_customer(session, publisher, customer_key)
    open_ones = find_open_objections(session, notice, customer.id)
    if not open_ones:
        raise UnknownObjection(number=notice.number, customer=customer_key)
    for objection in open_ones:
        objection.state = next_objection_state(ObjectionState(objection.state), CURES[cure]).value
        objection.cure = note
        objection.resolved_at = now
        record_event(
            session,
            now,
            actor,
            "objection.resolved",
            subject=("notice", notice.number),
            publisher_id=publisher.id,
            customer_id=customer.id,
            objection=objection.id,
            cure=cure,
        )
    return open_ones


def find_open_objections(session: Session, notice: Notice, customer_id: int) -> list[Objection]:
    """Return the customer's objections to the notice that nobody has closed, oldest first."""
    query = select(Objection).where(
        Objection.notice_id == notice.id,
        Objection.customer_id == customer_id,
        Objection.state.in_([state.value for state in OPEN_OBJECTION_STATES]),
    )
    return list(session.scalars(query.order_by(Objection.id)))


def exempt_customer(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    customer_key: str,
    actor: Actor,
    *,
    basis: str,
) -> None:
    """Record that the customer no longer holds the notice, with its basis; neither receipt nor consent (R23)."""
    lock_publisher(session, publisher, notice)
    standing = get_standing(session, publisher, notice, customer_key)
    refuse_unless_pending(notice, "exempt")
    _need(basis, "basis")
    standing.state = StandingState.EXEMPT.value
    standing.basis = with_basis(standing.basis, basis)
    _record_standing(session, now, publisher, notice, standing, actor, "customer.exempted")


def record_service(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    customer_key: str,
    actor: Actor,
    *,
    served_at: datetime,
    document: str,
) -> None:
    """Record service by other means (post, courier) at `served_at` (UTC), with its document; the clock runs (R13).

    Where an earlier receipt counts already, its clock runs on, for the earliest one counts (R12). A customer that does
    not hold the notice any more goes on not holding it. Raises `InvalidInput` naming `served_at` for an instant that is
    still to come, or before what was served was made, `FrozenTermsUnreadable` where nobody can say how long its clock
    runs, and `IllegalTransition` for a notice that is not pending.
    """
    lock_publisher(session, publisher, notice)
    standing = get_standing(session, publisher, notice, customer_key)
    refuse_unless_pending(notice, "serve")
    if find_terms(standing.terms) is None:
        raise FrozenTermsUnreadable(customer=customer_key, publisher=publisher.slug, number=notice.number)
    _need(document, "document")
    if served_at > now:
        raise InvalidInput([Problem("served_at", served_at.isoformat(), "served-in-the-future")])
    told_at = find_told_at(session, notice.id)
    if told_at is not None and served_at < told_at:
        params: dict[str, object] = {"told_at": told_at.isoformat()}
        raise InvalidInput([Problem("served_at", served_at.isoformat(), "served-before-told", params)])
    if standing.received_at is None or served_at < standing.received_at:
        start_clock(
            standing, served_at, state=StandingState.SERVED.value if standing.state in HOLDING else standing.state
        )
    standing.basis = with_basis(standing.basis, document)
    _record_standing(session, now, publisher, notice, standing, actor, "customer.served")


def approve_for_customer(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    customer_key: str,
    actor: Actor,
    *,
    basis: str,
) -> None:
    """Record a customer's own approval, which terms with specific authorisation ask for (R21)."""
    lock_publisher(session, publisher, notice)
    standing = get_standing(session, publisher, notice, customer_key)
    refuse_unless_pending(notice, "approve_for")
    _need(basis, "basis")
    standing.approved_at = now
    standing.basis = with_basis(standing.basis, basis)
    _record_standing(session, now, publisher, notice, standing, actor, "customer.approved")


def get_standing(session: Session, publisher: Publisher, notice: Notice, customer_key: str) -> NoticeCustomer:
    """Return how the customer stands in the notice, or raise `UnknownCustomer`."""
    customer = get_customer(session, publisher, customer_key)
    standing = session.get(NoticeCustomer, (notice.id, customer.id))
    if standing is None:
        raise UnknownCustomer(key=customer_key, publisher=publisher.slug, near=[], number=notice.number)
    return standing


def refuse_unless_pending(notice: Notice, event: str) -> None:
    """Raise `IllegalTransition` for a decision about a notice that no customer can hold, or could, any more.

    How each one stood when it took effect, or was withdrawn, stays as it was.
    """
    if NoticeState(notice.state) not in PENDING_STATES:
        raise IllegalTransition(machine="notice", state=notice.state, event=event)


def _need(text: str, what: str) -> None:
    """Raise `ReasonMissing`, or `InvalidInput` for what is no line that people can read."""
    if not text.strip():
        raise ReasonMissing(what=what)
    refuse_unclean_line(**{what: text})


def _record_standing(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    standing: NoticeCustomer,
    actor: Actor,
    kind: str,
) -> None:
    record_event(
        session,
        now,
        actor,
        kind,
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        customer_id=standing.customer_id,
    )
    session.flush()
