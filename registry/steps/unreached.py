"""Customers whom a pending notice has not reached, each with the time that is left on its clock (R12, R13)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select, text
from sqlalchemy.orm import Session

from registry.domain.deliveries import ON_ITS_WAY, OUTBOX, TAKEN_STATES, DeliveryState, EvidenceGrade, receipt_counts
from registry.domain.notice_life import PENDING_STATES
from registry.domain.notices import latest_receipt_at, local_date
from registry.domain.standings import StandingState
from registry.domain.terms import Terms, find_terms
from registry.domain.told import WITHOUT_WORD_FOR, WhyUnreached
from registry.domain.vocabulary import Weight
from registry.steps.one_by_one import NoteTrouble, find_in_one
from registry.steps.receipts import starts_clocks
from registry.steps.revise_draft import list_changes, weigh_notice
from registry.steps.working_days import working_days_for
from registry.tables import Attempt, Customer, Delivery, Notice, NoticeCustomer, Publisher, Subscription
from registry.tables.deliveries import TO_CONTACTS

SENT_WITHIN: Final = timedelta(hours=1)
"""On a day without trouble every contact was written to by then."""
RUNNING_OUT: Final = timedelta(hours=12)
"""Less than this on the clock, and a person should not leave it to the retries."""
_A_DAY: Final = timedelta(days=1)

OPEN: Final = tuple(sorted(ON_ITS_WAY))
TAKEN: Final = tuple(sorted(TAKEN_STATES))
LOST: Final = (DeliveryState.NEEDS_ATTENTION, DeliveryState.FAILED, DeliveryState.BOUNCED)
NOBODY: Final[Mapping[str, object]] = MappingProxyType({})


@dataclass(frozen=True)
class Unreached:
    """One customer that a notice has not reached.

    `latest_receipt_at` (UTC) is the last instant at which receipt still allows the date that was told; None where no
    date waits for it: an emergency, a notice that does not bind, or one put off until further notice.
    """

    publisher_id: int
    publisher: str
    notice: str
    customer: str
    why: WhyUnreached
    contacts: int
    time_zone: str
    latest_receipt_at: datetime | None

    @property
    def subject(self) -> tuple[str, str]:
        """What its task is about."""
        return ("customer", f"{self.publisher}/{self.notice}/{self.customer}")


@dataclass(frozen=True)
class UnreadableTerms:
    """One customer whose terms, as a pending notice froze them, say nothing that can be read."""

    publisher_id: int
    publisher: str
    notice: str
    customer: str


def find_unreached(
    session: Session, now: datetime, note_trouble: NoteTrouble, known: Mapping[str, object] = NOBODY
) -> Iterator[Unreached]:
    """Yield every customer of a pending notice that waits for it, and whom something keeps from being reached.

    None of its contacts has anything under way or was reached; or a letter to one of them was lost and nobody took
    another; or one was taken and the receipt that its terms ask for has not come, long since or while the time is
    running out; or the time is running out. Of whom a task is open already (`known`: its subject, and why) the first
    two are so until one was reached, for what is under way again may be lost again. A customer whose terms cannot be
    read is left out: `find_unreadable_terms` names it. A notice that cannot be read keeps no other from being looked
    at: `note_trouble` is told the error.
    """
    still_waiting = exists().where(
        NoticeCustomer.notice_id == Notice.id, NoticeCustomer.state == StandingState.WAITING.value
    )
    notices = session.execute(
        select(Notice, Publisher.slug)
        .join(Publisher, Publisher.id == Notice.publisher_id)
        .where(Notice.state.in_([state.value for state in PENDING_STATES]), still_waiting)
        .order_by(Notice.id)
    ).all()
    for notice, slug in notices:
        yield from find_in_one(partial(find_unreached_in, session, now, notice, slug, known), note_trouble)


def find_unreached_in(
    session: Session, now: datetime, notice: Notice, slug: str, known: Mapping[str, object] = NOBODY
) -> Iterator[Unreached]:
    """Yield the customers that one pending notice of the publisher `slug` has not reached, as `find_unreached` does."""
    waiting = session.execute(
        select(Customer.id, Customer.key, NoticeCustomer.terms)
        .join(NoticeCustomer, NoticeCustomer.customer_id == Customer.id)
        .where(NoticeCustomer.notice_id == notice.id, NoticeCustomer.state == StandingState.WAITING.value)
        .order_by(Customer.key)
    ).all()
    letters = _count_letters(session, notice)
    waits_for_all = date_waits(session, notice)
    effective_at = notice.effective_at if waits_for_all else None
    was_just_told = notice.announced_at is None or now - notice.announced_at < SENT_WITHIN
    for customer_id, key, document in waiting:
        terms = find_terms(document)
        if terms is None:
            continue
        theirs = letters.get(customer_id, {})
        tally = _Tally()
        for channel, each in theirs.items():
            if _may_count(channel, terms):
                tally = tally.plus(each)
        was = known.get(f"{slug}/{notice.number}/{key}", WhyUnreached.TIME_RUNNING_OUT)
        why = _why(tally, now, is_known=was != WhyUnreached.TIME_RUNNING_OUT)
        if why is None and was_just_told:
            continue
        latest_at = _latest_receipt_at(notice, effective_at, terms)
        # Put off until further notice, a notice waits for nothing but its customers.
        has_run_out = waits_for_all and notice.effective_at is None
        if why is None and (has_run_out or (latest_at is not None and latest_at - now < RUNNING_OUT)):
            # Taken, and it waits all the same: its terms ask for more, and three days are too long to miss it.
            why = WhyUnreached.UNCONFIRMED if tally.taken else WhyUnreached.TIME_RUNNING_OUT
        if why is not None:
            contacts = sum(each.letters for each in theirs.values())
            yield Unreached(notice.publisher_id, slug, notice.number, key, why, contacts, terms.time_zone, latest_at)


def find_latest_receipt(session: Session, notice: Notice, customer_id: int) -> datetime | None:
    """Return the last instant (UTC) at which receipt by a customer still allows the date that was told of a notice.

    None where no date waits for it, as in `Unreached`: also where the notice waits no more, or not for this customer.
    """
    document = session.scalar(
        select(NoticeCustomer.terms).where(
            NoticeCustomer.notice_id == notice.id, NoticeCustomer.customer_id == customer_id
        )
    )
    terms = find_terms(document) if document is not None else None
    return find_latest_receipt_under(session, notice, terms) if terms is not None else None


def find_latest_receipt_under(session: Session, notice: Notice, terms: Terms) -> datetime | None:
    """Return the same of a customer by its terms, whether or not it belongs to the notice."""
    if notice.state not in PENDING_STATES or not date_waits(session, notice):
        return None
    return _latest_receipt_at(notice, notice.effective_at, terms)


def find_without_contact(session: Session, now: datetime, notice: Notice) -> set[int]:
    """Return the customers, by their row, that came while a notice was pending and have nobody who could be told.

    Also those that were known before, and whose contract began then. Whoever sets a customer up has an hour
    (SENT_WITHIN) to name a contact.
    """
    if notice.announced_at is None:
        return set()
    of_notice = exists().where(NoticeCustomer.notice_id == notice.id, NoticeCustomer.customer_id == Customer.id)
    came_by = min(now - SENT_WITHIN, notice.took_effect_at or now)
    came = set(
        session.scalars(
            select(Customer.id).where(
                Customer.publisher_id == notice.publisher_id,
                # Since the announcement it came to be known, or its contract began.
                or_(Customer.created_at > notice.announced_at, Customer.contract_from >= notice.announced_at.date()),
                Customer.created_at <= came_by,
                or_(Customer.contract_from.is_(None), Customer.contract_from <= came_by.date()),
                # Its last day counts, in whichever zone.
                or_(Customer.contract_until.is_(None), Customer.contract_until >= (now - _A_DAY).date()),
                ~of_notice,
            )
        )
    )
    if not came:
        return came
    # Of all subscriptions only those of contacts, for which there is an index.
    contacts = select(Subscription.customer_id).where(
        Subscription.customer_id.is_not(None),
        Subscription.ended_at.is_(None),
        Subscription.confirmed_at.is_not(None),
        # Added to, so that no database looks through all of a publisher's subscriptions by their own index.
        Subscription.publisher_id + 0 == notice.publisher_id,
    )
    return came - set(session.scalars(contacts))


def find_unreadable_terms(session: Session) -> Iterator[UnreadableTerms]:
    """Yield every customer of a pending notice whose frozen terms cannot be read: nothing can be decided for it."""
    rows = session.execute(
        select(Notice.publisher_id, Publisher.slug, Notice.number, Customer.key, NoticeCustomer.terms)
        .join(Notice, Notice.id == NoticeCustomer.notice_id)
        .join(Publisher, Publisher.id == Notice.publisher_id)
        .join(Customer, Customer.id == NoticeCustomer.customer_id)
        .where(Notice.state.in_([state.value for state in PENDING_STATES]))
        .order_by(Notice.id, Customer.key)
    )
    # Most customers have the same terms.
    readable: dict[str, bool] = {}
    for publisher_id, slug, number, key, document in rows:
        said = repr(document)
        if said not in readable:
            readable[said] = find_terms(document) is not None
        if not readable[said]:
            yield UnreadableTerms(publisher_id, slug, number, key)


@dataclass(frozen=True)
class _Tally:
    """Letters to a customer's contacts: all, those still under way, taken and lost, and when one was taken last."""

    letters: int = 0
    open: int = 0
    taken: int = 0
    lost: int = 0
    accepted_at: datetime | None = None

    def plus(self, other: _Tally) -> _Tally:
        taken_at = [at for at in (self.accepted_at, other.accepted_at) if at is not None]
        return _Tally(
            self.letters + other.letters,
            self.open + other.open,
            self.taken + other.taken,
            self.lost + other.lost,
            max(taken_at, default=None),
        )


