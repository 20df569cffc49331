"""A message to the bounce address: it becomes an outcome, or it waits for a person, and never goes away (R12, R36).

    message ──▶ which letter is it about?  the signed return path (VERP); else its Message-ID
            ──▶ whom is it about?          the address the letter went to, before those behind it, before others
            ──▶ what does it say?          a bounce, a delivery, a complaint ──▶ an outcome of that letter
                                           anything else, or about no letter ──▶ kept whole, and a task for the team

Two things keep a report from counting, and give it to a person with the time that is left:

- It is known by its Message-ID alone. Anybody can write a bounce, and whoever was copied on an answer to a letter has
  the letter's Message-ID and its reader's address. Only the return path, which mail servers see and nobody quotes, is
  signed. So without one a report is never proof that a letter was lost, delivered or complained of.
- It is about somebody else than the address we wrote to: the target of a forward, one of many on a list. That address
  works, and is never suppressed for it. Where the report says that the letter was sent on from our address (its
  original recipient), the letter is lost with it, and the receipt taken back. Where it does not say so, nobody knows:
  on a list the others have it, behind a forward nobody has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.outcomes import EVENTS, SUPPRESSES, OutcomeKind
from registry.domain.vocabulary import ChannelKind
from registry.letters.return_path import DELIMITER, read_return_path
from registry.readers.bounce_message import read_bounce
from registry.readers.bounce_report import (
    AutoReply,
    Bounce,
    BounceMessage,
    Complaint,
    DeliveryConfirmation,
    Narrowed,
    Permanence,
    UnreadableBounce,
    UnreadableReason,
    narrow,
)
from registry.readers.delivery_status import Whose
from registry.steps.bounce_kinds import choose_kind_by_words
from registry.steps.check_addresses import find_check, record_check_outcome
from registry.steps.insert_once import insert_once
from registry.steps.keyring import Keyring, Purpose
from registry.steps.persist import DATABASE_TROUBLE
from registry.steps.record import Actor
from registry.steps.record_outcome import record_outcome
from registry.steps.tasks import TaskKind, open_task
from registry.steps.unreached import find_latest_receipt
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
ANOTHER: Final = "another-recipient"
UNSIGNED: Final = "unsigned"
IN_DOUBT: Final = frozenset({ANOTHER, UNSIGNED})
"""Why a report is kept whose letter may be lost: its task tells how long there is."""

_ON_ITS_WAY: Final = frozenset({OutcomeKind.DELAYED, OutcomeKind.RELAYED, OutcomeKind.EXPANDED})


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

    `reason` is why it is kept: `auto-reply`, `unmatched` (read, and about no letter known here), `unsigned` (known by
    its Message-ID alone), `another-recipient` (a letter failed for somebody else than its address), or the reader's.
    One may be recorded and kept: the list took the letter, and one on it did not.
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
    the message's own headers are looked at. Without a `bounce_address` letters are known by their Message-ID alone, and
    what is reported of them is for a person. Only an error of the database is raised, and then the mail server must
    keep the message and bring it again.
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
        about = narrow(report, _is_written_to(keyring, keyring.lookup(ChannelKind.EMAIL.value, check.address)))
        return _receive_about_check(session, now, sha256, message, about, check)
    delivery, is_signed = _find_delivery(session, keyring, bounce_address, paths, report)
    if delivery is None:
        reason = _why_unreadable(report) or UNMATCHED
        return _keep(session, now, sha256, message, reason, None, None)
    about = narrow(report, _is_written_to(keyring, _address_of(session, delivery)))
    kind = _choose_kind(about)
    reason_kept = _why_kept(about, kind, is_signed=is_signed)
    if kind is None or reason_kept == UNSIGNED:
        reason = reason_kept or ANOTHER
        return _keep(session, now, sha256, message, reason, delivery.publisher_id, delivery)
    is_new = record_outcome(
        session,
        now,
        provider=DSN,
        event_id=sha256,
        message_id=delivery.message_id,
        kind=kind,
        happened_at=about.report.happened_at or now,
        actor=BY_MAIL,
        detail=" ".join(part for part in (about.report.status, about.report.diagnostic) if part) or None,
    )
    if reason_kept is not None:
        return replace(_keep(session, now, sha256, message, reason_kept, delivery.publisher_id, delivery), kind=kind)
    return Received(Happened.RECORDED if is_new else Happened.KNOWN, kind=kind, delivery=delivery.id)


def _choose_kind(about: Narrowed) -> OutcomeKind | None:
    """Return the outcome that a report states of its letter, None where a person must read it.

    What befell a mailbox that the letter was sent on to befell the letter, and does not count against our address. What
    befell others says no more than that it went on to them.
    """
    report, is_of_another = about.report, about.whose is Whose.ANOTHER
    match report:
        case Bounce():
            if is_of_another and report.gave_up:
                return None
            is_permanent = report.permanence is Permanence.PERMANENT
            kind = choose_kind_by_words(
                report.status, report.diagnostic, is_permanent=is_permanent, gave_up=report.gave_up
            )
            return OutcomeKind.GAVE_UP if about.whose is Whose.BEHIND_OURS and kind in SUPPRESSES else kind
        case DeliveryConfirmation():
            return OutcomeKind.EXPANDED if is_of_another else OutcomeKind(report.action.value)
        case Complaint():
            return None if is_of_another else OutcomeKind.COMPLAINED
        case _:
            return None


def _why_kept(about: Narrowed, kind: OutcomeKind | None, *, is_signed: bool) -> str | None:
    """Return why a message about a letter is for a person, None where it is not."""
    if (why := _why_unreadable(about.report)) is not None:
        return why
    if not is_signed and (kind is None or kind in EVENTS):
        return UNSIGNED
    # A list took the letter, or a server passed it on, and somebody behind it did not get it.
    return ANOTHER if kind is None or (about.others_failed and kind in _ON_ITS_WAY) else None


def _why_unreadable(report: BounceMessage) -> str | None:
    """Return why a message says nothing of what became of any letter, None where it does."""
    if isinstance(report, UnreadableBounce):
        return report.reason.value
    return AUTO_REPLY if isinstance(report, AutoReply) else None


def _is_written_to(keyring: Keyring, lookup_hmac: str) -> Callable[[str], bool]:
    """Return what knows an address by its keyed hash, which is there also once the address is erased."""
    return lambda address: keyring.lookup(ChannelKind.EMAIL.value, address) == lookup_hmac


def _address_of(session: Session, delivery: Delivery) -> str:
    """Return the keyed hash of the address that a letter went to."""
    return session.execute(
        select(Address.lookup_hmac)
        .join(Subscription, Subscription.address_id == Address.id)
        .where(Subscription.id == delivery.subscription_id)
    ).scalar_one()


def _find_delivery(
    session: Session, keyring: Keyring, bounce_address: str | None, paths: Iterable[str], report: BounceMessage
) -> tuple[Delivery | None, bool]:
    """Return the delivery that a message is about, or None, and whether a signed return path says so."""
    for number, token in _named_by(keyring, "bounce", bounce_address, paths):
        delivery = session.get(Delivery, number)
        if delivery is not None and delivery.message_id and keyring.could_sign_for(token, delivery.created_at):
            return delivery, True
    if report.original_message_id is None:
        return None, False
    named = session.scalars(select(Delivery).where(Delivery.message_id == report.original_message_id)).one_or_none()
    return named, False


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
    session: Session, now: datetime, sha256: str, message: bytes, about: Narrowed, check: AddressCheck
) -> Received:
    """Take what came of a test letter. By its Message-ID too: all it can do is to open a task.

    An automatic answer to it shows that the address takes mail. It is not kept: a support desk that answers every
    letter would fill the team's list with one a day.
    """
    kind = _choose_kind(about)
    if kind is None and not isinstance(about.report, AutoReply):
        reason = _why_unreadable(about.report) or ANOTHER
        return _keep(session, now, sha256, message, reason, check.publisher_id, None)
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
    due_at = None
    if customer is not None:
        subject = ("mail", str(mail))
        if notice is not None and reason in IN_DOUBT:
            due_at = find_latest_receipt(session, notice, customer.id)
    else:
        publisher = session.get_one(Publisher, publisher_id) if publisher_id is not None else None
        subject, notice = ("mailbox", publisher.slug if publisher else "-"), None
    open_task(
        session,
        now,
        TaskKind.MAIL_TO_READ,
        subject=subject,
        publisher_id=publisher_id,
        due_at=due_at,
        actor=BY_MAIL,
        mail=mail,
        reason=reason,
        customer=customer.key if customer is not None else None,
        notice=notice.number if notice is not None else None,
    )
    return Received(Happened.KEPT, delivery=delivery_id, mail=mail, reason=reason)


def _about(session: Session, delivery: Delivery) -> tuple[Customer | None, Notice | None]:
    """Return the customer whose contact a letter was for, and its notice."""
    customer, notice = session.execute(
        select(Customer, Notice)
        .select_from(Delivery)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .outerjoin(Customer, Customer.id == Subscription.customer_id)
        .outerjoin(Statement, Statement.id == Delivery.statement_id)
        .outerjoin(Notice, Notice.id == Statement.notice_id)
        .where(Delivery.id == delivery.id)
    ).one()
    return customer, notice
