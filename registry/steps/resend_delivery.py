"""A letter did not reach one contact of a customer: the same statement goes to another one (R13).

A statement goes to a subscription once (R15), so nothing here sends twice to the same. What a customer's clock makes of
the second letter is as for any other: the earliest receipt that counts starts it (R12).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.deliveries import DeliveryEvent, DeliveryState, SkipReason
from registry.domain.errors import IllegalTransition, RegistryError
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.told import CANNOT_BE_SENT
from registry.steps.addresses import is_row_suppressed
from registry.steps.audience_errors import NotAContact, UnknownContact
from registry.steps.contacts import add_contact
from registry.steps.fan_out import fan_out
from registry.steps.freeze_letters import freeze_missing
from registry.steps.lookup import lock_publisher
from registry.steps.make_statement import deliver_notice_to, list_told_to_joiners
from registry.steps.record import Actor, record_event
from registry.steps.settle_delivery import move_delivery
from registry.tables import Address, Customer, Delivery, Notice, Publisher, Statement, Subscription


class ContactToldAlready(RegistryError):
    """This statement went to that contact before, or is about to, or was lost. Params: customer, state."""

    code = "contact-told-already"


class ContactCannotBeTold(RegistryError):
    """Nothing is sent to that contact. Params: customer, because (a `SkipReason`, or `not_addressed`)."""

    code = "contact-cannot-be-told"


@dataclass(frozen=True)
class Resent:
    """The delivery that is due to another contact now; `is_new_contact`: the contact was added for it."""

    delivery: Delivery
    contact: Subscription
    is_new_contact: bool


def resend_to_contact(
    session: Session, now: datetime, publisher: Publisher, delivery: Delivery, contact_id: int, actor: Actor
) -> Resent:
    """Make the statement of a delivery due at `now` (UTC) to another contact of the same customer, by its row.

    One that stands by is called in, and so is one whose letter was skipped since its address was suppressed, once that
    is lifted. Whatever a contact who comes later is told goes along (R18). Raises `NotAContact`
    for a follower's delivery, `UnknownContact` for one that is no standing contact of that customer,
    `ContactToldAlready`, `ContactCannotBeTold` such as for a suppressed address, and `IllegalTransition` for a notice
    that is not pending any more.
    """
    customer, notice, statement = _load(session, publisher, delivery)
    contact = session.scalar(
        select(Subscription).where(
            Subscription.id == contact_id,
            Subscription.publisher_id == publisher.id,
            Subscription.customer_id == customer.id,
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
        )
    )
    if contact is None:
        raise UnknownContact(email=f"no. {contact_id}", customer=customer.key, publisher=publisher.slug)
    return _resend(session, now, publisher, delivery, (customer, notice, statement), contact, actor, is_new=False)


def resend_to_address(
    session: Session,
    now: datetime,
    publisher: Publisher,
    delivery: Delivery,
    email: str,
    actor: Actor,
    *,
    name: str | None = None,
) -> Resent:
    """Do the same for an address, which becomes a contact of the customer first where it is none (R34).

    Raises what `resend_to_contact` raises, and `InvalidInput` naming `email` for an address that cannot be.
    """
    customer, notice, statement = _load(session, publisher, delivery)
    added = add_contact(session, now, customer, email, actor, name=name)
    standing = (customer, notice, statement)
    return _resend(session, now, publisher, delivery, standing, added.subscription, actor, is_new=added.is_new)


def _load(session: Session, publisher: Publisher, delivery: Delivery) -> tuple[Customer, Notice, Statement]:
    row = session.execute(
        select(Customer, Notice, Statement)
        .select_from(Delivery)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Customer, Customer.id == Subscription.customer_id)
        .join(Statement, Statement.id == Delivery.statement_id)
        .join(Notice, Notice.id == Statement.notice_id)
        .where(Delivery.id == delivery.id, Delivery.publisher_id == publisher.id)
    ).one_or_none()
    if row is None:
        raise NotAContact(publisher=publisher.slug)
    customer, notice, statement = row
    lock_publisher(session, publisher, notice)
    if NoticeState(notice.state) not in PENDING_STATES:
        raise IllegalTransition(machine="notice", state=notice.state, event="resend")
    return customer, notice, statement


def _resend(
    session: Session,
    now: datetime,
    publisher: Publisher,
    delivery: Delivery,
    standing: tuple[Customer, Notice, Statement],
    contact: Subscription,
    actor: Actor,
    *,
    is_new: bool,
) -> Resent:
    customer, notice, statement = standing
    known = _find(session, statement, contact)
    may_go = _list_skips_that_are_over(session, contact)
    if known is None or known.skip_reason in may_go:
        _call_in(session, now, notice, statement, contact, may_go)
        # What was said while nothing could be sent to it was not made for it at all.
        deliver_notice_to(session, now, notice, contact)
        if known is None and _find(session, statement, contact) is None:
            # A statement after the announcement goes to whoever was told of that, which the contact is by now.
            freeze_missing(session, now, notice, statement, joiner=contact)
            fan_out(session, now, notice, statement, joiner=contact)
    elif not is_new and known.skip_reason not in CANNOT_BE_SENT:
        raise ContactToldAlready(customer=customer.key, state=known.state)
    made = _find(session, statement, contact)
    if made is None or made.state == DeliveryState.SKIPPED.value:
        because = made.skip_reason if made is not None else "not_addressed"
        raise ContactCannotBeTold(customer=customer.key, because=because)
    record_event(
        session,
        now,
        actor,
        "delivery.resent",
        subject=("delivery", str(made.id)),
        publisher_id=publisher.id,
        customer_id=customer.id,
        notice=notice.number,
        statement=statement.seq,
        instead_of=delivery.id,
    )
    session.flush()
    return Resent(made, contact, is_new)


def _find(session: Session, statement: Statement, contact: Subscription) -> Delivery | None:
    return session.scalar(
        select(Delivery)
        .where(Delivery.statement_id == statement.id, Delivery.subscription_id == contact.id)
        .execution_options(populate_existing=True)
    )


def _list_skips_that_are_over(session: Session, contact: Subscription) -> list[str]:
    """Return why letters to a contact may have been skipped that can go now: a person asks for them."""
    address = session.get_one(Address, contact.address_id, populate_existing=True)
    reasons = [SkipReason.STANDBY.value]
    if not is_row_suppressed(session, address):
        reasons.append(SkipReason.SUPPRESSED.value)
    if address.value is not None:
        reasons.append(SkipReason.NO_ADDRESS.value)
    return reasons


def _call_in(
    session: Session,
    now: datetime,
    notice: Notice,
    statement: Statement,
    contact: Subscription,
    skipped_because: Collection[str],
) -> None:
    """Let this statement go, and all that a contact would be told who joins today, where skipped for such a reason."""
    told = {statement.id, *(each.id for each in list_told_to_joiners(session, notice))}
    waiting = session.scalars(
        select(Delivery)
        .where(
            Delivery.subscription_id == contact.id,
            Delivery.statement_id.in_(told),
            Delivery.state == DeliveryState.SKIPPED.value,
            Delivery.skip_reason.in_(skipped_because),
        )
        .order_by(Delivery.id)
        .with_for_update(of=Delivery, key_share=True)
    )
    for each in waiting.all():
        move_delivery(each, DeliveryEvent.CALL_IN)
        each.due_at = now
    session.flush()