def _count_letters(session: Session, notice: Notice) -> dict[int, dict[str, _Tally]]:
    """Count the letters of the statement that clocks run from, by waiting customer and by channel."""
    rows = session.execute(
        select(
            Subscription.customer_id,
            Delivery.channel,
            func.count(),
            _count_in(OPEN),
            # What lies in the outbox was taken by nobody's server (R12).
            func.sum(case((and_(_is_in(TAKEN), Attempt.channel.is_distinct_from(OUTBOX)), 1), else_=0)),
            _count_in(LOST),
            func.max(Delivery.accepted_at),
        )
        .join(Delivery, Delivery.subscription_id == Subscription.id)
        .outerjoin(Attempt, and_(Attempt.delivery_id == Delivery.id, Attempt.n == Delivery.attempt_count))
        .join(NoticeCustomer, NoticeCustomer.customer_id == Subscription.customer_id)
        .where(
            NoticeCustomer.notice_id == notice.id,
            NoticeCustomer.state == StandingState.WAITING.value,
            Delivery.statement_id == starts_clocks(notice.id).scalar_subquery(),
            # So a database looks at the contacts' letters alone, and not at a million followers'.
            text(f"deliveries.{TO_CONTACTS}"),
        )
        .group_by(Subscription.customer_id, Delivery.channel)
    )
    found: dict[int, dict[str, _Tally]] = {}
    for customer_id, channel, letters, still_open, taken, lost, accepted_at in rows:
        if customer_id is not None:
            found.setdefault(customer_id, {})[channel] = _Tally(letters, still_open, taken, lost, accepted_at)
    return found


