"""A message to the bounce address: it becomes an outcome, or it waits for a person, and never goes away (R12, R36).

    message ──▶ which letter is it about?  the signed return path (VERP); else its Message-ID, and whom it went to
            ──▶ what does it say?          a bounce, a delivery, a complaint ──▶ an outcome of that letter
                                           anything else, or about no letter ──▶ kept whole, and a task for the team

Anybody can write a bounce. One counts that names its letter by what only this installation can sign, or by a Message-ID
that nobody can guess, together with the address it went to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.outcomes import OutcomeKind, choose_bounce_kind
from registry.domain.vocabulary import ChannelKind
from registry.letters.return_path import DELIMITER, read_return_path
from registry.readers.bounce_message import (
    AutoReply,
    Bounce,
    BounceMessage,
    Complaint,
    DeliveryConfirmation,
    Permanence,
    UnreadableBounce,
    UnreadableReason,
    read_bounce,
)
from registry.steps.check_addresses import find_check, record_check_outcome
from registry.steps.insert_once import insert_once
from registry.steps.keyring import Keyring, Purpose
from registry.steps.record import Actor
from registry.steps.record_outcome import record_outcome
from registry.steps.settle_delivery import DATABASE_TROUBLE
from registry.steps.tasks import TaskKind, open_task
from registry.tables import (
    Address,
    AddressCheck,
    Customer,
    Delivery,
    Notice,
    Publisher,
    Statement,
    StoredMail,
    Subscription,
)

DSN: Final = "dsn"
"""The provider under which outcomes that came by mail stand in the record."""
BY_MAIL: Final = Actor("mail server", "mail to the bounce address")

AUTO_REPLY: Final = "auto-reply"
UNMATCHED: Final = "unmatched"


class Happened(StrEnum):
    """What became of a message."""

    RECORDED = "recorded"
    """It is an outcome of a letter now."""
    KNOWN = "known"
    """The same message came before."""
    KEPT = "kept"
    """It is kept whole, and a task asks a person to read it."""
    ADDRESS_FAILS = "address_fails"
    """A test of one of the publisher's own addresses came back, and a task says so."""
    ADDRESS_ANSWERS = "address_answers"
    """A test of one of the publisher's own addresses arrived, or waits: nothing to do."""


@dataclass(frozen=True)
class Received:
    """What became of a message. `kind` is the outcome recorded, `mail` the number of the message that is kept.

    `reason` is why it is kept: `auto-reply`, `unmatched` (read, and about no letter known here), or the reader's.
    """

    happened: Happened
    kind: OutcomeKind | None = None
    delivery: int | None = None
    mail: int | None = None
    reason: str | None = None


def receive_mail(
    session: Session, now: datetime, keyring: Keyring, bounce_address: str | None, message: bytes, recipient: str | None
) -> Received:
    """Take one message to the bounce address, and say what became of it. The same one twice counts once.

    `recipient` is the address that it was delivered to, as the mail server says, and None where it does not say: then
    the message's own headers are looked at. Without a `bounce_address` letters are known by their Message-ID alone.
    Only an error of the database is raised, and then the mail server must keep the message and bring it again.
    """
    sha256 = hashlib.sha256(message).hexdigest()
    try:
        with session.begin_nested():
            return _receive(session, now, keyring, bounce_address, message, sha256, recipient)
    except DATABASE_TROUBLE:
        raise
    except Exception:  # noqa: BLE001 - raised, the mail server would bring the message again for days and then drop it
        return _keep(session, now, sha256, message, UnreadableReason.BROKEN.value, None, None)


def _receive(
    session: Session,
    now: datetime,
    keyring: Keyring,
    bounce_address: str | None,
    message: bytes,
    sha256: str,
    recipient: str | None,
) -> Received:
    report = read_bounce(message)
    paths = [path for path in (recipient, *report.delivered_to) if path is not None]
    check = _find_check(session, keyring, bounce_address, paths, report)
    if check is not None:
        return _receive_about_check(session, now, sha256, message, report, check)
    delivery = _find_delivery(session, keyring, bounce_address, paths, report)
    kind = _choose_kind(report)
    if kind is None or delivery is None:
        reason = _reason_of(report) if kind is None else UNMATCHED
        publisher_id = delivery.publisher_id if delivery is not None else None
        return _keep(session, now, sha256, message, reason, publisher_id, delivery)
    is_new = record_outcome(
        session,
        now,
        provider=DSN,
        event_id=sha256,
        message_id=delivery.message_id,
        kind=kind,
        happened_at=report.happened_at or now,
        actor=BY_MAIL,
        detail=" ".join(part for part in (report.status, report.diagnostic) if part) or None,
    )
    return Received(Happened.RECORDED if is_new else Happened.KNOWN, kind=kind, delivery=delivery.id)


def _choose_kind(report: BounceMessage) -> OutcomeKind | None:
    """Return the outcome that a report states, None where a person must read it."""
    match report:
        case Bounce():
            is_permanent = report.permanence is Permanence.PERMANENT
            return choose_bounce_kind(report.status, is_permanent=is_permanent, gave_up=report.gave_up)
        case DeliveryConfirmation():
            return OutcomeKind(report.action.value)
        case Complaint():
            return OutcomeKind.COMPLAINED
        case _:
            return None


