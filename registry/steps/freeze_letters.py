"""Freezing: what a statement says, once per language, audience and form (R30).

Letters are frozen in the languages that somebody is told in, and in the publisher's own, which stands in for any other.
Forms for the web are frozen only where somebody takes them, so that lists without webhooks pay nothing. Whoever comes
later brings the language or form that is missing: it is made from the statement's own row and the letter frozen with
it, and says what was told then, also where the first webhook or the first Vietnamese reader comes a week later.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import case, select
from sqlalchemy.orm import Session

from registry.domain.changes import EntryChange
from registry.domain.entries import digest_of
from registry.domain.notices import first_instant
from registry.domain.publishers import PublisherFacts
from registry.domain.vocabulary import Audience, ChannelKind, StatementKind, Weight
from registry.language import ENGLISH, find_language
from registry.letters.render import LetterRenderer
from registry.letters.values import FrozenLetter, Sender, StatementFacts
from registry.letters.web_forms import WEB_FORMS, freeze_form
from registry.steps.letterhead import Letterhead, sender_document
from registry.tables import Address, Letter, Notice, Product, Publisher, Statement, Subscription

LANGUAGE = ENGLISH
"""What a letter is in where nobody says."""

WITHOUT_WORDS = frozenset({ChannelKind.WEBHOOK})
"""Forms for machines: the same in every language, so that one is frozen for all."""

TELLS_A_DATE = (
    StatementKind.ANNOUNCEMENT.value,
    StatementKind.CORRECTION.value,
    StatementKind.POSTPONEMENT.value,
)


def own_language(publisher: Publisher) -> str:
    """Return the language of letters to whoever asks for one that there is not: the publisher's, or English."""
    return find_language(publisher.facts.get("language")) or ENGLISH


def freeze_letters(
    session: Session,
    facts: PublisherFacts,
    publisher: Publisher,
    notice: Notice,
    statement: Statement,
    letterhead: Letterhead,
    *,
    previous_on: date | None = None,
) -> int:
    """Freeze a statement's letters for each audience in each language that it is told in; return how many.

    `previous_on` is the date told before, for a postponement. Forms for the web follow with `freeze_missing`.
    """
    spoken = _find_languages(session, publisher)
    frozen = [
        freeze_letter(
            session, facts, notice, statement, audience, letterhead, previous_on=previous_on, language=language
        )
        for audience in Audience
        for language in spoken[audience]
    ]
    session.add_all(frozen)
    session.flush()
    return len(frozen)


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


def freeze_missing(
    session: Session, now: datetime, notice: Notice, statement: Statement, joiner: Subscription | None = None
) -> int:
    """Freeze what is missing of a statement for those it may go to, by language and form; return how many.

    Who counts is every confirmed subscription, for forms of the web alone, or the `joiner`, for its letter too. At
    least one letter to each audience must be there.
    """
    publisher = session.get_one(Publisher, notice.publisher_id)
    wanted = _find_wanted(session, publisher, joiner)
    if not wanted:
        return 0
    rows = session.execute(
        select(Letter.form, Letter.audience, Letter.language).where(Letter.statement_id == statement.id)
    )
    known = {(ChannelKind(form), Audience(audience), language) for form, audience, language in rows}
    missing = 0
    for form, audience, language in wanted:
        for each in dict.fromkeys((ChannelKind.EMAIL, form)):
            if (each, audience, language) not in known:
                session.add(_freeze_late(session, now, notice, statement, each, audience, language))
                session.flush()
                known.add((each, audience, language))
                missing += 1
    return missing


def _freeze_late(
    session: Session,
    now: datetime,
    notice: Notice,
    statement: Statement,
    form: ChannelKind,
    audience: Audience,
    language: str,
) -> Letter:
    """Return a statement's letter in one more language, or form, by the sender that it was told under."""
    mail = session.scalars(
        select(Letter)
        .where(
            Letter.statement_id == statement.id,
            Letter.audience == audience.value,
            Letter.form == ChannelKind.EMAIL.value,
        )
        .order_by(case((Letter.language == language, 0), else_=1), Letter.id)
        .limit(1)
    ).one()
    facts = read_statement(session, notice, statement, Sender(**mail.sender))
    if form is ChannelKind.EMAIL:
        frozen = _renderer().render_statement(facts, audience, language)
    else:
        frozen = freeze_form(form, facts, audience, mail.subject, language, statement.made_at)
    ids = (notice.publisher_id, statement.id, statement.kind)
    return freeze(now, *ids, audience, facts.sender, frozen, form, language)


@cache
def _renderer() -> LetterRenderer:
    # Whoever joins, by a link or a person's hand, brings no letterhead along. A renderer holds no state.
    return LetterRenderer(Path(__file__).parents[2] / "templates")


def _find_languages(session: Session, publisher: Publisher) -> dict[Audience, list[str]]:
    """Return the languages that the publisher's standing subscriptions are told in, the publisher's own first."""
    own = own_language(publisher)
    rows = session.execute(
        select(Subscription.audience, Subscription.language)
        .where(
            Subscription.publisher_id == publisher.id,
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
        )
        .distinct()
    ).all()
    asked = {(Audience(audience), find_language(tag) or own) for audience, tag in rows}
    return {
        audience: [own, *sorted(each for of, each in asked if of is audience and each != own)] for audience in Audience
    }


def _find_wanted(
    session: Session, publisher: Publisher, joiner: Subscription | None
) -> list[tuple[ChannelKind, Audience, str]]:
    own = own_language(publisher)
    forms = [form.value for form in WEB_FORMS]
    query = (
        select(Address.channel, Subscription.audience, Subscription.language)
        .join(Subscription, Subscription.address_id == Address.id)
        .where(
            Address.publisher_id == publisher.id,
            Subscription.confirmed_at.is_not(None),
            Subscription.ended_at.is_(None),
        )
    )
    query = query.where(Address.channel.in_(forms) if joiner is None else Subscription.id == joiner.id).distinct()
    wanted = set()
    for channel, audience, tag in session.execute(query):
        form = ChannelKind(channel)
        wanted.add((form, Audience(audience), own if form in WITHOUT_WORDS else find_language(tag) or own))
    return sorted(wanted)


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
