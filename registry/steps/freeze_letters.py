"""Freezing: what a statement says, once per language, audience and form (R30).

Forms for the web are frozen only where somebody takes them, so that lists without webhooks pay nothing. They are made
from the statement's own row and the letter frozen with it, and say what was told then, also where the first webhook
comes a week later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange
from registry.domain.entries import digest_of
from registry.domain.notices import first_instant
from registry.domain.publishers import PublisherFacts
from registry.domain.vocabulary import Audience, ChannelKind, StatementKind, Weight
from registry.letters.values import FrozenLetter, Sender, StatementFacts
from registry.letters.web_forms import WEB_FORMS, freeze_form
from registry.steps.letterhead import Letterhead, sender_document
from registry.tables import Address, Letter, Notice, Product, Statement, Subscription

LANGUAGE = "en"
"""The one language letters are frozen in so far; subscriptions keep theirs for when there are more."""

TELLS_A_DATE = (
    StatementKind.ANNOUNCEMENT.value,
    StatementKind.CORRECTION.value,
    StatementKind.POSTPONEMENT.value,
)


def freeze_letter(
    session: Session,
    facts: PublisherFacts,
    notice: Notice,
    statement: Statement,
    audience: Audience,
    letterhead: Letterhead,
    *,
    previous_on: date | None = None,
    language: str = LANGUAGE,
) -> Letter:
    """Return a statement's letter to one audience, as a row that is not stored.

    `previous_on` is the date told before, for a postponement.
    """
    sender = letterhead.sender_for(facts, audience)
    told = replace(read_statement(session, notice, statement, sender), previous_effective_on=previous_on)
    frozen = letterhead.renderer.render_statement(told, audience, language)
    kind, made_at = statement.kind, statement.made_at
    return freeze(made_at, notice.publisher_id, statement.id, kind, audience, sender, frozen, language=language)


def freeze_web_forms(
    session: Session, now: datetime, notice: Notice, statement: Statement, joiner: Subscription | None = None
) -> int:
    """Freeze what is missing of a statement's forms for the web, for each audience that takes one; return how many.

    Who takes one is a confirmed subscription, or the `joiner` alone. The statement's letters must be there.
    """
    wanted = _find_wanted(session, notice, joiner)
    if not wanted:
        return 0
    letters = session.scalars(select(Letter).where(Letter.statement_id == statement.id)).all()
    present = {(ChannelKind(letter.form), Audience(letter.audience)) for letter in letters}
    mail = {letter.audience: letter for letter in letters if letter.form == ChannelKind.EMAIL.value}
    missing = [each for each in wanted if each not in present]
    for form, audience in missing:
        letter = mail[audience.value]
        facts = read_statement(session, notice, statement, Sender(**letter.sender))
        frozen = freeze_form(form, facts, audience, letter.subject, letter.language, statement.made_at)
        session.add(freeze(now, notice.publisher_id, statement.id, letter.kind, audience, facts.sender, frozen, form))
    session.flush()
    return len(missing)


def _find_wanted(session: Session, notice: Notice, joiner: Subscription | None) -> list[tuple[ChannelKind, Audience]]:
    query = select(Address.channel, Subscription.audience).join(Subscription, Subscription.address_id == Address.id)
    if joiner is not None:
        query = query.where(Subscription.id == joiner.id)
    rows = session.execute(
        query.where(
            Address.publisher_id == notice.publisher_id,
            Address.channel.in_([form.value for form in WEB_FORMS]),
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
        ).distinct()
    )
    return sorted((ChannelKind(form), Audience(audience)) for form, audience in rows)


def read_statement(session: Session, notice: Notice, statement: Statement, sender: Sender) -> StatementFacts:
    """Return what a statement says, from its own row: whatever was corrected or postponed since is not in it."""
    assert notice.announced_at is not None  # noqa: S101 - only an announced notice speaks
    earlier = None
    if statement.seq > 1:
        earlier = session.scalars(
            select(Statement.effective_on)
            .where(
                Statement.notice_id == notice.id,
                Statement.seq < statement.seq,
                Statement.kind.in_(TELLS_A_DATE),
                Statement.effective_on.is_not(None),
            )
            .order_by(Statement.seq.desc())
            .limit(1)
        ).first()
    products = session.execute(
        select(Product.key, Product.name).where(Product.publisher_id == notice.publisher_id).order_by(Product.position)
    )
    on = statement.effective_on
    return StatementFacts(
        kind=statement.kind,
        sender=sender,
        number=notice.number,
        seq=statement.seq,
        summary=statement.summary,
        changes=tuple(_read_changes(statement.changes)),
        announced_at=notice.announced_at,
        effective_on=on,
        effective_at=first_instant(on, sender.time_zone) if on else None,
        previous_effective_on=earlier,
        took_effect_at=notice.took_effect_at if statement.kind == StatementKind.EFFECT.value else None,
        emergency_reason=notice.emergency_reason,
        reason=statement.reason,
        notice_url=f"{sender.page_url.rstrip('/')}/notices/{notice.number}",
        product_names=tuple((key, name) for key, name in products),
        explanation=statement.explanation,
    )


def _read_changes(told: Iterable[dict[str, Any]]) -> Iterable[EntryChange]:
    """Return the changes with the weights they had in the notice, which a person may have raised or lowered (R3)."""
    for each in told:
        yield replace(EntryChange.from_document(each["change"]), weight=Weight(each["weight"]))


def freeze(
    now: datetime,
    publisher_id: int,
    statement_id: int | None,
    kind: str,
    audience: Audience,
    sender: Sender,
    frozen: FrozenLetter,
    form: ChannelKind = ChannelKind.EMAIL,
    language: str = LANGUAGE,
) -> Letter:
    """Return the row of a frozen letter, with the digest of its texts and sender."""
    document = sender_document(sender)
    return Letter(
        publisher_id=publisher_id,
        statement_id=statement_id,
        kind=kind,
        language=language,
        audience=audience.value,
        form=form.value,
        sender=document,
        subject=frozen.subject,
        text=frozen.text,
        html=frozen.html,
        digest=digest_of([kind, audience.value, document, frozen.subject, frozen.text, frozen.html]),
        made_at=now,
    )
