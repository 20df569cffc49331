"""What has had its days: the queries that retention erases by, one for each place where personal data lies (R36).

Each returns the rows of one place that are due and under no hold. The same query finds them while reading and is asked
again of the very rows, locked, before they are erased. Of subscriptions it finds more than are due: which of them are
is for `registry.domain.retention` to say, from facts that SQL cannot count.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import (
    ColumnElement,
    Delete,
    Select,
    String,
    Update,
    and_,
    cast,
    delete,
    exists,
    false,
    func,
    null,
    or_,
    select,
    true,
    update,
)
from sqlalchemy.orm import aliased

from registry.domain.deliveries import DeliveryState
from registry.domain.notice_life import FINAL_STATES
from registry.domain.notices import ONE_DAY
from registry.domain.objections import OPEN_OBJECTION_STATES
from registry.domain.retention import ENDED_DELIVERIES, RetentionKind
from registry.domain.vocabulary import Audience
from registry.steps.erase_limits import Limits
from registry.tables import (
    Address,
    Attachment,
    Attempt,
    Customer,
    Delivery,
    EntryDraft,
    Membership,
    Notice,
    Objection,
    ObjectionNote,
    Outcome,
    Proposal,
    SignIn,
    Statement,
    StoredMail,
    Subscription,
    Task,
)

STORED_MAIL: Final = "stored_mail"
"""How a task names the mail that a person is to read, with the number of its row."""


def _find_letters(query: Select[int], limits: Limits, cutoff: datetime) -> Select[int]:
    """The words merged into letters: nothing more is sent, and the notice has had its days too."""
    tried_later = exists().where(
        Attempt.delivery_id == Delivery.id, func.coalesce(Attempt.finished_at, Attempt.claimed_at) >= cutoff
    )
    # A report can be what ended the waiting. By the Message-ID, which has an index.
    reported_later = exists().where(Outcome.message_id == Delivery.message_id, Outcome.recorded_at >= cutoff)
    cancelled_later = exists().where(
        Delivery.state == DeliveryState.CANCELLED.value,
        Subscription.id == Delivery.subscription_id,
        Subscription.ended_at >= cutoff,
    )
    return query.where(
        Delivery.publisher_id == limits.publisher_id,
        Delivery.created_at < cutoff,
        *_of_ended_letters(limits, cutoff),
        ~cancelled_later,
        ~reported_later,
        ~tried_later,
    )


def _find_answers(query: Select[int], limits: Limits, cutoff: datetime) -> Select[int]:
    return query.join(Delivery, Delivery.id == Attempt.delivery_id).where(
        Delivery.publisher_id == limits.publisher_id,
        func.coalesce(Attempt.finished_at, Attempt.claimed_at) < cutoff,
        *_of_ended_letters(limits, cutoff),
    )


def _find_reports(query: Select[int], limits: Limits, cutoff: datetime) -> Select[int]:
    if limits.publisher_id is None:
        return query.where(Outcome.publisher_id.is_(None), Outcome.recorded_at < cutoff, _nothing_is_held(limits))
    return query.join(Delivery, Delivery.id == Outcome.delivery_id).where(
        Outcome.publisher_id == limits.publisher_id,
        Outcome.recorded_at < cutoff,
        *_of_ended_letters(limits, cutoff),
    )


def _find_mail(query: Select[int], limits: Limits, cutoff: datetime) -> Select[int]:
    is_old = and_(StoredMail.publisher_id.is_not_distinct_from(limits.publisher_id), StoredMail.received_at < cutoff)
    known = and_(Delivery.id.is_not(None), *_of_ended_letters(limits, cutoff))
    # Nobody has read it yet.
    waits = exists().where(
        Task.subject_kind == STORED_MAIL, Task.subject == cast(StoredMail.id, String), Task.closed_at.is_(None)
    )
    # Mail that was matched to no letter may be about any, so any hold keeps it.
    return query.outerjoin(Delivery, Delivery.id == StoredMail.delivery_id).where(
        is_old, ~waits, or_(known, and_(StoredMail.delivery_id.is_(None), _nothing_is_held(limits)))
    )


def _find_objections(query: Select[int], limits: Limits, cutoff: datetime) -> Select[int]:
    kept = [state.value for state in OPEN_OBJECTION_STATES]
    condition = query.join(Notice, Notice.id == Objection.notice_id).where(
        Objection.publisher_id == limits.publisher_id,
        Objection.state.not_in(kept),
        Objection.resolved_at < cutoff,
        _has_ended_before(cutoff),
        Objection.notice_id.not_in(list(limits.holds.notices)),
    )
    held = list(limits.holds.customers)
    return condition.where(or_(Objection.customer_id.is_(None), Objection.customer_id.not_in(held)))


def _find_notes(query: Select[int], limits: Limits, cutoff: datetime) -> Select[int]:
    """What was written about an objection goes with the objection."""
    return query.where(
        ObjectionNote.publisher_id == limits.publisher_id,
        ObjectionNote.made_at < cutoff,
        ObjectionNote.objection_id.in_(_find_objections(select(Objection.id), limits, cutoff)),
    )


def _find_documents(query: Select[int], limits: Limits, cutoff: datetime) -> Select[int]:
    """Documents about a notice, or about an objection to one. What is attached to anything else goes by no time."""
    held = list(limits.holds.customers)
    about_notice = and_(
        Attachment.subject_kind == "notice",
        exists().where(
            Notice.publisher_id == Attachment.publisher_id,
            Notice.number == Attachment.subject,
            _has_ended_before(cutoff),
            Notice.id.not_in(list(limits.holds.notices)),
        ),
    )
    over = _find_objections(select(cast(Objection.id, String)), limits, cutoff)
    about_objection = and_(Attachment.subject_kind == "objection", Attachment.subject.in_(over))
    return query.where(
        Attachment.publisher_id == limits.publisher_id,
        Attachment.added_at < cutoff,
        or_(Attachment.customer_id.is_(None), Attachment.customer_id.not_in(held)),
        or_(about_notice, about_objection),
    )


def _find_drafts(query: Select[int], limits: Limits, cutoff: datetime) -> Select[int]:
    return query.where(EntryDraft.publisher_id == limits.publisher_id, EntryDraft.saved_at < cutoff)


def _find_proposals(query: Select[int], limits: Limits, cutoff: datetime) -> Select[int]:
    """Proposed settings that are decided: what came of them stands in the settings and on record."""
    return query.where(Proposal.publisher_id == limits.publisher_id, Proposal.closed_at < cutoff)


def _find_sign_ins(query: Select[int], limits: Limits, cutoff: datetime) -> Select[int]:
    """Sessions of people whom no publisher they work for needs them of any more; of who works for none, after the
    usual days. Nobody can say what a session will have to prove, so any hold of the installation keeps them all.
    """
    end = func.coalesce(SignIn.ended_at, SignIn.seen_at)
    works = Membership.person_id == SignIn.person_id
    kept_by = [
        and_(Membership.publisher_id.in_(publishers), true() if at is None else end >= at)
        for at, publishers in limits.employers.items()
    ]
    kept = exists().where(works, or_(false(), *kept_by))
    return query.where(
        true() if limits.publisher_id is None else false(),
        _nothing_is_held(limits),
        or_(and_(exists().where(works), ~kept), and_(~exists().where(works), end < cutoff)),
    )


Table = (
    type[Delivery]
    | type[Attempt]
    | type[Outcome]
    | type[StoredMail]
    | type[Objection]
    | type[ObjectionNote]
    | type[Attachment]
    | type[EntryDraft]
    | type[Proposal]
    | type[SignIn]
)

ERASED: Final = "erased"
"""What stands in the place of a name that every row has."""


@dataclass(frozen=True)
class Place:
    """Where one sort of personal data lies: the table, the columns that are emptied, and what is due of it.

    `named` are columns that are never empty, and say `ERASED` from then on. Without any column the row itself goes.
    """

    kind: RetentionKind
    table: Table
    columns: tuple[str, ...]
    narrow: Callable[[Select[int], Limits, datetime], Select[int]]
    named: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The table's name."""
        return self.table.__tablename__

    def find_due(self, limits: Limits) -> Select[int]:
        """Return the query for the rows that are due and not held; for none where the kind is kept forever."""
        cutoff = limits.cutoffs[self.kind]
        query = select(self.table.id)
        if cutoff is None or limits.holds.on_everything is not None:
            return query.where(false())
        if not self.columns:
            return self.narrow(query, limits, cutoff)
        holds_something = or_(*(getattr(self.table, column).is_not(null()) for column in self.columns))
        return self.narrow(query, limits, cutoff).where(holds_something)

    def empty(self, rows: Sequence[int]) -> Update | Delete:
        """Return the statement that erases these rows."""
        if not self.columns:
            return delete(self.table).where(self.table.id.in_(rows))
        values = dict.fromkeys(self.columns) | dict.fromkeys(self.named, ERASED)
        return update(self.table).where(self.table.id.in_(rows)).values(values)


