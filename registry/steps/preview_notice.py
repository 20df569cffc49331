"""What a notice would say if it were announced now, before anybody is told; and what it said, once somebody was.

The letter is made by the very steps that freeze and merge it on the path, of rows that are never stored: what is seen
here is what would be sent at that moment, but for what names a delivery, which there is none of yet. Its links open
nothing: they all lead back to where it was looked at.
"""

from __future__ import annotations

import email
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.message import EmailMessage
from email.policy import default
from typing import Final

from sqlalchemy import and_, case, func, select
from sqlalchemy.orm import Session

from registry.domain.notice_life import NoticeState
from registry.domain.notices import first_instant, local_date
from registry.domain.publishers import PublisherFacts
from registry.domain.terms import Terms, find_merged_terms, find_terms
from registry.domain.vocabulary import Audience, ChannelKind, StatementKind
from registry.language import find_language
from registry.letters.slots import LINKS, Slot, slots_of
from registry.letters.values import FrozenLetter, Sender
from registry.steps.errors import FrozenTermsUnreadable, TermsUnreadable, UnknownCustomer
from registry.steps.freeze_letters import freeze_letter, own_language
from registry.steps.keyring import Keyring
from registry.steps.letterhead import Letterhead
from registry.steps.load_letter import Addressee, StoredLetter
from registry.steps.lookup import runs_on
from registry.steps.make_statement import word_statement
from registry.steps.merge_letter import TELLS_THE_DEADLINE, fill_with_links, make_merge
from registry.steps.record import Actor, record_event
from registry.steps.told_deadline import Deadline, deadline_under
from registry.tables import (
    Address,
    Customer,
    CustomerTerms,
    Letter,
    Notice,
    NoticeCustomer,
    Publisher,
    Statement,
    Subscription,
)

NO_REFERENCE: Final = "given when it is sent"
"""What stands in a preview where a letter names its delivery."""
NOBODYS_ADDRESS: Final = "nobody@preview.invalid"
"""Whom a letter is made out to where no address is at hand; it is shown nowhere."""


@dataclass(frozen=True)
class Contact:
    """A contact of a customer that letters go to. `address` is None once erased, `language` a tag such as de-AT."""

    subscription_id: int
    name: str | None
    address: str | None
    language: str


@dataclass(frozen=True)
class Reader:
    """For whom a letter is previewed: a customer's contact, or without a customer any follower.

    `terms` are those that count for the customer in this notice, and `ends_at` when its period to object ends already,
    where it has received the notice. `is_running`: its contract runs, so that it would be told.
    """

    customer: Customer | None = None
    terms: Terms | None = None
    ends_at: datetime | None = None
    is_running: bool = True
    contacts: tuple[Contact, ...] = ()
    contact: Contact | None = None

    @property
    def audience(self) -> Audience:
        """Which of the two letters is theirs."""
        return Audience.CUSTOMER if self.customer is not None else Audience.FOLLOWER


@dataclass(frozen=True)
class PreviewedLetter:
    """One letter as it would reach one reader. `told_at` (UTC) is when the statement is, or was, made.

    `deadline` is the reader's own, None where the letter tells none. `is_frozen`: it went out in these words.
    """

    kind: StatementKind
    seq: int
    told_at: datetime
    is_frozen: bool
    sender: Sender
    subject: str
    text: str
    html: str
    deadline: Deadline | None
    language: str


