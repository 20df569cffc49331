"""Fan-out: one set-based statement turns a statement into deliveries (R27).

The rule is specified by the pure `registry.domain.recipients`; this is the same rule in SQL, and a property test
compares the two. Contacts who are skipped get a row with the reason; followers who are skipped are only counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    exists,
    false,
    func,
    insert,
    literal,
    null,
    or_,
    select,
    text,
    true,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, Session, aliased

from registry.domain.changes import EntryChange
from registry.domain.deliveries import DeliveryState, SkipReason, delivery_priority
from registry.domain.notices import local_date
from registry.domain.recipients import TOLD_WHEN_CALLED_IN
from registry.domain.standings import StandingState
from registry.domain.vocabulary import Audience, ChannelKind, StatementKind, Weight
from registry.language import ENGLISH
from registry.steps.freeze_letters import own_language
from registry.steps.lookup import read_content
from registry.tables import (
    Address,
    Customer,
    Delivery,
    EntryVersion,
    Letter,
    Notice,
    NoticeChange,
    NoticeCustomer,
    Publisher,
    Statement,
    Subscription,
    SubscriptionKind,
    SubscriptionProduct,
    Suppression,
)
from registry.tables.audience import suppresses
from registry.tables.deliveries import DUE_STATES, TO_CONTACTS

LAST_ZONE_TO_END_A_DAY = "Etc/GMT+12"
NOT_REACHED = (DeliveryState.SKIPPED.value, DeliveryState.CANCELLED.value)


def fan_out(
    session: Session,
    now: datetime,
    notice: Notice,
    statement: Statement,
    *,
    joiner: Subscription | None = None,
) -> dict[str, int]:
    """Write the deliveries of `statement`, and return how many are due and how many are skipped by which reason.

    With `joiner` only that one subscription is looked at (R18). A contact is told whether its customer stands in the
    notice or came later (R17). Rows that exist stay as they are: a statement goes to a subscription once.
    """
    reason = find_skip_reason(session, now, notice, StatementKind(statement.kind))
    chosen = select_missing(session, notice, statement, joiner)
    is_follower = Subscription.audience == Audience.FOLLOWER.value
    rows = chosen.where(or_(~is_follower, reason.is_(None)))
    columns = (
        "publisher_id",
        "statement_id",
        "subscription_id",
        "letter_id",
        "channel",
        "state",
        "skip_reason",
        "priority",
        "due_at",
        "attempt_count",
        "crash_count",
        "possible_duplicate",
        "created_at",
    )
    due, last = literal(now, Delivery.due_at.type), literal(now, Delivery.created_at.type)
    priority = case(
        (is_follower, delivery_priority(Audience.FOLLOWER, notice.effective_at)),
        else_=delivery_priority(Audience.CUSTOMER, notice.effective_at),
    )
    state = case((reason.is_(None), DeliveryState.PENDING.value), else_=DeliveryState.SKIPPED.value)
    values = rows.with_only_columns(
        Subscription.publisher_id,
        literal(statement.id),
        Subscription.id,
        Letter.id,
        Address.channel,
        state,
        reason,
        priority,
        due,
        literal(0),
        literal(0),
        false(),
        last,
    )
    # In turn, so that of equals whoever subscribed first is told first, on either database.
    session.execute(insert(Delivery).from_select(columns, values.order_by(Subscription.id)))
    if joiner is None and statement.kind not in (StatementKind.ANNOUNCEMENT.value, StatementKind.WITHDRAWAL.value):
        _put_earlier_first(session, now, notice, statement)
    return _count(session, chosen, reason, statement, joiner)


def _put_earlier_first(session: Session, now: datetime, notice: Notice, statement: Statement) -> None:
    """Let what waits of earlier statements go before this one's letters to the same subscriptions (R15).

    None of them has a later turn than its follower, which would be looked at in vain before each. By mail what was
    refused is tried at once: the follower would wait for it. By web the other side may have asked for patience, and
    what may have arrived keeps its own time (R29).
    """
    following = aliased(Delivery)
    earlier = select(Statement.id).where(Statement.notice_id == notice.id, Statement.seq < statement.seq)
    last = case(
        (text(f"deliveries.{TO_CONTACTS}"), delivery_priority(Audience.CUSTOMER, notice.effective_at)),
        else_=delivery_priority(Audience.FOLLOWER, notice.effective_at),
    )
    is_refused_by_mail = and_(
        Delivery.state == DeliveryState.RETRY_WAIT.value,
        Delivery.channel == ChannelKind.EMAIL.value,
        Delivery.due_at > literal(now, Delivery.due_at.type),
    )
    # What somebody has at this moment is left alone: whoever waits for it may be waited for.
    waiting = (
        select(Delivery.id)
        .where(
            text(f"deliveries.{DUE_STATES}"),
            Delivery.statement_id.in_(earlier),
            or_(Delivery.priority > last, is_refused_by_mail),
            exists().where(
                following.statement_id == statement.id,
                following.subscription_id == Delivery.subscription_id,
                following.state == DeliveryState.PENDING.value,
            ),
        )
        .with_for_update(skip_locked=True, key_share=True)
    )
    session.execute(
        update(Delivery)
        .where(Delivery.id.in_(waiting))
        .values(
            priority=case((Delivery.priority > last, last), else_=Delivery.priority),
            due_at=case((is_refused_by_mail, literal(now, Delivery.due_at.type)), else_=Delivery.due_at),
        )
        .execution_options(synchronize_session=False)
    )


def select_missing(
    session: Session, notice: Notice, statement: Statement, joiner: Subscription | None = None
) -> Select[int]:
    """Select the subscriptions a statement is for that have no row of it, told or skipped, with letter and address.

    The letter is the one in the subscription's language, or in the publisher's where there is none. With `joiner` only
    that one subscription is looked at.
    """
    letter = Letter.id == _letter_told(session, notice, statement)
    already = aliased(Delivery)
    query = select_addressed(notice, StatementKind(statement.kind), letter).where(
        Subscription.confirmed_at.is_not(None),
        ~exists().where(already.statement_id == statement.id, already.subscription_id == Subscription.id),
    )
    return query if joiner is None else query.where(Subscription.id == joiner.id)


def _letter_told(session: Session, notice: Notice, statement: Statement) -> ColumnElement[int | None]:
    """Return which of the statement's letters a subscription is told by, as its row; NULL where there is none for it.

    By its row, so that a database looks up one letter for each subscription and does not try them all.
    """
    frozen: dict[tuple[str, str], dict[str, int]] = {}
    for letter_id, audience, form, language in session.execute(
        select(Letter.id, Letter.audience, Letter.form, Letter.language)
        .where(Letter.statement_id == statement.id)
        .order_by(Letter.id)
    ):
        frozen.setdefault((audience, form), {})[language] = letter_id
    own = own_language(session.get_one(Publisher, notice.publisher_id))
    whens: list[tuple[ColumnElement[bool], int]] = []
    for (audience, form), letters in frozen.items():
        here = and_(Subscription.audience == audience, Address.channel == form)
        stands_in = next((each for each in (own, ENGLISH) if each in letters), next(iter(letters)))
        whens += [(and_(here, _speaks(each)), row) for each, row in letters.items() if each != stands_in]
        whens.append((here, letters[stands_in]))
    none: ColumnElement[int | None] = literal(None, Letter.id.type)
    return case(*whens, else_=none) if whens else none


def _speaks(language: str) -> ColumnElement[bool]:
    """Whether a subscription's language is this one, or a variety of it such as de-AT."""
    return or_(Subscription.language == language, Subscription.language.startswith(f"{language}-", autoescape=True))


