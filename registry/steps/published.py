"""What the public may know of a list, now or at the end of a past day, as values for `registry.pages` (R6, R14)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange, diff_entry
from registry.domain.entries import EntryContent
from registry.domain.notice_life import PUBLIC_STATES, NoticeState
from registry.domain.notices import first_instant, local_date, plan_clock
from registry.domain.publishers import PublisherFacts
from registry.domain.terms import Terms
from registry.domain.validation import find_near
from registry.domain.vocabulary import EXPLAINS, StatementKind, Weight
from registry.pages.values import (
    PastVersion,
    PublicEntry,
    PublicList,
    PublicNotice,
    PublicProduct,
    PublicPublisher,
    RemovedEntry,
    ToldStatement,
)
from registry.steps.brand import find_logo_version
from registry.steps.errors import BeforeFounding, FutureAsOf, UnknownEntry
from registry.steps.lookup import find_entry, read_content, read_facts
from registry.steps.working_days import working_days_for
from registry.tables import (
    Entry,
    EntryKey,
    EntryVersion,
    Event,
    Installation,
    ListPeriod,
    Notice,
    NoticeChange,
    Product,
    Publisher,
    Statement,
)

MOVES = ("notice.held", "notice.redated", "notice.released", "notice.corrected")
"""The record's words for what gives an announced notice another state or date, short of its end (R20, R22)."""

_SHOWN_OF_NOTICES: Final = (
    *(
        Notice.id,
        Notice.number,
        Notice.state,
        Notice.summary,
        Notice.explanation,
        Notice.emergency_reason,
        Notice.terms,
    ),
    *(Notice.announced_at, Notice.planned_on, Notice.effective_on, Notice.effective_at),
    *(Notice.took_effect_at, Notice.withdrawn_at),
)
_SHOWN_OF_STATEMENTS: Final = (
    *(Statement.notice_id, Statement.seq, Statement.kind, Statement.made_at, Statement.effective_on),
    Statement.restarts_clocks,
)
_SAID_IN_STATEMENTS: Final = (Statement.summary, Statement.explanation, Statement.changes)


def load_public_list(session: Session, now: datetime, publisher: Publisher, as_of: date | None = None) -> PublicList:
    """Load the publisher's list as the public sees it at `now`, or saw it at the end of the local date `as_of` (R6).

    Today's date means now. Raises `FutureAsOf` for a day to come and `BeforeFounding` for one without a list.
    """
    facts = read_facts(session, publisher)
    today = local_date(now, facts.time_zone)
    at = now
    if as_of is not None and as_of > today:
        raise FutureAsOf(on=as_of, today=today)
    is_past = as_of is not None and as_of < today
    if as_of is not None and is_past:
        at = first_instant(as_of + timedelta(days=1), facts.time_zone)
        founded_at = _founded_at(session, publisher)
        if founded_at is None or founded_at >= at:
            founded_on = local_date(founded_at, facts.time_zone) if founded_at else None
            raise BeforeFounding(on=as_of, founded_on=founded_on)
    entries, removed = _entries_at(session, publisher, at, is_past=is_past)
    return PublicList(
        publisher=load_public_publisher(session, publisher, at if is_past else None),
        revision=publisher.revision,
        today=today,
        as_of=as_of if is_past else None,
        changed_at=publisher.changed_at,
        entries=entries,
        removed=removed,
        notices=_notices_at(session, publisher, facts.time_zone, at, is_past=is_past),
        is_demo=is_demonstration(session),
        founded_at=_founded_at(session, publisher),
    )