PLACES: Final = (
    Place(RetentionKind.LETTERS, Delivery, ("merge",), _find_letters),
    Place(RetentionKind.ANSWERS, Attempt, ("answer",), _find_answers),
    Place(RetentionKind.ANSWERS, Outcome, ("detail",), _find_reports),
    Place(RetentionKind.ANSWERS, StoredMail, ("body",), _find_mail),
    Place(RetentionKind.OBJECTIONS, ObjectionNote, ("text",), _find_notes),
    Place(RetentionKind.OBJECTIONS, Objection, ("ground", "cure", "name", "company"), _find_objections),
    Place(RetentionKind.DOCUMENTS, Attachment, ("body",), _find_documents, named=("name",)),
    Place(RetentionKind.DRAFTS, EntryDraft, (), _find_drafts),
    Place(RetentionKind.DRAFTS, Proposal, ("document",), _find_proposals),
    Place(RetentionKind.SIGN_INS, SignIn, ("address", "agent"), _find_sign_ins),
)
"""Every place but names and addresses, which go by their subscriptions."""


def _nothing_is_held(limits: Limits) -> ColumnElement[bool]:
    return false() if limits.holds.standing else true()


def _has_ended_before(cutoff: datetime) -> ColumnElement[bool]:
    """The notice is in effect or withdrawn, since before the cut-off."""
    return and_(
        Notice.state.in_([state.value for state in FINAL_STATES]),
        func.coalesce(Notice.took_effect_at, Notice.withdrawn_at) < cutoff,
    )