def select_addressed(notice: Notice, kind: StatementKind, letter: ColumnElement[bool] | None = None) -> Select[int]:
    """Select the standing subscriptions that a statement of this kind is for, confirmed or not, with their addresses.

    Who of them is not told after all says `find_skip_reason`. With the condition `letter` they are joined to their
    letters; without it the statement need not be made yet.
    """
    query = select(Subscription.id).join(Address, Address.id == Subscription.address_id)
    if letter is not None:
        query = query.join(Letter, letter)
    query = query.outerjoin(Suppression, suppresses()).where(
        Subscription.publisher_id == notice.publisher_id, Subscription.ended_at.is_(None)
    )
    if kind is not StatementKind.ANNOUNCEMENT:
        may_be_called_in = true() if kind in TOLD_WHEN_CALLED_IN else false()
        was_told = _was_told(notice, Subscription, by_any=kind is StatementKind.WITHDRAWAL)
        query = query.where(or_(was_told, and_(_stands_by(Subscription), may_be_called_in)))
    if kind is StatementKind.REMINDER:
        query = query.where(or_(Subscription.audience == Audience.CUSTOMER.value, Subscription.wants_reminders))
    if kind is StatementKind.EFFECT:
        query = query.where(Subscription.wants_effect)
    return query


def _was_told(notice: Notice, whom: type[Subscription], *, by_any: bool = False) -> ColumnElement[bool]:
    """Later statements go to whoever the announcement went to, or is going to (R15).

    With `by_any` whatever statement counts: where the announcement was refused for now, and is cancelled because the
    notice is withdrawn, a postponement may have been taken.
    """
    told, before = aliased(Delivery), aliased(Statement)
    return exists().where(
        told.statement_id == before.id,
        before.notice_id == notice.id,
        true() if by_any else before.kind == StatementKind.ANNOUNCEMENT.value,
        told.subscription_id == whom.id,
        told.state.not_in(NOT_REACHED),
    )


