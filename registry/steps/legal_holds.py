"""Legal holds: a person says that something is needed for a claim, and it stays until the hold is lifted (R36).

A claim, or the defence against one, outweighs a person's wish and the days of retention: what it needs stays (GDPR
art. 17(3)(e)). A hold covers everything of a publisher, one customer, or one notice:

- a customer: addresses and names of its contacts, the letters to them and what servers answered, its objections;
- a notice: every letter, answer and objection about it, and the addresses those letters went to.

Setting one protects and needs one person. Lifting one lets proof go, so where the publisher requires approvals it takes
another person than who set it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.text import Line
from registry.domain.validation import Document, read_model
from registry.steps.approvals import COMMAND_LINE
from registry.steps.audience_errors import (
    LegalHoldLifted,
    LegalHoldNeedsAnother,
    LegalHoldStands,
    UnknownLegalHold,
)
from registry.steps.errors import CommandLineMayNotApprove, ReasonMissing
from registry.steps.lookup import get_customer, get_notice, lock_publisher, read_facts
from registry.steps.record import Actor, record_event
from registry.tables import Customer, Delivery, LegalHold, Notice, Publisher, Statement, Subscription


class _Reasoned(Document):
    reason: Line


class HoldScope(StrEnum):
    """How far a hold reaches."""

    PUBLISHER = "publisher"
    CUSTOMER = "customer"
    NOTICE = "notice"


@dataclass(frozen=True)
class DescribedHold:
    """A hold with what it covers: `subject` is the publisher's slug, the customer's key or the notice's number."""

    hold: LegalHold
    scope: HoldScope
    subject: str


@dataclass(frozen=True)
class Holds:
    """The holds that stand on one publisher, as one transaction sees them."""

    standing: tuple[LegalHold, ...]

    @property
    def on_everything(self) -> LegalHold | None:
        """The hold on all of the publisher that was set first, None where there is none."""
        return next((hold for hold in self.standing if hold.customer_id is None and hold.notice_id is None), None)

    @property
    def customers(self) -> dict[int, LegalHold]:
        """The holds on customers, by the customer's row."""
        return {hold.customer_id: hold for hold in reversed(self.standing) if hold.customer_id is not None}

    @property
    def notices(self) -> dict[int, LegalHold]:
        """The holds on notices, by the notice's row."""
        return {hold.notice_id: hold for hold in reversed(self.standing) if hold.notice_id is not None}


def load_holds(session: Session, publisher_id: int) -> Holds:
    """Return the holds that stand. Who erases by them locks the publisher first, so that none comes in between."""
    standing = session.scalars(
        select(LegalHold)
        .where(LegalHold.publisher_id == publisher_id, LegalHold.lifted_at.is_(None))
        .order_by(LegalHold.id)
    )
    return Holds(tuple(standing))


def find_holds_on(session: Session, holds: Holds, subscriptions: Iterable[Subscription]) -> dict[int, LegalHold]:
    """Return which of these subscriptions are held, each with a hold that covers it, by the subscription's row."""
    given = list(subscriptions)
    if holds.on_everything is not None:
        return dict.fromkeys((each.id for each in given), holds.on_everything)
    found: dict[int, LegalHold] = {}
    if holds.notices:
        written_about = session.execute(
            select(Delivery.subscription_id, Statement.notice_id)
            .join(Statement, Statement.id == Delivery.statement_id)
            .where(
                Delivery.subscription_id.in_([each.id for each in given]), Statement.notice_id.in_(list(holds.notices))
            )
            .distinct()
        )
        found = {subscription_id: holds.notices[notice_id] for subscription_id, notice_id in written_about}
    customers = holds.customers
    return found | {each.id: customers[each.customer_id] for each in given if each.customer_id in customers}


def refuse_held_address(session: Session, publisher: Publisher, address_id: int) -> None:
    """Raise `LegalHoldStands` where a hold covers an address: all of the publisher, or any use of the address."""
    hold = find_hold_on_address(session, load_holds(session, publisher.id), address_id)
    if hold is not None:
        described = describe_hold(session, hold)
        raise LegalHoldStands(
            publisher=publisher.slug,
            hold=hold.id,
            scope=described.scope,
            subject=described.subject,
            reason=hold.reason,
        )


def find_hold_on_address(session: Session, holds: Holds, address_id: int) -> LegalHold | None:
    """Return a hold that covers any use of an address, or None."""
    if not holds.standing or holds.on_everything is not None:
        return holds.on_everything
    uses = session.scalars(select(Subscription).where(Subscription.address_id == address_id)).all()
    return next(iter(find_holds_on(session, holds, uses).values()), None)


