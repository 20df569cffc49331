"""Step four: the notice is told. From this commit on page, files and feeds show it, and nothing before (R14)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.errors import RegistryError
from registry.domain.notice_life import NoticeEvent, NoticeState, next_notice_state
from registry.domain.publishers import PublisherFacts
from registry.domain.standings import StandingState
from registry.domain.vocabulary import StatementKind
from registry.steps.draft_notice import choose_date, set_planned_date
from registry.steps.letterhead import Letterhead
from registry.steps.list_periods import touch
from registry.steps.lookup import list_running_customers, lock_notice, lock_publisher, read_facts
from registry.steps.make_statement import make_statement
from registry.steps.one_by_one import NoteTrouble, one_by_one
from registry.steps.record import WORKER, Actor, record_event
from registry.tables import Event, Notice, NoticeCustomer, Publisher


def announce_notice(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    actor: Actor,
    letterhead: Letterhead,
) -> None:
    """Check the clocks once more, freeze the customers with their terms (R17), and fan the announcement out.

    One transaction: either every delivery stands, or the notice is not announced. Raises `NoticePeriodTooShort`.
    """
    lock_publisher(session, publisher, notice)
    state = next_notice_state(NoticeState(notice.state), NoticeEvent.ANNOUNCE)
    facts = read_facts(session, publisher)
    notice.terms = facts.notice.model_dump(mode="json")
    set_planned_date(session, now, publisher, facts, notice, notice.planned_on)
    for row, customer in list_running_customers(session, publisher, facts.notice, now):
        session.add(
            NoticeCustomer(
                notice_id=notice.id,
                customer_id=row.id,
                publisher_id=publisher.id,
                terms=customer.terms.model_dump(mode="json"),
                state=StandingState.WAITING.value,
            )
        )
    notice.state = state.value
    notice.announced_at = now
    notice.updated_at = now
    touch(publisher, now)
    session.flush()
    counts = make_statement(session, now, publisher, notice, StatementKind.ANNOUNCEMENT, letterhead)
    record_event(
        session,
        now,
        actor,
        "notice.announced",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        effective_at=notice.effective_at.isoformat() if notice.effective_at else None,
        **counts,
    )


def find_refusal(
    session: Session, now: datetime, publisher: Publisher, notice: Notice, facts: PublisherFacts
) -> RegistryError | None:
    """Return why a published notice whose hour has come cannot be announced at `now` (UTC); None for any other."""
    if notice.state != NoticeState.PUBLISHED.value or notice.announce_at is None or notice.announce_at > now:
        return None
    try:
        choose_date(session, now, publisher, facts, notice, notice.planned_on)
    except RegistryError as refusal:
        return refusal
    return None


def announce_due_notices(
    session: Session, now: datetime, letterhead: Letterhead, *, note_trouble: NoteTrouble | None = None
) -> int:
    """Announce published notices whose `announce_at` has come; return how many. For `note_trouble` see `one_by_one`.

    One that may not be announced any more, since a clock grew longer meanwhile, stays published, and the refusal is
    recorded once, for a person to draft it anew.
    """
    is_due = (Notice.state == NoticeState.PUBLISHED.value, Notice.announce_at <= now)
    due = session.scalars(select(Notice.id).where(*is_due).order_by(Notice.publisher_id, Notice.id)).all()
    announced: list[int] = []

    def announce(notice_id: int) -> None:
        publisher, notice = lock_notice(session, notice_id)
        if notice.state != NoticeState.PUBLISHED.value:
            # Another tick announced it, or a person withdrew it, while this one waited.
            return
        try:
            with session.begin_nested():
                announce_notice(session, now, publisher, notice, WORKER, letterhead)
            announced.append(notice_id)
        except RegistryError as refusal:
            _record_refusal(session, now, publisher, notice, refusal)

    one_by_one(session, due, announce, note_trouble)
    return len(announced)


def _record_refusal(
    session: Session, now: datetime, publisher: Publisher, notice: Notice, refusal: RegistryError
) -> None:
    known = session.scalar(
        select(Event.id).where(
            Event.publisher_id == publisher.id,
            Event.subject_kind == "notice",
            Event.subject == notice.number,
            Event.kind == "notice.announce_refused",
        )
    )
    if known is None:
        record_event(
            session,
            now,
            WORKER,
            "notice.announce_refused",
            subject=("notice", notice.number),
            publisher_id=publisher.id,
            code=refusal.code,
        )
