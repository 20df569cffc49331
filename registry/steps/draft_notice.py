"""Step two: pending edits become a draft notice with a number, a date and a digest (R4, R11, R14)."""

from __future__ import annotations

import unicodedata
from datetime import UTC, date, datetime
from types import EllipsisType

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.entries import digest_of
from registry.domain.errors import InvalidInput, Problem
from registry.domain.notice_life import NoticeEvent, NoticeState, next_notice_state
from registry.domain.notices import (
    NoSuchDay,
    NoticePeriodTooShort,
    check_effective_on,
    first_instant,
    is_a_day,
    local_date,
    refuse_too_far,
)
from registry.domain.publishers import PublisherFacts
from registry.domain.text import TEXT_LENGTH, refuse_unclean
from registry.domain.vocabulary import Weight
from registry.steps.editorial import find_open_notice
from registry.steps.errors import DateInThePast, EditLocked, NothingToAnnounce, ReasonMissing
from registry.steps.lookup import get_entry, load_entries_by_key, load_versions, lock_publisher, read_facts
from registry.steps.plan_dates import find_earliest
from registry.steps.record import Actor, record_event
from registry.steps.revise_draft import (
    digest_notice,
    list_changes,
    make_change,
    mark_revised,
    pin_changes,
    summarise,
    weigh_notice,
)
from registry.tables import Entry, Notice, NoticeChange, Publisher


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
    explanation: str = "",
) -> Notice:
    """Draft a notice of the pending edits that bind or inform: of all that are free, or of `entry_keys`.

    An editorial edit, which needs no notice (R3), is taken only where its entry is named. `effective_on` is a date of
    the publisher's zone; None takes the earliest lawful one, for an announcement at `announce_at` (UTC; None is at
    publication). `explanation` are the publisher's own words beside the changes, in Markdown. Raises
    `NothingToAnnounce`, `EditLocked` for an entry that an open notice has already, `ReasonMissing` for an emergency
    without a reason, `NoticePeriodTooShort` for a date too early, `DateInThePast`, `NoSuchDay`, and `InvalidInput` for
    words that cannot be taken, and naming `effective_on` or `announce_at` for one too far ahead.
    """
    refuse_unclean(summary=summary, emergency_reason=emergency_reason or "")
    explanation = read_explanation(explanation)
    _refuse_without_reason(emergency_reason)
    lock_publisher(session, publisher)
    facts = read_facts(session, publisher)
    if announce_at is not None:
        refuse_too_far("announce_at", announce_at, now, facts.time_zone)
    pinned = _choose_changes(session, publisher, entry_keys)
    notice = Notice(
        publisher_id=publisher.id,
        number=_next_number(session, now, publisher, facts),
        state=NoticeState.DRAFT.value,
        summary=summary,
        explanation=explanation,
        planned_on=effective_on or local_date(now, facts.time_zone),
        announce_at=announce_at.astimezone(UTC) if announce_at else None,
        emergency_reason=emergency_reason,
        terms=facts.notice.model_dump(mode="json"),
        digest=digest_of(None),
        author=actor.name,
        authors=[actor.name],
        created_at=now,
        updated_at=now,
    )
    session.add(notice)
    session.flush()
    pin_changes(session, publisher, notice, pinned)
    changes = list_changes(session, notice)
    notice.summary = summary or summarise(session, publisher, changes)
    set_planned_date(session, max(now, announce_at or now), publisher, facts, notice, effective_on)
    notice.digest = digest_notice(session, notice)
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
    session.flush()
    return notice


def revise_notice(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    actor: Actor,
    *,
    effective_on: date | None = None,
    announce_at: datetime | EllipsisType | None = ...,
    summary: str | None = None,
    emergency_reason: str | None = None,
    explanation: str | None = None,
) -> None:
    """Give a draft another date, announcement, summary, explanation or emergency, which voids its approvals (R16).

    What is left out stays as it is, but a date that has become too early meanwhile moves to the earliest lawful one.
    `effective_on` is a date of the publisher's zone. `announce_at` (UTC) None is at publication. An empty `summary` is
    made from the changes, an empty `explanation` takes it away. Raises as `draft_notice` does, and `IllegalTransition`
    once the notice is published.
    """
    refuse_unclean(summary=summary or "", emergency_reason=emergency_reason or "")
    words = None if explanation is None else read_explanation(explanation)
    _refuse_without_reason(emergency_reason)
    lock_publisher(session, publisher, notice)
    next_notice_state(NoticeState(notice.state), NoticeEvent.EDIT)
    facts = read_facts(session, publisher)
    if not isinstance(announce_at, EllipsisType):
        if announce_at is not None:
            refuse_too_far("announce_at", announce_at, now, facts.time_zone)
        notice.announce_at = announce_at.astimezone(UTC) if announce_at else None
    if emergency_reason is not None:
        notice.emergency_reason = emergency_reason
    if summary is not None:
        notice.summary = summary or summarise(session, publisher, list_changes(session, notice))
    if words is not None:
        notice.explanation = words
    announced_at = max(now, notice.announce_at or now)
    try:
        set_planned_date(session, announced_at, publisher, facts, notice, effective_on or notice.planned_on)
    except (NoticePeriodTooShort, DateInThePast):
        if effective_on is not None:
            raise
        set_planned_date(session, announced_at, publisher, facts, notice, None)
    if digest_notice(session, notice) != notice.digest:
        mark_revised(session, now, publisher, notice, actor)
        session.flush()