def load_reader(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    facts: PublisherFacts,
    customer_key: str,
    contact_id: int | None = None,
) -> Reader:
    """Return a customer as the reader of a notice's letters, in one query, with its contacts in their order.

    Without `contact_id`, or where it is none of its contacts, the first is chosen. Raises `UnknownCustomer`, and
    `TermsUnreadable` or `FrozenTermsUnreadable` where no letter to it can be made.
    """
    newest = (
        select(func.max(CustomerTerms.version))
        .where(CustomerTerms.customer_id == Customer.id)
        .correlate(Customer)
        .scalar_subquery()
    )
    rows = session.execute(
        select(Customer, CustomerTerms.document, NoticeCustomer, Subscription, Address.value)
        .outerjoin(CustomerTerms, and_(CustomerTerms.customer_id == Customer.id, CustomerTerms.version == newest))
        .outerjoin(
            NoticeCustomer, and_(NoticeCustomer.customer_id == Customer.id, NoticeCustomer.notice_id == notice.id)
        )
        .outerjoin(
            Subscription,
            and_(
                Subscription.customer_id == Customer.id,
                Subscription.confirmed_at.is_not(None),
                Subscription.ended_at.is_(None),
                Subscription.address_id.in_(
                    select(Address.id).where(
                        Address.publisher_id == publisher.id, Address.channel == ChannelKind.EMAIL.value
                    )
                ),
            ),
        )
        .outerjoin(Address, Address.id == Subscription.address_id)
        .where(Customer.publisher_id == publisher.id, Customer.key == customer_key)
        .order_by(Subscription.is_standby, Subscription.rank, Subscription.id)
    ).all()
    if not rows:
        raise UnknownCustomer(key=customer_key, publisher=publisher.slug, near=[])
    customer, document, standing, *_ = rows[0]
    own = {} if document is None else document
    terms = find_terms(standing.terms) if standing else find_merged_terms(facts.notice, own)
    if terms is None:
        if standing is None:
            raise TermsUnreadable(customer=customer_key, publisher=publisher.slug)
        raise FrozenTermsUnreadable(customer=customer_key, publisher=publisher.slug, number=notice.number)
    is_running = runs_on(local_date(now, terms.time_zone), customer.contract_from, customer.contract_until)
    if standing is None and notice.announced_at is not None:
        # Who came later is told, and counts by the notice's own terms (R17).
        terms = Terms.model_validate(notice.terms)
    contacts = tuple(Contact(row[3].id, row[3].name, row[4], row[3].language) for row in rows if row[3] is not None)
    chosen = next((each for each in contacts if each.subscription_id == contact_id), contacts[0] if contacts else None)
    ends_at = standing.objection_ends_at if standing else None
    return Reader(customer, terms, ends_at, is_running, contacts, chosen)


def preview_letter(
    session: Session,
    now: datetime,
    notice: Notice,
    facts: PublisherFacts,
    reader: Reader,
    letterhead: Letterhead,
    keyring: Keyring,
    *,
    link: str,
    seq: int | None = None,
    language: str | None = None,
) -> PreviewedLetter:
    """Return a notice's letter as this reader would get it at `now` (UTC), or at the hour set for its announcement.

    Of an announced notice it is the letter as frozen: of the statement `seq`, or where there is none, of the last one.
    It is in `language`, or as it was frozen where it was not in that one; without one in the contact's own. Every link
    in it is `link`. Nothing is written.
    """
    own = own_language(session.get_one(Publisher, notice.publisher_id))
    language = language or find_language(reader.contact.language if reader.contact else None) or own
    is_frozen = notice.announced_at is not None
    if is_frozen:
        row, statement = _find_frozen(session, notice, reader.audience, seq, (language, own))
        at = now
    else:
        at = announcement_instant(now, notice)
        shown = as_announced(notice, facts, at)
        statement = word_statement(session, at, shown, StatementKind.ANNOUNCEMENT, 1)
        row = freeze_letter(session, facts, shown, statement, reader.audience, letterhead, language=language)
    frozen = FrozenLetter(row.subject, row.text, row.html)
    letter = StoredLetter(row.kind, Sender(**row.sender), frozen, slots_of(frozen), language=row.language)
    deadline = None
    if reader.terms is not None and letter.wanted & TELLS_THE_DEADLINE:
        deadline = deadline_under(reader.terms, at, reader.ends_at)
    message = _merge(at, letter, reader, notice.number, deadline, letterhead, keyring, link)
    subject, text, html = _read(message)
    kind = StatementKind(statement.kind)
    return PreviewedLetter(
        kind, statement.seq, statement.made_at, is_frozen, letter.sender, subject, text, html, deadline, letter.language
    )


def announcement_instant(now: datetime, notice: Notice) -> datetime:
    """Return when a notice that is not announced yet would be, published at `now` (UTC)."""
    return max(now, notice.announce_at or now)