def set_legal_hold(
    session: Session,
    now: datetime,
    publisher: Publisher,
    actor: Actor,
    *,
    reason: str,
    customer_key: str | None = None,
    number: str | None = None,
) -> LegalHold:
    """Keep everything of the publisher, of one customer, or of one notice, from `now` on until the hold is lifted.

    Each claim has a hold of its own, so that lifting one leaves the others; `reason` names it, in one line without
    personal data. Raises `ReasonMissing`, `InvalidInput`, `UnknownCustomer` or `UnknownNotice`; ValueError for a
    customer and a notice at once.
    """
    if customer_key is not None and number is not None:
        raise ValueError("a hold covers a customer or a notice, not both")
    lock_publisher(session, publisher)
    customer = get_customer(session, publisher, customer_key) if customer_key is not None else None
    notice = get_notice(session, publisher, number) if number is not None else None
    hold = LegalHold(
        publisher_id=publisher.id,
        customer_id=customer.id if customer else None,
        notice_id=notice.id if notice else None,
        reason=_read_reason(reason),
        set_at=now,
        set_by=actor.name,
    )
    session.add(hold)
    session.flush()
    _record(session, now, hold, actor, "legal_hold.set")
    return hold


def lift_legal_hold(
    session: Session, now: datetime, publisher: Publisher, hold_id: int, actor: Actor, *, reason: str
) -> LegalHold:
    """Lift a hold; what is due by its retention and under no other hold is erased by the next sweep.

    Where the publisher requires approvals, raises `LegalHoldNeedsAnother` for who set it, and
    `CommandLineMayNotApprove` where a name that is only claimed cannot be the second person (R16). Raises
    `UnknownLegalHold`, `LegalHoldLifted`, `ReasonMissing` and `InvalidInput`.
    """
    lock_publisher(session, publisher)
    hold = session.scalar(select(LegalHold).where(LegalHold.publisher_id == publisher.id, LegalHold.id == hold_id))
    if hold is None:
        known = [str(each.id) for each in load_holds(session, publisher.id).standing]
        raise UnknownLegalHold(hold=hold_id, publisher=publisher.slug, near=[], known=known)
    if hold.lifted_at is not None:
        raise LegalHoldLifted(hold=hold_id, publisher=publisher.slug, lifted_at=hold.lifted_at)
    because = _read_reason(reason)
    facts = read_facts(session, publisher)
    if facts.approvals_required:
        if actor.via == COMMAND_LINE and not facts.command_line_may_approve:
            raise CommandLineMayNotApprove(publisher=publisher.slug)
        if actor.name.strip().casefold() == hold.set_by.strip().casefold():
            raise LegalHoldNeedsAnother(hold=hold_id, publisher=publisher.slug, actor=actor.name)
    hold.lifted_at, hold.lifted_by, hold.lifted_because = now, actor.name, because
    session.flush()
    _record(session, now, hold, actor, "legal_hold.lifted")
    return hold


def list_legal_holds(session: Session, publisher: Publisher, *, with_lifted: bool = False) -> list[DescribedHold]:
    """Return the holds that stand, or all there ever were, with what each covers; the first one first."""
    holds = select(LegalHold).where(LegalHold.publisher_id == publisher.id).order_by(LegalHold.id)
    if not with_lifted:
        holds = holds.where(LegalHold.lifted_at.is_(None))
    return [describe_hold(session, hold) for hold in session.scalars(holds).all()]


def describe_hold(session: Session, hold: LegalHold) -> DescribedHold:
    """Return a hold with what it covers."""
    if hold.customer_id is not None:
        return DescribedHold(hold, HoldScope.CUSTOMER, session.get_one(Customer, hold.customer_id).key)
    if hold.notice_id is not None:
        return DescribedHold(hold, HoldScope.NOTICE, session.get_one(Notice, hold.notice_id).number)
    return DescribedHold(hold, HoldScope.PUBLISHER, session.get_one(Publisher, hold.publisher_id).slug)


def _read_reason(reason: str) -> str:
    if not reason.strip():
        raise ReasonMissing(what="reason")
    return read_model(_Reasoned, {"reason": reason}).reason


def _record(session: Session, now: datetime, hold: LegalHold, actor: Actor, kind: str) -> None:
    described = describe_hold(session, hold)
    # The reason stays in its row: what people type may name somebody, and the record must not (R39).
    record_event(
        session,
        now,
        actor,
        kind,
        subject=("legal_hold", str(hold.id)),
        publisher_id=hold.publisher_id,
        scope=described.scope.value,
        of=described.subject,
    )