def _stands_by(whom: type[Subscription]) -> ColumnElement[bool]:
    return and_(whom.audience == Audience.CUSTOMER.value, whom.is_standby)


def find_skip_reason(
    session: Session,
    now: datetime,
    notice: Notice,
    kind: StatementKind,
    changes: Sequence[NoticeChange] | None = None,
    versions: Mapping[int, EntryVersion] | None = None,
) -> ColumnElement[str | None]:
    """Return why a subscription that `select_addressed` selects is not told by a statement of this kind, or NULL.

    The notice's `changes` and the `versions` they lead from and to, by their rows, may be given where they are at hand.
    """
    rows = changes
    if rows is None:
        rows = session.scalars(select(NoticeChange).where(NoticeChange.notice_id == notice.id)).all()
    if versions is None:
        ids = [row.target_version_id for row in rows] + [row.base_version_id for row in rows if row.base_version_id]
        versions = {each.id: each for each in session.scalars(select(EntryVersion).where(EntryVersion.id.in_(ids)))}
    products = [
        (
            EntryChange.from_document(row.change),
            products_of(versions.get(row.base_version_id or 0), versions.get(row.target_version_id)),
        )
        for row in rows
    ]
    is_contact = Subscription.audience == Audience.CUSTOMER.value
    binds = any(Weight(row.weight) is Weight.BINDING for row in rows)
    # Whoever was told of a notice is told what becomes of it, whatever their choices by now (R15).
    is_later = kind is not StatementKind.ANNOUNCEMENT
    by_any = kind is StatementKind.WITHDRAWAL
    comes_later = and_(
        _stands_by(Subscription), ~_was_told(notice, Subscription, by_any=by_any) if is_later else true()
    )
    unfiltered = true() if is_later else and_(is_contact, true() if binds else false())
    product_fits = or_(*(_wants_product(keys) for _, keys in products), false())
    both_fit = or_(*(and_(_wants_product(keys), _wants_kind(change)) for change, keys in products), false())
    contact = aliased(Subscription)
    also_contact = exists().where(
        contact.address_id == Subscription.address_id,
        contact.audience == Audience.CUSTOMER.value,
        # Implied by the audience; said so that the database finds it by the index of contacts.
        contact.customer_id.is_not(None),
        contact.confirmed_at.is_not(None),
        contact.ended_at.is_(None),
        ~_has_contract_ended(contact.customer_id, now, notice),
        or_(~contact.is_standby, _was_told(notice, contact, by_any=by_any) if is_later else false()),
        or_(contact.wants_effect, true() if kind is not StatementKind.EFFECT else false()),
    )
    return case(
        (Address.value.is_(None), SkipReason.NO_ADDRESS.value),
        (Suppression.id.is_not(None), SkipReason.SUPPRESSED.value),
        (and_(~is_contact, Subscription.paused_at.is_not(None)), SkipReason.PAUSED.value),
        (
            and_(is_contact, _has_contract_ended(Subscription.customer_id, now, notice)),
            SkipReason.CONTRACT_ENDED.value,
        ),
        (and_(~is_contact, also_contact), SkipReason.SAME_ADDRESS_AS_CONTACT.value),
        (and_(unfiltered, comes_later), SkipReason.STANDBY.value),
        (unfiltered, null()),
        (~product_fits, SkipReason.FILTERED_BY_PRODUCT.value),
        (~both_fit, SkipReason.FILTERED_BY_KIND.value),
        (comes_later, SkipReason.STANDBY.value),
        else_=null(),
    )