def as_announced(notice: Notice, facts: PublisherFacts, at: datetime) -> Notice:
    """Return a copy of a notice that is not announced yet, as it would be once announced at `at`; it is never stored.

    Whether its date is lawful is not asked here: who publishes it is told.
    """
    copied = {column.key: getattr(notice, column.key) for column in Notice.__table__.columns}
    return Notice(
        **copied
        | {
            "state": NoticeState.ANNOUNCED.value,
            "effective_on": notice.planned_on,
            "effective_at": first_instant(notice.planned_on, facts.time_zone),
            "announced_at": at,
            "updated_at": at,
            "terms": facts.notice.model_dump(mode="json"),
        }
    )


def list_told(session: Session, notice: Notice) -> Sequence[tuple[int, str, date | None]]:
    """Return the statements an announced notice has made: number, kind and the date told, in order."""
    rows = session.execute(
        select(Statement.seq, Statement.kind, Statement.effective_on)
        .where(Statement.notice_id == notice.id)
        .order_by(Statement.seq)
    )
    return [(seq, kind, on) for seq, kind, on in rows]


def record_test(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    actor: Actor,
    letter: PreviewedLetter,
    reader: Reader,
) -> None:
    """Put on record that somebody had a letter sent to their own address, as this reader would get it."""
    record_event(
        session,
        now,
        actor,
        "notice.test_sent",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        statement=letter.kind.value,
        seq=letter.seq,
        audience=reader.audience.value,
        customer_id=reader.customer.id if reader.customer else None,
    )


def _find_frozen(
    session: Session, notice: Notice, audience: Audience, seq: int | None, languages: tuple[str, str]
) -> tuple[Letter, Statement]:
    wanted, own = languages
    query = (
        select(Letter, Statement)
        .join(Statement, Statement.id == Letter.statement_id)
        .where(
            Statement.notice_id == notice.id,
            Letter.audience == audience.value,
            Letter.form == ChannelKind.EMAIL.value,
        )
        .order_by(
            case((Statement.seq == (seq or 0), 0), else_=1),
            Statement.seq.desc(),
            case((Letter.language == wanted, 0), (Letter.language == own, 1), else_=2),
            Letter.id,
        )
        .limit(1)
    )
    letter, statement = session.execute(query).one()
    return letter, statement


def _merge(
    at: datetime,
    letter: StoredLetter,
    reader: Reader,
    number: str,
    deadline: Deadline | None,
    letterhead: Letterhead,
    keyring: Keyring,
    link: str,
) -> bytes:
    contact, customer = reader.contact, reader.customer
    addressee = Addressee(
        delivery_id=0,
        created_at=at,
        subscription_id=0,
        audience=reader.audience,
        address=(contact.address if contact else None) or NOBODYS_ADDRESS,
        name=contact.name if contact else None,
        confirmed_at=at,
        customer_name=customer.name if customer else None,
        notice_number=number,
        customer_key=customer.key if customer else None,
    )
    merge = make_merge(at, letter, addressee, deadline, letterhead, keyring)
    merge["can_leave"] = False
    if Slot.DELIVERY_REFERENCE.value in merge["slots"]:
        merge["slots"][Slot.DELIVERY_REFERENCE.value] = NO_REFERENCE
    links = {Slot(name): link for name in LINKS}
    return fill_with_links(letter, addressee, merge, f"<preview.{secrets.token_hex(16)}@{letterhead.host}>", links)


def _read(message: bytes) -> tuple[str, str, str]:
    """Return subject, plain text and HTML of a message: what a mail program would show of these very bytes."""
    letter = email.message_from_bytes(message, policy=default)
    assert isinstance(letter, EmailMessage)  # noqa: S101 - the policy makes no other
    text, html = letter.get_body(("plain",)), letter.get_body(("html",))
    assert text is not None  # noqa: S101 - every letter has both
    assert html is not None  # noqa: S101 - every letter has both
    said, page = (part.get_content().replace("\r\n", "\n") for part in (text, html))
    return str(letter["Subject"]), said, page
