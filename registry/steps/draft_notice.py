"""Step two: pending edits become a draft notice with a number, a date and a digest (R4, R11, R14)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange
from registry.domain.entries import digest_of
from registry.domain.errors import InvalidInput, Problem
from registry.domain.notice_life import NoticeState
from registry.domain.notices import check_effective_on, first_instant, local_date
from registry.domain.publishers import PublisherFacts
from registry.domain.text import find_unclean
from registry.domain.vocabulary import Weight
from registry.letters.rows import describe_change
from registry.steps.errors import DateInThePast, EditLocked, NothingToAnnounce
from registry.steps.lookup import get_entry, read_facts
from registry.steps.plan_dates import find_earliest
from registry.steps.record import Actor, record_event
from registry.steps.record_edit import find_open_notice
from registry.steps.revise_draft import digest_notice, list_changes, pin_changes, weigh_notice
from registry.tables import Entry, Notice, NoticeChange, PendingEdit, Product, Publisher


def draft_notice(
    session: Session,
    now: datetime,
    publisher: Publisher,
    actor: Actor,
    *,
    effective_on: date | None = None,
    entry_keys: tuple[str, ...] = (),
    announce_at: datetime | None = None,
    emergency_reason: str | None = None,
    summary: str = "",
) -> Notice:
    """Draft a notice of the pending edits, of all that are free or of `entry_keys`.

    `effective_on` is a date of the publisher's zone; None takes the earliest lawful one, for an announcement at
    `announce_at` (UTC; None is at publication). Raises `NothingToAnnounce`, `EditLocked` for an entry that an open
    notice has already, `NoticePeriodTooShort` for a date too early, `DateInThePast`.
    """
    _refuse_unclean(summary=summary, emergency_reason=emergency_reason or "")
    facts = read_facts(session, publisher)
    entries = _choose_entries(session, publisher, entry_keys)
    notice = Notice(
        publisher_id=publisher.id,
        number=_next_number(session, now, publisher, facts),
        state=NoticeState.DRAFT.value,
        summary=summary,
        planned_on=effective_on or local_date(now, facts.time_zone),
        announce_at=announce_at,
        emergency_reason=emergency_reason,
        terms=facts.notice.model_dump(mode="json"),
        digest=digest_of(None),
        author=actor.name,
        created_at=now,
        updated_at=now,
    )
    session.add(notice)
    session.flush()
    pin_changes(session, publisher, notice, entries)
    changes = list_changes(session, notice)
    if not changes:
        raise NothingToAnnounce(publisher=publisher.slug)
    notice.summary = summary or _summarise(session, publisher, changes)
    set_planned_date(session, max(now, announce_at or now), publisher, facts, notice, effective_on)
    record_event(
        session,
        now,
        actor,
        "notice.drafted",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        entries=[change.entry_id for change in changes],
        planned_on=notice.planned_on.isoformat(),
        weight=weigh_notice(changes).value,
        digest=notice.digest,
    )
    return notice


def set_planned_date(
    session: Session,
    announced_at: datetime,
    publisher: Publisher,
    facts: PublisherFacts,
    notice: Notice,
    effective_on: date | None,
) -> None:
    """Set the notice's date, or refuse it: too early for somebody's clock (R11), or in the past (R24).

    Clocks are asked only for binding changes, and not in an emergency (R19).
    """
    today = local_date(announced_at, facts.time_zone)
    is_bound = weigh_notice(list_changes(session, notice)) is Weight.BINDING and not notice.emergency_reason
    earliest = find_earliest(session, announced_at, publisher) if is_bound else None
    chosen = effective_on or (earliest.effective_on if earliest else today)
    if chosen < today:
        raise DateInThePast(requested_on=chosen, today=today)
    notice.planned_on = chosen
    notice.effective_on = chosen
    notice.effective_at = check_effective_on(chosen, earliest) if earliest else first_instant(chosen, facts.time_zone)
    notice.digest = digest_notice(session, notice)
    session.flush()


def _choose_entries(session: Session, publisher: Publisher, keys: tuple[str, ...]) -> list[Entry]:
    if keys:
        entries = [get_entry(session, publisher, key) for key in dict.fromkeys(keys)]
        for entry in entries:
            notice = find_open_notice(session, entry)
            if notice is not None:
                raise EditLocked(key=entry.key, number=notice.number)
    else:
        entries = list(
            session.scalars(
                select(Entry)
                .join(PendingEdit, PendingEdit.entry_id == Entry.id)
                .where(
                    Entry.publisher_id == publisher.id,
                    Entry.id.not_in(select(NoticeChange.entry_id).where(NoticeChange.is_open)),
                )
                .order_by(Entry.position, Entry.key)
            )
        )
    if not entries:
        raise NothingToAnnounce(publisher=publisher.slug)
    return entries


def _next_number(session: Session, now: datetime, publisher: Publisher, facts: PublisherFacts) -> str:
    """Number notices within the publisher's local year. Notices are never deleted, so no number comes twice (R15)."""
    year = local_date(now, facts.time_zone).year
    given = session.scalars(
        select(Notice.number).where(Notice.publisher_id == publisher.id, Notice.number.startswith(f"{year}-"))
    )
    last = max((int(number.rpartition("-")[2]) for number in given), default=0)
    return f"{year}-{last + 1:03d}"


def _summarise(session: Session, publisher: Publisher, changes: list[NoticeChange]) -> str:
    """Put the changes into one line, for a notice that its author gave no words."""
    products = session.scalars(select(Product).where(Product.publisher_id == publisher.id))
    names = {product.key: product.name for product in products}
    said = [describe_change(EntryChange.from_document(row.change), names, "en") for row in changes]
    return "; ".join(f"{change.name}: {change.headline}" for change in said)


def _refuse_unclean(**texts: str) -> None:
    problems = [
        Problem(field, text, "control-character", {"character": f"U+{ord(found):04X}"})
        for field, text in texts.items()
        if (found := find_unclean(text)) is not None
    ]
    if problems:
        raise InvalidInput(problems)
