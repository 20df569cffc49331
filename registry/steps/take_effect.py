"""Step seven: on its day a notice takes effect, at one instant for the whole list, unless somebody named holds it.

R21–R24. The sweep is idempotent: it may run every minute, twice at once, or after a day of silence. What comes late
takes effect late; nothing is back-dated.

```
announced ── its date has come ──▶ holds? ── none ──▶ in effect
    ▲                                └── some ──▶ held: a postponement with a date, or "until further notice"
    └──── nobody holds it any more ◀──────────────┘
```
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from registry.domain.effect import CustomerStanding, Hold, choose_holds, find_possible_at
from registry.domain.notice_life import PENDING_STATES, NoticeEvent, NoticeState, next_notice_state
from registry.domain.notices import first_instant, is_postponement_due, next_told_date
from registry.domain.objections import OPEN_OBJECTION_STATES
from registry.domain.standings import NO_LONGER_HOLDING, StandingState
from registry.domain.terms import find_terms
from registry.domain.vocabulary import StatementKind, Weight
from registry.steps.editorial import settle_waiting_edits
from registry.steps.letterhead import Letterhead
from registry.steps.list_periods import put_all_on_list, touch
from registry.steps.lookup import lock_notice, read_facts
from registry.steps.make_statement import make_statement
from registry.steps.notice_customers import deem_receipts, drop_ended_contracts
from registry.steps.one_by_one import NoteTrouble, one_by_one
from registry.steps.record import WORKER, record_event
from registry.steps.revise_draft import list_changes, weigh_notice
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

TELLS_A_DATE = (
    StatementKind.ANNOUNCEMENT.value,
    StatementKind.CORRECTION.value,
    StatementKind.POSTPONEMENT.value,
)


def take_effect(
    session: Session, now: datetime, letterhead: Letterhead, *, note_trouble: NoteTrouble | None = None
) -> dict[str, int]:
    """Look at every announced or held notice: let what is due take effect, hold what must wait.

    Returns how many took effect, and how many are held now. For `note_trouble` see `one_by_one`.
    """
    pending = (
        select(Notice.id)
        .where(Notice.state.in_([state.value for state in PENDING_STATES]))
        .order_by(Notice.publisher_id, Notice.effective_at, Notice.id)
    )
    counts = {NoticeState.IN_EFFECT.value: 0, NoticeState.HELD.value: 0}

    def look(notice_id: int) -> None:
        publisher, notice = lock_notice(session, notice_id)
        if NoticeState(notice.state) not in PENDING_STATES:
            # Another tick was here, or a person withdrew it, while this one waited.
            return
        _look_at(session, now, publisher, notice, letterhead)
        if notice.state in counts:
            counts[notice.state] += 1

    one_by_one(session, session.scalars(pending).all(), look, note_trouble)
    return counts


def _look_at(session: Session, now: datetime, publisher: Publisher, notice: Notice, letterhead: Letterhead) -> None:
    drop_ended_contracts(session, now, publisher, notice)
    deem_receipts(session, now, notice)
    session.flush()
    holds = find_holds(session, now, notice)
    if notice.state == NoticeState.HELD.value:
        if holds:
            _hold_longer(session, now, publisher, notice, holds, letterhead)
            return
        _release(session, now, publisher, notice)
    if notice.effective_at is None or notice.effective_at > now:
        return
    if not holds:
        _lock_customers(session, notice)
        holds = find_holds(session, now, notice)
    if holds:
        _hold(session, now, publisher, notice, holds, letterhead)
    else:
        _take(session, now, publisher, notice, letterhead)


def _lock_customers(session: Session, notice: Notice) -> None:
    """Let a bounce that takes a receipt away be on record before the effect, or wait and find it done (R12)."""
    locked = select(NoticeCustomer).where(NoticeCustomer.notice_id == notice.id).order_by(NoticeCustomer.customer_id)
    session.scalars(locked.with_for_update(key_share=True).execution_options(populate_existing=True)).all()


def count_open_objections() -> ColumnElement[int]:
    """Return how many open objections a customer (`NoticeCustomer`) made in time (R25)."""
    return (
        select(func.count())
        .select_from(Objection)
        .where(
            Objection.notice_id == NoticeCustomer.notice_id,
            Objection.customer_id == NoticeCustomer.customer_id,
            Objection.is_in_time,
            Objection.state.in_([state.value for state in OPEN_OBJECTION_STATES]),
        )
        .correlate(NoticeCustomer)
        .scalar_subquery()
    )


def find_holds(session: Session, now: datetime, notice: Notice) -> tuple[Hold, ...]:
    """Return who keeps the notice from taking effect, each by name and reason.

    Before its day this is the outlook for it as things stand, for a held notice who holds it now.
    """
    rows = session.execute(
        select(NoticeCustomer, Customer.key, Customer.name, count_open_objections())
        .join(Customer, Customer.id == NoticeCustomer.customer_id)
        .where(NoticeCustomer.notice_id == notice.id)
    )
    standings = [
        CustomerStanding(
            key=key,
            name=name,
            terms=find_terms(row.terms),
            earliest_at=row.earliest_at,
            exempt=row.state in NO_LONGER_HOLDING,
            dropped=row.state == StandingState.DROPPED,
            approved=row.approved_at is not None,
            open_in_time_objections=objections,
        )
        for row, key, name, objections in rows
    ]
    if weigh_notice(list_changes(session, notice)) is not Weight.BINDING:
        return ()
    at = now if notice.state == NoticeState.HELD.value else notice.effective_at or now
    return choose_holds(standings, now, at, emergency=notice.emergency_reason is not None)


def _take(session: Session, now: datetime, publisher: Publisher, notice: Notice, letterhead: Letterhead) -> None:
    changes = list_changes(session, notice)
    entries = {
        entry.id: entry
        for entry in session.scalars(select(Entry).where(Entry.id.in_([row.entry_id for row in changes])))
    }
    targets = session.scalars(
        select(EntryVersion).where(EntryVersion.id.in_([row.target_version_id for row in changes]))
    )
    versions = [(entries[target.entry_id], target) for target in targets]
    put_all_on_list(session, now, publisher, versions, cause=f"notice:{notice.number}")
    for change in changes:
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
    settle_waiting_edits(session, now, publisher, notice, WORKER)


def _hold(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    holds: tuple[Hold, ...],
    letterhead: Letterhead,
) -> None:
    notice.state = next_notice_state(NoticeState(notice.state), NoticeEvent.HOLD).value
    told_on, last_told_on = _find_told_dates(session, notice)
    next_on = _next_date(session, now, publisher, holds, last_told_on)
    _record_hold(session, now, publisher, notice, "notice.held", holds, next_on)
    _tell_date(session, now, publisher, notice, next_on, told_on, last_told_on, letterhead)


def _hold_longer(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    holds: tuple[Hold, ...],
    letterhead: Letterhead,
) -> None:
    """Find the date of a held notice anew, as those who hold it come and go (R22).

    A date that was told stands until it comes. One that was not told, after "until further notice", moves with its
    reasons, and only the page shows it.
    """
    told_on, last_told_on = _find_told_dates(session, notice)
    stands = notice.effective_at is not None and notice.effective_at > now and notice.effective_on == told_on
    next_on = _next_date(session, now, publisher, holds, last_told_on)
    if stands or next_on == notice.effective_on:
        return
    _record_hold(session, now, publisher, notice, "notice.redated", holds, next_on)
    _tell_date(session, now, publisher, notice, next_on, told_on, last_told_on, letterhead)


def _tell_date(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    next_on: date | None,
    told_on: date | None,
    last_told_on: date,
    letterhead: Letterhead,
) -> None:
    """Set the date, and send a postponement where this is the first hold or the date told moves later (R22)."""
    _set_date(session, now, publisher, notice, next_on)
    if is_postponement_due(next_on, told_on, postponed_before=_has_postponed(session, notice)):
        make_statement(
            session,
            now,
            publisher,
            notice,
            StatementKind.POSTPONEMENT,
            letterhead,
            previous_effective_on=last_told_on,
        )


def _release(session: Session, now: datetime, publisher: Publisher, notice: Notice) -> None:
    """Release a held notice that nobody holds any more: its effect falls on the next local midnight (R22).

    A date that was told stays, and holds are asked again when it comes.
    """
    told_on, last_told_on = _find_told_dates(session, notice)
    has_come = notice.effective_at is not None and notice.effective_at <= now
    if not has_come and (notice.effective_on is None or notice.effective_on != told_on):
        _set_date(session, now, publisher, notice, _next_date(session, now, publisher, (), last_told_on))
    notice.state = next_notice_state(NoticeState(notice.state), NoticeEvent.RELEASE).value
    notice.updated_at = now
    touch(publisher, now)
    _record_hold(session, now, publisher, notice, "notice.released", (), notice.effective_on)


def _next_date(
    session: Session, now: datetime, publisher: Publisher, holds: tuple[Hold, ...], last_told_on: date
) -> date | None:
    zone = read_facts(session, publisher).time_zone
    return next_told_date(find_possible_at(holds, now), last_told_on, now, zone)


def _set_date(session: Session, now: datetime, publisher: Publisher, notice: Notice, on: date | None) -> None:
    zone = read_facts(session, publisher).time_zone
    notice.effective_on = on
    notice.effective_at = first_instant(on, zone) if on else None
    notice.updated_at = now
    touch(publisher, now)
    session.flush()


def _find_told_dates(session: Session, notice: Notice) -> tuple[date | None, date]:
    """Return the date told last, None for "until further notice", and the last date that was told at all."""
    told = session.scalars(
        select(Statement.effective_on)
        .where(Statement.notice_id == notice.id, Statement.kind.in_(TELLS_A_DATE))
        .order_by(Statement.seq)
    ).all()
    dates = [on for on in told if on is not None]
    return (told[-1] if told else notice.planned_on), (dates[-1] if dates else notice.planned_on)


def _has_postponed(session: Session, notice: Notice) -> bool:
    query = select(Statement.id).where(
        Statement.notice_id == notice.id, Statement.kind == StatementKind.POSTPONEMENT.value
    )
    return session.scalar(query.limit(1)) is not None


def _record_hold(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    kind: str,
    holds: tuple[Hold, ...],
    effective_on: date | None,
) -> None:
    record_event(
        session,
        now,
        WORKER,
        kind,
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        holds=[[hold.customer_key, hold.reason.value] for hold in holds],
        effective_on=effective_on.isoformat() if effective_on else None,
    )
