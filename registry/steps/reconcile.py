"""The reconciler: for every statement of a pending notice, the recipients it should have and the rows there are.

Of a notice that ended in the last seven days that is the statement which told its end.

    expected recipients − rows = 0

Announcing a notice and writing a row for each recipient are one transaction, so a row that is missing is a defect: of
this software, of a backup put back in parts, or of a hand in the database. Who is missing is found by the rule of the
fan-out itself, and the fan-out adds them, which leaves existing rows alone (R27). What it adds is recorded, and a task
asks a person to find the cause.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import ColumnElement, Engine, String, and_, cast, false, func, or_, select, true
from sqlalchemy.orm import Session, aliased

from registry.domain.deliveries import DeliveryState
from registry.domain.notice_life import PENDING_STATES, NoticeState
from registry.domain.vocabulary import Audience, StatementKind
from registry.steps.fan_out import fan_out, find_skip_reason, select_missing
from registry.steps.lookup import lock_notice
from registry.steps.make_statement import TOLD_TO_JOINERS
from registry.steps.one_by_one import NoteTrouble, find_in_one
from registry.steps.persist import DATABASE_TROUBLE
from registry.steps.record import WORKER, record_event
from registry.steps.sweep_slots import shared_clock
from registry.steps.tasks import TaskKind, open_task
from registry.tables import Attempt, Delivery, Event, Notice, Statement, Subscription
from registry.tables.engine import reading, writing

CHOSE_OTHERWISE = ("subscription.changed", "subscription.resumed")
SUPPRESSION_LIFTED = "suppression.lifted"

LOOKED_BACK_FOR: Final = timedelta(days=7)
"""For so long after a notice's end whoever was not told of it still is."""
TELLS_THE_END: Final = (StatementKind.WITHDRAWAL.value, StatementKind.EFFECT.value)


@dataclass(frozen=True)
class _Missing:
    """Recipients of one statement that have no row."""

    notice_id: int
    statement_id: int
    subscriptions: Sequence[int]


def reconcile(engine: Engine, clock: Callable[[], datetime]) -> dict[str, int]:
    """Add the deliveries that are missing; return how many, and how many leases have run out and wait for recovery.

    It looks without keeping any writer waiting, and writes only where a row is missing. `recover_leases` takes leases
    back; here they are only counted. `clock` gives aware UTC. A notice that cannot be read keeps no other from being
    mended; its error is raised at the end.
    """
    now = clock()
    troubles: list[Exception] = []
    with reading(engine) as session:
        missing = list(_find_missing(session, now, troubles.append))
        stuck = session.scalars(
            select(func.count()).where(
                Delivery.state == DeliveryState.LEASED.value, Delivery.lease_until < shared_clock(session, now)
            )
        ).one()
    mended = 0
    for each in missing:
        try:
            with writing(engine) as session:
                mended += _mend(session, clock(), each)
        except DATABASE_TROUBLE:
            raise
        except Exception as trouble:  # noqa: BLE001 - it is raised once the others are mended
            troubles.append(trouble)
    if troubles:
        raise troubles[0]
    return {"mended": mended, "stuck_leases": stuck}


def _find_missing(session: Session, now: datetime, note_trouble: NoteTrouble) -> Iterator[_Missing]:
    ended_since = now - LOOKED_BACK_FOR
    notices = session.scalars(
        select(Notice)
        .where(
            or_(
                Notice.state.in_([state.value for state in PENDING_STATES]),
                Notice.took_effect_at > ended_since,
                Notice.withdrawn_at > ended_since,
            )
        )
        .order_by(Notice.publisher_id, Notice.id)
    ).all()
    for notice in notices:
        yield from find_in_one(partial(_find_missing_of, session, now, notice), note_trouble)


def _find_missing_of(session: Session, now: datetime, notice: Notice) -> Iterator[_Missing]:
    statements = session.scalars(
        select(Statement).where(Statement.notice_id == notice.id).order_by(Statement.seq)
    ).all()
    for statement in statements:
        if not _is_still_told(notice, statement):
            continue
        reason = find_skip_reason(session, now, notice, StatementKind(statement.kind))
        is_follower = Subscription.audience == Audience.FOLLOWER.value
        query = select_missing(session, notice, statement).where(
            or_(~is_follower, reason.is_(None)), ~_was_never_due(statement, statements)
        )
        found = session.scalars(query.order_by(Subscription.id)).all()
        if found:
            yield _Missing(notice.id, statement.id, found)


def _is_still_told(notice: Notice, statement: Statement) -> bool:
    """Return whether this is still true, and so is sent to whoever lacks it: of a notice that ended only its end."""
    return NoticeState(notice.state) in PENDING_STATES or statement.kind in TELLS_THE_END