def load_public_publisher(
    session: Session, publisher: Publisher, before: datetime | None = None, *, facts: PublisherFacts | None = None
) -> PublicPublisher:
    """Load what the public knows of the publisher itself, with the terms it had just before an instant, or has now.

    Its `facts` of that time may be given, where they are at hand.
    """
    facts = facts or read_facts(session, publisher, before)
    products = session.scalars(
        select(Product).where(Product.publisher_id == publisher.id).order_by(Product.position, Product.key)
    )
    return PublicPublisher(
        slug=facts.slug,
        name=facts.name,
        legal_name=facts.legal_name,
        contact=facts.contact,
        country=facts.country,
        time_zone=facts.time_zone,
        notice_days=facts.notice.days,
        objection_days=facts.notice.objection_days,
        products=tuple(PublicProduct(product.key, product.name) for product in products),
        website=facts.website,
        privacy_url=facts.privacy_url,
        imprint_url=facts.imprint_url,
        inquiries=facts.inquiries,
        colour=facts.colour,
        logo=find_logo_version(session, publisher),
        language=facts.language,
    )


def list_published(session: Session) -> list[tuple[Publisher, int]]:
    """Return every publisher with a published list, by slug, and how many entries stand on it now."""
    on_list = (
        select(func.count(ListPeriod.id))
        .where(ListPeriod.publisher_id == Publisher.id, ListPeriod.to_at.is_(None))
        .correlate(Publisher)
        .scalar_subquery()
    )
    rows = session.execute(select(Publisher, on_list).where(Publisher.revision > 0).order_by(Publisher.slug))
    return [(publisher, count) for publisher, count in rows]


def is_demonstration(session: Session) -> bool:
    """Return whether this installation is marked as a demo, whose letters are not sent (R12)."""
    return bool(session.scalar(select(Installation.is_demo)))


def _founded_at(session: Session, publisher: Publisher) -> datetime | None:
    """Return when the list was founded, from the record: one that was founded empty has no period to tell it (R5)."""
    founded_at = session.scalar(
        select(func.min(Event.at)).where(
            Event.publisher_id == publisher.id,
            Event.subject_kind == "publisher",
            Event.subject == publisher.slug,
            Event.kind == "publisher.founded",
        )
    )
    if founded_at is not None:
        return founded_at
    return session.scalar(select(func.min(ListPeriod.from_at)).where(ListPeriod.publisher_id == publisher.id))


def _entries_at(
    session: Session, publisher: Publisher, at: datetime, *, is_past: bool
) -> tuple[tuple[PublicEntry, ...], tuple[RemovedEntry, ...]]:
    """Part the entries into those on the list at `at` and those that had left it, by committed instants (R6).

    A past `at` is the first instant after its day, so what was committed at that very instant is not in it yet.
    """
    begun = ListPeriod.from_at < at if is_past else ListPeriod.from_at <= at
    rows = session.execute(
        select(Entry, EntryVersion, ListPeriod)
        .join(ListPeriod, ListPeriod.entry_id == Entry.id)
        .join(EntryVersion, EntryVersion.id == ListPeriod.version_id)
        .where(Entry.publisher_id == publisher.id, begun)
        .order_by(Entry.position, Entry.key, ListPeriod.from_at, ListPeriod.id)
    )
    by_entry: dict[int, list[tuple[Entry, EntryVersion, ListPeriod]]] = {}
    for entry, version, period in rows:
        by_entry.setdefault(entry.id, []).append((entry, version, period))
    entries, removed = [], []
    for history in by_entry.values():
        entry, version, period = history[-1]
        content = EntryContent.model_validate(version.document)
        ended_at = period.to_at
        if ended_at is None or ended_at > at or (is_past and ended_at == at):
            entries.append(PublicEntry(entry.key, content, _listed_at(history), period.from_at))
        else:
            removed.append(RemovedEntry(entry.key, content, ended_at))
    return tuple(entries), tuple(sorted(removed, key=lambda each: (each.removed_at, each.key), reverse=True))


def _listed_at(history: list[tuple[Entry, EntryVersion, ListPeriod]]) -> datetime:
    """Return when the entry came on the list for its present, unbroken stay."""
    listed_at = history[-1][2].from_at
    for _, _, period in reversed(history[:-1]):
        if period.to_at != listed_at:
            break
        listed_at = period.from_at
    return listed_at