def _count_in(states: tuple[DeliveryState, ...]) -> ColumnElement[int]:
    return func.sum(case((_is_in(states), 1), else_=0))


def _is_in(states: tuple[DeliveryState, ...]) -> ColumnElement[bool]:
    return Delivery.state.in_([state.value for state in states])


def _may_count(channel: str, terms: Terms) -> bool:
    """Return whether a letter by this channel can start the customer's clock at all (R12)."""
    return receipt_counts(EvidenceGrade.DELIVERED, terms, demo=False, channel_kind=channel)


def _why(tally: _Tally, now: datetime, *, is_known: bool) -> WhyUnreached | None:
    """Return why a customer counts as not reached; where that `is_known` no letter that is just tried ends it."""
    if not tally.letters:
        return WhyUnreached.NO_CONTACT
    is_tried = tally.open and not is_known
    if tally.taken:
        was_long_ago = tally.accepted_at is not None and now - tally.accepted_at >= WITHOUT_WORD_FOR
        return WhyUnreached.UNCONFIRMED if was_long_ago and not is_tried else None
    if tally.lost or (tally.open and is_known):
        return WhyUnreached.NOT_TAKEN
    return None if is_tried else WhyUnreached.NOTHING_SENT


def date_waits(session: Session, notice: Notice) -> bool:
    """Return whether the date of a notice waits for its customers: it binds, and is no emergency (R3, R19)."""
    return weigh_notice(list_changes(session, notice)) is Weight.BINDING and notice.emergency_reason is None


def _latest_receipt_at(notice: Notice, effective_at: datetime | None, terms: Terms) -> datetime | None:
    if effective_at is None or notice.announced_at is None:
        return None
    days = working_days_for(terms, local_date(notice.announced_at, terms.time_zone))
    return latest_receipt_at(effective_at, terms, days)