def _mend(session: Session, now: datetime, missing: _Missing) -> int:
    publisher, notice = lock_notice(session, missing.notice_id)
    statement = session.get_one(Statement, missing.statement_id)
    if not _is_still_told(notice, statement):
        # A person withdrew it, or it took effect, while this one looked.
        return 0
    before = _count_rows(session, statement)
    for subscription_id in missing.subscriptions:
        fan_out(session, now, notice, statement, joiner=session.get_one(Subscription, subscription_id))
    after = _count_rows(session, statement)
    added = {audience: count - before.get(audience, 0) for audience, count in after.items()}
    for audience, count in sorted(added.items()):
        if not count:
            continue
        record_event(
            session,
            now,
            WORKER,
            "reconcile.mended",
            subject=("notice", notice.number),
            publisher_id=publisher.id,
            statement=statement.seq,
            audience=audience,
            added=count,
        )
        open_task(
            session,
            now,
            TaskKind.RECIPIENTS_MISSING,
            subject=("statement", f"{publisher.slug}/{notice.number}/{statement.seq}/{audience}"),
            publisher_id=publisher.id,
            notice=notice.number,
            statement=statement.seq,
            audience=audience,
            added=count,
        )
    return sum(added.values())


def _count_rows(session: Session, statement: Statement) -> dict[str, int]:
    rows = session.execute(
        select(Subscription.audience, func.count())
        .select_from(Delivery)
        .join(Subscription, Subscription.id == Delivery.subscription_id)
        .where(Delivery.statement_id == statement.id)
        .group_by(Subscription.audience)
    )
    return {row[0]: row[1] for row in rows}


def _was_never_due(statement: Statement, statements: Sequence[Statement]) -> ColumnElement[bool]:
    """Whether a subscription that the fan-out would take today was rightly not taken then.

    Who joined later got what was pending then, and nothing older (R18). Reminders went to whoever had been told by
    then. A contact has a row in any case, due or skipped, but that "now in effect" goes to who wants it; followers may
    have chosen otherwise since, have been told as a customer's contact, have been on the suppression list, or not have
    been interested before a correction.
    """
    if statement.kind not in TOLD_TO_JOINERS:
        missed = ~_was_told_by(statement)
    elif (outdated_at := _outdated_at(statement, statements)) is not None:
        joined = Subscription.confirmed_at > statement.made_at
        missed = and_(joined, Subscription.confirmed_at >= outdated_at)
    else:
        missed = false()
    was_corrected = any(each.seq > statement.seq and each.kind == StatementKind.CORRECTION.value for each in statements)
    is_follower = Subscription.audience == Audience.FOLLOWER.value
    of_followers = and_(is_follower, true() if was_corrected else _has_changed_since(statement))
    if statement.kind == StatementKind.EFFECT.value:
        return or_(missed, of_followers, and_(~is_follower, _has_changed_since(statement)))
    return or_(missed, of_followers)


# Each of these is a list that a database makes once, and not a question that it asks for every subscription.
def _was_told_by(statement: Statement) -> ColumnElement[bool]:
    """Whether a subscription's announcement was on its way when a later statement was made."""
    told = (
        select(Delivery.subscription_id)
        .join(Statement, Statement.id == Delivery.statement_id)
        .join(Attempt, Attempt.delivery_id == Delivery.id)
        .where(
            Statement.notice_id == statement.notice_id,
            Statement.kind == StatementKind.ANNOUNCEMENT.value,
            Attempt.claimed_at <= statement.made_at,
        )
    )
    if statement.kind == StatementKind.WITHDRAWAL.value:
        # What was unclear at the withdrawal was cancelled with it, and a report that came later speaks of that letter.
        is_by_report = Delivery.state.in_([DeliveryState.DELIVERED.value, DeliveryState.BOUNCED.value])
        told = told.where(or_(Delivery.accepted_at.is_not(None), ~is_by_report))
    return Subscription.id.in_(told)


def _has_changed_since(statement: Statement) -> ColumnElement[bool]:
    """Whether a follower is not as it was when a statement was made, so that it may not have been due then."""
    of_publisher = (Event.publisher_id == statement.publisher_id, Event.at >= statement.made_at)
    chose_otherwise = select(Event.subject).where(
        *of_publisher, Event.subject_kind == "subscription", Event.kind.in_(CHOSE_OTHERWISE)
    )
    was_suppressed = select(Event.payload["address"].as_integer()).where(
        *of_publisher,
        Event.subject_kind == "suppression",
        Event.kind == SUPPRESSION_LIFTED,
        # Of an address that was never on record there is no number, and a list with a NULL in it answers nothing.
        Event.payload["address"].as_integer().is_not(None),
    )
    contact = aliased(Subscription)
    told_as_contact = (
        select(contact.address_id)
        .join(Delivery, Delivery.subscription_id == contact.id)
        .where(contact.customer_id.is_not(None), Delivery.statement_id == statement.id)
    )
    return or_(
        cast(Subscription.id, String).in_(chose_otherwise),
        Subscription.address_id.in_(was_suppressed),
        Subscription.address_id.in_(told_as_contact),
    )


def _outdated_at(statement: Statement, statements: Sequence[Statement]) -> datetime | None:
    """Return the instant (UTC) from which joiners are told something newer in its place; None while nothing is."""
    later = [each for each in statements if each.seq > statement.seq]
    same_kind = next((each.made_at for each in later if each.kind == statement.kind), None)
    if same_kind is None or not statement.restarts_clocks:
        return same_kind
    # The statement that clocks run from is told to joiners too, whatever came after it.
    clock = next((each.made_at for each in later if each.restarts_clocks), None)
    return None if clock is None else max(same_kind, clock)