def _notices_at(
    session: Session, publisher: Publisher, zone: str, at: datetime, *, is_past: bool
) -> tuple[PublicNotice, ...]:
    """Load the notices announced by `at`, each with the date and state it had then."""
    begun = Notice.announced_at < at if is_past else Notice.announced_at <= at
    public = or_(
        Notice.state.in_([state.value for state in PUBLIC_STATES]),
        and_(Notice.state == NoticeState.WITHDRAWN.value, Notice.announced_at.is_not(None)),
    )
    announced = and_(Notice.publisher_id == publisher.id, public, begun)
    # Plain rows of what is shown: a publisher may have thousands of notices, and mapped objects take most of the time.
    notices = session.execute(
        select(*_SHOWN_OF_NOTICES).where(announced).order_by(Notice.announced_at, Notice.id)
    ).all()
    ids = select(Notice.id).where(announced)
    changes = _group(
        session.execute(
            select(NoticeChange.notice_id, NoticeChange.weight, NoticeChange.change)
            .join(Entry, Entry.id == NoticeChange.entry_id)
            .where(NoticeChange.notice_id.in_(ids))
            .order_by(Entry.position, Entry.key)
        )
    )
    # What a statement said is what a past day showed; today shows the notice as it is.
    said = _SAID_IN_STATEMENTS if is_past else ()
    statements = _group(
        session.execute(
            select(*_SHOWN_OF_STATEMENTS, *said).where(Statement.notice_id.in_(ids)).order_by(Statement.seq)
        )
    )
    moves = _group(
        session.execute(
            select(Event.subject, Event.kind, Event.at, Event.payload)
            .where(Event.publisher_id == publisher.id, Event.subject_kind == "notice", Event.kind.in_(MOVES))
            .order_by(Event.id)
        )
    )
    return tuple(
        make_public_notice(
            notice,
            changes.get(notice.id, []),
            statements.get(notice.id, []),
            moves.get(notice.number, []),
            zone,
            at if is_past else None,
        )
        for notice in notices
    )


def _group(rows: Iterable[Row[Any]]) -> dict[Any, list[Any]]:
    """Part rows by their first column."""
    grouped: dict[Any, list[Any]] = {}
    for row in rows:
        grouped.setdefault(row[0], []).append(row)
    return grouped


def make_public_notice(
    notice: Notice | Row[Any],
    changes: Sequence[NoticeChange | Row[Any]],
    told: Sequence[Statement | Row[Any]],
    moves: Sequence[Event | Row[Any]],
    zone: str,
    before: datetime | None,
) -> PublicNotice:
    """Make the public notice of its rows as it is, or as it was just before the instant `before`.

    `moves` are its holds on record, from which follows what it was then. Dates are those of `zone`.
    """
    assert notice.announced_at is not None  # noqa: S101 - the query takes announced notices only

    def by_then(instant: datetime | None) -> datetime | None:
        return None if instant is None or (before is not None and instant >= before) else instant

    statements = [statement for statement in told if by_then(statement.made_at) is not None]
    moves = [move for move in moves if by_then(move.at) is not None]
    took_effect_at, withdrawn_at = by_then(notice.took_effect_at), by_then(notice.withdrawn_at)
    effective_on, effective_at, state = notice.effective_on, notice.effective_at, notice.state
    if before is not None:
        held, effective_on = _fold(notice, moves)
        effective_at = first_instant(effective_on, zone) if effective_on else None
        state = NoticeState.IN_EFFECT if took_effect_at else NoticeState.WITHDRAWN if withdrawn_at else held
    summary, explanation, weights, documents = _content(notice, changes, statements if before is not None else [])
    terms = Terms.model_validate(notice.terms)
    told_at = max([notice.announced_at, *(each.made_at for each in statements if each.restarts_clocks)])
    clock = plan_clock(told_at, terms, working_days_for(terms, local_date(told_at, terms.time_zone)))
    return PublicNotice(
        number=notice.number,
        state=NoticeState(state).value,
        summary=summary,
        explanation=explanation,
        announced_at=notice.announced_at,
        updated_at=max([notice.announced_at, *(each.made_at for each in statements), *(move.at for move in moves)]),
        effective_on=effective_on,
        effective_at=effective_at,
        objection_until_on=clock.objection_ends_on if Weight.BINDING in weights else None,
        took_effect_at=took_effect_at,
        withdrawn_at=withdrawn_at,
        emergency_reason=notice.emergency_reason,
        changes=tuple(EntryChange.from_document(document) for document in documents),
        statements=tuple(ToldStatement(each.seq, each.kind, each.made_at, each.effective_on) for each in statements),
    )