def _reason_of(report: BounceMessage) -> str:
    return report.reason.value if isinstance(report, UnreadableBounce) else AUTO_REPLY


def _find_delivery(
    session: Session, keyring: Keyring, bounce_address: str | None, paths: Iterable[str], report: BounceMessage
) -> Delivery | None:
    """Return the delivery that a message is about, or None."""
    for number, token in _named_by(keyring, "bounce", bounce_address, paths):
        delivery = session.get(Delivery, number)
        if delivery is not None and delivery.message_id and keyring.could_sign_for(token, delivery.created_at):
            return delivery
    if report.original_message_id is None:
        return None
    row = session.execute(
        select(Delivery, Address)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .join(Address, Address.id == Subscription.address_id)
        .where(Delivery.message_id == report.original_message_id)
    ).one_or_none()
    if row is None:
        return None
    delivery, address = row
    is_to_it = address.lookup_hmac in {keyring.lookup(ChannelKind.EMAIL.value, each) for each in report.recipients}
    # An automatic answer names nobody but its writer, and moves nothing: it only waits for a person beside its letter.
    is_for_a_person = not report.recipients and _choose_kind(report) is None
    return delivery if is_to_it or is_for_a_person else None


def _find_check(
    session: Session, keyring: Keyring, bounce_address: str | None, paths: Iterable[str], report: BounceMessage
) -> AddressCheck | None:
    for number, token in _named_by(keyring, "check", bounce_address, paths):
        check = session.get(AddressCheck, number)
        if check is not None and keyring.could_sign_for(token, check.sent_at):
            return check
    return find_check(session, report.original_message_id) if report.original_message_id is not None else None


def _named_by(
    keyring: Keyring, purpose: Purpose, bounce_address: str | None, paths: Iterable[str]
) -> Iterable[tuple[int, str]]:
    """Yield the rows that signed return paths name, each with the token that names it."""
    if bounce_address is None:
        return
    for path in paths:
        number = read_return_path(path, bounce_address, partial(keyring.sign, purpose))
        if number is not None:
            mailbox = path.strip().lower().rpartition("@")[0]
            yield number, mailbox.removeprefix(f"{bounce_address.lower().rpartition('@')[0]}{DELIMITER}")


def _receive_about_check(
    session: Session, now: datetime, sha256: str, message: bytes, report: BounceMessage, check: AddressCheck
) -> Received:
    """Take what came of a test letter.

    An automatic answer to it shows that the address takes mail. It is not kept: a support desk that answers every
    letter would fill the team's list with one a day.
    """
    kind = _choose_kind(report)
    if kind is None and not isinstance(report, AutoReply):
        return _keep(session, now, sha256, message, _reason_of(report), check.publisher_id, None)
    if kind is not None and record_check_outcome(session, now, check, kind, BY_MAIL):
        return Received(Happened.ADDRESS_FAILS, kind=kind)
    return Received(Happened.ADDRESS_ANSWERS if check.bounced_at is None else Happened.KNOWN, kind=kind)


def _keep(
    session: Session,
    now: datetime,
    sha256: str,
    message: bytes,
    reason: str,
    publisher_id: int | None,
    delivery: Delivery | None,
) -> Received:
    """Keep a message whole, and have the team asked to read it.

    One about a letter to a customer's contact is a task of its own: it may say that nobody will read the notice. All
    others of a publisher share one, since a thousand followers on holiday must not hide it.
    """
    delivery_id = delivery.id if delivery is not None else None
    values = {
        "publisher_id": publisher_id,
        "delivery_id": delivery_id,
        "sha256": sha256,
        "reason": reason,
        "body": message,
        "received_at": now,
    }
    is_new = insert_once(session, StoredMail, values)
    mail = session.scalars(select(StoredMail.id).where(StoredMail.sha256 == sha256)).one()
    if not is_new:
        return Received(Happened.KNOWN, delivery=delivery_id, mail=mail, reason=reason)
    customer, notice = _about(session, delivery) if delivery is not None else (None, None)
    if customer is not None:
        subject = ("mail", str(mail))
    else:
        publisher = session.get_one(Publisher, publisher_id) if publisher_id is not None else None
        subject, notice = ("mailbox", publisher.slug if publisher else "-"), None
    open_task(
        session,
        now,
        TaskKind.MAIL_TO_READ,
        subject=subject,
        publisher_id=publisher_id,
        actor=BY_MAIL,
        mail=mail,
        reason=reason,
        customer=customer,
        notice=notice,
    )
    return Received(Happened.KEPT, delivery=delivery_id, mail=mail, reason=reason)


def _about(session: Session, delivery: Delivery) -> tuple[str | None, str | None]:
    """Return the key of the customer whose contact a letter was for, and the number of its notice."""
    customer, notice = session.execute(
        select(Customer.key, Notice.number)
        .select_from(Delivery)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .outerjoin(Customer, Customer.id == Subscription.customer_id)
        .outerjoin(Statement, Statement.id == Delivery.statement_id)
        .outerjoin(Notice, Notice.id == Statement.notice_id)
        .where(Delivery.id == delivery.id)
    ).one()
    return customer, notice
