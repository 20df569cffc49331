"""A notice speaks: a numbered statement, its letters frozen and its deliveries written in one transaction (R15)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange
from registry.domain.entries import digest_of
from registry.domain.notice_life import PENDING_STATES
from registry.domain.publishers import PublisherFacts
from registry.domain.vocabulary import Audience, StatementKind
from registry.letters.values import FrozenLetter, Sender, StatementFacts
from registry.steps.fan_out import fan_out
from registry.steps.letterhead import Letterhead, sender_document
from registry.steps.lookup import lock_publisher, read_facts
from registry.steps.record import WORKER, record_event
from registry.steps.revise_draft import list_changes
from registry.tables import Letter, Notice, Product, Publisher, Statement, Subscription

LANGUAGE = "en"
"""The one language letters are frozen in so far; subscriptions keep theirs for when there are more."""

TOLD_TO_JOINERS = (
    StatementKind.ANNOUNCEMENT.value,
    StatementKind.CORRECTION.value,
    StatementKind.POSTPONEMENT.value,
)


def make_statement(
    session: Session,
    now: datetime,
    publisher: Publisher,
    notice: Notice,
    kind: StatementKind,
    letterhead: Letterhead,
    *,
    previous_effective_on: date | None = None,
    reason: str | None = None,
    restarts_clocks: bool = False,
) -> dict[str, int]:
    """Add the notice's next statement, freeze its letter per audience, and fan it out; return the counts.

    An announcement starts customers' clocks; `restarts_clocks` says that a correction starts them anew (R20).
    """
    last = session.scalar(select(func.max(Statement.seq)).where(Statement.notice_id == notice.id)) or 0
    statement = Statement(
        publisher_id=publisher.id,
        notice_id=notice.id,
        seq=last + 1,
        kind=kind.value,
        effective_on=notice.effective_on,
        restarts_clocks=restarts_clocks or kind is StatementKind.ANNOUNCEMENT,
        summary=notice.summary,
        changes=[{"change": row.change, "weight": row.weight} for row in list_changes(session, notice)],
        reason=reason,
        made_at=now,
    )
    session.add(statement)
    session.flush()
    facts = read_facts(session, publisher)
    for audience in Audience:
        sender = letterhead.sender_for(facts, audience)
        told = _tell(session, notice, statement, facts, sender, letterhead, previous_effective_on)
        frozen = letterhead.renderer.render_statement(told, audience, LANGUAGE)
        session.add(freeze(now, publisher, statement.id, kind.value, audience, sender, frozen))
    session.flush()
    counts = fan_out(session, now, notice, statement)
    record_event(
        session,
        now,
        WORKER,
        f"statement.{kind.value}",
        subject=("notice", notice.number),
        publisher_id=publisher.id,
        seq=statement.seq,
        told_on=notice.effective_on.isoformat() if notice.effective_on else None,
        **counts,
    )
    return counts


def deliver_pending_to(session: Session, now: datetime, subscription: Subscription) -> int:
    """Give a subscription that was just confirmed what is pending: announcements and the last postponement (R18).

    Returns how many letters are due to it. One call again adds nothing.
    """
    # Who confirms while a notice is being announced would be missed by both: the fan-out does not see the wish yet,
    # and the wish not the notice. Here the second waits for the first.
    lock_publisher(session, session.get_one(Publisher, subscription.publisher_id))
    notices = session.scalars(
        select(Notice)
        .where(
            Notice.publisher_id == subscription.publisher_id,
            Notice.state.in_([state.value for state in PENDING_STATES]),
        )
        .order_by(Notice.id)
    )
    return sum(deliver_notice_to(session, now, notice, subscription) for notice in notices.all())


def deliver_notice_to(session: Session, now: datetime, notice: Notice, subscription: Subscription) -> int:
    """Give a subscription what is pending of one notice; return how many letters are due to it.

    That is its announcement, its last correction and postponement, and the statement that clocks run from (R20).
    """
    newest: dict[str, Statement] = {}
    told = session.scalars(
        select(Statement)
        .where(Statement.notice_id == notice.id, Statement.kind.in_(TOLD_TO_JOINERS))
        .order_by(Statement.seq)
    )
    for statement in told:
        newest[statement.kind] = statement
        if statement.restarts_clocks:
            newest["clock"] = statement
    in_order = sorted(set(newest.values()), key=lambda each: each.seq)
    return sum(fan_out(session, now, notice, statement, joiner=subscription)["due"] for statement in in_order)


def freeze(
    now: datetime,
    publisher: Publisher,
    statement_id: int | None,
    kind: str,
    audience: Audience,
    sender: Sender,
    frozen: FrozenLetter,
) -> Letter:
    """Return the row of a frozen letter, with the digest of its texts and sender."""
    document = sender_document(sender)
    return Letter(
        publisher_id=publisher.id,
        statement_id=statement_id,
        kind=kind,
        language=LANGUAGE,
        audience=audience.value,
        sender=document,
        subject=frozen.subject,
        text=frozen.text,
        html=frozen.html,
        digest=digest_of([kind, audience.value, document, frozen.subject, frozen.text, frozen.html]),
        made_at=now,
    )


def _tell(
    session: Session,
    notice: Notice,
    statement: Statement,
    facts: PublisherFacts,
    sender: Sender,
    letterhead: Letterhead,
    previous_effective_on: date | None,
) -> StatementFacts:
    assert notice.announced_at is not None  # noqa: S101 - only an announced notice speaks
    products = session.execute(
        select(Product.key, Product.name).where(Product.publisher_id == notice.publisher_id).order_by(Product.position)
    )
    return StatementFacts(
        kind=statement.kind,
        sender=sender,
        number=notice.number,
        seq=statement.seq,
        summary=notice.summary,
        changes=tuple(EntryChange.from_document(row.change) for row in list_changes(session, notice)),
        announced_at=notice.announced_at,
        effective_on=notice.effective_on,
        effective_at=notice.effective_at,
        previous_effective_on=previous_effective_on,
        took_effect_at=notice.took_effect_at,
        emergency_reason=notice.emergency_reason,
        reason=statement.reason,
        notice_url=f"{letterhead.address_of(facts)}/notices/{notice.number}",
        product_names=tuple((key, name) for key, name in products),
    )
