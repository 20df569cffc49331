"""Step seven: on its day a notice takes effect, at one instant for the whole list, unless somebody named holds it.

R21–R24. The sweep is idempotent: it may run every minute, twice at once, or after a day of silence. What comes late
takes effect late; nothing is back-dated.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.effect import CustomerStanding, Hold, choose_holds, find_possible_at
from registry.domain.notice_life import PENDING_STATES, NoticeEvent, NoticeState, next_notice_state
from registry.domain.notices import (
    first_instant,
    is_postponement_due,
    next_told_date,
)
from registry.domain.objections import OPEN_OBJECTION_STATES
from registry.domain.publishers import PublisherFacts
from registry.domain.terms import Terms
from registry.domain.vocabulary import StatementKind
from registry.steps.letterhead import Letterhead
from registry.steps.list_periods import put_on_list, touch
from registry.steps.lookup import read_facts
from registry.steps.make_statement import make_statement
from registry.steps.notice_customers import deem_receipts, drop_ended_contracts
from registry.steps.record import WORKER, record_event
from registry.steps.revise_draft import list_changes
from registry.tables import (
    Customer,
    Entry,
    EntryVersion,
    Notice,
    NoticeCustomer,
    Objection,
    Publisher,
    Statement,
)


def take_effect(session: Session, now: datetime, letterhead: Letterhead) -> dict[str, int]:
    """Look at every announced or held notice: let what is due take effect, hold what must wait; return the counts."""
    counts = {"in_effect": 0, "held": 0}
    notices = session.scalars(
        select(Notice)
        .where(Notice.state.in_([state.value for state in PENDING_STATES]))
        .order_by(Notice.effective_at, Notice.id)
        .with_for_update(skip_locked=True)
    ).all()
    for notice in notices:
        publisher = session.get_one(Publisher, notice.publisher_id)
        drop_ended_contracts(session, now, publisher, notice)
        deem_receipts(session, now, notice)
        holds = find_holds(session, now, notice)
        if notice.state == NoticeState.HELD.value and not _release_if_free(session, now, publisher, notice, holds):
            counts["held"] += _hold_longer(session, now, publisher, notice, holds, letterhead)
            continue
        if notice.effective_at is None or notice.effective_at > now:
            continue
        if holds:
            _hold(session, now, publisher, notice, holds, letterhead)
            counts["held"] += 1
        else:
            _take(session, now, publisher, notice, letterhead)
            counts["in_effect"] += 1
    return counts


def find_holds(session: Session, now: datetime, notice: Notice) -> tuple[Hold, ...]:
    """Return who keeps the notice from taking effect now, or on its day as things stand, each by name and reason."""
    open_objections = (
        select(func.count())
        .select_from(Objection)
        .where(
            Objection.notice_id == NoticeCustomer.notice_id,
            Objection.customer_id == NoticeCustomer.customer_id,
            Objection.is_in_time,
            Objection.state.in_([state.value for state in OPEN_OBJECTION_STATES]),
        )
        .scalar_subquery()
    )
    rows = session.execute(
        select(NoticeCustomer, Customer.key, Customer.name, open_objections)
        .join(Customer, Customer.id == NoticeCustomer.customer_id)
        .where(NoticeCustomer.notice_id == notice.id)
    )
    standings = [
        CustomerStanding(
            key=key,
            name=name,
            terms=Terms.model_validate(row.terms),
            earliest_at=row.earliest_at,
            exempt=row.state == "exempt",
            dropped=row.state == "dropped",
            approved=row.approved_at is not None,
            open_in_time_objections=objections,
        )
        for row, key, name, objections in rows
    ]
    emergency = notice.emergency_reason is not None
    binds = any(change.weight == "binding" for change in list_changes(session, notice))
    if not binds:
        return ()
    return choose_holds(standings, now, notice.effective_at or now, emergency=emergency)


def _take(session: Session, now: datetime, publisher: Publisher, notice: Notice, letterhead: Letterhead) -> None:
    for change in list_changes(session, notice):
        entry = session.get_one(Entry, change.entry_id)
        target = session.get_one(EntryVersion, change.target_version_id)
        put_on_list(session, now, publisher, entry, target, cause=f"notice:{notice.number}")
        change.is_open = False
    notice.state = next_notice_state(NoticeState(notice.state), NoticeEvent.TAKE_EFFECT).value
    notice.took_effect_at = now
    notice.updated_at = now
    session.flush()
    record_event(
        session,
        now,
        WORKER,
        "notice.took_effect",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        told_on=notice.effective_on.isoformat() if notice.effective_on else None,
    )
    make_statement(session, now, publisher, notice, StatementKind.EFFECT, letterhead)


def _hold(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    holds: tuple[Hold, ...],
    letterhead: Letterhead,
) -> None:
    notice.state = next_notice_state(NoticeState(notice.state), NoticeEvent.HOLD).value
    record_event(
        session,
        now,
        WORKER,
        "notice.held",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        holds=[[hold.customer_key, hold.reason.value] for hold in holds],
    )
    _tell_new_date(session, now, publisher, notice, holds, letterhead)


def _hold_longer(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    holds: tuple[Hold, ...],
    letterhead: Letterhead,
) -> int:
    """Tell a later date once the date told has come and the notice is held still (R22)."""
    if notice.effective_at is not None and notice.effective_at <= now:
        _tell_new_date(session, now, publisher, notice, holds, letterhead)
    return 1


def _tell_new_date(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    holds: tuple[Hold, ...],
    letterhead: Letterhead,
) -> None:
    facts = read_facts(session, publisher)
    told_on = notice.effective_on
    last_date = told_on or notice.planned_on
    next_on = next_told_date(find_possible_at(holds, now), last_date, now, facts.time_zone)
    postponed_before = _has_postponed(session, notice)
    _set_date(notice, facts, next_on, now)
    if is_postponement_due(next_on, told_on, postponed_before=postponed_before):
        touch(publisher, now)
        session.flush()
        make_statement(
            session,
            now,
            publisher,
            notice,
            StatementKind.POSTPONEMENT,
            letterhead,
            previous_effective_on=last_date,
        )


def _release_if_free(
    session: Session, now: datetime, publisher: Publisher, notice: Notice, holds: tuple[Hold, ...]
) -> bool:
    """Release a held notice that nobody holds any more: its effect falls on the next local midnight (R22).

    Where a date was told already, that date stays, and holds are asked again when it comes.
    """
    if holds:
        return False
    facts = read_facts(session, publisher)
    if notice.effective_on is None:
        next_on = next_told_date(now, notice.planned_on, now, facts.time_zone)
        _set_date(notice, facts, next_on, now)
        touch(publisher, now)
    notice.state = next_notice_state(NoticeState(notice.state), NoticeEvent.RELEASE).value
    record_event(
        session,
        now,
        WORKER,
        "notice.released",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        effective_on=notice.effective_on.isoformat() if notice.effective_on else None,
    )
    return True


def _set_date(notice: Notice, facts: PublisherFacts, on: date | None, now: datetime) -> None:
    notice.effective_on = on
    notice.effective_at = first_instant(on, facts.time_zone) if on else None
    notice.updated_at = now


def _has_postponed(session: Session, notice: Notice) -> bool:
    query = select(Statement.id).where(
        Statement.notice_id == notice.id, Statement.kind == StatementKind.POSTPONEMENT.value
    )
    return session.scalar(query.limit(1)) is not None