def _has_contract_ended(
    customer_id: InstrumentedAttribute[int | None], now: datetime, notice: Notice
) -> ColumnElement[bool]:
    """Return whether a customer dropped out of the notice, or its contract's last day is over everywhere on earth.

    The last day is one of the customer's own zone (R17). Where it is not over in the last zone to end a day, the
    customer is told: once too often does no harm.
    """
    dropped = exists().where(
        NoticeCustomer.notice_id == notice.id,
        NoticeCustomer.customer_id == customer_id,
        NoticeCustomer.state == StandingState.DROPPED.value,
    )
    over = exists().where(Customer.id == customer_id, Customer.contract_until < local_date(now, LAST_ZONE_TO_END_A_DAY))
    return or_(dropped, over)


def products_of(base: EntryVersion | None, target: EntryVersion | None) -> frozenset[str]:
    """Return the products a change concerns, those before it and those after it; empty means all of them."""
    keys: set[str] = set()
    for content in (read_content(base), read_content(target)):
        if content is not None and not content.products:
            return frozenset()
        keys |= set(content.products) if content else set()
    return frozenset(keys)


def _wants_product(keys: frozenset[str]) -> ColumnElement[bool]:
    if not keys:
        return true()
    limited = exists().where(SubscriptionProduct.subscription_id == Subscription.id)
    chosen = exists().where(
        SubscriptionProduct.subscription_id == Subscription.id, SubscriptionProduct.product_key.in_(sorted(keys))
    )
    return or_(~limited, chosen)


def _wants_kind(change: EntryChange) -> ColumnElement[bool]:
    limited = exists().where(SubscriptionKind.subscription_id == Subscription.id)
    chosen = exists().where(
        SubscriptionKind.subscription_id == Subscription.id,
        SubscriptionKind.kind.in_([kind.value for kind in change.kinds]),
    )
    return or_(~limited, chosen)


def _count(
    session: Session,
    chosen: Select[int],
    reason: ColumnElement[str | None],
    statement: Statement,
    joiner: Subscription | None,
) -> dict[str, int]:
    written = select(Delivery.state, Delivery.skip_reason, func.count()).where(Delivery.statement_id == statement.id)
    if joiner is not None:
        written = written.where(Delivery.subscription_id == joiner.id)
    counts: dict[str, int] = {"due": 0}
    for state, skipped, count in session.execute(written.group_by(Delivery.state, Delivery.skip_reason)):
        name = "due" if state == DeliveryState.PENDING.value else f"contacts_{skipped or state}"
        counts[name] = counts.get(name, 0) + count
    # What the insert left out are followers only: contacts have a row either way.
    left_out = chosen.where(reason.is_not(None)).with_only_columns(reason, func.count()).group_by(reason)
    for skipped, count in session.execute(left_out):
        counts[f"followers_{skipped}"] = count
    return counts