def _content(
    notice: Notice | Row[Any], changes: Sequence[NoticeChange | Row[Any]], statements: Sequence[Statement | Row[Any]]
) -> tuple[str, str, list[Weight], list[dict[str, Any]]]:
    """Return a notice's summary, explanation, weights and changes as they are, or as the last statement told them.

    The explanation is that of the last of `statements` which had to explain something, for the others refer to it.
    """
    if statements:
        told = statements[-1]
        return (
            told.summary,
            next((each.explanation for each in reversed(statements) if StatementKind(each.kind) in EXPLAINS), ""),
            [Weight(each["weight"]) for each in told.changes],
            [each["change"] for each in told.changes],
        )
    return notice.summary, notice.explanation, [Weight(row.weight) for row in changes], [row.change for row in changes]


def _fold(notice: Notice | Row[Any], moves: Sequence[Event | Row[Any]]) -> tuple[NoticeState, date | None]:
    """Follow a notice from its announcement over its moves to the state and the date it had after them."""
    state: NoticeState = NoticeState.ANNOUNCED
    effective_on: date | None = notice.planned_on
    for move in moves:
        told = move.payload.get("effective_on")
        effective_on = date.fromisoformat(told) if isinstance(told, str) else None
        if move.kind in {"notice.held", "notice.redated"}:
            state = NoticeState.HELD
        elif move.kind == "notice.released" or move.payload.get("restarts_clocks"):
            state = NoticeState.ANNOUNCED
    return state, effective_on


def load_entry_history(session: Session, publisher: Publisher, key: str) -> tuple[str, tuple[PastVersion, ...]]:
    """Return the entry's present key and every version that was on the list, the newest first.

    A removal is a version without content. Raises `UnknownEntry`, also for an entry that never was on the list: what
    waits for its announcement is as unknown to the public as what never was (R14).
    """
    entry = find_entry(session, publisher, key)
    if entry is None or not session.scalar(select(exists().where(ListPeriod.entry_id == entry.id))):
        listed = exists().where(ListPeriod.entry_id == EntryKey.entry_id)
        known = session.scalars(select(EntryKey.key).where(EntryKey.publisher_id == publisher.id, listed))
        raise UnknownEntry(key=key, publisher=publisher.slug, near=find_near(key, known))
    rows = session.execute(
        select(ListPeriod, EntryVersion)
        .join(EntryVersion, EntryVersion.id == ListPeriod.version_id)
        .where(ListPeriod.entry_id == entry.id)
        .order_by(ListPeriod.from_at, ListPeriod.id)
    ).all()
    history: list[PastVersion] = []
    before: EntryContent | None = None
    ended_at: datetime | None = None
    for period, version in rows:
        if ended_at is not None and ended_at != period.from_at:
            history.append(_removal(session, entry, before, ended_at, period.from_at))
            before = None
        content = read_content(version)
        change = diff_entry(entry.key, before, content)
        cause = period.cause.removeprefix("notice:")
        history.append(PastVersion(content, period.from_at, period.to_at, cause, change))
        before, ended_at = content, period.to_at
    if ended_at is not None:
        history.append(_removal(session, entry, before, ended_at, None))
    return entry.key, tuple(reversed(history))


def _removal(
    session: Session, entry: Entry, before: EntryContent | None, at: datetime, until: datetime | None
) -> PastVersion:
    number = session.scalar(
        select(Notice.number)
        .join(NoticeChange, NoticeChange.notice_id == Notice.id)
        .where(NoticeChange.entry_id == entry.id, Notice.took_effect_at == at)
    )
    return PastVersion(None, at, until, number or "editorial", diff_entry(entry.key, before, None))