def set_planned_date(
    session: Session,
    announced_at: datetime,
    publisher: Publisher,
    facts: PublisherFacts,
    notice: Notice,
    effective_on: date | None,
) -> None:
    """Set the notice's date, or refuse it as `choose_date` does."""
    chosen, effective_at = choose_date(session, announced_at, publisher, facts, notice, effective_on)
    notice.planned_on = chosen
    notice.effective_on = chosen
    notice.effective_at = effective_at
    session.flush()


def choose_date(
    session: Session,
    announced_at: datetime,
    publisher: Publisher,
    facts: PublisherFacts,
    notice: Notice,
    effective_on: date | None,
) -> tuple[date, datetime]:
    """Return the notice's date in the publisher's zone with its first instant (UTC), changing nothing.

    None is the earliest lawful date. Clocks are asked only for binding changes, and not in an emergency (R19). Raises
    `NoticePeriodTooShort` for a date too early for somebody's clock (R11), `DateInThePast` (R24), `NoSuchDay`, and
    `InvalidInput` naming `effective_on` for one too far ahead.
    """
    today = local_date(announced_at, facts.time_zone)
    is_bound = weigh_notice(list_changes(session, notice)) is Weight.BINDING and not notice.emergency_reason
    earliest = find_earliest(session, announced_at, publisher) if is_bound else None
    chosen = effective_on or (earliest.effective_on if earliest else today)
    if chosen < today:
        raise DateInThePast(requested_on=chosen, today=today)
    refuse_too_far("effective_on", chosen, announced_at, facts.time_zone)
    if not is_a_day(chosen, facts.time_zone):
        raise NoSuchDay(on=chosen, zone=facts.time_zone)
    return chosen, check_effective_on(chosen, earliest) if earliest else first_instant(chosen, facts.time_zone)


def _choose_changes(session: Session, publisher: Publisher, keys: tuple[str, ...]) -> list[tuple[Entry, NoticeChange]]:
    versions = load_versions(session, publisher)
    if keys:
        entries = [get_entry(session, publisher, key) for key in dict.fromkeys(keys)]
        for entry in entries:
            notice = find_open_notice(session, entry)
            if notice is not None:
                raise EditLocked(key=entry.key, number=notice.number)
    else:
        taken = set(
            session.scalars(
                select(NoticeChange.entry_id).where(NoticeChange.publisher_id == publisher.id, NoticeChange.is_open)
            )
        )
        entries = [entry for entry in load_entries_by_key(session, publisher).values() if entry.id not in taken]
    chosen = []
    for entry in dict.fromkeys(entries):
        known = versions.get(entry.id)
        change = make_change(entry, known.current, known.pending) if known and known.pending else None
        if change is None and keys:
            raise NothingToAnnounce(publisher=publisher.slug, key=entry.key)
        if change is not None and (keys or Weight(change.weight) is not Weight.EDITORIAL):
            chosen.append((entry, change))
    if not chosen:
        raise NothingToAnnounce(publisher=publisher.slug)
    return chosen


def _next_number(session: Session, now: datetime, publisher: Publisher, facts: PublisherFacts) -> str:
    """Number notices within the publisher's local year. Notices are never deleted, so no number comes twice (R15)."""
    year = local_date(now, facts.time_zone).year
    given = session.scalars(
        select(Notice.number).where(Notice.publisher_id == publisher.id, Notice.number.startswith(f"{year}-"))
    )
    last = max((int(number.rpartition("-")[2]) for number in given), default=0)
    return f"{year}-{last + 1:03d}"


def _refuse_without_reason(emergency_reason: str | None) -> None:
    if emergency_reason is not None and not emergency_reason.strip():
        raise ReasonMissing(what="emergency_reason")


def read_explanation(given: str) -> str:
    """Return a publisher's own words as they are kept: with plain line breaks, and nothing around them.

    Raises `InvalidInput` on the field `explanation` for more than `TEXT_LENGTH` characters, and for one that people
    cannot read.
    """
    words = unicodedata.normalize("NFC", given.replace("\r\n", "\n").strip())
    if len(words) > TEXT_LENGTH:
        raise InvalidInput([Problem("explanation", words, "too-long", {"max_length": f"{TEXT_LENGTH:,} characters"})])
    refuse_unclean(explanation=words)
    return words