def _of_ended_letters(limits: Limits, cutoff: datetime) -> tuple[ColumnElement[bool], ...]:
    """The delivery is at its end, so is its notice since before the cut-off, and no hold covers it."""
    ended = select(Statement.id).join(Notice, Notice.id == Statement.notice_id).where(_has_ended_before(cutoff))
    conditions: list[ColumnElement[bool]] = [
        Delivery.state.in_([state.value for state in ENDED_DELIVERIES]),
        or_(
            Delivery.statement_id.is_(None),
            Delivery.statement_id.in_(ended.where(Statement.publisher_id == limits.publisher_id)),
        ),
    ]
    if limits.holds.notices:
        held = select(Statement.id).where(Statement.notice_id.in_(list(limits.holds.notices)))
        conditions.append(or_(Delivery.statement_id.is_(None), Delivery.statement_id.not_in(held)))
    if limits.holds.customers:
        theirs = select(Subscription.id).where(Subscription.customer_id.in_(list(limits.holds.customers)))
        conditions.append(Delivery.subscription_id.not_in(theirs))
    return tuple(conditions)


def find_subscriptions(limits: Limits) -> Select[int]:
    """Return the query for subscriptions whose name or address may be due; the domain decides of each.

    Those that have ended, by their kind; wishes that ended unconfirmed; and contacts whose customer's contract has
    ended, as its last day was before the cut-off in any zone.
    """
    if limits.holds.on_everything is not None:
        return select(Subscription.id).where(false())
    followers, contacts = (limits.cutoffs[kind] for kind in (RetentionKind.FOLLOWERS, RetentionKind.CONTACTS))
    is_contact = Subscription.audience == Audience.CUSTOMER.value
    may_be_due: list[ColumnElement[bool]] = [
        and_(Subscription.ended_at.is_not(None), Subscription.confirmed_at.is_(None))
    ]
    gone: Select[int] = select(Customer.id).where(false())
    if followers is not None:
        may_be_due.append(and_(~is_contact, Subscription.ended_at < followers))
    if contacts is not None:
        # The zone that is ahead of all others is less than a day ahead of UTC.
        last_on = contacts.astimezone(UTC).date() + ONE_DAY
        gone = select(Customer.id).where(
            Customer.publisher_id == limits.publisher_id, Customer.contract_until <= last_on
        )
        may_be_due.append(and_(is_contact, or_(Subscription.ended_at < contacts, Subscription.customer_id.in_(gone))))
    # Two questions, each by the index that fits it.
    follower, contact = aliased(Subscription), aliased(Subscription)
    stands_otherwise = or_(
        exists().where(
            follower.address_id == Subscription.address_id,
            follower.customer_id.is_(None),
            follower.ended_at.is_(None),
        ),
        exists().where(
            contact.address_id == Subscription.address_id,
            contact.customer_id.is_not(None),
            contact.ended_at.is_(None),
            contact.customer_id.not_in(gone),
        ),
    )
    held = list(limits.holds.customers)
    return (
        select(Subscription.id)
        .join(Address, Address.id == Subscription.address_id)
        .where(
            Subscription.publisher_id == limits.publisher_id,
            or_(*may_be_due),
            or_(Subscription.customer_id.is_(None), Subscription.customer_id.not_in(held)),
            or_(Subscription.name.is_not(None), and_(Address.value.is_not(None), ~stands_otherwise)),
        )
    )
